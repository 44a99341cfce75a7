//! Services that fail in passing, answers that are late or lost, and a client that dies.

use kops_core::graph::TaskGraph;
use kops_core::resource::Network;
use kops_openstack_lab::Fault;

use crate::lab::{Site, changes};

#[tokio::test]
async fn what_fails_in_passing_is_repeated_and_makes_nothing_twice() {
    let Some(site) = Site::new().await else { return };
    site.lab.inject(&[
        // The work is done, but nobody hears of it.
        Fault::lose("neutron", "POST", "/networks").times(0, 1),
        Fault::lose("neutron", "POST", "/ports").times(2, 2),
        Fault::lose("neutron", "POST", "/floatingips").times(0, 1),
        Fault::lose("neutron", "PUT", "add_router_interface").times(0, 1),
        Fault::lose("neutron", "POST", "/security-group-rules").times(1, 1),
        Fault::lose("nova", "POST", "/servers").times(1, 2),
        Fault::lose("nova", "POST", "/os-keypairs").times(0, 1),
        Fault::lose("nova", "POST", "/os-server-groups").times(0, 1),
        Fault::lose("cinder", "POST", "/volumes").times(0, 1),
        Fault::lose("octavia", "POST", "/loadbalancers").times(0, 1),
        Fault::lose("designate", "POST", "/recordsets").times(0, 1),
        // Fewer requests, please; and a service that is not there for a moment.
        Fault::answer("neutron", "GET", "/subnets", 429).header("Retry-After", "1").times(0, 1),
        Fault::answer("nova", "GET", "/flavors", 503).times(0, 1),
        // Some are slow.
        Fault::delay("neutron", 2.0).times(40, 4),
        Fault::delay("octavia", 2.0).times(10, 4),
    ]);
    site.try_apply(&site.graph()).await.unwrap();
    site.lab.inject(&[]);
    let made = site.lab.inventory();
    // Three control planes, three nodes and a bastion; the subnets' and the machines' ports, those of others beside.
    assert_eq!(made.count("servers"), 7, "{made:?}");
    assert_eq!(made.count("loadbalancers"), 2, "{made:?}");
    site.assert_settled().await;

    site.lab.inject(&[
        Fault::lose("nova", "DELETE", "/servers").times(0, 2),
        Fault::lose("neutron", "DELETE", "/").times(3, 3),
        Fault::lose("octavia", "DELETE", "/").times(1, 1),
    ]);
    site.try_apply(&TaskGraph::default()).await.unwrap();
    site.lab.inject(&[]);
    assert_eq!(site.before.diff(&site.lab.inventory()), Vec::<String>::new());
}

/// The number of calls that change something before the one at whose answer the client dies.
const MOMENTS: [usize; 3] = [3, 30, 60];

#[tokio::test]
async fn what_a_client_that_died_has_made_is_taken_up_again() {
    let Some(site) = Site::new().await else { return };
    let graph = site.graph();
    for moment in MOMENTS {
        site.lab.inject(&[Fault::hold("*", "*", "").times(moment, 1)]);
        site.die_when_held(&graph).await;
        others_go_on(&site).await;
        assert_eq!(site.lab.held(), 1);
        site.lab.release();
        assert_eq!(site.lab.held(), 0);
        site.apply().await;
        let made = site.lab.inventory();
        assert_eq!((made.count("servers"), made.count("loadbalancers")), (7, 2), "{made:?}");

        site.lab.inject(&[Fault::hold("*", "*", "").times(moment, 1)]);
        site.die_when_held(&TaskGraph::default()).await;
        site.lab.inject(&[]);
        site.delete().await;
    }
}

#[tokio::test]
async fn what_a_dead_client_makes_late_is_found_and_deleted() {
    let Some(site) = Site::new().await else { return };
    let mut graph = TaskGraph::builder();
    graph.add("late", Network::new([]));
    let graph = graph.build().unwrap();
    let networks = || site.lab.inventory().count("networks") - site.before.count("networks");

    site.lab.inject(&[Fault::stall("neutron", "POST", "/networks").times(0, 1)]);
    site.die_on_the_way(&graph).await;
    // Nothing tells the next run that there is a request still.
    site.try_apply(&graph).await.unwrap();
    assert_eq!(networks(), 1);
    site.lab.release();
    site.lab.wait_until_quiet();
    assert_eq!(networks(), 2);

    let plan = site.engine.plan(&graph).await.unwrap();
    assert_eq!(changes(&plan, site.files.cluster.name()), ["delete NeutronNetwork/late"]);
    site.engine.apply_now(&plan).await.unwrap().into_result().unwrap();
    assert_eq!(networks(), 1);
    assert!(site.engine.plan(&graph).await.unwrap().is_empty());
    site.delete().await;
}

/// What befalls one project does not befall another one.
async fn others_go_on(site: &Site) {
    let Some(other) = Site::new().await else { return };
    let mut graph = TaskGraph::builder();
    graph.add("theirs", Network::new([]));
    let before = site.lab.calls();
    other.try_apply(&graph.build().unwrap()).await.unwrap();
    assert!(other.lab.calls().iter().any(|call| call.mutates()));
    assert_eq!(site.lab.calls(), before);
    other.delete().await;
}

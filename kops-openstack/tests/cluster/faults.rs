//! Services that fail in passing, answers that are lost, and a service that dies.

use kops_core::graph::TaskGraph;
use kops_openstack_lab::Fault;

use crate::lab::Site;

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

//! What dies is replaced and finds its place; what was written before is still there.

use std::time::Duration;

use kops_lab::{Fault, Stopwatch, until};
use kops_node::status::State;

use crate::bundles::MEMBERS;
use crate::cluster::{Cluster, LONG, Part, with};

#[test]
fn a_control_plane_is_replaced_with_its_disk_at_another_address() {
    with(|cluster| {
        let (old, voters) = (cluster.machine_of("b"), cluster.voters().unwrap());
        let watch = Stopwatch::start();
        cluster.lose(&old);
        cluster.boot(Part::Member("b"));
        watch.until("the same three members serve", LONG, || same(cluster, &voters));
        cluster.whole(&watch, "whole, and the Node of the old machine is gone");
    });
}

#[test]
#[ignore = "takes minutes: on demand"]
fn each_control_plane_is_replaced_in_turn() {
    with(|cluster| {
        let voters = cluster.voters().unwrap();
        for member in MEMBERS {
            let old = cluster.machine_of(member);
            let watch = Stopwatch::start();
            cluster.lose(&old);
            cluster.boot(Part::Member(member));
            watch.until("the same three members serve", LONG, || same(cluster, &voters));
            cluster.whole(&watch, &format!("whole, with another machine for {member}"));
        }
    });
}

/// The one that is left has no quorum until one of them is back.
#[test]
#[ignore = "takes minutes: on demand"]
fn two_control_planes_are_replaced_at_once_with_their_disks() {
    with(|cluster| {
        let voters = cluster.voters().unwrap();
        let watch = Stopwatch::start();
        for member in ["b", "c"] {
            let old = cluster.machine_of(member);
            cluster.lose(&old);
        }
        for member in ["b", "c"] {
            cluster.boot(Part::Member(member));
        }
        watch.until("the same three members serve", LONG, || same(cluster, &voters));
        cluster.whole(&watch, "whole, and the Nodes of the old machines are gone");
    });
}

#[test]
#[ignore = "takes minutes: on demand"]
fn all_control_planes_are_replaced_at_once() {
    with(|cluster| {
        let (old, voters) = (cluster.control_planes(), cluster.voters().unwrap());
        let watch = Stopwatch::start();
        for name in &old {
            cluster.lose(name);
        }
        for member in MEMBERS {
            cluster.boot(Part::Member(member));
        }
        watch.until("the same three members serve", LONG, || same(cluster, &voters));
        watch.until("the API answers through the balancer", LONG, || {
            cluster.lab.kubectl(&["get", "configmap", "proof"])
        });
        cluster.whole(&watch, "whole, and the old Nodes are gone");
    });
}

#[test]
#[ignore = "takes minutes: on demand"]
fn a_control_plane_that_lost_its_disk_is_a_new_member() {
    with(|cluster| {
        let (old, voters) = (cluster.machine_of("c"), cluster.voters().unwrap());
        let watch = Stopwatch::start();
        cluster.lose(&old);
        cluster.lose_volume("c");
        let new = cluster.boot(Part::Member("c"));
        watch.until("the member that is lost is removed, and another one added", LONG, || {
            told(cluster, &new, "adding this member as a learner")
        });
        let now = watch.until("three voters again", LONG, || cluster.voters());
        assert_eq!((now["a"], now["b"]), (voters["a"], voters["b"]));
        assert_ne!(now["c"], voters["c"], "a member must not come back without what it knew");
        cluster.whole(&watch, "whole");
    });
}

/// A member with an empty disk, and nobody to ask: it must not begin another cluster.
#[test]
#[ignore = "takes minutes: on demand"]
fn an_empty_disk_alone_waits_for_the_others() {
    with(|cluster| {
        for name in cluster.control_planes() {
            cluster.lose(&name);
        }
        cluster.lose_volume("a");
        let first = cluster.boot(Part::Member("a"));
        until("it knows that the cluster has served", LONG, || told(cluster, &first, "row 8"));
        kops_lab::never("etcd's manifest on a machine that must wait", 30, || {
            cluster.lab.exec(&first, &["test", "-e", "/etc/kubernetes/manifests/etcd.yaml"])
        });
        let watch = Stopwatch::start();
        for member in ["b", "c"] {
            cluster.boot(Part::Member(member));
        }
        cluster.whole(&watch, "whole, from when the others are there");
    });
}

#[test]
#[ignore = "takes minutes: on demand"]
fn all_machines_are_switched_off_and_on() {
    with(|cluster| {
        let (names, voters) = (cluster.names(), cluster.voters().unwrap());
        for name in &names {
            cluster.lab.kill(name);
        }
        let watch = Stopwatch::start();
        for name in &names {
            cluster.lab.start_again(name);
        }
        watch.until("the same three members serve", LONG, || same(cluster, &voters));
        cluster.whole(&watch, "whole");
        watch.until("the node's kubelet is heard of", LONG, || renewed(cluster));
    });
}

/// A running cluster needs no store; machines that come meanwhile wait for it, and join when it is back.
#[test]
#[ignore = "takes minutes: on demand"]
fn the_state_store_is_away_for_a_while() {
    // Longer than the first pauses of whoever tries again; an hour is no other than this.
    const AWAY: Duration = Duration::from_mins(5);
    with(|cluster| {
        cluster.lab.fault(Some(&Fault::Away));
        let away = Stopwatch::start();
        let old = cluster.machine_of("c");
        cluster.lab.kill(&old);
        cluster.lab.start_again(&old);
        let new = cluster.boot(Part::Node);
        away.until("a control plane that was switched off and on serves without the store", LONG, || {
            cluster.voters()
        });
        cluster.lab.kubectl(&["create", "configmap", "meanwhile"]).unwrap();
        cluster.lab.kubectl(&["delete", "configmap", "meanwhile"]).unwrap();
        away.sleep_until(AWAY);
        cluster.lab.fault(None);
        let watch = Stopwatch::start();
        cluster.whole(&watch, "whole with one node more, from when the store is back");
        retire(cluster, &new);
    });
}

/// A role that was just assigned takes minutes to work on some clouds.
#[test]
#[ignore = "takes minutes: on demand"]
fn the_identity_of_a_new_machine_is_denied_for_three_minutes() {
    const DENIED: Duration = Duration::from_mins(3);
    with(|cluster| {
        let (old, voters) = (cluster.machine_of("a"), cluster.voters().unwrap());
        cluster.lose(&old);
        let denied = Stopwatch::start();
        // The next machine's address is not known before it is booted; all others live without the store meanwhile.
        cluster.lab.fault(Some(&Fault::Denied));
        cluster.boot(Part::Member("a"));
        denied.sleep_until(DENIED);
        cluster.lab.fault(None);
        let watch = Stopwatch::start();
        watch.until("the same three members serve", LONG, || same(cluster, &voters));
        cluster.whole(&watch, "whole, from when the store answers");
    });
}

/// The power fails again and again while a control plane and a node boot for the first time.
#[test]
#[ignore = "takes half an hour: on demand"]
fn machines_are_cut_off_at_many_moments_of_their_first_boot() {
    const MOMENTS: u64 = 20;
    with(|cluster| {
        let old = cluster.machine_of("b");
        cluster.lose(&old);
        cluster.lose_volume("b");
        let (member, node) = (cluster.boot(Part::Member("b")), cluster.boot(Part::Node));
        for moment in 1..=MOMENTS {
            // 4, 8, 12 … seconds after it was switched on: from cloud-init to the API server.
            Stopwatch::start().sleep_until(Duration::from_secs(4 * moment));
            for name in [&member, &node] {
                eprintln!("{name}: cut off after {} s; last: {}", 4 * moment, cluster.last_words(name));
                cluster.lab.kill(name);
                cluster.lab.start_again(name);
            }
        }
        let watch = Stopwatch::start();
        cluster.whole(&watch, "whole with one node more, from the last power on");
        retire(cluster, &node);
    });
}

/// The members are those that they were, by their ids: nobody was removed or added.
fn same(cluster: &Cluster, voters: &std::collections::BTreeMap<String, u64>) -> Result<(), String> {
    let now = cluster.voters()?;
    if now == *voters { Ok(()) } else { Err(format!("{now:?}, not {voters:?}")) }
}

/// A machine has told of this.
fn told(cluster: &Cluster, name: &str, what: &str) -> Result<(), String> {
    let status = cluster.status(name).ok_or("it has told nothing yet")?;
    let found = status.events.iter().any(|it| it.what.contains(what));
    found.then_some(()).ok_or_else(|| format!("{name} has told {:?}", status.events))
}

/// A node's kubelet has renewed its lease since the machines were switched on.
fn renewed(cluster: &Cluster) -> Result<(), String> {
    let name = cluster.node();
    let status = cluster.status(&name).ok_or("it has told nothing yet")?;
    let path = "jsonpath={.spec.renewTime}";
    let renewed = cluster.lab.kubectl(&["-n", "kube-node-lease", "get", "lease", &name, "-o", path])?;
    let renewed: jiff::Timestamp = renewed.parse().map_err(|e: jiff::Error| e.to_string())?;
    if status.state == State::Joined && renewed > status.since {
        Ok(())
    } else {
        Err(format!("the lease of {name} was renewed {renewed}"))
    }
}

/// Takes a node away again.
fn retire(cluster: &mut Cluster, name: &str) {
    cluster.lose(name);
    cluster.whole(&Stopwatch::start(), "the Node of a machine that is gone is deleted");
}

//! The table in every situation that three members can be in.

use std::collections::BTreeSet;
use std::time::Duration;

use kops_node::etcd::{
    Began, ClusterId, Decision, Disk, Lease, Marker, Member, MemberId, Peer, Predecessor, Quorum, SILENCE,
    Situation, Start, Step, decide,
};

const OURS: ClusterId = ClusterId(1);
const OTHER: ClusterId = ClusterId(2);
const NAMES: [&str; 3] = ["a", "b", "c"];

fn url(name: &str) -> String {
    format!("https://{name}.etcd:2380")
}

fn pairs<A: Clone, B: Clone>(all: &[A], with: &[B]) -> Vec<(A, B)> {
    all.iter().flat_map(|a| with.iter().map(move |b| (a.clone(), b.clone()))).collect()
}

/// How a member may appear in the list.
const ENTRIES: [Option<(u64, bool, bool)>; 5] =
    // id offset, started, learner
    [
        None,
        Some((0, false, false)),
        Some((0, false, true)),
        Some((0, true, false)),
        Some((10, true, true)),
    ];

fn lists() -> Vec<Option<Quorum>> {
    let mut all = vec![None];
    for ((a, b), c) in pairs(&pairs(&ENTRIES, &ENTRIES), &ENTRIES) {
        let members = [a, b, c].into_iter().enumerate().filter_map(|(at, entry)| {
            let (offset, started, learner) = entry?;
            Some(Member {
                id: MemberId(at as u64 + offset),
                name: if started { NAMES[at].to_owned() } else { String::new() },
                peer_urls: vec![url(NAMES[at])],
                started,
                learner,
            })
        });
        all.push(Some(Quorum { cluster: OURS, members: members.collect() }));
    }
    all
}

/// Calls `check` with every situation of member `a`, and tells how many there were.
fn every(check: impl Fn(&Situation<'_>, &Decision)) -> u64 {
    let spec: Vec<Peer> = NAMES.iter().map(|it| Peer { name: (*it).to_owned(), url: url(it) }).collect();
    let disks = [
        Disk::Empty,
        Disk::Holds { member: MemberId(0), cluster: OURS },
        Disk::Holds { member: MemberId(7), cluster: OURS },
        Disk::Holds { member: MemberId(0), cluster: OTHER },
    ];
    let began = |disk: &str, new, id| Began { disk: disk.to_owned(), new, id };
    let records = [
        Began::default(),
        began("d", true, None),
        began("e", true, None),
        began("d", true, Some(MemberId(0))),
        began("e", false, Some(MemberId(0))),
    ];
    let answering: Vec<BTreeSet<MemberId>> =
        (0..8_u64).map(|bits| (0..3).filter(|at| bits >> at & 1 == 1).map(MemberId).collect()).collect();
    let silences =
        [Predecessor::Answers, Predecessor::Silent(SILENCE / 2), Predecessor::Silent(Duration::MAX)];
    let leases = [Lease::Free, Lease::Mine, Lease::Others, Lease::Unknown];
    let markers = [Marker::Absent, Marker::Present(OURS), Marker::Present(OTHER), Marker::Unknown];
    let mut count = 0;
    let here = pairs(&pairs(&disks, &records), &answering);
    let around = pairs(&pairs(&markers, &silences), &leases);
    for list in lists() {
        for ((disk, began), answering) in &here {
            for ((marker, predecessor), lease) in &around {
                for (running, heard) in [(false, false), (false, true), (true, false)] {
                    let situation = Situation {
                        me: "a",
                        spec: &spec,
                        disk: *disk,
                        disk_id: "d",
                        began,
                        running,
                        marker: *marker,
                        quorum: list.as_ref().filter(|_| !heard),
                        hearsay: list.as_ref().filter(|_| heard),
                        answering,
                        predecessor: *predecessor,
                        lease: *lease,
                        restore: None,
                    };
                    check(&situation, &decide(&situation));
                    count += 1;
                }
            }
        }
    }
    count
}

#[test]
fn rules_that_hold_in_every_situation() {
    let count = every(|now, Decision { step, .. }| {
        let held = matches!(now.disk, Disk::Holds { .. });
        match step {
            Step::Start(Start::New) | Step::Record(Began { new: true, id: None, .. }) => {
                assert!(now.marker == Marker::Absent && now.quorum.is_none() && !held, "{now:?}");
            }
            Step::Start(Start::WithData) => {
                assert!(held, "{now:?}");
                let Disk::Holds { cluster, .. } = now.disk else { return };
                assert!(now.marker == Marker::Absent || now.marker == Marker::Present(cluster), "{now:?}");
                assert!(*now.began == Began::default() || now.began.disk == "d", "{now:?}");
            }
            Step::Start(Start::Existing(list)) => {
                let known = now.quorum.or(now.hearsay).unwrap();
                let mine = now.entry(known).unwrap();
                assert!(!held && !now.began.may_have_run(mine, "d"), "{now:?}");
                assert_eq!(list.len(), known.members.len());
                assert!(list.contains(&("a".to_owned(), url("a"))), "{now:?}");
            }
            Step::Remove(id) => {
                let quorum = now.quorum.unwrap();
                assert_eq!(now.entry(quorum).map(|it| it.id), Some(*id), "only itself: {now:?}");
                let others: Vec<_> = quorum.members.iter().filter(|it| it.id != *id).collect();
                let healthy = others.iter().filter(|it| now.answering.contains(&it.id)).count();
                assert!(healthy > others.len() / 2, "{now:?}");
                assert!(others.iter().all(|it| it.started && !it.learner), "{now:?}");
                assert!(now.lease == Lease::Mine && !held, "{now:?}");
                assert!(now.predecessor >= Predecessor::Silent(SILENCE), "{now:?}");
            }
            Step::AddLearner => assert!(now.lease == Lease::Mine && now.quorum.is_some() && !held, "{now:?}"),
            Step::SetAside => {
                assert!(held && (now.marker != Marker::Unknown || now.quorum.is_some()), "{now:?}");
            }
            Step::CreateMarker(cluster) => {
                assert!(now.running && now.marker == Marker::Absent, "{now:?}");
                assert_eq!(*cluster, OURS);
            }
            Step::Serve => {
                let Disk::Holds { member, .. } = now.disk else { panic!("{now:?}") };
                let voter = now.quorum.unwrap().members.iter().find(|it| it.id == member).unwrap();
                assert!(now.running && now.marker == Marker::Present(OURS) && !voter.learner, "{now:?}");
            }
            Step::Stop(_) | Step::Restore(_) => panic!("with three members nobody gives up: {now:?}"),
            Step::Promote(_) | Step::Record(_) | Step::TakeLease | Step::Release | Step::Wait(_) => {}
        }
        if now.marker == Marker::Unknown && !now.running {
            assert!(matches!(step, Step::Wait(_)), "{now:?}");
        }
    });
    assert_eq!(count, 126 * 4 * 5 * 8 * 4 * 3 * 4 * 3);
}

#[test]
fn a_single_member_without_its_disk_needs_a_word_of_the_operator() {
    let spec = [Peer { name: "a".to_owned(), url: url("a") }];
    let mut now = Situation {
        me: "a",
        spec: &spec,
        disk: Disk::Empty,
        disk_id: "d",
        began: &Began::default(),
        running: false,
        marker: Marker::Present(OURS),
        quorum: None,
        hearsay: None,
        answering: &BTreeSet::new(),
        predecessor: Predecessor::Silent(Duration::MAX),
        lease: Lease::Free,
        restore: None,
    };
    assert!(matches!(decide(&now), Decision { row: 8, step: Step::Stop(_) }));
    now.restore = Some("backups/etcd/main/1");
    let first = Began { disk: "d".to_owned(), new: true, id: None };
    assert_eq!(
        decide(&now).step,
        Step::Record(first.clone()),
        "or else the restored data would be set aside"
    );
    now.began = &first;
    assert_eq!(decide(&now).step, Step::Restore("backups/etcd/main/1".to_owned()));
}

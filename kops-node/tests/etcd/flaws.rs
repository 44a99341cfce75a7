//! Tables with a flaw, each of which the simulation must find.

use kops_node::etcd::{Began, Decision, Disk, Marker, Situation, Start, Step, decide};

use super::world::Table;

/// What is wrong, the table, and the seed that the search begins with: some take a rare history.
pub(crate) const ALL: [(&str, Table, u64); 7] = [
    ("a denial by the store counts as absence", denial_is_absence, 0),
    ("an empty disk begins although the marker is there", alone_begins, 0),
    ("what never published its URLs is believed to have never run", list_is_believed, 0),
    ("a lost member comes back under its old id", old_id, 0),
    ("a member that lost its disk before the marker begins again", begins_again, 0),
    ("the API server starts before the marker", serves_without_marker, 0),
    ("whose data it is does not matter", foreign_data, 3200),
];

fn denial_is_absence(now: &Situation<'_>) -> Decision {
    if now.marker != Marker::Unknown {
        return decide(now);
    }
    // The record is denied as well, and taken for absent.
    let began = Began { disk: now.disk_id.to_owned(), new: true, id: None };
    decide(&Situation { marker: Marker::Absent, began: &began, ..now.clone() })
}

fn alone_begins(now: &Situation<'_>) -> Decision {
    match decide(now) {
        Decision { row: 8, .. } => Decision { row: 1, step: Step::Start(Start::New) },
        decision => decision,
    }
}

fn list_is_believed(now: &Situation<'_>) -> Decision {
    let began = Began { disk: now.disk_id.to_owned(), ..now.began.clone() };
    let began = if *now.began == Began::default() { now.began.clone() } else { began };
    decide(&Situation { began: &began, ..now.clone() })
}

fn old_id(now: &Situation<'_>) -> Decision {
    match (decide(now), now.quorum) {
        (Decision { row: 7, .. }, Some(quorum)) => {
            let list = quorum.members.iter().map(|it| (it.name.clone(), it.peer_urls[0].clone())).collect();
            Decision { row: 7, step: Step::Start(Start::Existing(list)) }
        }
        (decision, _) => decision,
    }
}

fn begins_again(now: &Situation<'_>) -> Decision {
    if now.disk == Disk::Empty && now.marker == Marker::Absent && now.quorum.is_none() && !now.running {
        return Decision { row: 1, step: Step::Start(Start::New) };
    }
    decide(now)
}

fn serves_without_marker(now: &Situation<'_>) -> Decision {
    match decide(now) {
        Decision { row, step: Step::CreateMarker(_) } => Decision { row, step: Step::Serve },
        decision => decision,
    }
}

fn foreign_data(now: &Situation<'_>) -> Decision {
    let marker = match (now.marker, now.disk) {
        (Marker::Present(_), Disk::Holds { cluster, .. }) => Marker::Present(cluster),
        (marker, _) => marker,
    };
    decide(&Situation { marker, ..now.clone() })
}

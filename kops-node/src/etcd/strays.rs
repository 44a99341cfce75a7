//! Members that are no longer specified.

use std::collections::BTreeSet;

use super::{Member, MemberId, Peer, Quorum};

/// The member that may be removed: it is not specified, it does not respond, and all specified members are
/// voters that do. So a cluster never becomes smaller than specified, and two changes never overlap.
pub fn stray<'a>(quorum: &'a Quorum, spec: &[Peer], answering: &BTreeSet<MemberId>) -> Option<&'a Member> {
    let named =
        |it: &Member| spec.iter().any(|peer| it.name == peer.name || it.peer_urls.contains(&peer.url));
    let (wanted, others): (Vec<_>, Vec<_>) = quorum.members.iter().partition(|it| named(it));
    let healthy = |it: &&Member| it.started && !it.learner && answering.contains(&it.id);
    let whole = wanted.len() == spec.len() && wanted.iter().all(healthy);
    others.into_iter().find(|it| whole && !answering.contains(&it.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::ClusterId;

    fn member(id: u64, name: &str) -> Member {
        let peer_urls = vec![format!("https://{name}")];
        Member { id: MemberId(id), name: name.to_owned(), peer_urls, started: true, learner: false }
    }

    fn found(members: &[Member], spec: &[&str], answering: &[u64]) -> Option<u64> {
        let spec: Vec<_> =
            spec.iter().map(|it| Peer { name: (*it).to_owned(), url: format!("https://{it}") }).collect();
        let quorum = Quorum { cluster: ClusterId(1), members: members.to_vec() };
        let answering = answering.iter().map(|it| MemberId(*it)).collect();
        stray(&quorum, &spec, &answering).map(|it| it.id.0)
    }

    #[test]
    fn only_what_is_not_named_and_silent_and_only_when_the_rest_is_whole() {
        let all = [member(1, "a"), member(2, "b"), member(3, "c"), member(4, "d")];
        let spec = ["a", "b", "c"];
        assert_eq!(found(&all, &spec, &[1, 2, 3]), Some(4));
        assert_eq!(found(&all, &spec, &[1, 2, 3, 4]), None, "it still runs");
        assert_eq!(found(&all, &spec, &[1, 2]), None, "c is away");
        assert_eq!(found(&all[1..], &spec, &[2, 3]), None, "a is missing: its own machine adds it first");
        assert_eq!(found(&all[..3], &spec, &[1, 2]), None, "all are named");
        let mut learner = all.to_vec();
        learner[2].learner = true;
        assert_eq!(found(&learner, &spec, &[1, 2, 3]), None);
    }
}

//! Ownership tags.
//!
//! | objects | where |
//! |---|---|
//! | of Networking and of load balancing | tags: `KubernetesCluster=<scope>`, `kops.k8s.io/task=<task>`, `kops.k8s.io/lifecycle=retained`, `kops.k8s.io/within=<place>`, and a label `key=value` each; and the [`Mark`] in the description, which the creating call sets in every release |
//! | servers and volumes | metadata: `KubernetesCluster`, `KopsTask`, `KopsLifecycle`, `KopsWithin`, and labels |
//! | zones and record sets | the [`Mark`] in the description; with the region, since DNS may be one for several |
//! | server groups | the [`Mark`] as their name: they have nothing else |
//! | key pairs | the [`Mark`] as the comment of the key |
//!
//! If the description of a network is changed in a dashboard, the network is still owned by the scope: either
//! of the two is enough. An object of another project is never owned, whatever its mark.

use std::collections::BTreeMap;

use kops_core::Result;
use kops_core::cloud::{Adopt, Create, Mark, MarkTags, Object, Scope};

pub(crate) const CLUSTER: &str = "KubernetesCluster";
const TAGS: MarkTags = MarkTags {
    scope: CLUSTER,
    place: "kops.k8s.io/within",
    region: "kops.k8s.io/region",
    task: "kops.k8s.io/task",
    lifecycle: "kops.k8s.io/lifecycle",
};
/// Keys of Compute's metadata cannot contain slashes.
const METADATA: MarkTags = MarkTags {
    scope: CLUSTER,
    place: "KopsWithin",
    region: "KopsRegion",
    task: "KopsTask",
    lifecycle: "KopsLifecycle",
};

/// Tags of the form `key=value`, in addition to the ownership tags; others are left alone.
pub type Tags = BTreeMap<String, String>;
/// Metadata in addition to the ownership metadata.
pub type Metadata = BTreeMap<String, String>;

/// The tags of an object with this mark: its present tags, and additional ones.
pub(crate) fn with_mark(mark: &Mark, further: &Tags, present: &[String]) -> Vec<String> {
    let mut wanted = further.clone();
    TAGS.write(mark, &mut wanted);
    let key = |tag: &str| tag.split_once('=').map(|(key, _)| key.to_owned());
    let kept = present.iter().filter(|tag| key(tag).is_none_or(|key| !wanted.contains_key(&key))).cloned();
    kept.chain(wanted.iter().map(|(key, value)| format!("{key}={value}"))).collect()
}

/// The mark in tags and a description.
pub(crate) fn mark(scope: &Scope, tags: &[String], description: Option<&str>) -> Option<Mark> {
    TAGS.read(scope, &pairs(tags)).or_else(|| Mark::read(scope, description?))
}

/// The other scope whose mark is in tags or a description.
pub(crate) fn other(scope: &Scope, tags: &[String], description: Option<&str>) -> Option<Scope> {
    match mark(scope, tags, description) {
        Some(_) => None,
        None => TAGS.other(scope, &pairs(tags)).or_else(|| Mark::other(scope, description?)),
    }
}

/// The tags of the form `key=value`, without ownership tags: the part that is compared with a specification.
pub(crate) fn further(tags: &[String]) -> Tags {
    let mut further = pairs(tags);
    further.retain(|key, _| key == CLUSTER || !TAGS.has(key));
    further
}

fn pairs(tags: &[String]) -> Tags {
    let pairs = tags.iter().filter_map(|tag| tag.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// An object with this mark, or a foreign one.
pub(crate) fn object<S>(mark: Option<Mark>, id: impl Into<String>, spec: S) -> Object<S> {
    match mark {
        Some(mark) => mark.object(id, spec),
        None => Object::foreign(id, spec),
    }
}

/// The metadata of a new server or volume.
pub(crate) fn metadata<S>(request: &Create<'_, S>, further: &Metadata) -> Metadata {
    let mut metadata = further.clone();
    METADATA.write(&Mark::of_new(request), &mut metadata);
    metadata
}

/// The metadata that marks an object to adopt, which has the metadata `present`.
///
/// # Errors
/// `Conflict` if another scope owns it.
pub(crate) fn metadata_of_adopted<S>(request: &Adopt<'_, S>, present: &Metadata) -> Result<Metadata> {
    let mut metadata = Metadata::new();
    METADATA.write(&request.mark(other_of_metadata(request.scope, present))?, &mut metadata);
    Ok(metadata)
}

/// The other scope that metadata names.
pub(crate) fn other_of_metadata(scope: &Scope, metadata: &Metadata) -> Option<Scope> {
    METADATA.other(scope, metadata)
}

/// The mark in metadata.
pub(crate) fn mark_of_metadata(scope: &Scope, metadata: &Metadata) -> Option<Mark> {
    METADATA.read(scope, metadata)
}

/// Without the ownership metadata.
pub(crate) fn further_metadata(metadata: &Metadata) -> Metadata {
    let mut further = metadata.clone();
    further.retain(|key, _| !METADATA.has(key));
    further
}

/// A label's key as a key of metadata: letters, digits, `-_:.` and spaces.
/// <https://docs.openstack.org/api-ref/compute/#create-server>
pub(crate) fn metadata_key(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() || "-_:. ".contains(c) { c } else { '_' }).collect()
}

/// A label's key as a key of a volume's metadata, which may contain slashes.
pub(crate) fn volume_key(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() || "-_:. /".contains(c) { c } else { '_' }).collect()
}

/// The key of metadata that marks a detached machine: it has given up its slot.
pub(crate) const DETACHED: &str = "KopsDetached";
/// The key of metadata with the task of a server.
pub(crate) const SERVER_TASK: &str = METADATA.task;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_descriptions_say_the_same() {
        let scope = Scope::new("ha.example.com");
        for retained in [false, true] {
            let mut mark = Mark::new(&scope, "a.b");
            mark.retained = retained;
            let more = Tags::from([("team".to_owned(), "x".to_owned())]);
            let tags = with_mark(&mark, &more, &["plain".to_owned(), "team=y".to_owned()]);
            assert!(tags.contains(&"plain".to_owned()) && !tags.contains(&"team=y".to_owned()));
            assert_eq!(super::mark(&scope, &tags, None), Some(mark.clone()));
            assert_eq!(super::mark(&scope, &[], Some(&mark.text())), Some(mark));
            assert_eq!(further(&tags).get("team").map(String::as_str), Some("x"));
            assert_eq!(further(&tags).get(CLUSTER), Some(&"ha.example.com".to_owned()));
            assert_eq!(further(&tags).len(), 2);
        }
        let theirs = Some("kops cluster=ha.example.com task=a");
        assert_eq!(super::mark(&Scope::new("example.com"), &[], theirs), None);
        assert_eq!(other(&Scope::new("example.com"), &[], theirs), Some(scope));
    }

    #[test]
    fn what_another_scope_owns_is_not_adopted() {
        let (scope, cx) = (Scope::new("ha.example.com").within("eu"), kops_core::cloud::Context::default());
        let object = Object::foreign("id", ());
        let request = Adopt::new(&scope, "a", &object, false, &cx);
        let mark = request.mark(None).unwrap();
        let tags = with_mark(&mark, &Tags::new(), &["team=x".to_owned()]);
        assert_eq!(super::mark(&scope, &tags, None), Some(mark));
        assert_eq!(other(&scope, &tags, None), None);
        // Another place is another scope.
        let elsewhere = Scope::new("ha.example.com");
        assert_eq!(other(&elsewhere, &tags, None), Some(scope.clone()));
        let metadata = metadata_of_adopted(&request, &Metadata::new()).unwrap();
        let request = Adopt::new(&elsewhere, "a", &object, false, &cx);
        let error = metadata_of_adopted(&request, &metadata).unwrap_err();
        assert_eq!(error.kind(), kops_core::ErrorKind::Conflict);
        assert!(error.to_string().contains("belongs to scope ha.example.com within eu"), "{error}");
    }
}

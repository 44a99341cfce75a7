//! Ownership tags.
//!
//! The tags are kOps' own, known to its tools, the cloud controllers and users, plus one for the task that an
//! object was created for:
//!
//! | tag | meaning |
//! |---|---|
//! | `KubernetesCluster=<scope>` | the owning scope; listings filter by this tag |
//! | `kubernetes.io/cluster/<scope>=owned` | it is deleted with the cluster, unlike `shared` |
//! | `Name=<task>` | the task, for users; may be changed by hand |
//! | `kops.k8s.io/task=<task>` | the task; takes precedence over `Name` |
//! | `kops.k8s.io/lifecycle=retained` | it is never deleted |
//! | `kops.k8s.io/within=<place>` | the place of the scope, if it has one |
//! | `kops.k8s.io/region=<region>` | on objects of IAM: the scope's region |
//!
//! An object is owned by the scope if it carries the first two tags and its task is known. Objects created by
//! kOps lack the fourth; their task is known if their `Name` ends with the scope's name. Objects created by
//! controllers inside the cluster (for example volumes of the EBS driver) carry the first two tags as well,
//! but neither of the others: they belong to their controller.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagDescription, TagSpecification};
use kops_core::Result;
use kops_core::cloud::{Adopt, Context, Create, Mark, MarkTags, Object, Owner, Scope};

use crate::clients::Clients;

/// The tag with the cluster's name. kOps, and the cloud controllers of Kubernetes before 1.6, look for it;
/// EC2 listings filter by it, and IAM policies use it.
pub(crate) const CLUSTER: &str = "KubernetesCluster";
const NAME: &str = "Name";
/// On machines of instance groups, their disks and interfaces: the group.
const INSTANCE_GROUP: &str = "kops.k8s.io/instancegroup";
const TASK: &str = "kops.k8s.io/task";
const LIFECYCLE: &str = "kops.k8s.io/lifecycle";
const PLACE: &str = "kops.k8s.io/within";
const REGION: &str = "kops.k8s.io/region";
const MARK: MarkTags =
    MarkTags { scope: CLUSTER, place: PLACE, region: REGION, task: TASK, lifecycle: LIFECYCLE };

/// Tags by their keys.
pub(crate) type Tags = BTreeMap<String, String>;

/// The tag with the cluster's name.
pub(crate) fn cluster(name: &str) -> Tag {
    tag(CLUSTER, name)
}

/// The tags of a new object: ownership tags, the scope's labels and additional ones of its kind.
pub(crate) fn of_new<S>(request: &Create<'_, S>, further: &Tags) -> Tags {
    let mut tags = request.scope.extra_labels().clone();
    tags.extend(further.clone());
    tags.extend(marks(request.scope, request.name, request.retained));
    tags
}

/// An object with these tags: its owner and task, in state ready by default.
pub(crate) fn object<S>(scope: &Scope, id: &str, tags: &Tags, spec: S) -> Object<S> {
    let name = task(scope, tags);
    let owner = if name.is_some() { Owner::Scope } else { Owner::Other };
    let retained = is_retained(tags);
    let object = Object::foreign(id, spec).name(name.map(str::to_owned)).owner(owner).retained(retained);
    object.held_by(MARK.other(scope, tags))
}

/// Whether an object with these tags, and what is inside it, is retained: never deleted.
pub(crate) fn is_retained(tags: &Tags) -> bool {
    MARK.is_retained(tags)
}

/// The task of an object with these tags; `None` if it is not the scope's.
pub(crate) fn task<'a>(scope: &Scope, tags: &'a Tags) -> Option<&'a str> {
    let owned = tags.get(&owned(scope.name())).is_some_and(|it| it == "owned");
    if !owned || !MARK.is_of(scope, tags) {
        return None;
    }
    let scope = scope.name();
    let by_kops =
        |name: &&String| name.strip_suffix(scope).is_some_and(|it| it.is_empty() || it.ends_with('.'));
    tags.get(TASK).or_else(|| tags.get(NAME).filter(by_kops)).map(String::as_str)
}

/// The name of an object that a controller of a cluster has created, which carries the cluster's tag but no
/// task's; `None` for others, for machines of groups and for their disks.
pub(crate) fn dependent<'a>(scope: &Scope, tags: &'a Tags, id: &'a str) -> Option<&'a str> {
    let owned = tags.get(&owned(scope.name())).is_some_and(|it| it == "owned");
    let another = tags.get(CLUSTER).is_some_and(|it| it != scope.name());
    // A marked object is a scope's: this one's, or that of one of the same name in another place or region. With a place,
    // two scopes of the same name could be meant.
    let marked = tags.contains_key(TASK) || tags.contains_key(PLACE) || task(scope, tags).is_some();
    if !owned || another || scope.place().is_some() || is_machines(tags) || marked {
        return None;
    }
    Some(tags.get(NAME).map_or(id, String::as_str))
}

/// Marks an object as one that a controller of the cluster has created, if it is.
pub(crate) fn with_dependents<S>(scope: &Scope, tags: &Tags, object: Object<S>) -> Object<S> {
    match dependent(scope, tags, &object.id) {
        Some(name) => {
            let name = name.to_owned();
            object.name(name).owner(Owner::Scope).dependent("a controller of the cluster".to_owned())
        }
        None => object,
    }
}

/// The tag of objects that a controller of the cluster has created.
pub(crate) fn of_dependent(scope: &Scope) -> Tags {
    Tags::from([(owned(scope.name()), "owned".to_owned())])
}

/// Whether a machine with these tags is a group's or a task's of the scope, and goes with it.
pub(crate) fn is_machine_of(scope: &Scope, tags: &Tags) -> bool {
    let of_scope = tags.get(CLUSTER).is_some_and(|it| it == scope.name());
    of_scope && (task(scope, tags).is_some() || is_machines(tags))
}

/// The filter of EC2's listings for objects that controllers of a cluster have created.
pub(crate) fn filter_dependents(scope: &Scope) -> Filter {
    Filter::builder().name(format!("tag:{}", owned(scope.name()))).values("owned").build()
}

/// Whether these are the tags of a group's machines and their parts: such objects go with their machine.
fn is_machines(tags: &Tags) -> bool {
    tags.keys().any(|key| key.starts_with("aws:autoscaling:") || key.starts_with("aws:ec2launchtemplate:"))
        || tags.contains_key(INSTANCE_GROUP)
}

/// Whether an object with these tags names its task explicitly, rather than by its `Name`: machines of a
/// group, and their disks, are named after the group.
pub(crate) fn says_task(tags: &Tags) -> bool {
    tags.contains_key(TASK)
}

/// Whether a tag is about the one object that carries it, and must not be copied to machines and their disks.
pub(crate) fn is_about_one(key: &str) -> bool {
    [TASK, LIFECYCLE].contains(&key)
}

/// The tags of a group's machines and their disks: the cluster's, but no task's.
pub(crate) fn of_machines(scope: &Scope, group: &str, further: &Tags) -> Tags {
    let mut tags = scope.extra_labels().clone();
    tags.extend(further.clone());
    tags.insert(CLUSTER.to_owned(), scope.name().to_owned());
    tags.extend(scope.place().map(|place| (PLACE.to_owned(), place.to_owned())));
    tags.insert(owned(scope.name()), "owned".to_owned());
    tags.insert(NAME.to_owned(), group.to_owned());
    tags
}

/// Without the tags that are about one object only.
pub(crate) fn without_task(tags: &Tags) -> Tags {
    tags.iter()
        .filter(|(key, _)| !is_about_one(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Without the ownership tags and AWS's own: the part that is compared with a specification.
pub(crate) fn further(tags: &Tags) -> Tags {
    let ours = |key: &str| {
        MARK.has(key) || key == NAME || key.starts_with("kubernetes.io/cluster/") || key.starts_with("aws:")
    };
    tags.iter().filter(|(key, _)| !ours(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags from EC2's form.
pub(crate) fn read(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}

/// Tags for a creating call of EC2.
pub(crate) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(ec2(tags))).build()
}

/// The filter of EC2's listings for what may be a scope's.
pub(crate) fn filter(scope: &Scope) -> Filter {
    Filter::builder().name(format!("tag:{CLUSTER}")).values(scope.name()).build()
}

/// The filter of EC2's listings for objects that name their task explicitly; their owner must still be
/// checked.
pub(crate) fn filter_tasks() -> Filter {
    Filter::builder().name("tag-key").values(TASK).build()
}

/// Sets tags of an EC2 object; other tags are kept.
pub(crate) async fn set(clients: &Clients, cx: &Context, id: &str, tags: &Tags) -> Result<()> {
    let request = clients.ec2.create_tags().resources(id).set_tags(Some(ec2(tags)));
    clients.call(cx, "ec2:CreateTags", request.send()).await?;
    Ok(())
}

/// Marks an EC2 object as the scope's; used for adopting objects of all kinds with tags.
pub(crate) async fn adopt<S: Clone + Sync>(clients: &Clients, request: &Adopt<'_, S>) -> Result<Object<S>> {
    let Adopt { scope, name, object, retained, cx, .. } = *request;
    if object.owner != Owner::Scope {
        let of_object = Filter::builder().name("resource-id").values(&object.id).build();
        let call = clients.ec2.describe_tags().filters(of_object);
        let found = clients.call(cx, "ec2:DescribeTags", call.send()).await?;
        let pair = |tag: &TagDescription| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
        let found: Tags = found.tags().iter().filter_map(pair).collect();
        request.mark(MARK.other(scope, &found))?;
    }
    set(clients, cx, &object.id, &marks(scope, name, retained)).await?;
    Ok(request.adopted())
}

/// The tags of the mark.
pub(crate) fn marks(scope: &Scope, task: &str, retained: bool) -> Tags {
    let mut tags = Tags::new();
    let mut mark = Mark::new(scope, task);
    mark.retained = retained;
    MARK.write(&mark, &mut tags);
    tags.insert(owned(scope.name()), "owned".to_owned());
    tags.insert(NAME.to_owned(), task.to_owned());
    tags
}

/// Tags in EC2's form.
pub(crate) fn ec2(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| tag(key, value)).collect()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn owned(scope: &str) -> String {
    format!("kubernetes.io/cluster/{scope}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    const OWNED: [(&str, &str); 2] =
        [(CLUSTER, "ha.example.com"), ("kubernetes.io/cluster/ha.example.com", "owned")];

    fn task_of(more: &[(&str, &str)]) -> Option<String> {
        let all: Vec<_> = OWNED.iter().chain(more).copied().collect();
        task(&Scope::new("ha.example.com"), &tags(&all)).map(str::to_owned)
    }

    #[test]
    fn what_we_make_is_known_again() {
        let scope = Scope::new("ha.example.com").labels(tags(&[("team", "a")]));
        let cx = Context::default();
        let request = Create::new(&scope, "b.ha.example.com", &(), "", &cx).retained(true);
        let made = of_new(&request, &tags(&[("role", "x")]));
        let object = object(&scope, "id", &made, ());
        assert_eq!((object.name.as_deref(), object.owner), (Some("b.ha.example.com"), Owner::Scope));
        assert!(object.retained);
        assert_eq!(further(&made), tags(&[("role", "x"), ("team", "a")]));
    }

    #[test]
    fn what_is_adopted_is_known_again() {
        let scope = Scope::new("ha.example.com");
        let mut theirs = tags(&[(NAME, "something of theirs"), ("team", "b")]);
        assert_eq!(object(&scope, "id", &theirs, ()).owner, Owner::Other);
        theirs.extend(marks(&scope, "b.ha.example.com", false));
        let ours = object(&scope, "id", &theirs, ());
        assert_eq!((ours.name.as_deref(), ours.owner), (Some("b.ha.example.com"), Owner::Scope));
        assert_eq!(further(&theirs), tags(&[("team", "b")]));
    }

    #[test]
    fn a_scope_of_the_same_name_in_another_place_is_another() {
        let (eu, cx) = (Scope::new("ha.example.com").within("eu"), Context::default());
        let request = Create::new(&eu, "b.eu", &(), "", &cx);
        let made = of_new(&request, &Tags::new());
        assert_eq!(task(&eu, &made), Some("b.eu"));
        for other in [Scope::new("ha.example.com"), Scope::new("ha.example.com").within("us"), eu.at("x")] {
            assert_eq!(task(&other, &made), None, "{other}");
        }
        // The tags of machines contain the place, and so do those of their templates.
        assert_eq!(of_machines(&eu, "nodes", &Tags::new())[PLACE], "eu");
        assert!(further(&made).is_empty());
    }

    #[test]
    fn a_renamed_object_keeps_its_task() {
        let renamed = [(NAME, "something"), (TASK, "b.ha.example.com")];
        assert_eq!(task_of(&renamed).as_deref(), Some("b.ha.example.com"));
    }

    #[test]
    fn what_kops_made_is_known_by_its_name() {
        assert_eq!(task_of(&[(NAME, "b.ha.example.com")]).as_deref(), Some("b.ha.example.com"));
        assert_eq!(task_of(&[(NAME, "ha.example.com")]).as_deref(), Some("ha.example.com"));
    }

    #[test]
    fn what_controllers_made_is_not_ours() {
        assert_eq!(task_of(&[(NAME, "ha.example.com-dynamic-pvc-1")]), None);
        assert_eq!(task_of(&[(NAME, "bha.example.com")]), None);
        assert_eq!(task_of(&[]), None);
    }

    #[test]
    fn what_controllers_made_is_told_from_machines_and_from_others() {
        let scope = Scope::new("ha.example.com");
        let is = |more: &[(&str, &str)]| {
            let all: Vec<_> = OWNED[1..].iter().chain(more).copied().collect();
            dependent(&scope, &tags(&all), "id").map(str::to_owned)
        };
        assert_eq!(is(&[]).as_deref(), Some("id"));
        assert_eq!(is(&[OWNED[0], (NAME, "pvc-1")]).as_deref(), Some("pvc-1"));
        // A task's, a machine's, another cluster's.
        assert_eq!(is(&[OWNED[0], (TASK, "b.ha.example.com")]), None);
        assert_eq!(is(&[(INSTANCE_GROUP, "nodes")]), None);
        // A task's of a scope of the same name in another place.
        assert_eq!(is(&[OWNED[0], (NAME, "b.eu"), (PLACE, "eu")]), None);
        assert_eq!(is(&[OWNED[0], (TASK, "b.eu"), (PLACE, "eu")]), None);
        assert_eq!(is(&[("aws:ec2launchtemplate:id", "lt-1")]), None);
        assert_eq!(is(&[(CLUSTER, "ha.example.com.au")]), None);
        let of = |key: &str, value: &str| dependent(&scope, &tags(&[(key, value)]), "id").is_some();
        assert!(!of("kubernetes.io/cluster/ha.example.com", "shared"));
        assert!(!of("kubernetes.io/cluster/b.ha.example.com", "owned"));
        assert!(!of("kubernetes.io/cluster/ha.example.com.au", "owned"));
        assert!(!of("kubernetes.io/cluster/a.example.com", "owned"));
    }

    #[test]
    fn shared_and_sibling_objects_are_not_ours() {
        let scope = Scope::new("ha.example.com");
        let shared = [OWNED[0], ("kubernetes.io/cluster/ha.example.com", "shared"), (TASK, "ha.example.com")];
        assert_eq!(task(&scope, &tags(&shared)), None);
        let sibling = [
            (CLUSTER, "ha.example.com.au"),
            ("kubernetes.io/cluster/ha.example.com.au", "owned"),
            (NAME, "nodes.ha.example.com.au"),
        ];
        assert_eq!(task(&scope, &tags(&sibling)), None);
    }
}

//! Ownership tags.
//!
//! The tags are kOps' own for Azure, where names of tags cannot contain `<>%&\?/`: slashes become
//! underscores.
//!
//! | tag | meaning |
//! |---|---|
//! | `KubernetesCluster=<scope>` | the owning scope |
//! | `kubernetes.io_cluster_<scope>=owned` | the same, for etcd-manager, which looks disks up by it |
//! | `kops.k8s.io_task=<task>` | the task it was created for |
//! | `kops.k8s.io_lifecycle=retained` | it is never deleted |
//! | `kops.k8s.io_region=<region>` | the scope's region |
//! | `kops.k8s.io_within=<place>` | the place of the scope, if it has one |
//! | `kops.k8s.io_own_named=<name>` | on adopted objects, whose names are not derived from their tasks' |
//!
//! An object is owned by the scope if it carries the first and the third tag, and those of its region and place.
//! Objects created by kOps carry the first only; they are recognised by their name, which ends with the scope's.
//! Objects created by controllers in the cluster carry none. Azure compares names of tags case-insensitively and
//! allows at most 50 of them, with values of 256 characters
//! (<https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/tag-resources>).

use std::collections::BTreeMap;

use kops_core::Result;
use kops_core::cloud::{Adopt, Create, Mark, MarkTags, Object, Owner, Scope};
use serde_json::Value;

/// The tag with the cluster's name, as in kOps.
pub(crate) const CLUSTER: &str = "KubernetesCluster";
const OWNED: &str = "kubernetes.io_cluster_";
const TASK: &str = "kops.k8s.io_task";
const LIFECYCLE: &str = "kops.k8s.io_lifecycle";
const PLACE: &str = "kops.k8s.io_within";
const REGION: &str = "kops.k8s.io_region";
const MARK: MarkTags =
    MarkTags { scope: CLUSTER, place: PLACE, region: REGION, task: TASK, lifecycle: LIFECYCLE };
/// The tag with the name of an adopted object: what inherits its tags has another name.
const NAMED: &str = "kops.k8s.io_own_named";
/// The prefix of tags in which a kind stores data of its own.
pub(crate) const OWN: &str = "kops.k8s.io_own_";

/// Tags by their names.
pub(crate) type Tags = BTreeMap<String, String>;

/// The name of a label in Azure's form.
pub(crate) fn name(label: &str) -> String {
    label.chars().map(|c| if "<>%&\\?/".contains(c) || c.is_control() { '_' } else { c }).collect()
}

/// The tags of a new object: ownership tags, the scope's labels and additional ones of its kind.
pub(crate) fn of_new<S>(request: &Create<'_, S>, further: &Tags) -> Tags {
    of(request.scope, &Mark::of_new(request), further)
}

/// The tags of an object that was created for a task.
pub(crate) fn of(scope: &Scope, mark: &Mark, further: &Tags) -> Tags {
    let mut tags: Tags =
        scope.extra_labels().iter().map(|(label, value)| (name(label), value.clone())).collect();
    tags.extend(further.clone());
    MARK.write(mark, &mut tags);
    tags.insert(format!("{OWNED}{}", name(scope.name())), "owned".to_owned());
    tags
}

/// The task of an object called `called` with these tags; `None` if it is not the scope's.
pub(crate) fn task<'a>(scope: &Scope, called: &'a str, tags: &'a Tags) -> Option<&'a str> {
    if let Some(task) = tags.get(TASK) {
        return MARK.is_of(scope, tags).then_some(task.as_str());
    }
    // kOps' names are unique across regions, because a cluster is in one.
    let by_kops = scope.place().is_none()
        && tags.get(CLUSTER).is_some_and(|cluster| cluster == scope.name())
        && ![PLACE, REGION].iter().any(|key| tags.contains_key(*key));
    (by_kops && crate::names::may_belong(called, scope.name())).then_some(called)
}

/// Whether tags are those of an adopted object of this name.
pub(crate) fn is_adopted(tags: &Tags, called: &str) -> bool {
    tags.get(NAMED).is_some_and(|name| name.eq_ignore_ascii_case(called))
}

/// The tags that mark an object to adopt, which is called `called` and has the tags `present`.
///
/// # Errors
/// `Conflict` if another scope owns it.
pub(crate) fn of_adopted<S>(request: &Adopt<'_, S>, called: &str, present: &Tags) -> Result<Tags> {
    let scope = request.scope;
    let mark = request.mark(MARK.other(scope, present))?;
    let mut tags = of(&scope.clone().labels(Tags::new()), &mark, &Tags::new());
    tags.insert(NAMED.to_owned(), called.to_owned());
    Ok(tags)
}

/// Whether tags contain the scope's cluster, in any place and region.
pub(crate) fn names_cluster(tags: &Tags, scope: &Scope) -> bool {
    tags.get(CLUSTER).is_some_and(|cluster| cluster == scope.name())
}

/// Whether an object with these tags is retained: never deleted.
pub(crate) fn is_retained(tags: &Tags) -> bool {
    MARK.is_retained(tags)
}

/// An object that is called `called` and has these tags, with its owner and task.
pub(crate) fn object<S>(scope: &Scope, id: &str, called: &str, tags: &Tags, spec: S) -> Object<S> {
    let name = task(scope, called, tags).map(str::to_owned);
    let owner = if name.is_some() { Owner::Scope } else { Owner::Other };
    let object = Object::foreign(id, spec).name(name).owner(owner).retained(is_retained(tags));
    object.held_by(MARK.other(scope, tags).filter(|_| owner == Owner::Other))
}

/// Without the ownership tags: the part that is compared with a specification.
pub(crate) fn further(tags: &Tags) -> Tags {
    let ours = |tag: &str| MARK.has(tag) || tag.starts_with(OWN) || tag.starts_with(OWNED);
    tags.iter().filter(|(tag, _)| !ours(tag)).map(|(tag, value)| (tag.clone(), value.clone())).collect()
}

/// Tags from Azure's form.
pub(crate) fn read(tags: Option<&Value>) -> Tags {
    let Some(Value::Object(members)) = tags else { return Tags::new() };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    members.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Tags in Azure's form.
pub(crate) fn write(tags: &Tags) -> Value {
    let members = tags.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
    Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kops_core::cloud::Context;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_we_make_is_known_again() {
        let scope = Scope::new("ha.example.com").labels(tags(&[("team/x", "a")]));
        let cx = Context::default();
        let request = Create::new(&scope, "b.ha.example.com", &(), "", &cx).retained(true);
        let made = of_new(&request, &tags(&[("role", "x")]));
        let made = read(Some(&write(&made)));
        let object = object(&scope, "id", "b", &made, ());
        assert_eq!((object.name.as_deref(), object.owner), (Some("b.ha.example.com"), Owner::Scope));
        assert!(object.retained);
        assert_eq!(further(&made), tags(&[("role", "x"), ("team_x", "a")]));
    }

    #[test]
    fn a_scope_of_the_same_name_elsewhere_is_another() {
        let (scope, cx) = (Scope::new("ha.example.com").at("eastus"), Context::default());
        let request = Create::new(&scope, "b", &(), "", &cx);
        let made = of_new(&request, &Tags::new());
        assert_eq!(task(&scope, "b", &made), Some("b"));
        for other in [scope.at("westus"), scope.at(""), scope.clone().within("eu")] {
            assert_eq!(task(&other, "b.ha.example.com", &made), None, "{other}");
        }
    }

    #[test]
    fn what_is_adopted_is_known_again_and_nobody_elses() {
        let (scope, cx) = (Scope::new("ha.example.com").at("eastus"), Context::default());
        let mut theirs = tags(&[("team", "b")]);
        let found = object(&scope, "id", "by-hand", &theirs, ());
        assert_eq!((found.owner, &found.unadoptable), (Owner::Other, &None));
        theirs.extend(of_adopted(&Adopt::new(&scope, "b", &found, false, &cx), "by-hand", &theirs).unwrap());
        let ours = object(&scope, "id", "by-hand", &theirs, ());
        assert_eq!((ours.name.as_deref(), ours.owner, ours.unadoptable), (Some("b"), Owner::Scope, None));
        assert_eq!(further(&theirs), tags(&[("team", "b")]));
        assert!(is_adopted(&theirs, "By-Hand") && !is_adopted(&theirs, "by-hand_disk"));

        let other = scope.at("westus");
        let seen = object(&other, "id", "by-hand", &theirs, ());
        assert_eq!(seen.unadoptable.as_deref(), Some("it belongs to scope ha.example.com in region eastus"));
        let error = of_adopted(&Adopt::new(&other, "b", &seen, false, &cx), "by-hand", &theirs).unwrap_err();
        assert_eq!(error.kind(), kops_core::ErrorKind::Conflict);
    }

    #[test]
    fn what_kops_made_is_known_by_its_name() {
        let scope = Scope::new("ha.example.com");
        let theirs = tags(&[(CLUSTER, "ha.example.com")]);
        assert_eq!(task(&scope, "nodes.ha.example.com", &theirs), Some("nodes.ha.example.com"));
        assert_eq!(task(&scope, "pvc-1", &theirs), None);
        assert_eq!(task(&scope, "nodes.ha.example.com", &tags(&[(CLUSTER, "ha.example.com.au")])), None);
    }

    #[test]
    fn labels_become_names_of_tags() {
        assert_eq!(name("k8s.io/role/node"), "k8s.io_role_node");
    }
}

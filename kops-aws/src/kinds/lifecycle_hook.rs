//! Lifecycle hooks of auto scaling groups.
//!
//! Hooks can only be listed per group. To avoid a call for each of a hundred groups, groups that have had a
//! hook carry a tag, [`MARK`], and only those, and the groups that are to get one, are queried. Hooks cannot
//! be tagged either; the owner is recorded in the text that AWS passes in notifications.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_autoscaling::types;
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope,
    Update, Wanted,
};
use kops_core::graph::{Closed, Id, Input, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::AutoScalingGroup;
use super::auto_scaling_group::{read_tags, shared_listing};
use super::convert::{count, int};
use crate::clients::Clients;
use crate::extensions::Transition;
use crate::tags;
use kops_core::cloud::Mark;

/// The tag of groups that have had a hook.
pub(crate) const MARK: &str = "kops.k8s.io/lifecycle-hooks";

/// A transition at which the machines of a group wait for an external action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct LifecycleHook<S: Stage = Open> {
    /// The group.
    pub group: At<S, Id<AutoScalingGroup>>,
    /// The hook's name, unique in the group.
    pub hook: String,
    /// The transition.
    pub transition: Transition,
    /// The timeout, in seconds.
    pub timeout: u32,
    /// Whether the machine continues after the timeout; otherwise it is terminated.
    pub go_on: bool,
}

impl Resource for LifecycleHook {
    const KIND: &'static str = "LifecycleHook";
    type Resolved = LifecycleHook<Closed>;
}

pub(crate) struct LifecycleHooks(pub(crate) Clients);

type Hook = LifecycleHook<Closed>;

impl LifecycleHooks {
    async fn of_group(&self, query: &Query<'_>, group: &str) -> Result<Vec<types::LifecycleHook>> {
        let request = self.0.autoscaling.describe_lifecycle_hooks().auto_scaling_group_name(group);
        let answer = self.0.call(query.cx, "autoscaling:DescribeLifecycleHooks", request.send()).await?;
        Ok(answer.lifecycle_hooks.unwrap_or_default())
    }

    /// The groups whose hooks are relevant.
    async fn groups(&self, query: &Query<'_>) -> Result<BTreeSet<String>> {
        let wanted = match query.filter {
            Filter::Ids(ids) => {
                let group = |id: &String| Some(id.rsplit_once(SEPARATOR)?.0.to_owned());
                return Ok(ids.iter().filter_map(group).collect());
            }
            Filter::Scope { wanted, .. } => wanted,
        };
        let wanted: BTreeSet<_> =
            wanted.iter().filter_map(|wanted| Some(group_and_hook(wanted)?.0)).collect();
        let groups = shared_listing(&self.0, query).await?;
        let matters = |group: &&types::AutoScalingGroup| {
            let tags = read_tags(group);
            let name = group.auto_scaling_group_name.as_deref().unwrap_or_default();
            tags::task(query.scope, &tags).is_some() && (tags.contains_key(MARK) || wanted.contains(name))
        };
        Ok(groups.iter().filter(matters).filter_map(|it| it.auto_scaling_group_name.clone()).collect())
    }

    async fn put(&self, put: Put<'_>) -> Result<Object<Hook>> {
        let Put { mark, hook, cx } = put;
        let request = self
            .0
            .autoscaling
            .put_lifecycle_hook()
            .auto_scaling_group_name(hook.group.as_str())
            .lifecycle_hook_name(&hook.hook)
            .lifecycle_transition(transition(hook.transition))
            .heartbeat_timeout(int(hook.timeout)?)
            .default_result(if hook.go_on { CONTINUE } else { "ABANDON" })
            .notification_metadata(mark.text());
        self.0.call(cx, "autoscaling:PutLifecycleHook", request.send()).await?;
        Ok(mark.object(id(hook.group.as_str(), &hook.hook), hook.clone()))
    }
}

/// A hook to be created or updated.
struct Put<'a> {
    mark: Mark,
    hook: &'a Hook,
    cx: &'a Context,
}

#[async_trait]
impl Handler for LifecycleHooks {
    type Kind = LifecycleHook;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "group" | "hook" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Hook>>> {
        let groups = self.groups(query).await?;
        let hooks = try_join_all(groups.iter().map(|group| self.of_group(query, group))).await?;
        let (wanted, by_id) = match query.filter {
            Filter::Scope { wanted, .. } => (wanted, false),
            Filter::Ids(_) => (&[][..], true),
        };
        let objects = hooks.iter().flatten().filter_map(|hook| object(query.scope, hook, wanted));
        // A hook of somebody else does not keep the group from being deleted, but goes with it.
        Ok(objects.filter(|it| by_id || it.name.is_some()).collect())
    }

    async fn create(&self, request: Create<'_, Hook>) -> Result<Object<Hook>> {
        self.put(Put { mark: Mark::of_new(&request), hook: request.spec, cx: request.cx }).await
    }

    async fn update(&self, request: Update<'_, Hook>) -> Result<Object<Hook>> {
        let mark = Mark::of(request.scope, request.name, request.object);
        self.put(Put { mark, hook: request.spec, cx: request.cx }).await
    }

    async fn delete(&self, request: Delete<'_, Hook>) -> Result<Deletion> {
        let hook = &request.object.spec;
        let delete = self.0.autoscaling.delete_lifecycle_hook();
        let delete = delete.auto_scaling_group_name(hook.group.as_str()).lifecycle_hook_name(&hook.hook);
        self.0.call(request.cx, "autoscaling:DeleteLifecycleHook", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

/// Group names cannot contain a colon.
const SEPARATOR: char = ':';

fn id(group: &str, hook: &str) -> String {
    format!("{group}{SEPARATOR}{hook}")
}

const CONTINUE: &str = "CONTINUE";
const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

fn transition(transition: Transition) -> &'static str {
    match transition {
        Transition::Launching => LAUNCHING,
        Transition::Terminating => TERMINATING,
    }
}

/// The group and the hook of a task. A group's identifier is its name, which is also its task's.
fn group_and_hook(wanted: &Wanted<'_>) -> Option<(String, String)> {
    let spec = wanted.spec.decode::<LifecycleHook>().ok()?;
    let group = match spec.group {
        Input::Known(group) => group.into_string(),
        Input::Output(output) => output.task.name().to_owned(),
        Input::Concat(_) => return None,
    };
    Some((group, spec.hook))
}

fn object(scope: &Scope, hook: &types::LifecycleHook, wanted: &[Wanted<'_>]) -> Option<Object<Hook>> {
    let group = hook.auto_scaling_group_name.as_deref()?;
    let name = hook.lifecycle_hook_name.as_deref()?;
    let spec = LifecycleHook {
        group: Id::new(group),
        hook: name.to_owned(),
        transition: match hook.lifecycle_transition.as_deref() {
            Some(LAUNCHING) => Transition::Launching,
            _ => Transition::Terminating,
        },
        timeout: count(hook.heartbeat_timeout),
        go_on: hook.default_result.as_deref() == Some(CONTINUE),
    };
    let id = id(group, name);
    if let Some(mark) = hook.notification_metadata.as_deref().and_then(|text| Mark::read(scope, text)) {
        return Some(mark.object(id, spec));
    }
    let is_this =
        |wanted: &&Wanted<'_>| group_and_hook(wanted).is_some_and(|it| it == (group.into(), name.into()));
    let task = wanted.iter().find(is_this).map(|wanted| wanted.name.to_owned());
    Some(Object::foreign(id, spec).name(task))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(metadata: Option<&str>) -> types::LifecycleHook {
        types::LifecycleHook::builder()
            .auto_scaling_group_name("nodes.demo")
            .lifecycle_hook_name("drain")
            .lifecycle_transition(TERMINATING)
            .set_notification_metadata(metadata.map(str::to_owned))
            .build()
    }

    #[test]
    fn a_hook_tells_its_maker() {
        let scope = Scope::new("demo");
        let mark = Mark::new(&Scope::new("demo"), "drain.nodes.demo");
        let text = mark.text();
        let ours = object(&scope, &hook(Some(&text)), &[]).unwrap();
        assert_eq!(ours.name.as_deref(), Some("drain.nodes.demo"));
        for metadata in [None, Some("hello"), Some("kops cluster=demo.x task=a")] {
            let other = object(&scope, &hook(metadata), &[]).unwrap();
            assert_eq!(other.owner, kops_core::cloud::Owner::Other, "{metadata:?}");
        }
    }
}

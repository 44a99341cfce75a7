//! Auto scaling groups: a number of machines of a launch template, distributed over subnets.
//!
//! Autoscalers and users choose the number between minimum and maximum: the desired capacity is neither set
//! nor compared. Deleting a group terminates its machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_autoscaling::types::{self, Filter as By};
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Query, Scope, State, Timing,
    Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::convert::{count, int};
use super::mixed_instances::{self, MixedInstancesPolicy};
use super::{Ec2Subnet, LaunchTemplate, TargetGroup, listing, named};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// An auto scaling group. Its identifier is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AutoScalingGroup<S: Stage = Open> {
    /// The minimum number of machines.
    pub min_size: u32,
    /// The maximum number of machines.
    pub max_size: u32,
    /// The launch template of the machines.
    pub launch_template: At<S, Id<LaunchTemplate>>,
    /// The version of the launch template.
    pub launch_template_version: At<S, String>,
    /// Several machine types, on-demand and spot.
    pub mixed: Option<MixedInstancesPolicy<S>>,
    /// The subnets over which they are distributed.
    pub subnets: BTreeSet<At<S, Id<Ec2Subnet>>>,
    /// The target groups they are registered with.
    pub target_groups: BTreeSet<At<S, Id<TargetGroup>>>,
    /// Group metrics to collect every minute.
    pub metrics: BTreeSet<String>,
    /// Suspended scaling processes.
    pub suspended_processes: BTreeSet<String>,
    /// Whether machines are protected from scale-in.
    pub protect_from_scale_in: bool,
    /// The maximum lifetime of a machine, in seconds; unlimited if zero.
    pub max_instance_lifetime: u32,
    /// Whether a spot machine at risk is replaced before it is interrupted.
    pub capacity_rebalance: bool,
    /// Tags in addition to the ownership tags; machines get them too.
    #[serde(default)]
    pub tags: Tags,
}

impl AutoScalingGroup {
    /// All metrics of a group without warm pool, as enabled by kOps.
    pub fn all_metrics() -> BTreeSet<String> {
        [
            "DesiredCapacity",
            "InServiceInstances",
            "MaxSize",
            "MinSize",
            "PendingInstances",
            "StandbyInstances",
        ]
        .into_iter()
        .chain(["TerminatingInstances", "TotalInstances"])
        .map(|metric| format!("Group{metric}"))
        .collect()
    }
}

impl Resource for AutoScalingGroup {
    const KIND: &'static str = "AutoScalingGroup";
    type Resolved = AutoScalingGroup<Closed>;
}

/// Groups per page, which is also the maximum number of names in a request.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
const PAGE: i32 = 100;
const MOST_NAMES: usize = 50;

pub(crate) struct AutoScalingGroups(pub(crate) Clients);

type Group = AutoScalingGroup<Closed>;

/// The groups that may be the scope's; shared with other kinds in the same observation.
pub(crate) async fn of_scope(
    clients: &Clients,
    scope: &Scope,
    cx: &Context,
) -> Result<Vec<types::AutoScalingGroup>> {
    let ours = By::builder().name(format!("tag:{}", tags::CLUSTER)).values(scope.name()).build();
    pages(|token| {
        let request = clients.autoscaling.describe_auto_scaling_groups().filters(ours.clone());
        let request = request.max_records(PAGE).set_next_token(token);
        async move {
            let page = clients.call(cx, "autoscaling:DescribeAutoScalingGroups", request.send()).await?;
            Ok((page.auto_scaling_groups.unwrap_or_default(), page.next_token))
        }
    })
    .await
}

impl AutoScalingGroups {
    async fn named(&self, query: &Query<'_>, names: &[String]) -> Result<Vec<types::AutoScalingGroup>> {
        let describe = |names: &[String]| {
            let request = self.0.autoscaling.describe_auto_scaling_groups();
            let request = request.set_auto_scaling_group_names(Some(names.to_vec())).max_records(PAGE);
            self.0.call(query.cx, "autoscaling:DescribeAutoScalingGroups", request.send())
        };
        let answers = try_join_all(names.chunks(MOST_NAMES).map(describe)).await?;
        Ok(answers.into_iter().flat_map(|answer| answer.auto_scaling_groups.unwrap_or_default()).collect())
    }

    async fn set_sizes_and_template(&self, id: &str, spec: &Group, cx: &Context) -> Result<()> {
        let update = self
            .0
            .autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(id)
            .min_size(int(spec.min_size)?)
            .max_size(int(spec.max_size)?)
            .vpc_zone_identifier(joined(&spec.subnets))
            .set_launch_template(spec.mixed.is_none().then(|| template(spec)))
            .set_mixed_instances_policy(mixed(spec)?)
            .new_instances_protected_from_scale_in(spec.protect_from_scale_in)
            .max_instance_lifetime(int(spec.max_instance_lifetime)?)
            .capacity_rebalance(spec.capacity_rebalance);
        self.0.call(cx, "autoscaling:UpdateAutoScalingGroup", update.send()).await?;
        Ok(())
    }

    async fn set_tags(&self, id: &str, tags: &Tags, cx: &Context) -> Result<()> {
        let request = self.0.autoscaling.create_or_update_tags().set_tags(Some(group_tags(id, tags)));
        self.0.call(cx, "autoscaling:CreateOrUpdateTags", request.send()).await?;
        Ok(())
    }

    async fn set_target_groups(&self, id: &str, have: &Group, want: &Group, cx: &Context) -> Result<()> {
        let texts = |from: &Group, but_not: &Group| -> Option<Vec<String>> {
            let missing: Vec<_> =
                from.target_groups.difference(&but_not.target_groups).map(ToString::to_string).collect();
            (!missing.is_empty()).then_some(missing)
        };
        if let Some(new) = texts(want, have) {
            let attach = self.0.autoscaling.attach_load_balancer_target_groups();
            let attach = attach.auto_scaling_group_name(id).set_target_group_arns(Some(new));
            self.0.call(cx, "autoscaling:AttachLoadBalancerTargetGroups", attach.send()).await?;
        }
        if let Some(old) = texts(have, want) {
            let detach = self.0.autoscaling.detach_load_balancer_target_groups();
            let detach = detach.auto_scaling_group_name(id).set_target_group_arns(Some(old));
            self.0.call(cx, "autoscaling:DetachLoadBalancerTargetGroups", detach.send()).await?;
        }
        Ok(())
    }

    async fn set_processes(&self, id: &str, have: &Group, want: &Group, cx: &Context) -> Result<()> {
        if let Some(off) = missing(&have.suspended_processes, &want.suspended_processes) {
            let suspend = self.0.autoscaling.suspend_processes().auto_scaling_group_name(id);
            let suspend = suspend.set_scaling_processes(Some(off));
            self.0.call(cx, "autoscaling:SuspendProcesses", suspend.send()).await?;
        }
        if let Some(on) = missing(&want.suspended_processes, &have.suspended_processes) {
            let resume = self.0.autoscaling.resume_processes().auto_scaling_group_name(id);
            let resume = resume.set_scaling_processes(Some(on));
            self.0.call(cx, "autoscaling:ResumeProcesses", resume.send()).await?;
        }
        Ok(())
    }

    async fn set_metrics(&self, id: &str, have: &Group, want: &Group, cx: &Context) -> Result<()> {
        if let Some(on) = missing(&have.metrics, &want.metrics) {
            let enable = self.0.autoscaling.enable_metrics_collection().auto_scaling_group_name(id);
            // The only granularity available.
            let enable = enable.granularity("1Minute").set_metrics(Some(on));
            self.0.call(cx, "autoscaling:EnableMetricsCollection", enable.send()).await?;
        }
        if let Some(off) = missing(&want.metrics, &have.metrics) {
            let disable = self.0.autoscaling.disable_metrics_collection().auto_scaling_group_name(id);
            let disable = disable.set_metrics(Some(off));
            self.0.call(cx, "autoscaling:DisableMetricsCollection", disable.send()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for AutoScalingGroups {
    type Kind = AutoScalingGroup;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn timing(&self) -> Timing {
        // The machines of the group are terminated first.
        let vanish = Duration::from_secs(90);
        Timing::new().call(Duration::from_millis(500)).vanish(vanish).poll(Duration::from_secs(10))
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        shared_listing(&self.0, &listing::ahead(scope, cx)).await.map(drop)
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Group>>> {
        let objects = |groups: &[types::AutoScalingGroup]| {
            groups.iter().filter_map(|group| object(query.scope, group)).collect::<Vec<_>>()
        };
        match query.filter {
            Filter::Ids(names) => Ok(objects(&self.named(query, names).await?)),
            Filter::Scope { wanted, shared, .. } => {
                let ours = shared_listing(&self.0, query).await?;
                let known = ours.iter().filter_map(|group| group.auto_scaling_group_name.as_deref());
                let names = named::missing(known, wanted, shared);
                let mut found = objects(&ours);
                found.extend(objects(&self.named(query, &names).await?));
                Ok(found)
            }
        }
    }

    async fn create(&self, request: Create<'_, Group>) -> Result<Object<Group>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let groups: Vec<_> = spec.target_groups.iter().map(ToString::to_string).collect();
        let create = self
            .0
            .autoscaling
            .create_auto_scaling_group()
            .auto_scaling_group_name(request.name)
            .min_size(int(spec.min_size)?)
            .max_size(int(spec.max_size)?)
            .vpc_zone_identifier(joined(&spec.subnets))
            .set_launch_template(spec.mixed.is_none().then(|| template(spec)))
            .set_mixed_instances_policy(mixed(spec)?)
            .set_target_group_arns((!groups.is_empty()).then_some(groups))
            .new_instances_protected_from_scale_in(spec.protect_from_scale_in)
            .set_max_instance_lifetime(
                (spec.max_instance_lifetime > 0).then(|| int(spec.max_instance_lifetime)).transpose()?,
            )
            .capacity_rebalance(spec.capacity_rebalance)
            .set_tags(Some(group_tags(request.name, &tags)));
        self.0.call(request.cx, "autoscaling:CreateAutoScalingGroup", create.send()).await?;
        // What the call cannot set is off in a new group.
        let spec = Group { metrics: BTreeSet::new(), suspended_processes: BTreeSet::new(), ..spec.clone() };
        Ok(Object::owned(request.name, request.name, spec))
    }

    async fn update(&self, request: Update<'_, Group>) -> Result<Object<Group>> {
        // Fields with calls of their own.
        const APART: [&str; 4] = ["tags", "target_groups", "suspended_processes", "metrics"];
        let Update { object, spec, changed, cx, .. } = request;
        let (id, have) = (object.id.as_str(), &object.spec);
        if changed.contains("tags") {
            self.set_tags(id, &spec.tags, cx).await?;
        }
        // Suspended before machines are touched, so that a process that must not run does not.
        if changed.contains("suspended_processes") {
            self.set_processes(id, have, spec, cx).await?;
        }
        if changed.iter().any(|member| !APART.contains(&member.as_str())) {
            self.set_sizes_and_template(id, spec, cx).await?;
        }
        if changed.contains("target_groups") {
            self.set_target_groups(id, have, spec, cx).await?;
        }
        if changed.contains("metrics") {
            self.set_metrics(id, have, spec, cx).await?;
        }
        Ok(object.clone().spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Group>) -> Result<Deletion> {
        let delete = self.0.autoscaling.delete_auto_scaling_group();
        let delete = delete.auto_scaling_group_name(&request.object.id).force_delete(true);
        self.0.call(request.cx, "autoscaling:DeleteAutoScalingGroup", delete.send()).await?;
        Ok(Deletion::Pending)
    }
}

/// The listing that this kind shares with lifecycle hooks.
pub(crate) async fn shared_listing(
    clients: &Clients,
    query: &Query<'_>,
) -> Result<std::sync::Arc<Vec<types::AutoScalingGroup>>> {
    let cx = query.cx;
    cx.memo.get_or_try("auto scaling groups", async || of_scope(clients, query.scope, cx).await).await
}

/// The tags of a group by their keys.
pub(crate) fn read_tags(group: &types::AutoScalingGroup) -> Tags {
    let pair = |tag: &types::TagDescription| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    group.tags().iter().filter_map(pair).collect()
}

fn object(scope: &Scope, group: &types::AutoScalingGroup) -> Option<Object<Group>> {
    let name = group.auto_scaling_group_name.as_deref()?;
    let tags = read_tags(group);
    let policy = group.mixed_instances_policy.as_ref();
    let in_policy = policy.and_then(|it| it.launch_template.as_ref()?.launch_template_specification.as_ref());
    let template = in_policy.or(group.launch_template.as_ref());
    let text = |of: fn(&types::LaunchTemplateSpecification) -> Option<String>| {
        template.and_then(of).unwrap_or_default()
    };
    let subnets = group.vpc_zone_identifier.as_deref().unwrap_or_default();
    let spec = AutoScalingGroup {
        min_size: count(group.min_size),
        max_size: count(group.max_size),
        launch_template: Id::new(text(|it| it.launch_template_id.clone())),
        launch_template_version: text(|it| it.version.clone()),
        mixed: policy.map(mixed_instances::read),
        subnets: subnets.split(',').filter(|it| !it.is_empty()).map(Id::new).collect(),
        target_groups: group.target_group_arns().iter().map(Id::new).collect(),
        metrics: group.enabled_metrics().iter().filter_map(|it| it.metric.clone()).collect(),
        suspended_processes: group
            .suspended_processes()
            .iter()
            .filter_map(|it| it.process_name.clone())
            .collect(),
        protect_from_scale_in: group.new_instances_protected_from_scale_in.unwrap_or_default(),
        max_instance_lifetime: count(group.max_instance_lifetime),
        capacity_rebalance: group.capacity_rebalance.unwrap_or_default(),
        tags: tags::further(&tags),
    };
    // A status is only shown by a group that is being deleted.
    let state = if group.status.is_some() { State::Deleting } else { State::Ready };
    Some(named::show(tags::object(scope, name, &tags, spec).state(state), name))
}

fn template(spec: &Group) -> types::LaunchTemplateSpecification {
    types::LaunchTemplateSpecification::builder()
        .launch_template_id(spec.launch_template.as_str())
        .version(&spec.launch_template_version)
        .build()
}

fn mixed(spec: &Group) -> Result<Option<types::MixedInstancesPolicy>> {
    spec.mixed.as_ref().map(|policy| mixed_instances::request(policy, template(spec))).transpose()
}

fn joined(subnets: &BTreeSet<Id<Ec2Subnet>>) -> String {
    let subnets: Vec<_> = subnets.iter().map(Id::as_str).collect();
    subnets.join(",")
}

/// Tags for the group and its machines. The task tag is set on the group alone: a machine is not a task's
/// object.
fn group_tags(group: &str, tags: &BTreeMap<String, String>) -> Vec<types::Tag> {
    tags.iter()
        .map(|(key, value)| {
            types::Tag::builder()
                .resource_type("auto-scaling-group")
                .resource_id(group)
                .key(key)
                .value(value)
                .propagate_at_launch(!tags::is_about_one(key))
                .build()
        })
        .collect()
}

/// The elements of `want` that `have` lacks.
fn missing(have: &BTreeSet<String>, want: &BTreeSet<String>) -> Option<Vec<String>> {
    let missing: Vec<_> = want.difference(have).cloned().collect();
    (!missing.is_empty()).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_do_not_tell_the_groups_task() {
        let tags = Tags::from([("Name".into(), "a".into()), ("kops.k8s.io/task".into(), "a".into())]);
        let carried: Vec<_> = group_tags("a", &tags)
            .into_iter()
            .filter(|tag| tag.propagate_at_launch == Some(true))
            .filter_map(|tag| tag.key)
            .collect();
        assert_eq!(carried, ["Name"]);
    }

    #[test]
    fn the_desired_size_is_nobodys_business() {
        let group = |desired| {
            let group =
                types::AutoScalingGroup::builder().auto_scaling_group_name("a").min_size(1).max_size(9);
            object(&Scope::new("demo"), &group.desired_capacity(desired).build()).unwrap()
        };
        assert_eq!(group(1), group(7));
    }
}

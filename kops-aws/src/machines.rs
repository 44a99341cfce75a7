//! The machines of a cluster's auto scaling groups.
//!
//! A member is outdated if its group would create a different machine today: from another launch template,
//! from another version of it, or of another type. A machine that was detached from its group carries a tag
//! with the group's name, as in kOps; it still belongs to the cluster, and is outdated by definition.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance as Member};
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use futures_util::future::{try_join, try_join_all};
use kops_core::cloud::{Context, Machine, MachineState, Machines, Scope, pages};
use kops_core::{Error, ErrorKind, Result};

use crate::Aws;
use crate::kinds::auto_scaling_group::{of_scope, read_tags};
use crate::kinds::listing::any_of;
use crate::tags::{self, Tags};

/// The tag of a machine that was detached from its group: the group's name. Also used by kOps.
const DETACHED: &str = "kops.k8s.io/detached-from-asg";
/// The tag that AWS sets on a member of a group: the group's name.
const GROUP: &str = "aws:autoscaling:groupName";

#[async_trait]
impl Machines for Aws {
    async fn members(&self, scope: &Scope, cx: &Context) -> Result<Vec<Machine>> {
        let alive = ["pending", "running", "shutting-down", "stopping", "stopped"];
        let alive = any_of("instance-state-name", &alive);
        let ours = [vec![tags::filter(scope)], alive].concat();
        let (groups, instances) =
            try_join(of_scope(self.clients(), scope, cx), self.instances(ours, cx)).await?;
        let groups = Groups::new(scope, &groups, &self.newest(&groups, cx).await?);
        let mut machines: Vec<_> = instances.iter().filter_map(|instance| groups.machine(instance)).collect();
        machines.sort_by(|a, b| (&a.group, &a.id).cmp(&(&b.group, &b.id)));
        Ok(machines)
    }

    async fn detach(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let found = self.find(scope, machine, cx).await?;
        if found.detached {
            // Done before; or interrupted between the two calls, which the group tells.
            let still = found.group.instances().iter().any(|it| it.instance_id.as_deref() == Some(machine));
            if !still {
                return Ok(());
            }
        }
        // The tag comes first: without it the machine's owner would be unknown.
        let mark = Tags::from([(DETACHED.to_owned(), found.name().to_owned())]);
        tags::set(self.clients(), cx, machine, &mark).await?;
        let detach = self.clients().autoscaling.detach_instances().instance_ids(machine);
        let detach = detach.auto_scaling_group_name(found.name()).should_decrement_desired_capacity(false);
        self.clients().call(cx, "autoscaling:DetachInstances", detach.send()).await?;
        Ok(())
    }

    async fn deregister(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let found = self.find(scope, machine, cx).await?;
        let deregister = |group: &String| {
            let target = TargetDescription::builder().id(machine).build();
            let request = self.clients().elb.deregister_targets().target_group_arn(group).targets(target);
            self.clients().call(cx, "elasticloadbalancing:DeregisterTargets", request.send())
        };
        try_join_all(found.group.target_group_arns().iter().map(deregister)).await?;
        Ok(())
    }

    async fn terminate(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let found = self.find(scope, machine, cx).await?;
        if found.ending {
            return Ok(());
        }
        let ended = if found.detached {
            let request = self.clients().ec2.terminate_instances().instance_ids(machine);
            self.clients().call(cx, "ec2:TerminateInstances", request.send()).await.map(drop)
        } else {
            let request = self.clients().autoscaling.terminate_instance_in_auto_scaling_group();
            let request = request.instance_id(machine).should_decrement_desired_capacity(false);
            let call = "autoscaling:TerminateInstanceInAutoScalingGroup";
            self.clients().call(cx, call, request.send()).await.map(drop)
        };
        match ended {
            // It has been terminated in the meantime.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            ended => ended,
        }
    }
}

impl Aws {
    async fn instances(&self, by: Vec<Filter>, cx: &Context) -> Result<Vec<Instance>> {
        pages(|token| {
            let request = self.clients().ec2.describe_instances().set_filters(Some(by.clone()));
            let request = request.max_results(1000).set_next_token(token);
            async move {
                let page = self.clients().call(cx, "ec2:DescribeInstances", request.send()).await?;
                let reservations = page.reservations.unwrap_or_default().into_iter();
                let instances = reservations.flat_map(|it| it.instances.unwrap_or_default());
                Ok((instances.collect(), page.next_token))
            }
        })
        .await
    }

    /// The default and the newest version of the templates of groups that refer to one of them. Our groups
    /// use version numbers; kOps' do not.
    async fn newest(&self, groups: &[AutoScalingGroup], cx: &Context) -> Result<Versions> {
        let named = groups.iter().filter_map(template).filter(|(_, version)| version.starts_with('$'));
        let ids: Vec<_> = named.map(|(id, _)| id).collect();
        let describe = async |by: Filter| {
            let request = self.clients().ec2.describe_launch_templates().filters(by).max_results(200);
            self.clients().call(cx, "ec2:DescribeLaunchTemplates", request.send()).await
        };
        let answers = try_join_all(any_of("launch-template-id", &ids).into_iter().map(describe)).await?;
        let templates = answers.into_iter().flat_map(|answer| answer.launch_templates.unwrap_or_default());
        let versions = templates.filter_map(|it| {
            let text = |number: Option<i64>| number.unwrap_or_default().to_string();
            Some((it.launch_template_id?, (text(it.default_version_number), text(it.latest_version_number))))
        });
        Ok(versions.collect())
    }

    /// A machine of one of the scope's groups.
    async fn find(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<Found> {
        let not_ours = || {
            Error::not_found(format!("{machine} is not a machine of an instance group of {}", scope.name()))
                .with_hint("list the machines of the cluster again")
        };
        let by = [vec![tags::filter(scope)], any_of("instance-id", &[machine])].concat();
        let instance = self.instances(by, cx).await?.into_iter().next().ok_or_else(not_ours)?;
        let tags = tags::read(instance.tags());
        let name = tags.get(DETACHED).or_else(|| tags.get(GROUP)).ok_or_else(not_ours)?;
        let request = self.clients().autoscaling.describe_auto_scaling_groups();
        let request = request.auto_scaling_group_names(name);
        let answer = self.clients().call(cx, "autoscaling:DescribeAutoScalingGroups", request.send()).await?;
        let group = answer.auto_scaling_groups.unwrap_or_default().into_iter().next().ok_or_else(not_ours)?;
        if tags::task(scope, &read_tags(&group)).is_none() {
            return Err(not_ours());
        }
        Ok(Found { detached: tags.contains_key(DETACHED), ending: ends(&instance), group })
    }
}

/// By template identifier: the default and the newest version.
type Versions = HashMap<String, (String, String)>;

/// A machine that was found.
struct Found {
    group: AutoScalingGroup,
    detached: bool,
    ending: bool,
}

impl Found {
    fn name(&self) -> &str {
        self.group.auto_scaling_group_name.as_deref().unwrap_or_default()
    }
}

/// The groups of a scope, and what they would create machines from today.
struct Groups<'a> {
    by_name: HashMap<&'a str, Group<'a>>,
    members: HashMap<&'a str, &'a Member>,
}

struct Group<'a> {
    task: String,
    template: Option<(String, String)>,
    /// The types that a mixed group may have; any if empty.
    types: Vec<&'a str>,
}

impl<'a> Groups<'a> {
    fn new(scope: &Scope, groups: &'a [AutoScalingGroup], versions: &Versions) -> Self {
        let mut by_name = HashMap::new();
        let mut members = HashMap::new();
        for group in groups {
            let tags = read_tags(group);
            let (Some(name), Some(task)) = (&group.auto_scaling_group_name, tags::task(scope, &tags)) else {
                continue;
            };
            let template = template(group).map(|(id, version)| {
                let numbers = versions.get(&id);
                let number = match (version.as_str(), numbers) {
                    ("$Default", Some((default, _))) => default.clone(),
                    ("$Latest", Some((_, newest))) => newest.clone(),
                    _ => version,
                };
                (id, number)
            });
            let policy = group.mixed_instances_policy.as_ref().and_then(|it| it.launch_template.as_ref());
            let overrides = policy.map(|policy| policy.overrides()).unwrap_or_default();
            let types = overrides.iter().filter_map(|it| it.instance_type.as_deref()).collect();
            by_name.insert(name.as_str(), Group { task: scope.task(task).to_owned(), template, types });
            members.extend(group.instances().iter().filter_map(|it| Some((it.instance_id.as_deref()?, it))));
        }
        Self { by_name, members }
    }

    fn machine(&self, instance: &Instance) -> Option<Machine> {
        let id = instance.instance_id.as_deref()?;
        let tags = tags::read(instance.tags());
        let detached = tags.contains_key(DETACHED);
        let group = self.by_name.get(tags.get(DETACHED).or_else(|| tags.get(GROUP))?.as_str())?;
        let member = self.members.get(id).copied();
        let machine_type = instance.instance_type.as_ref().map(ToString::to_string).unwrap_or_default();
        let state = match instance.state.as_ref().and_then(|state| state.name.as_ref()) {
            _ if ends(instance) => MachineState::Terminating,
            Some(InstanceStateName::Pending) => MachineState::Pending,
            _ if detached || member.is_none() => MachineState::Detached,
            _ => MachineState::Running,
        };
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let zone =
            instance.placement.as_ref().and_then(|it| it.availability_zone.clone()).unwrap_or_default();
        let outdated = group.why_outdated(member.filter(|_| !detached), &machine_type);
        Some(
            Machine::new(id, &group.task, zone, machine_type, state)
                .outdated(outdated)
                .private_ip(filled(&instance.private_ip_address))
                .public_ip(filled(&instance.public_ip_address))
                .private_dns(filled(&instance.private_dns_name)),
        )
    }
}

impl Group<'_> {
    fn why_outdated(&self, member: Option<&Member>, machine_type: &str) -> Vec<String> {
        let Some(member) = member else { return vec!["it is no longer a member of its group".to_owned()] };
        let mut reasons = Vec::new();
        let made_from = member.launch_template.as_ref();
        match (&self.template, made_from) {
            (Some((id, version)), Some(from)) => {
                let (from_id, from_version) = (from.launch_template_id.as_deref(), from.version.as_deref());
                if from_id != Some(id.as_str()) {
                    reasons.push("it was created from another launch template".to_owned());
                } else if from_version != Some(version.as_str()) {
                    let was = from_version.unwrap_or("none");
                    reasons.push(format!(
                        "it was created from launch template version {was}; the current version is {version}"
                    ));
                }
            }
            // AWS clears the template of a member when the template is deleted.
            (Some(_), None) => reasons.push("its launch template has been deleted".to_owned()),
            (None, _) => {}
        }
        if !self.types.is_empty() && !self.types.contains(&machine_type) {
            reasons.push(format!("the group no longer uses machine type {machine_type}"));
        }
        reasons
    }
}

/// The template of a group, and its version.
fn template(group: &AutoScalingGroup) -> Option<(String, String)> {
    let policy = group.mixed_instances_policy.as_ref().and_then(|it| it.launch_template.as_ref());
    let template = policy
        .and_then(|policy| policy.launch_template_specification.as_ref())
        .or(group.launch_template.as_ref())?;
    // The default version applies if none is specified.
    Some((
        template.launch_template_id.clone()?,
        template.version.clone().unwrap_or_else(|| "$Default".to_owned()),
    ))
}

fn ends(instance: &Instance) -> bool {
    let state = instance.state.as_ref().and_then(|state| state.name.as_ref());
    // A group replaces a machine that is stopped.
    matches!(
        state,
        Some(
            InstanceStateName::ShuttingDown
                | InstanceStateName::Stopping
                | InstanceStateName::Stopped
                | InstanceStateName::Terminated
        )
    )
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::{
        InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides, LaunchTemplateSpecification,
        MixedInstancesPolicy, TagDescription,
    };
    use aws_sdk_ec2::types::{InstanceState, InstanceType, Tag};

    use super::*;

    fn version(version: &str) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder().launch_template_id("lt-1").version(version).build()
    }

    fn group() -> aws_sdk_autoscaling::types::builders::AutoScalingGroupBuilder {
        let tag = |key: &str, value: &str| TagDescription::builder().key(key).value(value).build();
        AutoScalingGroup::builder()
            .auto_scaling_group_name("nodes.demo")
            .tags(tag("KubernetesCluster", "demo"))
            .tags(tag("kubernetes.io/cluster/demo", "owned"))
            .tags(tag("kops.k8s.io/task", "nodes.demo"))
    }

    fn member(from: &str) -> Member {
        let member = Member::builder().instance_id("i-1").launch_template(version(from));
        member.availability_zone("a").lifecycle_state("InService".into()).health_status("Healthy").build()
    }

    fn instance(tag: &str) -> Instance {
        Instance::builder()
            .instance_id("i-1")
            .instance_type(InstanceType::from("m5.large"))
            .state(InstanceState::builder().name(InstanceStateName::Running).build())
            .tags(Tag::builder().key(tag).value("nodes.demo").build())
            .build()
    }

    fn machine(group: AutoScalingGroup, instance: &Instance, versions: &Versions) -> Machine {
        Groups::new(&Scope::new("demo"), &[group], versions).machine(instance).unwrap()
    }

    #[test]
    fn a_machine_of_the_groups_version_is_up_to_date() {
        let group = group().launch_template(version("4")).instances(member("4")).build();
        let machine = machine(group, &instance(GROUP), &Versions::new());
        assert_eq!((machine.outdated, machine.state), (vec![], MachineState::Running));
    }

    #[test]
    fn an_older_version_is_told_with_both_numbers() {
        let group = group().launch_template(version("4")).instances(member("3")).build();
        let machine = machine(group, &instance(GROUP), &Versions::new());
        assert_eq!(
            machine.outdated,
            ["it was created from launch template version 3; the current version is 4"]
        );
    }

    #[test]
    fn versions_by_name_are_those_of_the_template() {
        let versions = || Versions::from([("lt-1".to_owned(), ("3".to_owned(), "4".to_owned()))]);
        for (named, outdated) in [("$Latest", 0), ("$Default", 1)] {
            let group = group().launch_template(version(named)).instances(member("4")).build();
            assert_eq!(machine(group, &instance(GROUP), &versions()).outdated.len(), outdated, "{named}");
        }
    }

    #[test]
    fn a_type_that_a_mixed_group_has_no_more_is_outdated() {
        let types = LaunchTemplateOverrides::builder().instance_type("m6i.large").build();
        let template = LaunchTemplate::builder().launch_template_specification(version("4")).overrides(types);
        let policy = MixedInstancesPolicy::builder()
            .launch_template(template.build())
            .instances_distribution(InstancesDistribution::builder().build());
        let group = group().mixed_instances_policy(policy.build()).instances(member("4")).build();
        let machine = machine(group, &instance(GROUP), &Versions::new());
        assert_eq!(machine.outdated, ["the group no longer uses machine type m5.large"]);
    }

    #[test]
    fn a_detached_machine_is_known_by_its_tag() {
        let group = group().launch_template(version("4")).build();
        let machine = machine(group, &instance(DETACHED), &Versions::new());
        assert_eq!((machine.group.as_str(), machine.state), ("nodes.demo", MachineState::Detached));
        assert_eq!(machine.outdated, ["it is no longer a member of its group"]);
    }

    #[test]
    fn machines_of_other_groups_are_not_shown() {
        let other = Instance::builder().instance_id("i-2");
        let other = other.tags(Tag::builder().key(GROUP).value("other").build()).build();
        let groups = [group().build()];
        assert!(Groups::new(&Scope::new("demo"), &groups, &Versions::new()).machine(&other).is_none());
    }
}

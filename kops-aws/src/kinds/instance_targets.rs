//! The target groups that single machines are in.
//!
//! EC2 does not know them, and Elastic Load Balancing lists the machines of one target group at a time. So machines
//! that were put into a target group carry a tag, [`MARK`], and the scope's target groups are only asked for their
//! machines if one carries it.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_ec2::types::Instance;
use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealthStateEnum};
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{Context, Query, Update};
use kops_core::graph::{Closed, Id, Input};

use super::iam_role::if_found;
use super::instance::Ec2Instance;
use super::{TargetGroup, balancing};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// The tag of machines that were put into a target group.
const MARK: &str = "kops.k8s.io/targets";

/// The tag to set before a machine is put into a target group.
pub(super) fn mark() -> Tags {
    [(MARK.to_owned(), "true".to_owned())].into()
}

/// The target groups of each machine, by its identifier.
pub(super) async fn of(
    clients: &Clients,
    query: &Query<'_>,
    machines: &[&Instance],
) -> Result<HashMap<String, BTreeSet<Id<TargetGroup>>>> {
    let mut found: HashMap<String, BTreeSet<Id<TargetGroup>>> = HashMap::new();
    if !machines.iter().any(|machine| tags::read(machine.tags()).contains_key(MARK)) {
        return Ok(found);
    }
    let cx = &balancing::context(query);
    let own = balancing::tags_of_scope(clients, query.scope, cx).await?;
    let own =
        own.iter().filter(|(_, tags)| tags::task(query.scope, tags).is_some()).map(|(arn, _)| arn.clone());
    let listed = balancing::listed(clients, cx).await?;
    let is_group =
        |arn: &String| listed.groups.iter().any(|group| group.target_group_arn.as_ref() == Some(arn));
    // And those of others that a task names.
    let named = query.wanted_as::<Ec2Instance>()?.into_iter().flat_map(|(_, machine)| machine.target_groups);
    let named = named.filter_map(|group| match group {
        Input::Known(id) => Some(id.into_string()),
        _ => None,
    });
    let arns: BTreeSet<String> = own.filter(is_group).chain(named).collect();
    for (arn, members) in try_join_all(arns.into_iter().map(|arn| members(clients, cx, arn))).await? {
        for member in members {
            found.entry(member).or_default().insert(Id::new(&arn));
        }
    }
    Ok(found)
}

/// The machines of a target group; none if it is gone.
async fn members(clients: &Clients, cx: &Context, arn: String) -> Result<(String, Vec<String>)> {
    let request = clients.elb.describe_target_health().target_group_arn(&arn);
    let answer = clients.call(cx, "elasticloadbalancing:DescribeTargetHealth", request.send()).await;
    let described =
        if_found(answer)?.and_then(|answer| answer.target_health_descriptions).unwrap_or_default();
    let is_leaving = |state: Option<&TargetHealthStateEnum>| state == Some(&TargetHealthStateEnum::Draining);
    let members = described
        .into_iter()
        .filter(|it| !is_leaving(it.target_health.as_ref().and_then(|health| health.state.as_ref())))
        .filter_map(|it| it.target?.id)
        .collect();
    Ok((arn, members))
}

/// Puts a machine into the wanted target groups, and takes it out of others.
pub(super) async fn set(clients: &Clients, request: &Update<'_, Ec2Instance<Closed>>) -> Result<()> {
    let (cx, machine) = (request.cx, &request.object.id);
    let (now, wanted) = (&request.object.spec.target_groups, &request.spec.target_groups);
    let target = || TargetDescription::builder().id(machine).build();
    if !wanted.is_empty() {
        tags::set(clients, cx, machine, &mark()).await?;
    }
    for group in wanted.difference(now) {
        let register = clients.elb.register_targets().target_group_arn(group.as_str()).targets(target());
        clients.call(cx, "elasticloadbalancing:RegisterTargets", register.send()).await?;
    }
    for group in now.difference(wanted) {
        let deregister = clients.elb.deregister_targets().target_group_arn(group.as_str()).targets(target());
        if_found(clients.call(cx, "elasticloadbalancing:DeregisterTargets", deregister.send()).await)?;
    }
    Ok(())
}

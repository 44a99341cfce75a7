//! Target groups: machines that receive the connections of a load balancer, and their health checks.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{self, ProtocolEnum, TargetGroupAttribute, TargetTypeEnum};
use futures_util::future::{try_join, try_join_all};
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Handler, IdentityClass, Mutability, Object, Owner, Query, State,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::Vpc;
use super::balancing;
use super::convert::{count, int, port};
use super::iam_role::if_found;
use crate::clients::Clients;
use crate::names;
use crate::tags::{self, Tags};

/// Machines that receive the connections of a load balancer. Its name is derived from those of task and scope
/// by kOps' rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct TargetGroup<S: Stage = Open> {
    /// The network of the machines.
    pub vpc: At<S, Id<Vpc>>,
    /// `TCP`, `TLS`, `UDP`.
    pub protocol: String,
    /// The port of the machines.
    pub port: u16,
    /// The health check of the machines.
    pub health: HealthCheck,
    /// How many seconds a deregistered machine keeps its connections.
    pub deregistration_delay: u32,
    /// Whether connections are closed after that.
    pub close_connections: bool,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `TCP`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// The port to check; the port of the machines if `None`.
    pub port: Option<u16>,
    /// The path to request; `None` for a bare TCP connection.
    pub path: Option<String>,
    /// The interval between checks, in seconds.
    pub interval: u32,
    /// The number of consecutive successes after which a machine is healthy.
    pub healthy: u32,
    /// The number of consecutive failures after which it is unhealthy.
    pub unhealthy: u32,
}

impl Resource for TargetGroup {
    const KIND: &'static str = "TargetGroup";
    type Resolved = TargetGroup<Closed>;
}

pub(crate) struct TargetGroups(pub(crate) Clients);

type Group = TargetGroup<Closed>;

const DELAY: &str = "deregistration_delay.timeout_seconds";
const CLOSE: &str = "deregistration_delay.connection_termination.enabled";
/// The default of a new group.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html>
const USUAL_DELAY: u32 = 300;
/// The API's name for the port of the machines.
const TRAFFIC_PORT: &str = "traffic-port";

impl TargetGroups {
    /// The fields that the listing of groups omits; `None` if the group is gone.
    async fn attributes(&self, cx: &Context, arn: &str) -> Result<Option<Vec<TargetGroupAttribute>>> {
        let request = self.0.elb.describe_target_group_attributes().target_group_arn(arn);
        let call = "elasticloadbalancing:DescribeTargetGroupAttributes";
        let answer = if_found(self.0.call(cx, call, request.send()).await)?;
        Ok(answer.map(|answer| answer.attributes.unwrap_or_default()))
    }
}

#[async_trait]
impl Handler for TargetGroups {
    type Kind = TargetGroup;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "vpc" | "protocol" | "port" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Group>>> {
        let cx = &balancing::context(query);
        let listed = balancing::listed(&self.0, cx).await?;
        let wanted =
            listed.groups.iter().filter(|it| balancing::is_wanted(query, it.target_group_name.as_deref()));
        let early = wanted
            .filter_map(|it| it.target_group_arn.as_deref())
            .map(async |arn| Ok((arn, self.attributes(cx, arn).await?)));
        let tags = balancing::tags_for(&self.0, query, cx);
        let (tags, early) = try_join(tags, try_join_all(early)).await?;
        let early: HashMap<_, _> = early.into_iter().collect();
        let objects = listed.groups.iter().filter_map(|it| object(query, it, &tags));
        let detailed = objects.map(async |object| match (object.owner, early.get(object.id.as_str())) {
            _ if object.dependent.is_some() => Ok(object),
            (Owner::Scope, Some(attributes)) => Ok(with_attributes(object, attributes.as_deref())),
            (Owner::Scope, None) => {
                let attributes = self.attributes(cx, &object.id).await?;
                Ok(with_attributes(object, attributes.as_deref()))
            }
            _ => Ok(object),
        });
        try_join_all(detailed).await
    }

    async fn create(&self, request: Create<'_, Group>) -> Result<Object<Group>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let create = self
            .0
            .elb
            .create_target_group()
            .name(names::balancing(request.name, request.scope.name()))
            .vpc_id(spec.vpc.as_str())
            .protocol(ProtocolEnum::from(spec.protocol.as_str()))
            .port(spec.port.into())
            .target_type(TargetTypeEnum::Instance)
            .health_check_protocol(ProtocolEnum::from(spec.health.protocol.as_str()))
            .health_check_port(health_port(&spec.health))
            .set_health_check_path(spec.health.path.clone())
            .health_check_interval_seconds(int(spec.health.interval)?)
            .healthy_threshold_count(int(spec.health.healthy)?)
            .unhealthy_threshold_count(int(spec.health.unhealthy)?)
            .set_tags(Some(balancing::write(&tags)));
        let made = self.0.call(request.cx, "elasticloadbalancing:CreateTargetGroup", create.send()).await?;
        let arn = made.target_groups().first().and_then(|group| group.target_group_arn.clone());
        let arn = arn.ok_or_else(|| Error::internal("the response contains no target group"))?;
        let spec = Group { deregistration_delay: USUAL_DELAY, close_connections: false, ..spec.clone() };
        Ok(Object::owned(arn, request.name, spec))
    }

    async fn update(&self, request: Update<'_, Group>) -> Result<Object<Group>> {
        let Update { object, spec, changed, cx, .. } = request;
        if changed.contains("tags") {
            balancing::set_tags(&self.0, cx, &object.id, &spec.tags).await?;
        }
        if changed.contains("health") {
            let modify = self
                .0
                .elb
                .modify_target_group()
                .target_group_arn(&object.id)
                .health_check_protocol(ProtocolEnum::from(spec.health.protocol.as_str()))
                .health_check_port(health_port(&spec.health))
                .set_health_check_path(spec.health.path.clone())
                .health_check_interval_seconds(int(spec.health.interval)?)
                .healthy_threshold_count(int(spec.health.healthy)?)
                .unhealthy_threshold_count(int(spec.health.unhealthy)?);
            self.0.call(cx, "elasticloadbalancing:ModifyTargetGroup", modify.send()).await?;
        }
        if changed.contains("deregistration_delay") || changed.contains("close_connections") {
            let attribute =
                |key: &str, value: String| TargetGroupAttribute::builder().key(key).value(value).build();
            let modify = self
                .0
                .elb
                .modify_target_group_attributes()
                .target_group_arn(&object.id)
                .attributes(attribute(DELAY, spec.deregistration_delay.to_string()))
                .attributes(attribute(CLOSE, spec.close_connections.to_string()));
            let call = "elasticloadbalancing:ModifyTargetGroupAttributes";
            self.0.call(cx, call, modify.send()).await?;
        }
        Ok(object.clone().spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Group>) -> Result<Deletion> {
        let delete = self.0.elb.delete_target_group().target_group_arn(&request.object.id);
        self.0.call(request.cx, "elasticloadbalancing:DeleteTargetGroup", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

fn health_port(health: &HealthCheck) -> String {
    health.port.map_or_else(|| TRAFFIC_PORT.to_owned(), |port| port.to_string())
}

/// Adds the fields that only the attributes contain; without attributes, the group was deleted after it was listed.
fn with_attributes(mut object: Object<Group>, attributes: Option<&[TargetGroupAttribute]>) -> Object<Group> {
    let Some(attributes) = attributes else { return object.state(State::Gone) };
    let get = |key: &str| {
        let attribute = attributes.iter().find(|it| it.key.as_deref() == Some(key));
        attribute.and_then(|it| it.value.as_deref())
    };
    object.spec.deregistration_delay = get(DELAY).and_then(|it| it.parse().ok()).unwrap_or(USUAL_DELAY);
    object.spec.close_connections = get(CLOSE) == Some("true");
    object
}

fn object(
    query: &Query<'_>,
    group: &types::TargetGroup,
    tags: &HashMap<String, Tags>,
) -> Option<Object<Group>> {
    let arn = group.target_group_arn.as_deref()?;
    let name = group.target_group_name.as_deref()?;
    let nothing = Tags::new();
    let tags = tags.get(arn).unwrap_or(&nothing);
    let text = |protocol: Option<&ProtocolEnum>| protocol.map(ToString::to_string).unwrap_or_default();
    let spec = TargetGroup {
        vpc: Id::new(group.vpc_id.clone().unwrap_or_default()),
        protocol: text(group.protocol.as_ref()),
        port: port(group.port),
        health: HealthCheck {
            protocol: text(group.health_check_protocol.as_ref()),
            port: group.health_check_port.as_deref().and_then(|port| port.parse().ok()),
            path: group.health_check_path.clone(),
            interval: count(group.health_check_interval_seconds),
            healthy: count(group.healthy_threshold_count),
            unhealthy: count(group.unhealthy_threshold_count),
        },
        deregistration_delay: USUAL_DELAY,
        close_connections: false,
        tags: tags::further(tags),
    };
    let object = balancing::object(query, arn, name, tags, spec);
    balancing::is_asked_for(query, object.owner, arn, name).then_some(object)
}

//! Network load balancers.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{
    self, LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerStateEnum, LoadBalancerTypeEnum,
    SubnetMapping,
};
use futures_util::future::{try_join, try_join_all};
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Handler, IdentityClass, Mutability, Object, Owner, Query, Scope,
    State, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource, Scheme};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::iam_role::if_found;
use super::{Ec2Subnet, SecurityGroup};
use super::{balancing, listing, vpc};
use crate::clients::Clients;
use crate::extensions::AccessLog;
use crate::names;
use crate::tags::{self, Tags};

/// A network load balancer. Its name is derived from those of task and scope by kOps' rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NetworkLoadBalancer<S: Stage = Open> {
    /// Whether it is internet-facing or internal.
    pub scheme: Scheme,
    /// The subnets it is attached to.
    pub subnets: BTreeSet<Leg<S>>,
    /// Its security groups. A load balancer created without any cannot be given some later.
    pub security_groups: BTreeSet<At<S, Id<SecurityGroup>>>,
    /// Whether connections are distributed to targets in other zones.
    pub cross_zone: bool,
    /// The destination of its access log.
    pub access_log: Option<AccessLog>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A subnet attachment of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Leg<S: Stage = Open> {
    /// The subnet.
    pub subnet: At<S, Id<Ec2Subnet>>,
    /// The private address of an internal load balancer; chosen by AWS if `None`.
    pub private_ip: Option<String>,
    /// The allocation id of the elastic IP address of a public load balancer; chosen by AWS if `None`.
    pub allocation: Option<String>,
}

impl Leg {
    /// A subnet attachment with addresses chosen by AWS.
    pub fn in_subnet(subnet: At<Open, Id<Ec2Subnet>>) -> Self {
        Self { subnet, private_ip: None, allocation: None }
    }
}

impl NetworkLoadBalancer {
    /// The DNS name for clients.
    pub const DNS_NAME: Output<Self, String> = Output::new("dns_name");
    /// The hosted zone of that name, for alias records.
    pub const DNS_ZONE: Output<Self, String> = Output::new("dns_zone");
}

impl Resource for NetworkLoadBalancer {
    const KIND: &'static str = "NetworkLoadBalancer";
    const OUTPUTS: &'static [&'static str] = &[Self::DNS_NAME.name(), Self::DNS_ZONE.name()];
    type Resolved = NetworkLoadBalancer<Closed>;
}

pub(crate) struct NetworkLoadBalancers(pub(crate) Clients);

type Balancer = NetworkLoadBalancer<Closed>;

const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const LOG: &str = "access_logs.s3.enabled";
const LOG_BUCKET: &str = "access_logs.s3.bucket";
const LOG_PREFIX: &str = "access_logs.s3.prefix";

impl NetworkLoadBalancers {
    /// The fields that the listing of load balancers omits; `None` if the load balancer is gone.
    async fn attributes(&self, cx: &Context, arn: &str) -> Result<Option<Vec<LoadBalancerAttribute>>> {
        let request = self.0.elb.describe_load_balancer_attributes().load_balancer_arn(arn);
        let call = "elasticloadbalancing:DescribeLoadBalancerAttributes";
        let answer = if_found(self.0.call(cx, call, request.send()).await)?;
        Ok(answer.map(|answer| answer.attributes.unwrap_or_default()))
    }

    async fn set_attributes(&self, request: &Update<'_, Balancer>) -> Result<()> {
        let log = request.spec.access_log.as_ref();
        let mut attributes = vec![(CROSS_ZONE, request.spec.cross_zone.to_string())];
        if request.changed.contains("access_log") {
            attributes.push((LOG, log.is_some().to_string()));
            attributes.extend(log.map(|log| (LOG_BUCKET, log.bucket.clone())));
            attributes.extend(log.map(|log| (LOG_PREFIX, log.prefix.clone())));
        }
        let attributes = attributes
            .into_iter()
            .map(|(key, value)| LoadBalancerAttribute::builder().key(key).value(value).build())
            .collect();
        let modify = self.0.elb.modify_load_balancer_attributes();
        let modify = modify.load_balancer_arn(&request.object.id).set_attributes(Some(attributes));
        let call = "elasticloadbalancing:ModifyLoadBalancerAttributes";
        self.0.call(request.cx, call, modify.send()).await?;
        Ok(())
    }

    async fn set_security_groups(&self, request: &Update<'_, Balancer>) -> Result<()> {
        if request.object.spec.security_groups.is_empty() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "security groups cannot be added to a load balancer that was created without any",
            )
            .with_hint("delete it, and it will be created again"));
        }
        let groups = request.spec.security_groups.iter().map(ToString::to_string).collect();
        let set = self.0.elb.set_security_groups().load_balancer_arn(&request.object.id);
        let set = set.set_security_groups(Some(groups));
        self.0.call(request.cx, "elasticloadbalancing:SetSecurityGroups", set.send()).await?;
        Ok(())
    }

    /// AWS refuses another subnet or address for a zone ("already associated with the load balancer") unless the zone
    /// was removed before. Subnets do not tell their zones here, so that what goes is always removed before anything
    /// is added.
    async fn set_subnets(&self, request: &Update<'_, Balancer>) -> Result<()> {
        let (former, wanted) = (&request.object.spec.subnets, &request.spec.subnets);
        let kept: Vec<_> = former.intersection(wanted).map(mapping).collect();
        if !kept.is_empty() && kept.len() < former.len() && kept.len() < wanted.len() {
            self.attach_to(request, kept).await?;
        }
        self.attach_to(request, wanted.iter().map(mapping).collect()).await
    }

    /// Attaches the load balancer to these subnets and no others, which is harmless if it is already.
    async fn attach_to(&self, request: &Update<'_, Balancer>, subnets: Vec<SubnetMapping>) -> Result<()> {
        let set = self.0.elb.set_subnets().load_balancer_arn(&request.object.id);
        let set = set.set_subnet_mappings(Some(subnets));
        self.0.call(request.cx, "elasticloadbalancing:SetSubnets", set.send()).await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for NetworkLoadBalancers {
    type Kind = NetworkLoadBalancer;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "scheme" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    fn mutability_of(&self, field: &str, before: &Value, after: &Value) -> Mutability {
        match field {
            "subnets" if keeps_none(before, after) => Mutability::Replace,
            _ => self.mutability(field),
        }
    }

    fn timing(&self) -> Timing {
        Timing::new()
            .call(Duration::from_millis(700))
            .settle(Duration::from_mins(2))
            .vanish(Duration::from_secs(10))
            .poll(Duration::from_secs(10))
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        balancing::tags_of_scope(&self.0, scope, cx).await.map(drop)
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Balancer>>> {
        let cx = &balancing::context(query);
        let listed = balancing::listed(&self.0, cx).await?;
        let wanted = listed
            .balancers
            .iter()
            .filter(|it| balancing::is_wanted(query, it.load_balancer_name.as_deref()));
        let early = wanted
            .filter_map(|it| it.load_balancer_arn.as_deref())
            .map(async |arn| Ok((arn, self.attributes(cx, arn).await?)));
        let tags = balancing::tags_for(&self.0, query, cx);
        let (tags, early) = try_join(tags, try_join_all(early)).await?;
        let early: HashMap<_, _> = early.into_iter().collect();
        // Those of others in the scope's networks stand in the way when everything is to go.
        let own =
            if listing::is_dissolving(query) { vpc::ids(&self.0, query).await? } else { BTreeSet::new() };
        let objects = listed.balancers.iter().filter_map(|it| {
            let in_the_way = it.vpc_id.as_ref().is_some_and(|vpc| own.contains(vpc));
            object(query, it, &tags, in_the_way)
        });
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

    async fn create(&self, request: Create<'_, Balancer>) -> Result<Object<Balancer>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let groups: Vec<_> = spec.security_groups.iter().map(ToString::to_string).collect();
        let create = self
            .0
            .elb
            .create_load_balancer()
            .name(names::balancing(request.name, request.scope.name()))
            .r#type(LoadBalancerTypeEnum::Network)
            .scheme(match spec.scheme {
                Scheme::Public => LoadBalancerSchemeEnum::InternetFacing,
                Scheme::Internal => LoadBalancerSchemeEnum::Internal,
            })
            .set_subnet_mappings(Some(spec.subnets.iter().map(mapping).collect()))
            .set_security_groups((!groups.is_empty()).then_some(groups))
            .set_tags(Some(balancing::write(&tags)));
        let made = self.0.call(request.cx, "elasticloadbalancing:CreateLoadBalancer", create.send()).await?;
        let made = made.load_balancers.unwrap_or_default().into_iter().next();
        let made = made.ok_or_else(|| Error::internal("the response contains no load balancer"))?;
        let arn = made.load_balancer_arn.as_deref().unwrap_or_default();
        // Attributes of a new load balancer have AWS's defaults: off.
        let spec = Balancer { cross_zone: false, access_log: None, ..spec.clone() };
        Ok(with_outputs(Object::owned(arn, request.name, spec), &made))
    }

    async fn update(&self, request: Update<'_, Balancer>) -> Result<Object<Balancer>> {
        let changed = |member: &str| request.changed.contains(member);
        if changed("tags") {
            balancing::set_tags(&self.0, request.cx, &request.object.id, &request.spec.tags).await?;
        }
        if changed("security_groups") {
            self.set_security_groups(&request).await?;
        }
        if changed("subnets") {
            self.set_subnets(&request).await?;
        }
        if changed("cross_zone") || changed("access_log") {
            self.set_attributes(&request).await?;
        }
        Ok(request.object.clone().spec(request.spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Balancer>) -> Result<Deletion> {
        let delete = self.0.elb.delete_load_balancer().load_balancer_arn(&request.object.id);
        self.0.call(request.cx, "elasticloadbalancing:DeleteLoadBalancer", delete.send()).await?;
        Ok(Deletion::Pending)
    }
}

/// Whether no subnet attachment stays as it is. What goes is removed before anything is added, and a load balancer
/// cannot be left without a zone in between.
fn keeps_none(before: &Value, after: &Value) -> bool {
    let legs = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (before, after) = (legs(before), legs(after));
    !before.is_empty() && !after.is_empty() && !before.iter().any(|leg| after.contains(leg))
}

fn mapping(leg: &Leg<Closed>) -> SubnetMapping {
    SubnetMapping::builder()
        .subnet_id(leg.subnet.as_str())
        .set_private_ipv4_address(leg.private_ip.clone())
        .set_allocation_id(leg.allocation.clone())
        .build()
}

fn object(
    query: &Query<'_>,
    balancer: &types::LoadBalancer,
    tags: &HashMap<String, Tags>,
    in_the_way: bool,
) -> Option<Object<Balancer>> {
    let arn = balancer.load_balancer_arn.as_deref()?;
    let name = balancer.load_balancer_name.as_deref()?;
    let nothing = Tags::new();
    let tags = tags.get(arn).unwrap_or(&nothing);
    let public = balancer.scheme == Some(LoadBalancerSchemeEnum::InternetFacing);
    let spec = NetworkLoadBalancer {
        scheme: if public { Scheme::Public } else { Scheme::Internal },
        subnets: balancer.availability_zones().iter().filter_map(leg).collect(),
        security_groups: balancer.security_groups().iter().map(Id::new).collect(),
        cross_zone: false,
        access_log: None,
        tags: tags::further(tags),
    };
    let object = with_outputs(balancing::object(query, arn, name, tags, spec), balancer);
    (in_the_way || balancing::is_asked_for(query, object.owner, arn, name)).then_some(object)
}

/// Adds the fields that only the attributes contain; without attributes, the load balancer was deleted after it was
/// listed.
fn with_attributes(
    mut object: Object<Balancer>,
    attributes: Option<&[LoadBalancerAttribute]>,
) -> Object<Balancer> {
    let Some(attributes) = attributes else { return object.state(State::Gone) };
    let get = |key: &str| {
        attributes.iter().find(|it| it.key.as_deref() == Some(key)).and_then(|it| it.value.clone())
    };
    let is = |key: &str| get(key).as_deref() == Some("true");
    object.spec.cross_zone = is(CROSS_ZONE);
    object.spec.access_log = is(LOG).then(|| AccessLog {
        bucket: get(LOG_BUCKET).unwrap_or_default(),
        prefix: get(LOG_PREFIX).unwrap_or_default(),
    });
    object
}

fn leg(zone: &types::AvailabilityZone) -> Option<Leg<Closed>> {
    let address = zone.load_balancer_addresses().first();
    Some(Leg {
        subnet: Id::new(zone.subnet_id.as_deref()?),
        private_ip: address.and_then(|address| address.private_ipv4_address.clone()),
        allocation: address.and_then(|address| address.allocation_id.clone()),
    })
}

fn with_outputs(object: Object<Balancer>, balancer: &types::LoadBalancer) -> Object<Balancer> {
    let state = balancer.state.as_ref();
    let reason = || state.and_then(|it| it.reason.clone()).unwrap_or_else(|| "it failed".to_owned());
    let state = match state.and_then(|it| it.code.as_ref()) {
        Some(LoadBalancerStateEnum::Provisioning) => State::Pending,
        Some(LoadBalancerStateEnum::Failed) => State::Failed(reason()),
        _ => State::Ready,
    };
    let mut object = object.state(state);
    // AWS returns both at once; without them nothing can refer to the load balancer.
    if let Some(name) = &balancer.dns_name {
        object = object.output(NetworkLoadBalancer::DNS_NAME, name.clone());
    }
    if let Some(zone) = &balancer.canonical_hosted_zone_id {
        object = object.output(NetworkLoadBalancer::DNS_ZONE, zone.clone());
    }
    object
}

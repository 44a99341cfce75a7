//! Listeners of network load balancers.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{self, Action, ActionTypeEnum, Certificate, ProtocolEnum};
use futures_util::future::{try_join, try_join_all};
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Update, pages,
};
use kops_core::graph::{Closed, Id, Input, Open, Setting, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::balancing;
use super::convert::port;
use super::{NetworkLoadBalancer, TargetGroup};
use crate::clients::Clients;
use crate::names;
use crate::tags::{self, Tags};

/// A port that a load balancer listens on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NetworkLoadBalancerListener<S: Stage = Open> {
    /// The load balancer.
    pub load_balancer: At<S, Id<NetworkLoadBalancer>>,
    /// The port.
    pub port: u16,
    /// `TCP`, `TLS` or `UDP`.
    pub protocol: String,
    /// The ARN of the certificate with which it terminates TLS.
    pub certificate: Option<String>,
    /// The security policy: TLS versions and ciphers.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub ssl_policy: Setting<String>,
    /// The target group that receives the connections.
    pub target_group: At<S, Id<TargetGroup>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for NetworkLoadBalancerListener {
    const KIND: &'static str = "NetworkLoadBalancerListener";
    type Resolved = NetworkLoadBalancerListener<Closed>;
}

pub(crate) struct Listeners(pub(crate) Clients);

type Listener = NetworkLoadBalancerListener<Closed>;

impl Listeners {
    /// The listeners of one load balancer; none if it is gone.
    async fn of_balancer(&self, query: &Query<'_>, arn: &str) -> Result<Vec<types::Listener>> {
        let listed = pages(|marker| {
            let request = self.0.elb.describe_listeners().load_balancer_arn(arn).set_marker(marker);
            async move {
                let call = "elasticloadbalancing:DescribeListeners";
                let page = self.0.call(query.cx, call, request.send()).await?;
                Ok((page.listeners.unwrap_or_default(), page.next_marker))
            }
        });
        match listed.await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// The listeners of these load balancers.
    async fn of_balancers(&self, query: &Query<'_>, arns: Vec<String>) -> Result<Vec<types::Listener>> {
        let listed = arns.iter().map(|arn| self.of_balancer(query, arn));
        Ok(try_join_all(listed).await?.into_iter().flatten().collect())
    }

    /// The listeners of the scope's load balancers: others cannot be the scope's.
    async fn of_scope(&self, query: &Query<'_>) -> Result<Vec<types::Listener>> {
        let listed = balancing::listed(&self.0, query.cx).await?;
        let wanted = wanted_balancers(query)?;
        let is_wanted = |name: Option<&str>| name.is_some_and(|name| wanted.contains(name));
        let (early, others): (Vec<_>, Vec<_>) =
            listed.balancers.iter().partition(|it| is_wanted(it.load_balancer_name.as_deref()));
        let early = early.into_iter().filter_map(|it| it.load_balancer_arn.clone()).collect();
        let tags = balancing::tags_for(&self.0, query, query.cx);
        let (tags, mut found) = try_join(tags, self.of_balancers(query, early)).await?;
        let is_ours =
            |arn: &String| tags.get(arn).is_some_and(|tags| tags::task(query.scope, tags).is_some());
        found.retain(|listener| listener.load_balancer_arn.as_ref().is_some_and(is_ours));
        let others = others.into_iter().filter_map(|it| it.load_balancer_arn.clone()).filter(is_ours);
        found.extend(self.of_balancers(query, others.collect()).await?);
        Ok(found)
    }
}

/// The names of the load balancers of the requested listeners.
fn wanted_balancers(query: &Query<'_>) -> Result<HashSet<String>> {
    let wanted = query.wanted_as::<NetworkLoadBalancerListener>()?;
    let task = |listener: &NetworkLoadBalancerListener| match &listener.load_balancer {
        Input::Output(output) => Some(names::balancing(output.task.name(), query.scope.name())),
        Input::Known(_) | Input::Concat(_) => None,
    };
    Ok(wanted.iter().filter_map(|(_, listener)| task(listener)).collect())
}

#[async_trait]
impl Handler for Listeners {
    type Kind = NetworkLoadBalancerListener;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "load_balancer" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Listener>>> {
        let listeners = match query.filter {
            Filter::Ids(ids) => {
                let balancers: BTreeSet<_> = ids.iter().filter_map(|id| balancer_of(id)).collect();
                let mut found = self.of_balancers(query, balancers.into_iter().collect()).await?;
                found.retain(|it| it.listener_arn.as_ref().is_some_and(|arn| ids.contains(arn)));
                found
            }
            Filter::Scope { .. } => self.of_scope(query).await?,
        };
        let arns: Vec<_> = listeners.iter().filter_map(|it| it.listener_arn.clone()).collect();
        let tags = balancing::tags_of(&self.0, query.cx, &arns).await?;
        Ok(listeners
            .iter()
            .filter_map(|it| {
                let arn = it.listener_arn.as_deref()?;
                let tags = tags.get(arn)?;
                Some(tags::object(query.scope, arn, tags, spec(it, tags)))
            })
            .collect())
    }

    async fn create(&self, request: Create<'_, Listener>) -> Result<Object<Listener>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let create = self
            .0
            .elb
            .create_listener()
            .load_balancer_arn(spec.load_balancer.as_str())
            .port(spec.port.into())
            .protocol(ProtocolEnum::from(spec.protocol.as_str()))
            .set_certificates(certificates(spec))
            .set_ssl_policy(spec.ssl_policy.managed().cloned())
            .default_actions(forward(spec))
            .set_tags(Some(balancing::write(&tags)));
        let made = self.0.call(request.cx, "elasticloadbalancing:CreateListener", create.send()).await?;
        let arn = made.listeners().first().and_then(|listener| listener.listener_arn.clone());
        let arn = arn.ok_or_else(|| Error::internal("the response contains no listener"))?;
        Ok(Object::owned(arn, request.name, spec.clone()))
    }

    async fn update(&self, request: Update<'_, Listener>) -> Result<Object<Listener>> {
        let Update { object, spec, changed, cx, .. } = request;
        if changed.contains("tags") {
            balancing::set_tags(&self.0, cx, &object.id, &spec.tags).await?;
        }
        if changed.iter().any(|member| member != "tags") {
            let modify = self
                .0
                .elb
                .modify_listener()
                .listener_arn(&object.id)
                .port(spec.port.into())
                .protocol(ProtocolEnum::from(spec.protocol.as_str()))
                .set_certificates(certificates(spec))
                .set_ssl_policy(spec.ssl_policy.managed().cloned())
                .default_actions(forward(spec));
            self.0.call(cx, "elasticloadbalancing:ModifyListener", modify.send()).await?;
        }
        Ok(object.clone().spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Listener>) -> Result<Deletion> {
        let delete = self.0.elb.delete_listener().listener_arn(&request.object.id);
        self.0.call(request.cx, "elasticloadbalancing:DeleteListener", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

/// The ARN of the load balancer of a listener, whose own ARN is
/// `arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/NAME/BALANCER/LISTENER`.
fn balancer_of(listener: &str) -> Option<String> {
    let (balancer, _) = listener.rsplit_once('/')?;
    Some(balancer.replacen(":listener/", ":loadbalancer/", 1))
}

fn certificates(spec: &Listener) -> Option<Vec<Certificate>> {
    spec.certificate.as_ref().map(|arn| vec![Certificate::builder().certificate_arn(arn).build()])
}

fn forward(spec: &Listener) -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(spec.target_group.as_str()).build()
}

fn spec(listener: &types::Listener, tags: &Tags) -> Listener {
    let action = listener.default_actions().first();
    // AWS returns the group in either of two places.
    let group = action.and_then(|action| {
        let forward = action.forward_config.as_ref().and_then(|it| it.target_groups().first());
        action.target_group_arn.clone().or_else(|| forward?.target_group_arn.clone())
    });
    NetworkLoadBalancerListener {
        load_balancer: Id::new(listener.load_balancer_arn.clone().unwrap_or_default()),
        port: port(listener.port),
        protocol: listener.protocol.as_ref().map(ToString::to_string).unwrap_or_default(),
        certificate: listener.certificates().first().and_then(|it| it.certificate_arn.clone()),
        ssl_policy: listener.ssl_policy.clone().map_or(Setting::Unmanaged, Setting::To),
        target_group: Id::new(group.unwrap_or_default()),
        tags: tags::further(tags),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listeners_arn_tells_its_balancer() {
        let listener =
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/api-x/50dc6c49/f2f7dc8e";
        let balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/api-x/50dc6c49";
        assert_eq!(balancer_of(listener).as_deref(), Some(balancer));
    }
}

//! Elastic Load Balancing: one listing for load balancers, target groups and listeners.
//!
//! Its listings have no filters, and tags are read in batches of 20. So everything is listed once per
//! observation; names tell which objects may be the scope's ([`names`](crate::names)); and the tags of all of
//! those, read together, tell for certain.
//!
//! The fields that the listings omit (attributes, listeners) take another call for each object. An object with the
//! name of a wanted task is almost certainly the scope's, so that call does not wait for the tags.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::types::{self, LoadBalancer, TargetGroup};
use futures_util::future::{try_join, try_join_all};
use kops_core::Result;
use kops_core::cloud::{Context, Filter, Object, Owner, Query, Scope, Wanted, pages};

use super::listing;
use crate::clients::Clients;
use crate::names;
use crate::tags::{self, Tags};

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html>
const PAGE: i32 = 400;
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>
const MOST_ARNS: usize = 20;

/// All objects.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) balancers: Vec<LoadBalancer>,
    pub(crate) groups: Vec<TargetGroup>,
}

/// The listings of an observation.
pub(crate) async fn listed(clients: &Clients, cx: &Context) -> Result<Arc<Listed>> {
    let list = async || {
        let (balancers, groups) = try_join(balancers(clients, cx), groups(clients, cx)).await?;
        Ok(Listed { balancers, groups })
    };
    cx.memo.get_or_try("load balancing", list).await
}

/// The tags of objects that may be the scope's, by ARN.
pub(crate) async fn tags_of_scope(
    clients: &Clients,
    scope: &Scope,
    cx: &Context,
) -> Result<Arc<HashMap<String, Tags>>> {
    let tags = async || {
        let listed = listed(clients, cx).await?;
        tags_of(clients, cx, &candidates(&listed, scope.name())).await
    };
    cx.memo.get_or_try("tags of load balancing", tags).await
}

/// The tags of objects that a query may be about: of all, regardless of their names, if objects that
/// controllers have created matter.
pub(crate) async fn tags_for(
    clients: &Clients,
    query: &Query<'_>,
    cx: &Context,
) -> Result<Arc<HashMap<String, Tags>>> {
    if !listing::is_dissolving(query) {
        return tags_of_scope(clients, query.scope, cx).await;
    }
    let tags = async || {
        let listed = listed(clients, cx).await?;
        tags_of(clients, cx, &arns(&listed, |_| true)).await
    };
    cx.memo.get_or_try("tags of all load balancing", tags).await
}

/// The context of a query of Elastic Load Balancing: that of its observation, or a fresh one for queries by
/// identifier, because the engine is waiting for a change.
pub(crate) fn context(query: &Query<'_>) -> Context {
    match query.filter {
        Filter::Scope { .. } => query.cx.clone(),
        Filter::Ids(_) => query.cx.fresh(),
    }
}

/// The ARNs of objects that may be the scope's, by name.
fn candidates(listed: &Listed, scope: &str) -> Vec<String> {
    arns(listed, |name| names::may_belong(name, scope))
}

/// The ARNs of objects with these names.
fn arns(listed: &Listed, ours: impl Fn(&str) -> bool) -> Vec<String> {
    let balancers = listed.balancers.iter().map(|it| (&it.load_balancer_name, &it.load_balancer_arn));
    let groups = listed.groups.iter().map(|it| (&it.target_group_name, &it.target_group_arn));
    let ours = |name: &Option<String>| name.as_deref().is_some_and(&ours);
    balancers.chain(groups).filter(|(name, _)| ours(name)).filter_map(|(_, arn)| arn.clone()).collect()
}

async fn balancers(clients: &Clients, cx: &Context) -> Result<Vec<LoadBalancer>> {
    pages(|marker| {
        let request = clients.elb.describe_load_balancers().page_size(PAGE).set_marker(marker);
        async move {
            let page = clients.call(cx, "elasticloadbalancing:DescribeLoadBalancers", request.send()).await?;
            Ok((page.load_balancers.unwrap_or_default(), page.next_marker))
        }
    })
    .await
}

async fn groups(clients: &Clients, cx: &Context) -> Result<Vec<TargetGroup>> {
    pages(|marker| {
        let request = clients.elb.describe_target_groups().page_size(PAGE).set_marker(marker);
        async move {
            let page = clients.call(cx, "elasticloadbalancing:DescribeTargetGroups", request.send()).await?;
            Ok((page.target_groups.unwrap_or_default(), page.next_marker))
        }
    })
    .await
}

/// The tags of these objects, by ARN.
pub(crate) async fn tags_of(
    clients: &Clients,
    cx: &Context,
    arns: &[String],
) -> Result<HashMap<String, Tags>> {
    let describe = |arns: &[String]| {
        let request = clients.elb.describe_tags().set_resource_arns(Some(arns.to_vec()));
        clients.call(cx, "elasticloadbalancing:DescribeTags", request.send())
    };
    let answers = try_join_all(arns.chunks(MOST_ARNS).map(describe)).await?;
    let described = answers.into_iter().flat_map(|answer| answer.tag_descriptions.unwrap_or_default());
    Ok(described.filter_map(|it| Some((it.resource_arn.clone()?, read(it.tags())))).collect())
}

/// Sets tags; other tags are kept.
pub(crate) async fn set_tags(clients: &Clients, cx: &Context, arn: &str, tags: &Tags) -> Result<()> {
    let request = clients.elb.add_tags().resource_arns(arn).set_tags(Some(write(tags)));
    clients.call(cx, "elasticloadbalancing:AddTags", request.send()).await?;
    Ok(())
}

fn read(tags: &[types::Tag]) -> Tags {
    let pair = |tag: &types::Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}

/// Tags in the API's form.
pub(crate) fn write(tags: &Tags) -> Vec<types::Tag> {
    tags.iter().map(|(key, value)| types::Tag::builder().key(key).value(value).build()).collect()
}

/// Whether the query asks for an object.
pub(crate) fn is_asked_for(query: &Query<'_>, owner: Owner, arn: &str, name: &str) -> bool {
    match query.filter {
        Filter::Ids(ids) => ids.iter().any(|id| id == arn),
        Filter::Scope { wanted, shared, .. } => {
            owner == Owner::Scope
                || shared.iter().any(|selector| *selector == arn || *selector == name)
                || holder(query, wanted, name).is_some()
        }
    }
}

/// Whether the query requests an object of this name, which is then almost certainly the scope's.
pub(crate) fn is_wanted(query: &Query<'_>, name: Option<&str>) -> bool {
    let Filter::Scope { wanted, .. } = query.filter else { return false };
    name.is_some_and(|name| holder(query, wanted, name).is_some())
}

/// The task that requests this name.
fn holder<'a>(query: &Query<'_>, wanted: &[Wanted<'a>], name: &str) -> Option<&'a str> {
    let scope = query.scope.name();
    wanted.iter().map(|wanted| wanted.name).find(|task| names::balancing(task, scope) == name)
}

/// An object with these tags; a foreign one is returned as the holder of the name that a task requests.
pub(crate) fn object<S>(query: &Query<'_>, arn: &str, name: &str, tags: &Tags, spec: S) -> Object<S> {
    let object = tags::object(query.scope, arn, tags, spec).alias(name);
    match (object.owner, query.filter) {
        (Owner::Other, Filter::Scope { dissolving: true, .. }) => {
            let object = tags::with_dependents(query.scope, tags, object.name(name.to_owned()));
            if object.dependent.is_some() { object.name(name.to_owned()) } else { object }
        }
        (Owner::Other, Filter::Scope { wanted, .. }) => {
            let task = holder(query, wanted, name).map(str::to_owned);
            object.name(task)
        }
        _ => object,
    }
}

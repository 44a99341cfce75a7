//! Classic load balancers, which controllers of clusters create for Services. No task creates one: they are listed
//! only when everything of a scope is to go.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancing::types::{LoadBalancerDescription, Tag};
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Query, Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{Ec2Subnet, SecurityGroup, Vpc, vpc};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A classic load balancer; its identifier is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ClassicLoadBalancer<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Its subnets.
    pub subnets: BTreeSet<At<S, Id<Ec2Subnet>>>,
    /// Its security groups.
    pub security_groups: BTreeSet<At<S, Id<SecurityGroup>>>,
}

impl Resource for ClassicLoadBalancer {
    const KIND: &'static str = "ClassicLoadBalancer";
    type Resolved = ClassicLoadBalancer<Closed>;
}

pub(crate) struct ClassicLoadBalancers(pub(crate) Clients);

type Balancer = ClassicLoadBalancer<Closed>;

/// <https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeTags.html>
const MOST_NAMES: usize = 20;

/// All of the region, once per observation.
async fn all(clients: &Clients, cx: &Context) -> Result<Arc<Vec<LoadBalancerDescription>>> {
    let list = async || {
        pages(|marker| {
            let request = clients.elb_classic.describe_load_balancers().page_size(400).set_marker(marker);
            async move {
                let call = "elasticloadbalancing:DescribeLoadBalancers";
                let page = clients.call(cx, call, request.send()).await?;
                Ok((page.load_balancer_descriptions.unwrap_or_default(), page.next_marker))
            }
        })
        .await
    };
    cx.memo.get_or_try("classic load balancers", list).await
}

impl ClassicLoadBalancers {
    /// The tags of load balancers, by name.
    async fn tags(&self, cx: &Context, names: &[String]) -> Result<HashMap<String, Tags>> {
        let describe = |names: &[String]| {
            let request = self.0.elb_classic.describe_tags().set_load_balancer_names(Some(names.to_vec()));
            self.0.call(cx, "elasticloadbalancing:DescribeTags", request.send())
        };
        let answers = try_join_all(names.chunks(MOST_NAMES).map(describe)).await?;
        let described = answers.into_iter().flat_map(|answer| answer.tag_descriptions.unwrap_or_default());
        Ok(described.filter_map(|it| Some((it.load_balancer_name.clone()?, read(it.tags())))).collect())
    }
}

fn read(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone().unwrap_or_default())).collect()
}

#[async_trait]
impl Handler for ClassicLoadBalancers {
    type Kind = ClassicLoadBalancer;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Balancer>>> {
        let fresh = query.cx.fresh();
        let (cx, own) = match query.filter {
            Filter::Scope { dissolving: false, .. } => return Ok(Vec::new()),
            Filter::Scope { .. } => (query.cx, vpc::ids(&self.0, query).await?),
            Filter::Ids(_) => (&fresh, BTreeSet::new()),
        };
        let all = all(&self.0, cx).await?;
        let names: Vec<_> = all.iter().filter_map(|it| it.load_balancer_name.clone()).collect();
        let tags = self.tags(cx, &names).await?;
        let nothing = Tags::new();
        let objects = all.iter().filter_map(|it| {
            let name = it.load_balancer_name.as_deref()?;
            let object = Object::foreign(name, observed(it)).name(name.to_owned());
            Some(tags::with_dependents(query.scope, tags.get(name).unwrap_or(&nothing), object))
        });
        Ok(objects
            .filter(|object| match query.filter {
                Filter::Ids(ids) => ids.contains(&object.id),
                // Those of others in the scope's networks stand in the way.
                Filter::Scope { .. } => object.dependent.is_some() || own.contains(object.spec.vpc.as_str()),
            })
            .collect())
    }

    async fn create(&self, _: Create<'_, Balancer>) -> Result<Object<Balancer>> {
        Err(not_ours())
    }

    async fn update(&self, _: Update<'_, Balancer>) -> Result<Object<Balancer>> {
        Err(not_ours())
    }

    async fn delete(&self, request: Delete<'_, Balancer>) -> Result<Deletion> {
        let delete = self.0.elb_classic.delete_load_balancer().load_balancer_name(&request.object.id);
        self.0.call(request.cx, "elasticloadbalancing:DeleteLoadBalancer", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

fn not_ours() -> Error {
    Error::new(ErrorKind::Unsupported, "classic load balancers are not created")
        .with_hint("use a network load balancer")
}

fn observed(balancer: &LoadBalancerDescription) -> Balancer {
    ClassicLoadBalancer {
        vpc: Id::new(balancer.vpc_id.clone().unwrap_or_default()),
        subnets: balancer.subnets().iter().map(Id::new).collect(),
        security_groups: balancer.security_groups().iter().map(Id::new).collect(),
    }
}

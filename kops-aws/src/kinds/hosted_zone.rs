//! Hosted zones of Route 53: looked up for most clusters, created on request.
//!
//! Zones can be tagged only after they were created, and listings do not contain the tags; so the comment,
//! which is set on creation, carries the ownership mark.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_route53::types::{self, HostedZoneConfig, Vpc as ZoneVpc, VpcRegion};
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query,
    Scope, State, Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, DnsZone, Output, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::Vpc;
use crate::clients::Clients;
use kops_core::cloud::Mark;

/// A DNS zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct HostedZone<S: Stage = Open> {
    /// Its name, without the final dot.
    pub name: String,
    /// The VPC that can resolve a private zone; the zone is public if `None`.
    pub vpc: Option<At<S, Id<Vpc>>>,
}

impl HostedZone {
    /// The name, without the final dot.
    pub const NAME: Output<Self, String> = Output::new("name");
}

impl Resource for HostedZone {
    const KIND: &'static str = "HostedZone";
    const OUTPUTS: &'static [&'static str] = &[Self::NAME.name()];
    type Resolved = HostedZone<Closed>;
}

pub(crate) struct HostedZones(pub(crate) Clients);

type Zone = HostedZone<Closed>;

/// All zones of the account, once per observation: there is no filter by name.
pub(crate) async fn all(clients: &Clients, cx: &Context) -> Result<Arc<Vec<types::HostedZone>>> {
    let list = async || {
        pages(|marker| {
            let request = clients.route53.list_hosted_zones().set_marker(marker);
            async move {
                let page = clients.call(cx, "route53:ListHostedZones", request.send()).await?;
                Ok((page.hosted_zones, page.next_marker.filter(|_| page.is_truncated)))
            }
        })
        .await
    };
    cx.memo.get_or_try("hosted zones", list).await
}

/// The identifier, which some responses give as `/hostedzone/Z…`.
pub(crate) fn id_of(zone: &types::HostedZone) -> &str {
    bare(&zone.id)
}

pub(super) fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// The name without the final dot.
pub(crate) fn name_of(zone: &types::HostedZone) -> &str {
    zone.name.strip_suffix('.').unwrap_or(&zone.name)
}

impl HostedZones {
    async fn object(&self, query: &Query<'_>, zone: &types::HostedZone) -> Result<Object<Zone>> {
        let (id, name) = (id_of(zone), name_of(zone));
        let config = zone.config.as_ref();
        let private = config.is_some_and(|config| config.private_zone);
        let mark = config.and_then(|config| Mark::read(query.scope, config.comment.as_deref()?));
        let spec = HostedZone { name: name.to_owned(), vpc: None };
        let mut object = match mark {
            Some(mark) => mark.object(id, spec),
            None => Object::foreign(id, spec),
        };
        if private && object.owner == Owner::Scope {
            let get = self.0.route53.get_hosted_zone().id(id);
            let found = match self.0.call(query.cx, "route53:GetHostedZone", get.send()).await {
                // It was deleted after the listing.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(object.state(State::Gone)),
                found => found?,
            };
            object.spec.vpc = found.vpcs().first().and_then(|vpc| vpc.vpc_id.as_deref()).map(Id::new);
        }
        let object = object.alias(name).alias(DnsZone::selector(name, private));
        Ok(object.output(HostedZone::NAME, name.to_owned()))
    }
}

#[async_trait]
impl Handler for HostedZones {
    type Kind = HostedZone;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _field: &str) -> Mutability {
        Mutability::Replace
    }

    async fn prefetch(&self, _: &Scope, cx: &Context) -> Result<()> {
        all(&self.0, cx).await.map(drop)
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Zone>>> {
        // The engine is waiting for a change, so an observation's memoised listing is of no use.
        let fresh = query.cx.fresh();
        let cx = if matches!(query.filter, Filter::Ids(_)) { &fresh } else { query.cx };
        let zones = all(&self.0, cx).await?;
        let mut found = try_join_all(zones.iter().map(|zone| self.object(query, zone))).await?;
        found.retain(|object| match query.filter {
            Filter::Ids(ids) => ids.contains(&object.id),
            Filter::Scope { shared, .. } => {
                object.owner == Owner::Scope || shared.iter().any(|selector| object.matches(selector))
            }
        });
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Zone>) -> Result<Object<Zone>> {
        let spec = request.spec;
        let config = HostedZoneConfig::builder()
            .comment(Mark::of_new(&request).text())
            .private_zone(spec.vpc.is_some())
            .build();
        let region = self.0.route53.config().region().map(ToString::to_string).unwrap_or_default();
        let vpc = spec.vpc.as_ref().map(|vpc| {
            ZoneVpc::builder().vpc_id(vpc.as_str()).vpc_region(VpcRegion::from(region.as_str())).build()
        });
        let create = self
            .0
            .route53
            .create_hosted_zone()
            .name(&spec.name)
            .caller_reference(request.token)
            .hosted_zone_config(config)
            .set_vpc(vpc);
        let made = self.0.call(request.cx, "route53:CreateHostedZone", create.send()).await?;
        let zone = made.hosted_zone.ok_or_else(|| Error::internal("the response contains no zone"))?;
        let object = Object::owned(id_of(&zone), request.name, spec.clone());
        Ok(object.output(HostedZone::NAME, spec.name.clone()))
    }

    async fn update(&self, request: Update<'_, Zone>) -> Result<Object<Zone>> {
        Err(Error::internal("a zone cannot be changed in place").with_task(request.name))
    }

    async fn delete(&self, request: Delete<'_, Zone>) -> Result<Deletion> {
        let delete = self.0.route53.delete_hosted_zone().id(&request.object.id);
        self.0.call(request.cx, "route53:DeleteHostedZone", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

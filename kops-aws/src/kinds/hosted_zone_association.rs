//! Associations of private zones with VPCs.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_route53::types::{self, VpcRegion};
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query, Update, pages,
    refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{HostedZone, Vpc, child, hosted_zone, vpc};
use crate::clients::Clients;
use crate::tags;

/// Associates an existing private zone with a VPC, whose machines can then resolve its names.
///
/// It carries no tags: those of the scope's own VPCs are owned by the scope. To save calls, a plan looks for them only
/// if its graph has one or is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct HostedZoneAssociation<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<HostedZone>>,
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
}

impl Resource for HostedZoneAssociation {
    const KIND: &'static str = "HostedZoneAssociation";
    type Resolved = HostedZoneAssociation<Closed>;
}

pub(crate) struct HostedZoneAssociations(pub(crate) Clients);

type Association = HostedZoneAssociation<Closed>;

impl HostedZoneAssociations {
    /// The region of the clients, which is that of the scope's VPCs.
    fn region(&self) -> VpcRegion {
        let region = self.0.route53.config().region().map(ToString::to_string).unwrap_or_default();
        VpcRegion::from(region.as_str())
    }

    fn vpc(&self, id: &str) -> types::Vpc {
        types::Vpc::builder().vpc_id(id).vpc_region(self.region()).build()
    }

    /// The zones that are associated with a VPC, by their identifiers.
    async fn zones_of(&self, query: &Query<'_>, vpc: &str) -> Result<Vec<String>> {
        let zones = pages(|token| {
            let request = self.0.route53.list_hosted_zones_by_vpc().vpc_id(vpc).vpc_region(self.region());
            let request = request.set_next_token(token);
            async move {
                let page = self.0.call(query.cx, "route53:ListHostedZonesByVPC", request.send()).await?;
                Ok((page.hosted_zone_summaries, page.next_token.filter(|token| !token.is_empty())))
            }
        })
        .await?;
        let own = self.zones_of_scope(query).await?;
        let zones = zones.into_iter().map(|zone| hosted_zone::bare(&zone.hosted_zone_id).to_owned());
        Ok(zones.filter(|zone| !own.contains(zone)).collect())
    }

    /// The scope's own zones, which come and go with their VPC.
    async fn zones_of_scope(&self, query: &Query<'_>) -> Result<BTreeSet<String>> {
        let scope = query.scope.at(self.region().as_str());
        let all = hosted_zone::all(&self.0, query.cx).await?;
        let own = all.iter().filter(|zone| {
            let comment = zone.config.as_ref().and_then(|config| config.comment.as_deref());
            comment.is_some_and(|comment| Mark::read(&scope, comment).is_some())
        });
        Ok(own.map(|zone| hosted_zone::id_of(zone).to_owned()).collect())
    }
}

#[async_trait]
impl Handler for HostedZoneAssociations {
    type Kind = HostedZoneAssociation;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Association>>> {
        let needless = match query.filter {
            Filter::Scope { wanted, dissolving, .. } => wanted.is_empty() && !dissolving,
            Filter::Ids(ids) => ids.is_empty(),
        };
        if needless {
            return Ok(Vec::new());
        }
        let vpcs = vpc::owned(&self.0, query).await?;
        let wanted = query.wanted_as::<HostedZoneAssociation>()?;
        let mut own = Vec::new();
        for vpc in vpcs.iter() {
            let tags = tags::read(vpc.tags());
            if let (Some(id), Some(task)) = (vpc.vpc_id(), tags::task(query.scope, &tags).map(str::to_owned))
            {
                own.push((id, tags, task));
            }
        }
        let zones = try_join_all(own.iter().map(|(id, ..)| self.zones_of(query, id))).await?;
        let mut found = Vec::new();
        for ((id, tags, task), zones) in own.iter().zip(zones) {
            let named = wanted.iter().find(|(_, it)| refers_to(&it.vpc, id, Some(task.as_str())));
            let name = named.map_or(task.as_str(), |(name, _)| *name);
            found.extend(zones.into_iter().map(|zone| {
                let spec = Association { zone: Id::new(&zone), vpc: Id::new(*id) };
                child::inside(tags, Object::owned(id_of(&zone, id), name, spec))
            }));
        }
        if let Filter::Ids(ids) = query.filter {
            found.retain(|object| ids.contains(&object.id));
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Association>) -> Result<Object<Association>> {
        let spec = request.spec;
        let call = self.0.route53.associate_vpc_with_hosted_zone().hosted_zone_id(spec.zone.as_str());
        let call = call.vpc(self.vpc(spec.vpc.as_str()));
        self.0.call(request.cx, "route53:AssociateVPCWithHostedZone", call.send()).await?;
        Ok(Object::owned(id_of(spec.zone.as_str(), spec.vpc.as_str()), request.name, spec.clone()))
    }

    async fn update(&self, request: Update<'_, Association>) -> Result<Object<Association>> {
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, Association>) -> Result<Deletion> {
        let spec = &request.object.spec;
        let call = self.0.route53.disassociate_vpc_from_hosted_zone().hosted_zone_id(spec.zone.as_str());
        let call = call.vpc(self.vpc(spec.vpc.as_str()));
        match self.0.call(request.cx, "route53:DisassociateVPCFromHostedZone", call.send()).await {
            // A private zone keeps its last association, even with a VPC that is gone.
            Err(error) if error.message().starts_with("LastVPCAssociation") => Ok(Deletion::Done),
            other => other.map(|_| Deletion::Done),
        }
    }
}

fn id_of(zone: &str, vpc: &str) -> String {
    format!("{zone}:{vpc}")
}

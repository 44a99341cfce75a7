//! Egress-only internet gateways.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, ResourceType};
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query, Scope,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Vpc, listing};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// Lets machines of a VPC open IPv6 connections to the internet, and blocks incoming ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct EgressOnlyInternetGateway<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for EgressOnlyInternetGateway {
    const KIND: &'static str = "EgressOnlyInternetGateway";
    type Resolved = EgressOnlyInternetGateway<Closed>;
}

#[derive(Debug)]
pub(crate) struct EgressOnlyInternetGateways(pub(crate) Clients);

#[async_trait]
impl Handler for EgressOnlyInternetGateways {
    type Kind = EgressOnlyInternetGateway;

    fn identity(&self) -> IdentityClass {
        // The call supports client tokens too; but for a day after the deletion of a gateway, its token is
        // answered with the deleted gateway.
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "tags" { Mutability::InPlace } else { Mutability::Replace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<EgressOnlyInternetGateway<Closed>>>> {
        // Identifiers cannot be filtered by, so all are read to find foreign ones.
        let filter = match query.filter {
            Filter::Scope { shared: [], .. } => Some(tags::filter(query.scope)),
            _ => None,
        };
        let found = listing::egress_only_gateways(&self.0, query.cx, filter).await?;
        let objects = found.iter().map(|gateway| observed(query.scope, gateway));
        let meant = |object: &Object<EgressOnlyInternetGateway<Closed>>| match query.filter {
            Filter::Scope { shared, .. } => {
                object.owner == Owner::Scope || shared.contains(&object.id.as_str())
            }
            Filter::Ids(ids) => ids.contains(&object.id),
        };
        Ok(objects.filter(meant).collect())
    }

    async fn create(
        &self,
        request: Create<'_, EgressOnlyInternetGateway<Closed>>,
    ) -> Result<Object<EgressOnlyInternetGateway<Closed>>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let call = self.0.ec2.create_egress_only_internet_gateway().vpc_id(spec.vpc.as_str());
        let call =
            call.tag_specifications(tags::specification(ResourceType::EgressOnlyInternetGateway, &tags));
        let made = self.0.call(request.cx, "ec2:CreateEgressOnlyInternetGateway", call.send()).await?;
        let gateway = made
            .egress_only_internet_gateway
            .ok_or_else(|| listing::unanswered("ec2:CreateEgressOnlyInternetGateway"))?;
        let id = gateway.egress_only_internet_gateway_id().unwrap_or_default();
        let spec = EgressOnlyInternetGateway { tags: tags::further(&tags), ..spec.clone() };
        Ok(tags::object(request.scope, id, &tags, spec))
    }

    async fn update(
        &self,
        request: Update<'_, EgressOnlyInternetGateway<Closed>>,
    ) -> Result<Object<EgressOnlyInternetGateway<Closed>>> {
        let mut now = request.object.clone();
        tags::set(&self.0, request.cx, &now.id, &request.spec.tags).await?;
        now.spec.tags.extend(request.spec.tags.clone());
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        request: Adopt<'_, EgressOnlyInternetGateway<Closed>>,
    ) -> Result<Object<EgressOnlyInternetGateway<Closed>>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, EgressOnlyInternetGateway<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.delete_egress_only_internet_gateway();
        let call = call.egress_only_internet_gateway_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteEgressOnlyInternetGateway", call.send()).await?;
        Ok(Deletion::Done)
    }
}

fn observed(
    scope: &Scope,
    gateway: &types::EgressOnlyInternetGateway,
) -> Object<EgressOnlyInternetGateway<Closed>> {
    let tags = tags::read(gateway.tags());
    let vpc = gateway.attachments().first().and_then(|attachment| attachment.vpc_id());
    let spec =
        EgressOnlyInternetGateway { vpc: Id::new(vpc.unwrap_or_default()), tags: tags::further(&tags) };
    tags::object(scope, gateway.egress_only_internet_gateway_id().unwrap_or_default(), &tags, spec)
}

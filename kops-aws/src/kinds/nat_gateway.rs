//! NAT gateways.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, NatGatewayState, ResourceType};
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mutability, Object, Query, Replacement, Scope,
    State, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::{Ec2Subnet, ElasticIp, listing, vpc};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// Lets machines without public addresses open connections to the internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ec2NatGateway<S: Stage = Open> {
    /// The public subnet that contains it; the VPC must have an internet gateway.
    pub subnet: At<S, Id<Ec2Subnet>>,
    /// The public address of its connections.
    pub address: At<S, Id<ElasticIp>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Ec2NatGateway {
    /// The public address, in dotted form.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for Ec2NatGateway {
    const KIND: &'static str = "Ec2NatGateway";
    const OUTPUTS: &'static [&'static str] = &[Self::PUBLIC_IP.name()];
    type Resolved = Ec2NatGateway<Closed>;
}

#[derive(Debug)]
pub(crate) struct NatGateways(pub(crate) Clients);

#[async_trait]
impl Handler for NatGateways {
    type Kind = Ec2NatGateway;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Token
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "tags" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn replacement(&self) -> Replacement {
        Replacement::CreateFirst
    }

    fn timing(&self) -> Timing {
        // As observed on AWS: creation takes one and a half to two minutes, deletion one.
        Timing::new().settle(Duration::from_secs(95)).vanish(Duration::from_mins(1))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Ec2NatGateway<Closed>>>> {
        let mut filters = listing::filters(query, "nat-gateway-id");
        if listing::is_dissolving(query) {
            // Those of others in the scope's networks stand in the way.
            let own: Vec<_> = vpc::ids(&self.0, query).await?.into_iter().collect();
            filters.extend(listing::any_of("vpc-id", &own));
        }
        let found = listing::find(filters, |filter| listing::nat_gateways(&self.0, query.cx, filter)).await?;
        Ok(listing::each_once(found.iter().map(|gateway| observed(query.scope, gateway)).collect()))
    }

    async fn create(
        &self,
        request: Create<'_, Ec2NatGateway<Closed>>,
    ) -> Result<Object<Ec2NatGateway<Closed>>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let call = self.0.ec2.create_nat_gateway().client_token(request.token);
        let call = call.subnet_id(spec.subnet.as_str()).allocation_id(spec.address.as_str());
        let call = call.tag_specifications(tags::specification(ResourceType::Natgateway, &tags));
        let made = self.0.call(request.cx, "ec2:CreateNatGateway", call.send()).await?;
        let mut gateway = made.nat_gateway.ok_or_else(|| listing::unanswered("ec2:CreateNatGateway"))?;
        gateway.tags = Some(tags::ec2(&tags));
        let object = observed(request.scope, &gateway);
        // The address may not be in the response yet.
        Ok(object.map(|seen| Ec2NatGateway { address: spec.address.clone(), ..seen }))
    }

    async fn update(
        &self,
        request: Update<'_, Ec2NatGateway<Closed>>,
    ) -> Result<Object<Ec2NatGateway<Closed>>> {
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
        request: Adopt<'_, Ec2NatGateway<Closed>>,
    ) -> Result<Object<Ec2NatGateway<Closed>>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Ec2NatGateway<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.delete_nat_gateway().nat_gateway_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteNatGateway", call.send()).await?;
        Ok(Deletion::Pending)
    }
}

fn observed(scope: &Scope, gateway: &types::NatGateway) -> Object<Ec2NatGateway<Closed>> {
    let tags = tags::read(gateway.tags());
    // The first address is the one it was created with.
    let addresses = gateway.nat_gateway_addresses();
    let first = addresses.iter().find(|it| it.is_primary() == Some(true)).or(addresses.first());
    let spec = Ec2NatGateway {
        subnet: Id::new(gateway.subnet_id().unwrap_or_default()),
        address: Id::new(first.and_then(|it| it.allocation_id()).unwrap_or_default()),
        tags: tags::further(&tags),
    };
    let state = match gateway.state() {
        Some(NatGatewayState::Pending) => State::Pending,
        Some(NatGatewayState::Failed) => {
            let (code, message) = (gateway.failure_code(), gateway.failure_message());
            State::Failed([code, message].into_iter().flatten().collect::<Vec<_>>().join(": "))
        }
        Some(NatGatewayState::Deleting) => State::Deleting,
        // Listed for an hour, during which its token is answered with the deleted gateway.
        Some(NatGatewayState::Deleted) => State::Gone,
        _ => State::Ready,
    };
    let object = tags::object(scope, gateway.nat_gateway_id().unwrap_or_default(), &tags, spec).state(state);
    match first.and_then(|it| it.public_ip()) {
        Some(address) => object.output(Ec2NatGateway::PUBLIC_IP, address.to_owned()),
        None => object,
    }
}

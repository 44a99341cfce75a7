//! Additional CIDRs of VPCs.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, VpcCidrBlockStateCode};
use ipnet::IpNet;
use kops_core::Result;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Replacement, State,
    Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Vpc, child, listing, vpc};
use crate::clients::Clients;
use crate::tags;

/// An additional IPv4 CIDR of a VPC.
///
/// It carries no tags: those of the scope's own VPCs are owned by the scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct VpcCidrBlock<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// The CIDR.
    pub cidr: IpNet,
}

impl VpcCidrBlock {
    /// The default name of a CIDR's task.
    pub(crate) fn name_of(vpc: &str, cidr: IpNet) -> String {
        format!("{vpc}:{cidr}")
    }
}

impl Resource for VpcCidrBlock {
    const KIND: &'static str = "VpcCidrBlock";
    type Resolved = VpcCidrBlock<Closed>;
}

#[derive(Debug)]
pub(crate) struct VpcCidrBlocks(pub(crate) Clients);

#[async_trait]
impl Handler for VpcCidrBlocks {
    type Kind = VpcCidrBlock;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    fn replacement(&self) -> Replacement {
        Replacement::CreateFirst
    }

    /// A CIDR with subnets in it cannot be disassociated; which of them are is not told by any reference.
    fn delete_after(&self) -> &'static [&'static str] {
        &[<super::Ec2Subnet>::KIND]
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<VpcCidrBlock<Closed>>>> {
        let vpcs = match query.filter {
            Filter::Scope { .. } => vpc::owned(&self.0, query).await?,
            Filter::Ids(ids) => {
                let filters = listing::any_of("cidr-block-association.association-id", ids);
                listing::find(filters, |filter| listing::vpcs(&self.0, query.cx, filter)).await?.into()
            }
        };
        let wanted = query.wanted_as::<VpcCidrBlock>()?;
        let mut found = Vec::new();
        for vpc in vpcs.iter() {
            let tags = tags::read(vpc.tags());
            let Some(task) = tags::task(query.scope, &tags) else { continue };
            for block in vpc.cidr_block_association_set() {
                let object = observed(vpc.vpc_id().unwrap_or_default(), task, block, &wanted)?;
                let first = block.cidr_block() == vpc.cidr_block();
                let asked = !matches!(query.filter, Filter::Ids(ids) if !ids.contains(&object.id));
                if !first && asked && object.state != State::Gone {
                    found.push(child::inside(&tags, object));
                }
            }
        }
        Ok(found)
    }

    async fn create(
        &self,
        request: Create<'_, VpcCidrBlock<Closed>>,
    ) -> Result<Object<VpcCidrBlock<Closed>>> {
        let VpcCidrBlock { vpc, cidr } = request.spec;
        let call = self.0.ec2.associate_vpc_cidr_block().vpc_id(vpc.as_str()).cidr_block(cidr.to_string());
        let made = self.0.call(request.cx, "ec2:AssociateVpcCidrBlock", call.send()).await?;
        let block = made.cidr_block_association;
        let block = block.ok_or_else(|| listing::unanswered("ec2:AssociateVpcCidrBlock"))?;
        let object = observed(vpc.as_str(), "", &block, &[])?;
        Ok(object.name(request.name.to_owned()))
    }

    async fn update(
        &self,
        request: Update<'_, VpcCidrBlock<Closed>>,
    ) -> Result<Object<VpcCidrBlock<Closed>>> {
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, VpcCidrBlock<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.disassociate_vpc_cidr_block().association_id(&request.object.id);
        self.0.call(request.cx, "ec2:DisassociateVpcCidrBlock", call.send()).await?;
        Ok(Deletion::Done)
    }
}

fn observed(
    vpc: &str,
    task: &str,
    block: &types::VpcCidrBlockAssociation,
    wanted: &[(&str, VpcCidrBlock)],
) -> Result<Object<VpcCidrBlock<Closed>>> {
    let cidr = listing::cidr(block.cidr_block())?;
    let asked_for = wanted.iter().find(|(_, it)| it.cidr == cidr && refers_to(&it.vpc, vpc, Some(task)));
    let name = asked_for.map_or_else(|| VpcCidrBlock::name_of(task, cidr), |(name, _)| (*name).to_owned());
    let state = block.cidr_block_state();
    let state = match state.and_then(|it| it.state()) {
        Some(VpcCidrBlockStateCode::Associating) => State::Pending,
        Some(VpcCidrBlockStateCode::Disassociating) => State::Deleting,
        Some(VpcCidrBlockStateCode::Disassociated) => State::Gone,
        Some(VpcCidrBlockStateCode::Failed | VpcCidrBlockStateCode::Failing) => {
            State::Failed(state.and_then(|it| it.status_message()).unwrap_or("association failed").to_owned())
        }
        _ => State::Ready,
    };
    let spec = VpcCidrBlock { vpc: Id::new(vpc), cidr };
    Ok(Object::owned(block.association_id().unwrap_or_default(), name, spec).state(state))
}

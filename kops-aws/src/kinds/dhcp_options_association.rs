//! Associations of VPCs with DHCP options.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::types;
use futures_util::future::try_join;
use kops_core::Result;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{DhcpOptions, Vpc, child, dhcp_options, listing, vpc};
use crate::clients::Clients;
use crate::tags;

/// Associates DHCP options with a VPC; without an association, it has the region's default options.
///
/// It carries no tags: it is owned by the scope if both ends are. Its identifier is the VPC's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct DhcpOptionsAssociation<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Its options.
    pub options: At<S, Id<DhcpOptions>>,
}

impl Resource for DhcpOptionsAssociation {
    const KIND: &'static str = "DhcpOptionsAssociation";
    type Resolved = DhcpOptionsAssociation<Closed>;
}

/// The options of a VPC without an association.
const DEFAULT: &str = "default";

#[derive(Debug)]
pub(crate) struct DhcpOptionsAssociations(pub(crate) Clients);

#[async_trait]
impl Handler for DhcpOptionsAssociations {
    type Kind = DhcpOptionsAssociation;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "options" { Mutability::InPlace } else { Mutability::Replace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<DhcpOptionsAssociation<Closed>>>> {
        let options = dhcp_options::owned(&self.0, query);
        let vpcs = async {
            match query.filter {
                Filter::Scope { .. } => vpc::owned(&self.0, query).await,
                Filter::Ids(ids) => {
                    let filters = listing::any_of("vpc-id", ids);
                    Ok(listing::find(filters, |filter| listing::vpcs(&self.0, query.cx, filter))
                        .await?
                        .into())
                }
            }
        };
        let (options, vpcs) = try_join(options, vpcs).await?;
        let ours: BTreeMap<_, _> = options
            .iter()
            .filter_map(|options| {
                let tags = tags::read(options.tags());
                Some((options.dhcp_options_id()?, tags::task(query.scope, &tags)?.to_owned()))
            })
            .collect();
        let wanted = query.wanted_as::<DhcpOptionsAssociation>()?;
        let association = |vpc: &types::Vpc| {
            let (id, options) = (vpc.vpc_id()?, vpc.dhcp_options_id()?);
            let tags = tags::read(vpc.tags());
            let task = tags::task(query.scope, &tags)?;
            let asked_for = wanted.iter().find(|(_, it)| refers_to(&it.vpc, id, Some(task)));
            // Without an association a VPC has the region's default options, which are no different from
            // anyone's. So foreign options count only if foreign options are requested.
            let wants_others = asked_for
                .is_some_and(|(_, it)| !ours.iter().any(|(id, task)| refers_to(&it.options, id, Some(task))));
            if !ours.contains_key(options) && !wants_others {
                return None;
            }
            let name = asked_for.map_or(task, |(name, _)| name);
            let spec = DhcpOptionsAssociation { vpc: Id::new(id), options: Id::new(options) };
            Some(child::inside(&tags, Object::owned(id, name, spec)))
        };
        Ok(vpcs.iter().filter_map(association).collect())
    }

    async fn create(
        &self,
        request: Create<'_, DhcpOptionsAssociation<Closed>>,
    ) -> Result<Object<DhcpOptionsAssociation<Closed>>> {
        let spec = request.spec;
        let call = self.0.ec2.associate_dhcp_options().vpc_id(spec.vpc.as_str());
        let call = call.dhcp_options_id(spec.options.as_str());
        self.0.call(request.cx, "ec2:AssociateDhcpOptions", call.send()).await?;
        Ok(Object::owned(spec.vpc.as_str(), request.name, spec.clone()))
    }

    async fn update(
        &self,
        request: Update<'_, DhcpOptionsAssociation<Closed>>,
    ) -> Result<Object<DhcpOptionsAssociation<Closed>>> {
        let spec = request.spec;
        let call = self.0.ec2.associate_dhcp_options().vpc_id(spec.vpc.as_str());
        let call = call.dhcp_options_id(spec.options.as_str());
        self.0.call(request.cx, "ec2:AssociateDhcpOptions", call.send()).await?;
        Ok(request.object.clone().spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, DhcpOptionsAssociation<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.associate_dhcp_options().vpc_id(&request.object.id).dhcp_options_id(DEFAULT);
        self.0.call(request.cx, "ec2:AssociateDhcpOptions", call.send()).await?;
        Ok(Deletion::Done)
    }
}

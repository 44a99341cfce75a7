//! Associations of subnets with route tables.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, RouteTableAssociationStateCode};
use futures_util::future::try_join;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query,
    Replacement, State, Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{Ec2Subnet, RouteTable, child, listing, route_table, subnet};
use crate::clients::Clients;
use crate::tags;

/// Associates a route table with a subnet; without an association, it uses the VPC's main one.
///
/// It carries no tags: it is owned by the scope if both ends are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RouteTableAssociation<S: Stage = Open> {
    /// The subnet.
    pub subnet: At<S, Id<Ec2Subnet>>,
    /// Its route table.
    pub table: At<S, Id<RouteTable>>,
}

impl Resource for RouteTableAssociation {
    const KIND: &'static str = "RouteTableAssociation";
    type Resolved = RouteTableAssociation<Closed>;
}

#[derive(Debug)]
pub(crate) struct RouteTableAssociations(pub(crate) Clients);

#[async_trait]
impl Handler for RouteTableAssociations {
    type Kind = RouteTableAssociation;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "table" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn replacement(&self) -> Replacement {
        Replacement::CreateFirst
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<RouteTableAssociation<Closed>>>> {
        let tables = async {
            match query.filter {
                Filter::Scope { .. } => route_table::owned(&self.0, query).await,
                Filter::Ids(ids) => {
                    let filters = listing::any_of("association.route-table-association-id", ids);
                    let describe = |filter| listing::route_tables(&self.0, query.cx, filter);
                    Ok(listing::find(filters, describe).await?.into())
                }
            }
        };
        let (tables, subnets) = try_join(tables, subnet::owned(&self.0, query)).await?;
        let subnets: HashMap<_, _> = subnets
            .iter()
            .filter_map(|subnet| {
                let tags = tags::read(subnet.tags());
                Some((subnet.subnet_id()?, tags::task(query.scope, &tags)?.to_owned()))
            })
            .collect();
        let wanted = query.wanted_as::<RouteTableAssociation>()?;
        let mut found = Vec::new();
        for table in tables.iter() {
            let tags = tags::read(table.tags());
            if tags::task(query.scope, &tags).is_none() {
                continue;
            }
            for association in table.associations() {
                let asked = match query.filter {
                    Filter::Scope { .. } => true,
                    Filter::Ids(ids) => {
                        ids.iter().any(|id| association.route_table_association_id() == Some(id))
                    }
                };
                let Some(subnet) = association.subnet_id().filter(|_| asked) else { continue };
                let task = subnets.get(subnet).map(String::as_str);
                let asked_for = wanted.iter().find(|(_, it)| refers_to(&it.subnet, subnet, task));
                if let Some(name) = asked_for.map(|(name, _)| *name).or(task) {
                    found.push(child::inside(&tags, observed(name, association)));
                }
            }
        }
        Ok(found)
    }

    async fn create(
        &self,
        request: Create<'_, RouteTableAssociation<Closed>>,
    ) -> Result<Object<RouteTableAssociation<Closed>>> {
        let RouteTableAssociation { subnet, table } = request.spec;
        let call = self.0.ec2.associate_route_table().subnet_id(subnet.as_str());
        let call = call.route_table_id(table.as_str());
        let made = self.0.call(request.cx, "ec2:AssociateRouteTable", call.send()).await?;
        let id = made.association_id().ok_or_else(|| listing::unanswered("ec2:AssociateRouteTable"))?;
        Ok(Object::owned(id, request.name, request.spec.clone()))
    }

    async fn update(
        &self,
        request: Update<'_, RouteTableAssociation<Closed>>,
    ) -> Result<Object<RouteTableAssociation<Closed>>> {
        let Update { object, spec, cx, .. } = request;
        let id = match self.replace(&object.id, &spec.table, cx).await {
            // Each replacement gets a new identifier, so this may be a repeated call.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotYetVisible) => {
                match self.current(&spec.subnet, cx).await? {
                    Some((id, table)) if table == spec.table.as_str() => id,
                    Some((id, _)) if id != object.id => self.replace(&id, &spec.table, cx).await?,
                    _ => return Err(error),
                }
            }
            answer => answer?,
        };
        Ok(object.clone().id(id).spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, RouteTableAssociation<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.disassociate_route_table().association_id(&request.object.id);
        self.0.call(request.cx, "ec2:DisassociateRouteTable", call.send()).await?;
        Ok(Deletion::Done)
    }
}

impl RouteTableAssociations {
    /// Returns the new association's identifier.
    async fn replace(&self, id: &str, table: &Id<RouteTable>, cx: &Context) -> Result<String> {
        let call = self.0.ec2.replace_route_table_association().association_id(id);
        let call = call.route_table_id(table.as_str());
        let made = self.0.call(cx, "ec2:ReplaceRouteTableAssociation", call.send()).await?;
        made.new_association_id.ok_or_else(|| listing::unanswered("ec2:ReplaceRouteTableAssociation"))
    }

    /// The current association of a subnet, and its table.
    async fn current(&self, subnet: &Id<Ec2Subnet>, cx: &Context) -> Result<Option<(String, String)>> {
        let filters = listing::any_of("association.subnet-id", &[subnet.as_str()]);
        let tables = listing::find(filters, |filter| listing::route_tables(&self.0, cx, filter)).await?;
        let mut associations = tables.iter().flat_map(types::RouteTable::associations);
        let current = associations.find(|it| it.subnet_id() == Some(subnet.as_str()));
        Ok(current.and_then(|it| {
            Some((it.route_table_association_id()?.to_owned(), it.route_table_id()?.to_owned()))
        }))
    }
}

fn observed(name: &str, association: &types::RouteTableAssociation) -> Object<RouteTableAssociation<Closed>> {
    let spec = RouteTableAssociation {
        subnet: Id::new(association.subnet_id().unwrap_or_default()),
        table: Id::new(association.route_table_id().unwrap_or_default()),
    };
    let state = match association.association_state().and_then(|it| it.state()) {
        Some(RouteTableAssociationStateCode::Disassociating) => State::Deleting,
        Some(RouteTableAssociationStateCode::Disassociated) => State::Gone,
        // `associating` takes less time than another call.
        _ => State::Ready,
    };
    Object::owned(association.route_table_association_id().unwrap_or_default(), name, spec).state(state)
}

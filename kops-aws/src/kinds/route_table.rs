//! Route tables.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, ResourceType};
use futures_util::future::try_join;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Vpc, listing};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A set of routes that subnets share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RouteTable<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for RouteTable {
    const KIND: &'static str = "RouteTable";
    type Resolved = RouteTable<Closed>;
}

#[derive(Debug)]
pub(crate) struct RouteTables(pub(crate) Clients);

#[async_trait]
impl Handler for RouteTables {
    type Kind = RouteTable;

    fn identity(&self) -> IdentityClass {
        // The call supports client tokens too; but for a day after the deletion of a table, its token is
        // answered with the deleted table.
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "tags" { Mutability::InPlace } else { Mutability::Replace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<RouteTable<Closed>>>> {
        let describe = |filter| listing::route_tables(&self.0, query.cx, filter);
        let found: Vec<_> = match query.filter {
            Filter::Scope { shared, .. } => {
                let shared = listing::find(listing::any_of("route-table-id", shared), describe);
                let (owned, shared) = try_join(owned(&self.0, query), shared).await?;
                owned.iter().cloned().chain(shared).collect()
            }
            Filter::Ids(ids) => listing::find(listing::any_of("route-table-id", ids), describe).await?,
        };
        Ok(listing::each_once(found.iter().map(|table| observed(query.scope, table)).collect()))
    }

    async fn create(&self, request: Create<'_, RouteTable<Closed>>) -> Result<Object<RouteTable<Closed>>> {
        let tags = tags::of_new(&request, &request.spec.tags);
        let call = self.0.ec2.create_route_table().vpc_id(request.spec.vpc.as_str());
        let call = call.tag_specifications(tags::specification(ResourceType::RouteTable, &tags));
        let made = self.0.call(request.cx, "ec2:CreateRouteTable", call.send()).await?;
        let mut table = made.route_table.ok_or_else(|| listing::unanswered("ec2:CreateRouteTable"))?;
        table.tags = Some(tags::ec2(&tags));
        Ok(observed(request.scope, &table))
    }

    async fn update(&self, request: Update<'_, RouteTable<Closed>>) -> Result<Object<RouteTable<Closed>>> {
        let mut now = request.object.clone();
        tags::set(&self.0, request.cx, &now.id, &request.spec.tags).await?;
        now.spec.tags.extend(request.spec.tags.clone());
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, RouteTable<Closed>>) -> Result<Object<RouteTable<Closed>>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, RouteTable<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.delete_route_table().route_table_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteRouteTable", call.send()).await?;
        Ok(Deletion::Done)
    }
}

/// The route tables that the scope may own; routes and associations are read from the same response.
pub(super) async fn owned(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<types::RouteTable>>> {
    let describe = |filter| listing::route_tables(clients, query.cx, filter);
    listing::of_scope(query, "ec2:DescribeRouteTables", describe).await
}

fn observed(scope: &Scope, table: &types::RouteTable) -> Object<RouteTable<Closed>> {
    let tags = tags::read(table.tags());
    let spec = RouteTable { vpc: Id::new(table.vpc_id().unwrap_or_default()), tags: tags::further(&tags) };
    tags::object(scope, table.route_table_id().unwrap_or_default(), &tags, spec)
}

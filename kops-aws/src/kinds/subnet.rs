//! Subnets.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, AttributeBooleanValue, HostnameType, ResourceType, SubnetState};
use futures_util::future::try_join;
use ipnet::IpNet;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope, State,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Setting, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{AvailabilityZone, Vpc, listing, vpc};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A part of a VPC in one zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ec2Subnet<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Its CIDR, within the VPC's.
    pub cidr: IpNet,
    /// The zone.
    pub zone: At<S, Id<AvailabilityZone>>,
    /// Whether machines get a public address by default.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub map_public_ip: Setting<bool>,
    /// Whether machines are named after their identifier (`i-0123….ec2.internal`) rather than their address.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub resource_names: Setting<bool>,
    /// Whether AWS's name server resolves names made of machines' identifiers.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub resource_name_records: Setting<bool>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for Ec2Subnet {
    const KIND: &'static str = "Ec2Subnet";
    type Resolved = Ec2Subnet<Closed>;
}

#[derive(Debug)]
pub(crate) struct Subnets(pub(crate) Clients);

#[async_trait]
impl Handler for Subnets {
    type Kind = Ec2Subnet;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            // Every machine in the subnet would have to be replaced with it.
            "vpc" | "cidr" | "zone" => Mutability::Immutable,
            _ => Mutability::InPlace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Ec2Subnet<Closed>>>> {
        let describe = |filter| listing::subnets(&self.0, query.cx, filter);
        let found: Vec<_> = match query.filter {
            Filter::Scope { shared, .. } => {
                let shared = listing::find(listing::any_of("subnet-id", shared), describe);
                let (owned, shared) = try_join(owned(&self.0, query), shared).await?;
                let around = if listing::is_dissolving(query) {
                    // Those of others in the scope's networks stand in the way.
                    let own: Vec<_> = vpc::ids(&self.0, query).await?.into_iter().collect();
                    listing::find(listing::any_of("vpc-id", &own), describe).await?
                } else {
                    Vec::new()
                };
                owned.iter().cloned().chain(shared).chain(around).collect()
            }
            Filter::Ids(ids) => listing::find(listing::any_of("subnet-id", ids), describe).await?,
        };
        let objects = found.iter().map(|subnet| observed(query.scope, subnet)).collect::<Result<_>>()?;
        Ok(listing::each_once(objects))
    }

    async fn create(&self, request: Create<'_, Ec2Subnet<Closed>>) -> Result<Object<Ec2Subnet<Closed>>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let call = self.0.ec2.create_subnet().vpc_id(spec.vpc.as_str()).cidr_block(spec.cidr.to_string());
        let call = call.availability_zone(spec.zone.as_str());
        let call = call.tag_specifications(tags::specification(ResourceType::Subnet, &tags));
        let made = self.0.call(request.cx, "ec2:CreateSubnet", call.send()).await?;
        let mut subnet = made.subnet.ok_or_else(|| listing::unanswered("ec2:CreateSubnet"))?;
        subnet.tags = Some(tags::ec2(&tags));
        observed(request.scope, &subnet)
    }

    async fn update(&self, request: Update<'_, Ec2Subnet<Closed>>) -> Result<Object<Ec2Subnet<Closed>>> {
        let Update { object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        // AWS accepts one attribute per call.
        let modify = || self.0.ec2.modify_subnet_attribute().subnet_id(&object.id);
        let on = |on| AttributeBooleanValue::builder().value(on).build();
        if changed.contains("map_public_ip")
            && let Some(&map) = spec.map_public_ip.managed()
        {
            let call = modify().map_public_ip_on_launch(on(map));
            self.0.call(cx, "ec2:ModifySubnetAttribute", call.send()).await?;
            now.spec.map_public_ip = map.into();
        }
        if changed.contains("resource_names")
            && let Some(&names) = spec.resource_names.managed()
        {
            let kind = if names { HostnameType::ResourceName } else { HostnameType::IpName };
            let call = modify().private_dns_hostname_type_on_launch(kind);
            self.0.call(cx, "ec2:ModifySubnetAttribute", call.send()).await?;
            now.spec.resource_names = names.into();
        }
        if changed.contains("resource_name_records")
            && let Some(&records) = spec.resource_name_records.managed()
        {
            let call = modify().enable_resource_name_dns_a_record_on_launch(on(records));
            self.0.call(cx, "ec2:ModifySubnetAttribute", call.send()).await?;
            now.spec.resource_name_records = records.into();
        }
        if changed.contains("tags") {
            tags::set(&self.0, cx, &object.id, &spec.tags).await?;
            now.spec.tags.extend(spec.tags.clone());
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Ec2Subnet<Closed>>) -> Result<Object<Ec2Subnet<Closed>>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Ec2Subnet<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.delete_subnet().subnet_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteSubnet", call.send()).await?;
        Ok(Deletion::Done)
    }
}

/// The subnets that the scope may own; other kinds read them from the same response.
pub(super) async fn owned(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<types::Subnet>>> {
    listing::of_scope(query, "ec2:DescribeSubnets", |filter| listing::subnets(clients, query.cx, filter))
        .await
}

fn observed(scope: &Scope, subnet: &types::Subnet) -> Result<Object<Ec2Subnet<Closed>>> {
    let tags = tags::read(subnet.tags());
    let names = subnet.private_dns_name_options_on_launch();
    let spec = Ec2Subnet {
        vpc: Id::new(subnet.vpc_id().unwrap_or_default()),
        cidr: listing::cidr(subnet.cidr_block())?,
        zone: Id::new(subnet.availability_zone().unwrap_or_default()),
        map_public_ip: Setting::To(subnet.map_public_ip_on_launch().unwrap_or(false)),
        resource_names: Setting::To(
            names.and_then(|it| it.hostname_type()) == Some(&HostnameType::ResourceName),
        ),
        resource_name_records: Setting::To(
            names.is_some_and(|it| it.enable_resource_name_dns_a_record() == Some(true)),
        ),
        tags: tags::further(&tags),
    };
    // A subnet that is `pending` can be used already.
    let state = match subnet.state() {
        Some(SubnetState::Failed) => State::Failed("AWS could not create the subnet".to_owned()),
        Some(SubnetState::FailedInsufficientCapacity) => {
            State::Failed("AWS has no capacity for a subnet in this zone".to_owned())
        }
        _ => State::Ready,
    };
    Ok(tags::object(scope, subnet.subnet_id().unwrap_or_default(), &tags, spec).state(state))
}

//! Network interfaces that are not parts of machines. No task creates one: they are listed only when everything of a
//! scope is to go, because subnets and security groups with interfaces cannot be deleted.
//!
//! Interfaces of services (load balancers, NAT gateways) go with their service, which has a kind of its own; those of
//! services that no kind knows (endpoints, databases, file systems) stand in the way.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, Filter as By, NetworkInterfaceStatus, NetworkInterfaceType};
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Query, State, Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{Ec2Subnet, SecurityGroup, listing, vpc};
use crate::clients::Clients;
use crate::tags;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NetworkInterface<S: Stage = Open> {
    /// The subnet.
    pub subnet: At<S, Id<Ec2Subnet>>,
    /// Its security groups.
    pub security_groups: BTreeSet<At<S, Id<SecurityGroup>>>,
    /// What it is for.
    pub description: String,
}

impl Resource for NetworkInterface {
    const KIND: &'static str = "NetworkInterface";
    type Resolved = NetworkInterface<Closed>;
}

pub(crate) struct NetworkInterfaces(pub(crate) Clients);

type Interface = NetworkInterface<Closed>;

/// The tag of Amazon's network plugin on interfaces of pods.
const PLUGIN: &str = "cluster.k8s.amazonaws.com/name";

impl NetworkInterfaces {
    async fn describe(&self, query: &Query<'_>, filters: Vec<By>) -> Result<Vec<types::NetworkInterface>> {
        let describe = |by: By| {
            pages(move |token| {
                let request = self.0.ec2.describe_network_interfaces().filters(by.clone());
                let request = request.max_results(1000).set_next_token(token);
                async move {
                    let call = "ec2:DescribeNetworkInterfaces";
                    let page = self.0.call(query.cx, call, request.send()).await?;
                    Ok((page.network_interfaces.unwrap_or_default(), page.next_token))
                }
            })
        };
        let mut seen = HashSet::new();
        let found = try_join_all(filters.into_iter().map(describe)).await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.retain(|it| it.network_interface_id.clone().is_some_and(|id| seen.insert(id)));
        Ok(found)
    }

    /// The machines with these interfaces that go with the scope's groups or tasks.
    async fn machines_of_scope(
        &self,
        query: &Query<'_>,
        found: &[types::NetworkInterface],
    ) -> Result<HashSet<String>> {
        let machines: BTreeSet<_> = found.iter().filter_map(machine_of).collect();
        let machines: Vec<_> = machines.into_iter().collect();
        let describe = async |by: By| {
            let request = self.0.ec2.describe_instances().filters(by);
            self.0.call(query.cx, "ec2:DescribeInstances", request.send()).await
        };
        let answers =
            try_join_all(listing::any_of("instance-id", &machines).into_iter().map(describe)).await?;
        let machines = answers.into_iter().flat_map(|answer| answer.reservations.unwrap_or_default());
        let machines = machines.flat_map(|it| it.instances.unwrap_or_default());
        let own = machines.filter(|machine| tags::is_machine_of(query.scope, &tags::read(machine.tags())));
        Ok(own.filter_map(|machine| machine.instance_id).collect())
    }
}

/// The machine that an interface is attached to.
fn machine_of(interface: &types::NetworkInterface) -> Option<String> {
    interface.attachment()?.instance_id.clone().filter(|id| !id.is_empty())
}

/// Whether an interface belongs to a load balancer, which is shown itself, or was deleted a moment ago.
fn is_of_balancer(interface: &types::NetworkInterface) -> bool {
    interface.description().is_some_and(|text| text.starts_with("ELB "))
}

/// Whether an interface belongs to a NAT gateway; those of the scope's networks are listed by their own kind.
fn is_of_gateway(interface: &types::NetworkInterface) -> bool {
    interface.interface_type() == Some(&NetworkInterfaceType::NatGateway)
        || interface.description().is_some_and(|text| text.starts_with("Interface for NAT Gateway"))
}

#[async_trait]
impl Handler for NetworkInterfaces {
    type Kind = NetworkInterface;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    /// Machines detach them, or take them along.
    fn delete_after(&self) -> &'static [&'static str] {
        &["AutoScalingGroup", "Ec2Instance"]
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Interface>>> {
        let filters = match query.filter {
            Filter::Scope { dissolving: false, .. } => return Ok(Vec::new()),
            Filter::Scope { .. } => {
                let own: Vec<_> = vpc::ids(&self.0, query).await?.into_iter().collect();
                let mut filters = listing::any_of("vpc-id", &own);
                filters.push(tags::filter_dependents(query.scope));
                filters
            }
            Filter::Ids(ids) => listing::any_of("network-interface-id", ids),
        };
        let mut found = self.describe(query, filters).await?;
        if let Filter::Scope { .. } = query.filter {
            let own = self.machines_of_scope(query, &found).await?;
            found.retain(|it| {
                let of_machine = machine_of(it).is_some_and(|machine| own.contains(&machine));
                !of_machine && !is_of_balancer(it) && !is_of_gateway(it)
            });
        }
        Ok(found.iter().map(|interface| observed(query, interface)).collect())
    }

    async fn create(&self, _: Create<'_, Interface>) -> Result<Object<Interface>> {
        Err(not_ours())
    }

    async fn update(&self, _: Update<'_, Interface>) -> Result<Object<Interface>> {
        Err(not_ours())
    }

    async fn delete(&self, request: Delete<'_, Interface>) -> Result<Deletion> {
        let delete = self.0.ec2.delete_network_interface().network_interface_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteNetworkInterface", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

fn not_ours() -> Error {
    Error::new(ErrorKind::Unsupported, "network interfaces are not created by themselves")
        .with_hint("create the machine that has it")
}

fn observed(query: &Query<'_>, interface: &types::NetworkInterface) -> Object<Interface> {
    let id = interface.network_interface_id().unwrap_or_default();
    let description = interface.description().unwrap_or_default();
    let spec = NetworkInterface {
        subnet: Id::new(interface.subnet_id().unwrap_or_default()),
        security_groups: interface.groups().iter().filter_map(|it| it.group_id()).map(Id::new).collect(),
        description: description.to_owned(),
    };
    let mut tags = tags::read(interface.tag_set());
    if tags.get(PLUGIN).is_some_and(|cluster| cluster == query.scope.name()) {
        tags.extend(tags::of_dependent(query.scope));
    }
    let name = Some(description).filter(|text| !text.is_empty()).map(str::to_owned);
    let object = tags::with_dependents(query.scope, &tags, Object::foreign(id, spec).name(name));
    match interface.status() {
        Some(NetworkInterfaceStatus::Detaching) => object.state(State::Pending),
        _ => object,
    }
}

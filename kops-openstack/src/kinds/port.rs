//! Ports: network interfaces of machines.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Update,
};
use kops_core::graph::{Closed, Id, Open, Setting, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rest::{self, Collection, Common};
use super::{AddressPair, NeutronNetwork, NeutronSubnet, SecurityGroup};
use crate::clients::Clients;
use crate::tags::Tags;

/// A network interface of a machine: its address and security groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NeutronPort<S: Stage = Open> {
    /// The network.
    pub network: At<S, Id<NeutronNetwork>>,
    /// The subnet of its address.
    pub subnet: At<S, Id<NeutronSubnet>>,
    /// Its security groups.
    pub security_groups: BTreeSet<At<S, Id<SecurityGroup>>>,
    /// Additional addresses that it may send from.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub allowed_address_pairs: Setting<BTreeSet<AddressPair>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl NeutronPort {
    /// Its address.
    pub const IP: Output<Self, String> = Output::new("ip");
}

impl Resource for NeutronPort {
    const KIND: &'static str = "NeutronPort";
    const OUTPUTS: &'static [&'static str] = &[Self::IP.name()];
    type Resolved = NeutronPort<Closed>;
}

const PORTS: Collection = Collection::network("ports", "port");

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FoundPort {
    #[serde(flatten)]
    pub(crate) common: Common,
    pub(crate) network_id: String,
    #[serde(default)]
    pub(crate) fixed_ips: Vec<FixedIp>,
    #[serde(default)]
    pub(super) security_groups: BTreeSet<String>,
    #[serde(default)]
    mac_address: String,
    #[serde(default)]
    allowed_address_pairs: Vec<AddressPair>,
    #[serde(default)]
    device_owner: String,
    #[serde(default)]
    device_id: String,
    #[serde(default)]
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FixedIp {
    pub(crate) subnet_id: String,
    pub(crate) ip_address: String,
}

impl FoundPort {
    /// The server, or another device, that it is bound to.
    pub(crate) fn device(&self) -> &str {
        &self.device_id
    }

    /// The load balancer whose address it is.
    fn balancer(&self) -> Option<&str> {
        self.device_id.strip_prefix("lb-")
    }

    /// Whether it is the address of a load balancer.
    pub(super) fn is_of_balancer(&self, balancer: &str) -> bool {
        self.balancer() == Some(balancer)
    }

    /// Whether services created it for the network itself, or for the machines of load balancers.
    pub(super) fn is_of_service(&self) -> bool {
        self.device_owner.starts_with("network:") || self.name.starts_with("octavia-lb-vrrp-")
    }

    /// Its first address.
    pub(super) fn address(&self) -> Option<&str> {
        self.fixed_ips.first().map(|it| it.ip_address.as_str())
    }

    /// Whether it has the address of a subnet's gateway.
    pub(super) fn is_gateway_of(&self, subnet: &str, gateway: Option<&str>) -> bool {
        self.fixed_ips.iter().any(|it| it.subnet_id == subnet && gateway == Some(it.ip_address.as_str()))
    }

    /// Networking fills in the port's own MAC address if none was given.
    fn pairs(&self) -> BTreeSet<AddressPair> {
        let own = |mac: &String| *mac == self.mac_address;
        let pair = |pair: &AddressPair| AddressPair {
            ip_address: pair.ip_address.clone(),
            mac_address: pair.mac_address.clone().filter(|mac| !own(mac)),
        };
        self.allowed_address_pairs.iter().map(pair).collect()
    }

    /// The router whose interface it is, for any type of router.
    pub(super) fn router(&self) -> Option<&str> {
        let interfaces = [
            "network:router_interface",
            "network:router_interface_distributed",
            "network:ha_router_replicated_interface",
        ];
        interfaces.contains(&self.device_owner.as_str()).then_some(&self.device_id)
    }
}

/// The ports of the project, listed once per observation.
pub(crate) async fn of_project(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<FoundPort>>> {
    PORTS.of_project(clients, query).await
}

/// Ports by identifier.
pub(super) async fn with_ids(clients: &Clients, query: &Query<'_>, ids: &[String]) -> Result<Vec<FoundPort>> {
    PORTS.with_ids(clients, query.cx, ids).await
}

#[derive(Debug)]
pub(crate) struct Ports(pub(crate) Clients);

#[async_trait]
impl Handler for Ports {
    type Kind = NeutronPort;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "network" | "subnet" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<NeutronPort<Closed>>>> {
        let found: Vec<FoundPort> = PORTS.asked_for(&self.0, query).await?;
        // Services take theirs away.
        let machines = found.iter().filter(|it| !it.is_of_service() && it.balancer().is_none());
        Ok(rest::each_once(machines.map(|it| self.observed(query.scope, it)).collect()))
    }

    async fn create(&self, request: Create<'_, NeutronPort<Closed>>) -> Result<Object<NeutronPort<Closed>>> {
        let spec = request.spec;
        let mut body = json!({
            "name": request.name,
            "network_id": spec.network.as_str(),
            "fixed_ips": [{ "subnet_id": spec.subnet.as_str() }],
            "security_groups": spec.security_groups,
            "admin_state_up": true,
        });
        if let Some(pairs) = spec.allowed_address_pairs.managed() {
            body["allowed_address_pairs"] = written(pairs);
        }
        let mark = Mark::of_new(&request);
        let body = rest::marked(&mark, body);
        let made: FoundPort = PORTS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, NeutronPort<Closed>>) -> Result<Object<NeutronPort<Closed>>> {
        let Update { scope, name, object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        if changed.contains("security_groups") || changed.contains("allowed_address_pairs") {
            let mut body = json!({ "security_groups": spec.security_groups });
            if let Some(pairs) = spec.allowed_address_pairs.managed() {
                body["allowed_address_pairs"] = written(pairs);
            }
            let found: FoundPort = PORTS.update(&self.0, cx, &object.id, body).await?;
            now = self.observed(scope, &found);
        }
        if changed.contains("tags") {
            PORTS.set_tags(&self.0, cx, &object.id, &Mark::of(scope, name, object), &spec.tags).await?;
            now.spec.tags.extend(spec.tags.clone());
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, NeutronPort<Closed>>) -> Result<Object<NeutronPort<Closed>>> {
        PORTS.adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, NeutronPort<Closed>>) -> Result<Deletion> {
        rest::done(PORTS.delete(&self.0, request.cx, &request.object.id).await)
    }
}

impl Ports {
    fn observed(&self, scope: &Scope, found: &FoundPort) -> Object<NeutronPort<Closed>> {
        let fixed = found.fixed_ips.first();
        let spec = NeutronPort {
            network: Id::new(&found.network_id),
            subnet: Id::new(fixed.map(|it| it.subnet_id.as_str()).unwrap_or_default()),
            security_groups: found.security_groups.iter().map(Id::new).collect(),
            allowed_address_pairs: Setting::To(found.pairs()),
            tags: found.common.further_tags(),
        };
        let object = found.common.object(&self.0, scope, spec);
        match fixed {
            Some(fixed) => object.output(NeutronPort::IP, fixed.ip_address.clone()),
            None => object,
        }
    }
}

fn written(pairs: &BTreeSet<AddressPair>) -> Value {
    let pair = |pair: &AddressPair| match &pair.mac_address {
        Some(mac) => json!({ "ip_address": pair.ip_address, "mac_address": mac }),
        None => json!({ "ip_address": pair.ip_address }),
    };
    pairs.iter().map(pair).collect()
}

/// Changes the task of a port's mark; its other tags are kept.
pub(crate) async fn rename(
    clients: &Clients,
    cx: &kops_core::cloud::Context,
    id: &str,
    mark: &Mark,
) -> Result<()> {
    PORTS.update::<FoundPort>(clients, cx, id, json!({ "description": mark.text() })).await?;
    PORTS.set_tags(clients, cx, id, mark, &Tags::new()).await
}

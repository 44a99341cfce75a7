//! Load balancers, with their rules, probes and backend pool.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_network::models;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::arm::{ArmKind, Calls, Head, Site, all, calls, model, network, text};
use super::public_ip_address::{PublicIpAddresses, address};
use super::{AzureSubnet, PublicIpAddress, ResourceGroup};
use crate::clients::{Clients, Pages, Sent};
use crate::ids;
use crate::tags::{self, Tags};

/// A load balancer of the SKU Standard, which spans the zones. It has one backend pool, which scale sets add
/// their machines to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AzureLoadBalancer<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// The address for clients.
    pub frontend: Frontend<S>,
    /// The ports that it forwards.
    pub rules: BTreeSet<BalancerRule>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

/// The frontend address of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Frontend<S: Stage = Open> {
    /// A public address.
    Public(At<S, Id<PublicIpAddress>>),
    /// An address of this subnet, chosen by Azure.
    Internal(At<S, Id<AzureSubnet>>),
}

/// A port that a load balancer forwards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BalancerRule {
    /// The port clients connect to.
    pub port: u16,
    /// `Tcp` or `Udp`.
    pub protocol: String,
    /// The port of the machines behind.
    pub target_port: u16,
    /// The health probe of the machines.
    pub probe: BalancerProbe,
}

/// A health probe of machines behind a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BalancerProbe {
    /// `Tcp`, or `Https` with a path.
    pub protocol: String,
    /// The port to probe.
    pub port: u16,
    /// The path of an HTTPS request.
    #[serde(default)]
    pub path: Option<String>,
    /// The interval between probes, in seconds; at least 5.
    pub interval: u32,
    /// The number of consecutive equal results that change a machine's state.
    pub threshold: u32,
}

impl AzureLoadBalancer {
    /// The address for clients, in dotted form.
    pub const ADDRESS: Output<Self, String> = Output::new("address");
}

impl Resource for AzureLoadBalancer {
    const KIND: &'static str = "AzureLoadBalancer";
    const OUTPUTS: &'static [&'static str] = &[Self::ADDRESS.name()];
    type Resolved = AzureLoadBalancer<Closed>;
}

/// The name of the only frontend, and of the only pool.
const PART: &str = "kops";
/// The idle timeout of connections, in minutes: an API client's watch may be idle for a while; 30 is the
/// maximum. <https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-tcp-reset>
const IDLE_MINUTES: i32 = 30;

/// The pool of a load balancer.
pub(crate) fn pool(balancer: &str) -> String {
    format!("{balancer}/backendAddressPools/{PART}")
}

pub(crate) struct LoadBalancers;

model!(models::LoadBalancer);

#[async_trait]
impl ArmKind for LoadBalancers {
    type Kind = AzureLoadBalancer;
    type Model = models::LoadBalancer;
    /// The public addresses of the group.
    type Around = Arc<Vec<models::PublicIpAddress>>;

    const TYPE: &'static str = "Microsoft.Network/loadBalancers";
    const CALLS: Calls = calls!("Microsoft.Network/loadBalancers");

    network!(load_balancers_client);

    fn mutability(field: &str) -> Mutability {
        if field == "group" || field == "frontend" { Mutability::Replace } else { Mutability::InPlace }
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(5)).vanish(Duration::from_secs(12))
    }

    fn blank(location: &str) -> Self::Model {
        let mut model = Self::Model::new();
        model.resource.location = Some(location.to_owned());
        model
    }

    fn fill(spec: &AzureLoadBalancer<Closed>, model: &mut Self::Model, site: &Site<'_>) -> Result<()> {
        model.sku.get_or_insert_default().name = Some(models::load_balancer_sku::Name::Standard);
        let id = ids::of(&site.clients.subscription, site.group, Self::TYPE, site.name);
        let part = |kind: &str, name: &str| models::SubResource { id: Some(format!("{id}/{kind}/{name}")) };
        let properties = model.properties.get_or_insert_default();
        if properties.frontend_ip_configurations.is_empty() {
            properties.frontend_ip_configurations.push(frontend(&spec.frontend));
        }
        if !properties.backend_address_pools.iter().any(|pool| pool.name.as_deref() == Some(PART)) {
            let pool = models::BackendAddressPool { name: Some(PART.to_owned()), ..Default::default() };
            properties.backend_address_pools.push(pool);
        }
        properties.probes.clear();
        properties.load_balancing_rules.clear();
        for rule in &spec.rules {
            let name = format!("{}-{}", rule.protocol.to_ascii_lowercase(), rule.port);
            let protocol = super::parsed(&rule.probe.protocol, "a protocol of probes")?;
            let mut probe = models::ProbePropertiesFormat::new(protocol, i32::from(rule.probe.port));
            probe.request_path.clone_from(&rule.probe.path);
            probe.interval_in_seconds = i32::try_from(rule.probe.interval).ok();
            // This field works; `numberOfProbes` is documented not to.
            probe.probe_threshold = i32::try_from(rule.probe.threshold).ok();
            properties.probes.push(models::Probe {
                name: Some(name.clone()),
                properties: Some(probe),
                ..models::Probe::default()
            });
            let protocol = super::parsed(&rule.protocol, "a protocol of load balancers")?;
            let mut format = models::LoadBalancingRulePropertiesFormat::new(protocol, i32::from(rule.port));
            format.backend_port = Some(i32::from(rule.target_port));
            format.frontend_ip_configuration = Some(part("frontendIPConfigurations", PART));
            format.backend_address_pool = Some(part("backendAddressPools", PART));
            format.probe = Some(part("probes", &name));
            format.idle_timeout_in_minutes = Some(IDLE_MINUTES);
            format.enable_tcp_reset = Some(rule.protocol == "Tcp");
            properties.load_balancing_rules.push(models::LoadBalancingRule {
                name: Some(name),
                properties: Some(format),
                ..models::LoadBalancingRule::default()
            });
        }
        Ok(())
    }

    fn tags(spec: &AzureLoadBalancer<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        addresses: &Self::Around,
    ) -> Result<Object<AzureLoadBalancer<Closed>>> {
        let properties = model.properties.clone().unwrap_or_default();
        let front = properties.frontend_ip_configurations.first().and_then(|it| it.properties.clone());
        let front = front.unwrap_or_default();
        let public = front.public_ip_address.as_ref().and_then(|it| it.resource.id.as_deref());
        let subnet = front.subnet.as_ref().and_then(|it| it.sub_resource.id.as_deref());
        let rules = properties.load_balancing_rules.iter().filter_map(|rule| read(rule, &properties.probes));
        let spec = AzureLoadBalancer {
            group: site.group_of(head),
            frontend: match public {
                Some(id) => Frontend::Public(Id::new(site.id(Some(id)))),
                None => Frontend::Internal(Id::new(site.id(subnet))),
            },
            rules: rules.collect(),
            tags: tags::further(&head.tags),
        };
        let is_used = |it: &&models::PublicIpAddress| {
            it.resource.id.as_deref().zip(public).is_some_and(|(id, public)| ids::same(id, public))
        };
        let reached = match public {
            Some(_) => addresses.iter().find(is_used).and_then(address),
            None => front.private_ip_address.as_deref(),
        };
        let object = site.object(head, spec);
        Ok(match reached {
            Some(address) => object.output(AzureLoadBalancer::ADDRESS, address.to_owned()),
            None => object,
        })
    }

    async fn around(clients: &Clients, cx: &Context, group: &str) -> Result<Self::Around> {
        all::<PublicIpAddresses>(clients, cx, group).await
    }
}

fn frontend(frontend: &Frontend<Closed>) -> models::FrontendIpConfiguration {
    let mut format = models::FrontendIpConfigurationPropertiesFormat::default();
    match frontend {
        Frontend::Public(id) => {
            let resource =
                models::Resource { id: Some(id.as_str().to_owned()), ..models::Resource::default() };
            format.public_ip_address = Some(models::PublicIpAddress { resource, ..Default::default() });
        }
        Frontend::Internal(id) => {
            let sub_resource = models::SubResource { id: Some(id.as_str().to_owned()) };
            format.subnet = Some(models::Subnet { sub_resource, ..models::Subnet::default() });
            format.private_ip_allocation_method = Some(models::IpAllocationMethod::Dynamic);
        }
    }
    models::FrontendIpConfiguration {
        name: Some(PART.to_owned()),
        properties: Some(format),
        ..models::FrontendIpConfiguration::default()
    }
}

fn read(rule: &models::LoadBalancingRule, probes: &[models::Probe]) -> Option<BalancerRule> {
    let format = rule.properties.as_ref()?;
    let wanted = format.probe.as_ref().and_then(|probe| probe.id.as_deref()).map(ids::name);
    let probe =
        probes.iter().find(|probe| probe.name.as_deref() == wanted).and_then(|it| it.properties.clone());
    let port = |number: Option<i32>| number.and_then(|it| u16::try_from(it).ok()).unwrap_or_default();
    let count = |number: Option<i32>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or_default();
    Some(BalancerRule {
        port: port(Some(format.frontend_port)),
        protocol: text(Some(&format.protocol)).unwrap_or_default(),
        target_port: port(format.backend_port),
        probe: BalancerProbe {
            protocol: text(probe.as_ref().map(|it| &it.protocol)).unwrap_or_default(),
            port: port(probe.as_ref().map(|it| it.port)),
            path: probe.as_ref().and_then(|it| it.request_path.clone()),
            interval: count(probe.as_ref().and_then(|it| it.interval_in_seconds)),
            threshold: count(probe.as_ref().and_then(|it| it.probe_threshold)),
        },
    })
}

//! The Azure-specific settings of a cluster's specification.

use kops_cluster::cloud::{Dialect, PodTraffic, Tunnel, extend, reject_plugin};
use kops_cluster::extensions::MachineRole;
use kops_cluster::{Cluster, InstanceGroup, Problems};
use kops_core::graph::{GraphBuilder, Handle, Key};
use kops_core::resource::{DnsZone, Identity, Network};

use crate::extensions::AzureIdentity;
use crate::kinds::VirtualNetworkLink;
use crate::lower::native;

/// Translates Azure-specific settings of a specification (`cloudProvider.azure`) to
/// [`extensions`](crate::extensions) of the tasks.
///
/// Subscription, tenant and resource group are settings of the connection: see
/// [`AzureBuilder`](crate::AzureBuilder).
#[derive(Clone, Debug, Default)]
pub struct AzureDialect;

impl Dialect for AzureDialect {
    /// Packets of pods match no application security group, which means the addresses of interfaces, neither as their
    /// source nor as their destination; and IP in IP is not forwarded.
    fn admits_pods(&self, cluster: &Cluster, _: &[InstanceGroup], problems: &mut Problems) -> bool {
        let networking = &cluster.spec.networking;
        let why = match PodTraffic::of(networking) {
            PodTraffic::Native => {
                "its packets carry the addresses of pods, which security groups on Azure stop"
            }
            PodTraffic::Tunnel(Tunnel::IpInIp) | PodTraffic::BetweenSubnets(Tunnel::IpInIp) => {
                "it sends IP in IP, which networks on Azure do not forward"
            }
            PodTraffic::BetweenSubnets(_) => {
                "within a subnet its packets carry the addresses of pods, which security groups on Azure stop"
            }
            _ => return false,
        };
        reject_plugin(networking, why, problems);
        false
    }

    fn private_zone(
        &self,
        zone: &Handle<DnsZone>,
        network: &Handle<Network>,
        graph: &mut GraphBuilder,
    ) -> Option<Key> {
        let link = VirtualNetworkLink { zone: native(zone.id()), network: native(network.id()) };
        Some(graph.add(network.key().name(), link).key().clone())
    }

    fn identity(&self, cluster: &Cluster, role: MachineRole, task: &mut Identity, problems: &mut Problems) {
        let settings = cluster.spec.cloud_provider.as_ref().and_then(|provider| provider.azure());
        let account = settings.and_then(|azure| azure.storage_account_id.clone());
        let extension = AzureIdentity {
            storage_account: account.filter(|_| role == MachineRole::ControlPlane),
            ..AzureIdentity::default()
        };
        extend(&mut task.extensions, &extension, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kops_cluster::Opaque;
    use serde_json::{Value, json};

    fn told(plugin: &str, settings: Value) -> String {
        let mut cluster = Cluster::default();
        *cluster.spec.networking.plugin_mut(plugin).unwrap() = Some(Opaque(settings));
        let mut problems = Problems::new();
        assert!(!AzureDialect.admits_pods(&cluster, &[], &mut problems));
        problems.to_string()
    }

    #[test]
    fn plugins_whose_packets_are_stopped_are_refused() {
        for (plugin, settings, why) in [
            ("kindnet", json!({}), "addresses of pods"),
            ("kubenet", json!({}), "addresses of pods"),
            ("cilium", json!({ "tunnel": "disabled" }), "addresses of pods"),
            ("calico", json!({ "encapsulationMode": "none" }), "addresses of pods"),
            ("calico", json!({ "encapsulationMode": "vxlan" }), "within a subnet"),
            (
                "calico",
                json!({ "encapsulationMode": "vxlan", "vxlanMode": "CrossSubnet" }),
                "within a subnet",
            ),
            ("calico", json!({}), "IP in IP"),
        ] {
            let text = told(plugin, settings);
            assert!(text.contains(&format!("spec.networking.{plugin}: ")) && text.contains(why), "{text}");
            assert!(text.contains("vxlanMode: Always"), "{text}");
        }
        for (plugin, settings) in [
            ("cilium", json!({})),
            ("calico", json!({ "encapsulationMode": "vxlan", "vxlanMode": "Always" })),
            ("cni", json!({})),
        ] {
            assert_eq!(told(plugin, settings), "", "{plugin}");
        }
    }
}

//! How packets between pods of different machines travel.

use serde_json::Value;

use crate::spec::{Networking, Path, Problems};

/// How the packets of pods travel between machines, as the network plugin decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PodTraffic {
    /// In packets of the machines: a tunnel of this kind.
    Tunnel(Tunnel),
    /// In a tunnel of this kind between machines of different subnets; within a subnet with the addresses of the pods.
    BetweenSubnets(Tunnel),
    /// With the addresses of the pods, which the network has to route and firewalls have to let in.
    Native,
    /// As the user's own plugin decides.
    Unknown,
}

/// The packets of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tunnel {
    /// UDP: VXLAN, Geneve.
    Udp,
    /// IP in IP, protocol 4, which not every network forwards.
    IpInIp,
}

impl PodTraffic {
    /// How the network plugin of a specification sends packets.
    ///
    /// ```
    /// use kops_cluster::Networking;
    /// use kops_cluster::cloud::{PodTraffic, Tunnel};
    ///
    /// let mut networking = Networking { cilium: Some(Default::default()), ..Networking::default() };
    /// assert_eq!(PodTraffic::of(&networking), PodTraffic::Tunnel(Tunnel::Udp));
    /// networking = Networking { kubenet: Some(Default::default()), ..Networking::default() };
    /// assert_eq!(PodTraffic::of(&networking), PodTraffic::Native);
    /// ```
    pub fn of(networking: &Networking) -> Self {
        let Some((plugin, settings)) = networking.plugins().next() else { return Self::Unknown };
        let is = |field: &str, value: &str| {
            settings.0.get(field).and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(value))
        };
        match plugin {
            "calico" if is("encapsulationMode", "none") => Self::Native,
            "calico" => {
                let (mode, tunnel) = if is("encapsulationMode", "vxlan") {
                    ("vxlanMode", Tunnel::Udp)
                } else {
                    ("ipipMode", Tunnel::IpInIp)
                };
                if is(mode, "Never") {
                    Self::Native
                } else if is(mode, "Always") {
                    Self::Tunnel(tunnel)
                } else {
                    // In kOps, CrossSubnet is the default of both.
                    Self::BetweenSubnets(tunnel)
                }
            }
            "cilium" if is("tunnel", "disabled") || is("routingMode", "native") || is("ipam", "eni") => {
                Self::Native
            }
            "cilium" | "flannel" | "kopeio" => Self::Tunnel(Tunnel::Udp),
            "cni" | "external" => Self::Unknown,
            // kube-router tunnels between subnets only.
            _ => Self::Native,
        }
    }
}

/// Rejects a network plugin whose packets a cloud does not deliver.
pub fn reject_plugin(networking: &Networking, why: &str, problems: &mut Problems) {
    if let Some((plugin, _)) = networking.plugins().next() {
        let path = Path::of("spec.networking").key(plugin);
        problems.error(
            path,
            why,
            "use a plugin with a tunnel: cilium: {}, or calico: {encapsulationMode: vxlan, vxlanMode: Always}",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Opaque;

    fn of(plugin: &str, settings: Value) -> PodTraffic {
        let mut networking = Networking::default();
        *networking.plugin_mut(plugin).unwrap() = Some(Opaque(settings));
        PodTraffic::of(&networking)
    }

    #[test]
    fn settings_decide_whether_there_is_a_tunnel() {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (plugin, settings, expected) in [
            ("calico", "{}", PodTraffic::BetweenSubnets(Tunnel::IpInIp)),
            ("calico", r#"{"ipipMode": "Always"}"#, PodTraffic::Tunnel(Tunnel::IpInIp)),
            ("calico", r#"{"encapsulationMode": "vxlan"}"#, PodTraffic::BetweenSubnets(Tunnel::Udp)),
            ("calico", r#"{"ipipMode": "CrossSubnet"}"#, PodTraffic::BetweenSubnets(Tunnel::IpInIp)),
            (
                "calico",
                r#"{"encapsulationMode": "vxlan", "vxlanMode": "Always"}"#,
                PodTraffic::Tunnel(Tunnel::Udp),
            ),
            ("calico", r#"{"encapsulationMode": "vxlan", "vxlanMode": "Never"}"#, PodTraffic::Native),
            ("calico", r#"{"encapsulationMode": "none"}"#, PodTraffic::Native),
            ("calico", r#"{"encapsulationMode": "ipip", "ipipMode": "Never"}"#, PodTraffic::Native),
            ("cilium", r#"{"tunnel": "vxlan"}"#, PodTraffic::Tunnel(Tunnel::Udp)),
            ("cilium", r#"{"tunnel": "disabled"}"#, PodTraffic::Native),
            ("flannel", "{}", PodTraffic::Tunnel(Tunnel::Udp)),
            ("kindnet", "{}", PodTraffic::Native),
            ("kuberouter", "{}", PodTraffic::Native),
            ("gce", "{}", PodTraffic::Native),
            ("cni", "{}", PodTraffic::Unknown),
        ] {
            assert_eq!(of(plugin, json(settings)), expected, "{plugin} {settings}");
        }
    }
}

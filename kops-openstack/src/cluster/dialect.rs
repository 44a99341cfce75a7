//! The OpenStack-specific settings of a specification.

use ipnet::IpNet;
use kops_cluster::cloud::{Dialect, PodTraffic, Purpose, extend};
use kops_cluster::{CloudProvider, Cluster, InstanceGroup, Path, Problems};
use kops_core::resource::{self, LoadBalancer};

use super::volumes;
use crate::extensions::{OpenstackInstanceGroup, OpenstackLoadBalancer};
use crate::kinds::{AddressPair, Pool, ServerGroup};

/// Translates OpenStack-specific settings of a specification to [`extensions`](crate::extensions) of the
/// tasks.
///
/// In groups, they are annotations, as in kOps:
///
/// | `openstack.kops.io/…` | meaning |
/// |---|---|
/// | `osVolumeBoot` | `false`: machines boot from their flavor's disk; `true`, and without it: from a volume |
/// | `osVolumeSize` | the size of that volume in GiB, in place of the one of `rootVolume` |
/// | `serverGroupAffinity` | `anti-affinity`, `soft-anti-affinity`, `affinity` or `soft-affinity` |
/// | `allowedAddressPair/NAME` | an address or CIDR that machines may send from, optionally followed by a comma and a MAC address |
///
/// Router and name servers in `cloudProvider.openstack` are settings of the connection: see
/// [`OpenstackBuilder`](crate::OpenstackBuilder).
///
/// ```
/// use kops_cluster::cloud::Dialect;
/// use kops_openstack::OpenstackDialect;
///
/// assert!(OpenstackDialect.group_fields().is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenstackDialect;

/// The prefix of annotations for OpenStack.
const PREFIX: &str = "openstack.kops.io/";

impl Dialect for OpenstackDialect {
    /// Port security drops packets with other addresses than those of the port and its address pairs; a security group
    /// as the source of a rule means the addresses of ports.
    fn admits_pods(&self, cluster: &Cluster, groups: &[InstanceGroup], problems: &mut Problems) -> bool {
        let networking = &cluster.spec.networking;
        let why = match PodTraffic::of(networking) {
            PodTraffic::Tunnel(_) => return false,
            PodTraffic::BetweenSubnets(_) => Some("within a subnet its packets carry the addresses of pods"),
            PodTraffic::Native => Some("its packets carry the addresses of pods"),
            _ => None,
        };
        let pods = networking.pod_cidr;
        let closed = groups.iter().filter(|group| !group.is_bastion());
        let closed = closed.filter(|group| pods.is_none_or(|pods| !sends_from(group, &pods)));
        let closed: Vec<_> = closed.map(InstanceGroup::name).collect();
        if closed.is_empty() {
            return true;
        }
        if let (Some(why), Some((plugin, _))) = (why, networking.plugins().next()) {
            let range = pods.map_or_else(|| "the range of pods".to_owned(), |pods| pods.to_string());
            problems.error(
                Path::of("spec.networking").key(plugin),
                format!("{why}, which ports of machines of {} drop", closed.join(", ")),
                format!(
                    "use a plugin with a tunnel: cilium: {{}}, or calico: {{encapsulationMode: vxlan, vxlanMode: \
                     Always}}; or let machines of all groups send from these addresses by the annotation \
                     {PREFIX}allowedAddressPair/pods: {range}"
                ),
            );
        }
        false
    }

    fn instance_group(
        &self,
        cluster: &Cluster,
        group: &InstanceGroup,
        task: &mut resource::InstanceGroup,
        problems: &mut Problems,
    ) {
        let volumes = volumes::of_group(cluster, group, problems);
        let mut extension = OpenstackInstanceGroup { volumes, ..OpenstackInstanceGroup::default() };
        if group.spec.iam.as_ref().is_some_and(|iam| iam.profile.is_some()) {
            problems.error(
                Path::of("spec.iam.profile"),
                "machines of OpenStack have no identity: control planes get an application credential of their own",
                "remove it",
            );
        }
        let annotations = group.metadata.annotations.iter();
        let ours =
            annotations.filter_map(|(key, value)| Some((key, key.strip_prefix(PREFIX)?, value.trim())));
        // Sorted by name, so the size comes after the setting that overrides it.
        for (key, name, value) in ours {
            if let Err((why, fix)) = annotation(name, value, task, &mut extension) {
                problems.error(Path::of("metadata.annotations").key(key), why, fix);
            }
        }
        extend(&mut task.extensions, &extension, problems);
    }

    fn load_balancer(&self, cluster: &Cluster, _: Purpose, task: &mut LoadBalancer, problems: &mut Problems) {
        let settings = cluster.spec.cloud_provider.as_ref().and_then(CloudProvider::openstack);
        let settings = settings.and_then(|settings| settings.loadbalancer.as_ref());
        let extension = OpenstackLoadBalancer {
            provider: settings.and_then(|settings| settings.provider.clone()),
            flavor: settings.and_then(|settings| settings.flavor_id.clone()),
            method: settings.and_then(|settings| settings.method.clone()).filter(|method| !method.is_empty()),
        };
        let path = || Path::of("spec.cloudProvider.openstack.loadbalancer.method");
        match extension.method.as_deref() {
            Some(method) if !Pool::ALGORITHMS.contains(&method) => problems.error(
                path(),
                format!("{method:?} is not a method of load balancers"),
                format!("use one of {}", Pool::ALGORITHMS.join(", ")),
            ),
            Some(method) if extension.passes_through() && method != "SOURCE_IP_PORT" => problems.error(
                path(),
                format!("load balancers of provider ovn do not support {method}"),
                "use SOURCE_IP_PORT, or remove it",
            ),
            _ => {}
        }
        if extension.passes_through() {
            // OVN checks with connections only.
            for listener in &mut task.listeners {
                listener.health_check.https_path = None;
            }
        }
        extend(&mut task.extensions, &extension, problems);
    }
}

/// Whether machines of a group may send from a range, by their address pairs.
fn sends_from(group: &InstanceGroup, range: &IpNet) -> bool {
    let pairs = group.metadata.annotations.iter().filter(|(key, _)| {
        key.strip_prefix(PREFIX).is_some_and(|name| name.starts_with("allowedAddressPair/"))
    });
    let pairs = pairs.filter_map(|(_, value)| value.trim().parse::<AddressPair>().ok());
    // One with a MAC address is for the packets of another interface.
    let pairs = pairs.filter(|pair| pair.mac_address.is_none());
    let allowed: Vec<IpNet> = pairs.filter_map(|pair| pair.ip_address.parse().ok()).collect();
    // Several may cover the range only together.
    IpNet::aggregate(&allowed).iter().any(|allowed| allowed.contains(range))
}

/// Applies an annotation; the error is a message and a fix.
fn annotation(
    name: &str,
    value: &str,
    task: &mut resource::InstanceGroup,
    extension: &mut OpenstackInstanceGroup,
) -> Result<(), (String, String)> {
    let wrong = |fix: &str| (format!("{value:?} is not a valid value"), fix.to_owned());
    match name {
        "osVolumeBoot" => match value {
            "true" => {}
            // Other settings of the volume are rejected by lowering, rather than ignored.
            "false" => task.root_disk.size_gib = 0,
            _ => return Err(wrong("use true or false")),
        },
        "osVolumeSize" => match value.parse() {
            // Without a volume, the size has no meaning.
            Ok(size) if size > 0 && task.root_disk.size_gib > 0 => task.root_disk.size_gib = size,
            Ok(size) if size > 0 => {}
            _ => return Err(wrong("use a number of GiB")),
        },
        "serverGroupAffinity" if ServerGroup::POLICIES.contains(&value) => {
            extension.server_group_policy = Some(value.to_owned());
        }
        "serverGroupAffinity" => {
            return Err(wrong(&format!("use one of {}", ServerGroup::POLICIES.join(", "))));
        }
        "serverGroupName" => {
            let why = "instance groups cannot share a server group: each has one of its own";
            return Err((why.to_owned(), "remove it".to_owned()));
        }
        _ if name.starts_with("allowedAddressPair/") => {
            let pair = value.parse::<AddressPair>().map_err(|error| {
                let why = error.message().to_owned();
                (why, "use the form 192.0.2.0/24, or 192.0.2.1,fa:16:3e:00:00:01".to_owned())
            })?;
            extension.allowed_address_pairs.insert(pair);
        }
        _ => {
            let why = format!("unknown annotation {PREFIX}{name}");
            return Err((why, "check its spelling, or remove it".to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kops_cluster::{Opaque, Role};

    fn told(annotations: &[(&str, &str)]) -> (resource::InstanceGroup, OpenstackInstanceGroup, Problems) {
        let mut group = InstanceGroup::default();
        let annotations =
            annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        group.metadata.annotations = annotations.collect();
        let mut task = resource::InstanceGroup::new([], "image", "large");
        task.root_disk.size_gib = 64;
        let mut problems = Problems::new();
        OpenstackDialect.instance_group(&Cluster::default(), &group, &mut task, &mut problems);
        let extension = task.extensions.get().unwrap().unwrap_or_default();
        (task, extension, problems)
    }

    #[test]
    fn annotations_mean_what_they_mean_to_kops() {
        let (task, extension, problems) = told(&[
            ("osVolumeBoot", "true"),
            ("osVolumeSize", "20"),
            ("serverGroupAffinity", "anti-affinity"),
            ("allowedAddressPair/0", "192.168.0.0/16,fa:16:3e:0b:00:01"),
            ("allowedAddressPair/1", "10.123.0.0"),
        ]);
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(task.root_disk.size_gib, 20);
        assert_eq!(extension.server_group_policy.as_deref(), Some("anti-affinity"));
        let pairs: Vec<_> = extension.allowed_address_pairs.iter().map(ToString::to_string).collect();
        assert_eq!(pairs, ["10.123.0.0", "192.168.0.0/16,fa:16:3e:0b:00:01"]);

        let (task, extension, _) = told(&[("osVolumeBoot", "false"), ("osVolumeSize", "20")]);
        assert_eq!((task.root_disk.size_gib, extension), (0, OpenstackInstanceGroup::default()));
        let mut others = InstanceGroup::default();
        others.metadata.annotations.insert("example.com/osVolumeBoot".to_owned(), "maybe".to_owned());
        let mut problems = Problems::new();
        let mut task = resource::InstanceGroup::new([], "image", "large");
        OpenstackDialect.instance_group(&Cluster::default(), &others, &mut task, &mut problems);
        assert!(problems.is_empty(), "{problems}");
    }

    #[test]
    fn packets_of_pods_need_a_tunnel_or_address_pairs() {
        let told = |plugin: &str, settings: &str, pairs: Option<&str>| {
            let mut cluster = Cluster::default();
            let networking = &mut cluster.spec.networking;
            networking.pod_cidr = "100.96.0.0/11".parse().ok();
            let settings = serde_json::from_str(settings).unwrap();
            *networking.plugin_mut(plugin).unwrap() = Some(Opaque(settings));
            let mut group = InstanceGroup::named("nodes", Role::Node, "ha.example.com");
            for (number, pair) in pairs.into_iter().flat_map(str::split_whitespace).enumerate() {
                let name = format!("{PREFIX}allowedAddressPair/{number}");
                group.metadata.annotations.insert(name, pair.to_owned());
            }
            let bastions = InstanceGroup::named("bastions", Role::Bastion, "ha.example.com");
            let mut problems = Problems::new();
            let admitted = OpenstackDialect.admits_pods(&cluster, &[group, bastions], &mut problems);
            (admitted, problems.to_string())
        };
        for (plugin, settings) in [
            ("kindnet", "{}"),
            ("kubenet", "{}"),
            ("kuberouter", "{}"),
            ("calico", "{}"),
            ("calico", r#"{"encapsulationMode": "none"}"#),
            ("calico", r#"{"encapsulationMode": "vxlan"}"#),
            ("cilium", r#"{"routingMode": "native"}"#),
        ] {
            for pair in [None, Some("100.96.0.0/16"), Some("100.96.0.0/11,fa:16:3e:00:00:01")] {
                let (admitted, text) = told(plugin, settings, pair);
                assert!(!admitted && text.contains(&format!("spec.networking.{plugin}: ")), "{text}");
                assert!(text.contains("nodes") && !text.contains("bastions"), "{text}");
                assert!(text.contains("allowedAddressPair/pods: 100.96.0.0/11"), "{text}");
            }
            for pairs in ["100.64.0.0/10", "100.96.0.0/12 100.112.0.0/12"] {
                let (admitted, text) = told(plugin, settings, Some(pairs));
                assert!(admitted && text.is_empty(), "{text}");
            }
        }
        for (plugin, settings) in [("cilium", "{}"), ("calico", r#"{"ipipMode": "Always"}"#), ("cni", "{}")] {
            assert_eq!(told(plugin, settings, None), (false, String::new()), "{plugin} {settings}");
        }
        // Of a plugin of the user's own it is not known.
        assert!(told("cni", "{}", Some("100.96.0.0/11")).0);
    }

    #[test]
    fn what_cannot_be_understood_is_refused_where_it_stands() {
        for (name, value) in [
            ("osVolumeBoot", "yes"),
            ("osVolumeSize", "0"),
            ("osVolumeSize", "20GB"),
            ("serverGroupAffinity", "apart"),
            ("serverGroupName", "masters"),
            ("allowedAddressPair/0", "everywhere"),
            ("allowedAddressPair/0", "10.0.0.1,mac"),
            ("osVolumeBoost", "true"),
        ] {
            let (_, _, problems) = told(&[(name, value)]);
            assert!(problems.has_errors(), "{name} {value}");
            assert!(problems.to_string().contains(name), "{problems}");
        }
    }
}

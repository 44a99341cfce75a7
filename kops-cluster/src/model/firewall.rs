//! The firewalls of machines and load balancers, and the traffic they allow.
//!
//! The rules are kOps': control-plane machines reach everything; nodes reach nodes and everything but etcd on
//! the control plane; SSH, service ports and the API are open to the sources that the specification allows. A
//! firewall that the specification names in place of one of the cluster's is shared: other firewalls allow
//! traffic from it, but its own rules are left to its owner (a warning says so).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::Value;

use super::draft::{Draft, role_of};
use super::network::Site;
use crate::cloud::{PodTraffic, Tunnel};
use crate::extensions::MachineRole;
use crate::spec::{AccessSource, InstanceGroup, Path, Problems};
use kops_core::graph::Handle;
use kops_core::resource::{Firewall, FirewallRule, FirewallRules, Peer, Protocol};

/// Ports of the control plane that nodes must not reach: etcd's clients (2379, 4001, 4002), peers (2380,
/// 2381) and metrics (2381), in kubeadm's and in kOps' numbering.
const ETCD_PORTS: &[u16] = &[2379, 2380, 2381, 4001, 4002];

/// The peer port of a further etcd cluster: the one that Cilium may use, and `leases`.
const FURTHER_ETCD_PEERS: u16 = 2382;

/// IP in IP: Calico's and kube-router's tunnels.
const IP_IN_IP: Protocol = Protocol::Number(4);

/// The default range of node ports of services.
const NODE_PORTS: (u16, u16) = (30000, 32767);

/// SSH.
pub(super) const SSH: u16 = 22;

/// A firewall in the graph.
#[derive(Clone, Debug)]
pub(super) struct Wall {
    pub(super) handle: Handle<Firewall>,
    /// Whether the cluster manages its rules.
    own: bool,
}

impl Wall {
    pub(super) fn peer(&self) -> Peer {
        Peer::Group(self.handle.id())
    }
}

/// The firewalls of a cluster and their rules so far.
#[derive(Default)]
pub(super) struct Walls {
    machines: BTreeMap<MachineRole, Vec<Wall>>,
    rules: BTreeMap<String, (Handle<Firewall>, BTreeSet<FirewallRule>)>,
}

impl Walls {
    /// The firewalls of a role's machines: the role's own, and those that groups name in its place.
    pub(super) fn of(&self, role: MachineRole) -> &[Wall] {
        self.machines.get(&role).map_or(&[], Vec::as_slice)
    }

    /// Adds a firewall of the cluster's own that allows all outgoing traffic.
    pub(super) fn add(&mut self, draft: &mut Draft<'_>, site: &Site, name: &str, description: &str) -> Wall {
        let firewall = Firewall::new(site.network.id(), description);
        let wall = Wall { handle: draft.graph.add(name, firewall), own: true };
        for everywhere in everywhere() {
            self.allow(&wall, FirewallRule::all_to(Peer::Cidr(everywhere)));
        }
        wall
    }

    /// A shared firewall.
    pub(super) fn shared(draft: &mut Draft<'_>, id: &str) -> Wall {
        Wall { handle: draft.shared_firewall(id), own: false }
    }

    /// Adds a rule, unless the firewall is shared.
    pub(super) fn allow(&mut self, wall: &Wall, rule: FirewallRule) {
        if wall.own {
            let name = wall.handle.key().name().to_owned();
            self.rules.entry(name).or_insert_with(|| (wall.handle.clone(), BTreeSet::new())).1.insert(rule);
        }
    }

    /// Allows the sources of an access list to reach a TCP port.
    pub(super) fn admit(&mut self, wall: &Wall, sources: &[AccessSource], port: u16) {
        for source in sources {
            self.allow(wall, FirewallRule::tcp(port, peer_of(source)));
        }
    }

    /// Adds the rules to the graph, one task for each firewall.
    pub(super) fn finish(self, draft: &mut Draft<'_>) {
        for (name, (firewall, rules)) in self.rules {
            draft.graph.add(&name, FirewallRules::new(firewall.id(), rules));
        }
    }
}

/// The whole internet, in both address families: outgoing traffic is not filtered.
fn everywhere() -> [IpNet; 2] {
    [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())]
}

pub(super) fn peer_of(source: &AccessSource) -> Peer {
    match source {
        AccessSource::Cidr(cidr) => Peer::Cidr(*cidr),
        AccessSource::PrefixList(list) => Peer::PrefixList(list.clone()),
    }
}

/// Builds the firewalls of machines, and the rules among them.
pub(super) fn build(draft: &mut Draft<'_>, site: &Site) -> Walls {
    check_access(draft);
    let mut walls = Walls::default();
    for (role, description) in [
        (MachineRole::ControlPlane, "Security group for masters"),
        (MachineRole::Node, "Security group for nodes"),
        (MachineRole::Bastion, "Security group for bastion"),
    ] {
        let mut around = Vec::new();
        if draft.groups_of(role).any(|group| group.spec.security_group_override.is_none()) {
            let name = draft.names.firewall(role);
            around.push(walls.add(draft, site, &name, description));
        }
        let named: BTreeSet<&str> =
            draft.groups_of(role).filter_map(|group| group.spec.security_group_override.as_deref()).collect();
        around.extend(named.into_iter().map(|id| Walls::shared(draft, id)));
        walls.machines.insert(role, around);
    }
    warn_of_overrides(draft);
    among_machines(draft, &mut walls);
    from_outside(draft, &mut walls);
    walls
}

/// The firewalls of a group's machines.
pub(super) fn of_group(
    draft: &mut Draft<'_>,
    group: &InstanceGroup,
    role: MachineRole,
) -> Vec<Handle<Firewall>> {
    let base = match &group.spec.security_group_override {
        Some(id) => draft.shared_firewall(id),
        None => Handle::named(&draft.names.firewall(role)),
    };
    let mut around = vec![base];
    around.extend(group.spec.additional_security_groups.iter().map(|id| draft.shared_firewall(id)));
    around
}

fn warn_of_overrides(draft: &mut Draft<'_>) {
    for group in draft.blueprint.groups.iter().filter(|group| role_of(group).is_some()) {
        if let Some(id) = &group.spec.security_group_override {
            let mut problems = Problems::new();
            problems.warn(
                Path::of("spec.securityGroupOverride"),
                format!("{id} is used as is; no rules are added to it"),
                "make sure that it allows traffic from the other machines of the cluster",
            );
            draft.add_group_problems(group, problems);
        }
    }
}

/// The traffic among the machines of the cluster.
fn among_machines(draft: &mut Draft<'_>, walls: &mut Walls) {
    let control_plane = walls.of(MachineRole::ControlPlane).to_vec();
    let nodes = walls.of(MachineRole::Node).to_vec();
    for from in &control_plane {
        for to in control_plane.iter().chain(&nodes) {
            walls.allow(to, FirewallRule::all_from(from.peer()));
        }
    }
    for from in &nodes {
        for to in &nodes {
            walls.allow(to, FirewallRule::all_from(from.peer()));
        }
        for to in &control_plane {
            for rule in node_to_control_plane(draft, &from.peer()) {
                walls.allow(to, rule);
            }
        }
    }
    if let Some(pods) = pods(draft) {
        for to in &nodes {
            walls.allow(to, FirewallRule::all_from(Peer::Cidr(pods)));
        }
        for to in &control_plane {
            for rule in node_to_control_plane(draft, &Peer::Cidr(pods)) {
                walls.allow(to, rule);
            }
        }
    }
    for from in walls.of(MachineRole::Bastion).to_vec() {
        for to in control_plane.iter().chain(&nodes) {
            walls.allow(to, FirewallRule::tcp(SSH, from.peer()));
        }
    }
}

/// The range of pods whose packets carry their own addresses.
fn pods(draft: &mut Draft<'_>) -> Option<IpNet> {
    let blueprint = draft.blueprint;
    let admitted = blueprint.dialect.admits_pods(blueprint.cluster, blueprint.groups, &mut draft.problems);
    blueprint.cluster.spec.networking.pod_cidr.filter(|_| admitted)
}

/// What nodes may reach on the control plane: everything but etcd. Pods are reached through their machines,
/// so single ports cannot be distinguished.
fn node_to_control_plane(draft: &Draft<'_>, from: &Peer) -> Vec<FirewallRule> {
    let networking = draft.networking();
    let cilium = networking.cilium.as_ref().map(|settings| &settings.0);
    let mut closed: BTreeSet<u16> = ETCD_PORTS.iter().copied().collect();
    let clusters = &draft.blueprint.cluster.spec.etcd_clusters;
    if cilium.and_then(|settings| settings.get("etcdManaged")) == Some(&Value::Bool(true))
        || clusters.iter().any(|it| it.name == "leases")
    {
        closed.insert(FURTHER_ETCD_PEERS);
    }
    let mut rules: Vec<_> = ranges_without(&closed)
        .map(|(first, last)| FirewallRule::tcp_range(first, last, from.clone()))
        .collect();
    // All of UDP, which covers the tunnels of every network plugin (VXLAN, Geneve, WireGuard).
    rules.push(FirewallRule::udp_range(1, u16::MAX, from.clone()));
    let in_ip = matches!(
        PodTraffic::of(networking),
        PodTraffic::Tunnel(Tunnel::IpInIp) | PodTraffic::BetweenSubnets(Tunnel::IpInIp)
    );
    if in_ip || networking.kuberouter.is_some() {
        rules.push(FirewallRule::protocol(IP_IN_IP, from.clone()));
    }
    rules
}

/// The port ranges between the closed ports.
fn ranges_without(closed: &BTreeSet<u16>) -> impl Iterator<Item = (u16, u16)> {
    let ends = closed.iter().map(|port| port.checked_sub(1)).chain([Some(u16::MAX)]);
    let starts = std::iter::once(Some(1)).chain(closed.iter().map(|port| port.checked_add(1)));
    starts.zip(ends).filter_map(|(first, last)| first.zip(last)).filter(|(first, last)| first <= last)
}

/// SSH, service ports, and the API if it has no load balancer.
fn from_outside(draft: &mut Draft<'_>, walls: &mut Walls) {
    let spec = &draft.blueprint.cluster.spec;
    let control_plane = walls.of(MachineRole::ControlPlane).to_vec();
    let nodes = walls.of(MachineRole::Node).to_vec();
    // With a bastion, SSH is allowed through it alone.
    if !draft.has(MachineRole::Bastion) {
        for wall in control_plane.iter().chain(&nodes) {
            walls.admit(wall, &spec.ssh_access, SSH);
        }
    }
    let (first, last) = node_ports(draft);
    for wall in &nodes {
        for source in &spec.node_port_access {
            walls.allow(wall, FirewallRule::tcp_range(first, last, peer_of(source)));
            walls.allow(wall, FirewallRule::udp_range(first, last, peer_of(source)));
        }
    }
    if spec.api.load_balancer.is_none() {
        for wall in &control_plane {
            walls.admit(wall, &spec.api.access, super::api::PORT);
        }
    }
}

/// The node ports of services, as configured for the API server.
fn node_ports(draft: &mut Draft<'_>) -> (u16, u16) {
    let settings = draft.blueprint.cluster.spec.kube_api_server.as_ref();
    let Some(range) = settings.and_then(|it| it.0.get("serviceNodePortRange")).and_then(Value::as_str) else {
        return NODE_PORTS;
    };
    let parsed =
        range.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    parsed.filter(|(first, last)| first <= last).unwrap_or_else(|| {
        draft.problems.error(
            Path::of("spec.kubeAPIServer.serviceNodePortRange"),
            format!("{range:?} is not a port range"),
            "use a range such as 30000-32767",
        );
        NODE_PORTS
    })
}

/// Rejects prefix lists on clouds without them, and warns of lists that let nobody in.
fn check_access(draft: &mut Draft<'_>) {
    let spec = &draft.blueprint.cluster.spec;
    let is_six = |source: &AccessSource| matches!(source, AccessSource::Cidr(IpNet::V6(_)));
    for (path, sources) in [
        ("spec.sshAccess", &spec.ssh_access),
        ("spec.api.access", &spec.api.access),
        ("spec.nodePortAccess", &spec.node_port_access),
    ] {
        if !sources.is_empty() && sources.iter().all(is_six) {
            draft.problems.warn(
                Path::of(path),
                "it lists IPv6 CIDRs only, but machines and load balancers have IPv4 addresses: nobody is let in",
                "add the IPv4 CIDRs of clients",
            );
        }
        if draft.blueprint.capabilities.prefix_lists {
            continue;
        }
        for (at, source) in sources.iter().enumerate() {
            if let AccessSource::PrefixList(list) = source {
                draft.problems.error(
                    Path::of(path).index(at),
                    format!("{list} is a prefix list, which this cloud does not support"),
                    "list the CIDRs instead, such as 192.0.2.0/24",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_out_what_is_closed() {
        let ranges = |closed: &[u16]| ranges_without(&closed.iter().copied().collect()).collect::<Vec<_>>();
        assert_eq!(ranges(&[]), [(1, 65535)]);
        assert_eq!(ranges(ETCD_PORTS), [(1, 2378), (2382, 4000), (4003, 65535)]);
        assert_eq!(ranges(&[1, 65535]), [(2, 65534)]);
    }
}

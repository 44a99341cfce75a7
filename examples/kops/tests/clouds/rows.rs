//! The rows of the table: what a platform team asks for, and how it is asked.

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_cluster::{
    ClusterFiles, DnsType, LoadBalancerClass, LoadBalancerType, NewCluster, TopologyKind, set,
};
use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;
use kops_core::resource::{
    DnsRecord, DnsTarget, DnsZone, FirewallRule, FirewallRules, Instance, InstanceDisk, Peer, Protocol,
    RecordType, Scheme, SpotOptions, Volume,
};

use crate::ground::{Ground, group, listener, network};
use crate::offline::Offline;

/// A row.
pub(crate) struct Row {
    /// What is asked for, in words.
    pub(crate) what: &'static str,
    pub(crate) ask: Ask,
}

/// How it is found out.
pub(crate) enum Ask {
    /// A cluster is planned: the plain one, with other options for its creation and another specification.
    Cluster(fn(&mut NewCluster, &Offline), fn(&mut ClusterFiles, &Offline)),
    /// Agnostic tasks are lowered, beside a network with a subnet.
    Tasks(fn(&mut Ground<'_>)),
    /// The provider says it as data.
    Data(fn(&Offline) -> String),
}

/// The plain cluster differs in its options.
const fn created(what: &'static str, options: fn(&mut NewCluster, &Offline)) -> Row {
    Row { what, ask: Ask::Cluster(options, |_, _| {}) }
}

/// The plain cluster differs in its specification.
const fn edited(what: &'static str, edit: fn(&mut ClusterFiles, &Offline)) -> Row {
    Row { what, ask: Ask::Cluster(|_, _| {}, edit) }
}

const fn tasks(what: &'static str, add: fn(&mut Ground<'_>)) -> Row {
    Row { what, ask: Ask::Tasks(add) }
}

const fn data(what: &'static str, told: fn(&Offline) -> String) -> Row {
    Row { what, ask: Ask::Data(told) }
}

/// The table.
pub(crate) const ROWS: &[Row] = &[
    created("a cluster of public machines, its API behind a load balancer", |_, _| {}),
    created("private machines, and their way out", |it, _| it.topology = TopologyKind::Private),
    created("a bastion before them", |it, _| {
        it.topology = TopologyKind::Private;
        it.bastion = true;
    }),
    created("three control planes in three zones", |it, cloud| {
        it.zones = cloud.zones.map(str::to_owned).to_vec();
        it.control_plane_count = Some(3);
    }),
    created("an internal load balancer for the API", |it, _| {
        it.topology = TopologyKind::Private;
        it.api_load_balancer = Some(LoadBalancerType::Internal);
    }),
    created("a classic load balancer", |it, _| it.api_load_balancer_class = Some(LoadBalancerClass::Classic)),
    created("names in a public DNS zone", |it, _| it.dns = DnsType::Public),
    created("names in a private DNS zone", |it, _| it.dns = DnsType::Private),
    created("subnets in an existing network", |it, cloud| {
        it.network_id = Some(cloud.network.to_owned());
        it.network_cidr = "10.0.0.0/16".parse().ok();
    }),
    created("existing subnets", |it, cloud| {
        it.network_id = Some(cloud.network.to_owned());
        it.subnets = vec![cloud.subnet.to_owned()];
    }),
    edited("an existing SSH key", |files, _| {
        files.ssh_keys.clear();
        cluster(files, "spec.sshKeyName", "admin");
    }),
    edited("an IPv6 cluster", |files, _| cluster(files, "spec.nonMasqueradeCIDR", "::/0")),
    edited("further policies of nodes (`additionalPolicies`)", |files, _| {
        cluster(
            files,
            "spec.additionalPolicies.node",
            r#"[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]"#,
        );
    }),
    edited("labels and taints of nodes", |files, _| {
        nodes(files, "spec.nodeLabels.pool", "batch");
        nodes(files, "spec.taints", "pool=batch:NoSchedule");
    }),
    edited("further disks of machines", |files, _| {
        nodes(files, "spec.volumes[0].device", "/dev/xvdb");
        nodes(files, "spec.volumes[0].size", "100");
    }),
    edited("encrypted disks of machines", |files, _| nodes(files, "spec.rootVolume.encryption", "true")),
    edited("spot machines", |files, cloud| {
        // A cloud with a word of its own for it has the price set by itself.
        if cloud.cloud.dialect().group_fields().contains(&"gcpProvisioningModel") {
            nodes(files, "spec.gcpProvisioningModel", "SPOT");
        } else {
            nodes(files, "spec.maxPrice", "0.10");
        }
    }),
    edited("groups of several machine types (`mixedInstancesPolicy`)", |files, _| {
        nodes(files, "spec.mixedInstancesPolicy.instances", "m5.large,m5a.large");
    }),
    edited("accelerators beside the machine type (`guestAccelerators`)", |files, _| {
        nodes(files, "spec.guestAccelerators[0].acceleratorType", "nvidia-tesla-t4");
        nodes(files, "spec.guestAccelerators[0].acceleratorCount", "1");
    }),
    edited("machines on hardware of one's own (`tenancy`)", |files, _| {
        nodes(files, "spec.tenancy", "dedicated");
    }),
    edited("warm pools", |files, _| nodes(files, "spec.warmPool.minSize", "1")),
    edited("Karpenter", |files, _| nodes(files, "spec.manager", "Karpenter")),
    tasks("a network with IPv6", |on| {
        on.graph.add("six", network().ipv6(true));
    }),
    tasks("a NAT gateway with an address of its own", |on| on.gateway()),
    tasks("rules by the cloud's prefix lists", |on| {
        let rules = [FirewallRule::tcp(22, Peer::PrefixList("pl-0123456789abcdef0".to_owned()))];
        on.graph.add("wall", FirewallRules::new(on.wall.id(), rules));
    }),
    tasks("a load balancer for UDP", |on| {
        on.balance("udp", Scheme::Public, listener(|it| it.protocol = Protocol::Udp));
    }),
    tasks("a load balancer that ends TLS", |on| {
        let certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/0";
        on.balance("tls", Scheme::Public, listener(|it| it.certificate = Some(certificate.to_owned())));
    }),
    tasks("a load balancer to another port", |on| {
        on.balance("other", Scheme::Public, listener(|it| it.target_port = 8443));
    }),
    tasks("a DNS record of a load balancer", |on| {
        let target = on.balance("api", Scheme::Public, listener(|_| {}));
        let zone = on.graph.add("zone", DnsZone::new("example.com"));
        let (name, record_type) = ("api.example.com".to_owned(), RecordType::A);
        let target = DnsTarget::LoadBalancer(target.id());
        on.graph.add("api", DnsRecord::new(zone.id(), name, record_type, target).ttl_seconds(60));
    }),
    tasks("a single machine", |on| {
        let machine = Instance::new(on.subnet.id(), "image", "large")
            .firewalls([on.wall.id()])
            .ssh_key(on.key.id())
            .root_disk(InstanceDisk::new(20))
            // By it a cloud whose subnets span the zones knows where.
            .label("topology.kubernetes.io/zone", on.offline.zones[0]);
        on.graph.add("machine", machine);
    }),
    tasks("a group with the most to pay for its spot machines", |on| {
        let group = group(on).spot(SpotOptions::new().max_price("0.10"));
        on.graph.add("spot", group);
    }),
    tasks("a disk", |on| {
        on.graph.add("disk", disk(on));
    }),
    tasks("a disk of a given speed", |on| {
        let disk = disk(on).iops(4000);
        // Disks of the default type have the speed of their size there.
        let disk = match on.offline.title {
            "GCE" => disk.volume_type("hyperdisk-balanced"),
            "Azure" => disk.volume_type("PremiumV2_LRS"),
            _ => disk,
        };
        on.graph.add("disk", disk);
    }),
    data("machines have identities", |on| {
        let mut graph = TaskGraph::builder();
        graph.add("nodes", ClusterIdentity::of(MachineRole::Node).identity().unwrap());
        let native = on.cloud.lower(&graph.build().unwrap(), &Scope::new("demo.example.com"), &[]).unwrap();
        // Where there are none, the task becomes nothing.
        yes(native.graph().tasks().next().is_some())
    }),
    data("`surge`: a machine more for the time of a replacement", |on| yes(on.cloud.capabilities().surge)),
    data("machines: listed, taken out of load balancers, ended", |on| yes(on.cloud.machines().is_some())),
    data("tells which permissions credentials lack", |on| yes(on.cloud.permissions().is_some())),
    data("writes the policy, role or access rules of least privilege", |on| {
        let least = on.cloud.permissions().map(|it| it.least(&Scope::new("demo.example.com")));
        let rules = least.as_ref().map_or(0, |it| it.as_array().map_or(1, Vec::len));
        yes(rules > 0)
    }),
    data("state store", |on| {
        let location = on.store.location();
        format!("`{}://`", location.split("://").next().unwrap())
    }),
];

/// What a cell says of what can be had, or cannot.
pub(crate) fn yes(it: bool) -> String {
    if it { "yes" } else { "–" }.to_owned()
}

fn disk(on: &Ground<'_>) -> Volume {
    Volume::new(on.offline.zones[0].to_owned(), 20)
}

fn cluster(files: &mut ClusterFiles, path: &str, value: &str) {
    set(&mut files.cluster, path, value).unwrap();
}

/// Sets something on the groups of nodes.
fn nodes(files: &mut ClusterFiles, path: &str, value: &str) {
    for group in files.instance_groups.iter_mut().filter(|it| !it.is_control_plane() && !it.is_bastion()) {
        set(group, path, value).unwrap();
    }
}

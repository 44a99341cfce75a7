//! A small cluster of every kind, for the in-memory cloud and for whatever stands in front of one.

use std::sync::Arc;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{Id, Input, Key, OutputRef, Part, Secret, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Access, Address, DnsRecord, DnsTarget, DnsZone, Firewall, FirewallRule, FirewallRules, Identity,
    Instance, InstanceDisk, InstanceGroup, InternetGateway, Listener, LoadBalancer, MachineOptions,
    NatGateway, Network, Peer, RecordType, Resource, Scheme, SshKey, Subnet, Volume,
};
use kops_core::testing::conformance::{Edit, Fixture, Item, Many, Requests};
use kops_core::testing::{MemoryCloud, MemoryObject};

pub(crate) const SECRET: &str = "hunter2-bootstrap-token";

pub(crate) struct Memory {
    pub(crate) cloud: MemoryCloud,
    /// What stands in front of the cloud, if anything does.
    pub(crate) front: Option<Arc<dyn Cloud>>,
    pub(crate) stride: usize,
    /// Another region of the account.
    pub(crate) elsewhere: Arc<dyn Cloud>,
}

impl Memory {
    pub(crate) fn new(cloud: MemoryCloud, stride: usize) -> Self {
        Self { elsewhere: Arc::new(cloud.in_region("elsewhere")), cloud, front: None, stride }
    }
}

/// What differs between the fixture's graphs.
#[derive(Clone)]
struct Wish {
    machine_type: &'static str,
    ipv6: bool,
    key: &'static str,
    second_key: bool,
    bastion: bool,
    /// Whether the bastion has a fixed address and is behind the load balancer.
    fixed: bool,
    disk: u32,
    volumes: usize,
}

const PLAIN: Wish = Wish {
    machine_type: "small",
    ipv6: false,
    key: "ssh-ed25519 AAAA admin",
    second_key: false,
    bastion: true,
    fixed: true,
    disk: 8,
    volumes: 1,
};

fn cluster(scope: &Scope, wish: &Wish) -> Result<TaskGraph> {
    let mut graph = TaskGraph::builder();
    let network = graph.add("main", Network::new(["10.0.0.0/16".parse().unwrap()]).ipv6(wish.ipv6));
    let door = graph.add("main", InternetGateway::new(network.id()));
    let cidr = |third: u8| format!("10.0.{third}.0/24").parse().unwrap();
    let mut utility = Subnet::new(network.id(), cidr(0)).zone("a").public(door.id());
    utility.access = Access::Utility;
    let utility = graph.add("utility-a", utility);
    let address = graph.add("nat-a", Address::new());
    let nat = NatGateway::new(network.id(), address.id()).subnet(utility.id());
    let nat = graph.add("a", nat);
    let private = graph.add("a", Subnet::new(network.id(), cidr(1)).zone("a").behind(nat.ready().id()));
    let nodes = graph.add("nodes", Firewall::new(network.id(), "nodes"));
    let masters = graph.add("masters", Firewall::new(network.id(), "masters"));
    let rules = FirewallRules::new(
        nodes.id(),
        [
            FirewallRule::all_from(Peer::Group(masters.id())),
            FirewallRule::tcp(22, Peer::Address(nat.get(NatGateway::PUBLIC_IP))),
        ],
    );
    graph.add("nodes", rules);
    graph.add("masters", FirewallRules::new(masters.id(), [FirewallRule::all_from(Peer::Group(nodes.id()))]));
    let balancer = graph.add(
        "api",
        LoadBalancer::new(network.id(), [utility.id()])
            .scheme(Scheme::Public)
            .firewalls([masters.id()])
            .listen(Listener::tcp(443))
            .cross_zone(true),
    );
    let zone = graph.add("zone", DnsZone::new(format!("{}.example", scope.name())));
    graph.add(
        "api",
        DnsRecord::new(
            zone.id(),
            format!("api.{}.example", scope.name()),
            RecordType::A,
            DnsTarget::LoadBalancer(balancer.id()),
        )
        .ttl_seconds(60),
    );
    let key = graph.add("admin", SshKey::new(wish.key));
    if wish.second_key {
        graph.add("second", SshKey::new("ssh-ed25519 CCCC second"));
    }
    let identity = graph.add("nodes", Identity::new());
    for number in 0..wish.volumes {
        graph.add(
            &format!("etcd-{number}"),
            Volume::new("a", wish.disk).labels([("etcd".to_owned(), "main".to_owned())]),
        );
    }
    let user_data = Input::secret([
        Part::Secret(Secret::new(SECRET)),
        Part::from(" join "),
        Part::Output { output: output(balancer.get(LoadBalancer::DNS_NAME)) },
    ]);
    graph.add(
        "nodes",
        InstanceGroup::new([private.id()], "debian-12", wish.machine_type.to_owned())
            .min(2)
            .max(3)
            .firewalls([nodes.id()])
            .identity(identity.id())
            .ssh_key(key.id())
            .user_data(user_data.clone())
            .root_disk(InstanceDisk::new(20))
            .load_balancers([balancer.id()])
            .labels([("role".to_owned(), "node".to_owned())]),
    );
    let fixed = graph.add("bastion", Address::new());
    if wish.bastion {
        let bastion = graph.add(
            "bastion",
            Instance::new(utility.id(), "debian-12", wish.machine_type.to_owned())
                .firewalls([nodes.id()])
                .user_data(user_data)
                .root_disk(InstanceDisk::default())
                .options(MachineOptions::new().public_ip(true))
                .address(wish.fixed.then(|| fixed.id()))
                .load_balancers(wish.fixed.then(|| balancer.id())),
        );
        let ip = DnsTarget::Values([bastion.get(Instance::PUBLIC_IP)].into());
        let name = format!("bastion.{}.example", scope.name());
        graph.add("bastion", DnsRecord::new(zone.id(), name, RecordType::A, ip));
    }
    graph.build()
}

fn output<T: std::fmt::Debug>(input: Input<T>) -> OutputRef {
    match input {
        Input::Output(output) => output,
        other => panic!("{other:?} is no output"),
    }
}

#[async_trait]
impl Fixture for Memory {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.front.clone().unwrap_or_else(|| Arc::new(self.cloud.clone()))
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        cluster(scope, &PLAIN)
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let edit = |name, wish: &Wish| Ok::<_, kops_core::Error>(Edit::new(name, cluster(scope, wish)?));
        Ok(vec![
            edit("another machine type", &Wish { machine_type: "large", ..PLAIN })?
                .expect("InstanceGroup/nodes", Action::Update, &["machine_type"])
                .expect("Instance/bastion", Action::Replace, &["machine_type"]),
            edit("IPv6", &Wish { ipv6: true, ..PLAIN })?.expect("Network/main", Action::Update, &["ipv6"]),
            edit("another key", &Wish { key: "ssh-ed25519 BBBB admin", ..PLAIN })?
                .expect("SshKey/admin", Action::Replace, &["public_key"])
                .expect("InstanceGroup/nodes", Action::Update, &["ssh_key"]),
            edit("one more", &Wish { second_key: true, ..PLAIN })?.expect(
                "SshKey/second",
                Action::Create,
                &[],
            ),
            edit("a machine without its address", &Wish { fixed: false, ..PLAIN })?
                .expect("Instance/bastion", Action::Update, &["address", "load_balancers"])
                .expect("DnsRecord/bastion", Action::Update, &["target.Values"]),
            edit("one less", &Wish { bastion: false, ..PLAIN })?
                .expect("Instance/bastion", Action::Delete, &[])
                .expect("DnsRecord/bastion", Action::Delete, &[]),
        ])
    }

    fn stride(&self) -> usize {
        self.stride
    }

    fn requests(&self) -> Option<Requests> {
        let calls = self.cloud.calls();
        Some(Requests::new(calls.total(), calls.mutating()))
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        let items = self.cloud.objects()?.into_iter();
        Ok(Some(items.map(|it| Item::new(it.kind, it.id, it.spec)).collect()))
    }

    async fn plant(&self) -> Result<bool> {
        let network = Network::new(["10.0.0.0/16".parse().unwrap()]);
        let network = self.cloud.plant::<Network>("planted", &network)?;
        let firewall = Firewall::new(network, "theirs");
        let firewall = self.cloud.plant::<Firewall>("planted", &firewall)?;
        let rules = FirewallRules::new(firewall, []);
        self.cloud.plant::<FirewallRules>("planted", &rules)?;
        self.cloud.plant::<Address>("planted", &Address::new())?;
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        self.cloud.plant::<Identity>(&format!("nodes.{}", scope.name()), &Identity::new())?;
        Ok(Some(Key::new(Identity::KIND, "nodes")))
    }

    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        Some(self.elsewhere.clone())
    }

    async fn uproot(&self) -> Result<()> {
        // Users before what they use.
        for kind in [FirewallRules::KIND, Firewall::KIND, Network::KIND, Address::KIND, Identity::KIND] {
            let objects = self.cloud.objects()?.into_iter();
            for MemoryObject { id, .. } in objects.filter(|it| it.kind == kind && it.scope.is_none()) {
                match kind {
                    FirewallRules::KIND => self.cloud.remove(&Id::<FirewallRules>::new(id))?,
                    Firewall::KIND => self.cloud.remove(&Id::<Firewall>::new(id))?,
                    Network::KIND => self.cloud.remove(&Id::<Network>::new(id))?,
                    Address::KIND => self.cloud.remove(&Id::<Address>::new(id))?,
                    _ => self.cloud.remove(&Id::<Identity>::new(id))?,
                }
            }
        }
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let wish = Wish { ipv6: true, ..PLAIN };
        let can = self.cloud.capabilities().ipv6;
        Ok(if can { None } else { Some((cluster(scope, &wish)?, Key::new(Network::KIND, "main"))) })
    }

    fn many(&self, scope: &Scope) -> Result<Option<Many>> {
        Ok(Some(Many::new(cluster(scope, &Wish { volumes: 25, ..PLAIN })?, 2)))
    }

    fn secret(&self) -> Option<&str> {
        Some(SECRET)
    }
}

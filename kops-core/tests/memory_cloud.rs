//! The in-memory cloud behaves as clouds do: it refuses, settles, vanishes, remembers.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;
use std::time::Duration;

use kops_core::cloud::{
    Cloud, Context, Create, Delete, Deletion, DynHandler, Filter, IdentityClass, MachineState, Observed,
    Owner, Query, Scope, State, Update, Wanted,
};
use kops_core::graph::{Closed, Document, Id, Secret, TaskGraph};
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, InstanceGroup, InternetGateway, NatGateway, Network, Output,
    RecordType, Resource, SshKey, Subnet, Volume,
};
use kops_core::testing::{Fault, Latencies, MemoryCloud, MemoryKind, Op};
use kops_core::{Engine, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Asks handlers as the engine does.
struct Client {
    cloud: MemoryCloud,
    scope: Scope,
    cx: Context,
}

impl Client {
    fn new(cloud: &MemoryCloud, scope: &str) -> Self {
        Self { cloud: cloud.clone(), scope: Scope::new(scope), cx: Context::default() }
    }

    fn handler(&self, kind: &str) -> Arc<dyn DynHandler> {
        self.cloud.handlers().iter().find(|it| it.kind() == kind).unwrap().clone()
    }

    async fn create<R: Resource>(&self, name: &str, spec: &R::Resolved) -> Result<Observed> {
        self.create_with_token::<R>(name, spec, name).await
    }

    async fn create_with_token<R: Resource>(
        &self,
        name: &str,
        spec: &R::Resolved,
        token: &str,
    ) -> Result<Observed> {
        let (scope, cx, spec) = (&self.scope, &self.cx, &Document::of(spec).unwrap());
        self.handler(R::KIND).create(Create::new(scope, name, spec, token, cx)).await
    }

    async fn update<R: Resource>(&self, object: &Observed, spec: &R::Resolved) -> Result<Observed> {
        let (scope, cx, spec) = (&self.scope, &self.cx, &Document::of(spec).unwrap());
        let changed = ["x".to_owned()].into();
        let request = Update::new(
            scope,
            object.object.name.as_deref().unwrap(),
            &object.object,
            spec,
            &changed,
            "update",
            cx,
        );
        self.handler(R::KIND).update(request).await
    }

    async fn delete<R: Resource>(&self, object: &Observed) -> Result<Deletion> {
        let (scope, cx) = (&self.scope, &self.cx);
        self.handler(R::KIND).delete(Delete::new(scope, &object.object, cx)).await
    }

    async fn list<R: Resource>(&self, filter: Filter<'_>) -> Vec<Observed> {
        let query = Query::new(&self.scope, filter, &self.cx);
        self.handler(R::KIND).list(&query).await.unwrap()
    }

    async fn mine<R: Resource>(&self) -> Vec<Observed> {
        self.list::<R>(Filter::scope(&[], &[])).await
    }
}

fn network() -> Network {
    Network::new(["10.0.0.0/16".parse().unwrap()])
}

fn subnet(network: &Observed, third: u8) -> Subnet<Closed> {
    Subnet::new(Id::new(&network.object.id), format!("10.0.{third}.0/24").parse().unwrap()).zone("a")
}

fn group(subnet: &Observed, min: u32) -> InstanceGroup<Closed> {
    InstanceGroup::new([Id::new(&subnet.object.id)], "debian-12", "small")
        .min(min)
        .max(min + 1)
        .user_data(Secret::new("join-token"))
}

fn kind(result: Result<impl Sized>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_referred_to() {
    let client = Client::new(&MemoryCloud::new(), "s");
    let gone = Observed::new(kops_core::cloud::Object::foreign("network-9", Document::default()), vec![]);
    assert_eq!(kind(client.create::<Subnet>("a", &subnet(&gone, 1)).await), Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted() {
    let client = Client::new(&MemoryCloud::new(), "s");
    let network = client.create::<Network>("n", &network()).await.unwrap();
    let inside = client.create::<Subnet>("a", &subnet(&network, 1)).await.unwrap();
    let error = client.delete::<Network>(&network).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyViolation);
    assert!(error.to_string().contains(&inside.object.id), "{error}");
    assert_eq!(client.delete::<Subnet>(&inside).await.unwrap(), Deletion::Done);
    assert_eq!(client.delete::<Network>(&network).await.unwrap(), Deletion::Done);
    assert_eq!(client.delete::<Network>(&network).await.unwrap(), Deletion::Done, "gone already");
}

#[tokio::test]
async fn a_gateway_stays_while_addresses_are_in_use_behind_it() {
    let client = Client::new(&MemoryCloud::new(), "s");
    let network = client.create::<Network>("n", &network()).await.unwrap();
    let utility = client.create::<Subnet>("u", &subnet(&network, 1)).await.unwrap();
    let gateway = InternetGateway::new(Id::new(&network.object.id));
    let door = client.create::<InternetGateway>("g", &gateway).await.unwrap();
    let second = client.create::<InternetGateway>("h", &gateway).await;
    assert_eq!(kind(second), Some(ErrorKind::AlreadyExists));
    let address = client.create::<Address>("a", &Address::new()).await.unwrap();
    let nat = NatGateway::new(Id::new(&network.object.id), Id::new(&address.object.id))
        .subnet(Id::new(&utility.object.id));
    let nat = client.create::<NatGateway>("nat", &nat).await.unwrap();
    assert_eq!(nat.object.outputs.value("public_ip"), address.object.outputs.value("ip"));
    assert_eq!(kind(client.delete::<InternetGateway>(&door).await), Some(ErrorKind::DependencyViolation));
    assert_eq!(kind(client.delete::<Address>(&address).await), Some(ErrorKind::DependencyViolation));
    client.delete::<NatGateway>(&nat).await.unwrap();
    client.delete::<InternetGateway>(&door).await.unwrap();
    client.delete::<Address>(&address).await.unwrap();
}

#[tokio::test]
async fn names_are_unique_and_their_holders_are_shown() {
    let cloud = MemoryCloud::new();
    let client = Client::new(&cloud, "s");
    cloud.plant::<DnsZone>("z", &DnsZone::new("example.com")).unwrap();
    let zones = client.list::<DnsZone>(Filter::scope(&[], &["public:example.com"])).await;
    assert_eq!(zones.len(), 1, "by its selector");
    let theirs = DnsRecord::new(
        Id::new(&zones[0].object.id),
        "api.example.com",
        RecordType::A,
        DnsTarget::Values(["10.0.0.1".to_owned()].into()),
    )
    .ttl_seconds(60);
    Client::new(&cloud, "other").create::<DnsRecord>("theirs", &theirs).await.unwrap();
    assert!(client.mine::<DnsRecord>().await.is_empty());
    let wanted = Document::of(&theirs).unwrap();
    let wanted = [Wanted::new("api", &wanted)];
    let found = client.list::<DnsRecord>(Filter::scope(&wanted, &[])).await;
    assert_eq!((found[0].object.owner, found[0].object.name.as_deref()), (Owner::Other, Some("api")));
    assert_eq!(kind(client.create::<DnsRecord>("api", &theirs).await), Some(ErrorKind::AlreadyExists));
}

#[tokio::test]
async fn a_token_means_one_object_even_after_its_end() {
    let client = Client::new(&MemoryCloud::new(), "s");
    let disk = Volume::new("a", 8);
    let first = client.create_with_token::<Volume>("d", &disk, "t").await.unwrap();
    let again = client.create_with_token::<Volume>("d", &disk, "t").await.unwrap();
    assert_eq!(first, again);
    let other = disk.clone().size_gib(9);
    assert_eq!(kind(client.create_with_token::<Volume>("d", &other, "t").await), Some(ErrorKind::Invalid));
    client.delete::<Volume>(&first).await.unwrap();
    let ghost = client.create_with_token::<Volume>("d", &disk, "t").await.unwrap();
    assert_eq!((ghost.object.id, ghost.object.state), (first.object.id, State::Gone));
    assert_eq!(client.mine::<Volume>().await.len(), 0);
    client.create_with_token::<Volume>("d", &disk, "u").await.unwrap();
    assert_eq!(client.mine::<Volume>().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_forgotten_in_the_end() {
    let client = Client::new(&MemoryCloud::new(), "s");
    let disk = Volume::new("a", 8);
    let first = client.create::<Volume>("d", &disk).await.unwrap();
    client.delete::<Volume>(&first).await.unwrap();
    client.cloud.clock().sleep(Duration::from_hours(25)).await;
    let second = client.create::<Volume>("d", &disk).await.unwrap();
    assert_ne!(first.object.id, second.object.id);
}

#[tokio::test]
async fn fields_change_as_far_as_the_cloud_lets_them() {
    let client = Client::new(&MemoryCloud::new(), "s");
    let disk = Volume::new("a", 8);
    let made = client.create::<Volume>("d", &disk).await.unwrap();
    let larger = disk.clone().size_gib(16);
    let grown = client.update::<Volume>(&made, &larger).await.unwrap();
    assert_eq!(grown.object.spec.get("size_gib"), Some(&16.into()));
    assert_eq!(
        kind(client.update::<Volume>(&made, &disk).await),
        Some(ErrorKind::Invalid),
        "disks do not shrink"
    );
    let moved = Volume::new("b", 16);
    assert_eq!(kind(client.update::<Volume>(&made, &moved).await), Some(ErrorKind::Invalid));
}

#[tokio::test]
async fn labels_of_others_survive_an_update() {
    let cloud = MemoryCloud::new();
    let client = Client::new(&cloud, "s");
    let disk = Volume::new("a", 8);
    let made = client.create::<Volume>("d", &disk).await.unwrap();
    let id = Id::<Volume>::new(&made.object.id);
    cloud.alter(&id, |disk| drop(disk.labels.insert("theirs".to_owned(), "x".to_owned()))).unwrap();
    let grown = client.update::<Volume>(&made, &disk.size_gib(9)).await.unwrap();
    assert_eq!(grown.object.spec.get("labels").unwrap()["theirs"], "x");
}

#[tokio::test]
async fn the_creating_call_does_not_set_everything() {
    let client = Client::new(&MemoryCloud::new(), "s");
    let wanted = network().ipv6(true);
    let made = client.create::<Network>("n", &wanted).await.unwrap();
    assert_eq!(made.object.spec.get("ipv6"), Some(&false.into()));
    let updated = client.update::<Network>(&made, &wanted).await.unwrap();
    assert_eq!(updated.object.spec.get("ipv6"), Some(&true.into()));
}

#[tokio::test]
async fn scopes_see_their_own() {
    let cloud = MemoryCloud::new();
    let (one, two) = (Client::new(&cloud, "one"), Client::new(&cloud, "two"));
    let mine = one.create::<Network>("n", &network()).await.unwrap();
    assert_eq!((mine.object.owner, mine.object.name.as_deref()), (Owner::Scope, Some("n")));
    assert!(two.mine::<Network>().await.is_empty());
    let ids = [mine.object.id.clone()];
    assert_eq!(two.list::<Network>(Filter::Ids(&ids)).await[0].object.owner, Owner::Other);
    let stored = cloud.objects().unwrap();
    assert_eq!((stored[0].scope.as_deref(), stored[0].task.as_deref()), (Some("one"), Some("n")));
}

#[tokio::test]
async fn objects_of_journaled_kinds_tell_nothing() {
    let cloud = MemoryCloud::builder().identity(Address::KIND, IdentityClass::Journal).build();
    let client = Client::new(&cloud, "s");
    let made = client.create::<Address>("a", &Address::new()).await.unwrap();
    assert_eq!((made.object.owner, made.object.name), (Owner::Unknown, None));
    cloud.plant::<Address>("theirs", &Address::new()).unwrap();
    assert_eq!(client.mine::<Address>().await.len(), 2, "who knows whose they are");
}

#[tokio::test(start_paused = true)]
async fn objects_settle_and_vanish_in_their_time() {
    let latencies = Latencies::default()
        .call(Duration::from_millis(100))
        .settling("Volume", Duration::from_secs(5))
        .vanishing("Volume", Duration::from_secs(3));
    let cloud = MemoryCloud::builder().latencies(latencies).build();
    let client = Client::new(&cloud, "s");
    let clock = cloud.clock();
    let start = clock.elapsed();
    let disk = client.create::<Volume>("d", &Volume::new("", 1)).await.unwrap();
    assert_eq!(clock.elapsed(), start + Duration::from_millis(100));
    assert_eq!(disk.object.state, State::Pending);
    clock.sleep(Duration::from_secs(5)).await;
    assert_eq!(client.mine::<Volume>().await[0].object.state, State::Ready);
    assert_eq!(client.delete::<Volume>(&disk).await.unwrap(), Deletion::Pending);
    assert_eq!(client.mine::<Volume>().await[0].object.state, State::Deleting);
    clock.sleep(Duration::from_secs(3)).await;
    assert!(client.mine::<Volume>().await.is_empty());
}

#[tokio::test]
async fn all_pages_are_read_and_each_is_a_call() {
    let cloud = MemoryCloud::builder().page(10).build();
    for number in 0..25 {
        cloud.plant::<Network>(&number.to_string(), &network()).unwrap();
    }
    let client = Client::new(&cloud, "s");
    let ids: Vec<_> = cloud.objects().unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(client.list::<Network>(Filter::Ids(&ids)).await.len(), 25);
    assert_eq!(cloud.calls().of("Network", Op::List), 3);
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_often_is_throttled_and_who_paces_himself_is_not() {
    let hasty = Client::new(&MemoryCloud::builder().throttling().build(), "s");
    let mut refused = 0;
    for _ in 0..20 {
        refused += usize::from(
            kind(hasty.create::<NatGateway>("n", &NatGateway::new(Id::new("x"), Id::new("y"))).await)
                == Some(ErrorKind::Throttled),
        );
    }
    assert_eq!(refused, 10);

    let patient = Client::new(&MemoryCloud::builder().paced(4).build(), "s");
    let start = patient.cloud.clock().elapsed();
    for number in 0..75 {
        patient.create::<SshKey>(&number.to_string(), &SshKey::new("k")).await.unwrap();
    }
    let took = patient.cloud.clock().elapsed().saturating_sub(start);
    assert!((4.9..5.2).contains(&took.as_secs_f64()), "50 at once, then 5 a second: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn faults_befall_calls_as_the_script_says() {
    let cloud = MemoryCloud::new();
    let client = Client::new(&cloud, "s");
    cloud.inject(|call| match call.mutations {
        1 => Some(Fault::Refuse(ErrorKind::Throttled)),
        2 => Some(Fault::Lose),
        3 => Some(Fault::Hide(Duration::from_secs(10))),
        4 => Some(Fault::Break),
        _ => None,
    });
    assert_eq!(kind(client.create::<Network>("1", &network()).await), Some(ErrorKind::Throttled));
    assert_eq!(cloud.objects().unwrap().len(), 0, "refused: nothing is done");
    assert_eq!(kind(client.create::<Network>("2", &network()).await), Some(ErrorKind::Unavailable));
    assert_eq!(cloud.objects().unwrap().len(), 1, "lost: it is done");

    let hidden = client.create::<Network>("3", &network()).await.unwrap();
    assert_eq!(client.mine::<Network>().await.len(), 1);
    assert_eq!(kind(client.delete::<Network>(&hidden).await), Some(ErrorKind::NotYetVisible));
    cloud.clock().sleep(Duration::from_secs(10)).await;
    assert_eq!(client.mine::<Network>().await.len(), 2);

    let deletes = client.delete::<Network>(&hidden).await;
    assert!(deletes.is_ok(), "a deletion cannot break: {deletes:?}");
    cloud.inject(|_| Some(Fault::Break));
    let broken = client.create::<Network>("4", &network()).await.unwrap();
    assert!(matches!(broken.object.state, State::Failed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_listing_is_broken_off_and_a_cancelled_change_is_finished() {
    let latencies = Latencies::default().call(Duration::from_secs(10));
    for builder in [MemoryCloud::builder(), MemoryCloud::builder().paced(4)] {
        let cloud = builder.latencies(latencies.clone()).build();
        let mut client = Client::new(&cloud, "s");
        let cancelled = |client: &Client| {
            let (cancel, clock) = (client.cx.cancel.clone(), client.cloud.clock());
            tokio::spawn(async move {
                clock.sleep(Duration::from_secs(1)).await;
                cancel.cancel();
            })
        };
        cancelled(&client);
        client.create::<Network>("n", &network()).await.unwrap();
        assert_eq!(cloud.objects().unwrap().len(), 1);

        // What is cancelled before it is sent is not made.
        assert_eq!(kind(client.create::<Network>("m", &network()).await), Some(ErrorKind::Cancelled));
        assert_eq!(cloud.objects().unwrap().len(), 1);

        client.cx = Context::default();
        cancelled(&client);
        let began = cloud.clock().elapsed();
        let query = Query::new(&client.scope, Filter::scope(&[], &[]), &client.cx);
        let listed = client.handler(Network::KIND).list(&query).await;
        assert_eq!(kind(listed), Some(ErrorKind::Cancelled));
        assert!(cloud.clock().elapsed() < began + Duration::from_secs(2));
    }
}

#[tokio::test]
async fn after_a_crash_no_call_returns_until_the_cloud_is_revived() {
    for (fault, made) in [(Fault::CrashBefore, 0), (Fault::CrashAfter, 1)] {
        let cloud = MemoryCloud::new();
        let client = Client::new(&cloud, "s");
        cloud.inject(move |call| (call.op == Op::Create).then_some(fault));
        let spec = network();
        tokio::select! {
            () = cloud.crashed() => {}
            _ = client.create::<Network>("n", &spec) => panic!("the dead do not speak"),
        }
        assert_eq!(cloud.objects().unwrap().len(), made);
        let none = tokio::time::timeout(Duration::from_millis(20), client.mine::<Network>()).await;
        assert!(none.is_err());
        cloud.revive();
        assert_eq!(client.mine::<Network>().await.len(), made);
    }
}

#[tokio::test]
async fn quotas_hold() {
    let client = Client::new(&MemoryCloud::builder().quota(Address::KIND, 1).build(), "s");
    client.create::<Address>("a", &Address::new()).await.unwrap();
    assert_eq!(kind(client.create::<Address>("b", &Address::new()).await), Some(ErrorKind::Quota));
}

#[tokio::test]
async fn what_the_cloud_cannot_do_is_told_when_lowering() {
    let none = kops_core::cloud::Capabilities::default();
    let cloud = MemoryCloud::builder().capabilities(none).build();
    let mut graph = TaskGraph::builder();
    let network = graph.add("n", network().ipv6(true));
    graph.add("z", DnsZone::new("x").network(network.id()));
    graph.share::<Network>("theirs", "n");
    let error = cloud.lower(&graph.build().unwrap(), &Scope::new("s"), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    for problem in ["Network/n: unsupported: this cloud has no IPv6", "DnsZone/z", "Network/theirs"] {
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn groups_have_their_machines() {
    let cloud = MemoryCloud::builder().latencies(Latencies::realistic()).build();
    let client = Client::new(&cloud, "s");
    let machines = cloud.machines().unwrap();
    let network = client.create::<Network>("n", &network()).await.unwrap();
    let subnet = client.create::<Subnet>("a", &subnet(&network, 1)).await.unwrap();
    let nodes = client.create::<InstanceGroup>("nodes", &group(&subnet, 2)).await.unwrap();
    let members = async || machines.members(&client.scope, &client.cx).await.unwrap();

    let all = members().await;
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|it| it.group == "nodes" && it.zone == "a" && it.state == MachineState::Pending));
    assert_ne!(all[0].private_ip, all[1].private_ip);
    cloud.clock().sleep(Duration::from_secs(100)).await;
    assert!(members().await.iter().all(|it| it.state == MachineState::Running && it.outdated.is_empty()));

    let mut larger = group(&subnet, 2);
    larger.machine_type = "large".to_owned();
    larger.user_data = Some(Secret::new("another-token"));
    client.update::<InstanceGroup>(&nodes, &larger).await.unwrap();
    let outdated = members().await[0].outdated.clone();
    assert_eq!(outdated, ["machine_type: small, now large", "user_data has changed"]);

    machines.detach(&client.scope, &all[0].id, &client.cx).await.unwrap();
    let now = members().await;
    assert_eq!((now.len(), now[0].state), (3, MachineState::Detached));
    assert!(now[2].outdated.is_empty(), "the new one is as the group is now");
    machines.terminate(&client.scope, &all[0].id, &client.cx).await.unwrap();
    machines.terminate(&client.scope, &all[1].id, &client.cx).await.unwrap();
    cloud.clock().sleep(Duration::from_secs(100)).await;
    assert_eq!(members().await.len(), 2);

    let stranger = Client::new(&cloud, "other");
    assert!(machines.members(&stranger.scope, &stranger.cx).await.unwrap().is_empty());
    let touched = machines.terminate(&stranger.scope, &now[2].id, &stranger.cx).await;
    assert_eq!(kind(touched), Some(ErrorKind::NotFound));

    client.delete::<InstanceGroup>(&nodes).await.unwrap();
    cloud.clock().sleep(Duration::from_secs(100)).await;
    assert!(members().await.is_empty());
}

#[tokio::test]
async fn a_file_is_shared_by_processes_and_outlives_them() {
    let directory = std::env::temp_dir().join(format!("kops-memory-cloud-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("cloud.json");
    let open = || MemoryCloud::builder().file(&file).build();
    let (one, two) = (Client::new(&open(), "s"), Client::new(&open(), "s"));
    let network = one.create::<Network>("n", &network()).await.unwrap();
    let subnets = (1..=20).map(|third| {
        let (client, subnet) =
            (Client::new(if third % 2 == 0 { &one.cloud } else { &two.cloud }, "s"), subnet(&network, third));
        tokio::task::spawn_blocking(move || {
            let create = async { client.create::<Subnet>(&third.to_string(), &subnet).await };
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(create)
                .unwrap()
        })
    });
    let made = futures_util::future::join_all(subnets).await;
    let ids: std::collections::BTreeSet<_> = made.into_iter().map(|it| it.unwrap().object.id).collect();
    assert_eq!(ids.len(), 20, "no two made the same identifier");
    assert_eq!(Client::new(&open(), "s").mine::<Subnet>().await.len(), 20);

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&file, "nonsense").unwrap();
    let error = open().objects().unwrap_err().to_string();
    assert!(error.contains("cloud.json") && error.contains("remove this one"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

/// A kind of somebody else's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Queue {
    length: u32,
}

impl Resource for Queue {
    const KIND: &'static str = "Queue";
    const OUTPUTS: &'static [&'static str] = &[Self::URL.name()];
    type Resolved = Self;
}

impl Queue {
    const URL: Output<Self, String> = Output::new("url");
}

impl MemoryKind for Queue {
    const IDENTITY: IdentityClass = IdentityClass::Named;

    fn check(_: &kops_core::testing::World, _: Option<&str>, spec: &Self) -> Result<()> {
        if spec.length == 0 { Err(Error::invalid("a queue without a place")) } else { Ok(()) }
    }

    fn outputs(_: &kops_core::testing::World, number: u64, _: &Self) -> kops_core::cloud::Outputs {
        let mut outputs = kops_core::cloud::Outputs::default();
        outputs.set(Self::URL, format!("https://queues.example/{number}"));
        outputs
    }
}

#[tokio::test]
async fn kinds_of_others_join_in() {
    let client = Client::new(&MemoryCloud::builder().kind::<Queue>().build(), "s");
    assert_eq!(kind(client.create::<Queue>("q", &Queue { length: 0 }).await), Some(ErrorKind::Invalid));
    let queue = client.create::<Queue>("q", &Queue { length: 3 }).await.unwrap();
    assert!(queue.object.outputs.value("url").is_some());
    assert_eq!(kind(client.create::<Queue>("q", &Queue { length: 3 }).await), Some(ErrorKind::AlreadyExists));
}

/// The labels of a scope are part of what its objects should be, as on other clouds.
#[tokio::test]
async fn a_change_of_the_scopes_labels_is_planned() {
    let cloud = MemoryCloud::new();
    let engine = |team: &str| {
        let labels = [("team".to_owned(), team.to_owned()), ("size".to_owned(), "any".to_owned())];
        Engine::new(Arc::new(cloud.clone()), Scope::new("shop").labels(labels.into()))
    };
    let mut graph = TaskGraph::builder();
    graph.add("data", Volume::new("a", 8).labels([("size".to_owned(), "small".to_owned())]));
    let graph = graph.build().unwrap();
    let changes = async |team: &str| {
        let plan = engine(team).plan(&graph).await.unwrap();
        engine(team).apply(&plan).await.unwrap().into_result().unwrap();
        assert!(engine(team).plan(&graph).await.unwrap().is_empty());
        plan.changes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(changes("red").await, ["create Volume/data"]);
    assert_eq!(changes("blue").await, ["update Volume/data: labels.team"]);
    // A label of the task itself prevails.
    let volume = cloud.objects().unwrap().remove(0).spec.decode::<Volume>().unwrap();
    assert_eq!((volume.labels["team"].as_str(), volume.labels["size"].as_str()), ("blue", "small"));
}

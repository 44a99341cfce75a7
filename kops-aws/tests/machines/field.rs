//! What people really have: existing networks, zones and images, limits of the service, things of others.

use kops_cluster::{
    ClusterCloud as _, ClusterFiles, DnsType, LoadBalancerType, NewCluster, cluster_graph, new_cluster,
};
use kops_core::graph::{Handle, TaskGraph};
use kops_core::plan::Change;
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, InstanceDisk, Network, RecordType, Subnet, Volume};
use kops_core::{Engine, Error, Plan, Result};
use kops_moto::{IMAGE, Moto};
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab, connect};
use crate::site::{Site, prepared};

fn options() -> NewCluster {
    NewCluster::new(CLUSTER, "aws")
        .zones(["us-east-1a"])
        .image(IMAGE)
        .dns(DnsType::None)
        .api_load_balancer(LoadBalancerType::Public)
}

fn files(options: &NewCluster) -> ClusterFiles {
    let (cluster, groups) = new_cluster(options).unwrap_or_else(|problems| panic!("{problems}"));
    ClusterFiles::new(cluster, groups, [])
}

async fn plan(moto: &Moto, files: &ClusterFiles) -> Result<Plan> {
    let aws = connect(moto).await;
    let built = cluster_graph(files, &*aws).unwrap_or_else(|problems| panic!("{problems}"));
    Engine::new(aws.clone(), built.scope).plan(&built.graph).await
}

/// A plan that is rejected without a change in the account.
async fn refused(moto: &Moto, files: &ClusterFiles) -> String {
    moto.forget_calls();
    let error = plan(moto, files).await.unwrap_err().to_string();
    assert!(moto.calls().mutations(&[]).is_empty());
    error
}

/// A network with a subnet in each of two zones, all somebody else's.
struct Existing {
    moto: Moto,
    network: String,
    a: String,
    b: String,
}

impl Existing {
    fn new() -> Self {
        let moto = Moto::start();
        let network =
            text(&moto.boto("ec2", "create_vpc", json!({ "CidrBlock": "172.20.0.0/16" })), "/Vpc/VpcId");
        let subnet = |zone: &str, cidr: &str| {
            let request = json!({ "VpcId": network, "CidrBlock": cidr, "AvailabilityZone": zone });
            text(&moto.boto("ec2", "create_subnet", request), "/Subnet/SubnetId")
        };
        let (a, b) = (subnet("us-east-1a", "172.20.0.0/20"), subnet("us-east-1b", "172.20.16.0/20"));
        Self { moto, network, a, b }
    }

    fn options(&self) -> NewCluster {
        let mut options = options().network_id(&self.network).subnets([&self.b, &self.a]);
        options.zones = vec!["us-east-1b".to_owned(), "us-east-1a".to_owned()];
        options.control_plane_zones(["us-east-1b"])
    }
}

fn text(document: &Value, pointer: &str) -> String {
    document
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {document}"))
        .to_owned()
}

#[tokio::test]
async fn subnets_are_listed_in_the_order_of_the_zones() {
    let existing = Existing::new();
    let files = files(&existing.options());
    let zone_of = |id: &str| {
        let subnets = &files.cluster.spec.networking.subnets;
        subnets.iter().find(|it| it.id.as_deref() == Some(id)).unwrap().zone.clone().unwrap()
    };
    assert_eq!((zone_of(&existing.a).as_str(), zone_of(&existing.b).as_str()), ("us-east-1a", "us-east-1b"));
    plan(&existing.moto, &files).await.unwrap();
}

#[tokio::test]
async fn an_existing_subnet_lies_where_the_specification_says() {
    let existing = Existing::new();
    let mut files = files(&existing.options());
    let subnets = &mut files.cluster.spec.networking.subnets;
    (subnets[0].id, subnets[1].id) = (subnets[1].id.clone(), subnets[0].id.clone());
    let error = refused(&existing.moto, &files).await;
    for (id, actual, at, wanted) in
        [(&existing.b, "us-east-1b", 0, "us-east-1a"), (&existing.a, "us-east-1a", 1, "us-east-1b")]
    {
        let told = format!("the zone of {id} is {actual}, but spec.subnets[{at}].zone is {wanted}");
        assert!(error.contains(&told), "{told}: {error}");
    }
}

#[tokio::test]
async fn ranges_and_networks_of_existing_subnets_are_compared() {
    let existing = Existing::new();
    let mut files = files(&existing.options());
    files.cluster.spec.networking.subnets[0].cidr = Some("172.20.32.0/20".parse().unwrap());
    let error = refused(&existing.moto, &files).await;
    let told =
        format!("the cidr of {} is 172.20.0.0/20, but spec.subnets[0].cidr is 172.20.32.0/20", existing.a);
    assert!(error.contains(&told), "{error}");

    let request = json!({ "CidrBlock": "10.8.0.0/16" });
    let other = text(&existing.moto.boto("ec2", "create_vpc", request), "/Vpc/VpcId");
    let mut files = crate::field::files(&existing.options());
    files.cluster.spec.networking.network_id = Some(other.clone());
    files.cluster.spec.networking.network_cidr = Some("172.20.0.0/16".parse().unwrap());
    let error = refused(&existing.moto, &files).await;
    let told = format!(
        "the vpc of {} is {}, but the network of the cluster is {other}",
        existing.a, existing.network
    );
    assert!(error.contains(&told), "{error}");
    assert!(
        error.contains("are 10.8.0.0/16") || error.contains("is 10.8.0.0/16, but spec.networkCIDR"),
        "{error}"
    );
}

#[tokio::test]
async fn machines_live_for_a_day_to_a_year_or_without_limit() {
    let moto = Moto::start();
    let aws = connect(&moto).await;
    let with = |lifetime: &str| {
        let mut files = files(&options());
        files.instance_groups[1].spec.max_instance_lifetime = Some(lifetime.parse().unwrap());
        files
    };
    for lifetime in ["500ms", "23h59m", "8760h1s", "2000000h"] {
        let problems = cluster_graph(&with(lifetime), &*aws).unwrap_err().to_string();
        assert!(problems.contains("spec.maxInstanceLifetime: "), "{lifetime}: {problems}");
        assert!(problems.contains("24h to 8760h, or 0 for no limit"), "{lifetime}: {problems}");
    }
    for (lifetime, seconds) in [("0", 0), ("0s", 0), ("24h", 86_400), ("8760h", 31_536_000)] {
        let plan = plan(&moto, &with(lifetime)).await.unwrap();
        let is_nodes = |change: &&Change| {
            change.task.kind() == "AutoScalingGroup" && change.task.name().starts_with("nodes")
        };
        let fields = &plan.changes.iter().find(is_nodes).unwrap().fields;
        let told = fields.iter().find(|field| field.path == "max_instance_lifetime").unwrap();
        assert_eq!(told.after, json!(seconds), "{lifetime}");
    }
}

#[tokio::test]
async fn a_group_and_its_machines_carry_the_tags_of_the_autoscaler_as_written() {
    let moto = Moto::start();
    let mut files = files(&options());
    let group = files.instance_groups.iter_mut().find(|group| group.name().starts_with("nodes")).unwrap();
    let name = group.name().to_owned();
    let template = "k8s.io/cluster-autoscaler/node-template";
    let written = [
        ("k8s.io/cluster-autoscaler/enabled".to_owned(), ""),
        (format!("k8s.io/cluster-autoscaler/{CLUSTER}"), "owned"),
        // It differs from the label, and wins.
        (format!("{template}/label/pool"), "bulk"),
        (format!("{template}/taint/dedicated"), "batch:NoSchedule"),
        ("kops.k8s.io/instancegroup".to_owned(), name.as_str()),
    ];
    for (key, value) in &written {
        group.spec.cloud_labels.insert(key.clone(), (*value).to_owned());
    }
    group.spec.node_labels.insert("pool".to_owned(), "batch".to_owned());
    group.spec.node_labels.insert("disk".to_owned(), "fast".to_owned());
    group.spec.taints = vec!["dedicated=batch:NoSchedule".to_owned()];
    let lab = Lab { before: moto.snapshot(), engine: engine(&moto, &files).await, moto };
    lab.apply(&graph(&lab.moto, &files).await).await;

    let account = lab.moto.snapshot();
    let full_name = format!("{name}.{CLUSTER}");
    let of_group = account.object("auto-scaling-group", &full_name).unwrap();
    let derived = [(format!("{template}/label/disk"), "fast")];
    for (key, value) in written.iter().chain(&derived) {
        assert_eq!(crate::site::tag(of_group, key).as_deref(), Some(*value), "{key} of the group");
    }
    let version = account.object("launch-template-version", &format!("{full_name} 1")).unwrap();
    let specifications = version["LaunchTemplateData"]["TagSpecifications"].as_array().unwrap();
    let of_machines = specifications.iter().find(|it| it["ResourceType"] == "instance").unwrap();
    for (key, value) in &written {
        assert_eq!(crate::site::tag(of_machines, key).as_deref(), Some(*value), "{key} of machines");
    }
    lab.delete().await;

    // The name of another group is kOps' own.
    let group = files.instance_groups.iter_mut().find(|group| group.name() == name).unwrap();
    group.spec.cloud_labels.insert("kops.k8s.io/instancegroup".to_owned(), "other".to_owned());
    let problems = kops_cluster::validate(&files.cluster, &files.instance_groups).to_string();
    let told =
        "spec.cloudLabels[\"kops.k8s.io/instancegroup\"]: kops.k8s.io/instancegroup is reserved by kOps";
    assert!(problems.contains(told), "{problems}");
}

const LOCAL: &str = "us-east-1-atl-1a";
const WAVELENGTH: &str = "us-east-1-wl1-bos-wlz-1";

/// What a plan says of the zone of everything that it has not.
fn assert_lacks(error: &str, zone: &str, kind: &str, what: &[&str]) {
    for what in what {
        let told = format!("the zone type of {zone} is {kind}, but what {what} needs is ");
        assert!(error.contains(&told), "{told}: {error}");
    }
}

#[tokio::test]
async fn zones_at_the_edge_have_no_balancers_and_those_of_carriers_no_gateways() {
    let moto = Moto::start();
    let balancer = "a network load balancer";
    for (zone, kind) in [(LOCAL, "local-zone"), (WAVELENGTH, "wavelength-zone")] {
        let mut files = files(&options());
        files.cluster.spec.networking.subnets[0].zone = Some(zone.to_owned());
        let error = refused(&moto, &files).await;
        assert_lacks(&error, zone, kind, &[balancer]);
        let is_open = error.contains("a subnet with an internet gateway");
        assert_eq!(is_open, zone == WAVELENGTH, "{error}");
    }
    // Private machines there leave by a NAT gateway in the same zone.
    let mut private = options().topology(kops_cluster::TopologyKind::Private);
    private.api_load_balancer = Some(LoadBalancerType::Internal);
    let mut private = files(&private);
    for subnet in &mut private.cluster.spec.networking.subnets {
        subnet.zone = Some(WAVELENGTH.to_owned());
    }
    let error = refused(&moto, &private).await;
    assert_lacks(&error, WAVELENGTH, "wavelength-zone", &[balancer, "a NAT gateway"]);
    // Machines alone may be there.
    let mut files = files(&options().dns(DnsType::Public));
    moto.create_zone("example.com");
    files.cluster.spec.networking.subnets[0].zone = Some(LOCAL.to_owned());
    files.cluster.spec.api.load_balancer = None;
    plan(&moto, &files).await.unwrap();
}

#[tokio::test]
async fn balancers_in_existing_subnets_need_such_zones_too() {
    let moto = Moto::start();
    let vpc = moto.boto("ec2", "create_vpc", json!({ "CidrBlock": "172.20.0.0/16" }));
    let network = text(&vpc, "/Vpc/VpcId");
    let request = json!({ "VpcId": network, "CidrBlock": "172.20.0.0/20", "AvailabilityZone": LOCAL });
    let subnet = text(&moto.boto("ec2", "create_subnet", request), "/Subnet/SubnetId");
    let mut files = files(&options().network_id(&network).subnets([&subnet]));
    files.cluster.spec.networking.subnets[0].zone = Some(LOCAL.to_owned());
    let error = refused(&moto, &files).await;
    assert_lacks(&error, LOCAL, "local-zone", &["a network load balancer"]);
}

#[tokio::test]
async fn a_group_of_another_network_is_told() {
    let existing = Existing::new();
    let request = json!({ "CidrBlock": "10.8.0.0/16" });
    let other = text(&existing.moto.boto("ec2", "create_vpc", request), "/Vpc/VpcId");
    let request = json!({ "GroupName": "theirs", "Description": "theirs", "VpcId": other });
    let group = text(&existing.moto.boto("ec2", "create_security_group", request), "/GroupId");
    let files = files(&existing.options().node_security_groups([&group]));
    let error = refused(&existing.moto, &files).await;
    assert!(error.contains(&format!("the vpc of {group} is {other}")), "{error}");
}

#[tokio::test]
async fn machines_and_image_have_one_architecture() {
    let moto = Moto::start();
    let error = refused(&moto, &files(&options().node_size("m6g.large"))).await;
    let told = format!("the architecture of {IMAGE} is x86_64, but that of machine type m6g.large is arm64");
    assert!(error.contains(&told), "{error}");
    // Every type of a mixed group has to run it.
    let mut mixed = files(&options());
    let nodes = mixed.instance_groups.iter_mut().find(|group| group.name().starts_with("nodes")).unwrap();
    nodes.spec.mixed_instances_policy = Some(kops_cluster::MixedInstancesPolicy {
        instances: vec!["t3.large".to_owned(), "t4g.large".to_owned()],
        ..Default::default()
    });
    let error = refused(&moto, &mixed).await;
    assert!(error.contains("t4g.large") && !error.contains("t3.large"), "{error}");
}

#[tokio::test]
async fn the_usual_image_is_that_of_the_machines() {
    let moto = Moto::start();
    let mut options = options().node_size("m6g.large").control_plane_size("m6g.large");
    options.image = None;
    let files = files(&options);
    let images: Vec<_> =
        files.instance_groups.iter().filter_map(|group| group.spec.image.as_deref()).collect();
    assert!(images.iter().all(|image| image.contains("arm64")), "{images:?}");
    plan(&moto, &files).await.unwrap();
}

#[tokio::test]
async fn user_data_that_ec2_does_not_take_is_refused_when_planning() {
    let moto = Moto::start();
    let aws = connect(&moto).await;
    let mut site = Site::new();
    let long = kops_core::graph::Secret::new("#".repeat(20_000));
    site.group(|group| group.user_data = Some(kops_core::graph::Input::Known(long)));
    let engine = Engine::new(aws, kops_core::cloud::Scope::new(CLUSTER));
    let error = engine.plan(&site.build()).await.unwrap_err().to_string();
    let told = format!("InstanceGroup/nodes.{CLUSTER}: user_data has 20000 bytes, but EC2 takes 16384");
    assert!(error.contains(&told), "{error}");
    assert!(moto.calls().mutations(&[]).is_empty());
}

#[tokio::test]
async fn what_a_group_adds_to_user_data_is_counted_and_named() {
    let moto = Moto::start();
    let mut files = files(&options());
    let nodes = files.instance_groups.iter_mut().find(|group| group.name().starts_with("nodes")).unwrap();
    let name = format!("{}.{CLUSTER}", nodes.name());
    nodes.spec.additional_user_data = vec![kops_cluster::UserData {
        name: "long.sh".to_owned(),
        r#type: "text/x-shellscript".to_owned(),
        content: format!("#!/bin/sh\n{}", "# again\n".repeat(2_500)),
        ..Default::default()
    }];
    let error = refused(&moto, &files).await;
    let line =
        error.lines().find(|line| line.contains("user_data has 20")).unwrap_or_else(|| panic!("{error}"));
    for told in [&*format!("InstanceGroup/{name}: "), "EC2 takes 16384", "additionalUserData"] {
        assert!(line.contains(told), "{told}: {line}");
    }
    // As compressed data it fits.
    let nodes = files.instance_groups.iter_mut().find(|group| group.name().starts_with("nodes")).unwrap();
    nodes.spec.compress_user_data = Some(true);
    plan(&moto, &files).await.unwrap();
}

#[tokio::test]
async fn labels_that_aws_does_not_take_are_refused_when_planning() {
    let moto = Moto::start();
    let with = |labels: Vec<(String, String)>| {
        let mut options = options();
        options.cloud_labels.extend(labels);
        files(&options)
    };
    let many = (1..=60).map(|number| (format!("label-{number}"), "v".to_owned())).collect();
    let error = refused(&moto, &with(many)).await;
    assert!(error.contains("AWS takes 50") && error.contains("for labels"), "{error}");
    assert_eq!(error.matches("AWS takes 50").count(), 1, "{error}");
    // As many as the message says are left can be had.
    let left: usize =
        error.split("which leaves ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let enough = (1..=left).map(|number| (format!("label-{number}"), "v".to_owned())).collect();
    let lab = Lab { before: moto.snapshot(), engine: engine(&moto, &with(enough)).await, moto };
    lab.try_apply(
        &graph(&lab.moto, &with((1..=left).map(|n| (format!("label-{n}"), "v".to_owned())).collect())).await,
    )
    .await
    .unwrap();
    lab.delete().await;
    for (key, value) in [("k".repeat(129), "v".to_owned()), ("k".to_owned(), "v".repeat(257))] {
        let error = refused(&lab.moto, &with(vec![(key, value)])).await;
        assert!(error.contains("characters, but AWS takes"), "{error}");
    }
    let error = refused(&lab.moto, &with(vec![("team".to_owned(), "a;b".to_owned())])).await;
    assert!(error.contains("';'"), "{error}");
}

async fn engine(moto: &Moto, files: &ClusterFiles) -> Engine {
    let aws = connect(moto).await;
    let scope = cluster_graph(files, &*aws).unwrap_or_else(|problems| panic!("{problems}")).scope;
    Engine::new(aws, scope)
}

async fn graph(moto: &Moto, files: &ClusterFiles) -> TaskGraph {
    let aws = connect(moto).await;
    cluster_graph(files, &*aws).unwrap_or_else(|problems| panic!("{problems}")).graph
}

#[tokio::test]
async fn disks_have_what_their_type_needs() {
    let lab = Lab::bare().await;
    let mut site = Site::new();
    site.group(|group| group.root_disk = InstanceDisk::new(200).disk_type("io1"));
    let mut volume = Volume::new("us-east-1a", 20);
    volume.volume_type = Some("io2".to_owned());
    site.graph.add("a", volume);
    let error = lab.engine.plan(&site.build()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("InstanceGroup/nodes.{CLUSTER}: a disk of type io1 needs")), "{error}");
    assert!(error.contains("Volume/a: a disk of type io2 needs"), "{error}");
    // A cluster's groups get the least that the type takes, as in kOps.
    let mut files = files(&options());
    let nodes = files.instance_groups.iter_mut().find(|group| group.name().starts_with("nodes")).unwrap();
    nodes.spec.root_volume.get_or_insert_default().r#type = Some("io1".to_owned());
    let plan = plan(&lab.moto, &files).await.unwrap();
    assert!(serde_json::to_string(&plan).unwrap().contains("\"iops\":100"));
}

/// A cluster's name, and the zones of its account.
fn named(name: &str) -> NewCluster {
    let mut options = options().dns(DnsType::Public);
    name.clone_into(&mut options.name);
    options
}

#[tokio::test]
async fn the_longest_zone_has_the_names() {
    let moto = Moto::start();
    moto.create_zone("example.com");
    let delegated = moto.create_zone("k8s.example.com");
    let files = files(&named("k8s.example.com"));
    let lab = Lab { before: moto.snapshot(), engine: engine(&moto, &files).await, moto };
    lab.try_apply(&graph(&lab.moto, &files).await).await.unwrap();
    let request = json!({ "HostedZoneId": delegated });
    let records = lab.moto.boto("route53", "list_resource_record_sets", request);
    let records = records.to_string();
    for name in ["api.k8s.example.com.", "api.internal.k8s.example.com."] {
        assert!(records.contains(name), "{name}: {records}");
    }
    lab.delete().await;
}

#[tokio::test]
async fn zones_that_would_do_are_named_if_there_is_none() {
    let moto = Moto::start();
    moto.create_zone("another-example.com");
    let error = refused(&moto, &files(&named("k8s.example.com"))).await;
    assert!(error.contains("public:k8s.example.com") && error.contains("public:example.com"), "{error}");
    // The name alone is enough.
    moto.create_zone("k8s.example.com");
    plan(&moto, &files(&named("k8s.example.com"))).await.unwrap();
}

#[tokio::test]
async fn a_zone_that_does_not_contain_the_names_is_refused() {
    let moto = Moto::start();
    let zone = moto.create_zone("example.org");
    let id = zone.rsplit('/').next().unwrap().to_owned();
    let error = refused(&moto, &files(&named("demo.example.com").dns_zone(id))).await;
    assert!(error.contains("is example.org, but the name of a record is api.demo.example.com"), "{error}");
    // By its name it is refused without looking.
    let aws = connect(&moto).await;
    let problems =
        cluster_graph(&files(&named("demo.example.com").dns_zone("example.org")), &*aws).unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("spec.dnsZone") && text.contains("is not in the zone example.org"), "{text}");
}

#[tokio::test]
async fn a_record_that_excludes_the_wanted_one_is_somebody_elses() {
    let lab = prepared(|moto| {
        let zone = moto.create_zone("example.com");
        let record = |name: &str, kind: &str, value: &str| {
            json!({ "Action": "CREATE", "ResourceRecordSet": { "Name": name, "Type": kind, "TTL": 5,
                    "ResourceRecords": [{ "Value": value }] } })
        };
        let batch = json!({ "Changes": [
            record("api.ha.example.com", "CNAME", "elsewhere.example.org"),
            record("www.ha.example.com", "TXT", "\"v=spf1 -all\""),
            record("elsewhere.example.com", "CNAME", "elsewhere.example.org"),
        ] });
        let change = json!({ "HostedZoneId": zone, "ChangeBatch": batch });
        moto.boto("route53", "change_resource_record_sets", change);
    })
    .await;
    let planned = async |name: &str, kind: RecordType, value: &str| {
        let mut graph = TaskGraph::builder();
        let zone: Handle<DnsZone> = graph.share("example.com", DnsZone::selector("example.com", false));
        graph.add(name, DnsRecord::new(zone.id(), name, kind, DnsTarget::values([value.to_owned()])));
        lab.engine.plan(&graph.build().unwrap()).await.map(drop)
    };
    let taken = |refused: Result<()>| -> Error { refused.unwrap_err() };
    for (name, kind, value) in [
        ("api.ha.example.com", RecordType::A, "192.0.2.1"),
        ("www.ha.example.com", RecordType::Cname, "elsewhere.example.org"),
        ("elsewhere.example.com", RecordType::A, "192.0.2.1"),
    ] {
        let error = taken(planned(name, kind, value).await).to_string();
        assert!(error.contains("exists, but is not owned by this scope") && error.contains(name), "{error}");
    }
    // A TXT record is no obstacle to an address.
    planned("www.ha.example.com", RecordType::A, "192.0.2.1").await.unwrap();
}

#[tokio::test]
async fn a_subnet_waits_for_the_block_that_it_is_in() {
    let lab = Lab::bare().await;
    let graph = |further: bool| {
        let mut graph = TaskGraph::builder();
        let blocks = ["10.1.0.0/16", "10.2.0.0/16"].iter().take(if further { 2 } else { 1 });
        let network = Network::new(blocks.map(|block| block.parse().unwrap()));
        let network = graph.add(CLUSTER, network);
        if further {
            let subnet = Subnet::new(network.id(), "10.2.3.0/24".parse().unwrap()).zone("us-east-1a");
            graph.add(&format!("further.{CLUSTER}"), subnet);
        }
        graph.build().unwrap()
    };
    let plan = lab.engine.plan(&graph(true)).await.unwrap();
    let subnet = plan.changes.iter().find(|change| change.task.kind() == "Ec2Subnet").unwrap();
    assert!(subnet.waits_for.iter().any(|it| it.task.kind() == "VpcCidrBlock"), "{:?}", subnet.waits_for);
    lab.apply(&graph(true)).await;
    let back = lab.engine.plan(&graph(false)).await.unwrap();
    let block = back.changes.iter().find(|change| change.task.kind() == "VpcCidrBlock").unwrap();
    assert!(block.waits_for.iter().any(|it| it.task.kind() == "Ec2Subnet"), "{:?}", block.waits_for);
    lab.apply(&graph(false)).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_private_zone_is_associated_with_the_network_that_is_made() {
    let moto = Moto::start();
    let office = text(&moto.boto("ec2", "create_vpc", json!({ "CidrBlock": "10.8.0.0/16" })), "/Vpc/VpcId");
    let zone = moto.boto(
        "route53",
        "create_hosted_zone",
        json!({ "Name": "corp.example.com", "CallerReference": "1",
                "HostedZoneConfig": { "PrivateZone": true },
                "VPC": { "VPCRegion": "us-east-1", "VPCId": office } }),
    );
    let zone = text(&zone, "/HostedZone/Id");
    let networks = |moto: &Moto| {
        let found = moto.boto("route53", "get_hosted_zone", json!({ "Id": zone }));
        found["VPCs"].as_array().unwrap().len()
    };
    let files = files(&named("ha.corp.example.com").dns(DnsType::Private));
    let lab = Lab { before: moto.snapshot(), engine: engine(&moto, &files).await, moto };
    let graph = graph(&lab.moto, &files).await;
    let plan = lab.engine.plan(&graph).await.unwrap();
    assert!(plan.changes.iter().any(|change| change.task.kind() == "HostedZoneAssociation"));
    // Machines find the API by its names.
    let groups: Vec<_> =
        plan.changes.iter().filter(|change| change.task.kind() == "AutoScalingGroup").collect();
    assert_eq!(groups.len(), files.instance_groups.len());
    for group in groups {
        let waits = group.waits_for.iter().any(|it| it.task.kind() == "HostedZoneAssociation");
        assert!(waits, "{}: {:?}", group.task, group.waits_for);
    }
    lab.apply(&graph).await;
    assert_eq!(networks(&lab.moto), 2);
    lab.delete().await;
    assert_eq!(networks(&lab.moto), 1);
}

#[tokio::test]
async fn what_others_keep_and_is_not_there_is_told_when_planning() {
    let moto = Moto::start();
    let policy = "arn:aws:iam::111122223333:policy/none";
    let certificate = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-4000-8000-000000000000";
    let targets = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/none/0123456789abcdef";
    let mut files = files(&options());
    let spec = &mut files.cluster.spec;
    spec.external_policies.insert("node".to_owned(), vec![policy.to_owned()]);
    let balancer = spec.api.load_balancer.as_mut().unwrap();
    balancer.ssl_certificate = Some(certificate.to_owned());
    balancer.ssl_policy = Some("ELBSecurityPolicy-TLS-None".to_owned());
    balancer.access_log = Some(kops_cluster::AccessLog {
        bucket: Some("no-such-bucket-of-logs".to_owned()),
        ..Default::default()
    });
    files.instance_groups[1].spec.external_load_balancers = vec![kops_cluster::ExternalLoadBalancer {
        target_group_arn: Some(targets.to_owned()),
        ..Default::default()
    }];
    let error = refused(&moto, &files).await;
    for (what, named_by) in [
        (policy, "externalPolicies"),
        (certificate, "sslCertificate"),
        ("ELBSecurityPolicy-TLS-None", "sslPolicy"),
        ("no-such-bucket-of-logs", "accessLog.bucket"),
        (targets, "externalLoadBalancers"),
    ] {
        let line =
            error.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {error}"));
        assert!(line.contains("there is no") && line.contains(named_by), "{line}");
    }
}

#[tokio::test]
async fn keys_of_disks_exist_and_encrypt() {
    let moto = Moto::start();
    let with = |key: &str| {
        let mut files = files(&options());
        let member = &mut files.cluster.spec.etcd_clusters[0].members[0];
        (member.encrypted_volume, member.kms_key_id) = (Some(true), Some(key.to_owned()));
        files
    };
    let none = "arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-4000-8000-111122223333";
    let error = refused(&moto, &with(none)).await;
    assert!(error.contains(&format!("there is no KmsKey {none:?}")) && error.contains("kmsKeyId"), "{error}");
    let mut of_group = files(&options());
    let volume = of_group.instance_groups[1].spec.root_volume.get_or_insert_default();
    (volume.encryption, volume.encryption_key) = (Some(true), Some("alias/none".to_owned()));
    let error = refused(&moto, &of_group).await;
    assert!(
        error.contains("there is no KmsKey \"alias/none\"") && error.contains("encryptionKey"),
        "{error}"
    );

    let made = moto.boto("kms", "create_key", json!({}));
    let key = text(&made, "/KeyMetadata/Arn");
    let alias = json!({ "AliasName": "alias/disks", "TargetKeyId": key });
    moto.boto("kms", "create_alias", alias);
    let files = with("alias/disks");
    let lab = Lab { before: moto.snapshot(), engine: engine(&moto, &files).await, moto };
    lab.try_apply(&graph(&lab.moto, &files).await).await.unwrap();
    lab.delete().await;
    lab.moto.boto("kms", "disable_key", json!({ "KeyId": key.rsplit('/').next() }));
    let error = refused(&lab.moto, &with(&key)).await;
    assert!(error.contains(&format!("the state of {key} is Disabled")), "{error}");
}

#[tokio::test]
async fn targets_of_routes_exist() {
    let moto = Moto::start();
    for (target, kind) in [
        ("i-0123456789abcdef0", "Ec2Instance"),
        ("nat-0123456789abcdef0", "Ec2NatGateway"),
        ("igw-0123456789abcdef0", "Ec2InternetGateway"),
        ("eigw-0123456789abcdef0", "EgressOnlyInternetGateway"),
    ] {
        let mut files = files(&options());
        let route = kops_cluster::RouteSpec {
            cidr: "192.168.0.0/16".parse().ok(),
            target: target.to_owned(),
            ..Default::default()
        };
        files.cluster.spec.networking.subnets[0].additional_routes = vec![route];
        let error = refused(&moto, &files).await;
        let told =
            format!("there is no {kind} {target:?}, which is named by a route of the subnet us-east-1a");
        assert!(error.contains(&told), "{told}: {error}");
    }
}

#[tokio::test]
async fn zones_and_ranges_of_existing_networks_are_looked_up() {
    let existing = Existing::new();
    let aws = connect(&existing.moto).await;
    let mut files = files(&existing.options());
    files.cluster.spec.networking.subnets[1].zone = None;
    let complete = kops_cluster::with_existing_zones(&files, &*aws).await.unwrap();
    assert_eq!(complete.cluster.spec.networking.subnets[1].zone.as_deref(), Some("us-east-1b"));
    plan(&existing.moto, &complete).await.unwrap();
    // Nothing is asked if nothing is open.
    existing.moto.forget_calls();
    assert_eq!(kops_cluster::with_existing_zones(&complete, &*aws).await.unwrap(), complete);
    assert_eq!(existing.moto.calls().total(), 0);
    files.cluster.spec.networking.subnets[1].id = Some("subnet-none".to_owned());
    let error = kops_cluster::with_existing_zones(&files, &*aws).await.unwrap_err().to_string();
    assert!(error.contains("spec.subnets[1].id") && error.contains("subnet-none"), "{error}");

    for id in [&existing.network, &existing.a] {
        let network = aws.existing_network(id).await.unwrap().unwrap();
        assert_eq!(network.id, existing.network);
        let new = options().existing_network(network);
        let (cluster, _) = new_cluster(&new).unwrap_or_else(|problems| panic!("{problems}"));
        let networking = &cluster.spec.networking;
        assert_eq!(networking.network_id.as_ref(), Some(&existing.network));
        let cidr = networking.subnets[0].cidr.unwrap().to_string();
        assert_eq!(cidr, "172.20.128.0/17", "the first half is in use");
    }
    assert!(aws.existing_network("vpc-none").await.unwrap_err().to_string().contains("vpc-none"));
}

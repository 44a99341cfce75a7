//! The contract of a cloud, kept by the kinds of machines, load balancing, names and identities.

use std::sync::Arc;

use async_trait::async_trait;
use kops_aws::extensions::{AwsInstanceGroup, Hook, Transition};
use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::Result;
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{Key, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Instance, InstanceDisk, MachineOptions, Protocol, RecordType,
    SshKey, Volume,
};
use kops_core::testing::conformance::{self, Edit, Fixture, Item, Many, Requests};
use kops_moto::IMAGE;
use serde_json::json;

use crate::lab::ZONES;
use crate::on_moto::{OnMoto, is_part};
use crate::site::{KEY, Site, listener, user_data};

/// In the user data of machines.
const SECRET: &str = "correct horse battery staple";

struct Machines(OnMoto);

/// What differs between the graphs.
#[derive(Clone, Copy)]
struct Wish {
    machine_type: &'static str,
    most: u32,
    port: u16,
    ttl: u32,
    volume: bool,
    /// Whether the single machine is behind the load balancer and has an address.
    served: bool,
}

const PLAIN: Wish =
    Wish { machine_type: "m5.large", most: 2, port: 443, ttl: 60, volume: true, served: true };

fn machines(scope: &Scope, wish: Wish) -> TaskGraph {
    let cluster = scope.name();
    let mut site = Site::of(cluster);
    let balancer = site.balancer(|balancer| balancer.listeners = vec![listener(wish.port)]);
    let hook = Hook { transition: Transition::Terminating, timeout: 300, go_on: true };
    let extension = AwsInstanceGroup {
        lifecycle_hooks: [("drain".to_owned(), hook)].into(),
        ..AwsInstanceGroup::default()
    };
    site.group(|group| {
        wish.machine_type.clone_into(&mut group.machine_type);
        group.max = wish.most;
        group.user_data = Some(user_data(SECRET));
        group.load_balancers.insert(balancer.id());
        group.extensions.set(&extension).unwrap();
    });
    let tool = Instance::new(site.subnets[0].id(), IMAGE, "t3.medium")
        .firewalls([site.firewall.id()])
        .user_data(user_data(SECRET))
        .root_disk(InstanceDisk::new(32).disk_type("gp3"))
        .options(MachineOptions::new().metadata_tokens_required(true));
    let address = site.graph.add(&format!("tool.{cluster}"), Address::new());
    let tool =
        tool.address(wish.served.then(|| address.id())).load_balancers(wish.served.then(|| balancer.id()));
    site.graph.add(&format!("tool.{cluster}"), tool);
    if wish.volume {
        let volume = Volume::new(ZONES[0], 20);
        site.graph.add(&format!("a.etcd-main.{cluster}"), volume);
    }
    let zone = site.graph.share::<DnsZone>("conformance", DnsZone::selector("conformance", false));
    let api = DnsRecord::new(
        zone.id(),
        format!("api.{cluster}"),
        RecordType::A,
        DnsTarget::Values(["192.0.2.1".into()].into()),
    )
    .ttl_seconds(wish.ttl);
    site.graph.add(&format!("api.{cluster}"), api);
    site.build()
}

#[async_trait]
impl Fixture for Machines {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.0.cloud.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        Ok(machines(scope, PLAIN))
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let cluster = scope.name();
        let edit = |name, wish| Edit::new(name, machines(scope, wish));
        let of = |kind: &str, name: &str| format!("{kind}/{name}.{cluster}");
        Ok(vec![
            edit("another type", Wish { machine_type: "m5.xlarge", ..PLAIN })
                .expect(&of("LaunchTemplate", "nodes"), Action::Update, &["instance_type"])
                .expect(&of("AutoScalingGroup", "nodes"), Action::Update, &["launch_template_version"]),
            edit("more machines", Wish { most: 3, ..PLAIN }).expect(
                &of("AutoScalingGroup", "nodes"),
                Action::Update,
                &["max_size"],
            ),
            edit("another time to live", Wish { ttl: 300, ..PLAIN }).expect(
                &of("RecordSet", "api"),
                Action::Update,
                &["target.Values.ttl"],
            ),
            edit("a machine without address and load balancer", Wish { served: false, ..PLAIN }).expect(
                &of("Ec2Instance", "tool"),
                Action::Update,
                &["address", "target_groups"],
            ),
            edit("one less", Wish { volume: false, ..PLAIN }).expect(
                &of("EbsVolume", "a.etcd-main"),
                Action::Delete,
                &[],
            ),
        ])
    }

    fn stride(&self) -> usize {
        16
    }

    fn requests(&self) -> Option<Requests> {
        Some(self.0.requests())
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(Some(self.0.inventory()))
    }

    async fn plant(&self) -> Result<bool> {
        let key = json!({ "KeyName": "theirs" });
        self.0.make("ec2", "create_key_pair", key.clone(), &[]);
        self.0.delete_later("ec2", "delete_key_pair", key);
        let volume = json!({ "AvailabilityZone": ZONES[0], "Size": 20 });
        let volume = self.0.make("ec2", "create_volume", volume, &["VolumeId"]);
        self.0.delete_later("ec2", "delete_volume", json!({ "VolumeId": volume }));
        self.template("theirs");
        let trust = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
        let role = json!({ "RoleName": "theirs", "AssumeRolePolicyDocument": trust });
        self.0.make("iam", "create_role", role, &[]);
        self.0.delete_later("iam", "delete_role", json!({ "RoleName": "theirs" }));
        let profile = json!({ "InstanceProfileName": "theirs" });
        self.0.make("iam", "create_instance_profile", profile.clone(), &[]);
        self.0.delete_later("iam", "delete_instance_profile", profile);
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        let name = format!("nodes.{}", scope.name());
        self.template(&name);
        Ok(Some(Key::new("LaunchTemplate", &name)))
    }

    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        Some(self.0.elsewhere.clone())
    }

    /// What an account has in all regions, and a name that each region has once. Zones are called otherwise there.
    fn graph_elsewhere(&self, scope: &Scope) -> Result<TaskGraph> {
        let cluster = scope.name();
        let mut graph = TaskGraph::builder();
        let identity = ClusterIdentity::of(MachineRole::Node).identity().unwrap();
        graph.add(&format!("nodes.{cluster}"), identity);
        graph.add(&format!("kubernetes.{cluster}-1f"), SshKey::new(KEY));
        let zone = graph.share::<DnsZone>("conformance", DnsZone::selector("conformance", false));
        let api = DnsRecord::new(
            zone.id(),
            format!("api.{cluster}"),
            RecordType::A,
            DnsTarget::Values(["192.0.2.1".into()].into()),
        );
        graph.add(&format!("api.{cluster}"), api);
        let own = DnsZone::new(format!("in.{cluster}"));
        graph.add(&format!("in.{cluster}"), own);
        graph.build()
    }

    async fn uproot(&self) -> Result<()> {
        self.0.uproot();
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut site = Site::of(scope.name());
        // Datagrams are not encrypted.
        let balancer = site.balancer(|balancer| {
            let certificate = "arn:aws:acm:us-east-1:123456789012:certificate/a";
            balancer.listeners = vec![listener(443).protocol(Protocol::Udp).certificate(certificate)];
        });
        Ok(Some((site.build(), balancer.key().clone())))
    }

    /// More groups than a page of DescribeAutoScalingGroups holds: 50 where moto is asked for no number.
    fn many(&self, scope: &Scope) -> Result<Option<Many>> {
        let mut site = Site::of(scope.name());
        for number in 0..60 {
            let group = site.bare_group().min(0);
            site.graph.add(&format!("nodes-{number}.{}", scope.name()), group);
        }
        Ok(Some(Many::new(site.build(), 1)))
    }

    fn can_share(&self, kind: &str) -> bool {
        // What a launch template or a record says is its owner's affair alone: there is no way to name one.
        !is_part(kind) && !["LaunchTemplate", "RecordSet"].contains(&kind)
    }

    fn can_retain(&self, kind: &str) -> bool {
        !is_part(kind)
    }

    fn secret(&self) -> Option<&str> {
        Some(SECRET)
    }
}

impl Machines {
    /// A launch template that belongs to nobody.
    fn template(&self, name: &str) {
        let name = json!({ "LaunchTemplateName": name });
        let mut template = name.clone();
        template["LaunchTemplateData"] = json!({ "InstanceType": "t3.micro" });
        self.0.make("ec2", "create_launch_template", template, &[]);
        self.0.delete_later("ec2", "delete_launch_template", name);
    }
}

async fn keep(rules: impl Fn(&str) -> bool) {
    let fixture = Machines(OnMoto::new().await);
    fixture.0.moto.create_zone("conformance");
    conformance::run_only(&fixture, rules).await.assert_held(&[]);
}

#[tokio::test]
async fn the_contract_is_kept() {
    keep(|rule| !conformance::goes_wrong(rule)).await;
}

#[tokio::test]
async fn the_contract_is_kept_when_things_go_wrong() {
    keep(conformance::goes_wrong).await;
}

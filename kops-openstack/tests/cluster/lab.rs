//! A project, and what is done to it again and again.

use std::sync::Arc;
use std::time::Duration;

use kops_cluster::{
    CloudProvider, ClusterFiles, DnsType, InstanceGroup, LoadBalancerType, NewCluster, OpenstackCloud,
    OpenstackLoadBalancer, Role, SshCredential, TopologyKind, cluster_graph, new_cluster,
};
use kops_core::cloud::{Cloud as _, Permissions as _, Scope};
use kops_core::graph::TaskGraph;
use kops_core::plan::Plan;
use kops_core::{Engine, Result};
use kops_openstack::Openstack;
use kops_openstack_lab::{Call, EXTERNAL_NETWORK, FLAVORS, IMAGE, Lab, Snapshot, ZONE};
use serde_json::Value;

/// A key that nobody has the other half of.
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";

/// The cloud, for credentials that may do no more than they must: so all tests here are of that, too.
pub(crate) async fn connect(lab: &Lab) -> Arc<Openstack> {
    let least = connect_as(lab.entry()).await.least(&Scope::new("least"));
    connect_as(lab.restricted_entry(&least)).await
}

/// The cloud, for the credentials of an entry as in `clouds.yaml`.
pub(crate) async fn connect_as(entry: Value) -> Arc<Openstack> {
    let builder = Openstack::builder().auth(entry).external_network(EXTERNAL_NETWORK);
    Arc::new(builder.build().await.unwrap())
}

/// A project with a zone and a cluster to be made there.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    pub(crate) cloud: Arc<Openstack>,
    pub(crate) engine: Engine,
    pub(crate) files: ClusterFiles,
    /// The project before anything was done.
    pub(crate) before: Snapshot,
}

impl Site {
    pub(crate) async fn new() -> Option<Self> {
        Some(Self::of(Lab::start()?).await)
    }

    /// The same, with nobody else in the lab.
    pub(crate) async fn alone() -> Option<Self> {
        Some(Self::of(Lab::alone()?).await)
    }

    async fn of(lab: Lab) -> Self {
        // Zones are the whole cloud's.
        let zone = format!("{}.example.com", lab.name());
        lab.create_zone(&zone);
        lab.seed_foreign();
        let before = lab.inventory();
        let cloud = connect(&lab).await;
        let files = ha(&zone);
        let scope = cluster_graph(&files, &*cloud).unwrap_or_else(|problems| panic!("{problems}")).scope;
        let engine = Engine::new(cloud.clone(), scope);
        Self { lab, cloud, engine, files, before }
    }

    pub(crate) fn graph(&self) -> TaskGraph {
        cluster_graph(&self.files, &*self.cloud).unwrap_or_else(|problems| panic!("{problems}")).graph
    }

    /// The group of a name, to be changed.
    pub(crate) fn group(&mut self, name: &str) -> &mut InstanceGroup {
        self.files.instance_groups.iter_mut().find(|group| group.name() == name).unwrap()
    }

    /// The changes that the cluster needs, as `action Kind/name: fields`.
    pub(crate) async fn changes(&self) -> Vec<String> {
        changes(&self.engine.plan(&self.graph()).await.unwrap(), self.files.cluster.name())
    }

    pub(crate) async fn try_apply(&self, graph: &TaskGraph) -> Result<()> {
        let plan = self.engine.plan(graph).await?;
        self.engine.apply_now(&plan).await?.into_result().map(drop)
    }

    /// Applies a graph until an answer is held, and dies; returns when the other calls are done.
    pub(crate) async fn die_when_held(&self, graph: &TaskGraph) {
        self.die_on_the_way(graph).await;
        self.lab.wait_until_quiet();
    }

    /// Applies a graph until an answer or a request is held, and dies.
    pub(crate) async fn die_on_the_way(&self, graph: &TaskGraph) {
        let held = async {
            while self.lab.held() == 0 {
                self.cloud.clock().sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            outcome = self.try_apply(graph) => panic!("no answer was held: {outcome:?}"),
            () = held => {}
        }
    }

    /// Applies the cluster and makes sure that it is settled then.
    pub(crate) async fn apply(&self) {
        self.try_apply(&self.graph()).await.unwrap();
        self.assert_settled().await;
    }

    /// A plan finds nothing to do and changes nothing; the calls that it took.
    pub(crate) async fn assert_settled(&self) -> Vec<Call> {
        let before = self.lab.calls().len();
        assert_eq!(self.changes().await, Vec::<String>::new());
        let calls = self.lab.calls().split_off(before);
        assert!(!calls.iter().any(Call::mutates), "{calls:#?}");
        calls
    }

    /// Deletes everything and makes sure that the project is as it was.
    pub(crate) async fn delete(&self) {
        self.try_apply(&TaskGraph::default()).await.unwrap();
        assert_eq!(self.before.diff(&self.lab.inventory()), Vec::<String>::new());
    }
}

/// Says something in OpenStack's words about a group.
pub(crate) fn annotate(group: &mut InstanceGroup, name: &str, value: &str) {
    group.metadata.annotations.insert(format!("openstack.kops.io/{name}"), value.to_owned());
}

/// The changes of a plan, without the cluster's name.
pub(crate) fn changes(plan: &Plan, cluster: &str) -> Vec<String> {
    let cluster = format!(".{cluster}");
    plan.changes.iter().map(|change| change.to_string().replace(&cluster, "")).collect()
}

/// A highly available cluster: three control planes and three groups of nodes in private subnets, a bastion, a public
/// load balancer, and names in a public zone.
fn ha(zone: &str) -> ClusterFiles {
    let options = NewCluster::new(format!("ha.{zone}"), "openstack")
        .zones([ZONE])
        .control_plane_count(3)
        .control_plane_size(FLAVORS[1])
        .node_size(FLAVORS[1])
        .node_count(1)
        .image(IMAGE)
        .topology(TopologyKind::Private)
        .bastion(true)
        .api_load_balancer(LoadBalancerType::Public)
        .dns(DnsType::Public)
        .dns_zone(zone);
    let (mut cluster, mut instance_groups) =
        new_cluster(&options).unwrap_or_else(|problems| panic!("{problems}"));
    let nodes = instance_groups.iter().find(|group| group.role() == Role::Node).unwrap().clone();
    for name in ["nodes-b", "nodes-c"] {
        let mut more = nodes.clone();
        name.clone_into(&mut more.metadata.name);
        instance_groups.push(more);
    }
    for group in &mut instance_groups {
        if group.role() == Role::Bastion {
            group.spec.machine_type = Some(FLAVORS[0].to_owned());
            annotate(group, "osVolumeBoot", "false");
        }
        if group.name() == "nodes-c" {
            annotate(group, "serverGroupAffinity", "anti-affinity");
            annotate(group, "osVolumeSize", "30");
            annotate(group, "allowedAddressPair/pods", "100.96.0.0/11");
        }
    }
    let balancers =
        OpenstackLoadBalancer { provider: Some("octavia".to_owned()), ..OpenstackLoadBalancer::default() };
    cluster.spec.cloud_provider = Some(CloudProvider::Openstack(OpenstackCloud {
        loadbalancer: Some(balancers),
        ..OpenstackCloud::default()
    }));
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    KEY.clone_into(&mut key.spec.public_key);
    ClusterFiles::new(cluster, instance_groups, [key])
}

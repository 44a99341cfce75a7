//! Clusters as users specify them.

use kops_azure_emulator::REGION;
use kops_cluster::{
    ClusterFiles, DnsType, InstanceGroup, LoadBalancerType, NewCluster, Role, SshCredential, TopologyKind,
    cluster_graph, new_cluster,
};
use kops_core::Engine;
use kops_core::cloud::Cloud as _;
use kops_core::graph::TaskGraph;

use crate::lab::{CALLS, CLUSTER, IMAGE, KEY, Lab, SIZE};

/// A highly available cluster with private machines, a bastion, and a load balancer before the API.
pub(crate) fn files(dns: DnsType, balancer: LoadBalancerType) -> ClusterFiles {
    let mut options = NewCluster::new(CLUSTER, "azure")
        .zones((1..=3).map(|zone| format!("{REGION}-{zone}")))
        .control_plane_count(3)
        .control_plane_size(SIZE)
        .node_size(SIZE)
        .image(IMAGE)
        .topology(TopologyKind::Private)
        .bastion(true)
        .api_load_balancer(balancer)
        .dns(dns);
    options.network_cidr = "10.0.0.0/16".parse().ok();
    options.dns_zone = (dns == DnsType::Public).then(|| "example.com".to_owned());
    let (cluster, instance_groups) = new_cluster(&options).unwrap_or_else(|problems| panic!("{problems}"));
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    KEY.clone_into(&mut key.spec.public_key);
    ClusterFiles::new(cluster, instance_groups, [key])
}

pub(crate) fn graph(files: &ClusterFiles, lab: &Lab) -> TaskGraph {
    cluster_graph(files, &*lab.azure).unwrap_or_else(|problems| panic!("{problems}")).graph
}

pub(crate) async fn lab(files: &ClusterFiles) -> Lab {
    let mut lab = Lab::new().await;
    let scope = cluster_graph(files, &*lab.azure).unwrap_or_else(|problems| panic!("{problems}")).scope;
    lab.engine = Engine::new(lab.azure.clone(), scope);
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_comes_settles_changes_and_goes() {
    let mut files = files(DnsType::Public, LoadBalancerType::Public);
    let lab = lab(&files).await;
    let plain = graph(&files, &lab);
    lab.try_apply(&plain).await.unwrap();
    let calls = lab.assert_settled(&plain).await;
    let scope = cluster_graph(&files, &*lab.azure).unwrap().scope;
    let tasks = lab.azure.lower(&plain, &scope, &[]).unwrap().graph().len();
    println!("a cluster of kOps': {tasks} native tasks, {calls} calls for a plan without changes");
    assert!(calls <= CALLS, "{calls} calls: {:?}", lab.emulator.calls().by_action());

    let nodes = files.instance_groups.iter_mut().find(|group| group.role() == Role::Node).unwrap();
    let name = format!("{}.{CLUSTER}", nodes.name());
    nodes.spec.machine_type = Some("Standard_D4s_v5".to_owned());
    let mut more: InstanceGroup = nodes.clone();
    "more".clone_into(&mut more.metadata.name);
    files.instance_groups.push(more);
    let mut changes = lab.changes(&graph(&files, &lab)).await;
    changes.sort();
    assert_eq!(
        changes,
        [
            format!("create VirtualMachineScaleSet/more.{CLUSTER}"),
            format!("update VirtualMachineScaleSet/{name}: machine_type"),
        ]
    );
    lab.apply(&graph(&files, &lab)).await;
    files.instance_groups.pop();
    lab.apply(&graph(&files, &lab)).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_names_machines_know_the_balancers_address() {
    for balancer in [LoadBalancerType::Public, LoadBalancerType::Internal] {
        let files = files(DnsType::None, balancer);
        let lab = lab(&files).await;
        lab.apply(&graph(&files, &lab)).await;
        lab.delete().await;
    }
}

/// Machines of the control plane see the addresses of who asks the balancer before them.
#[tokio::test(flavor = "multi_thread")]
async fn a_balancers_clients_are_let_in_to_the_machines_behind() {
    let files = files(DnsType::None, LoadBalancerType::Public);
    let lab = lab(&files).await;
    let scope = cluster_graph(&files, &*lab.azure).unwrap().scope;
    let native = lab.azure.lower(&graph(&files, &lab), &scope, &[]).unwrap();
    let group: kops_azure::kinds::NetworkSecurityGroup = native.graph().spec(CLUSTER).unwrap();
    let admits = group.rules.iter().any(|rule| {
        let to = serde_json::to_string(&rule.to).unwrap();
        let from = serde_json::to_string(&rule.from).unwrap();
        rule.inbound
            && rule.allow
            && rule.ports.is_some_and(|ports| ports.from == 443)
            && to.contains("masters")
            && from.contains('*')
    });
    assert!(admits, "{:#?}", group.rules);
}

//! What the service does that its types do not tell.

use kops_cluster::{
    CloudProvider, ClusterFiles, DnsType, LoadBalancerType, Opaque, TopologyKind, cluster_graph,
};
use kops_core::graph::TaskGraph;
use kops_core::resource::Scheme;
use kops_gce::kinds::{GceFirewall, InstanceTemplate, Subnetwork};
use kops_gce_emulator::{Emulator, REGION, Snapshot};
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab, ZONES};
use crate::site::{Site, listener};
use crate::whole::{graph_of, ha_in, usual};

/// The objects of a collection with names that end with the cluster's, or begin with it.
fn ours<'s>(found: &'s Snapshot, collection: &str) -> Vec<(&'s str, &'s Value)> {
    let own = CLUSTER.replace('.', "-");
    found.objects(collection).filter(|(name, _)| name.ends_with(&own)).collect()
}

#[tokio::test]
async fn labels_that_an_insertion_ignores_are_set_and_mended_in_place() {
    let lab = Lab::new().await;
    let mut site = Site::of(CLUSTER);
    site.balancer(Scheme::Public, vec![listener(443)]);
    let graph = site.build();
    lab.apply(&graph).await;
    let found = lab.google.snapshot();
    for collection in ["forwardingRules", "addresses"] {
        let objects = ours(&found, collection);
        assert!(!objects.is_empty());
        for (name, object) in objects {
            assert_eq!(object["labels"]["k8s-io-cluster-name"], "ha-example-com", "{name}");
        }
    }

    // A rule without labels is known again, and keeps its address.
    let rule = json!({ "region": REGION, "forwardingRule": "api-ha-example-com" });
    let fingerprint = lab.google.call("compute.forwardingRules.get", rule, json!(null));
    let resource = json!({ "region": REGION, "resource": "api-ha-example-com" });
    let none = json!({ "labels": {}, "labelFingerprint": fingerprint["labelFingerprint"] });
    lab.google.call("compute.forwardingRules.setLabels", resource, none);
    assert_eq!(
        lab.changes(&graph).await,
        [format!("update ForwardingRule/api.{CLUSTER}: labels.k8s-io-cluster-name")]
    );
    lab.apply(&graph).await;
    lab.delete().await;
}

/// A host project with a network that the lab's project uses.
fn host_of(lab: &Lab) -> Emulator {
    let host = lab.google.beside();
    let network = json!({ "name": "corp", "autoCreateSubnetworks": false });
    host.call("compute.networks.insert", json!({}), network);
    let network = format!("projects/{}/global/networks/corp", host.project());
    let subnetwork = json!({ "name": "corp-a", "network": network, "ipCidrRange": "10.20.0.0/16" });
    host.call("compute.subnetworks.insert", json!({ "region": REGION }), subnetwork);
    let resource = json!({ "xpnResource": { "type": "PROJECT", "id": lab.google.project() } });
    host.call("compute.projects.enableXpnResource", json!({}), resource);
    host.settle();
    host
}

fn in_network_of(host: &Emulator) -> ClusterFiles {
    let mut files = ha_in(LoadBalancerType::Internal, TopologyKind::Public, DnsType::None);
    let networking = &mut files.cluster.spec.networking;
    networking.network_id = Some(format!("{}/corp", host.project()));
    for subnet in &mut networking.subnets {
        subnet.id = Some(format!("{}/corp-a", host.project()));
        subnet.cidr = None;
    }
    files
}

#[tokio::test]
async fn rules_of_a_shared_network_are_in_its_own_project() {
    let mut lab = Lab::new().await;
    let host = host_of(&lab);
    let before = host.snapshot();
    let graph = graph_of(&mut lab, &in_network_of(&host));
    lab.apply(&graph).await;
    let (there, here) = (host.snapshot(), lab.google.snapshot());
    assert!(ours(&there, "firewalls").len() > 5, "{:?}", there.counts());
    assert_eq!(ours(&here, "firewalls").len(), 0);
    assert!(!ours(&here, "instanceGroupManagers").is_empty());
    lab.delete().await;
    assert_eq!(before.diff(&host.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_cluster_of_the_same_name_beside_keeps_its_rules() {
    let mut lab = Lab::new().await;
    let host = host_of(&lab);
    let graph = graph_of(&mut lab, &in_network_of(&host));
    lab.apply(&graph).await;
    let before = host.snapshot();
    let mut other = Lab::on(host.beside()).await;
    let resource = json!({ "xpnResource": { "type": "PROJECT", "id": other.google.project() } });
    host.call("compute.projects.enableXpnResource", json!({}), resource);
    host.settle();
    let graph = graph_of(&mut other, &in_network_of(&host));
    let error = other.engine.plan(&graph).await.unwrap_err().to_string();
    assert!(error.contains("is not owned by this scope"), "{error}");
    other.try_apply(&TaskGraph::default()).await.unwrap();
    assert_eq!(before.diff(&host.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn what_belongs_to_a_network_elsewhere_is_refused_when_planning() {
    let lab = Lab::new().await;
    let host = host_of(&lab);
    let mut files = in_network_of(&host);
    for subnet in &mut files.cluster.spec.networking.subnets {
        subnet.id = None;
        subnet.cidr = Some("10.30.0.0/16".parse().unwrap());
    }
    let planned = cluster_graph(&files, &*lab.gce).unwrap();
    let error = lab.engine.plan(&planned.graph).await.unwrap_err().to_string();
    assert!(error.contains("a subnet of a network of another project"), "{error}");
}

#[tokio::test]
async fn machines_with_built_in_accelerators_are_stopped_for_maintenance() {
    let lab = Lab::new().await;
    let mut site = Site::of(CLUSTER);
    site.group("nodes", |group| "g2-standard-4".clone_into(&mut group.machine_type));
    lab.apply(&site.build()).await;
    lab.google.settle();
    let found = lab.google.snapshot();
    let machines: Vec<_> = found
        .objects("instances")
        .filter(|(_, it)| it["tags"].to_string().contains("\"nodes-ha-example-com\""))
        .collect();
    assert!(
        !machines.is_empty()
            && machines.iter().all(|(_, it)| it["scheduling"]["onHostMaintenance"] == "TERMINATE")
    );
    lab.delete().await;
}

/// The usual cluster with another network plugin.
fn with_plugin(plugin: &str, settings: Value) -> ClusterFiles {
    let mut files = usual();
    let networking = &mut files.cluster.spec.networking;
    networking.cilium = None;
    *networking.plugin_mut(plugin).unwrap() = Some(Opaque(settings));
    files
}

fn all<R: kops_core::resource::Resource>(graph: &TaskGraph) -> Vec<(String, R)> {
    let tasks = graph.tasks().filter(|task| task.key.kind() == R::KIND);
    tasks.map(|task| (task.key.name().to_owned(), task.spec_as().unwrap())).collect()
}

#[tokio::test]
async fn pods_with_alias_addresses_have_ranges_and_are_let_in() {
    let mut lab = Lab::new().await;
    let files = with_plugin("gce", json!({}));
    let graph = graph_of(&mut lab, &files);
    lab.apply(&graph).await;
    let found = lab.google.snapshot();
    let (_, subnet) =
        ours(&found, "subnetworks").into_iter().find(|(name, _)| name.starts_with("europe")).unwrap();
    assert_eq!(
        subnet["secondaryIpRanges"],
        json!([
            { "rangeName": "pods-ha-example-com", "ipCidrRange": "100.96.0.0/11" },
            { "rangeName": "services-ha-example-com", "ipCidrRange": "100.64.0.0/13" },
        ])
    );
    let cloud: &dyn kops_core::cloud::Cloud = &*lab.gce;
    let native = cloud.lower(&graph, &kops_core::cloud::Scope::new(CLUSTER), &[]).unwrap();
    for (name, template) in all::<InstanceTemplate>(native.graph()) {
        let pods = template.machine.pod_range.as_deref();
        let bastion = name.starts_with("bastion");
        assert_eq!(pods, (!bastion).then_some("pods-ha-example-com"), "{name}");
        assert_eq!(template.machine.can_ip_forward, bastion, "{name}");
    }
    assert!(!all::<Subnetwork>(native.graph()).is_empty());
    let rules = all::<GceFirewall>(native.graph());
    let from_pods = |to: &str| {
        let is_it = |(name, rule): &&(String, GceFirewall)| {
            name.ends_with(&format!("to-{to}.{CLUSTER}"))
                && rule.source_ranges.contains(&"100.96.0.0/11".into())
        };
        rules.iter().filter(is_it).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert!(from_pods("nodes").iter().any(|name| name.starts_with("all-")), "{:?}", from_pods("nodes"));
    // Not etcd: the API and the rest.
    let masters = from_pods("masters");
    assert!(!masters.is_empty() && !masters.iter().any(|name| name.starts_with("all-")), "{masters:?}");
    lab.delete().await;
}

#[tokio::test]
async fn pods_that_are_routed_are_let_in_and_others_are_refused() {
    let lab = Lab::new().await;
    let graph = cluster_graph(&with_plugin("kubenet", json!({})), &*lab.gce).unwrap().graph;
    let cloud: &dyn kops_core::cloud::Cloud = &*lab.gce;
    let native = cloud.lower(&graph, &kops_core::cloud::Scope::new(CLUSTER), &[]).unwrap();
    let rules = all::<GceFirewall>(native.graph());
    assert!(rules.iter().any(|(_, rule)| rule.source_ranges.contains(&"100.96.0.0/11".into())));
    assert!(all::<InstanceTemplate>(native.graph()).iter().all(|(_, it)| it.machine.can_ip_forward));
    for (plugin, settings) in [
        ("kindnet", json!({})),
        ("cilium", json!({ "tunnel": "disabled" })),
        ("calico", json!({ "encapsulationMode": "none" })),
    ] {
        let problems = cluster_graph(&with_plugin(plugin, settings), &*lab.gce).unwrap_err().to_string();
        assert!(problems.contains(plugin) && problems.contains("addresses of pods"), "{problems}");
    }
}

#[tokio::test]
async fn sources_of_ipv6_do_not_open_what_ipv4_closes() {
    let mut site = Site::of(CLUSTER);
    site.group("nodes", |group| group.zones = ZONES.map(str::to_owned).into());
    let lab = Lab::new().await;
    let mut files = usual();
    files.cluster.spec.api.access = vec!["198.51.100.0/24".parse().unwrap(), "::/0".parse().unwrap()];
    let graph = cluster_graph(&files, &*lab.gce).unwrap().graph;
    let cloud: &dyn kops_core::cloud::Cloud = &*lab.gce;
    let native = cloud.lower(&graph, &kops_core::cloud::Scope::new(CLUSTER), &[]).unwrap();
    let to_api = all::<GceFirewall>(native.graph()).into_iter().filter(|(name, _)| name.contains("api-elb"));
    for (name, rule) in to_api.filter(|(_, rule)| rule.direction == "INGRESS") {
        assert!(!rule.source_ranges.contains(&"0.0.0.0/0".into()), "{name}");
    }
}

#[tokio::test]
async fn machines_run_under_googles_default_account() {
    let mut lab = Lab::new().await;
    let mut files = usual();
    let mut cloud = files.cluster.spec.cloud_provider.as_ref().and_then(CloudProvider::gce).unwrap().clone();
    cloud.service_account = Some("default".to_owned());
    files.cluster.spec.cloud_provider = Some(CloudProvider::Gce(cloud));
    let graph = graph_of(&mut lab, &files);
    lab.apply(&graph).await;
    let found = lab.google.snapshot();
    let accounts: Vec<_> = found
        .objects("instanceTemplates")
        .filter(|(_, it)| it["description"].as_str().is_some_and(|text| text.starts_with("kops cluster")))
        .map(|(_, it)| it["properties"]["serviceAccounts"][0]["email"].as_str().unwrap())
        .collect();
    assert!(!accounts.is_empty());
    assert!(accounts.iter().all(|it| it.ends_with("-compute@developer.gserviceaccount.com")), "{accounts:?}");
    assert!(lab.google.calls().mutations(&[]).iter().all(|call| !call.action.starts_with("iam.")));
    lab.delete().await;
}

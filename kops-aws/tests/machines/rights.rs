//! What machines may do follows from the specification: from a file, by way of the dialect, to the policies of the
//! roles. No account is asked.

use kops_aws::Aws;
use kops_aws::kinds::IamRolePolicy;
use kops_cluster::{ClusterFiles, Manifest, Mode, cluster_graph};
use kops_core::cloud::Cloud as _;
use serde_json::{Value, json};

/// A cluster with a network plugin and further lines below `spec`.
fn manifest(plugin: &str, further: &str) -> String {
    let group = |name: &str, role: &str| {
        format!(
            "---
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata:
  name: {name}
  labels: {{kops.k8s.io/cluster: flat.example.net}}
spec:
  role: {role}
  image: ami-0abcdef0123456789
  machineType: m5.large
  minSize: 1
  maxSize: 1
  subnets: [front-a]
"
        )
    };
    let cluster = format!(
        "apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata:
  name: flat.example.net
spec:
  cloudProvider: aws
  kubernetesVersion: 1.34.1
  networkCIDR: 10.40.0.0/16
  subnets:
  - {{name: front-a, type: Public, zone: eu-west-1a, cidr: 10.40.16.0/20}}
  nonMasqueradeCIDR: 100.64.0.0/10
  topology: {{dns: {{type: None}}}}
  api: {{loadBalancer: {{type: Public}}}}
  networking: {plugin}
  {further}
  etcdClusters:
  - name: main
    etcdMembers:
    - {{name: a, instanceGroup: cp-a}}
  - name: events
    etcdMembers:
    - {{name: a, instanceGroup: cp-a}}
"
    );
    cluster + &group("cp-a", "Master") + &group("workers", "Node")
}

/// The statements of the two roles.
struct Rights {
    control_plane: Vec<Value>,
    node: Vec<Value>,
}

async fn rights(plugin: &str, further: &str) -> Rights {
    let aws = Aws::builder().region("eu-west-1").static_credentials("AKIA", "secret", None);
    let aws = aws.build().await.unwrap();
    let manifest = Manifest::read(&manifest(plugin, further), Mode::Strict).unwrap();
    let (objects, _) = manifest.into_objects().unwrap();
    let files = ClusterFiles::from_objects(objects).unwrap_or_else(|problems| panic!("{problems}"));
    let planned = cluster_graph(&files, &aws).unwrap_or_else(|problems| panic!("{plugin}: {problems}"));
    let native = aws.lower(&planned.graph, &planned.scope, &[]).unwrap();
    let policies = native.graph().specs::<IamRolePolicy>().unwrap();
    let of = |role: &str| -> Vec<Value> {
        let found = policies.iter().find(|(task, _)| task.key.name().starts_with(role));
        let (_, policy) = found.unwrap_or_else(|| panic!("no policy of {role}"));
        let document = policy.document.known().unwrap_or_else(|| panic!("the policy of {role} is not known"));
        let document: Value = serde_json::from_str(document.as_str()).unwrap();
        document["Statement"].as_array().unwrap().clone()
    };
    Rights { control_plane: of("masters."), node: of("nodes.") }
}

/// The statements that allow an action.
fn allowing<'a>(statements: &'a [Value], action: &str) -> Vec<&'a Value> {
    let allows = |statement: &&Value| {
        statement["Effect"] == "Allow"
            && statement["Action"].as_array().unwrap().iter().any(|it| it == action)
    };
    statements.iter().filter(allows).collect()
}

/// Whether an action is allowed whatever tags its object carries.
fn freely(statements: &[Value], action: &str) -> bool {
    allowing(statements, action).iter().any(|statement| statement["Condition"].is_null())
}

/// Whether an action is allowed on what carries the cluster's tag.
fn on_own(statements: &[Value], action: &str) -> bool {
    let own = |statement: &&Value| {
        statement["Condition"]["StringEquals"]["aws:ResourceTag/KubernetesCluster"]
            == json!(["flat.example.net"])
    };
    allowing(statements, action).iter().any(own)
}

/// What a plugin does that gives pods addresses of the network.
const OF_INTERFACES: [&str; 6] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:AttachNetworkInterface",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:UnassignPrivateIpAddresses",
];

/// Whether a role may attach interfaces; all that is necessary, or nothing of it.
fn attaches(statements: &[Value], context: &str) -> bool {
    let tags_interfaces = allowing(statements, "ec2:CreateTags").iter().any(|statement| {
        statement["Resource"].to_string().contains(":network-interface/") && statement["Condition"].is_null()
    });
    let mut all: Vec<_> = OF_INTERFACES.iter().map(|action| freely(statements, action)).collect();
    all.push(tags_interfaces);
    assert!(all.iter().all(|it| *it == tags_interfaces), "{context}: {all:?} of {OF_INTERFACES:?} and tags");
    tags_interfaces
}

#[tokio::test]
async fn plugins_may_do_what_they_do_and_no_others_may() {
    // The plugin; whether control planes and nodes attach interfaces; whether nodes switch off the check of addresses.
    for (plugin, control_plane, node, passes_packets) in [
        ("{cilium: {enableNodePort: true, ipam: eni, disableMasquerade: true}}", true, false, false),
        ("{amazonvpc: {}}", true, true, false),
        ("{kindnet: {}}", false, false, true),
        ("{kuberouter: {}}", false, false, true),
        ("{calico: {awsSrcDstCheck: Disable}}", false, false, true),
        ("{calico: {}}", false, false, false),
        ("{cilium: {}}", false, false, false),
    ] {
        let rights = rights(plugin, "").await;
        assert_eq!(attaches(&rights.control_plane, plugin), control_plane, "{plugin}, control plane");
        assert_eq!(attaches(&rights.node, plugin), node, "{plugin}, nodes");
        for action in ["ec2:ModifyInstanceAttribute", "ec2:ModifyNetworkInterfaceAttribute"] {
            assert_eq!(on_own(&rights.node, action), passes_packets, "{plugin}: {action}");
        }
        // The check is an attribute of the machine, which carries the tag: other machines are out of reach.
        assert!(!freely(&rights.node, "ec2:ModifyInstanceAttribute"), "{plugin}");
    }
}

#[tokio::test]
async fn the_registry_is_a_cache_if_the_specification_says_so() {
    let mirror = "containerd: {useECRCredentialsForMirrors: true}";
    let registry = "iam: {allowContainerRegistry: true}";
    for (further, pulls, caches) in [
        (format!("{mirror}\n  {registry}"), true, true),
        (registry.to_owned(), true, false),
        (String::new(), false, false),
    ] {
        let rights = rights("{cilium: {}}", &further).await;
        for statements in [&rights.control_plane, &rights.node] {
            assert_eq!(freely(statements, "ecr:BatchGetImage"), pulls, "{further}");
            for action in [
                "ecr:BatchImportUpstreamImage",
                "ecr:CreateRepository",
                "ecr:ReplicateImage",
                "ecr:TagResource",
            ] {
                assert_eq!(freely(statements, action), caches, "{further}: {action}");
            }
        }
    }
}

#[tokio::test]
async fn a_disk_can_be_made_of_a_snapshot_of_the_clusters() {
    let further = "snapshotController: {enabled: true}\n  certManager: {enabled: true}";
    let rights = rights("{calico: {}}", further).await;
    let making = allowing(&rights.control_plane, "ec2:CreateVolume");
    let tagged = |tag: &str| {
        let tag = format!("aws:{tag}/KubernetesCluster");
        making.iter().find(|it| it["Condition"]["StringEquals"][&tag] == json!(["flat.example.net"]))
    };
    // The call asks for the right to the disk, which is tagged by it, and to the snapshot, which is tagged already.
    assert!(tagged("RequestTag").is_some(), "{making:?}");
    let of_snapshots = tagged("ResourceTag").unwrap_or_else(|| panic!("{making:?}"));
    assert!(of_snapshots["Resource"].to_string().contains(":snapshot/"), "{of_snapshots}");
    assert!(allowing(&rights.node, "ec2:CreateVolume").is_empty());
}

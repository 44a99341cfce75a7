//! Every setting of the schema acts on the plan, is refused, or is named in a warning: nothing is silent.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use kops_cluster::bootstrap::{KopsNode, NodeProgram};
use kops_cluster::bundle::StoreFiles;
use kops_cluster::cloud::Architecture;
use kops_cluster::pki::Keysets;
use kops_cluster::schema::{Schema as _, Shape};
use kops_cluster::{
    ApiObject, ClusterFiles, ClusterGraph, ClusterSpec, DnsType, InstanceGroup, InstanceGroupSpec,
    NewCluster, Path, TopologyKind, cluster_graph_with, new_cluster, set,
};
use kops_core::graph::TaskGraph;
use kops_core::testing::MemoryCloud;

/// Settings that act on something other than the plan on the in-memory cloud, and what that is.
const ELSEWHERE: &[(&str, &str)] = &[
    ("channel", "commands that look for newer versions read it"),
    ("rollingUpdate", "rolling updates read it"),
    ("configStore.keypairs", "commands for keys read it"),
    ("configStore.secrets", "commands for secrets read it"),
    ("configStore.location", "dead: told of when the document is read"),
    ("etcdClusters[0].enableEtcdTLS", "likewise"),
    ("etcdClusters[0].enableTLSAuth", "likewise"),
    ("etcdClusters[0].manager.listenClientHTTPURLs", "likewise"),
    ("api.dns", "beside a load balancer it says nothing"),
    ("etcdClusters[0].provider", "Manager is the only one that is not refused"),
    ("networking.subnets[0].region", "clouds whose subnets have a region compare it"),
    ("iam.allowContainerRegistry", "the permissions of clouds that have a registry are made with it"),
    ("manager", "CloudGroup is the only one that is not refused"),
    ("associatePublicIP", "it acts on machines of public subnets"),
];

fn base() -> ClusterFiles {
    let new = NewCluster::new("x.example.com", "memory")
        .zones(["zone-1a", "zone-1b"])
        .topology(TopologyKind::Private)
        .bastion(true)
        .dns(DnsType::Public)
        .dns_zone("example.com")
        .config_base("https://state.example.com/x.example.com");
    let (cluster, groups) = new_cluster(&new).unwrap();
    ClusterFiles::new(cluster, groups, [])
}

/// What a specification leads to: tasks, their scope and what machines read, or none if it is refused; and what is
/// warned of.
struct Outcome {
    planned: Option<(TaskGraph, String, StoreFiles)>,
    warnings: Vec<Path>,
}

fn outcome(files: &ClusterFiles) -> Outcome {
    let program = NodeProgram::new().with_hash(Architecture::Amd64, &"0".repeat(64)).unwrap();
    let machines = KopsNode::new(program, Keysets::to_be_created(&files.cluster));
    match cluster_graph_with(files, &MemoryCloud::new(), &machines) {
        Err(_) => Outcome { planned: None, warnings: Vec::new() },
        Ok(ClusterGraph { graph, scope, files, warnings, .. }) => Outcome {
            planned: Some((graph, format!("{scope:?}"), files)),
            warnings: warnings.into_iter().map(|warning| warning.path).collect(),
        },
    }
}

/// Every field below a shape that has a value, by its path.
fn leaves(shape: &'static Shape, path: &Path, found: &mut Vec<(Path, &'static Shape)>) {
    match shape {
        Shape::Object(fields) | Shape::OneOf(fields) if !fields.is_empty() => {
            for field in *fields {
                leaves(field.shape, &path.key(field.name), found);
            }
        }
        Shape::List(of) if matches!(of, Shape::Object(_)) => leaves(of, &path.index(0), found),
        Shape::Map(of) if matches!(of, Shape::Object(_)) => leaves(of, &path.key("node"), found),
        _ => found.push((path.clone(), shape)),
    }
}

/// Values to try; one that acts, is refused or is warned of is enough.
fn values(shape: &'static Shape) -> Vec<String> {
    let of = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    match shape {
        Shape::Bool => of(&["true", "false"]),
        Shape::Integer { .. } => of(&["7", "70", "3500"]),
        Shape::IntegerOrText => of(&["2", "30%"]),
        Shape::Choice(words) => of(words),
        Shape::Form(form) => {
            let mut values = vec![form.example.split(" or ").next().unwrap().to_owned()];
            values.push("10.9.0.0/16".to_owned());
            values
        }
        Shape::Text | Shape::Secret => of(&[
            "other",
            "zone-1b",
            "10.0.0.5",
            "arn:aws:x",
            "required",
            "/var/lib/x",
            "a=b:NoSchedule",
            "0.05",
            "unlimited",
        ]),
        Shape::Opaque => of(&["{a: b}", "[a]", "1"]),
        Shape::List(inner) => values(inner).iter().map(|value| format!("[{value}]")).collect(),
        Shape::Map(inner) => values(inner).iter().map(|value| format!("{{node: {value}}}")).collect(),
        Shape::Object(_) | Shape::OneOf(_) => of(&["{}"]),
    }
}

/// Why a setting is silent, if it is.
fn silence<T: ApiObject>(
    before: &Outcome,
    path: &Path,
    shape: &'static Shape,
    object: fn(&mut ClusterFiles) -> &mut T,
) -> Option<String> {
    let mut accepted = Vec::new();
    for value in values(shape) {
        let mut files = base();
        if set(object(&mut files), &path.to_string(), &value).is_err() {
            continue;
        }
        if files == base() {
            continue;
        }
        let after = outcome(&files);
        if matches!(shape, Shape::Bool) && value == "true" && after.planned.is_none() {
            // What cannot be asked for may be declined.
            return None;
        }
        let told = after.warnings.iter().any(|warning| !before.warnings.contains(warning));
        if after.planned.is_none() {
            continue;
        }
        if told || after.planned != before.planned {
            return None;
        }
        accepted.push(value);
    }
    (!accepted.is_empty()).then(|| format!("{path}: {}", accepted.join(" or ")))
}

fn nodes(files: &mut ClusterFiles) -> &mut InstanceGroup {
    files.instance_groups.iter_mut().find(|group| group.name().starts_with("nodes")).unwrap()
}

fn is_elsewhere(path: &Path) -> bool {
    ELSEWHERE.iter().any(|(field, _)| {
        let field: Path = format!("spec.{field}").parse().unwrap();
        path.strip_prefix(&field).is_some()
    })
}

#[test]
fn no_setting_is_silent() {
    let before = outcome(&base());
    assert!(before.planned.is_some());
    let (mut of_cluster, mut of_group) = (Vec::new(), Vec::new());
    leaves(ClusterSpec::SHAPE, &Path::of("spec"), &mut of_cluster);
    leaves(InstanceGroupSpec::SHAPE, &Path::of("spec"), &mut of_group);
    assert!(of_cluster.len() > 200 && of_group.len() > 70, "{} {}", of_cluster.len(), of_group.len());
    let mut silent = Vec::new();
    for (path, shape) in of_cluster.iter().filter(|(path, _)| !is_elsewhere(path)) {
        silent.extend(silence(&before, path, shape, |files| &mut files.cluster));
    }
    for (path, shape) in of_group.iter().filter(|(path, _)| !is_elsewhere(path)) {
        silent.extend(silence(&before, path, shape, nodes).map(|why| format!("group: {why}")));
    }
    assert!(
        silent.is_empty(),
        "{} settings do nothing, and nothing is said:\n{}",
        silent.len(),
        silent.join("\n")
    );
}

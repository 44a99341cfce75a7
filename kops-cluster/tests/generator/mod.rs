//! Specifications made from the schema: usual clusters, with values that fit in random fields.

use fastrand::Rng;
use kops_cluster::schema::{Schema as _, Shape};
use kops_cluster::{
    ApiObject, ClusterFiles, ClusterSpec, DnsType, InstanceGroupSpec, LoadBalancerType, NewCluster, Path,
    TopologyKind, new_cluster, set,
};

/// A usual cluster on a cloud, in one to three zones.
pub(crate) fn usual(random: &mut Rng, cloud: &str, zones: [&str; 3]) -> ClusterFiles {
    let count = random.usize(1..=3);
    let mut new =
        NewCluster::new("made.example.com", cloud).zones(zones[..count].iter().copied()).image("image");
    new.control_plane_size = Some("large".to_owned());
    new.node_size = Some("large".to_owned());
    new.control_plane_count = Some(*random.choice(&[1, 3]).unwrap());
    if random.bool() {
        new.topology = TopologyKind::Private;
        new.bastion = random.bool();
    }
    if random.bool() {
        new.dns = *random.choice(&[DnsType::Public, DnsType::Private]).unwrap();
        new.dns_zone = random.bool().then(|| "example.com".to_owned());
    }
    if random.bool() {
        let kinds = [LoadBalancerType::Public, LoadBalancerType::Internal];
        new.api_load_balancer = random.choice(&kinds).copied();
    }
    let plugins = ["cilium", "calico", "cni", "kubenet", "amazonvpc"];
    (*random.choice(&plugins).unwrap()).clone_into(&mut new.networking);
    let (cluster, groups) = new_cluster(&new).unwrap_or_else(|problems| panic!("{problems}"));
    ClusterFiles::new(cluster, groups, [])
}

/// Sets random fields of a cluster and its groups to values that fit, and tells which.
pub(crate) fn change(random: &mut Rng, files: &mut ClusterFiles, most: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..random.usize(..=most) {
        let at = random.usize(..=files.instance_groups.len());
        told.extend(match files.instance_groups.get_mut(at) {
            Some(group) => set_one(random, group, InstanceGroupSpec::SHAPE),
            None => set_one(random, &mut files.cluster, ClusterSpec::SHAPE),
        });
    }
    told
}

/// Sets one field below `spec`.
fn set_one<T: ApiObject>(random: &mut Rng, object: &mut T, shape: &'static Shape) -> Option<String> {
    let (path, value) = leaf(random, shape, &Path::of("spec"));
    let (path, value) = (path.to_string(), value);
    // An index behind the end of a list, or a choice beside another, cannot be set.
    set(object, &path, &value).ok()?;
    Some(format!("{path}={value}"))
}

/// A random field below a shape, and a value for it.
fn leaf(random: &mut Rng, shape: &'static Shape, path: &Path) -> (Path, String) {
    match shape {
        Shape::Object(fields) | Shape::OneOf(fields) if !fields.is_empty() => {
            let field = random.choice(*fields).unwrap();
            leaf(random, field.shape, &path.key(field.name))
        }
        Shape::List(of) => {
            let index = random.usize(..2);
            leaf(random, of, &path.index(index))
        }
        Shape::Map(of) => {
            let key = *random.choice(&["team", "example.com/gpu", "node", "control-plane"]).unwrap();
            leaf(random, of, &path.key(key))
        }
        _ => (path.clone(), value(random, shape)),
    }
}

/// A text that can be read as a shape.
fn value(random: &mut Rng, shape: &'static Shape) -> String {
    let one = |random: &mut Rng, of: &[&str]| (*random.choice(of).unwrap()).to_owned();
    match shape {
        Shape::Bool => random.bool().to_string(),
        Shape::Integer { min, max } => {
            let usual = [0, 1, 2, 3, 8, 64, 100, 3_000, 65_536, *min, *max];
            usual[random.usize(..usual.len())].to_string()
        }
        Shape::IntegerOrText => one(random, &["0", "1", "25%", "100%"]),
        Shape::Choice(words) => one(random, words),
        Shape::Form(form) => form.example.split(" or ").next().unwrap_or_default().to_owned(),
        Shape::Text | Shape::Secret => one(
            random,
            &[
                "a",
                "zone-1a",
                "public.a",
                "10.0.0.5",
                "arn:aws:iam::123456789012:policy/x",
                "x y",
                "É",
                "/var/lib",
                "\"\"",
                "nodes-zone-1a",
                "required",
                "subnet-0123456789abcdef0",
                "api.made.example.com",
                "0.05",
                "a=b:NoSchedule",
            ],
        ),
        Shape::Opaque => one(random, &["{}", "{enabled: true}", "[1, a]", "10", "1m", "{a: {b: [c]}}"]),
        Shape::List(_) => "[]".to_owned(),
        Shape::Map(_) | Shape::Object(_) | Shape::OneOf(_) => "{}".to_owned(),
    }
}

//! No field of a specification is unaccounted for.
//!
//! For every field of the schema, a cluster is planned with it and without it. Something must differ: the tasks, a
//! bundle, or what is told. The few fields for which that is not so are listed with their reason.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::bootstrap::{KopsNode, NodeProgram};
use crate::bundle::setting::Kind;
use crate::bundle::tables;
use crate::cloud::{Architecture, NoDialect};
use crate::model::{Blueprint, build};
use crate::spec::schema::{Schema as _, Shape};
use crate::spec::{ClusterSpec, InstanceGroupSpec, validate};
use kops_core::cloud::Capabilities;

/// Fields that change neither tasks nor bundles nor cause a word, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("channel", "it recommends versions and images to whoever creates a cluster"),
    ("rollingUpdate", "it says how machines are replaced, not what they are"),
    ("configStore.keypairs", "it is where kOps looks for what is below base"),
    ("configStore.secrets", "likewise"),
    ("configStore.location", "dead: told of when the document is read"),
    ("etcdClusters[].enableEtcdTLS", "likewise"),
    ("etcdClusters[].enableTLSAuth", "likewise"),
    ("etcdClusters[].manager.listenClientHTTPURLs", "likewise"),
    ("api.dns", "beside a load balancer it says nothing"),
    ("updatePolicy", "automatic is what images do by themselves"),
    ("manager", "CloudGroup is the only one that is not refused"),
    (
        "iam.legacy",
        "true is refused by validation of old versions; the permissions are always the narrow ones",
    ),
    ("iam.allowContainerRegistry", "a provider's permissions"),
    ("networking.tagSubnets", "true is what is done anyway"),
    ("networking.subnets[].region", "for clouds whose subnets are regional"),
    ("networking.topology.controlPlane", "the types of subnets decide"),
    ("networking.topology.nodes", "likewise"),
    ("networking.nonMasqueradeCIDR", "ranges are derived of it only where they are not specified"),
    ("cloudLabels", "they are the scope's"),
    ("etcdClusters[].provider", "Manager is the only one that is not refused"),
    ("compressUserData", "without additional user data it is warned of"),
    ("cloudProvider.gce", "the provider's dialect"),
    ("cloudProvider.azure", "the provider's connection and dialect"),
    ("cloudProvider.openstack", "the provider's connection and dialect"),
];

/// What is planned, and what is told, as text.
fn outcome(cluster: &Value, group: &Value) -> String {
    let (mut base, mut groups) = ha("1.34.4");
    let read = |value: &Value| serde_json::from_value(value.clone());
    match read(cluster) {
        Ok(spec) => base.spec = spec,
        Err(error) => return format!("unreadable: {error}"),
    }
    match serde_json::from_value(group.clone()) {
        Ok(spec) => groups.iter_mut().find(|it| it.name() == "nodes-us-test-1a").unwrap().spec = spec,
        Err(error) => return format!("unreadable: {error}"),
    }
    let told = validate(&base, &groups).to_string();
    let (base, groups) = populate(&base, &groups);
    let program = NodeProgram::new().with_hash(Architecture::Amd64, &"0".repeat(64)).unwrap();
    let (machines, facts) = (KopsNode::new(program, keysets()), facts());
    let capabilities = Capabilities::new()
        .nat_gateways(true)
        .public_load_balancers(true)
        .internal_load_balancers(true)
        .public_dns(true)
        .private_dns(true)
        .prefix_lists(true)
        .spot(true)
        .shared_networks(true)
        .zonal_subnets(true)
        .zonal_nat_gateways(true);
    let blueprint = Blueprint::new(&base, &groups, &[], capabilities, &NoDialect, &machines, Ok(&facts));
    let planned = match build(&blueprint) {
        Ok(model) => {
            let warnings: Vec<_> = model.warnings.iter().map(ToString::to_string).collect();
            format!("{}{:?}{warnings:?}", serde_json::to_string(&model.graph).unwrap(), bundles(&model.files))
        }
        Err(problems) => problems.to_string(),
    };
    format!("{told}\n{planned}")
}

fn bundles(files: &StoreFiles) -> Vec<String> {
    files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
}

/// A value of a shape, unlike `now`.
fn sample(shape: &Shape, now: Option<&Value>) -> Value {
    match shape {
        Shape::Bool => json!(now.is_none_or(|it| *it != true)),
        Shape::Integer { .. } => json!(now.and_then(Value::as_i64).map_or(3, |it| it + 2)),
        Shape::Text | Shape::Secret => {
            json!(now.and_then(Value::as_str).map_or_else(|| "sample".to_owned(), |it| format!("{it}x")))
        }
        Shape::Form(form) => {
            let all = ["10.99.0.0/16", "192.0.2.0/24", "45s", "90m", "sample"];
            json!(all.into_iter().find(|it| (form.fits)(it) && now.is_none_or(|now| now != it)).unwrap())
        }
        Shape::IntegerOrText => json!("25%"),
        Shape::Choice(words) => {
            json!(words.iter().rev().find(|it| now.is_none_or(|now| now != *it)).unwrap())
        }
        Shape::List(of) => json!([sample(of, None)]),
        Shape::Map(of) => json!({"sample": sample(of, None)}),
        Shape::Object(fields) => {
            let all = fields.iter().map(|field| (field.name.to_owned(), sample(field.shape, None)));
            Value::Object(all.collect::<Map<_, _>>())
        }
        Shape::OneOf(fields) => json!({fields[0].name: sample(fields[0].shape, None)}),
        Shape::Opaque => json!({"sample": true}),
    }
}

/// Calls `each` with the path of every leaf, written with `[]` for items of lists, and a document in which it is changed.
fn walk(shape: &'static Shape, at: &str, document: &Value, each: &mut dyn FnMut(&str, Value)) {
    let inner = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match shape {
        Shape::Object(fields) if !fields.is_empty() => {
            for field in *fields {
                let path = inner(field.name);
                let now = document.get(field.name);
                let mut descend = |changed: Value, path: &str| {
                    let mut document = document.clone();
                    document[field.name] = changed;
                    each(path, document);
                };
                match field.shape {
                    Shape::Object(fields) if !fields.is_empty() => {
                        let now = now.cloned().unwrap_or_else(|| json!({}));
                        walk(field.shape, &path, &now, &mut |path, changed| descend(changed, path));
                    }
                    Shape::List(Shape::Object(fields)) if !fields.is_empty() => {
                        let items = now.and_then(Value::as_array).cloned().unwrap_or_default();
                        let first = items.first().cloned().unwrap_or_else(|| json!({}));
                        let Shape::List(of) = field.shape else { continue };
                        walk(of, &format!("{path}[]"), &first, &mut |path, changed| {
                            let mut items = items.clone();
                            if items.is_empty() {
                                items.push(changed);
                            } else {
                                items[0] = changed;
                            }
                            descend(items.into(), path);
                        });
                    }
                    Shape::OneOf(fields) => {
                        for field in *fields {
                            let now =
                                now.and_then(|it| it.get(field.name)).cloned().unwrap_or_else(|| json!({}));
                            let path = format!("{path}.{}", field.name);
                            walk(field.shape, &path, &now, &mut |path, changed| {
                                descend(json!({field.name: changed}), path);
                            });
                        }
                    }
                    Shape::Bool if now.is_none() => {
                        descend(json!(true), &path);
                        descend(json!(false), &path);
                    }
                    shape => descend(sample(shape, now), &path),
                }
            }
        }
        _ => {}
    }
}

fn excepted(path: &str) -> bool {
    let path = path.strip_prefix("InstanceGroup.").unwrap_or(path);
    EXCEPTIONS.iter().any(|(field, _)| {
        path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[test]
fn every_field_acts_or_is_told_of() {
    let (cluster, groups) = ha("1.34.4");
    let group = groups.iter().find(|it| it.name() == "nodes-us-test-1a").unwrap();
    let (cluster, group) =
        (serde_json::to_value(&cluster.spec).unwrap(), serde_json::to_value(&group.spec).unwrap());
    let before = outcome(&cluster, &group);
    let (mut walked, mut acting) = (BTreeSet::new(), BTreeSet::new());
    let mut look = |path: String, outcome: &mut dyn FnMut() -> String| {
        if !excepted(&path) && !acting.contains(&path) && outcome() != before {
            acting.insert(path.clone());
        }
        walked.insert(path);
    };
    walk(ClusterSpec::SHAPE, "", &cluster, &mut |path, changed| {
        look(path.to_owned(), &mut || outcome(&changed, &group));
    });
    walk(InstanceGroupSpec::SHAPE, "", &group, &mut |path, changed| {
        look(format!("InstanceGroup.{path}"), &mut || outcome(&cluster, &changed));
    });
    assert!(walked.len() > 200, "{}", walked.len());
    let silent: Vec<_> = walked.difference(&acting).filter(|path| !excepted(path)).cloned().collect();
    assert!(silent.is_empty(), "nothing becomes of {}", silent.join(", "));
}

/// The settings of components are tables: each of their fields has an effect of its own, or is told of.
#[test]
fn every_setting_of_a_component_acts_or_is_told_of() {
    let (cluster, groups) = ha("1.34.4");
    let group = groups.iter().find(|it| it.name() == "nodes-us-test-1a").unwrap();
    let (cluster, group) =
        (serde_json::to_value(&cluster.spec).unwrap(), serde_json::to_value(&group.spec).unwrap());
    let before = outcome(&cluster, &group);
    let mut silent = Vec::new();
    for (component, tables) in tables::ALL {
        for setting in tables.iter().copied().flatten() {
            let acts = |value: &Value| {
                let mut changed = cluster.clone();
                changed[*component] = settings_with(setting.field, value);
                outcome(&changed, &group) != before
            };
            if !values_of(setting.kind).iter().any(acts) {
                silent.push(format!("{component}.{}", setting.field));
            }
        }
    }
    assert!(silent.is_empty(), "nothing becomes of {}", silent.join(", "));
}

/// Some fields mean something only beside another.
fn settings_with(field: &str, value: &Value) -> Value {
    let mut settings = json!({field: value});
    if field.starts_with("oidc") {
        for (field, value) in [("oidcIssuerURL", "https://login.example.com"), ("oidcClientID", "kops")] {
            if settings[field].is_null() {
                settings[field] = value.into();
            }
        }
    }
    settings
}

/// Values, of which one at least is not the default.
fn values_of(kind: Kind) -> Vec<Value> {
    vec![match kind {
        // A value of a type that the code does not expect is told of as well.
        Kind::Text | Kind::Any => json!("sample"),
        Kind::Bool => return vec![json!(true), json!(false)],
        Kind::Integer => json!(7),
        Kind::List => json!(["sample"]),
        Kind::Map => json!({"sample": "1"}),
        Kind::Duration => json!("7m0s"),
        Kind::Quantity => json!("7m"),
    }]
}

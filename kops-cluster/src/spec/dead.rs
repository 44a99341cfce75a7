//! Fields that kOps still reads and that nothing has acted on for years: they are kept, with one warning.

use serde_json::Value;

use super::path::{Path, Segment};
use super::problem::Problems;

/// The fields, below `spec`; `*` stands for every element of a list.
const FIELDS: &[&str] = &[
    "etcdClusters.*.enableEtcdTLS",
    "etcdClusters.*.enableTLSAuth",
    "etcdClusters.*.manager.listenClientHTTPURLs",
    "cloudConfig.vSphereServer",
    "cloudConfig.vSphereUsername",
    "cloudConfig.vSpherePassword",
    "cloudConfig.vSphereDatacenter",
    "cloudConfig.vSphereResourcePool",
    "cloudConfig.vSphereDatastore",
    "cloudConfig.vSphereCoreDNSServer",
    "configStore.location",
];

/// Warns once of all of them in the document of a cluster, which has the shape of the types.
pub(super) fn warn(document: &Value, problems: &mut Problems) {
    let Some(spec) = document.get("spec") else { return };
    let found: Vec<Path> = FIELDS.iter().flat_map(|field| find(spec, field, &Path::of("spec"))).collect();
    let Some(first) = found.first() else { return };
    let mut names: Vec<&str> = found
        .iter()
        .filter_map(|path| match path.segments().last() {
            Some(Segment::Key(name)) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    problems.warn(
        first.clone(),
        format!("nothing acts on {}, here or in kOps", names.join(", ")),
        "remove it when you edit the specification; it is preserved until then",
    );
}

fn find(value: &Value, field: &str, at: &Path) -> Vec<Path> {
    let (first, rest) = field.split_once('.').map_or((field, None), |(first, rest)| (first, Some(rest)));
    let inside: Vec<(Path, &Value)> = match value {
        Value::Array(items) if first == "*" => {
            items.iter().enumerate().map(|(number, item)| (at.index(number), item)).collect()
        }
        _ => value.get(first).map(|value| (at.key(first), value)).into_iter().collect(),
    };
    inside
        .into_iter()
        .flat_map(|(path, value)| match rest {
            Some(rest) => find(value, rest, &path),
            None => vec![path],
        })
        .collect()
}

//! What all machines of a cluster have in common: access to the specification for rendering.

use ipnet::IpNet;
use serde_json::Value;

use crate::cloud::NodeFacts;
use crate::pki::Keysets;
use crate::spec::{Cluster, InstanceGroup, Opaque, Path, Problems};

/// The port of the API, as in the model.
pub(super) const API_PORT: u16 = 443;

/// A cluster to render bundles for: its specification with all defaults, its groups, and other known facts.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BundleCluster<'a> {
    /// The cluster, with the defaults of [`populate`](crate::spec::populate()).
    pub cluster: &'a Cluster,
    /// Its instance groups, with defaults as well.
    pub groups: &'a [InstanceGroup],
    /// The cloud, as seen by its machines.
    pub facts: &'a NodeFacts,
    /// The ids of its keysets.
    pub keysets: &'a Keysets,
    /// The URL of the Kubernetes packages, in the layout of `https://pkgs.k8s.io/core:/stable:`.
    pub packages: &'a str,
}

impl<'a> BundleCluster<'a> {
    /// A cluster, its groups, its cloud and its keysets.
    pub fn new(
        cluster: &'a Cluster,
        groups: &'a [InstanceGroup],
        facts: &'a NodeFacts,
        keysets: &'a Keysets,
    ) -> Self {
        Self { cluster, groups, facts, keysets, packages: super::machine::PACKAGES }
    }

    /// Sets the URL of the Kubernetes packages.
    pub fn packages(mut self, url: &'a str) -> Self {
        self.packages = url;
        self
    }

    /// The minor version of Kubernetes. Validation rejects invalid versions.
    pub(super) fn minor(&self) -> u64 {
        semver::Version::parse(self.version()).map_or(0, |it| it.minor)
    }

    /// The version of Kubernetes without the `v`.
    pub(super) fn version(&self) -> &'a str {
        self.cluster.spec.kubernetes_version.as_deref().unwrap_or_default().trim_start_matches('v')
    }

    /// The name of the API that everything inside the cluster uses.
    pub(super) fn api_name(&self) -> String {
        self.cluster.api_internal_name()
    }

    /// The registry of Kubernetes' own images.
    pub(super) fn registry(&self) -> &'a str {
        let assets = self.cluster.spec.assets.as_ref().map(|it| &it.0["containerRegistry"]);
        assets.and_then(Value::as_str).filter(|it| !it.is_empty()).unwrap_or("registry.k8s.io")
    }

    /// The service CIDR.
    pub(super) fn services(&self) -> Option<IpNet> {
        self.cluster.spec.networking.service_cluster_ip_range
    }

    /// The address of the cluster's DNS service: the tenth of the service CIDR, as in kubeadm.
    pub(super) fn dns_address(&self) -> Option<String> {
        match self.services()? {
            IpNet::V4(net) => net.hosts().nth(9).map(|it| it.to_string()),
            IpNet::V6(net) => net.hosts().nth(10).map(|it| it.to_string()),
        }
    }

    /// The cluster's DNS domain.
    pub(super) fn domain(&self) -> &'a str {
        self.cluster.spec.cluster_dns_domain.as_deref().unwrap_or("cluster.local")
    }

    /// Whether the cloud's controllers run, so that they initialize nodes instead of the kubelets.
    ///
    /// kops does not install them yet, and a node that waits for them never becomes schedulable. So they are
    /// only assumed if the specification configures them.
    pub(super) fn external_cloud(&self) -> bool {
        let says = |settings: &Option<Opaque>| {
            settings.as_ref().is_some_and(|it| it.0["cloudProvider"] == "external")
        };
        let spec = &self.cluster.spec;
        spec.cloud_controller_manager.is_some() || says(&spec.kubelet) || says(&spec.kube_controller_manager)
    }
}

/// The settings of a component; `null` if there are none.
pub(super) fn settings(component: Option<&Opaque>) -> Value {
    component.map_or(Value::Null, |it| it.0.clone())
}

/// A field of settings that must be a string.
pub(super) fn text<'a>(
    settings: &'a Value,
    field: &str,
    at: &Path,
    problems: &mut Problems,
) -> Option<&'a str> {
    match &settings[field] {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|it| !it.is_empty()).map(String::as_str),
        other => {
            problems.error(at.key(field), format!("{other} is not a string"), "put it in quotes");
            None
        }
    }
}

/// A field of settings that must be a list of strings.
pub(super) fn texts(settings: &Value, field: &str, at: &Path, problems: &mut Problems) -> Vec<String> {
    let value = &settings[field];
    let items: Option<Vec<_>> = match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(|it| it.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    items.unwrap_or_else(|| {
        problems.error(at.key(field), format!("{value} is not a list of strings"), "use a list of strings");
        Vec::new()
    })
}

/// A field of settings that must be true or false.
pub(super) fn flag(settings: &Value, field: &str, at: &Path, problems: &mut Problems) -> Option<bool> {
    match &settings[field] {
        Value::Null => None,
        Value::Bool(it) => Some(*it),
        other => {
            problems.error(at.key(field), format!("{other} is not true or false"), "use true or false");
            None
        }
    }
}

/// A field of settings that must be a number.
pub(super) fn number(settings: &Value, field: &str, at: &Path, problems: &mut Problems) -> Option<Value> {
    match &settings[field] {
        Value::Null => None,
        Value::Number(it) => Some(Value::Number(it.clone())),
        Value::String(text) if text.parse::<f64>().is_ok() => serde_json::from_str(text).ok(),
        other => {
            problems.error(at.key(field), format!("{other} is not a number"), "use a number");
            None
        }
    }
}

/// The fields of settings, which must be an object.
pub(super) fn object_of(
    component: Option<&Opaque>,
    at: &Path,
    problems: &mut Problems,
) -> serde_json::Map<String, Value> {
    let Some(Opaque(value)) = component else { return serde_json::Map::new() };
    super::setting::object(value, at, problems).cloned().unwrap_or_default()
}

/// Reports fields of settings that are not among the known ones.
pub(super) fn only(settings: &Value, fields: &[&str], at: &Path, problems: &mut Problems) {
    let Some(found) = super::setting::object(settings, at, problems) else { return };
    for field in found.keys().filter(|it| !fields.contains(&it.as_str())) {
        problems.warn(at.key(field), "unknown field: it has no effect", "remove it, or correct its name");
    }
}

/// The entries of a field of settings that must be a map of strings.
pub(super) fn map_of_texts(
    settings: &Value,
    field: &str,
    at: &Path,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let value = &settings[field];
    let entries: Option<Vec<_>> = match value {
        Value::Null => Some(Vec::new()),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        }
        _ => None,
    };
    entries.unwrap_or_else(|| {
        problems.error(at.key(field), format!("{value} is not a map of strings"), "use key: \"value\"");
        Vec::new()
    })
}

//! Validation of parts that clusters and groups share: volumes, labels, policies, rolling updates.

use std::collections::BTreeMap;

use super::text::{host_bits, not_dns_label};
use crate::spec::defaults::{CloudDefaults, VolumeLimits};
use crate::spec::meta::INSTANCE_GROUP_LABEL;
use crate::spec::path::Path;
use crate::spec::problem::Problems;
use crate::spec::schema::IntOrString;
use crate::spec::types::{AccessSource, ClusterSpec, RollingUpdate, WarmPool};

/// The settings of a volume, with the names of its fields.
pub(super) struct VolumeSettings<'a> {
    pub(super) r#type: Option<&'a str>,
    pub(super) size: Option<i64>,
    pub(super) iops: Option<i64>,
    pub(super) throughput: Option<i64>,
    /// The names of type, size, IOPS and throughput.
    pub(super) names: [&'static str; 4],
}

/// Checks a volume against what its type allows.
pub(super) fn volume(
    settings: &VolumeSettings<'_>,
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    let [type_name, size_name, iops_name, throughput_name] = settings.names;
    if settings.size.is_some_and(|size| size < 1) {
        problems.error(at.key(size_name), "must be at least 1 GiB", "specify its size in GiB");
        return;
    }
    let mut types = VolumeLimits::of(cloud.name).peekable();
    let (Some(name), Some(_)) = (settings.r#type, types.peek()) else { return };
    let all = VolumeLimits::of(cloud.name).map(|limits| limits.name).collect::<Vec<_>>().join(", ");
    let Some(limits) = types.find(|limits| limits.name == name) else {
        problems.error(
            at.key(type_name),
            format!("unknown volume type {name:?}"),
            format!("use one of {all}"),
        );
        return;
    };
    let mut within =
        |what: &str, value: Option<i64>, bounds: Option<(i64, i64)>, field: &str, unit: &str| match (
            value, bounds,
        ) {
            (Some(value), Some((least, most))) if !(least..=most).contains(&value) => problems.error(
                at.key(field),
                format!("{value} {unit} is out of range for a {name} volume"),
                format!("use {least} to {most} {unit}"),
            ),
            (Some(_), None) => problems.error(
                at.key(field),
                format!("{what} of a {name} volume cannot be set"),
                "remove it, or use type gp3",
            ),
            _ => {}
        };
    within("the size", settings.size, Some(limits.size), size_name, "GiB");
    within("operations a second", settings.iops, limits.iops, iops_name, "operations/s");
    within("the throughput", settings.throughput, limits.throughput, throughput_name, "MiB/s");
    let (Some(iops), Some(size)) = (settings.iops, settings.size) else { return };
    let least = limits.iops.map_or(0, |(least, _)| least);
    let most = least.max(size * limits.iops_per_gib);
    if limits.iops.is_some() && iops > most {
        problems.error(
            at.key(iops_name),
            format!("{iops} operations/s is too many for {size} GiB"),
            format!("use at most {most}, or a larger volume"),
        );
    }
    // docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html: 0.25 MiB/s per provisioned operation per
    // second.
    if let Some(throughput) =
        settings.throughput.filter(|throughput| limits.throughput.is_some() && *throughput * 4 > iops)
    {
        problems.error(
            at.key(throughput_name),
            format!("{throughput} MiB/s requires more than {iops} operations/s"),
            format!("use at most {} MiB/s, or at least {} operations/s", iops / 4, throughput * 4),
        );
    }
}

/// Labels by which this project and kOps find their objects; those that end in a slash stand for all below them.
const OWN_LABELS: &[&str] =
    &["KubernetesCluster", "Name", "kubernetes.io/cluster/", "k8s.io/role/", "kops.k8s.io/"];

/// Checks the labels of objects in the cloud: of a cluster, or of the instance group with this name.
pub(super) fn cloud_labels(
    labels: &BTreeMap<String, String>,
    group: Option<&str>,
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    for (key, value) in labels {
        if key.is_empty() {
            problems.error(at.clone(), "a label has no key", "specify a key, or remove it");
        }
        let own = OWN_LABELS.iter().any(|own| key == own || (own.ends_with('/') && key.starts_with(own)));
        let agrees = key == INSTANCE_GROUP_LABEL && group == Some(value.as_str());
        if own && !agrees {
            problems.error(
                at.key(key),
                format!("{key} is reserved by kOps for identifying the objects of clusters"),
                "use another label",
            );
        }
        if let Some(prefix) = cloud.reserved_labels
            && key.to_ascii_lowercase().starts_with(prefix)
        {
            problems.error(
                at.key(key),
                format!("{key} is reserved by {}: labels must not begin with {prefix}", cloud.name),
                "use another label",
            );
        }
    }
}

/// Checks the settings of the cluster other than network, API and etcd.
pub(super) fn cluster(spec: &ClusterSpec, at: &Path, cloud: &CloudDefaults, problems: &mut Problems) {
    cloud_labels(&spec.cloud_labels, None, &at.key("cloudLabels"), cloud, problems);
    access(&spec.ssh_access, &at.key("sshAccess"), cloud, problems);
    access(&spec.api.access, &at.key("api").key("access"), cloud, problems);
    access(&spec.node_port_access, &at.key("nodePortAccess"), cloud, problems);
    policies(spec, at, problems);
    if let Some(update) = &spec.rolling_update {
        rolling_update(update, &at.key("rollingUpdate"), problems);
    }
    if let Some(pool) = spec.cloud_provider.as_ref().and_then(|provider| provider.aws()?.warm_pool.as_ref()) {
        warm_pool(pool, &at.key("cloudProvider").key("aws").key("warmPool"), problems);
    }
    if let Some(zone) = &spec.dns_zone
        && zone.is_empty()
    {
        problems.error(at.key("dnsZone"), "must not be empty", "specify the zone, or remove it");
    }
}

fn access(sources: &[AccessSource], at: &Path, cloud: &CloudDefaults, problems: &mut Problems) {
    for (number, source) in sources.iter().enumerate() {
        let here = at.index(number);
        match source {
            AccessSource::Cidr(cidr) => host_bits(cidr, &here, problems),
            AccessSource::PrefixList(_) if cloud.prefix_lists => {}
            AccessSource::PrefixList(id) => {
                problems.error(
                    here.clone(),
                    format!("{} has no prefix lists such as {id}", cloud.name),
                    "use CIDRs",
                );
            }
        }
        if sources[..number].contains(source) {
            problems.warn(here, format!("{source} is listed twice"), "remove it");
        }
    }
}

/// The names of roles in the maps of policies.
const POLICY_ROLES: &[&str] = &["control-plane", "node", "bastion", "apiserver"];

fn policies(spec: &ClusterSpec, at: &Path, problems: &mut Problems) {
    let role = |name: &str, role: &str, problems: &mut Problems| {
        if !POLICY_ROLES.contains(&role) {
            problems.error(
                at.key(name).key(role),
                format!("{role:?} is not a role"),
                "use master, node, bastion or apiserver",
            );
        }
    };
    for (name, policy) in &spec.additional_policies {
        role("additionalPolicies", name, problems);
        let statements = serde_json::from_str::<Vec<serde_json::Map<String, serde_json::Value>>>(policy);
        if let Err(error) = statements {
            problems.error(
                at.key("additionalPolicies").key(name),
                format!("is not a JSON list of policy statements: {error}"),
                "write [{\"Effect\": \"Allow\", \"Action\": […], \"Resource\": […]}]",
            );
        }
    }
    for (name, arns) in &spec.external_policies {
        role("externalPolicies", name, problems);
        for (number, arn) in arns.iter().enumerate() {
            if !arn.starts_with("arn:") {
                problems.error(
                    at.key("externalPolicies").key(name).index(number),
                    format!("{arn:?} is not an ARN"),
                    "specify the ARN of the policy",
                );
            }
        }
    }
    if spec.iam.as_ref().is_some_and(|iam| iam.legacy == Some(true)) {
        problems.error(
            at.key("iam").key("legacy"),
            "such permissions no longer exist, here or in kOps",
            "remove it; machines get the permissions that they need",
        );
    }
    let accounts = spec.iam.iter().flat_map(|iam| &iam.service_account_external_permissions).enumerate();
    for (number, account) in accounts {
        let here = at.key("iam").key("serviceAccountExternalPermissions").index(number);
        for (field, value) in [("name", &account.name), ("namespace", &account.namespace)] {
            // A `*` in a namespace stands for anything.
            let example = if field == "namespace" { value.replace('*', "a") } else { value.clone() };
            if let Some(why) = not_dns_label(&example) {
                problems.error(
                    here.key(field),
                    format!("{value:?} is not a name: {why}"),
                    "specify the service account",
                );
            }
        }
    }
}

pub(super) fn rolling_update(update: &RollingUpdate, at: &Path, problems: &mut Problems) {
    let mut amount = |name: &str, value: &Option<IntOrString>| match value {
        None => None,
        Some(IntOrString::Int(count)) if *count >= 0 => Some(*count),
        Some(IntOrString::Text(text)) => {
            let share = text.strip_suffix('%').unwrap_or(text).parse::<i64>();
            let good =
                share.as_ref().is_ok_and(|share| *share >= 0 && (!text.ends_with('%') || *share <= 100));
            if !good {
                problems.error(
                    at.key(name),
                    format!("{text:?} is not a percentage"),
                    "use a count, or a percentage from 0% to 100%",
                );
            }
            share.ok()
        }
        Some(IntOrString::Int(count)) => {
            problems.error(at.key(name), format!("{count} must not be negative"), "use 0 or more");
            None
        }
    };
    let unavailable = amount("maxUnavailable", &update.max_unavailable);
    let surge = amount("maxSurge", &update.max_surge);
    if unavailable == Some(0) && surge == Some(0) {
        problems.error(
            at.key("maxSurge"),
            "no machine can be replaced if both maxUnavailable and maxSurge are 0",
            "set one of them to 1 or more",
        );
    }
}

pub(super) fn warm_pool(pool: &WarmPool, at: &Path, problems: &mut Problems) {
    for (name, size) in [("minSize", pool.min_size), ("maxSize", pool.max_size)] {
        if size.is_some_and(|size| size < 0) {
            problems.error(at.key(name), "must not be negative", "use 0 or more");
        }
    }
    if let (Some(min), Some(max)) = (pool.min_size, pool.max_size)
        && min > max
    {
        problems.error(
            at.key("maxSize"),
            format!("{max} is less than minSize {min}"),
            "use at least minSize",
        );
    }
}

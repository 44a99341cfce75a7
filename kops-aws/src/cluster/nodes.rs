//! Tags of a group that tell the cluster autoscaler about its nodes before there are any: see the AWS
//! provider of <https://github.com/kubernetes/autoscaler>, "Auto-Discovery Setup".

use std::collections::BTreeMap;

use kops_cluster::extensions::NodeTemplate;
use kops_core::Result;
use kops_core::resource::InstanceGroup;

use crate::tags::Tags;

const NODE_LABEL: &str = "k8s.io/cluster-autoscaler/node-template/label/";
const NODE_TAINT: &str = "k8s.io/cluster-autoscaler/node-template/taint/";

/// The tags for the labels and taints of a group's nodes.
pub(crate) fn tags(spec: &InstanceGroup) -> Result<Tags> {
    let template = spec.extensions.get::<NodeTemplate>()?.unwrap_or_default();
    let labels = template.labels.iter().map(|(key, value)| (format!("{NODE_LABEL}{key}"), value.clone()));
    // Taints with the same key and different effects share a tag: the autoscaler reads one only.
    let taints: BTreeMap<_, _> =
        template.taints.iter().map(|it| (&it.key, format!("{}:{:?}", it.value, it.effect))).collect();
    let taints = taints.into_iter().map(|(key, taint)| (format!("{NODE_TAINT}{key}"), taint));
    Ok(labels.chain(taints).collect())
}

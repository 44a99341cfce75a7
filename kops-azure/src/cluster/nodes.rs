//! Tags of the scale set that tell the cluster autoscaler about a group's nodes before there are any: see the
//! Azure provider of <https://github.com/kubernetes/autoscaler>, "Auto-Discovery Setup".

use kops_cluster::extensions::NodeTemplate;
use kops_core::Result;
use kops_core::resource::InstanceGroup;

use crate::tags::{Tags, name};

const NODE_LABEL: &str = "k8s.io_cluster-autoscaler_node-template_label_";
const NODE_TAINT: &str = "k8s.io_cluster-autoscaler_node-template_taint_";

/// The tags for the labels and taints of a group's nodes.
pub(crate) fn tags(spec: &InstanceGroup) -> Result<Tags> {
    let template = spec.extensions.get::<NodeTemplate>()?.unwrap_or_default();
    let labels =
        template.labels.iter().map(|(label, value)| (format!("{NODE_LABEL}{}", name(label)), value.clone()));
    let taints = template.taints.iter().map(|taint| {
        (format!("{NODE_TAINT}{}", name(&taint.key)), format!("{}:{:?}", taint.value, taint.effect))
    });
    Ok(labels.chain(taints).collect())
}

//! Labels of nodes: those that a kubelet may set itself, and those that require more permissions.

use std::collections::BTreeMap;

use super::cluster::settings;
use crate::spec::{Cluster, INSTANCE_GROUP_LABEL, InstanceGroup};

/// Whether a kubelet may set a label on its own node. It does not start if it is to set any other label of
/// `kubernetes.io` or `k8s.io`:
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction>.
pub(super) fn is_own(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let within =
        |domain: &str| prefix.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let reserved = within("kubernetes.io") || within("k8s.io");
    !reserved || within("node.kubernetes.io") || within("kubelet.kubernetes.io")
}

/// The labels that the keeper sets on a group's nodes: kOps' own, and the group's that its kubelets may not set.
pub(super) fn kept(cluster: &Cluster, group: &InstanceGroup) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([(INSTANCE_GROUP_LABEL.to_owned(), group.name().to_owned())]);
    if group.is_control_plane() {
        // kubeadm sets the labels of the role and for load balancers; this one is kOps'.
        labels.insert("kops.k8s.io/kops-controller-pki".to_owned(), String::new());
    } else {
        labels.insert("node-role.kubernetes.io/node".to_owned(), String::new());
    }
    let control_plane = cluster.spec.control_plane_kubelet.as_ref().filter(|_| group.is_control_plane());
    for layer in [cluster.spec.kubelet.as_ref(), control_plane, group.spec.kubelet.as_ref()] {
        let layer = settings(layer);
        let own = layer["nodeLabels"].as_object().into_iter().flatten();
        labels.extend(
            own.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .filter(|it| !is_own(&it.0)),
        );
    }
    labels.extend(
        group
            .spec
            .node_labels
            .iter()
            .filter(|it| !is_own(it.0))
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_sets_its_own_labels_only() {
        for own in [
            "team",
            "example.com/pool",
            "node.kubernetes.io/x",
            "a.kubelet.kubernetes.io/x",
            "notkubernetes.io/x",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in ["node-role.kubernetes.io/node", "kops.k8s.io/instancegroup", "kubernetes.io/x"] {
            assert!(!is_own(other), "{other}");
        }
    }
}

//! The roles that allow nodes to join: kubeadm's, without the general approval.
//!
//! Not created by the phase `bootstrap-token`, which creates a token for 24 h in every run, and allows
//! everybody with a token to approve the certificate of any node. (kubeadm,
//! `phases/bootstraptoken/node/tlsbootstrap.go`.)

use serde_json::{Value, json};

/// The group of the tokens that the keeper creates.
pub(crate) const JOINERS: &str = "system:bootstrappers:kubeadm:default-node-token";

/// The objects, to be applied.
pub fn objects() -> Vec<Value> {
    let group =
        |name: &str| json!([{"kind": "Group", "name": name, "apiGroup": "rbac.authorization.k8s.io"}]);
    let binding = |name: &str, role: &str, subjects: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": subjects,
        })
    };
    let own = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient";
    vec![
        binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", group(JOINERS)),
        binding("kubeadm:node-autoapprove-certificate-rotation", own, group("system:nodes")),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "kubeadm:get-nodes"},
            "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
        }),
        binding("kubeadm:get-nodes", "kubeadm:get-nodes", group(JOINERS)),
    ]
}

//! What lets nodes join: kubeadm's own roles, less the blanket approval.
//!
//! Not by the phase `bootstrap-token`, which makes a token of 24 h at every run, and binds the approval of any node's
//! certificate to whoever has a token. (kubeadm, `phases/bootstraptoken/node/tlsbootstrap.go`.)

use serde_json::{Value, json};

/// The group of the tokens that the keeper makes.
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

//! What whoever has taken over a node can have: nothing beyond that node.

use kops_lab::{never, until};

use crate::cluster::{Cluster, LONG, with};

/// A machine that nobody lists, with a token as good as any.
#[test]
#[ignore = "takes minutes: on demand"]
fn a_machine_that_nobody_lists_does_not_join() {
    with(|cluster| {
        let name = cluster.boot_unlisted();
        until("it asks for a certificate", LONG, || {
            let requests = cluster.lab.objects(&["certificatesigningrequests"])?;
            let open = requests.iter().any(|it| it["status"]["conditions"].is_null());
            open.then_some(())
                .ok_or_else(|| format!("no request is undecided; {}", cluster.last_words(&name)))
        });
        never("a Node of a machine that nobody lists", 75, || cluster.lab.kubectl(&["get", "node", &name]));
        cluster.lose(&name);
    });
}

/// The token that all nodes join with, and a node's own certificate, are good for no other node's certificate and for
/// nobody's Secrets.
#[test]
#[ignore = "takes minutes: on demand"]
fn a_node_gets_no_certificate_of_another_and_no_secrets() {
    with(|cluster| {
        let (thief, victim) = (cluster.node(), cluster.machine_of("b"));
        let join = std::fs::read_to_string(cluster.lab.store().join("join/nodes")).unwrap();
        let join: serde_json::Value = serde_json::from_str(&join).unwrap();
        let write = format!("umask 077; printf %s '{}' > /root/token.conf", join["discovery"]);
        cluster.lab.exec(&thief, &["sh", "-c", &write]).unwrap();
        let (token, own) = ("/root/token.conf", "/etc/kubernetes/kubelet.conf");
        for config in [token, own] {
            let secrets = ["kubectl", "--kubeconfig", config, "get", "secrets", "-A"];
            let denied = cluster.lab.exec(&thief, &secrets).unwrap_err();
            assert!(denied.contains("forbidden"), "{denied}");
        }
        let denied = ask(cluster, &thief, &victim, own).unwrap_err();
        assert!(denied.contains("can only create a node CSR"), "{denied}");
        ask(cluster, &thief, &victim, token).unwrap();
        // Whoever may join gets his in seconds.
        never("a certificate for another node", 30, || {
            let requests = cluster.lab.objects(&["csr", "stolen"])?;
            let given = requests.iter().any(|it| !it["status"]["conditions"].is_null());
            given.then_some(()).ok_or_else(String::new)
        });
        cluster.lab.kubectl(&["delete", "csr", "stolen"]).unwrap();
    });
}

/// Asks on one machine, with the rights of this kubeconfig, for a certificate of another's kubelet.
fn ask(cluster: &Cluster, machine: &str, other: &str, config: &str) -> Result<String, String> {
    let script = format!(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /root/stolen.key \
         -subj '/O=system:nodes/CN=system:node:{other}' -out /root/stolen.csr && \
         kubectl --kubeconfig {config} create -f - <<END\n{{apiVersion: certificates.k8s.io/v1, \
         kind: CertificateSigningRequest, metadata: {{name: stolen}}, spec: {{\
         signerName: kubernetes.io/kube-apiserver-client-kubelet, usages: [digital signature, client auth], \
         request: $(base64 -w0 /root/stolen.csr)}}}}\nEND\n"
    );
    cluster.lab.exec(machine, &["sh", "-c", &script])
}

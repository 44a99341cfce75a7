use std::time::Duration;

use super::*;
use crate::pki::{Client, Keyset};
use crate::spec::{ApiLoadBalancer, Cluster, DnsType, LoadBalancerType};

const THEIRS: &str = "\
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: home
clusters:
- name: home
  cluster: {server: 'https://10.0.0.1', certificate-authority: ca.crt}
- name: ha.example.com
  cluster: {server: 'https://old.example.com', insecure-skip-tls-verify: true}
contexts:
- {name: home, context: {cluster: home, user: me, namespace: mine}}
users:
- {name: me, user: {token: hunter2, client-key: /abs/key}}
";

fn entry(credentials: bool) -> KubeconfigEntry {
    let now = "2026-11-30T12:00:00Z".parse().unwrap();
    let authority = Keyset::generate("kubernetes-ca", now).unwrap();
    let client = Client::new("ann").lifetime(Duration::from_hours(1));
    KubeconfigEntry {
        authorities: Some(authority.bundle()),
        tls_server_name: Some("api.internal.ha.example.com".to_owned()),
        credentials: credentials.then(|| authority.primary().sign(&client, now).unwrap()),
        ..KubeconfigEntry::new("ha.example.com", "https://lb.example.com")
    }
}

#[test]
fn others_entries_are_kept_and_ours_replaced() {
    let mut kubeconfig = Kubeconfig::parse(THEIRS).unwrap();
    kubeconfig.set(&entry(true));
    let read = Kubeconfig::parse(&kubeconfig.to_yaml().unwrap()).unwrap();
    assert_eq!(read, kubeconfig);
    let document = read.document();
    assert_eq!(document["preferences"]["colors"], true);
    assert_eq!(document["users"][0]["user"]["token"], "hunter2");
    assert_eq!(document["contexts"][0]["context"]["namespace"], "mine");
    assert_eq!(document["clusters"].as_array().unwrap().len(), 2);
    let cluster = &document["clusters"][1]["cluster"];
    assert_eq!(cluster["server"], "https://lb.example.com");
    assert_eq!(cluster["tls-server-name"], "api.internal.ha.example.com");
    assert!(cluster.get("insecure-skip-tls-verify").is_none());
    assert_eq!(read.current_context(), Some("ha.example.com"));

    // Another export without credentials keeps those that are there.
    let before = document["users"][1].clone();
    assert!(before["user"]["client-key-data"].is_string());
    let mut again = read.clone();
    again.set(&entry(false));
    assert_eq!(again.document()["users"][1], before);
    assert!(!format!("{again:?}").contains("hunter2"), "{again:?}");
}

#[test]
fn what_is_no_kubeconfig_is_refused_and_not_quoted() {
    for text in ["hunter2", "[hunter2]", "kind: Secret\ndata: hunter2", "a: [hunter2"] {
        let error = Kubeconfig::parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    assert_eq!(Kubeconfig::parse("\n").unwrap(), Kubeconfig::default());
    let mut kubeconfig = Kubeconfig::parse(THEIRS).unwrap();
    let error = kubeconfig.use_context("ha.example.com").unwrap_err();
    assert!(error.to_string().contains("it has home"), "{error}");
    kubeconfig.use_context("home").unwrap();
    kubeconfig.resolve(Path::new("/home/ann/.kube"));
    assert_eq!(
        kubeconfig.document()["clusters"][0]["cluster"]["certificate-authority"],
        "/home/ann/.kube/ca.crt"
    );
    assert_eq!(kubeconfig.document()["users"][0]["user"]["client-key"], "/abs/key");
}

fn cluster(dns: DnsType, balancer: Option<LoadBalancerType>) -> Cluster {
    let mut cluster = Cluster::named("ha.example.com");
    cluster.spec.networking.topology.get_or_insert_default().dns = Some(dns);
    cluster.spec.api.load_balancer =
        balancer.map(|it| ApiLoadBalancer { r#type: Some(it), ..ApiLoadBalancer::default() });
    cluster
}

#[test]
fn the_api_is_reached_by_name_unless_the_name_is_not_known_outside() {
    use LoadBalancerType::{Internal, Public};
    for (dns, balancer, internal, expected) in [
        (DnsType::Public, Some(Public), false, Some("api.ha.example.com")),
        (DnsType::Public, None, false, Some("api.ha.example.com")),
        (DnsType::Public, None, true, Some("api.internal.ha.example.com")),
        (DnsType::Private, Some(Public), false, None),
        (DnsType::Private, Some(Public), true, Some("api.internal.ha.example.com")),
        (DnsType::Private, Some(Internal), false, Some("api.ha.example.com")),
        (DnsType::None, Some(Public), false, None),
        (DnsType::None, Some(Internal), true, None),
    ] {
        match (ApiAddress::of(&cluster(dns, balancer), internal).unwrap(), expected) {
            (ApiAddress::Name(name), Some(expected)) => assert_eq!(name, expected),
            (ApiAddress::Balancer(task), None) => {
                assert_eq!(task.key().as_str(), "LoadBalancer/api.ha.example.com");
            }
            other => panic!("{dns:?} {balancer:?} {internal}: {other:?}"),
        }
    }
    let error = ApiAddress::of(&cluster(DnsType::None, None), false).unwrap_err();
    assert!(error.to_string().contains("spec.api.loadBalancer"), "{error}");
}

#[test]
fn at_a_foreign_host_the_clusters_own_name_is_expected() {
    let mut cluster = cluster(DnsType::None, Some(LoadBalancerType::Public));
    let at = |cluster: &Cluster, host: &str, certificates| Server::at(cluster, host, certificates);
    let server = at(&cluster, "2001:db8::1", true);
    assert_eq!(server.url, "https://[2001:db8::1]");
    assert_eq!(server.tls_server_name.as_deref(), Some("api.internal.ha.example.com"));
    assert_eq!(at(&cluster, "api.ha.example.com", true).tls_server_name, None);

    assert_eq!(at(&cluster, "192.0.2.1:6443", true).url, "https://192.0.2.1:6443");
    assert_eq!(at(&cluster, "[2001:db8::1]:6443", true).url, "https://[2001:db8::1]:6443");

    let balancer = cluster.spec.api.load_balancer.as_mut().unwrap();
    balancer.ssl_certificate = Some("arn:aws:acm:…".to_owned());
    let server = at(&cluster, "lb.example.com", false);
    assert_eq!((server.url.as_str(), server.own_authority), ("https://lb.example.com", false));
    assert_eq!(server.tls_server_name, None);
    let server = at(&cluster, "lb.example.com", true);
    assert_eq!((server.url.as_str(), server.own_authority), ("https://lb.example.com:8443", true));
}

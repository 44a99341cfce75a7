use std::collections::BTreeMap;

use super::*;
use crate::bundle::{Group, Role};

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|it| (*it).to_owned()).collect()
}

fn request() -> Request {
    Request {
        signer: CLIENT_SIGNER.to_owned(),
        username: "system:bootstrap:abcdef".to_owned(),
        groups: set(&["system:bootstrappers", "system:authenticated"]),
        usages: set(&["digital signature", "client auth"]),
        common_name: "system:node:i-1".to_owned(),
        organisations: vec!["system:nodes".to_owned()],
        ..Request::default()
    }
}

fn machine(name: &str, group: &str, minutes: u64) -> Machine {
    let age = Some(Duration::from_mins(minutes));
    Machine { node_name: name.to_owned(), group: group.to_owned(), addresses: set(&["10.0.0.1"]), age }
}

fn judged(request: &Request, node: Node) -> Verdict {
    let machines =
        [machine("i-1", "nodes", 1), machine("i-2", "nodes", 60), machine("i-3", "control-plane-a", 1)];
    let group = |name: &str, role| (name.to_owned(), Group { role, labels: BTreeMap::new() });
    let groups =
        [group("nodes", Role::Node), group("control-plane-a", Role::ControlPlane)].into_iter().collect();
    judge(request, &machines, &Groups { groups }, node)
}

#[test]
fn a_machine_that_just_started_joins() {
    assert_eq!(judged(&request(), Node::Absent), Verdict::Approve);
    assert_eq!(judged(&request(), Node::NotReady), Verdict::Approve);
}

#[test]
fn a_thief_of_the_token_gets_no_name() {
    let named = |name: &str| Request { common_name: format!("system:node:{name}"), ..request() };
    assert_eq!(judged(&request(), Node::Ready), Verdict::Hold(Doubt::Ready));
    assert_eq!(judged(&named("i-2"), Node::Absent), Verdict::Hold(Doubt::NotNew));
    assert_eq!(judged(&named("i-3"), Node::Absent), Verdict::Hold(Doubt::NoMachine), "a control plane");
    assert_eq!(judged(&named("i-9"), Node::Absent), Verdict::Hold(Doubt::NoMachine));
    assert_eq!(judged(&named(""), Node::Absent), Verdict::Hold(Doubt::Form));
}

#[test]
fn only_a_kubelets_request_is_approved() {
    for other in [
        Request { organisations: vec!["system:masters".to_owned()], ..request() },
        Request { organisations: vec!["system:nodes".to_owned(), "system:masters".to_owned()], ..request() },
        Request { usages: set(&["digital signature", "client auth", "server auth"]), ..request() },
        Request { usages: set(&["client auth"]), ..request() },
        Request { dns_names: set(&["kubernetes"]), ..request() },
        Request { groups: set(&["system:authenticated"]), ..request() },
        Request { more: true, ..request() },
    ] {
        assert_eq!(judged(&other, Node::Absent), Verdict::Hold(Doubt::Form), "{other:?}");
    }
}

#[test]
fn what_others_sign_is_left_to_them() {
    let renewal = Request { username: "system:node:i-1".to_owned(), ..request() };
    assert_eq!(judged(&renewal, Node::Ready), Verdict::Ignore, "kubeadm's binding approves it");
    let other = Request { signer: "kubernetes.io/kube-apiserver-client".to_owned(), ..request() };
    assert_eq!(judged(&other, Node::Absent), Verdict::Ignore);
}

#[test]
fn a_serving_certificate_is_for_oneself_and_for_listed_addresses() {
    let serving = Request {
        signer: SERVING_SIGNER.to_owned(),
        username: "system:node:i-1".to_owned(),
        groups: set(&["system:nodes"]),
        usages: set(&["digital signature", "server auth"]),
        dns_names: set(&["i-1"]),
        addresses: set(&["10.0.0.1"]),
        ..request()
    };
    assert_eq!(judged(&serving, Node::Ready), Verdict::Approve);
    let other = Request { username: "system:node:i-2".to_owned(), ..serving.clone() };
    assert_eq!(judged(&other, Node::Ready), Verdict::Hold(Doubt::Other));
    let other = Request { addresses: set(&["10.0.0.1", "10.0.0.2"]), ..serving };
    assert_eq!(judged(&other, Node::Ready), Verdict::Hold(Doubt::Names));
}

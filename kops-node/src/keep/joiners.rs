//! Approval of certificate requests, by the rule of [`crate::joining`].

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Pass;
use crate::error::{Error, Result};
use crate::joining::{CLIENT_SIGNER, Doubt, Node, Request, SERVING_SIGNER, Verdict, csr, judge};
use crate::kube::{Api, is_ready};
use crate::status::{Event, held_key};
use crate::store::Precondition;

/// The annotation of a request that says why it is not approved.
const REASON: &str = "kops.k8s.io/held";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

/// Approves all requests that may be approved, with one listing of the cloud's machines.
pub(super) fn approve(pass: &Pass<'_>) -> Result<Option<String>> {
    let (mut approved, mut failed) = (Vec::new(), None);
    for object in pass.api.list(REQUESTS)? {
        if !is_open(&object) {
            continue;
        }
        let Some(request) = read(&object) else { continue };
        let Some(name) = request.node() else { continue };
        // Anyone with the bootstrap token can make requests: one that fails must not block the others.
        match answer(pass, &object, &request, name) {
            Ok(true) => approved.push(name.to_owned()),
            Ok(false) => {}
            Err(e) => failed = failed.or(Some(e)),
        }
    }
    match failed {
        Some(e) if approved.is_empty() => Err(e),
        // After an approval the next pass follows at once, and meets the error again.
        _ => Ok((!approved.is_empty()).then(|| format!("certificates approved for {}", approved.join(", ")))),
    }
}

/// Approves one request, or tells why not; returns whether it was approved.
fn answer(pass: &Pass<'_>, object: &Value, request: &Request, name: &str) -> Result<bool> {
    let node = match pass.api.read(&format!("/api/v1/nodes/{}", crate::store::escape_query(name)))? {
        None => Node::Absent,
        Some(node) if is_ready(&node) => Node::Ready,
        Some(_) => Node::NotReady,
    };
    match judge(request, pass.machines()?, pass.groups()?, node) {
        Verdict::Approve => give(pass, object.clone()).map(|()| true),
        Verdict::Hold(doubt) => tell(pass, object, request, doubt).map(|()| false),
        Verdict::Ignore => Ok(false),
    }
}

/// Reports once why a request is not approved: in the journal, on the request, and beside the machine's
/// status. The machine itself only sees that it gets no certificate.
fn tell(pass: &Pass<'_>, object: &Value, request: &Request, doubt: Doubt) -> Result<()> {
    let (node, why) = (request.node().unwrap_or_default(), doubt.to_string());
    let metadata = &object["metadata"];
    if metadata["annotations"][REASON] == why.as_str() {
        return Ok(());
    }
    let what = format!("its request for a certificate is not approved: {why}");
    // A kubelet's first request only: any node can request a serving certificate in the name of another one,
    // whose reason would then be overwritten.
    let first = request.signer == CLIENT_SIGNER && doubt != Doubt::Form;
    if let Some(machine) = pass.machines()?.iter().find(|it| first && it.node_name == node) {
        let event = Event { at: pass.keep.clock.now(), what };
        let bytes = serde_json::to_vec(&event)
            .map_err(|e| Error::invalid("telling why a machine may not join", e.to_string()))?;
        let key = held_key(&machine.group, &machine.node_name);
        pass.keep.world.store.write(&key, &bytes, Precondition::None)?;
    }
    let id = metadata["name"].as_str().unwrap_or_default();
    pass.api.patch(&format!("{REQUESTS}/{id}"), &json!({"metadata": {"annotations": {REASON: why}}}))?;
    // Whoever made the request chose the node's name.
    pass.told.borrow_mut().push(format!("request {id} for node {node:?} is not approved: {why}"));
    Ok(())
}

/// The undecided requests of kubelets.
pub(super) fn undecided(api: &Api) -> Result<BTreeSet<String>> {
    let open = api.list(REQUESTS)?.into_iter().filter(is_open);
    Ok(open.filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect())
}

/// Whether it is a kubelet's request, and undecided.
fn is_open(object: &Value) -> bool {
    let decided = object["status"]["conditions"].as_array().is_some_and(|it| !it.is_empty());
    !decided && [CLIENT_SIGNER, SERVING_SIGNER].map(Some).contains(&object["spec"]["signerName"].as_str())
}

/// The request; `None` if it is malformed, which is ignored.
fn read(object: &Value) -> Option<Request> {
    let spec = &object["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let mut request = Request {
        signer: text(&spec["signerName"]),
        username: text(&spec["username"]),
        groups: texts(&spec["groups"]),
        usages: texts(&spec["usages"]),
        ..Request::default()
    };
    let pem = STANDARD.decode(spec["request"].as_str()?).ok()?;
    csr::read(&pem, &mut request).ok()?;
    Some(request)
}

fn give(pass: &Pass<'_>, mut object: Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    // Items of a list have no type of their own.
    object["apiVersion"] = "certificates.k8s.io/v1".into();
    object["kind"] = "CertificateSigningRequest".into();
    object["status"]["conditions"] = json!([{
        "type": "Approved", "status": "True", "reason": "KopsNode",
        "message": "the cloud lists this machine, and it has just started or its Node is not Ready",
    }]);
    pass.api.replace(&format!("{REQUESTS}/{name}/approval"), &object).map(drop)
}

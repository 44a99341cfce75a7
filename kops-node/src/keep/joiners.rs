//! Requests for certificates, by the rule of [`crate::joining`].

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Pass;
use crate::error::Result;
use crate::joining::{CLIENT_SIGNER, Node, Request, SERVING_SIGNER, Verdict, csr, judge};
use crate::kube::{Api, is_ready};

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

/// Approves all requests that may be approved, with one listing of the cloud.
pub(super) fn approve(pass: &Pass<'_>) -> Result<Option<String>> {
    let mut approved = Vec::new();
    for object in pass.api.list(REQUESTS)? {
        if !is_open(&object) {
            continue;
        }
        let Some(request) = read(&object) else { continue };
        let Some(name) = request.node() else { continue };
        let node = match pass.api.read(&format!("/api/v1/nodes/{}", crate::store::escape_query(name)))? {
            None => Node::Absent,
            Some(node) if is_ready(&node) => Node::Ready,
            Some(_) => Node::NotReady,
        };
        if judge(&request, pass.machines()?, pass.groups()?, node) == Verdict::Approve {
            give(pass, object.clone())?;
            approved.push(name.to_owned());
        }
    }
    Ok((!approved.is_empty()).then(|| format!("certificates approved for {}", approved.join(", "))))
}

/// The requests of kubelets that nobody has decided.
pub(super) fn undecided(api: &Api) -> Result<BTreeSet<String>> {
    let open = api.list(REQUESTS)?.into_iter().filter(is_open);
    Ok(open.filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect())
}

/// Whether it is a kubelet's request, and undecided.
fn is_open(object: &Value) -> bool {
    let decided = object["status"]["conditions"].as_array().is_some_and(|it| !it.is_empty());
    !decided && [CLIENT_SIGNER, SERVING_SIGNER].map(Some).contains(&object["spec"]["signerName"].as_str())
}

/// The request; none if it is nonsense, which is left to whoever made it.
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
    // Items of a list do not say what they are.
    object["apiVersion"] = "certificates.k8s.io/v1".into();
    object["kind"] = "CertificateSigningRequest".into();
    object["status"]["conditions"] = json!([{
        "type": "Approved", "status": "True", "reason": "KopsNode",
        "message": "the cloud lists this machine, and it has just started or its Node is not Ready",
    }]);
    pass.api.replace(&format!("{REQUESTS}/{name}/approval"), &object).map(drop)
}

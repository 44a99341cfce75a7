//! The token that nodes join with: valid for two hours, and for at least one hour while it is in the store.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Pass;
use crate::boot::node::{JOIN, Join};
use crate::error::{Error, Result};
use crate::kubeadm::JOINERS;
use crate::pki::DIRECTORY;
use crate::random;
use crate::store::Precondition;

/// How long a token is valid.
const GOOD: Duration = Duration::from_hours(2);
/// The remaining validity below which it is replaced.
const LEFT: Duration = Duration::from_hours(1);

/// Creates a token if there is none that is valid for another hour, or if the authorities have changed. The
/// old one is deleted after its expiration (by the controller `tokencleaner`); two concurrent keepers leave
/// two, which is harmless.
pub(super) fn refresh(pass: &Pass<'_>) -> Result<Option<String>> {
    let keep = pass.keep;
    let (now, store) = (keep.clock.now(), &*keep.world.store);
    let doing = "creating a join token";
    let authorities = keep.host.read(&format!("{DIRECTORY}/ca.crt"))?;
    let authorities =
        STANDARD.encode(authorities.ok_or_else(|| Error::waiting(doing, "there is no authority yet"))?);
    let current = Join::read(store)?;
    if current.is_some_and(|it| {
        let data = &it.discovery["clusters"][0]["cluster"]["certificate-authority-data"];
        it.expires > now + LEFT && *data == authorities
    }) {
        return Ok(None);
    }
    let (id, secret) = (random::word(6)?, random::word(16)?);
    let expires = now + GOOD;
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": format!("bootstrap-token-{id}"), "namespace": "kube-system"},
        "stringData": {
            "token-id": id, "token-secret": secret, "expiration": expires.to_string(), "auth-extra-groups": JOINERS,
            "usage-bootstrap-authentication": "true",
        },
    });
    // First the Secret: a token in the store that the API server does not know would prevent nodes from
    // joining for an hour.
    pass.api.create("/api/v1/namespaces/kube-system/secrets", &object)?;
    let api = &keep.bundle.api;
    let discovery = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "kops",
        "clusters": [{"name": "kops", "cluster": {
            "server": format!("https://{}:{}", api.name, api.port), "certificate-authority-data": authorities,
        }}],
        "users": [{"name": "kops", "user": {"token": format!("{id}.{secret}")}}],
        "contexts": [{"name": "kops", "context": {"cluster": "kops", "user": "kops"}}],
    });
    let bytes =
        serde_json::to_vec(&Join { discovery, expires }).map_err(|e| Error::invalid(doing, e.to_string()))?;
    store.write(JOIN, &bytes, Precondition::None)?;
    Ok(Some(format!("created join token {id}, valid until {}", expires.strftime("%H:%M"))))
}

//! The token that nodes join with: two hours, and never less than one in the store.

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

/// How long a token is good.
const GOOD: Duration = Duration::from_hours(2);
/// It is replaced when less is left.
const LEFT: Duration = Duration::from_hours(1);

/// Makes a token when there is none that is good for another hour, or when the authorities have changed. The old one ends
/// by itself (the controller `tokencleaner`); two keepers at once leave two, which is harmless.
pub(super) fn refresh(pass: &Pass<'_>) -> Result<Option<String>> {
    let keep = pass.keep;
    let (now, store) = (keep.clock.now(), &*keep.world.store);
    let doing = "making a join token";
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
    // First the Secret: a token in the store that nobody knows would keep nodes from joining for an hour.
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
    Ok(Some(format!("nodes join with token {id} until {}", expires.strftime("%H:%M"))))
}

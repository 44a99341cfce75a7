//! How the API server authenticates requests: an AuthenticationConfiguration.
//!
//! kOps denies all anonymous requests (`anonymousAuth: false`) and probes the API server's health through a
//! program of its own. kubeadm's probes are anonymous. So anonymous requests are allowed for the three health
//! endpoints only, which requires a configuration file; and because that file excludes the flags of OpenID
//! Connect, the issuer is in it as well.

use serde_json::{Value, json};

use super::cluster::{BundleCluster, flag, only, settings, text, texts};
use super::files::content_of;
use crate::spec::{Path, Problems};

/// The path of the file, below the directory that kubeadm mounts into the API server.
pub(super) const FILE: &str = "/etc/kubernetes/pki/authentication.yaml";

/// The health endpoints.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/healthz"];

/// How the API server authenticates.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Authentication {
    /// With the file that kops writes.
    Ours(Value),
    /// With a file of the user.
    Theirs(String),
    /// With Kubernetes' defaults.
    Default,
}

pub(super) fn render(cluster: &BundleCluster<'_>, problems: &mut Problems) -> Authentication {
    let spec = &cluster.cluster.spec;
    let api_server = settings(spec.kube_api_server.as_ref());
    let at = Path::of("spec.kubeAPIServer");
    let anonymous = flag(&api_server, "anonymousAuth", &at, problems);
    if let Some(file) = text(&api_server, "authenticationConfigFile", &at, problems) {
        if anonymous != Some(true) {
            problems.warn(
                at.key("authenticationConfigFile"),
                "it replaces the file that restricts anonymous requests to the health endpoints",
                "set anonymous.conditions to /livez, /readyz and /healthz in that file",
            );
        }
        return Authentication::Theirs(file.to_owned());
    }
    let issuer = issuer(cluster, &api_server, &at, problems);
    if anonymous == Some(true) && issuer.is_none() {
        return Authentication::Default;
    }
    let version = if cluster.minor() >= 34 { "v1" } else { "v1beta1" };
    let mut document = json!({
        "apiVersion": format!("apiserver.config.k8s.io/{version}"), "kind": "AuthenticationConfiguration",
    });
    document["anonymous"] = if anonymous == Some(true) {
        json!({"enabled": true})
    } else {
        json!({"enabled": true, "conditions": HEALTH.map(|path| json!({"path": path}))})
    };
    if let Some(issuer) = issuer {
        document["jwt"] = json!([issuer]);
    }
    Authentication::Ours(document)
}

/// The issuer of OpenID Connect, from `authentication.oidc` or the API server's older fields.
fn issuer(
    cluster: &BundleCluster<'_>,
    api_server: &Value,
    at: &Path,
    problems: &mut Problems,
) -> Option<Value> {
    let authentication = settings(cluster.cluster.spec.authentication.as_ref());
    only(&authentication, &["aws", "kopeio", "oidc"], &Path::of("spec.authentication"), problems);
    let own = Path::of("spec.authentication.oidc");
    let newer = !authentication["oidc"].is_null();
    // The same settings under two names.
    let (settings, at, names) = if newer {
        let names =
            ["issuerURL", "clientID", "usernameClaim", "usernamePrefix", "groupsClaims", "groupsPrefix"];
        (&authentication["oidc"], &own, names)
    } else {
        let names = [
            "oidcIssuerURL",
            "oidcClientID",
            "oidcUsernameClaim",
            "oidcUsernamePrefix",
            "oidcGroupsClaim",
            "oidcGroupsPrefix",
        ];
        (api_server, at, names)
    };
    let url = text(settings, names[0], at, problems)?.to_owned();
    let Some(client) = text(settings, names[1], at, problems) else {
        problems.error(at.key(names[1]), "is required with an issuer", "specify the client ID");
        return None;
    };
    let claim = text(settings, names[2], at, problems).unwrap_or("sub");
    let prefix = match text(settings, names[3], at, problems) {
        Some("-") => String::new(),
        Some(prefix) => prefix.to_owned(),
        // The API server's own rule: e-mail addresses are used unchanged, other names are prefixed with their
        // issuer.
        None if claim == "email" => String::new(),
        None => format!("{url}#"),
    };
    let groups = if newer {
        texts(settings, names[4], at, problems)
    } else {
        text(settings, names[4], at, problems).into_iter().map(str::to_owned).collect()
    };
    let mut issuer = json!({
        "issuer": {"url": url, "audiences": [client]},
        "claimMappings": {"username": {"claim": claim, "prefix": prefix}},
    });
    match groups.as_slice() {
        [] => {}
        [one] => {
            let prefix = text(settings, names[5], at, problems).unwrap_or_default();
            issuer["claimMappings"]["groups"] = json!({"claim": one, "prefix": prefix});
        }
        _ => problems.error(
            at.key(names[4]),
            "the API server reads groups from one claim only",
            "name one claim",
        ),
    }
    let required = required(settings, newer, at, problems);
    if !required.is_empty() {
        issuer["claimValidationRules"] = required.into();
    }
    if let Some(file) = text(api_server, "oidcCAFile", &Path::of("spec.kubeAPIServer"), problems) {
        match content_of(cluster, file) {
            Some(pem) => issuer["issuer"]["certificateAuthority"] = pem.into(),
            None => problems.error(
                Path::of("spec.kubeAPIServer.oidcCAFile"),
                format!(
                    "the content of {file} is not known, but must be part of the API server's configuration"
                ),
                "add the file to fileAssets with this path",
            ),
        }
    }
    Some(issuer)
}

/// The claims that a token must have: a map, or a list of `claim=value`.
fn required(settings: &Value, newer: bool, at: &Path, problems: &mut Problems) -> Vec<Value> {
    if newer {
        let claims = settings["requiredClaims"].as_object().into_iter().flatten();
        return claims.map(|(claim, value)| json!({"claim": claim, "requiredValue": value})).collect();
    }
    let pairs = texts(settings, "oidcRequiredClaim", at, problems);
    let mut rules = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        match pair.split_once('=') {
            Some((claim, value)) => rules.push(json!({"claim": claim, "requiredValue": value})),
            None => problems.error(
                at.key("oidcRequiredClaim").index(number),
                format!("{pair:?} is not a claim with a value"),
                "use claim=value",
            ),
        }
    }
    rules
}

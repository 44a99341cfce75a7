//! The few calls to the Kubernetes API that the program needs: JSON over HTTPS with a client certificate.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::http::{Http, Request, Tls};
use crate::machine::Host;
use crate::pki::leaves::kubeconfig;
use crate::store::escape_query;

/// The timeout of a call.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The field manager of applied objects.
pub const MANAGER: &str = "kops-node";

/// The API of one server.
#[derive(Debug)]
pub struct Api {
    http: Http,
    server: String,
    /// The plural by `<apiVersion> <kind>`, and whether it is namespaced.
    kinds: Mutex<BTreeMap<String, (String, bool)>>,
}

impl Api {
    /// The API at this URL.
    pub fn new(http: Http, server: &str) -> Self {
        Self { http, server: server.trim_end_matches('/').to_owned(), kinds: Mutex::default() }
    }

    /// The API server of this machine, with the credentials of a kubeconfig on it.
    ///
    /// # Errors
    /// `Waiting` if the kubeconfig does not exist yet.
    pub fn local(host: &dyn Host, path: &str, port: u16) -> Result<Self> {
        let doing = format!("reading {path}");
        let bytes = host.read(path)?.ok_or_else(|| Error::waiting(&doing, "it is not there yet"))?;
        let config = kubeconfig(path, &bytes)?;
        let data = |value: &Value| {
            let text = value.as_str().ok_or_else(|| Error::invalid(&doing, "it holds no certificates"))?;
            STANDARD.decode(text).map_err(|_| Error::invalid(&doing, "it holds no certificates"))
        };
        let user = &config["users"][0]["user"];
        let tls = Tls {
            authorities: Some(data(&config["clusters"][0]["cluster"]["certificate-authority-data"])?),
            client: Some((data(&user["client-certificate-data"])?, data(&user["client-key-data"])?)),
        };
        Ok(Self::new(Http::direct(&tls)?, &format!("https://127.0.0.1:{port}")))
    }

    /// Whether the API server reports that it is ready.
    pub fn ready(&self) -> bool {
        let url = format!("{}/readyz", self.server);
        self.http.send(&Request::new("GET", &url).timeout(TIMEOUT)).is_ok_and(|it| it.status == 200)
    }

    fn send(&self, method: &str, path: &str, kind: &str, body: Option<&Value>) -> Result<Option<Value>> {
        let url = format!("{}{path}", self.server);
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut request = Request::new(method, &url).timeout(TIMEOUT).header("accept", "application/json");
        if body.is_some() {
            request = request.header("content-type", kind).body(text.as_bytes());
        }
        let response = self.http.send(&request)?;
        if response.status == 404 {
            return Ok(None);
        }
        response.json(&format!("{method} {}", path.split('?').next().unwrap_or_default())).map(Some)
    }

    /// An object; `None` if it does not exist.
    ///
    /// # Errors
    /// If the server does not respond.
    pub fn read(&self, path: &str) -> Result<Option<Value>> {
        self.send("GET", path, "", None)
    }

    /// All items of a list.
    ///
    /// # Errors
    /// If the server does not respond.
    pub fn list(&self, path: &str) -> Result<Vec<Value>> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = format!("{path}{separator}limit=500&continue={}", escape_query(&next));
            let mut page = self
                .read(&page)?
                .ok_or_else(|| Error::failed(format!("GET {path}"), "there is no such list"))?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            page["metadata"]["continue"].as_str().unwrap_or_default().clone_into(&mut next);
            if next.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Creates an object; `false` if one of its name exists.
    ///
    /// # Errors
    /// If the server rejects it.
    pub fn create(&self, path: &str, object: &Value) -> Result<bool> {
        match self.send("POST", path, "application/json", Some(object)) {
            Ok(Some(_)) => Ok(true),
            Ok(None) => Err(Error::failed(format!("POST {path}"), "there is no such kind or namespace")),
            Err(e) if e.kind() == ErrorKind::Conflict => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Changes an object by a merge patch (RFC 7386); `false` if it does not exist.
    ///
    /// # Errors
    /// If the server rejects it.
    pub fn patch(&self, path: &str, change: &Value) -> Result<bool> {
        Ok(self.send("PATCH", path, "application/merge-patch+json", Some(change))?.is_some())
    }

    /// Replaces a whole object or subresource.
    ///
    /// # Errors
    /// If the server rejects it.
    pub fn replace(&self, path: &str, object: &Value) -> Result<bool> {
        Ok(self.send("PUT", path, "application/json", Some(object))?.is_some())
    }

    /// Deletes an object, which need not exist.
    ///
    /// # Errors
    /// If it may still exist.
    pub fn delete(&self, path: &str) -> Result<()> {
        self.send("DELETE", path, "", None).map(drop)
    }

    /// Applies an object server-side, overriding other field managers.
    ///
    /// # Errors
    /// If the server does not know its kind, or rejects it.
    pub fn apply(&self, object: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, kind, name) =
            (text(&object["apiVersion"]), text(&object["kind"]), text(&object["metadata"]["name"]));
        let doing = format!("applying {kind} {name}");
        let (plural, namespaced) = self
            .kind(&version, &kind)?
            .ok_or_else(|| Error::failed(&doing, format!("{version} has no such kind")))?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
        let namespace = if namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let path = format!("{}{namespace}/{plural}/{name}?fieldManager={MANAGER}&force=true", root(&version));
        let applied = self.send("PATCH", &path, "application/apply-patch+yaml", Some(object))?;
        applied.map(drop).ok_or_else(|| Error::failed(doing, "its namespace is missing"))
    }

    fn kind(&self, version: &str, kind: &str) -> Result<Option<(String, bool)>> {
        let key = format!("{version} {kind}");
        let mut known = self.kinds.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return Ok(Some(found.clone()));
        }
        let Some(list) = self.read(&root(version))? else { return Ok(None) };
        for resource in list["resources"].as_array().into_iter().flatten() {
            let (Some(name), Some(kind)) = (resource["name"].as_str(), resource["kind"].as_str()) else {
                continue;
            };
            if !name.contains('/') {
                let namespaced = resource["namespaced"].as_bool().unwrap_or(false);
                known.insert(format!("{version} {kind}"), (name.to_owned(), namespaced));
            }
        }
        Ok(known.get(&key).cloned())
    }
}

fn root(version: &str) -> String {
    if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") }
}

/// Whether a Node is Ready.
pub fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    conditions.filter(|it| it["type"] == "Ready").any(|it| it["status"] == "True")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::testing::{http, ok, serve};

    #[test]
    fn objects_are_applied_at_their_place() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let calls = seen.clone();
        let url = serve(move |it| {
            calls.lock().unwrap().push(format!("{} {} {}", it.method, it.path, it.header("content-type")));
            match it.path.as_str() {
                "/apis/apps/v1" => ok(json!({"resources": [
                    {"name": "deployments", "kind": "Deployment", "namespaced": true},
                    {"name": "deployments/scale", "kind": "Scale", "namespaced": true},
                ]})
                .to_string()),
                "/api/v1" => {
                    ok(json!({"resources": [{"name": "nodes", "kind": "Node", "namespaced": false}]})
                        .to_string())
                }
                _ => ok("{}"),
            }
        });
        let api = Api::new(http(), &url);
        let metadata = json!({"name": "x", "namespace": "kube-system"});
        for _ in 0..2 {
            api.apply(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata})).unwrap();
        }
        api.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})).unwrap();
        assert!(
            api.apply(&json!({"apiVersion": "v1", "kind": "Widget", "metadata": {"name": "n"}})).is_err()
        );
        let calls = seen.lock().unwrap().join("\n");
        assert_eq!(calls.matches("GET /apis/apps/v1 ").count(), 1, "discovered once");
        let place =
            "PATCH /apis/apps/v1/namespaces/kube-system/deployments/x?fieldManager=kops-node&force=true";
        assert!(calls.contains(&format!("{place} application/apply-patch+yaml")), "{calls}");
        assert!(calls.contains("PATCH /api/v1/nodes/n?"));
    }

    #[test]
    fn lists_are_read_to_their_end() {
        let url = serve(|it| {
            let next = if it.path.ends_with("continue=") { "more" } else { "" };
            ok(json!({"items": [{"page": it.path}], "metadata": {"continue": next}}).to_string())
        });
        assert_eq!(Api::new(http(), &url).list("/api/v1/nodes").unwrap().len(), 2);
    }
}

//! The services' plain HTTP interface, for what tests do beside the code under test.

use serde_json::{Value, json};

use crate::text;
use crate::up::Home;

/// An authenticated connection.
#[derive(Debug)]
pub struct Rest {
    token: String,
    agent: ureq::Agent,
    project: String,
    /// The version of a service's interface, if the first one is not enough: `compute 2.3`.
    version: Option<&'static str>,
}

impl Rest {
    pub(crate) fn admin(_: &Home) -> Self {
        Self::of("admin")
    }

    pub(crate) fn user(_: &Home, name: &str) -> Self {
        Self::of(name)
    }

    /// User, password and project are called alike.
    fn of(name: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent: ureq::Agent = config.into();
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": {
                "name": name, "password": name, "domain": { "name": "Default" } } } },
            "scope": { "project": { "name": name, "domain": { "name": "Default" } } },
        } });
        let url = format!("{}/v3/auth/tokens", Home::endpoint("keystone"));
        let mut answer = agent.post(&url).send_json(&body).unwrap_or_else(|error| panic!("{url}: {error}"));
        let token = answer.headers().get("x-subject-token").and_then(|token| token.to_str().ok());
        let token = token.map(str::to_owned);
        let body: Value = answer.body_mut().read_json().unwrap_or_default();
        let Some(token) = token else { panic!("no token for {name}: {body}") };
        let project = text(&body["token"]["project"]["id"]);
        Self { token, agent, project, version: None }
    }

    /// The same, by another version of a service's interface.
    pub(crate) fn version(self, version: &'static str) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Makes a call; anything but success is a failure of the test, unless it deletes what is gone.
    pub fn call(&self, service: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.attempt(service, method, path, body);
        let gone = method == "DELETE" && status == 404;
        assert!((200..300).contains(&status) || gone, "{method} {service}/{path}: {status} {answer}");
        answer
    }

    /// Makes a call, whatever comes of it.
    pub fn attempt(&self, service: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = path.replace("{project}", &self.project);
        let url = format!("{}/{path}", Home::endpoint(service));
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(&url)
            .header("x-auth-token", &self.token)
            .header("content-type", "application/json");
        let request = match self.version {
            Some(version) => request.header("openstack-api-version", version),
            None => request,
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.body(body).unwrap_or_else(|error| panic!("{url}: {error}"));
        let mut answer = self.agent.run(request).unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A header of the answer to `HEAD`; empty if it is not there.
    pub(crate) fn header(&self, service: &str, path: &str, name: &str) -> String {
        let url = format!("{}/{}", Home::endpoint(service), path.replace("{project}", &self.project));
        let answer = self.agent.head(&url).header("x-auth-token", &self.token).call();
        let answer = answer.unwrap_or_else(|error| panic!("HEAD {url}: {error}"));
        assert!(answer.status().is_success(), "HEAD {url}: {}", answer.status());
        answer.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// A listing's objects.
    pub fn list(&self, service: &str, path: &str, items: &str) -> Vec<Value> {
        match self.call(service, "GET", path, &Value::Null)[items].take() {
            Value::Array(objects) => objects,
            other => panic!("{service}/{path} has no {items}: {other}"),
        }
    }

    pub(crate) fn identity(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call("keystone", method, &format!("v3/{path}"), body)
    }

    /// The identifiers of roles.
    pub(crate) fn roles(&self, names: &[&str]) -> Vec<String> {
        let roles = self.list("keystone", "v3/roles", "roles");
        let wanted = roles.iter().filter(|role| names.iter().any(|name| role["name"] == *name));
        wanted.map(|role| text(&role["id"])).collect()
    }
}

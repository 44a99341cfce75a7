//! etcd's JSON gateway: the calls that the program needs, without gRPC.
//!
//! <https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/>; ids are decimal strings, a linearizable list of
//! members requires a quorum, and errors are HTTP 4xx and 5xx with a `message`.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{ClusterId, Member, MemberId, Quorum};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Http, Request};

/// The timeout of a call: more than an election (1 s) and etcd's own limit for requests (5 s + two
/// elections).
const TIMEOUT: Duration = Duration::from_secs(8);
/// The timeout of a snapshot: 8 GB at 20 MB/s.
const SNAPSHOT: Duration = Duration::from_mins(7);

/// Calls to members, each by the URL of its client port.
#[derive(Clone, Debug)]
pub struct Gateway {
    http: Http,
}

impl Gateway {
    /// Uses this client, which must trust etcd's authority and have a client certificate.
    pub fn new(http: Http) -> Self {
        Self { http }
    }

    fn call(&self, url: &str, path: &str, body: &Value) -> Result<Value> {
        let (url, body) = (format!("{url}{path}"), body.to_string());
        let request = Request::new("POST", &url).body(body.as_bytes()).timeout(TIMEOUT);
        let response = self.http.send(&request)?;
        if response.status >= 500 || response.status == 408 {
            return Err(Error::new(
                ErrorKind::Unreachable,
                format!("etcd's {path}"),
                message(&response.body),
            ));
        }
        if response.status >= 400 {
            return Err(Error::new(ErrorKind::Conflict, format!("etcd's {path}"), message(&response.body)));
        }
        response.json(&format!("etcd's {path}"))
    }

    /// The list of members: that of a quorum, or (`linearizable: false`) that of the queried member.
    ///
    /// # Errors
    /// If the member does not respond, or has no quorum.
    pub fn members(&self, url: &str, linearizable: bool) -> Result<Quorum> {
        let answer = self.call(url, "/v3/cluster/member/list", &json!({"linearizable": linearizable}))?;
        let wrong = || Error::invalid("reading etcd's members", "an entry has no id");
        let mut members = Vec::new();
        for entry in answer["members"].as_array().into_iter().flatten() {
            let texts = |name: &str| -> Vec<String> {
                let all = entry[name].as_array().into_iter().flatten();
                all.filter_map(|it| it.as_str().map(str::to_owned)).collect()
            };
            members.push(Member {
                id: MemberId(number(&entry["ID"]).ok_or_else(wrong)?),
                name: entry["name"].as_str().unwrap_or_default().to_owned(),
                peer_urls: texts("peerURLs"),
                started: !texts("clientURLs").is_empty(),
                learner: entry["isLearner"].as_bool().unwrap_or(false),
            });
        }
        let cluster = number(&answer["header"]["cluster_id"]);
        Ok(Quorum { cluster: ClusterId(cluster.ok_or_else(wrong)?), members })
    }

    /// Whether the member reports that it is healthy. A learner does so, too.
    pub fn healthy(&self, url: &str) -> bool {
        let url = format!("{url}/health");
        let answer = self.http.send(&Request::new("GET", &url).timeout(TIMEOUT));
        answer.and_then(|it| it.json("etcd's health")).is_ok_and(|it| it["health"] == "true")
    }

    /// Removes a member, through another one.
    ///
    /// # Errors
    /// `Conflict` if etcd refuses.
    pub fn remove(&self, url: &str, id: MemberId) -> Result<()> {
        self.call(url, "/v3/cluster/member/remove", &json!({"ID": id.0.to_string()})).map(drop)
    }

    /// Adds a learner, through another member.
    ///
    /// # Errors
    /// `Conflict` if etcd rejects it: a voter is not available, or there is a learner already.
    pub fn add_learner(&self, url: &str, peer_url: &str) -> Result<()> {
        let body = json!({"peerURLs": [peer_url], "isLearner": true});
        self.call(url, "/v3/cluster/member/add", &body).map(drop)
    }

    /// Promotes a learner to a voter, through another member.
    ///
    /// # Errors
    /// `Conflict` until the learner is in sync.
    pub fn promote(&self, url: &str, id: MemberId) -> Result<()> {
        self.call(url, "/v3/cluster/member/promote", &json!({"ID": id.0.to_string()})).map(drop)
    }

    /// Writes a snapshot of the whole keyspace, as `etcdctl snapshot save` does: the database, then its SHA-256.
    ///
    /// # Errors
    /// Also if the stream ends early.
    pub fn snapshot(&self, url: &str, into: &mut dyn Write) -> Result<u64> {
        let url = format!("{url}/v3/maintenance/snapshot");
        let doing = "taking a snapshot of etcd";
        let failed = |e: &dyn fmt::Display| Error::failed(doing, e.to_string());
        let (mut written, mut remaining) = (0, None);
        let request = Request::new("POST", &url).body(b"{}").timeout(SNAPSHOT);
        self.http.download(&request, &mut |body| {
            let mut lines = BufReader::new(body);
            let mut line = Vec::new();
            loop {
                line.clear();
                if lines.read_until(b'\n', &mut line).map_err(|e| failed(&e))? == 0 {
                    return Ok(());
                }
                let answer: Value = serde_json::from_slice(&line).map_err(|e| failed(&e))?;
                if !answer["error"].is_null() {
                    return Err(failed(&message(&line)));
                }
                let blob = answer["result"]["blob"].as_str().unwrap_or_default();
                let bytes = STANDARD.decode(blob).map_err(|e| failed(&e))?;
                into.write_all(&bytes).map_err(|e| failed(&e))?;
                written += bytes.len() as u64;
                remaining = Some(number(&answer["result"]["remaining_bytes"]).unwrap_or(0));
            }
        })?;
        match remaining {
            Some(0) => Ok(written),
            Some(rest) => Err(failed(&format!("{rest} bytes are missing"))),
            None => Err(failed(&"the response is empty")),
        }
    }
}

/// 64-bit numbers are strings in protobuf's JSON.
fn number(value: &Value) -> Option<u64> {
    value.as_str().and_then(|it| it.parse().ok()).or_else(|| value.as_u64())
}

fn message(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = value["message"].as_str().or_else(|| value["error"]["message"].as_str());
    said.map_or_else(|| String::from_utf8_lossy(body).chars().take(200).collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{http, ok, serve};

    #[test]
    fn members_as_etcd_shows_them() {
        let url = serve(|seen| {
            assert_eq!(seen.body, br#"{"linearizable":true}"#);
            ok(json!({
                "header": {"cluster_id": "14841639068965178418"},
                "members": [
                    {"ID": "10276657743932975437", "name": "a", "peerURLs": ["https://a:2380"], "clientURLs": ["https://a:2379"]},
                    {"ID": "1", "peerURLs": ["https://b:2380"], "isLearner": true},
                ],
            }).to_string())
        });
        let quorum = Gateway::new(http()).members(&url, true).unwrap();
        assert_eq!(quorum.cluster, ClusterId(14_841_639_068_965_178_418));
        assert!(quorum.members[0].started && !quorum.members[0].learner);
        assert!(!quorum.members[1].started && quorum.members[1].learner && quorum.members[1].name.is_empty());
    }

    #[test]
    fn a_refusal_is_told_from_no_answer() {
        let url = serve(|seen| match seen.path.as_str() {
            "/v3/cluster/member/add" => {
                (412, vec![], br#"{"message": "etcdserver: unhealthy cluster"}"#.to_vec())
            }
            _ => (503, vec![], br#"{"message": "etcdserver: request timed out"}"#.to_vec()),
        });
        let gateway = Gateway::new(http());
        let refused = gateway.add_learner(&url, "https://c:2380").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(refused.to_string().ends_with("etcdserver: unhealthy cluster"));
        assert_eq!(gateway.members(&url, true).unwrap_err().kind(), ErrorKind::Unreachable);
        assert!(!gateway.healthy(&url));
    }

    #[test]
    fn a_snapshot_is_written_as_it_comes_and_must_be_whole() {
        let part = |rest: &str, text: &str| {
            json!({"result": {"remaining_bytes": rest, "blob": STANDARD.encode(text)}}).to_string() + "\n"
        };
        let whole = part("3", "abc") + &part("0", "def");
        let cut = part("3", "abc");
        let url =
            serve(move |seen| ok(if seen.path.starts_with("/cut") { cut.clone() } else { whole.clone() }));
        let gateway = Gateway::new(http());
        let mut bytes = Vec::new();
        assert_eq!(gateway.snapshot(&url, &mut bytes).unwrap(), 6);
        assert_eq!(bytes, b"abcdef");
        let error = gateway.snapshot(&format!("{url}/cut"), &mut Vec::new()).unwrap_err().to_string();
        assert!(error.ends_with("3 bytes are missing"), "{error}");
    }
}

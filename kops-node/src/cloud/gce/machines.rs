//! Compute Engine: the cluster's machines. Disks are attached by the plan.

use std::sync::Arc;

use serde_json::Value;

use super::Metadata;
use crate::bundle::{Gce, Volume};
use crate::clock::Clock;
use crate::cloud::{Attached, Cloud, Identity, addresses, age, planned};
use crate::error::Result;
use crate::http::{Http, Request};
use crate::joining;
use crate::store::escape_query;

/// Compute Engine with this machine's identity.
#[derive(Clone, Debug)]
pub struct Compute {
    http: Http,
    metadata: Metadata,
    clock: Arc<dyn Clock>,
    project: String,
    endpoint: String,
}

impl Compute {
    /// Compute Engine, or a custom endpoint.
    pub fn new(http: Http, metadata: Metadata, clock: Arc<dyn Clock>, settings: &Gce) -> Self {
        let endpoint = settings.compute_endpoint.as_deref().unwrap_or("https://compute.googleapis.com");
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { http, metadata, clock, project: settings.project.clone(), endpoint }
    }
}

impl Cloud for Compute {
    fn identity(&self) -> Result<Identity> {
        self.metadata.identity()
    }

    fn volume(&self, candidates: &[String], volume: &Volume, _: &Identity) -> Result<Attached> {
        planned(candidates, volume)
    }

    /// A machine's cluster and group are items of its metadata, as in kOps.
    fn machines(&self, cluster: &str) -> Result<Vec<joining::Machine>> {
        let (mut machines, mut token) = (Vec::new(), String::new());
        let item = |it: &Value, key: &str| {
            let items = it["metadata"]["items"].as_array().into_iter().flatten();
            items
                .filter(|it| it["key"] == key)
                .find_map(|it| it["value"].as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        loop {
            let url = format!(
                "{}/compute/v1/projects/{}/aggregated/instances?maxResults=500&pageToken={}",
                self.endpoint,
                self.project,
                escape_query(&token)
            );
            let bearer = format!("Bearer {}", self.metadata.token()?);
            let request = Request::new("GET", &url).header("authorization", bearer);
            let page = self.http.send(&request)?.json("listing the project's machines")?;
            let zones = page["items"].as_object().into_iter().flatten();
            for it in zones.flat_map(|(_, zone)| zone["instances"].as_array().into_iter().flatten()) {
                let alive = matches!(it["status"].as_str(), Some("PROVISIONING" | "STAGING" | "RUNNING"));
                if !alive || item(it, "cluster-name") != cluster {
                    continue;
                }
                let nics = it["networkInterfaces"].as_array().into_iter().flatten();
                // A machine that its group has recreated keeps its name and creation time, so its last start
                // is used.
                let started = it["lastStartTimestamp"].as_str().or_else(|| it["creationTimestamp"].as_str());
                machines.push(joining::Machine {
                    node_name: it["name"].as_str().unwrap_or_default().to_owned(),
                    group: item(it, "kops-k8s-io-instance-group-name"),
                    addresses: addresses(nics.filter_map(|it| it["networkIP"].as_str())),
                    age: age(started.unwrap_or_default(), self.clock.now()),
                });
            }
            page["nextPageToken"].as_str().unwrap_or_default().clone_into(&mut token);
            if token.is_empty() {
                return Ok(machines);
            }
        }
    }
}

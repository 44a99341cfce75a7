//! Nova: the cluster's machines.

use std::sync::Arc;

use super::{Keystone, Metadata, Volumes};
use crate::bundle::Volume;
use crate::clock::Clock;
use crate::cloud::{Attached, Cloud, Identity, NoCloud, addresses, age, planned};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Http;
use crate::joining;
use crate::store::escape_query;

/// Nova with a control plane's credential; nodes have none.
#[derive(Clone, Debug)]
pub struct Nova {
    http: Http,
    metadata: Metadata,
    keystone: Option<Keystone>,
    volumes: Volumes,
    clock: Arc<dyn Clock>,
    /// The operators' list, if machines have no credential.
    listed: Option<NoCloud>,
}

impl Nova {
    /// Nova at the endpoint in the catalogue, for a machine with these volumes.
    pub fn new(
        http: Http,
        metadata: Metadata,
        keystone: Option<Keystone>,
        volumes: Volumes,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { http, metadata, keystone, volumes, clock, listed: None }
    }

    /// Machines are those that operators list in the state store.
    pub fn listed(mut self, listed: NoCloud) -> Self {
        self.listed = Some(listed);
        self
    }
}

impl Cloud for Nova {
    fn identity(&self) -> Result<Identity> {
        self.metadata.identity()
    }

    fn volume(&self, candidates: &[String], volume: &Volume, _: &Identity) -> Result<Attached> {
        if self.volumes.is_empty() {
            planned(candidates, volume)
        } else {
            self.volumes.attached(candidates, volume)
        }
    }

    fn machines(&self, cluster: &str) -> Result<Vec<joining::Machine>> {
        if let Some(listed) = &self.listed {
            return listed.machines(cluster);
        }
        let doing = "listing the cluster's machines";
        let keystone = self.keystone.as_ref();
        let keystone =
            keystone.ok_or_else(|| Error::new(ErrorKind::Denied, doing, "a node has no credential"))?;
        let endpoint = keystone.endpoint("compute")?;
        let (mut machines, mut marker) = (Vec::new(), String::new());
        loop {
            // Metadata is compared here: Nova filters by it for administrators only.
            let mut url = format!("{endpoint}/servers/detail?limit=500");
            if !marker.is_empty() {
                url = format!("{url}&marker={}", escape_query(&marker));
            }
            let page = self.http.send(&keystone.request("GET", &url)?)?.json(doing)?;
            let servers = page["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
            let Some(last) = servers.last() else { return Ok(machines) };
            last["id"].as_str().unwrap_or_default().clone_into(&mut marker);
            for it in servers {
                let alive =
                    matches!(it["status"].as_str(), Some("BUILD" | "ACTIVE" | "REBOOT" | "HARD_REBOOT"));
                if !alive || it["metadata"]["KubernetesCluster"] != cluster {
                    continue;
                }
                let networks = it["addresses"].as_object().into_iter().flatten();
                let all = networks.flat_map(|(_, list)| list.as_array().into_iter().flatten());
                let group = &it["metadata"]["kops.k8s.io_instancegroup"];
                machines.push(joining::Machine {
                    node_name: it["name"].as_str().unwrap_or_default().to_lowercase(),
                    group: group.as_str().unwrap_or_default().to_owned(),
                    addresses: addresses(all.filter_map(|it| it["addr"].as_str())),
                    age: age(it["created"].as_str().unwrap_or_default(), self.clock.now()),
                });
            }
        }
    }
}

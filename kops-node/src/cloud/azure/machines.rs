//! Scale sets: the cluster's machines. Disks are attached by the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Metadata;
use crate::bundle::{Azure, Volume};
use crate::clock::Clock;
use crate::cloud::{Attached, Cloud, Identity, addresses, age, planned};
use crate::error::Result;
use crate::http::{Http, Request};
use crate::joining;

/// The API versions: scale sets return the creation time of machines since 2021-11-01; their network
/// interfaces are only listed by an old version.
const COMPUTE: &str = "2023-03-01";
const INTERFACES: &str = "2018-10-01";

/// Scale sets of a resource group, with this machine's identity.
#[derive(Clone, Debug)]
pub struct ScaleSets {
    http: Http,
    metadata: Metadata,
    clock: Arc<dyn Clock>,
    endpoint: String,
    group: String,
}

impl ScaleSets {
    /// The resource manager, or a custom endpoint.
    pub fn new(http: Http, metadata: Metadata, clock: Arc<dyn Clock>, settings: &Azure) -> Self {
        let endpoint = settings.management_endpoint.as_deref().unwrap_or("https://management.azure.com");
        let group =
            format!("/subscriptions/{}/resourceGroups/{}", settings.subscription, settings.resource_group);
        Self { http, metadata, clock, endpoint: endpoint.trim_end_matches('/').to_owned(), group }
    }

    /// All items of a list: each page has the URL of the next.
    fn list(&self, path: &str, version: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut url = format!("{}{path}?api-version={version}", self.endpoint);
        loop {
            let bearer = format!("Bearer {}", self.metadata.management_token()?);
            let request = Request::new("GET", &url).header("authorization", bearer);
            let mut page = self.http.send(&request)?.json("listing the cluster's machines")?;
            if let Value::Array(items) = page["value"].take() {
                all.extend(items);
            }
            match page["nextLink"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut url),
                _ => return Ok(all),
            }
        }
    }
}

impl Cloud for ScaleSets {
    fn identity(&self) -> Result<Identity> {
        self.metadata.identity()
    }

    fn volume(&self, candidates: &[String], volume: &Volume, _: &Identity) -> Result<Attached> {
        planned(candidates, volume)
    }

    fn machines(&self, cluster: &str) -> Result<Vec<joining::Machine>> {
        let sets = format!("{}/providers/Microsoft.Compute/virtualMachineScaleSets", self.group);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
        let mut machines = Vec::new();
        for set in self.list(&sets, COMPUTE)? {
            if set["tags"]["KubernetesCluster"] != cluster {
                continue;
            }
            let set_path = format!("{sets}/{}", set["name"].as_str().unwrap_or_default());
            let mut by_machine: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for nic in self.list(&format!("{set_path}/networkInterfaces"), INTERFACES)? {
                let configurations = nic["properties"]["ipConfigurations"].as_array().into_iter().flatten();
                let found = configurations.filter_map(|it| it["properties"]["privateIPAddress"].as_str());
                let machine = text(&nic["properties"]["virtualMachine"]["id"]);
                by_machine.entry(machine).or_default().extend(found.map(str::to_owned));
            }
            for it in self.list(&format!("{set_path}/virtualMachines"), COMPUTE)? {
                let properties = &it["properties"];
                if properties["provisioningState"] == "Deleting" {
                    continue;
                }
                let own = by_machine.get(&text(&it["id"])).map(Vec::as_slice).unwrap_or_default();
                machines.push(joining::Machine {
                    node_name: text(&properties["osProfile"]["computerName"]),
                    group: set["tags"]["kops.k8s.io_instancegroup"].as_str().unwrap_or_default().to_owned(),
                    addresses: addresses(own.iter().map(String::as_str)),
                    age: age(properties["timeCreated"].as_str().unwrap_or_default(), self.clock.now()),
                });
            }
        }
        Ok(machines)
    }
}

//! What the cluster's machines tell of themselves.

use kops_node::status::Status;

use super::{ClusterStore, MACHINES};
use kops_core::cloud::Machine;
use kops_core::store::{StateStoreExt as _, StoreKey};
use kops_core::{Error, Result};

impl ClusterStore {
    /// What machines tell of themselves, given with the names of their instance groups in the specification; in the
    /// same order. One that never told anything has none. One list call, and one read for each machine.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn machine_statuses(&self, machines: &[(&str, &Machine)]) -> Result<Vec<Option<Status>>> {
        if machines.is_empty() {
            return Ok(Vec::new());
        }
        let directory = self.at.cluster.join(MACHINES)?;
        let listed = self.store.list(&directory, None).await?;
        // A machine knows itself by an id that is a part of the cloud's, or by its name only: then all documents of its
        // group have to be read.
        let known: Vec<(&str, &str, StoreKey)> = listed
            .iter()
            .filter_map(|entry| {
                let mut parts = directory.relative(&entry.key)?.split('/');
                match (parts.next(), parts.next(), parts.next(), parts.next()) {
                    (Some(group), Some(id), Some("status"), None) => Some((group, id, entry.key.clone())),
                    _ => None,
                }
            })
            .collect();
        let by_id = |group: &str, machine: &Machine| {
            let found =
                known.iter().find(|(of, id, _)| *of == group && machine.id.split('/').any(|it| it == *id));
            found.map(|(_, _, key)| key.clone())
        };
        let direct: Vec<Option<StoreKey>> = machines.iter().map(|(group, it)| by_id(group, it)).collect();
        let unknown =
            |group: &str| machines.iter().zip(&direct).any(|((of, _), key)| key.is_none() && *of == group);
        let mut wanted: Vec<StoreKey> = direct.iter().flatten().cloned().collect();
        wanted.extend(known.iter().filter(|(group, _, _)| unknown(group)).map(|(_, _, key)| key.clone()));
        wanted.sort_unstable();
        wanted.dedup();
        let mut read = Vec::new();
        for (key, object) in self.store.get_all(wanted).await? {
            let status: Status = serde_json::from_slice(&object.bytes).map_err(|error| {
                Error::invalid(format!("{}/{key} cannot be read: {error}", self.store.location()))
                    .with_hint("use the version of kops that the machines were created with, or a later one")
            })?;
            let group =
                directory.relative(&key).and_then(|it| it.split('/').next()).unwrap_or_default().to_owned();
            read.push((key, group, status));
        }
        let status = |((group, machine), key): (&(&str, &Machine), Option<StoreKey>)| {
            let found = read.iter().find(|(of, at, status)| match &key {
                Some(key) => of == key,
                None => at == group && machine.private_dns.as_deref() == Some(status.node.as_str()),
            });
            found.map(|(_, _, status)| status.clone())
        };
        Ok(machines.iter().zip(direct).map(status).collect())
    }
}

//! The status that the cluster's machines report.

use jiff::Timestamp;
use kops_node::status::{Event, State, Status};

use super::{ClusterStore, MACHINES};
use kops_core::Result;
use kops_core::cloud::Machine;
use kops_core::store::{StateStoreExt as _, StoreKey};

impl ClusterStore {
    /// The status that machines report, in the order of `machines`, which are passed with the names of their
    /// instance groups in the specification; `None` for a machine that has not reported any. Takes one list
    /// call, and one read for each machine, or two for one that control planes do not let join.
    ///
    /// Their reason is among that machine's events, in the order of time. A status that cannot be parsed is
    /// replaced by one that says so: every machine can write statuses, and one must not hide the others.
    /// Control characters are replaced by spaces.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn machine_statuses(&self, machines: &[(&str, &Machine)]) -> Result<Vec<Option<Status>>> {
        if machines.is_empty() {
            return Ok(Vec::new());
        }
        let directory = self.at.cluster.join(MACHINES)?;
        let listed = self.store.list(&directory, None).await?;
        // A machine only knows a part of the cloud's id, or only its name: then all documents of its group
        // have to be read.
        let mut known: Vec<(&str, &str, StoreKey)> = Vec::new();
        let mut held: Vec<(&str, &str, StoreKey)> = Vec::new();
        for entry in &listed {
            let Some(relative) = directory.relative(&entry.key) else { continue };
            match relative.split('/').collect::<Vec<_>>()[..] {
                [group, id, "status"] => known.push((group, id, entry.key.clone())),
                [group, id, "held"] => held.push((group, id, entry.key.clone())),
                _ => {}
            }
        }
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
            let mut parts = directory.relative(&key).unwrap_or_default().split('/').map(str::to_owned);
            let (group, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let status: Status = serde_json::from_slice(&object.bytes).unwrap_or_else(|error| {
                unreadable(&id, format!("{}/{key} cannot be read: {error}", self.store.location()))
            });
            read.push((key, group, harmless(status)));
        }
        let status = |((group, machine), key): (&(&str, &Machine), Option<StoreKey>)| {
            let found = read.iter().find(|(of, at, status)| match &key {
                Some(key) => of == key,
                None => at == group && machine.private_dns.as_deref() == Some(status.node.as_str()),
            });
            found.map(|(_, _, status)| status.clone())
        };
        let mut statuses: Vec<Option<Status>> = machines.iter().zip(direct).map(status).collect();
        let reason = |group: &str, status: &Status| {
            let mine = |(of, node, _): &&(&str, &str, StoreKey)| *of == group && *node == status.node;
            let found = held.iter().find(mine).filter(|_| status.state != State::Joined);
            found.map(|(_, _, key)| key.clone())
        };
        let asked = machines.iter().zip(&statuses);
        let asked: Vec<StoreKey> = asked.filter_map(|((group, _), it)| reason(group, it.as_ref()?)).collect();
        let reasons = self.store.get_all(asked).await?;
        for ((group, _), status) in machines.iter().zip(&mut statuses) {
            let Some(status) = status else { continue };
            let Some(key) = reason(group, status) else { continue };
            let object = reasons.iter().find(|(of, _)| *of == key).map(|(_, it)| it);
            let event = object.and_then(|it| serde_json::from_slice::<Event>(&it.bytes).ok());
            // Not of an earlier machine with this name.
            let begun = status.events.first().map_or(status.since, |it| it.at);
            let Some(event) = event.filter(|it| it.at >= begun) else { continue };
            // Nobody deletes the reason after an approval: what the machine has reported since comes last.
            let at = status.events.iter().rposition(|it| it.at <= event.at).map_or(0, |it| it + 1);
            status.events.insert(at, event);
            *status = harmless(status.clone());
        }
        Ok(statuses)
    }
}

/// The replacement for a status that cannot be parsed.
fn unreadable(node: &str, why: String) -> Status {
    Status {
        node: node.to_owned(),
        state: State::Booting,
        since: Timestamp::UNIX_EPOCH,
        kubernetes_version: String::new(),
        bundle: String::new(),
        attempts: 0,
        events: vec![Event { at: Timestamp::UNIX_EPOCH, what: why }],
    }
}

/// The status without control characters, since it is printed on terminals.
fn harmless(mut status: Status) -> Status {
    let Status { node, kubernetes_version, bundle, events, .. } = &mut status;
    let texts = events.iter_mut().map(|it| &mut it.what).chain([node, kubernetes_version, bundle]);
    for text in texts {
        if text.contains(char::is_control) {
            *text = text.replace(char::is_control, " ");
        }
    }
    status
}

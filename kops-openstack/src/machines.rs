//! The machines of instance groups.
//!
//! A group's machines are tasks: the plan decides whether a machine is what its group would create today, and
//! applying the plan replaces it. Here a machine is outdated if it has failed or was detached from its group.

use async_trait::async_trait;
use futures_util::future::try_join3;
use kops_core::cloud::{Context, Filter, Machine, MachineState, Machines, Query, Scope, State};
use kops_core::{Error, Result};
use serde_json::Value;

use crate::Openstack;
use crate::kinds::server::{self, FoundServer};
use crate::kinds::{floating_ip, pool_members, port};
use crate::tags::{self, Metadata};

#[async_trait]
impl Machines for Openstack {
    async fn members(&self, scope: &Scope, cx: &Context) -> Result<Vec<Machine>> {
        let query = everything(scope, cx);
        let clients = self.clients();
        let (servers, ports, addresses) = try_join3(
            server::of_project(clients, &query),
            port::of_project(clients, &query),
            floating_ip::of_project(clients, &query),
        )
        .await?;
        let machine = |it: &FoundServer| {
            server::mark(clients, scope, it)?;
            let group = it.metadata.get(server::GROUP)?;
            let port = ports.iter().find(|port| port.device() == it.id);
            let public = port.and_then(|port| {
                addresses.iter().find(|address| address.port_id.as_deref() == Some(&port.common.id))
            });
            Some(
                Machine::new(
                    it.id.clone(),
                    group.clone(),
                    it.zone.clone().unwrap_or_default(),
                    it.flavor.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    machine_state(it)?,
                )
                .private_ip(port.and_then(|port| port.fixed_ips.first()).map(|ip| ip.ip_address.clone()))
                .public_ip(public.map(|address| address.floating_ip_address.clone()))
                .private_dns(it.name.clone())
                .outdated(outdated(it)),
            )
        };
        Ok(servers.iter().filter_map(machine).collect())
    }

    /// The machine gives up its slot, together with its port: the next plan creates another one there, and
    /// deletes this one unless that has been done.
    async fn detach(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let query = everything(scope, cx);
        let clients = self.clients();
        let found = self.member(&query, machine).await?;
        let Some(mark) = server::mark(clients, scope, &found) else { return Err(unknown(machine)) };
        let left = mark.for_task(format!("detached-{machine}"));
        if left.task == found.metadata.get(tags::SERVER_TASK).cloned().unwrap_or_default() {
            return Ok(());
        }
        // The port first: if only that succeeds, the server still has its slot, and this is repeated.
        let ports = port::of_project(clients, &query).await?;
        if let Some(port) = ports.iter().find(|port| port.device() == machine) {
            port::rename(clients, cx, &port.common.id, &left).await?;
        }
        let metadata = Metadata::from([
            (tags::SERVER_TASK.to_owned(), left.task),
            (tags::DETACHED.to_owned(), "true".to_owned()),
        ]);
        server::set_metadata(clients, cx, machine, &metadata).await
    }

    async fn deregister(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let query = everything(scope, cx);
        let clients = self.clients();
        self.member(&query, machine).await?;
        let ports = port::of_project(clients, &query).await?;
        let address =
            ports.iter().find(|port| port.device() == machine).and_then(|port| port.fixed_ips.first());
        match address {
            Some(address) => pool_members::remove_address(clients, &query, &address.ip_address).await,
            // Without an address it is not behind a load balancer.
            None => Ok(()),
        }
    }

    async fn terminate(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let query = everything(scope, cx);
        match self.member(&query, machine).await {
            Ok(_) => server::end(self.clients(), cx, machine).await,
            Err(error) => Err(error),
        }
    }
}

impl Openstack {
    async fn member(&self, query: &Query<'_>, machine: &str) -> Result<FoundServer> {
        let servers = server::of_project(self.clients(), query).await?;
        let is_it = |it: &&FoundServer| {
            it.id == machine
                && it.metadata.contains_key(server::GROUP)
                && server::mark(self.clients(), query.scope, it).is_some()
        };
        servers.iter().find(is_it).cloned().ok_or_else(|| unknown(machine))
    }
}

fn unknown(machine: &str) -> Error {
    Error::not_found(format!("{machine} is not a machine of an instance group of the scope"))
}

fn everything<'a>(scope: &'a Scope, cx: &'a Context) -> Query<'a> {
    Query::new(scope, Filter::scope(&[], &[]), cx)
}

fn machine_state(found: &FoundServer) -> Option<MachineState> {
    Some(match server::state(found) {
        State::Gone => return None,
        State::Deleting => MachineState::Terminating,
        _ if found.metadata.contains_key(tags::DETACHED) => MachineState::Detached,
        State::Pending => MachineState::Pending,
        _ => MachineState::Running,
    })
}

fn outdated(found: &FoundServer) -> Vec<String> {
    let mut reasons = Vec::new();
    if let State::Failed(why) = server::state(found) {
        reasons.push(format!("it failed: {why}"));
    }
    if ["SHUTOFF", "PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"].contains(&found.status.as_str()) {
        reasons.push(format!("it is {}", found.status));
    }
    if found.metadata.contains_key(tags::DETACHED) {
        reasons.push("it was detached from its group".to_owned());
    }
    reasons
}

//! The machines of a scope's scale sets.
//!
//! Azure lists the machines of one scale set at a time: the members of all groups take one call for the
//! groups, one for each of them, and one more for its network interfaces. There is no listing of the machines
//! of all uniform scale sets.
//!
//! A machine is outdated if its set has changed since it was created or updated (`latestModelApplied`).
//!
//! # Limitations
//! A machine cannot be detached from a uniform scale set and keep running, as rolling updates with surge
//! require: `detach` returns an error, and [`Capabilities::surge`](kops_core::cloud::Capabilities) is off.

use std::collections::HashMap;

use async_trait::async_trait;
use azure_core::Method;
use azure_mgmt_compute::models::{VirtualMachineScaleSetVm, VirtualMachineScaleSetVmInstanceRequiredIDs};
use azure_mgmt_network::models::NetworkInterface;
use futures_util::future::{try_join, try_join_all};
use kops_core::cloud::{Context, Machine, MachineState, Machines, Scope};
use kops_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::clients::{pages, sent};
use crate::cloud::Azure;
use crate::kinds::arm::{self, ArmKind as _, Model as _};
use crate::kinds::scale_set::ScaleSets;
use crate::kinds::scale_set_document::{API_VERSION, ScaleSetDocument};
use crate::{ids, tags};

const READ: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read";
const WRITE: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write";
const INTERFACES: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/read";
const DELETE: &str = "Microsoft.Compute/virtualMachineScaleSets/delete/action";

/// A machine and its set.
struct Member {
    set: ScaleSetDocument,
    set_name: String,
    instance: String,
    document: Value,
}

#[async_trait]
impl Machines for Azure {
    async fn members(&self, scope: &Scope, cx: &Context) -> Result<Vec<Machine>> {
        let sets = self.sets(scope, cx).await?;
        let all = try_join_all(sets.iter().map(|(task, set)| self.of_set(scope, task, set, cx))).await?;
        let mut machines: Vec<_> = all.into_iter().flatten().collect();
        machines.sort_by(|a, b| (&a.group, &a.id).cmp(&(&b.group, &b.id)));
        Ok(machines)
    }

    async fn detach(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        self.find(scope, machine, cx).await?;
        Err(Error::new(
            ErrorKind::Unsupported,
            "on Azure a machine cannot be detached from a uniform scale set and keep running",
        )
        .with_hint("update without surge, or increase the group's size during the rolling update"))
    }

    async fn deregister(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let mut found = self.find(scope, machine, cx).await?;
        let mut changed = false;
        let interfaces = found
            .document
            .pointer_mut("/properties/networkProfileConfiguration/networkInterfaceConfigurations")
            .and_then(Value::as_array_mut);
        for interface in interfaces.into_iter().flatten() {
            let addresses =
                interface.pointer_mut("/properties/ipConfigurations").and_then(Value::as_array_mut);
            for address in addresses.into_iter().flatten() {
                let pools = &mut address["properties"]["loadBalancerBackendAddressPools"];
                if pools.as_array().is_some_and(|pools| !pools.is_empty()) {
                    *pools = json!([]);
                    changed = true;
                }
            }
        }
        if !changed {
            return Ok(());
        }
        if let Some(members) = found.document.as_object_mut() {
            members.remove("etag");
            members.remove("resources");
        }
        let request = self.clients().raw(Method::Put, machine, API_VERSION, &[], Some(&found.document))?;
        self.clients().call(cx, WRITE, request).await.map(drop)
    }

    /// Azure shrinks a set when one of its machines is deleted; so the set's size is restored afterwards. A
    /// crash in between leaves a smaller set, which the next plan shows if it is below its minimum.
    async fn terminate(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let found = match self.find(scope, machine, cx).await {
            Ok(found) => found,
            Err(error) => return Err(error),
        };
        let state = found.document.pointer("/properties/provisioningState").and_then(Value::as_str);
        if state == Some("Deleting") {
            return Ok(());
        }
        let group = self.clients().group(scope);
        let wanted = found.set.0.pointer("/sku/capacity").cloned().unwrap_or_default();
        let which = VirtualMachineScaleSetVmInstanceRequiredIDs::new(vec![found.instance.clone()]);
        let sets = self.clients().compute.virtual_machine_scale_sets_client();
        let delete = sets.delete_instances(&group, &found.set_name, which, self.subscription());
        match self.clients().call(cx, DELETE, sent(delete.send())).await {
            // It has been deleted in the meantime.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            ended => drop(ended?),
        }
        let body = json!({ "sku": { "name": found.set.0["sku"]["name"], "capacity": wanted } });
        let set = ids::of(self.subscription(), &group, ScaleSets::TYPE, &found.set_name);
        // The deletion is an operation on the set, and may have to end first.
        for wait in RESIZE_WAITS {
            let patch = self.clients().raw(Method::Patch, &set, API_VERSION, &[], Some(&body))?;
            match self.clients().call(cx, ScaleSets::CALLS.write, patch).await {
                Ok(_) => return Ok(()),
                Err(error) if error.kind().is_transient() || error.kind() == ErrorKind::Conflict => {
                    self.clients().clock.sleep(error.retry_after().unwrap_or(*wait)).await;
                }
                Err(error) => return Err(error),
            }
        }
        let patch = self.clients().raw(Method::Patch, &set, API_VERSION, &[], Some(&body))?;
        self.clients().call(cx, ScaleSets::CALLS.write, patch).await.map(drop)
    }
}

/// How long to wait for a deletion before the set's size is restored: some three minutes in all, twice what
/// deletions usually take.
const RESIZE_WAITS: &[std::time::Duration] = &[
    std::time::Duration::from_secs(5),
    std::time::Duration::from_secs(10),
    std::time::Duration::from_secs(20),
    std::time::Duration::from_secs(40),
    std::time::Duration::from_mins(1),
    std::time::Duration::from_mins(1),
];

impl Azure {
    /// The scope's scale sets, with the names of their tasks.
    async fn sets(&self, scope: &Scope, cx: &Context) -> Result<Vec<(String, ScaleSetDocument)>> {
        let all = arm::all::<ScaleSets>(self.clients(), cx, &self.clients().group(scope)).await?;
        // The tags contain the region.
        let here = scope.at(self.location());
        let ours = all.iter().filter_map(|set| {
            let head = set.head();
            let task = tags::task(&here, &head.name, &head.tags)?;
            Some((scope.task(task).to_owned(), set.clone()))
        });
        Ok(ours.collect())
    }

    async fn of_set(
        &self,
        scope: &Scope,
        task: &str,
        set: &ScaleSetDocument,
        cx: &Context,
    ) -> Result<Vec<Machine>> {
        let (group, name) = (self.clients().group(scope), set.head().name);
        let machines = self.clients().compute.virtual_machine_scale_set_v_ms_client();
        let machines = machines.list(&group, &name, self.subscription());
        let machines = self.clients().list(cx, READ, pages(machines.into_stream(), |page| page.value));
        let interfaces = self.clients().network.network_interfaces_client();
        let interfaces =
            interfaces.list_virtual_machine_scale_set_network_interfaces(&group, &name, self.subscription());
        let interfaces =
            self.clients().list(cx, INTERFACES, pages(interfaces.into_stream(), |page| page.value));
        let (machines, interfaces) = try_join(machines, interfaces).await?;
        let addresses: HashMap<String, String> = interfaces.iter().filter_map(address).collect();
        Ok(machines.iter().map(|machine| shown(task, &group, machine, &addresses)).collect())
    }

    /// A machine of one of the scope's sets.
    async fn find(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<Member> {
        let unknown = || Error::not_found(format!("{machine} is not a machine of {}", scope.name()));
        let set = ids::after(machine, "virtualMachineScaleSets").ok_or_else(unknown)?;
        let instance = ids::after(machine, "virtualMachines").ok_or_else(unknown)?.to_owned();
        let sets = self.sets(scope, cx).await?;
        let (_, set) =
            sets.into_iter().find(|(_, it)| it.head().name.eq_ignore_ascii_case(set)).ok_or_else(unknown)?;
        let set_name = set.head().name;
        let own = ids::of(self.subscription(), &self.clients().group(scope), ScaleSets::TYPE, &set_name);
        if !ids::same(ids::parent(machine), &own) {
            return Err(unknown());
        }
        let get = self.clients().raw(Method::Get, machine, API_VERSION, &[], None)?;
        let document = self.clients().fetch(cx, READ, get).await?;
        Ok(Member { set, set_name, instance, document })
    }
}

/// The machine of an interface, and its address.
fn address(interface: &NetworkInterface) -> Option<(String, String)> {
    let properties = interface.properties.as_ref()?;
    let machine = properties.virtual_machine.as_ref()?.id.as_deref()?;
    let address = properties
        .ip_configurations
        .iter()
        .find_map(|it| it.properties.as_ref()?.private_ip_address.clone())?;
    Some((machine.to_ascii_lowercase(), address))
}

fn shown(
    task: &str,
    group: &str,
    machine: &VirtualMachineScaleSetVm,
    addresses: &HashMap<String, String>,
) -> Machine {
    let id = ids::canonical(machine.resource.id.as_deref().unwrap_or_default(), group);
    let properties = machine.properties.as_ref();
    let state = properties.and_then(|it| it.provisioning_state.as_deref());
    let zone = machine.zones.first().map(|zone| format!("{}-{zone}", machine.resource.location));
    let host = properties.and_then(|it| it.os_profile.as_ref()).and_then(|it| it.computer_name.clone());
    let latest = properties.and_then(|it| it.latest_model_applied).unwrap_or(true);
    let address = addresses.get(&id.to_ascii_lowercase()).cloned();
    Machine::new(
        id,
        task.to_owned(),
        zone.unwrap_or_else(|| machine.resource.location.clone()),
        machine.sku.as_ref().and_then(|sku| sku.name.clone()).unwrap_or_default(),
        match state {
            Some("Creating" | "Updating") => MachineState::Pending,
            Some("Deleting") => MachineState::Terminating,
            _ => MachineState::Running,
        },
    )
    .private_ip(address)
    .private_dns(host)
    .outdated(if latest {
        Vec::new()
    } else {
        vec!["its scale set has changed since it was created (latestModelApplied is false)".to_owned()]
    })
}

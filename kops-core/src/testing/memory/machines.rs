//! The machines of instance groups.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MemoryCloud;
use super::kinds::{is_public, private_ip, public_ip};
use super::settings::Settings;
use super::world::{MARK, World, document};
use crate::cloud::{Context, Machine, MachineState, Machines, Scope};
use crate::graph::{Closed, Document, Id};
use crate::resource::{InstanceGroup, Resource as _, Subnet};
use crate::testing::Op;
use crate::{Error, Result};

/// A machine created by an instance group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Member {
    group: String,
    subnet: String,
    zone: String,
    number: u64,
    /// The group's specification at the time of creation.
    template: Document,
    ready_at: Duration,
    detached: bool,
    /// Deregistered from the load balancers.
    deregistered: bool,
    pub(super) gone_at: Option<Duration>,
}

/// The fields of a group's specification that do not affect a machine.
const OF_THE_GROUP: [&str; 6] = ["subnets", "zones", "min", "max", "load_balancers", "extensions"];

impl World {
    /// Creates and deletes the machines of an instance group; deletes all if it is gone.
    pub(super) fn reconcile(&mut self, id: &str, now: Duration, settings: &Settings) -> Result<()> {
        let vanish = settings.latencies.vanish(InstanceGroup::KIND);
        let group = self.get::<InstanceGroup>(id);
        // Detached machines are ignored until their group is deleted.
        let counts = |it: &Member| !it.detached || group.is_none();
        let running = |it: &&mut Member| it.group == id && it.gone_at.is_none() && counts(it);
        let count = self.members.values_mut().filter(running).count();
        let (least, most) = group.as_ref().map_or((0, 0), |group| (group.min as usize, group.max as usize));
        // The newest are deleted first.
        for member in self.members.values_mut().rev().filter(running).take(count.saturating_sub(most)) {
            member.gone_at = Some(now + vanish);
        }
        if let Some(group) = &group {
            for _ in count..least {
                self.launch(id, group, now + settings.latencies.settle(InstanceGroup::KIND))?;
            }
        }
        self.ends(now + vanish);
        self.settle(now);
        Ok(())
    }

    fn launch(&mut self, group: &str, spec: &InstanceGroup<Closed>, ready_at: Duration) -> Result<()> {
        let of_group = |member: &&Member| member.group == group && member.gone_at.is_none();
        let in_subnet =
            |id: &str| self.members.values().filter(of_group).filter(|member| member.subnet == id).count();
        // The subnet with the fewest machines, the first among equals.
        let Some(subnet) = spec.subnets.iter().min_by_key(|id| in_subnet(id.as_str())) else { return Ok(()) };
        let subnet = subnet.as_str().to_owned();
        let number = self.number();
        let zone_of_subnet = self.get::<Subnet>(&subnet).and_then(|subnet| subnet.zone);
        // If subnets span the zones, the group lists its zones, which are used in turn.
        let turn = usize::try_from(number).unwrap_or_default() % spec.zones.len().max(1);
        let zone = zone_of_subnet.or_else(|| spec.zones.iter().nth(turn).cloned()).unwrap_or_default();
        let member = Member {
            group: group.to_owned(),
            subnet,
            zone,
            number,
            template: document(spec)?,
            ready_at,
            detached: false,
            deregistered: false,
            gone_at: None,
        };
        self.members.insert(format!("machine-{number:08x}"), member);
        Ok(())
    }

    fn machine(&self, id: &str, member: &Member, scope: &Scope, now: Duration) -> Option<Machine> {
        let group = self.record(InstanceGroup::KIND, &member.group).filter(|group| group.is_of(scope))?;
        let subnet_id = Id::<Subnet>::new(&member.subnet);
        let private_ip = private_ip(self, &subnet_id, member.number);
        let text = |name: &str| member.template.get(name)?.as_str().map(str::to_owned);
        Some(Machine {
            id: id.to_owned(),
            group: group.labels.get(MARK.task).map(|task| scope.task(task).to_owned()).unwrap_or_default(),
            zone: member.zone.clone(),
            machine_type: text("machine_type").unwrap_or_default(),
            state: match member {
                Member { gone_at: Some(_), .. } => MachineState::Terminating,
                Member { detached: true, .. } => MachineState::Detached,
                _ if now < member.ready_at => MachineState::Pending,
                _ => MachineState::Running,
            },
            private_dns: private_ip
                .as_ref()
                .map(|ip| format!("ip-{}.memory.internal", ip.replace(['.', ':'], "-"))),
            private_ip,
            public_ip: is_public(self, &subnet_id).then(|| public_ip(member.number)),
            outdated: outdated(member.template.as_value(), group.spec.as_value()),
        })
    }

    fn member_mut(&mut self, id: &str, scope: &Scope) -> Result<&mut Member> {
        let known = self.members.get(id).is_some_and(|member| {
            self.record(InstanceGroup::KIND, &member.group).is_some_and(|group| group.is_of(scope))
        });
        self.members.get_mut(id).filter(|_| known).ok_or_else(|| {
            Error::not_found(format!("there is no machine {id} in the groups of {}", scope.name()))
        })
    }
}

/// Why a machine created from `template` differs from what `group` would create now.
fn outdated(template: &Value, group: &Value) -> Vec<String> {
    let members = group.as_object().into_iter().flatten();
    members
        .filter(|(name, now)| !OF_THE_GROUP.contains(&name.as_str()) && template.get(name) != Some(*now))
        .map(|(name, now)| match (template.get(name), now) {
            // Only plain texts are shown: user data is secret, and the rest is long.
            (Some(Value::String(before)), Value::String(now)) => format!("{name}: {before}, now {now}"),
            _ => format!("{name} has changed"),
        })
        .collect()
}

#[async_trait]
impl Machines for MemoryCloud {
    async fn members(&self, scope: &Scope, cx: &Context) -> Result<Vec<Machine>> {
        let scope = &scope.at(&self.region);
        let members = self.inner.call("Machine", Op::List, cx, |world, at| {
            let of_scope = world.members.iter().filter_map(|(id, it)| world.machine(id, it, scope, at.now));
            Ok(of_scope.collect())
        });
        members.await
    }

    async fn detach(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let scope = &scope.at(&self.region);
        let detach = self.inner.call("Machine", Op::Update, cx, |world, at| {
            let member = world.member_mut(machine, scope)?;
            member.detached = true;
            let group = member.group.clone();
            world.reconcile(&group, at.now, &self.inner.settings)
        });
        detach.await
    }

    async fn deregister(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let scope = &scope.at(&self.region);
        let deregister = self.inner.call("Machine", Op::Update, cx, |world, _| {
            world.member_mut(machine, scope)?.deregistered = true;
            Ok(())
        });
        deregister.await
    }

    async fn terminate(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let scope = &scope.at(&self.region);
        let terminate = self.inner.call("Machine", Op::Delete, cx, |world, at| {
            let gone_at = at.now + self.inner.settings.latencies.vanish(InstanceGroup::KIND);
            let member = world.member_mut(machine, scope)?;
            member.gone_at.get_or_insert(gone_at);
            let group = member.group.clone();
            world.reconcile(&group, at.now, &self.inner.settings)
        });
        terminate.await
    }
}

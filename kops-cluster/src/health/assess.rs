//! The rules.

use kops_node::status::{State, Status};

use super::observed::{ClusterView, ObservedApi, ObservedMachine};
use super::{Failure, Health, NodeHealth};
use crate::kube::{Node, Pod};
use crate::spec::{ClusterFiles, InstanceGroup, Role};
use kops_core::cloud::{Machine, MachineState};

/// What every control plane runs, by the name of the component.
const COMPONENTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// Decides whether a cluster is healthy.
pub fn assess(files: &ClusterFiles, observed: &ClusterView) -> Health {
    let mut health = Health::default();
    match &observed.api {
        Ok(api) => health.failures.extend(api.failing_checks.iter().map(|check| {
            failure("APIServer", check, format!("the API server's check {check:?} fails"), None)
        })),
        Err(error) => {
            let message = error.to_string();
            health.failures.push(failure("APIServer", files.cluster.name(), message, None));
        }
    }
    let mut groups: Vec<&InstanceGroup> =
        files.instance_groups.iter().filter(|it| it.role() != Role::Bastion).collect();
    groups.sort_by_key(|it| (it.role() != Role::ControlPlane, it.name().to_owned()));
    for group in groups {
        let members: Vec<&ObservedMachine> = members(group, observed).collect();
        count(group, &members, &mut health);
        for member in members {
            look_at(member, group, observed.api.as_ref().ok(), &mut health);
        }
    }
    if let Ok(api) = &observed.api {
        health.failures.extend(api.pods.iter().filter(|it| it.is_critical()).filter_map(pod));
    }
    health.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    health
}

/// The node of a machine: by the provider's id, by name, or by address.
pub(super) fn node_of<'a>(machine: &Machine, nodes: &'a [Node]) -> Option<&'a Node> {
    // `aws:///zone/i-1` for `i-1`, `gce://project/zone/name` for `zone/name/number`, `azure://` and the whole id.
    let parts: Vec<&str> = machine.id.split('/').filter(|it| !it.is_empty()).collect();
    let by_provider = |node: &&Node| {
        let Some(id) = node.provider_id.as_deref().filter(|it| !it.is_empty()) else { return false };
        let last = id.rsplit('/').next().unwrap_or_default();
        if machine.id.starts_with('/') {
            id.to_ascii_lowercase().ends_with(&machine.id.to_ascii_lowercase())
        } else {
            parts.contains(&last) || id.ends_with(&machine.id)
        }
    };
    let by_name = |node: &&Node| {
        let host = machine.private_dns.as_deref().filter(|it| !it.is_empty());
        parts.contains(&node.name.as_str())
            || host == Some(node.name.as_str())
            || host.is_some_and(|it| it.split('.').next() == Some(node.name.as_str()))
    };
    let by_address = |node: &&Node| {
        machine.private_ip.as_deref().is_some_and(|ip| node.addresses_of("InternalIP").any(|it| it == ip))
    };
    let nameless = |node: &&Node| node.provider_id.as_deref().unwrap_or_default().is_empty();
    nodes
        .iter()
        .find(by_provider)
        // A node with a provider ID belongs to that machine only; its address may have passed to a successor.
        .or_else(|| nodes.iter().filter(nameless).find(by_name))
        .or_else(|| nodes.iter().filter(nameless).find(by_address))
}

/// The machines of a group that are counted.
fn members<'a>(
    group: &'a InstanceGroup,
    observed: &'a ClusterView,
) -> impl Iterator<Item = &'a ObservedMachine> {
    let counts =
        |it: &&ObservedMachine| matches!(it.machine.state, MachineState::Pending | MachineState::Running);
    observed.machines.iter().filter(|it| it.group.as_deref() == Some(group.name())).filter(counts)
}

fn count(group: &InstanceGroup, members: &[&ObservedMachine], health: &mut Health) {
    let (found, wanted) = (members.len(), usize::try_from(group.spec.min_size.unwrap_or(1)).unwrap_or(0));
    if found < wanted {
        let message = match found {
            0 => format!("the group has no machines in the cloud, but must have {wanted}"),
            _ => format!("the group has {found} of at least {wanted} machines"),
        };
        health.failures.push(failure("InstanceGroup", group.name(), message, Some(group)));
    }
}

/// A machine, and its node.
fn look_at(member: &ObservedMachine, group: &InstanceGroup, api: Option<&ObservedApi>, health: &mut Health) {
    let machine = &member.machine;
    let Some(node) = api.and_then(|api| node_of(machine, &api.nodes)) else {
        // Without the API, the machine's own status is the only evidence that it has joined.
        let joined = member.status.as_ref().is_some_and(|it| it.state == State::Joined);
        if api.is_some() || !joined {
            let message = not_joined(machine, member.status.as_ref());
            health.failures.push(failure("Machine", &machine.id, message, Some(group)));
        }
        return;
    };
    let ready = node.condition("Ready");
    health.nodes.push(NodeHealth {
        name: node.name.clone(),
        zone: machine.zone.clone(),
        role: role(group).to_owned(),
        hostname: node.labels.get("kubernetes.io/hostname").unwrap_or(&node.name).clone(),
        status: ready.map_or("Unknown", |it| it.status.as_str()).to_owned(),
    });
    if !node.is_ready() {
        let message = match ready {
            Some(it) if !it.message.is_empty() => {
                format!("the node is not ready: {}: {}", it.reason, it.message)
            }
            Some(it) if !it.reason.is_empty() => format!("the node is not ready: {}", it.reason),
            _ => "the node is not ready, and its kubelet has not reported a reason".to_owned(),
        };
        health.failures.push(failure("Node", &node.name, message, Some(group)));
        return;
    }
    if group.role() == Role::ControlPlane
        && let Some(api) = api
    {
        for component in COMPONENTS {
            let runs = |pod: &Pod| {
                let named = ["component", "k8s-app"]
                    .iter()
                    .any(|label| pod.labels.get(*label).is_some_and(|it| it == component));
                named && pod.node.as_deref() == Some(node.name.as_str())
            };
            if !api.pods.iter().any(runs) {
                let message = format!("the control plane's node has no pod of {component}");
                health.failures.push(failure("Node", &node.name, message, Some(group)));
            }
        }
    }
}

/// Why a machine is not a node.
fn not_joined(machine: &Machine, status: Option<&Status>) -> String {
    let Some(status) = status else {
        return match machine.state {
            MachineState::Pending => "the machine has not joined the cluster: the cloud is still starting it".to_owned(),
            _ => "the machine has not joined the cluster and has not reported its status: it is still starting, does \
                  not run kops-node, or cannot reach the state store; see its console output"
                .to_owned(),
        };
    };
    let last = status.events.last().map_or("it has not reported what it is doing", |it| it.what.as_str());
    match status.state {
        State::Booting => format!("the machine has not joined the cluster yet: {last}"),
        State::Waiting => {
            format!(
                "the machine has not joined the cluster: it has been waiting since {}: {last}",
                status.since
            )
        }
        State::Failed => {
            format!(
                "the machine has not joined the cluster: it failed ({} attempts): {last}",
                status.attempts
            )
        }
        State::Joined => {
            format!("the machine has joined as node {}, which no longer exists", status.node)
        }
    }
}

/// A pod that the cluster depends on.
fn pod(pod: &Pod) -> Option<Failure> {
    let message = match pod.phase.as_str() {
        "Succeeded" => return None,
        "Running" if pod.is_ready() => return None,
        "Running" => {
            let unready: Vec<_> = pod.unready.iter().map(|(name, why)| format!("{name} ({why})")).collect();
            if unready.is_empty() {
                "is not ready".to_owned()
            } else {
                format!("is not ready: {}", unready.join(", "))
            }
        }
        "Pending" => match unscheduled(pod) {
            Some(why) => format!("is pending: {why}"),
            None => "is pending".to_owned(),
        },
        "Failed" if !pod.message.is_empty() => format!("failed: {}", pod.message),
        "Failed" => "failed".to_owned(),
        _ => "is in an unknown phase".to_owned(),
    };
    let message = format!("the {} pod {message}", pod.priority_class);
    Some(failure("Pod", &format!("{}/{}", pod.namespace, pod.name), message, None))
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let scheduled = pod.conditions.iter().find(|it| it.r#type == "PodScheduled" && it.status == "False");
    let waiting = pod.unready.iter().next().map(|(name, why)| format!("{name} ({why})"));
    scheduled.map(|it| it.message.clone()).filter(|it| !it.is_empty()).or(waiting)
}

fn role(group: &InstanceGroup) -> &'static str {
    if group.role() == Role::ControlPlane { "control-plane" } else { "node" }
}

fn failure(kind: &'static str, name: &str, message: String, group: Option<&InstanceGroup>) -> Failure {
    Failure { kind, name: name.to_owned(), message, instance_group: group.map(|it| it.name().to_owned()) }
}

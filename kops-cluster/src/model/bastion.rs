//! SSH access: the load balancer of the bastions.

use super::draft::Draft;
use super::firewall::{SSH, Walls, peer_of};
use super::network::{Site, balancer_subnets};
use crate::cloud::Purpose;
use crate::extensions::MachineRole;
use crate::spec::{LoadBalancerType, Path};
use kops_core::graph::Handle;
use kops_core::resource::{FirewallRule, Listener, LoadBalancer, Scheme};

/// The load balancer of the bastions, if the cluster has bastions and the cloud has load balancers; without
/// one, bastions are reached at their own public addresses.
pub(super) fn build(draft: &mut Draft<'_>, site: &Site, walls: &mut Walls) -> Option<Handle<LoadBalancer>> {
    if !draft.has(MachineRole::Bastion) {
        return None;
    }
    let cluster = draft.blueprint.cluster;
    let spec = draft.networking().bastion().and_then(|bastion| bastion.load_balancer.as_ref());
    let public = spec.and_then(|spec| spec.r#type) != Some(LoadBalancerType::Internal);
    let capabilities = &draft.blueprint.capabilities;
    let access = &cluster.spec.ssh_access;
    let bastions = walls.of(MachineRole::Bastion).to_vec();
    if !(if public { capabilities.public_load_balancers } else { capabilities.internal_load_balancers }) {
        if !public {
            draft.problems.error(
                Path::of("spec.networking.topology.bastion.loadBalancer.type"),
                "this cloud has no internal load balancers",
                "remove the load balancer of the bastion",
            );
        }
        for wall in &bastions {
            walls.admit(wall, access, SSH);
        }
        return None;
    }

    let own = walls.add(draft, site, &draft.names.scoped("bastion-elb"), "Security group for bastion ELB");
    walls.admit(&own, access, SSH);
    for source in access {
        walls.allow(&own, FirewallRule::packet_too_big(peer_of(source)));
    }
    for wall in &bastions {
        walls.allow(wall, FirewallRule::tcp(SSH, own.peer()));
        walls.allow(wall, FirewallRule::packet_too_big(own.peer()));
        walls.allow(&own, FirewallRule::packet_too_big(wall.peer()));
    }
    let more = spec.into_iter().flat_map(|spec| &spec.additional_security_groups);
    let mut firewalls = std::collections::BTreeSet::from([own.handle.id()]);
    firewalls.extend(more.map(|id| draft.shared_firewall(id).id()));

    let subnets = balancer_subnets(draft, site, public);
    if subnets.is_empty() && capabilities.zonal_subnets {
        draft.problems.error(
            Path::of("spec.networking.topology.bastion"),
            format!(
                "there is no {} subnet for the load balancer of the bastion",
                if public { "public" } else { "private" }
            ),
            "add a subnet of type Utility, or make the load balancer Internal",
        );
    }
    let mut balancer = LoadBalancer::new(site.network.id(), subnets)
        .scheme(if public { Scheme::Public } else { Scheme::Internal })
        .firewalls(firewalls)
        .listen(Listener::tcp(SSH));
    draft.blueprint.dialect.load_balancer(cluster, Purpose::Bastion, &mut balancer, &mut draft.problems);
    let handle = draft.graph.add(&draft.names.scoped("bastion"), balancer);
    if public && let Some(gateway) = &site.gateway {
        draft.graph.after(&handle, gateway);
    }
    Some(handle)
}

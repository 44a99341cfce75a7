//! Which objects of a project controllers in the cluster have created, and which foreign ones are in its
//! networks: decided from listings alone.
//!
//! Objects are not marked with their owner. A firewall rule was created by the cluster's controllers if its targets are
//! the tags of the cluster's machines, which are also the targets of the cluster's own rules. The rule's name contains the
//! service, or the controllers, that it was created for, and so do the names of all their other objects. Since the rules
//! identify the others, everything is found even if the machines are gone, and the rules are deleted last.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_compute_v1::model as compute;
use kops_core::cloud::{Mark, Object, Scope};
use kops_core::graph::{Closed, Id};

use super::super::collection::is_from;
use super::{MAKER, UnmanagedObject};
use crate::labels;
use crate::path::{Path, short};

/// The description of a route to the pods of a node: `gce_routes.go` of cloud-provider-gcp.
const ROUTE: &str = "k8s-node-route";
/// The beginning of the names of firewall rules for services, which end in the name of the load balancer, as all of the
/// service's objects are called: `gce_util.go`, `MakeFirewallName`.
const RULE: &str = "k8s-fw-";
/// The beginning of other names: `k8s-<controllers>-node-http-hc` is a firewall rule, `k8s-<controllers>-node` its
/// health check, `k8s-ig--<controllers>` an instance group.
const SHARED: &str = "k8s-";
const GROUP: &str = "k8s-ig--";
/// The ends of the names of firewall rules for health checks: of target pools, and of backend services.
const CHECKS: [&str; 2] = ["-http-hc", "-hc"];
/// In the description of a disk that was created for a volume claim.
const CLAIM: &str = "kubernetes.io/created-for";
/// The metadata of a machine with the name of the scope.
const CLUSTER: &str = "cluster-name";

/// What is looked at.
#[derive(Default)]
pub(super) struct Project {
    pub(super) name: String,
    /// The paths of the networks that the scope owns.
    pub(super) networks: BTreeSet<String>,
    /// The paths of the scope's machines.
    pub(super) machines: BTreeSet<String>,
    pub(super) instances: Vec<compute::Instance>,
    pub(super) firewalls: Vec<compute::Firewall>,
    pub(super) routes: Vec<compute::Route>,
    pub(super) rules: Vec<compute::ForwardingRule>,
    pub(super) pools: Vec<compute::TargetPool>,
    pub(super) http_checks: Vec<compute::HttpHealthCheck>,
    pub(super) checks: Vec<compute::HealthCheck>,
    pub(super) services: Vec<compute::BackendService>,
    pub(super) groups: Vec<compute::InstanceGroup>,
    pub(super) addresses: Vec<compute::Address>,
    pub(super) disks: Vec<compute::Disk>,
}

/// Where an object is.
#[derive(Clone, Copy, Default)]
struct Site<'a> {
    network: Option<&'a str>,
    subnetwork: Option<&'a str>,
}

impl<'a> Site<'a> {
    fn network(network: Option<&'a String>) -> Self {
        Self { network: network.map(String::as_str), subnetwork: None }
    }

    fn spec(self, uses: BTreeSet<String>) -> UnmanagedObject<Closed> {
        UnmanagedObject {
            network: self.network.map(|it| Id::new(short(it))),
            subnetwork: self.subnetwork.map(|it| Id::new(short(it))),
            uses: uses.into_iter().map(Id::new).collect(),
        }
    }
}

/// The objects found, by their paths.
#[derive(Default)]
struct Found {
    objects: BTreeMap<String, Object<UnmanagedObject<Closed>>>,
    /// The firewall rules by which names of load balancers, health checks and instance groups are known.
    names: BTreeMap<String, String>,
}

impl Found {
    fn add<'u>(&mut self, link: Option<&String>, site: Site<'_>, uses: impl IntoIterator<Item = &'u String>) {
        let Some(link) = link else { return };
        let Ok(path) = Path::parse(link) else { return };
        let uses = uses.into_iter().map(|it| short(it));
        let told_by = self.names.get(&path.name).filter(|rule| **rule != path.to_string()).cloned();
        let spec = site.spec(uses.chain(told_by).collect());
        let name = format!("{}/{}", path.collection, path.name);
        let object = Object::owned(path.to_string(), name, spec).dependent(MAKER.to_owned());
        self.objects.insert(path.to_string(), object);
    }

    /// Adds a firewall rule of controllers, and what its name tells.
    fn add_firewall(&mut self, rule: &compute::Firewall) {
        let (Some(link), Some(name)) = (rule.self_link.as_ref(), rule.name.as_deref()) else { return };
        self.add(Some(link), Site::network(rule.network.as_ref()), []);
        let mut tells = |told: String| drop(self.names.insert(told, short(link)));
        if let Some(balancer) = name.strip_prefix(RULE) {
            tells(balancer.to_owned());
        } else if let Some(check) = CHECKS.iter().find_map(|end| name.strip_suffix(end)) {
            if let Some(controllers) = check.strip_prefix(SHARED).and_then(|it| it.strip_suffix("-node")) {
                tells(format!("{GROUP}{controllers}"));
            } else if let Some(balancer) = check.strip_prefix(SHARED) {
                // Of one service alone: the check is called as its load balancer.
                tells(balancer.to_owned());
            }
            tells(check.to_owned());
        }
    }

    fn has(&self, link: &str) -> bool {
        self.objects.contains_key(&short(link))
    }

    fn knows(&self, name: Option<&String>) -> bool {
        name.is_some_and(|name| self.names.contains_key(name))
    }
}

impl Project {
    /// The objects that controllers of the cluster have created, and foreign ones in its networks.
    pub(super) fn found(&self, scope: &Scope) -> Vec<Object<UnmanagedObject<Closed>>> {
        let mut found = Found::default();
        let is_ours = |link: &String| self.machines.contains(&short(link));
        let in_own = |network: &Option<String>| self.is_own(network.as_ref());
        for route in self.routes.iter().filter(|it| it.description.as_deref() == Some(ROUTE)) {
            if in_own(&route.network) || route.next_hop_instance.as_ref().is_some_and(is_ours) {
                found.add(route.self_link.as_ref(), Site::network(route.network.as_ref()), []);
            }
        }
        let tags = self.tags(scope);
        for rule in self.firewalls.iter().filter(|it| it.name.as_deref().is_some_and(is_of_controllers)) {
            if !rule.target_tags.is_empty() && rule.target_tags.iter().all(|tag| tags.contains(tag.as_str()))
            {
                found.add_firewall(rule);
            }
        }
        for pool in &self.pools {
            let leads_here = !pool.instances.is_empty() && pool.instances.iter().all(is_ours);
            if leads_here || found.knows(pool.name.as_ref()) {
                found.add(pool.self_link.as_ref(), Site::default(), &pool.health_checks);
            }
        }
        // Those of managers go with them.
        for group in
            self.groups.iter().filter(|it| it.name.as_deref().is_some_and(|it| it.starts_with(GROUP)))
        {
            if in_own(&group.network) || found.knows(group.name.as_ref()) {
                let (network, subnetwork) = (group.network.as_deref(), group.subnetwork.as_deref());
                found.add(group.self_link.as_ref(), Site { network, subnetwork }, []);
            }
        }
        for service in &self.services {
            let groups: Vec<&String> = service.backends.iter().filter_map(|it| it.group.as_ref()).collect();
            let leads_here = !groups.is_empty() && groups.iter().all(|group| found.has(group));
            if leads_here || found.knows(service.name.as_ref()) {
                let uses = groups.into_iter().chain(&service.health_checks);
                found.add(service.self_link.as_ref(), Site::network(service.network.as_ref()), uses);
            }
        }
        self.doors(scope, &mut found);
        self.health_checks(&mut found);
        let own = labels::cluster(scope);
        for disk in &self.disks {
            let is_claim = disk.description.as_deref().is_some_and(|text| text.contains(CLAIM));
            if is_claim && disk.labels.get(labels::CLUSTER) == Some(&own) {
                found.add(disk.self_link.as_ref(), Site::default(), []);
            }
        }
        let others = self.others(scope, &found);
        found.objects.into_values().chain(others).collect()
    }

    /// Forwarding rules, and the addresses that were reserved for them. An address with a name of its own was reserved by
    /// somebody for a service, and stays.
    fn doors(&self, scope: &Scope, found: &mut Found) {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for rule in self.rules.iter().filter(|it| !is_marked(scope, it.description.as_ref())) {
            let leads_here = rule.target.iter().chain(&rule.backend_service).find(|it| found.has(it));
            if leads_here.is_none() && !found.knows(rule.name.as_ref()) {
                continue;
            }
            let is_internal =
                rule.load_balancing_scheme.as_ref().and_then(|it| it.name()) == Some("INTERNAL");
            let site = Site { network: rule.network.as_deref(), subnetwork: rule.subnetwork.as_deref() };
            let site = if is_internal { site } else { Site::default() };
            let address = self.addresses.iter().find(|it| it.name == rule.name);
            let uses: Vec<&String> =
                leads_here.into_iter().chain(address.and_then(|it| it.self_link.as_ref())).collect();
            found.add(rule.self_link.as_ref(), site, uses);
            names.extend(rule.name.as_deref());
        }
        for address in self.addresses.iter().filter(|it| !is_marked(scope, it.description.as_ref())) {
            let is_used_by_others = address.users.iter().any(|user| !found.has(user));
            let is_named = found.knows(address.name.as_ref())
                || address.name.as_deref().is_some_and(|name| names.contains(name));
            if is_named && !is_used_by_others {
                let site = Site { network: None, subnetwork: address.subnetwork.as_deref() };
                found.add(address.self_link.as_ref(), site, []);
            }
        }
    }

    /// Health checks may be several clusters': only those that nothing else uses.
    fn health_checks(&self, found: &mut Found) {
        let pools = self.pools.iter().map(|it| (it.self_link.as_ref(), &it.health_checks));
        let services = self.services.iter().map(|it| (it.self_link.as_ref(), &it.health_checks));
        let mut users: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for (user, checks) in pools.chain(services) {
            for check in checks {
                users.entry(short(check)).or_default().extend(user);
            }
        }
        let http = self.http_checks.iter().map(|it| (it.self_link.as_ref(), it.name.as_ref()));
        let others = self.checks.iter().map(|it| (it.self_link.as_ref(), it.name.as_ref()));
        for (link, name) in http.chain(others) {
            let users = link.and_then(|link| users.get(&short(link))).map_or(&[][..], Vec::as_slice);
            let is_used = !users.is_empty() || found.knows(name);
            if is_used && users.iter().all(|user| found.has(user)) {
                found.add(link, Site::default(), []);
            }
        }
    }

    /// The tags of the scope's machines: those that its own firewall rules are for, and further ones that no machine of
    /// others has.
    fn tags(&self, scope: &Scope) -> BTreeSet<&str> {
        let own = self.firewalls.iter().filter(|rule| {
            let path = rule.self_link.as_deref().and_then(|link| Path::parse(link).ok());
            let description = rule.description.as_ref().filter(|it| is_marked(scope, Some(*it)));
            path.zip(description).is_some_and(|(path, text)| is_from(&self.name, &path, text))
        });
        let own = own.flat_map(|rule| &rule.target_tags).map(String::as_str);
        let (ours, theirs): (Vec<_>, Vec<_>) = self
            .instances
            .iter()
            .partition(|it| it.self_link.as_ref().is_some_and(|link| self.machines.contains(&short(link))));
        let (ours, theirs) = (tags_of(&ours), tags_of(&theirs));
        own.chain(ours.difference(&theirs).copied()).collect()
    }

    fn is_own(&self, network: Option<&String>) -> bool {
        network.is_some_and(|it| self.networks.contains(&short(it)))
    }

    /// The objects of others in the networks of the scope.
    fn others(&self, scope: &Scope, found: &Found) -> Vec<Object<UnmanagedObject<Closed>>> {
        let is_others = |network: &Option<String>, description: &Option<String>| {
            self.is_own(network.as_ref()) && !is_marked(scope, description.as_ref())
        };
        let firewalls = self.firewalls.iter().filter(|it| is_others(&it.network, &it.description));
        let firewalls = firewalls.map(|it| (it.self_link.as_ref(), Site::network(it.network.as_ref())));
        let rules = self.rules.iter().filter(|it| is_others(&it.network, &it.description)).map(|it| {
            let site = Site { network: it.network.as_deref(), subnetwork: it.subnetwork.as_deref() };
            (it.self_link.as_ref(), site)
        });
        // Routes that a network or a subnetwork comes with go with it.
        let routes = self.routes.iter().filter(|it| {
            let is_default = it.name.as_deref().is_some_and(|name| name.starts_with("default-route-"));
            self.is_own(it.network.as_ref()) && it.next_hop_network.is_none() && !is_default
        });
        let routes = routes.map(|it| (it.self_link.as_ref(), Site::network(it.network.as_ref())));
        // A machine may outlive its manager for a moment.
        let machines = self.instances.iter().filter(|it| !is_called(it, scope)).flat_map(|it| {
            let link = it.self_link.as_ref().filter(|link| !self.machines.contains(&short(link)));
            it.network_interfaces.iter().filter(|nic| self.is_own(nic.network.as_ref())).map(move |nic| {
                (link, Site { network: nic.network.as_deref(), subnetwork: nic.subnetwork.as_deref() })
            })
        });
        let all = firewalls.chain(rules).chain(routes).chain(machines);
        let others = all.filter_map(|(link, site)| Some((link.filter(|link| !found.has(link))?, site)));
        others.map(|(link, site)| Object::foreign(short(link), site.spec(BTreeSet::new()))).collect()
    }
}

/// The tags of machines.
fn tags_of<'m>(machines: &[&'m compute::Instance]) -> BTreeSet<&'m str> {
    let tags = machines.iter().flat_map(|it| it.tags.iter().flat_map(|tags| &tags.items));
    tags.map(String::as_str).collect()
}

/// Whether a firewall rule is called as those of controllers are.
fn is_of_controllers(name: &str) -> bool {
    name.starts_with(SHARED)
}

/// Whether a machine's metadata has the name of the scope.
fn is_called(machine: &compute::Instance, scope: &Scope) -> bool {
    let mut items = machine.metadata.iter().flat_map(|metadata| &metadata.items);
    items.any(|it| it.key.as_deref() == Some(CLUSTER) && it.value.as_deref() == Some(scope.name()))
}

/// Whether a description has the mark of the scope: with the region, or in collections of a region without it.
fn is_marked(scope: &Scope, description: Option<&String>) -> bool {
    description.is_some_and(|text| [scope, &scope.at("")].iter().any(|it| Mark::read(it, text).is_some()))
}

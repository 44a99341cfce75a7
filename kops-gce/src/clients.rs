//! The SDK's clients, and the only way to make calls.

use std::sync::Arc;

use google_cloud_auth::credentials::Credentials;
use google_cloud_compute_v1::client as compute;
use google_cloud_compute_v1::model::Operation;
use google_cloud_dns_v1::client as dns;
use google_cloud_gax::error::Error as SdkError;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_iam_admin_v1::client::Iam;
use google_cloud_resourcemanager_v3::client::Projects;
use kops_core::Result;
use kops_core::clock::Clock;
use kops_core::cloud::{Actions, Context, Limiter};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::builder::{ATTEMPT_TIMEOUT, Endpoints};
use crate::operations::Operations;
use crate::path::{Path, Place};
use crate::{actions, error, limits};

/// A client for every collection in use. They share one credentials cache. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Clients(Arc<Inner>);

impl std::ops::Deref for Clients {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) project: String,
    pub(crate) region: String,
    pub(crate) addresses: compute::Addresses,
    pub(crate) disks: compute::Disks,
    pub(crate) firewalls: compute::Firewalls,
    pub(crate) forwarding_rules: compute::ForwardingRules,
    pub(crate) global_operations: compute::GlobalOperations,
    pub(crate) groups: compute::InstanceGroupManagers,
    pub(crate) health_checks: compute::HealthChecks,
    pub(crate) http_health_checks: compute::HttpHealthChecks,
    pub(crate) images: compute::Images,
    pub(crate) instance_groups: compute::InstanceGroups,
    pub(crate) instances: compute::Instances,
    pub(crate) machine_types: compute::MachineTypes,
    pub(crate) networks: compute::Networks,
    pub(crate) compute_projects: compute::Projects,
    pub(crate) region_backend_services: compute::RegionBackendServices,
    pub(crate) region_health_checks: compute::RegionHealthChecks,
    pub(crate) region_operations: compute::RegionOperations,
    pub(crate) routers: compute::Routers,
    pub(crate) routes: compute::Routes,
    pub(crate) subnetworks: compute::Subnetworks,
    pub(crate) target_pools: compute::TargetPools,
    pub(crate) templates: compute::InstanceTemplates,
    pub(crate) zone_operations: compute::ZoneOperations,
    pub(crate) zones: compute::Zones,
    pub(crate) dns_changes: dns::Changes,
    pub(crate) dns_records: dns::ResourceRecordSets,
    pub(crate) dns_zones: dns::ManagedZones,
    pub(crate) iam: Iam,
    pub(crate) projects: Projects,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) operations: Operations,
    /// Held from reading the project's policy until it is written: of two concurrent changes, one would be
    /// rejected.
    pub(crate) policy: Mutex<()>,
    limiter: Limiter,
}

impl Clients {
    /// Creates the clients; makes no call.
    pub(crate) async fn new(
        project: String,
        region: String,
        credentials: &Credentials,
        endpoints: &Endpoints,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        // One attempt, with a timeout; `GceBuilder` explains why.
        macro_rules! client {
            ($client:ty, $endpoint:expr) => {{
                let mut builder = <$client>::builder()
                    .with_credentials(credentials.clone())
                    .with_retry_policy(NeverRetry)
                    .with_attempt_timeout(ATTEMPT_TIMEOUT);
                if let Some(endpoint) = &$endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder.build().await.map_err(error::from_build)?
            }};
        }
        Ok(Self(Arc::new(Inner {
            project,
            region,
            addresses: client!(compute::Addresses, endpoints.compute),
            disks: client!(compute::Disks, endpoints.compute),
            firewalls: client!(compute::Firewalls, endpoints.compute),
            forwarding_rules: client!(compute::ForwardingRules, endpoints.compute),
            global_operations: client!(compute::GlobalOperations, endpoints.compute),
            groups: client!(compute::InstanceGroupManagers, endpoints.compute),
            health_checks: client!(compute::HealthChecks, endpoints.compute),
            http_health_checks: client!(compute::HttpHealthChecks, endpoints.compute),
            images: client!(compute::Images, endpoints.compute),
            instance_groups: client!(compute::InstanceGroups, endpoints.compute),
            instances: client!(compute::Instances, endpoints.compute),
            machine_types: client!(compute::MachineTypes, endpoints.compute),
            networks: client!(compute::Networks, endpoints.compute),
            compute_projects: client!(compute::Projects, endpoints.compute),
            region_backend_services: client!(compute::RegionBackendServices, endpoints.compute),
            region_health_checks: client!(compute::RegionHealthChecks, endpoints.compute),
            region_operations: client!(compute::RegionOperations, endpoints.compute),
            routers: client!(compute::Routers, endpoints.compute),
            routes: client!(compute::Routes, endpoints.compute),
            target_pools: client!(compute::TargetPools, endpoints.compute),
            subnetworks: client!(compute::Subnetworks, endpoints.compute),
            templates: client!(compute::InstanceTemplates, endpoints.compute),
            zone_operations: client!(compute::ZoneOperations, endpoints.compute),
            zones: client!(compute::Zones, endpoints.compute),
            dns_changes: client!(dns::Changes, endpoints.dns),
            dns_records: client!(dns::ResourceRecordSets, endpoints.dns),
            dns_zones: client!(dns::ManagedZones, endpoints.dns),
            iam: client!(Iam, endpoints.iam),
            projects: client!(Projects, endpoints.resource_manager),
            clock: clock.clone(),
            operations: Operations::default(),
            policy: Mutex::new(()),
            limiter: Limiter::new(clock, limits::buckets(), limits::SLOTS),
        })))
    }

    /// Makes a call, named after its permission, once the rate limits admit it, and converts its error.
    /// [`Limiter::run`] documents when it is cancelled.
    pub(crate) fn call<T: Send>(
        &self,
        cx: &Context,
        name: &'static str,
        request: impl Future<Output = Result<T, SdkError>> + Send,
    ) -> impl Future<Output = Result<T>> + Send {
        debug_assert!(
            Actions::names(actions::ALL).contains(name) || actions::WITHOUT.contains(&name),
            "{name}: see actions.rs"
        );
        // The SDK's futures are too large to be part of the futures of whole listings.
        let request = Box::pin(request);
        async move {
            let explained = async { request.await.map_err(|failed| error::from_sdk(name, failed)) };
            self.limiter.run(limits::bucket_of(name), actions::read_only(name), cx, explained).await
        }
    }

    /// The host project of the shared VPC that the project is attached to, if it is to one.
    pub(crate) async fn host(&self, cx: &Context) -> Result<Option<String>> {
        let get = self.compute_projects.get_xpn_host().set_project(&self.project);
        let host = self.call(cx, "compute.projects.get", get.send()).await?;
        Ok(host.name.filter(|name| !name.is_empty() && *name != self.project))
    }

    /// The operations with these names in a place of a project.
    pub(crate) async fn operations_in(
        &self,
        project: &str,
        place: &Place,
        names: &str,
        cx: &Context,
    ) -> Result<Vec<Operation>> {
        use crate::paging::listed;
        match place {
            Place::Global => {
                let list = || self.global_operations.list().set_project(project);
                listed!(self, cx, "compute.globalOperations.list", names, list(), |page| page.items)
            }
            Place::Region(region) => {
                let list = || self.region_operations.list().set_project(project).set_region(region);
                listed!(self, cx, "compute.regionOperations.list", names, list(), |page| page.items)
            }
            Place::Zone(zone) => {
                let list = || self.zone_operations.list().set_project(project).set_zone(zone);
                listed!(self, cx, "compute.zoneOperations.list", names, list(), |page| page.items)
            }
        }
    }

    /// The path of an object of this region or project.
    pub(crate) fn path(&self, place: Place, collection: &str, name: &str) -> Path {
        Path {
            project: self.project.clone(),
            place,
            collection: collection.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The region, as a place.
    pub(crate) fn here(&self) -> Place {
        Place::Region(self.region.clone())
    }
}

/// An idempotency token for a change of an object, in Compute Engine's form, a UUID:
/// <https://cloud.google.com/compute/docs/reference/rest/v1/instances/insert>
pub(crate) fn request_id(token: &str, object: &Path) -> String {
    let digest = Sha256::new().chain_update(token).chain_update(object.to_string()).finalize();
    let hex = digest.iter().take(16).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    // Version 4 and the usual variant, as in random UUIDs.
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_uuids() {
        let path = |name: &str| Path::parse(&format!("projects/p/global/networks/{name}")).unwrap();
        let id = request_id("token", &path("a"));
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(id, request_id("token", &path("a")));
        assert_ne!(id, request_id("token", &path("b")));
    }
}

//! Load balancers.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Timing,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Setting, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

use super::NeutronSubnet;
use super::balancing::{self, Balanced};
use super::rest::Collection;
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A load balancer: an address in a subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct OctaviaLoadBalancer<S: Stage = Open> {
    /// The subnet of its address.
    pub subnet: At<S, Id<NeutronSubnet>>,
    /// The driver: `amphora`, `ovn`, …; the cloud's default if unmanaged.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub provider: Setting<String>,
    /// The identifier of its flavor; the cloud's default if unmanaged.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub flavor: Setting<String>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl OctaviaLoadBalancer {
    /// Its private address.
    pub const ADDRESS: Output<Self, String> = Output::new("address");
    /// The identifier of the port with that address, for a floating IP address.
    pub const PORT: Output<Self, String> = Output::new("port");
}

impl Resource for OctaviaLoadBalancer {
    const KIND: &'static str = "OctaviaLoadBalancer";
    const OUTPUTS: &'static [&'static str] = &[Self::ADDRESS.name(), Self::PORT.name()];
    type Resolved = OctaviaLoadBalancer<Closed>;
}

pub(super) const BALANCERS: Collection =
    Collection::balancing("lbaas/loadbalancers", "loadbalancers", "loadbalancer");

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FoundBalancer {
    #[serde(flatten)]
    pub(crate) balanced: Balanced,
    #[serde(default)]
    vip_address: String,
    #[serde(default)]
    vip_subnet_id: String,
    #[serde(default)]
    vip_port_id: String,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    flavor_id: Option<String>,
}

#[derive(Debug)]
pub(crate) struct LoadBalancers(pub(crate) Clients);

#[async_trait]
impl Handler for LoadBalancers {
    type Kind = OctaviaLoadBalancer;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            // Clients know the address: it is kept, whichever subnet would be chosen today.
            "subnet" => Mutability::WriteOnly,
            "provider" | "flavor" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    fn timing(&self) -> Timing {
        // The load balancer is a machine that has to boot.
        balancing::timing().settle(Duration::from_secs(90)).poll(Duration::from_secs(5))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<OctaviaLoadBalancer<Closed>>>> {
        let found: Vec<FoundBalancer> =
            balancing::asked_for(&BALANCERS, &self.0, query, |it: &FoundBalancer| &it.balanced.common)
                .await?;
        Ok(found.iter().map(|it| self.observed(query.scope, it)).collect())
    }

    async fn create(
        &self,
        request: Create<'_, OctaviaLoadBalancer<Closed>>,
    ) -> Result<Object<OctaviaLoadBalancer<Closed>>> {
        let spec = request.spec;
        let mut body =
            json!({ "name": request.name, "vip_subnet_id": spec.subnet.as_str(), "admin_state_up": true });
        for (member, setting) in [("provider", &spec.provider), ("flavor_id", &spec.flavor)] {
            if let Some(value) = setting.managed() {
                body[member] = value.as_str().into();
            }
        }
        let body = balancing::marked(&Mark::of_new(&request), &spec.tags, body);
        let made: FoundBalancer = BALANCERS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(
        &self,
        request: Update<'_, OctaviaLoadBalancer<Closed>>,
    ) -> Result<Object<OctaviaLoadBalancer<Closed>>> {
        let Update { scope, name, object, spec, cx, .. } = request;
        // Foreign tags are kept, including those that are not `key=value`.
        let present: FoundBalancer = self
            .0
            .fetch(
                cx,
                crate::clients::Call::get(BALANCERS.service, format!("{}/{}", BALANCERS.path, object.id)),
                BALANCERS.item,
            )
            .await?;
        let mark = Mark::of(scope, name, object);
        let body = json!({ "tags": balancing::tags_of(&mark, &spec.tags, &present.balanced.common.tags) });
        let found: FoundBalancer = BALANCERS.update(&self.0, cx, &object.id, body).await?;
        Ok(self.observed(scope, &found))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        request: Adopt<'_, OctaviaLoadBalancer<Closed>>,
    ) -> Result<Object<OctaviaLoadBalancer<Closed>>> {
        balancing::adopt(&BALANCERS, &self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, OctaviaLoadBalancer<Closed>>) -> Result<Deletion> {
        balancing::delete(&BALANCERS, &self.0, request.cx, &request.object.id).await
    }
}

impl LoadBalancers {
    fn observed(&self, scope: &Scope, found: &FoundBalancer) -> Object<OctaviaLoadBalancer<Closed>> {
        let spec = OctaviaLoadBalancer {
            subnet: Id::new(&found.vip_subnet_id),
            provider: Setting::To(found.provider.clone().unwrap_or_default()),
            flavor: Setting::To(found.flavor_id.clone().unwrap_or_default()),
            tags: tags::further(&found.balanced.common.tags),
        };
        found
            .balanced
            .object(&self.0, scope, spec)
            .output(OctaviaLoadBalancer::ADDRESS, found.vip_address.clone())
            .output(OctaviaLoadBalancer::PORT, found.vip_port_id.clone())
    }
}

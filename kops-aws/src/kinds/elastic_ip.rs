//! Elastic IP addresses.

use async_trait::async_trait;
use aws_sdk_ec2::types::{DomainType, ResourceType};
use kops_core::Result;
use kops_core::cloud::{Adopt, Create, Delete, Deletion, Handler, IdentityClass, Object, Query, Update};
use kops_core::resource::{Output, Resource};
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A public IPv4 address of the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ElasticIp {
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl ElasticIp {
    /// The address, in dotted form.
    pub const IP: Output<Self, String> = Output::new("ip");
}

impl Resource for ElasticIp {
    const KIND: &'static str = "ElasticIp";
    const OUTPUTS: &'static [&'static str] = &[Self::IP.name()];
    type Resolved = Self;
}

#[derive(Debug)]
pub(crate) struct ElasticIps(pub(crate) Clients);

#[async_trait]
impl Handler for ElasticIps {
    type Kind = ElasticIp;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<ElasticIp>>> {
        let filters = listing::filters(query, "allocation-id");
        let found = listing::find(filters, |filter| listing::addresses(&self.0, query.cx, filter)).await?;
        let objects = found.iter().map(|address| {
            let tags = tags::read(address.tags());
            let spec = ElasticIp { tags: tags::further(&tags) };
            let object = tags::object(query.scope, address.allocation_id().unwrap_or_default(), &tags, spec);
            let object = object.output(ElasticIp::IP, address.public_ip().unwrap_or_default().to_owned());
            if listing::is_dissolving(query) {
                tags::with_dependents(query.scope, &tags, object)
            } else {
                object
            }
        });
        Ok(listing::each_once(objects.collect()))
    }

    async fn create(&self, request: Create<'_, ElasticIp>) -> Result<Object<ElasticIp>> {
        let tags = tags::of_new(&request, &request.spec.tags);
        let call = self.0.ec2.allocate_address().domain(DomainType::Vpc);
        let call = call.tag_specifications(tags::specification(ResourceType::ElasticIp, &tags));
        let made = self.0.call(request.cx, "ec2:AllocateAddress", call.send()).await?;
        let id = made.allocation_id().ok_or_else(|| listing::unanswered("ec2:AllocateAddress"))?;
        let spec = ElasticIp { tags: tags::further(&tags) };
        let ip = made.public_ip().unwrap_or_default().to_owned();
        Ok(tags::object(request.scope, id, &tags, spec).output(ElasticIp::IP, ip))
    }

    async fn update(&self, request: Update<'_, ElasticIp>) -> Result<Object<ElasticIp>> {
        let mut now = request.object.clone();
        tags::set(&self.0, request.cx, &now.id, &request.spec.tags).await?;
        now.spec.tags.extend(request.spec.tags.clone());
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, ElasticIp>) -> Result<Object<ElasticIp>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, ElasticIp>) -> Result<Deletion> {
        let call = self.0.ec2.release_address().allocation_id(&request.object.id);
        self.0.call(request.cx, "ec2:ReleaseAddress", call.send()).await?;
        Ok(Deletion::Done)
    }
}

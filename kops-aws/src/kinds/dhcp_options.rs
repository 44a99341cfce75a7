//! DHCP options of machines.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, NewDhcpConfiguration, ResourceType};
use futures_util::future::try_join;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Replacement,
    Scope, Update,
};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// DHCP options of a VPC. AWS does not support changing options: different options are a new object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// The domain for short host names.
    pub domain_name: Option<String>,
    /// Name servers, by address; `AmazonProvidedDNS` is AWS's own.
    pub name_servers: Vec<String>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for DhcpOptions {
    const KIND: &'static str = "DhcpOptions";
    type Resolved = Self;
}

const DOMAIN_NAME: &str = "domain-name";
const NAME_SERVERS: &str = "domain-name-servers";

#[derive(Debug)]
pub(crate) struct DhcpOptionSets(pub(crate) Clients);

#[async_trait]
impl Handler for DhcpOptionSets {
    type Kind = DhcpOptions;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "tags" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn replacement(&self) -> Replacement {
        Replacement::CreateFirst
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<DhcpOptions>>> {
        let describe = |filter| listing::dhcp_options(&self.0, query.cx, filter);
        let found: Vec<_> = match query.filter {
            Filter::Scope { shared, .. } => {
                let shared = listing::find(listing::any_of("dhcp-options-id", shared), describe);
                let (owned, shared) = try_join(owned(&self.0, query), shared).await?;
                owned.iter().cloned().chain(shared).collect()
            }
            Filter::Ids(ids) => listing::find(listing::any_of("dhcp-options-id", ids), describe).await?,
        };
        Ok(listing::each_once(found.iter().map(|options| observed(query.scope, options)).collect()))
    }

    async fn create(&self, request: Create<'_, DhcpOptions>) -> Result<Object<DhcpOptions>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let option = |key: &str, values: Vec<String>| {
            NewDhcpConfiguration::builder().key(key).set_values(Some(values)).build()
        };
        let mut call = self.0.ec2.create_dhcp_options();
        if let Some(name) = &spec.domain_name {
            call = call.dhcp_configurations(option(DOMAIN_NAME, vec![name.clone()]));
        }
        if !spec.name_servers.is_empty() {
            call = call.dhcp_configurations(option(NAME_SERVERS, spec.name_servers.clone()));
        }
        let call = call.tag_specifications(tags::specification(ResourceType::DhcpOptions, &tags));
        let made = self.0.call(request.cx, "ec2:CreateDhcpOptions", call.send()).await?;
        let mut options = made.dhcp_options.ok_or_else(|| listing::unanswered("ec2:CreateDhcpOptions"))?;
        options.tags = Some(tags::ec2(&tags));
        Ok(observed(request.scope, &options))
    }

    async fn update(&self, request: Update<'_, DhcpOptions>) -> Result<Object<DhcpOptions>> {
        let mut now = request.object.clone();
        tags::set(&self.0, request.cx, &now.id, &request.spec.tags).await?;
        now.spec.tags.extend(request.spec.tags.clone());
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, DhcpOptions>) -> Result<Object<DhcpOptions>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, DhcpOptions>) -> Result<Deletion> {
        let call = self.0.ec2.delete_dhcp_options().dhcp_options_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteDhcpOptions", call.send()).await?;
        Ok(Deletion::Done)
    }
}

/// The options that the scope may own; other kinds read them from the same response.
pub(super) async fn owned(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<types::DhcpOptions>>> {
    let describe = |filter| listing::dhcp_options(clients, query.cx, filter);
    listing::of_scope(query, "ec2:DescribeDhcpOptions", describe).await
}

fn observed(scope: &Scope, options: &types::DhcpOptions) -> Object<DhcpOptions> {
    let tags = tags::read(options.tags());
    let values = |key: &str| -> Vec<String> {
        let options = options.dhcp_configurations().iter().filter(|option| option.key() == Some(key));
        let values = options.flat_map(types::DhcpConfiguration::values);
        values.filter_map(|value| value.value().map(str::to_owned)).collect()
    };
    let spec = DhcpOptions {
        domain_name: values(DOMAIN_NAME).into_iter().next(),
        name_servers: values(NAME_SERVERS),
        tags: tags::further(&tags),
    };
    tags::object(scope, options.dhcp_options_id().unwrap_or_default(), &tags, spec)
}

//! External networks.

use async_trait::async_trait;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::clients::{Call, Clients, Service};

/// An external network, created by the cloud's operator; looked up by name or identifier, or as
/// [`ExternalNetwork::THE_ONLY_ONE`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExternalNetwork {}

impl ExternalNetwork {
    /// Selects the external network of a cloud with exactly one.
    pub const THE_ONLY_ONE: &'static str = "the only one";
}

impl Resource for ExternalNetwork {
    const KIND: &'static str = "ExternalNetwork";
    type Resolved = Self;
}

#[derive(Deserialize)]
struct Found {
    id: String,
    name: String,
}

#[derive(Debug)]
pub(crate) struct ExternalNetworks(pub(crate) Clients);

#[async_trait]
impl Lookup for ExternalNetworks {
    type Kind = ExternalNetwork;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<ExternalNetwork>>> {
        let call = Call::get(Service::Network, "networks").query(&[("router:external", "true".to_owned())]);
        let found: Vec<Found> = self.0.all(query.cx, call, "networks").await?;
        if selectors.contains(&ExternalNetwork::THE_ONLY_ONE) && found.len() > 1 {
            let names: Vec<_> = found.iter().map(|it| it.name.as_str()).collect();
            return Err(Error::invalid(format!(
                "the cloud has more than one external network: {}",
                names.join(", ")
            ))
            .with_hint(
                "specify one: OpenstackBuilder::external_network, or router.externalNetwork in the specification",
            ));
        }
        let only = found.len() == 1;
        let object = |it: Found| {
            let object = Object::foreign(it.id, ExternalNetwork {}).alias(it.name);
            if only { object.alias(ExternalNetwork::THE_ONLY_ONE) } else { object }
        };
        Ok(found.into_iter().map(object).collect())
    }
}

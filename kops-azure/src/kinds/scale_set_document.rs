//! Scale sets as documents.
//!
//! The SDK's model of a scale set has a struct without fields for the identities of its machines: they can be
//! neither written nor read with it, and writing back what was read would remove them. So scale sets are read
//! and written as documents, by requests of our own with the same API version.

use azure_core::Method;
use futures_util::StreamExt as _;
use kops_core::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arm::{Head, Model, put_over};
use crate::clients::{Clients, Pages, Sent};
use crate::ids;
use crate::tags::{self, Tags};

/// The API version that azure_mgmt_compute 0.21 uses.
pub(crate) const API_VERSION: &str = "2024-07-01";
const TYPE: &str = "Microsoft.Compute/virtualMachineScaleSets";

/// A scale set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ScaleSetDocument(pub(crate) Value);

impl Model for ScaleSetDocument {
    fn head(&self) -> Head {
        let text = |path: &str| self.0.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Head {
            id: text("/id").unwrap_or_default(),
            name: text("/name").unwrap_or_default(),
            tags: tags::read(self.0.get("tags")),
            state: text("/properties/provisioningState"),
        }
    }

    fn set_tags(&mut self, tags: &Tags) {
        self.0["tags"] = tags::write(tags);
    }
}

fn path(clients: &Clients, group: &str, name: &str) -> String {
    ids::of(&clients.subscription, group, TYPE, name)
}

/// A request that cannot be built fails when it is sent.
fn or_fail(request: Result<Sent>) -> Sent {
    request.unwrap_or_else(|error| {
        Box::pin(async move { Err(azure_core::Error::new(azure_core::error::ErrorKind::Other, error)) })
    })
}

pub(crate) fn get(clients: &Clients, group: &str, name: &str) -> Sent {
    or_fail(clients.raw(Method::Get, &path(clients, group, name), API_VERSION, &[], None))
}

/// A PUT of a new scale set, or over the version of one that was read.
pub(crate) fn put(
    clients: &Clients,
    group: &str,
    name: &str,
    model: &ScaleSetDocument,
    fresh: bool,
) -> Result<Sent> {
    let path = path(clients, group, name);
    if fresh {
        return clients.raw(Method::Put, &path, API_VERSION, &[("if-none-match", "*")], Some(&model.0));
    }
    put_over(clients, &path, API_VERSION, model.0.clone())
}

/// A page of a listing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    value: Vec<ScaleSetDocument>,
    next_link: Option<String>,
}

pub(crate) fn list(clients: &Clients, group: &str) -> Pages<ScaleSetDocument> {
    let first = format!("{}/providers/{TYPE}", clients.group_id(group));
    let first = or_fail(clients.raw(Method::Get, &first, API_VERSION, &[], None));
    let clients = clients.clone();
    futures_util::stream::unfold(Some(first), move |request| {
        let clients = clients.clone();
        async move {
            let page = async {
                let bytes = request?.await.map(|answer| answer.into_body().collect());
                Some(bytes)
            };
            let bytes = match page.await? {
                Ok(bytes) => bytes.await,
                Err(error) => return Some((Err(error), None)),
            };
            let page = bytes.and_then(|bytes| Ok(serde_json::from_slice::<Page>(&bytes)?));
            Some(match page {
                Ok(page) => {
                    let next = page.next_link.filter(|it| !it.is_empty()).map(|link| clients.follow(&link));
                    (Ok(page.value), next)
                }
                Err(error) => (Err(error), None),
            })
        }
    })
    .boxed()
}

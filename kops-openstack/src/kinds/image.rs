//! Images.

use async_trait::async_trait;
use futures_util::future::try_join;
use kops_core::Result;
use kops_core::cloud::{Lookup, Object, Query, State};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use crate::clients::{Call, Clients, Service};

/// A machine image; looked up by name or identifier. Among images of the same name the newest is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The minimum disk size, in GiB.
    pub min_disk: u32,
}

impl Resource for Image {
    const KIND: &'static str = "GlanceImage";
    type Resolved = Self;
}

#[derive(Deserialize)]
struct Found {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    min_disk: u32,
    #[serde(default)]
    status: String,
    #[serde(default)]
    created_at: String,
}

#[derive(Debug)]
pub(crate) struct Images(pub(crate) Clients);

#[async_trait]
impl Lookup for Images {
    type Kind = Image;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Image>>> {
        let is_id =
            |text: &&&str| text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let ids: Vec<&str> = selectors.iter().filter(is_id).copied().collect();
        let (mut found, named) =
            try_join(self.find("id", &ids, query), self.find("name", selectors, query)).await?;
        found.extend(named);
        // The newest first; older ones of the same name are dropped.
        found.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        found.dedup_by(|a, b| a.id == b.id);
        let mut seen = std::collections::HashSet::new();
        let object = |it: Found| {
            let state = match it.status.as_str() {
                "active" => State::Ready,
                other => State::Failed(format!("the image is {other}")),
            };
            let object = Object::foreign(&it.id, Image { min_disk: it.min_disk }).state(state);
            match it.name {
                Some(name) if seen.insert(name.clone()) => object.alias(name),
                _ => object,
            }
        };
        Ok(found.into_iter().map(object).collect())
    }
}

impl Images {
    async fn find(&self, by: &str, values: &[&str], query: &Query<'_>) -> Result<Vec<Found>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        // A comma in a name separates list items unless it is quoted.
        let quoted: Vec<_> =
            values.iter().map(|value| format!("\"{}\"", value.replace('"', "\\\""))).collect();
        let call = Call::get(Service::Image, "images").query(&[(by, format!("in:{}", quoted.join(",")))]);
        self.0.all(query.cx, call, "images").await
    }
}

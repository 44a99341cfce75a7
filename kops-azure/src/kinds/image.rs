//! Machine images.

use async_trait::async_trait;
use azure_core::Method;
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{Context, Lookup, Object, Query};
use kops_core::resource::{Output, Resource};
use kops_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clients::{Clients, sent};
use crate::ids;

/// An image: `publisher:offer:sku:version` of the marketplace (the version may be `latest`), or the
/// identifier of an image in the subscription or in a gallery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {}

impl Image {
    /// The processor architecture, `x64` or `Arm64`; known of images of the marketplace.
    pub const ARCHITECTURE: Output<Self, String> = Output::new("architecture");
}

impl Resource for Image {
    const KIND: &'static str = "Image";
    const OUTPUTS: &'static [&'static str] = &[Self::ARCHITECTURE.name()];
    type Resolved = Self;
}

const MARKETPLACE: &str = "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read";
const IMAGE: &str = "Microsoft.Compute/images/read";
const GALLERY: &str = "Microsoft.Compute/galleries/images/versions/read";
/// The API version of galleries; other images use that of compute.
const GALLERY_VERSION: &str = "2023-07-03";

#[derive(Debug)]
pub(crate) struct Images(pub(crate) Clients);

#[async_trait]
impl Lookup for Images {
    type Kind = Image;

    /// One call for each image: the API has no listing, and groups use few images.
    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Image>>> {
        let found = try_join_all(selectors.iter().map(|selector| self.find(query.cx, selector))).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

impl Images {
    async fn find(&self, cx: &Context, selector: &str) -> Result<Option<Object<Image>>> {
        let object = Object::foreign(selector, Image {});
        Ok(match self.read(cx, selector).await {
            Ok(Some(image)) => {
                Some(match image.pointer("/properties/architecture").and_then(Value::as_str) {
                    Some(architecture) => object.output(Image::ARCHITECTURE, architecture.to_owned()),
                    None => object,
                })
            }
            Ok(None) => None,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        })
    }

    async fn read(&self, cx: &Context, selector: &str) -> Result<Option<Value>> {
        let location = &self.0.location;
        let subscription = &self.0.subscription;
        let client = self.0.compute.virtual_machine_images_client();
        let parts: Vec<_> = selector.split(':').collect();
        match parts[..] {
            [publisher, offer, sku, "latest"] => {
                let list = client.list(location, publisher, offer, sku, subscription).top(1);
                let list = list.expand("properties").send();
                let found: Vec<Value> = self.0.fetch(cx, MARKETPLACE, sent(list)).await?;
                Ok(found.into_iter().next())
            }
            [publisher, offer, sku, version] => {
                let get = client.get(location, publisher, offer, sku, version, subscription);
                self.0.fetch(cx, MARKETPLACE, sent(get.send())).await.map(Some)
            }
            _ if selector.starts_with('/') => {
                let gallery = ids::after(selector, "galleries").is_some();
                let (call, version) = if gallery {
                    (GALLERY, GALLERY_VERSION)
                } else {
                    (IMAGE, super::scale_set_document::API_VERSION)
                };
                let get = self.0.raw(Method::Get, selector, version, &[], None)?;
                self.0.fetch(cx, call, get).await.map(Some)
            }
            _ => Err(Error::invalid(format!("{selector:?} is not an image"))
                .with_hint("use publisher:offer:sku:version, or the identifier of an image")),
        }
    }
}

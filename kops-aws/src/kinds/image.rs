//! Machine images.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, Filter};
use futures_util::future::try_join;
use kops_core::cloud::{Object, Query};
use kops_core::resource::{Output, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use kops_core::cloud::Lookup;

/// A machine image; looked up by its identifier (`ami-…`) or by `owner/name`.
///
/// The owner is an account number or one of kOps' aliases (`ubuntu`, `debian`, `amazon`, `flatcar`,
/// `redhat`); among images of the same name the latest is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// The processor architecture: `x86_64`, `arm64`.
    pub architecture: String,
    /// The device name of the root volume.
    pub root_device: String,
}

impl Image {
    /// The processor architecture: `x86_64`, `arm64`.
    pub const ARCHITECTURE: Output<Self, String> = Output::new("architecture");
    /// The device name of the root volume.
    pub const ROOT_DEVICE: Output<Self, String> = Output::new("root_device");
}

impl Resource for Image {
    const KIND: &'static str = "Image";
    const OUTPUTS: &'static [&'static str] = &[Self::ARCHITECTURE.name(), Self::ROOT_DEVICE.name()];
    type Resolved = Self;
}

/// kOps' aliases of owners, with their account numbers. <https://kops.sigs.k8s.io/operations/images/>
const OWNERS: &[(&str, &str)] = &[
    ("amazon", "137112412989"),
    ("debian", "136693071363"),
    ("flatcar", "075585003325"),
    ("redhat", "309956199498"),
    ("ubuntu", "099720109477"),
];

pub(crate) struct Images(pub(crate) Clients);

#[async_trait]
impl Lookup for Images {
    type Kind = Image;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Image>>> {
        if let Some(parameter) = selectors.iter().find(|selector| selector.starts_with("ssm:")) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the image `{parameter}` is an SSM parameter, which is not supported"),
            )
            .with_hint("use the image's identifier (ami-…) or its owner and name"));
        }
        let (ids, names): (Vec<&str>, Vec<&str>) = selectors.iter().partition(|it| it.starts_with("ami-"));
        let names: Vec<_> = names.into_iter().filter_map(|it| Some((it, owned_name(it)?))).collect();
        let mut owners: Vec<_> = names.iter().map(|(_, (owner, _))| (*owner).to_owned()).collect();
        owners.sort_unstable();
        owners.dedup();
        let by_id =
            listing::find(listing::any_of("image-id", &ids), |filter| self.describe(filter, &[], query));
        // One call for all of them: owners and names are filtered separately, and combined here.
        let wanted: Vec<_> = names.iter().map(|(_, (_, name))| *name).collect();
        let by_name =
            listing::find(listing::any_of("name", &wanted), |filter| self.describe(filter, &owners, query));
        let (by_id, by_name) = try_join(by_id, by_name).await?;
        let mut found: Vec<_> = by_id.iter().map(observed).collect();
        for (selector, (owner, name)) in names {
            let images = by_name.iter();
            let latest = images
                .filter(|image| image.name() == Some(name) && is_owner(image, owner))
                .max_by_key(|image| image.creation_date());
            found.extend(latest.map(|image| observed(image).alias(selector)));
        }
        Ok(merged(found))
    }
}

impl Images {
    async fn describe(
        &self,
        filter: Filter,
        owners: &[String],
        query: &Query<'_>,
    ) -> Result<Vec<types::Image>> {
        let call = self.0.ec2.describe_images().filters(filter);
        let call = call.set_owners((!owners.is_empty()).then(|| owners.to_vec()));
        let answer = self.0.call(query.cx, "ec2:DescribeImages", call.send()).await?;
        Ok(answer.images.unwrap_or_default())
    }
}

/// The owner, as AWS knows it, and the name of an image.
fn owned_name(selector: &str) -> Option<(&str, &str)> {
    let (owner, name) = selector.split_once('/')?;
    let known = OWNERS.iter().find(|(known, _)| *known == owner);
    Some((known.map_or(owner, |(_, number)| number), name))
}

fn is_owner(image: &types::Image, owner: &str) -> bool {
    image.owner_id() == Some(owner) || image.image_owner_alias() == Some(owner)
}

/// An image that several selectors refer to, with all of them.
fn merged(found: Vec<Object<Image>>) -> Vec<Object<Image>> {
    let mut all: Vec<Object<Image>> = Vec::new();
    for image in found {
        match all.iter_mut().find(|it| it.id == image.id) {
            Some(first) => first.aliases.extend(image.aliases),
            None => all.push(image),
        }
    }
    all
}

fn observed(image: &types::Image) -> Object<Image> {
    let spec = Image {
        name: image.name().unwrap_or_default().to_owned(),
        architecture: image.architecture().map(ToString::to_string).unwrap_or_default(),
        root_device: image.root_device_name().unwrap_or_default().to_owned(),
    };
    Object::foreign(image.image_id().unwrap_or_default(), spec.clone())
        .output(Image::ARCHITECTURE, spec.architecture)
        .output(Image::ROOT_DEVICE, spec.root_device)
}

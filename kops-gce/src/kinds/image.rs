//! Machine images.
//!
//! Images have kOps' names: `project/name`, or `project/family/name` for the newest image of a family; a bare
//! name is one of the project's own. A name without an image is treated as a family. The newest image of a
//! family changes over time, and with it everything that refers to the family.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use google_cloud_compute_v1::model;
use kops_core::cloud::{Context, Lookup, Object, Query};
use kops_core::resource::{Output, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clients::Clients;
use crate::path::{Path, short};

/// A machine image, by `project/name`, `project/family/name`, or its URL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {}

impl Image {
    /// The processor architecture, `X86_64` or `ARM64`; old images have none.
    pub const ARCHITECTURE: Output<Self, String> = Output::new("architecture");
}

impl Resource for Image {
    const KIND: &'static str = "Image";
    const OUTPUTS: &'static [&'static str] = &[Self::ARCHITECTURE.name()];
    type Resolved = Self;
}

/// The architecture of images that nobody has told.
const UNSPECIFIED: &str = "ARCHITECTURE_UNSPECIFIED";

pub(crate) struct Images(pub(crate) Clients);

impl Images {
    /// One call for each image in use, of which a cluster has one or two.
    async fn get(&self, selector: &str, cx: &Context) -> Result<Option<Object<Image>>> {
        let clients = &self.0;
        let (project, family, name) = read(selector, &clients.project);
        let of_family = || {
            let get = clients.images.get_from_family().set_project(&project).set_family(&name);
            clients.call(cx, "compute.images.getFromFamily", get.send())
        };
        let got: Result<model::Image> = if family {
            of_family().await
        } else {
            let get = clients.images.get().set_project(&project).set_image(&name);
            match clients.call(cx, "compute.images.get", get.send()).await {
                // Short for a family, as in gcloud.
                Err(error) if error.kind() == ErrorKind::NotFound => of_family().await,
                got => got,
            }
        };
        match got {
            Ok(image) => {
                let link = image.self_link.unwrap_or_default();
                let object = Object::foreign(short(&link), Image {}).alias(selector);
                let architecture = image.architecture.as_ref().and_then(|it| it.name());
                Ok(Some(match architecture.filter(|it| *it != UNSPECIFIED) {
                    Some(architecture) => object.output(Image::ARCHITECTURE, architecture.to_owned()),
                    None => object,
                }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Lookup for Images {
    type Kind = Image;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Image>>> {
        let images = try_join_all(selectors.iter().map(|selector| self.get(selector, query.cx))).await?;
        let mut found: Vec<Object<Image>> = Vec::new();
        for image in images.into_iter().flatten() {
            // A family and its newest image may both be in use.
            match found.iter_mut().find(|it| it.id == image.id) {
                Some(same) => same.aliases.extend(image.aliases),
                None => found.push(image),
            }
        }
        Ok(found)
    }
}

/// Project, whether it is a family, and name.
fn read(selector: &str, own: &str) -> (String, bool, String) {
    if let Ok(path) = Path::parse(selector)
        && path.collection == "images"
    {
        let family = short(selector).split("/images/family/").nth(1).map(str::to_owned);
        return (path.project, family.is_some(), family.unwrap_or(path.name));
    }
    let selector = selector.strip_prefix("global/images/").unwrap_or(selector);
    match selector.split('/').collect::<Vec<_>>()[..] {
        [project, "family", name] => (project.to_owned(), true, name.to_owned()),
        ["family", name] => (own.to_owned(), true, name.to_owned()),
        [project, name] => (project.to_owned(), false, name.to_owned()),
        _ => (own.to_owned(), false, selector.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn images_are_named_as_kops_and_google_name_them() {
        let own = |name: &str| ("own".to_owned(), false, name.to_owned());
        let theirs = |family, name: &str| ("p".to_owned(), family, name.to_owned());
        assert_eq!(read("i", "own"), own("i"));
        assert_eq!(read("p/i", "own"), theirs(false, "i"));
        assert_eq!(read("p/family/f", "own"), theirs(true, "f"));
        assert_eq!(read("projects/p/global/images/i", "own"), theirs(false, "i"));
        assert_eq!(read("https://x/compute/v1/projects/p/global/images/family/f", "own"), theirs(true, "f"));
    }
}

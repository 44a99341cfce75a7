//! The clouds that this program was built without.

use std::sync::Arc;

use async_trait::async_trait;
use kops_core::store::{StateStore, StoreOpener, StoreUrl};
use kops_core::{Error, ErrorKind, Result};

/// A cloud whose feature is off.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftOut {
    /// Its name in specifications, which is also its feature's.
    pub(super) name: &'static str,
    /// The scheme of its state stores.
    pub(super) scheme: &'static str,
}

/// The clouds that are missing in this build.
pub(super) const ALL: &[LeftOut] = &[
    #[cfg(not(feature = "aws"))]
    LeftOut { name: "aws", scheme: "s3" },
    #[cfg(not(feature = "gce"))]
    LeftOut { name: "gce", scheme: "gs" },
    #[cfg(not(feature = "openstack"))]
    LeftOut { name: "openstack", scheme: "swift" },
    #[cfg(not(feature = "azure"))]
    LeftOut { name: "azure", scheme: "azureblob" },
];

impl LeftOut {
    /// The error for this cloud.
    pub(super) fn refusal(&self) -> Error {
        let Self { name, .. } = self;
        Error::new(ErrorKind::Unsupported, format!("this program was built without the cloud {name}"))
            .with_hint(format!("build it with the feature {name}: `cargo build -p kops --features {name}`"))
    }
}

/// Rejects the cloud's state stores.
#[async_trait]
impl StoreOpener for LeftOut {
    async fn open(&self, _: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        Err(self.refusal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_refusal_names_the_feature() {
        let cloud = LeftOut { name: "moon", scheme: "dust" };
        let store = cloud.open(&"dust://crater".parse().unwrap()).await;
        for error in [cloud.refusal(), store.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("--features moon"), "{error}");
        }
    }
}

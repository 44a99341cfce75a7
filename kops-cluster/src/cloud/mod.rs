//! What a cluster requires of a provider beyond [`Cloud`].

mod dialect;

use std::sync::Arc;

use kops_core::cloud::{Cloud, With};

pub use dialect::{CLUSTER_FIELDS, Dialect, GROUP_FIELDS, NoDialect, Purpose, extend};
pub(crate) use dialect::{hand_on, refuse_unclaimed};

/// A cloud that clusters can be built on.
///
/// Provider crates implement it behind their feature `cluster`, which is enabled by default. A `dyn
/// ClusterCloud` coerces to the `dyn Cloud` that an [`Engine`](kops_core::Engine) takes.
pub trait ClusterCloud: Cloud {
    /// How the provider translates the provider-specific settings of a specification; by default it has none.
    fn dialect(&self) -> &dyn Dialect {
        &NoDialect
    }
}

/// A cluster cloud with custom kinds is a cluster cloud, too.
#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be lost")]
impl<C: ClusterCloud> ClusterCloud for With<C> {
    fn dialect(&self) -> &dyn Dialect {
        self.cloud().dialect()
    }
}

#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be lost")]
impl<C: ClusterCloud + ?Sized> ClusterCloud for Arc<C> {
    fn dialect(&self) -> &dyn Dialect {
        (**self).dialect()
    }
}

#[cfg(feature = "testing")]
impl ClusterCloud for kops_core::testing::MemoryCloud {}

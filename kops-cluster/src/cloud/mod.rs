//! What a cluster requires of a provider beyond [`Cloud`].

mod dialect;

use kops_core::cloud::Cloud;

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

#[cfg(feature = "testing")]
impl ClusterCloud for kops_core::testing::MemoryCloud {}

//! What the program does alike on every cloud.

pub(crate) mod account;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gce")]
mod gce;
pub(crate) mod kill;
mod life;
#[cfg(feature = "openstack")]
mod openstack;

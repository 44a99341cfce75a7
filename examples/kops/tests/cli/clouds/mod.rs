//! What the program does alike on every cloud.

pub(crate) mod account;
mod azure;
mod gce;
pub(crate) mod kill;
mod life;
mod openstack;

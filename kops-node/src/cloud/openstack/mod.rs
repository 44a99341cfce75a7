//! OpenStack, where machines have no identity. Their user data contains signed URLs that expire, in the file
//! `/var/lib/kops/openstack.json`; a control plane uses them once to read an application credential of least
//! privilege, which replaces them.

mod access;
mod keystone;
mod machines;
mod metadata;
mod store;
mod temp_url;
mod volumes;

pub use access::Access;
pub use keystone::{Credential, Keystone};
pub use machines::Nova;
pub use metadata::Metadata;
pub use store::Swift;
pub use temp_url::{TempUrl, TempUrls};
pub use volumes::Volumes;

#[cfg(test)]
mod tests;

//! OpenStack, which gives machines no identity: the file `/var/lib/kops/openstack.json`, which the user data has brought,
//! holds either an application credential, confined to what a control plane needs, or URLs that carry a signature.

mod keystone;
mod machines;
mod metadata;
mod store;
mod temp_url;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::machine::{Host, WORK};

pub use keystone::{Credential, Keystone};
pub use machines::Nova;
pub use metadata::Metadata;
pub use store::Swift;
pub use temp_url::{TempUrl, TempUrls};

/// What the user data has brought.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// A control plane's.
    Credential(Credential),
    /// A node's.
    Urls(Vec<TempUrl>),
}

impl Access {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing, or not of this format. Nothing of it is in the message.
    pub fn read(host: &dyn Host) -> Result<Self> {
        let path = format!("{WORK}/openstack.json");
        let doing = format!("reading {path}");
        let bytes = host
            .read(&path)?
            .ok_or_else(|| Error::failed(&doing, "it is missing: the user data brings it"))?;
        serde_json::from_slice(&bytes)
            .map_err(|_| Error::invalid(doing, "it holds neither a credential nor URLs"))
    }
}

#[cfg(test)]
mod tests;

//! The credentials of a machine.

use serde::Deserialize;

use super::{Credential, TempUrl, TempUrls};
use crate::bundle::Role;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Http;
use crate::machine::{Host, WORK};
use crate::stage0::CREDENTIAL;
use crate::store::Store as _;

/// The content of the file, or of the object that a control plane reads: one of the two members.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Access {
    /// A control plane's.
    pub credential: Option<Credential>,
    /// The URLs from the user data.
    #[serde(default)]
    pub urls: Vec<TempUrl>,
}

impl Access {
    /// Reads the file; `None` if the user data contains none because the state store is not Swift.
    ///
    /// # Errors
    /// If it does not have this format. The message does not quote it.
    pub fn read(host: &dyn Host) -> Result<Option<Self>> {
        let path = path();
        host.read(&path)?.map(|bytes| parse(&bytes, &format!("reading {path}"))).transpose()
    }

    /// Replaces the URLs with a control plane's credential, which is read once and stored, because its URL
    /// expires.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn complete(self, role: Role, http: &Http, host: &dyn Host) -> Result<Self> {
        if role != Role::ControlPlane || self.credential.is_some() {
            return Ok(self);
        }
        let doing = "reading this control plane's credential";
        let object = TempUrls::new(http.clone(), self.urls).read(CREDENTIAL).map_err(|e| match e.kind() {
            ErrorKind::Denied => Error::new(
                ErrorKind::Denied,
                doing,
                "the URL in the user data expired a day after the machine was created: replace the machine",
            ),
            _ => e,
        })?;
        let object =
            object.ok_or_else(|| Error::waiting(doing, format!("{CREDENTIAL} is not in the state store")))?;
        let access = parse(&object.bytes, doing)?;
        if access.credential.is_none() {
            return Err(Error::invalid(doing, format!("{CREDENTIAL} of the state store contains none")));
        }
        host.write(&path(), &object.bytes, 0o600)?;
        Ok(access)
    }
}

fn path() -> String {
    format!("{WORK}/openstack.json")
}

fn parse(bytes: &[u8], doing: &str) -> Result<Access> {
    serde_json::from_slice(bytes)
        .map_err(|_| Error::invalid(doing, "it contains neither a credential nor URLs"))
}

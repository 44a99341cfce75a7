//! kOps' keysets as kubeadm's files, below `/etc/kubernetes/pki`.
//!
//! A keyset has one primary key, which signs, and others that are also trusted during a rotation. kubeadm
//! signs with the first certificate of a `.crt` file; API server, controller manager and kubelet trust all of
//! them.
//!
//! With the authorities' keys on the machine, kubeadm issues all leaf certificates. It never reissues an
//! existing one, even if names are missing: [`leaves`] deletes them if what they depend on has changed.

mod keyset;
pub mod leaves;

use crate::bundle::Keyset as Reference;
use crate::error::{Error, Result};
use crate::machine::Host;
use crate::store::Store;

pub use keyset::{Key, Keyset};

/// kubeadm's directory of keys.
pub const DIRECTORY: &str = "/etc/kubernetes/pki";

/// Writes the files of all keysets; returns whether any changed.
///
/// # Errors
/// `Waiting` if the store has no such keyset, `Invalid` if it is not the one that the bundle was rendered
/// with.
pub fn install(host: &dyn Host, store: &dyn Store, keysets: &[Reference]) -> Result<bool> {
    let mut changed = false;
    for reference in keysets {
        let at = format!("pki/private/{}/keyset.yaml", reference.name);
        let doing = format!("installing keyset {}", reference.name);
        let object =
            store.read(&at)?.ok_or_else(|| Error::waiting(&doing, "it is not in the state store"))?;
        let keyset = Keyset::parse(&object.bytes)?;
        let mut ids: Vec<_> = keyset.trusted().map(|it| it.id.as_str()).collect();
        let mut wanted: Vec<_> = reference.ids.iter().map(String::as_str).collect();
        ids.sort_unstable();
        wanted.sort_unstable();
        if ids != wanted {
            let why = format!(
                "the state store has keys {}, but this machine's bundle requires {}: update the cluster \
                 and replace the machine",
                ids.join(", "),
                wanted.join(", ")
            );
            return Err(Error::invalid(doing, why));
        }
        changed |= write(host, reference, &keyset)?;
    }
    Ok(changed)
}

fn write(host: &dyn Host, reference: &Reference, keyset: &Keyset) -> Result<bool> {
    let primary = keyset.primary()?;
    let path = format!("{DIRECTORY}/{}", reference.file);
    let mut changed = false;
    if let Some(key) = &primary.private {
        changed |= host.write(&format!("{path}.key"), key.as_bytes(), 0o600)?;
    }
    let ordered = std::iter::once(primary).chain(keyset.trusted().filter(|it| it.id != primary.id));
    let (name, text) = if reference.name == "service-account" {
        let keys: Vec<_> = ordered.map(Key::public_key).collect::<Result<_>>()?;
        (format!("{path}.pub"), keys.concat())
    } else {
        (format!("{path}.crt"), ordered.map(|it| it.certificate.as_str()).collect())
    };
    Ok(changed | host.write(&name, text.as_bytes(), 0o644)?)
}

#[cfg(test)]
mod tests;

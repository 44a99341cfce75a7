//! The certificates and kubeconfigs that kubeadm issues with the authorities, and when they must be reissued.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use super::DIRECTORY;
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::machine::{Host, WORK};

/// The leaf certificates that `kubeadm init phase certs` creates, without `.crt` and `.key`.
pub const LEAVES: [&str; 7] = [
    "apiserver",
    "apiserver-kubelet-client",
    "front-proxy-client",
    "apiserver-etcd-client",
    "etcd/server",
    "etcd/peer",
    "etcd/healthcheck-client",
];

/// The kubeconfigs that `kubeadm init phase kubeconfig all` creates.
pub const KUBECONFIGS: [&str; 5] =
    ["admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "kubelet.conf"];

/// Deletes leaf certificates and kubeconfigs if what they depend on has changed since they were created: the
/// authorities, and `facts` (kubeadm's documents, the machine's name and address). kubeadm then reissues
/// them; otherwise it would keep them.
///
/// # Errors
/// If files cannot be read or removed.
pub fn refresh(host: &dyn Host, facts: &[&str]) -> Result<bool> {
    let mut all = facts.join("\n");
    for authority in ["ca", "front-proxy-ca", "etcd/ca"] {
        let bytes = host.read(&format!("{DIRECTORY}/{authority}.crt"))?.unwrap_or_default();
        all.push_str(&sha256(bytes));
    }
    let (file, now) = (format!("{WORK}/leaves"), sha256(&all));
    let known = host.read(&file)?;
    if known.as_deref() == Some(now.as_bytes()) {
        return Ok(false);
    }
    if known.is_some() {
        for leaf in LEAVES {
            host.remove(&format!("{DIRECTORY}/{leaf}.crt"))?;
            host.remove(&format!("{DIRECTORY}/{leaf}.key"))?;
        }
        for name in KUBECONFIGS {
            host.remove(&format!("/etc/kubernetes/{name}"))?;
        }
    }
    host.write(&file, now.as_bytes(), 0o644)?;
    Ok(known.is_some())
}

/// To be called before `kubeconfig all`: with several authorities in `ca.crt`, the kubeconfigs contain all of
/// them (see [`trust_all`]), which kubeadm would report as an error because it only compares with the first
/// one.
///
/// # Errors
/// If files cannot be read or removed.
pub fn forget_kubeconfigs(host: &dyn Host) -> Result<()> {
    if authorities(host)?.matches("BEGIN CERTIFICATE").count() > 1 {
        for name in KUBECONFIGS {
            host.remove(&format!("/etc/kubernetes/{name}"))?;
        }
    }
    Ok(())
}

/// To be called after `kubeconfig all`: kubeadm only puts the first certificate of `ca.crt` into kubeconfigs,
/// but during a rotation they must contain all.
///
/// # Errors
/// If one cannot be read or written.
pub fn trust_all(host: &dyn Host) -> Result<()> {
    let all = authorities(host)?;
    if all.matches("BEGIN CERTIFICATE").count() < 2 {
        return Ok(());
    }
    for name in KUBECONFIGS {
        let path = format!("/etc/kubernetes/{name}");
        let Some(bytes) = host.read(&path)? else { continue };
        let mut config = kubeconfig(&path, &bytes)?;
        for cluster in config["clusters"].as_array_mut().into_iter().flatten() {
            cluster["cluster"]["certificate-authority-data"] = STANDARD.encode(&all).into();
        }
        // JSON is YAML.
        host.write(&path, config.to_string().as_bytes(), 0o600)?;
    }
    Ok(())
}

/// Reads a kubeconfig.
///
/// # Errors
/// If it is not a kubeconfig. The message does not quote it.
pub fn kubeconfig(path: &str, bytes: &[u8]) -> Result<Value> {
    let wrong = || Error::invalid(format!("reading {path}"), "it is not a kubeconfig");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    serde_saphyr::from_str(text).map_err(|_| wrong())
}

fn authorities(host: &dyn Host) -> Result<String> {
    let bytes = host.read(&format!("{DIRECTORY}/ca.crt"))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The leaf certificate that expires first, and when.
///
/// # Errors
/// If one cannot be read.
pub fn first_end(host: &dyn Host) -> Result<Option<(String, Timestamp)>> {
    let mut first: Option<(String, Timestamp)> = None;
    for leaf in LEAVES {
        let Some(pem) = host.read(&format!("{DIRECTORY}/{leaf}.crt"))? else { continue };
        let end = end(&pem).map_err(|e| Error::invalid(format!("reading certificate {leaf}"), e))?;
        if first.as_ref().is_none_or(|(_, it)| end < *it) {
            first = Some((leaf.to_owned(), end));
        }
    }
    Ok(first)
}

pub(crate) fn end(pem: &[u8]) -> Result<Timestamp, String> {
    let certificate = Certificate::from_pem(pem).map_err(|e| e.to_string())?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    let seconds = i64::try_from(end.as_secs()).map_err(|e| e.to_string())?;
    Timestamp::from_second(seconds).map_err(|e| e.to_string())
}

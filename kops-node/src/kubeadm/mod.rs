//! kubeadm by phases: it creates certificates, kubeconfigs and manifests. It is never used for etcd's
//! membership, nor `kubeadm reset` on control planes, which empties etcd's data directory while the member
//! stays in the list.

pub mod documents;
mod rbac;
mod second;

use crate::boot::api;
use crate::bundle::{Bundle, Etcd};
use crate::cloud::Identity;
use crate::error::{Error, Result};
use crate::etcd::Start;
use crate::machine::{Command, Host, WORK};

pub(crate) use rbac::JOINERS;
pub use rbac::objects as rbac_objects;

/// The manifest of an etcd cluster; that of `main` has kubeadm's name.
pub fn manifest_of(cluster: &str) -> String {
    let name = if cluster == "main" { "etcd".to_owned() } else { format!("etcd-{cluster}") };
    format!("/etc/kubernetes/manifests/{name}.yaml")
}

/// The phases that create etcd's certificates. (`certs all` would also create the API server's from etcd's
/// document.)
const ETCD_CERTIFICATES: [&str; 5] =
    ["etcd-ca", "etcd-server", "etcd-peer", "etcd-healthcheck-client", "apiserver-etcd-client"];

/// kubeadm on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Kubeadm<'a> {
    /// The machine.
    pub host: &'a dyn Host,
    /// The machine's bundle.
    pub bundle: &'a Bundle,
    /// The machine's identity.
    pub me: &'a Identity,
}

impl Kubeadm<'_> {
    /// The file of a document.
    fn file(name: &str) -> String {
        format!("{WORK}/{name}.yaml")
    }

    /// Runs `kubeadm init phase …` with a document.
    ///
    /// # Errors
    /// If kubeadm fails, with the end of its output.
    pub fn phase(&self, words: &[&str], document: Option<&str>) -> Result<()> {
        let mut all: Vec<String> = ["kubeadm", "init", "phase"].map(str::to_owned).into();
        all.extend(words.iter().map(|it| (*it).to_owned()));
        if let Some(document) = document {
            all.extend(["--config".to_owned(), Self::file(document)]);
        }
        self.host.must_run(&Command::new(all).env("HOME", "/root")).map(drop)
    }

    /// Writes a control plane's documents and patches, and returns those parts that leaf certificates depend
    /// on.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, member: &str) -> Result<String> {
        let cluster = documents::cluster(self.bundle, self.me, api::told(self.host)?.as_deref());
        let etcd = documents::etcd(self.bundle, self.me, member, &Start::WithData);
        self.host.write(&Self::file("cluster"), cluster.as_bytes(), 0o600)?;
        self.host.write(&Self::file("etcd"), etcd.as_bytes(), 0o600)?;
        self.patches()?;
        Ok(cluster + &etcd)
    }

    fn patches(&self) -> Result<()> {
        let directory = format!("{WORK}/patches");
        for name in self.host.list(&directory)? {
            if !self.bundle.kubeadm.patches.contains_key(&name) {
                self.host.remove(&format!("{directory}/{name}"))?;
            }
        }
        for (name, patch) in &self.bundle.kubeadm.patches {
            self.host.write(&format!("{directory}/{name}"), patch.to_string().as_bytes(), 0o600)?;
        }
        Ok(())
    }

    /// All certificates.
    ///
    /// # Errors
    /// If kubeadm fails.
    pub fn certificates(&self) -> Result<()> {
        for phase in ETCD_CERTIFICATES {
            self.phase(&["certs", phase], Some("etcd"))?;
        }
        self.phase(&["certs", "all"], Some("cluster"))
    }

    /// Writes the manifest of an etcd cluster, which starts it. That of `main` is first: the others are
    /// derived from it.
    ///
    /// # Errors
    /// If kubeadm fails, or its manifest is missing.
    pub fn etcd_manifest(&self, etcd: &Etcd, member: &str, start: &Start) -> Result<()> {
        let main = self.bundle.etcd.first().filter(|it| it.name != etcd.name);
        let Some(main) = main else {
            let text = documents::etcd(self.bundle, self.me, member, start);
            self.host.write(&Self::file("etcd"), text.as_bytes(), 0o600)?;
            return self.phase(&["etcd", "local"], Some("etcd"));
        };
        let path = manifest_of(&main.name);
        let doing = format!("reading {path}");
        let bytes = self.host.read(&path)?.ok_or_else(|| Error::waiting(&doing, "it is not there yet"))?;
        let written = serde_saphyr::from_str(&String::from_utf8_lossy(&bytes));
        let pod = second::manifest(
            &written.map_err(|e| Error::invalid(doing, e.to_string()))?,
            main,
            etcd,
            member,
            start,
        )?;
        // JSON is YAML.
        self.host.write(&manifest_of(&etcd.name), pod.to_string().as_bytes(), 0o600).map(drop)
    }

    /// Joins as a node with the discovery file.
    ///
    /// # Errors
    /// If kubeadm fails.
    pub fn join(&self, discovery: &str) -> Result<()> {
        let text = documents::join(self.bundle, self.me, discovery);
        self.host.write(&Self::file("join"), text.as_bytes(), 0o600)?;
        self.patches()?;
        let words = ["kubeadm", "join", "--config", &Self::file("join")];
        self.host.must_run(&Command::new(words).env("HOME", "/root")).map(drop)
    }

    /// Renews all certificates: etcd's by its own document, the rest by the cluster's.
    ///
    /// # Errors
    /// If kubeadm fails.
    pub fn renew(&self) -> Result<()> {
        for document in ["cluster", "etcd"] {
            let words = ["kubeadm", "certs", "renew", "all", "--config", &Self::file(document)];
            self.host.must_run(&Command::new(words).env("HOME", "/root"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! The public part of keysets: names and ids.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kops_core::Result;

use super::{AGGREGATOR_CA, ETCD_CA, KUBERNETES_CA, Keyset, SERVICE_ACCOUNT};
use crate::spec::Cluster;

/// A keyset that a cluster needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authority {
    /// Its name, for example `kubernetes-ca`.
    pub name: &'static str,
    /// Its files on control planes, below `/etc/kubernetes/pki` and without `.crt` and `.key`: kubeadm's own paths.
    pub file: &'static str,
}

/// The keysets that a cluster of this specification needs.
pub fn authorities(_cluster: &Cluster) -> &'static [Authority] {
    // All valid specifications need the same ones: kubeadm's.
    const ALL: [Authority; 4] = [
        Authority { name: KUBERNETES_CA, file: "ca" },
        Authority { name: AGGREGATOR_CA, file: "front-proxy-ca" },
        Authority { name: SERVICE_ACCOUNT, file: "sa" },
        Authority { name: ETCD_CA, file: "etcd/ca" },
    ];
    &ALL
}

/// The keysets of a cluster by name, with the ids of their trusted keys: all that a plan needs.
///
/// A keyset that is not created yet has no ids, and a bundle rendered with it is not the one that machines
/// get: a program that is about to apply a plan [generates](Keysets::generate_missing) it before planning,
/// and stores it before applying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keysets(BTreeMap<String, Vec<String>>);

impl Keysets {
    /// Keysets by name, with the ids of their trusted keys.
    pub fn new(ids: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        let sorted = |(name, mut ids): (String, Vec<String>)| {
            ids.sort_unstable();
            (name, ids)
        };
        Self(ids.into_iter().map(sorted).collect())
    }

    /// No keysets, for a cluster that has none yet.
    pub fn to_be_created(cluster: &Cluster) -> Self {
        Self::new(authorities(cluster).iter().map(|it| (it.name.to_owned(), Vec::new())))
    }

    /// The ids of a keyset's trusted keys, sorted; empty if it is not created yet.
    pub fn ids(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of the keysets that are not created yet.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, ids)| ids.is_empty()).map(|(name, _)| name.as_str())
    }

    /// Generates those that are missing and records their ids. They are not stored yet: a plan with them can
    /// be rejected without leaving anything behind, and
    /// [`ClusterStore::create_keysets`](crate::registry::ClusterStore::create_keysets) stores them once it is
    /// accepted.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate_missing(&mut self, now: Timestamp) -> Result<Vec<Keyset>> {
        let mut generated = Vec::new();
        for (name, ids) in self.0.iter_mut().filter(|(_, ids)| ids.is_empty()) {
            let keyset = Keyset::generate(name, now)?;
            ids.push(keyset.primary().id().to_owned());
            generated.push(keyset);
        }
        Ok(generated)
    }

    /// All keysets by name, with the ids of their trusted keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, ids)| (name.as_str(), ids.as_slice()))
    }
}

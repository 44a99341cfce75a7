//! A cluster's keys: authorities and signing keys in kOps' keysets, and the certificates that they sign.
//!
//! A **keyset** is a certificate with its private key and, while it is being rotated, further generations of
//! it. One is primary and signs; the others are trusted until they are distrusted. Keysets are in the state
//! store (`pki/private/<name>/keyset.yaml`), and kOps and kops can read each other's:
//! [`ClusterStore::ensure_keysets`](crate::registry::ClusterStore::ensure_keysets) creates those that are
//! missing.
//!
//! Machines read the keysets with their own identity; what is rendered from a specification only refers to
//! them, by the names and ids in [`Keysets`], which are not secret.
//!
//! New keys are ECDSA P-256. kOps' RSA keys and P-384 keys of other authorities are supported as well.
//! Certificates are handled by `x509-cert`, keys and signatures by `ring`.
//!
//! ```
//! use std::time::Duration;
//!
//! use kops_cluster::pki::{Client, Keyset};
//!
//! let now = "2026-11-30T12:00:00Z".parse()?;
//! let authority = Keyset::generate("kubernetes-ca", now)?;
//! let client = Client::new("ann").group("system:masters").lifetime(Duration::from_hours(18));
//! let keypair = authority.primary().sign(&client, now)?;
//! assert_eq!(keypair.certificate().subject(), "CN=ann,O=system:masters");
//!
//! // Private keys are not shown by accident.
//! assert!(!format!("{keypair:?} {authority:?}").contains("PRIVATE"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
mod client;
mod ids;
mod issue;
mod keypair;
mod keyset;
mod private_key;
mod signing;
#[cfg(test)]
mod tests;

pub use certificate::Certificate;
pub use client::Client;
pub use ids::{Authority, Keysets, authorities};
pub use keypair::Keypair;
pub use keyset::{Keyset, is_rotatable};
pub use private_key::PrivateKey;

/// The keyset of the authority that signs certificates of the API server, of kubelets and of users.
pub const KUBERNETES_CA: &str = "kubernetes-ca";
/// The keyset of the authority of the API server's aggregation layer.
pub const AGGREGATOR_CA: &str = "apiserver-aggregator-ca";
/// The keyset that signs tokens of service accounts.
pub const SERVICE_ACCOUNT: &str = "service-account";
/// The keyset of etcd's only authority, for members and clients of all of its clusters. kOps has several with
/// other meanings, so it does not use this name.
pub const ETCD_CA: &str = "etcd-ca";

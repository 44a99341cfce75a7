//! `kops create keypair` and `kops create secret`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Add a key pair to a keyset.
///
/// Without --cert and --key, a new authority is created that signs itself. With --key alone, one is created for that
/// key. With --cert alone, the authority is trusted, but cannot be primary.
#[derive(Debug, Args)]
pub(crate) struct CreateKeypair {
    /// The keyset, for example kubernetes-ca, or all for a new key pair in each.
    pub(crate) keyset: String,
    /// File with the certificate of an authority.
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// File with its private key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Sign with this key pair from now on.
    #[arg(long)]
    pub(crate) primary: bool,
}

/// The secrets that machines read.
#[derive(Debug, Subcommand)]
pub(crate) enum CreateSecret {
    /// Create the configuration with which the API server encrypts what it stores.
    Encryptionconfig(SecretFile),
    /// Create the configuration with which machines sign in to container registries.
    Dockerconfig(SecretFile),
}

#[derive(Debug, Args)]
pub(crate) struct SecretFile {
    /// File with the secret, or - for standard input.
    #[arg(short, long = "filename", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the secret if it exists.
    #[arg(long)]
    pub(crate) force: bool,
}

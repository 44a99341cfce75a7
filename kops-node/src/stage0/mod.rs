//! Stage 0: the user data of every machine, POSIX sh for dash, bash and busybox, at most 5 KiB.
//!
//! It fetches the program and the bundle from the state store by the machine's identity, compares both SHA-256, and runs
//! `kops-node install`. It holds no secret, and is alike for all groups of a cloud but for the bundle's key and hash. It
//! tries again for ever: cloud-init runs it once in a machine's life, so it must not give up. Later boots do not
//! need it: `kops-node.service` is enabled.
//!
//! Files that are there already with the right hash are not fetched: a prebuilt or air-gapped image works alike.

use std::fmt::Write as _;

/// What every machine runs.
const COMMON: &str = include_str!("stage0.sh");
/// How a cloud's machine reads an object of the store: a function `get <key> <file>`.
const AWS: &str = include_str!("get-aws.sh");
const GCE: &str = include_str!("get-gce.sh");
const AZURE: &str = include_str!("get-azure.sh");
const OPENSTACK: &str = include_str!("get-openstack.sh");
const PLAIN: &str = include_str!("get-plain.sh");
const FILE: &str = include_str!("get-file.sh");

/// How a machine reads the state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Get {
    /// S3, by the instance profile: the URL of the cluster's directory (`https://<bucket>.s3.<region>.amazonaws.com/<path>`)
    /// and the bucket's region.
    Aws {
        /// The directory's URL.
        base: String,
        /// The bucket's region.
        region: String,
    },
    /// Cloud Storage, by the service account: `https://storage.googleapis.com/<bucket>/<path>`.
    Gce {
        /// The directory's URL.
        base: String,
    },
    /// Blob, by the managed identity: `https://<account>.blob.core.windows.net/<container>/<path>`.
    Azure {
        /// The directory's URL.
        base: String,
        /// The identity's client id, when the machine has several.
        client_id: String,
    },
    /// Swift, by URLs that carry a signature and end: one for the program, one for the bundle.
    OpenStack {
        /// The program's TempURL.
        program: String,
        /// The bundle's TempURL.
        bundle: String,
    },
    /// A web server that asks for nothing.
    Plain {
        /// The directory's URL.
        base: String,
    },
    /// A directory of the machine.
    File {
        /// Its path.
        base: String,
    },
}

/// An object of the store, and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key, relative to the cluster's directory.
    pub key: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// The script.
pub fn script(get: &Get, program: &Object, bundle: &Object) -> String {
    parts(get, program, bundle).concat()
}

/// The script in two parts, between which more may be set:
///
/// | | |
/// |---|---|
/// | `API=<name or address>` | how machines reach the API where its own name is not published: nodes put it into `/etc/hosts`, control planes into its certificate |
///
/// It is apart because it may not be known before the plan is applied, and everything else is.
pub fn parts(get: &Get, program: &Object, bundle: &Object) -> [String; 2] {
    let mut out = "#!/bin/sh\nset -u\n".to_owned();
    let mut set = |name: &str, value: &str| {
        let _infallible = writeln!(out, "{name}={}", quoted(value));
    };
    set("PROGRAM", &program.key);
    set("PROGRAM_SHA256", &program.sha256);
    set("BUNDLE", &bundle.key);
    set("BUNDLE_SHA256", &bundle.sha256);
    let function = match get {
        Get::Aws { base, region } => {
            set("BASE", base);
            set("REGION", region);
            AWS
        }
        Get::Gce { base } => {
            set("BASE", base);
            GCE
        }
        Get::Azure { base, client_id } => {
            set("BASE", base);
            set("CLIENT_ID", client_id);
            AZURE
        }
        Get::OpenStack { program, bundle } => {
            set("PROGRAM_URL", program);
            set("BUNDLE_URL", bundle);
            OPENSTACK
        }
        Get::Plain { base } => {
            set("BASE", base);
            PLAIN
        }
        Get::File { base } => {
            set("BASE", base);
            FILE
        }
    };
    [out, body(function) + &body(COMMON)]
}

/// A part without its head and its comments, which are for us: user data is small.
fn body(part: &str) -> String {
    part.lines().filter(|it| !it.trim_start().starts_with('#')).map(|it| [it, "\n"].concat()).collect()
}

/// A word of the shell that is exactly this text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(feature = "program")]
#[cfg(test)]
mod tests;

//! Stage 0: the user data of every machine, POSIX sh for dash, bash and busybox, at most 5 KiB.
//!
//! It fetches the program and the bundle from the state store with the machine's identity, verifies both
//! SHA-256, and runs `kops-node install`. It contains no secret, and only the bundle's key and hash differ
//! between the groups of a cloud. It retries without limit: cloud-init runs it only once on a machine, so it
//! must not give up. Later boots do not need it: `kops-node.service` is enabled.
//!
//! Files that already exist with the right hash are not fetched, so prebuilt images work without a network.

use std::fmt::Write as _;

/// The part that every machine runs.
const COMMON: &str = include_str!("stage0.sh");
/// How a machine of a cloud reads an object from the store: a function `get <key> <file>`.
const AWS: &str = include_str!("get-aws.sh");
const GCE: &str = include_str!("get-gce.sh");
const AZURE: &str = include_str!("get-azure.sh");
const OPENSTACK: &str = include_str!("get-openstack.sh");
const PLAIN: &str = include_str!("get-plain.sh");
const FILE: &str = include_str!("get-file.sh");

/// How a machine reads the state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Get {
    /// S3, with the instance profile: the URL of the cluster's directory
    /// (`https://<bucket>.s3.<region>.amazonaws.com/<path>`) and the bucket's region.
    Aws {
        /// The directory's URL.
        base: String,
        /// The bucket's region.
        region: String,
    },
    /// Cloud Storage, with the service account: `https://storage.googleapis.com/<bucket>/<path>`.
    Gce {
        /// The directory's URL.
        base: String,
    },
    /// Blob Storage, with the managed identity: `https://<account>.blob.core.windows.net/<container>/<path>`.
    Azure {
        /// The directory's URL.
        base: String,
        /// The identity's client id, if the machine has several.
        client_id: String,
    },
    /// Swift, with signed URLs that expire, each for one prefix.
    OpenStack {
        /// The directory's URL, without a trailing slash.
        base: String,
        /// The query of these URLs, with placeholders `{method}`, `{prefix}` and `{seconds}` for what is to
        /// be signed.
        query: String,
    },
    /// A web server without authentication.
    Plain {
        /// The directory's URL.
        base: String,
    },
    /// A directory on the machine.
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

/// The script in two parts, between which variables may be set:
///
/// | | |
/// |---|---|
/// | `API=<name or address>` | the address of the API if its name is not published: nodes write it to `/etc/hosts`, control planes add it to its certificate |
/// | `VOLUMES=<lines of path, member, id>` | the volumes of etcd's members if the plan attaches them: the machine mounts the one that is attached to it |
///
/// They are separate because they may not be known before the plan is applied, unlike everything else.
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
        Get::OpenStack { base, query } => {
            set("URLS", &urls(base, query, program, bundle));
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

/// The object of the state store with an OpenStack control plane's credential.
pub const CREDENTIAL: &str = "openstack/control-plane.json";
/// How long a machine may take from its creation to its first join, in seconds: its URLs for reading expire
/// then.
const DAY: u32 = 24 * 60 * 60;
/// How long it may report its status, in seconds: ten years, longer than machines exist.
const LIFE: u32 = 3653 * DAY;

/// The document `openstack.json` for a machine: URLs for its first boot and, if it is a node, for joining and
/// for reporting its status. A control plane has a credential for everything else. Each URL is on a line of
/// its own, for the shell.
fn urls(base: &str, query: &str, program: &Object, bundle: &Object) -> String {
    let directory = |key: &str| key.rsplit_once('/').map_or_else(String::new, |(it, _)| format!("{it}/"));
    let own = directory(&bundle.key);
    let mut parts = own.split('/').skip(1);
    let (role, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut all = vec![("GET", directory(&program.key), DAY), ("GET", own.clone(), DAY)];
    if role == "control-plane" {
        all.push(("GET", directory(CREDENTIAL), DAY));
    } else {
        all.extend([("GET", "join/".to_owned(), DAY), ("PUT", format!("machines/{group}/"), LIFE)]);
    }
    let url = |(method, prefix, seconds): &(&str, String, u32)| {
        let query = query.replace("{method}", method).replace("{seconds}", &seconds.to_string());
        let query = query.replace("{prefix}", prefix);
        format!(r#"{{"prefix":"{prefix}","method":"{method}","base":"{base}","query":"{query}"}}"#)
    };
    format!("{{\"urls\":[\n{}\n]}}", all.iter().map(url).collect::<Vec<_>>().join(",\n"))
}

/// A part without its first line and its comments, because the size of user data is limited.
fn body(part: &str) -> String {
    part.lines().filter(|it| !it.trim_start().starts_with('#')).map(|it| [it, "\n"].concat()).collect()
}

/// A text as a single shell word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(feature = "program")]
#[cfg(test)]
mod tests;

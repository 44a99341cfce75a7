//! The program that runs on machines, for each of their architectures.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kops_core::{Error, Result};

use crate::bundle;
use crate::cloud::Architecture;

/// The program that configures a machine as its bundle specifies (`kops-node`), as binaries for Linux.
///
/// Machines fetch it from the cluster's state store and verify its SHA-256, which is in their user data: a
/// different program makes machines out of date.
///
/// ```no_run
/// use kops_cluster::bootstrap::NodeProgram;
///
/// let program = NodeProgram::new().with_binary(std::fs::read("kops-node-amd64")?)?.with_binary(std::fs::read("kops-node-arm64")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NodeProgram(BTreeMap<Architecture, Binary>);

/// The SHA-256 of a content, in hexadecimal, which identifies a program.
pub fn sha256(content: &[u8]) -> String {
    bundle::sha256(content)
}

/// A binary; without content if it is in the state store or on the machines already.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) sha256: String,
    pub(super) content: Option<Arc<[u8]>>,
}

impl NodeProgram {
    /// No binary for any architecture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a binary, for the architecture in its header.
    ///
    /// # Errors
    /// `Invalid` if it is not a program for Linux on x86-64 or 64-bit ARM.
    pub fn with_binary(mut self, content: impl Into<Arc<[u8]>>) -> Result<Self> {
        let content = content.into();
        let binary = Binary { sha256: sha256(&content), content: Some(content.clone()) };
        self.0.insert(architecture(&content)?, binary);
        Ok(self)
    }

    /// Adds a binary by its SHA-256 (64 hexadecimal digits) only: it is in the state store
    /// (`kops-node/<architecture>/<sha256>`), or on the machines (`/var/lib/kops/kops-node`), already.
    ///
    /// # Errors
    /// `Invalid` if it is not a SHA-256.
    pub fn with_hash(mut self, architecture: Architecture, sha256: &str) -> Result<Self> {
        if sha256.len() != 64 || !sha256.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(
                Error::invalid(format!("{sha256:?} is not a SHA-256")).with_hint("use 64 hexadecimal digits")
            );
        }
        self.0.insert(architecture, Binary { sha256: sha256.to_lowercase(), content: None });
        Ok(self)
    }

    /// The architectures of its binaries.
    pub fn architectures(&self) -> impl Iterator<Item = Architecture> {
        self.0.keys().copied()
    }

    pub(super) fn binary(&self, architecture: Architecture) -> Option<&Binary> {
        self.0.get(&architecture)
    }
}

/// Hashes only.
impl fmt::Debug for NodeProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(architecture, it)| (architecture.to_string(), &it.sha256)))
            .finish()
    }
}

/// The architecture in the header of an ELF file: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>.
fn architecture(content: &[u8]) -> Result<Architecture> {
    let wrong = |why: String| {
        Error::invalid(format!("the node program is not usable: {why}"))
            .with_hint("use kops-node, built for Linux on amd64 (x86_64) or arm64 (aarch64)")
    };
    let Some(header) = content.get(..20).filter(|it| it.starts_with(b"\x7fELF")) else {
        return Err(wrong("it is not an ELF file".to_owned()));
    };
    // 64 bits, little endian.
    if header[4] != 2 || header[5] != 1 {
        return Err(wrong("it is not for a 64-bit little-endian machine".to_owned()));
    }
    match u16::from_le_bytes([header[18], header[19]]) {
        62 => Ok(Architecture::Amd64),
        183 => Ok(Architecture::Arm64),
        other => Err(wrong(format!("it is for ELF machine {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_the_architecture() {
        let elf = |machine: u8| {
            let mut header = vec![0; 64];
            header[..6].copy_from_slice(b"\x7fELF\x02\x01");
            header[18] = machine;
            header
        };
        let program = NodeProgram::new().with_binary(elf(62)).unwrap().with_binary(elf(183)).unwrap();
        assert_eq!(program.architectures().collect::<Vec<_>>(), Architecture::ALL);
        assert!(!format!("{program:?}").contains("ELF"));
        for wrong in [elf(3), b"#!/bin/sh\necho this is no program\n".to_vec(), Vec::new()] {
            let error = NodeProgram::new().with_binary(wrong).unwrap_err();
            assert!(error.to_string().contains("the node program is not usable"), "{error}");
        }
        assert!(NodeProgram::new().with_hash(Architecture::Amd64, "abc").is_err());
    }
}

//! Digests: fingerprints and idempotency tokens.

use std::io::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of some bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut hasher = Hasher::default();
    hasher.bytes(bytes);
    hasher.finish()
}

/// Digests a sequence of values, each kept apart from the next.
#[derive(Default)]
pub(crate) struct Hasher {
    sha: Sha256,
    /// Documents come in many small pieces, which the digest takes better together.
    pending: Vec<u8>,
}

/// How much is collected before it goes into the digest.
const CHUNK: usize = 16 * 1024;

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Hasher {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= CHUNK {
            self.sha.update(&self.pending);
            self.pending.clear();
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
        self
    }

    pub(crate) fn document(&mut self, document: &Value) -> &mut Self {
        // Into the digest without a text in between; neither side of this fails.
        let _ = serde_json::to_writer(&mut *self, document);
        self.text("")
    }

    pub(crate) fn finish(mut self) -> String {
        self.sha.update(&self.pending);
        self.sha.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
            text
        })
    }
}

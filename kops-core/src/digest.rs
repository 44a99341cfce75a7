//! Digests: fingerprints and idempotency tokens.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The SHA-256 of bytes, in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut hasher = Hasher::default();
    hasher.bytes(bytes);
    hasher.finish()
}

/// Digests a sequence of values, each separated from the next.
#[derive(Default)]
pub(crate) struct Hasher {
    sha: Sha256,
    /// Documents consist of many small parts, which are buffered for speed.
    pending: Vec<u8>,
}

/// The size of the buffer.
const CHUNK: usize = 16 * 1024;

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

    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.bytes(&(count as u64).to_le_bytes());
        self
    }

    /// A document with its members sorted, so that the digest does not depend on serde_json's feature
    /// `preserve_order`.
    pub(crate) fn document(&mut self, document: &Value) -> &mut Self {
        match document {
            Value::Null => self.bytes(b"n"),
            Value::Bool(false) => self.bytes(b"f"),
            Value::Bool(true) => self.bytes(b"t"),
            Value::Number(number) => {
                self.bytes(b"#");
                self.text(&number.to_string());
            }
            Value::String(text) => {
                self.bytes(b"s");
                self.text(text);
            }
            Value::Array(items) => {
                self.bytes(b"[");
                self.count(items.len());
                for item in items {
                    self.document(item);
                }
            }
            Value::Object(members) => {
                self.members(members.iter());
            }
        }
        self
    }

    /// The members of a document, sorted by name.
    pub(crate) fn members<'a>(
        &mut self,
        members: impl Iterator<Item = (&'a String, &'a Value)> + Clone,
    ) -> &mut Self {
        self.bytes(b"{");
        if members.clone().is_sorted_by_key(|(name, _)| name) {
            return self.sorted_members(members);
        }
        let mut sorted: Vec<_> = members.collect();
        sorted.sort_by_key(|(name, _)| *name);
        self.sorted_members(sorted.into_iter())
    }

    fn sorted_members<'a>(
        &mut self,
        members: impl Iterator<Item = (&'a String, &'a Value)> + Clone,
    ) -> &mut Self {
        self.count(members.clone().count());
        for (name, member) in members {
            self.text(name).document(member);
        }
        self
    }

    /// A serialisable value, as a document.
    pub(crate) fn value<T: Serialize>(&mut self, value: &T) -> &mut Self {
        match serde_json::to_value(value) {
            Ok(document) => self.document(&document),
            // A map whose keys are not strings; no digested value has one.
            Err(error) => self.text(&error.to_string()),
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.sha.update(&self.pending);
        self.sha.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string never fails.
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(fill: impl FnOnce(&mut Hasher)) -> String {
        let mut hasher = Hasher::default();
        fill(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn members_count_whatever_their_order() {
        let (a, b) = (("a".to_owned(), json!(1)), ("b".to_owned(), json!([null, "x"])));
        let one = digest(|it| {
            it.members([(&a.0, &a.1), (&b.0, &b.1)].into_iter());
        });
        let other = digest(|it| {
            it.members([(&b.0, &b.1), (&a.0, &a.1)].into_iter());
        });
        assert_eq!(one, other);
        let whole = digest(|it| {
            it.document(&json!({"b": [null, "x"], "a": 1}));
        });
        assert_eq!(one, whole);
    }

    #[test]
    fn different_documents_have_different_digests() {
        let documents = [
            json!(null),
            json!([]),
            json!({}),
            json!(""),
            json!("n"),
            json!(1),
            json!("1"),
            json!([1, 2]),
            json!([[1], 2]),
            json!([[1, 2]]),
            json!({"a": {"b": 1}}),
            json!({"a": {}, "b": 1}),
            json!([false]),
            json!([true]),
        ];
        let digests: std::collections::BTreeSet<_> =
            documents.iter().map(|document| digest(|it| _ = it.document(document))).collect();
        assert_eq!(digests.len(), documents.len());
    }
}

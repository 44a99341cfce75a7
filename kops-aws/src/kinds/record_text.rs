//! Conversion of names and values of DNS records to and from Route 53's form.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_sdk_route53::types::ResourceRecord;
use kops_core::resource::RecordType;
use kops_core::{Error, Result};
use sha2::{Digest, Sha256};

/// The maximum length of a character string in a TXT value (RFC 1035, 3.3); longer texts are split.
const PIECE: usize = 255;

/// A name normalised for comparison: lower case, without the final dot and Route 53's escapes (`\052` is
/// `*`).
pub(crate) fn bare(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut bare = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('\\') {
        bare.push_str(before);
        let digits = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match digits {
            Some(byte) if byte.is_ascii() => {
                bare.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bare.push('\\');
                rest = after;
            }
        }
    }
    bare.push_str(rest);
    bare.make_ascii_lowercase();
    bare
}

/// A name in Route 53's form.
pub(crate) fn absolute(name: &str) -> String {
    if name.ends_with('.') { name.to_owned() } else { format!("{name}.") }
}

/// Whether a name is equal to or below another.
pub(crate) fn is_under(name: &str, top: &str) -> bool {
    name.strip_suffix(top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The name below which the marks of a scope are in a zone.
pub(crate) fn mark_root(scope: &str, zone: &str) -> String {
    if is_under(scope, zone) { format!("_kops.{scope}") } else { format!("_kops.{scope}.{zone}") }
}

/// The name of the mark of a record.
pub(crate) fn mark_name(scope: &str, zone: &str, name: &str, kind: &str) -> String {
    use std::fmt::Write;
    let digest = Sha256::digest(format!("{kind} {name}"));
    let digits = digest.iter().take(8).fold(String::new(), |mut digits, byte| {
        // Writing to a string never fails.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    format!("{digits}.{}", mark_root(scope, zone))
}

/// Values from Route 53's form.
pub(crate) fn read_values(record_type: RecordType, records: &[ResourceRecord]) -> BTreeSet<String> {
    let value = |record: &ResourceRecord| match record_type {
        RecordType::Txt => unquoted(&record.value),
        RecordType::Cname => bare(&record.value),
        RecordType::A | RecordType::Aaaa => record.value.clone(),
    };
    records.iter().map(value).collect()
}

/// Values in Route 53's form.
pub(crate) fn write_values(
    record_type: RecordType,
    values: &BTreeSet<String>,
) -> Result<Vec<ResourceRecord>> {
    let record = |value: &String| {
        let value = if record_type == RecordType::Txt { quoted(value) } else { value.clone() };
        ResourceRecord::builder().value(value).build()
    };
    let records = values.iter().map(record).collect::<Result<_, _>>();
    records.map_err(|error| Error::internal("a record without a value").with_source(error))
}

/// A text as quoted character strings.
fn quoted(text: &str) -> String {
    let mut pieces = vec![String::new()];
    let mut length = 0;
    for byte in text.bytes() {
        if length == PIECE {
            pieces.push(String::new());
            length = 0;
        }
        length += 1;
        let Some(piece) = pieces.last_mut() else { continue };
        match byte {
            b'"' | b'\\' => piece.extend(['\\', char::from(byte)]),
            b' '..=b'~' => piece.push(char::from(byte)),
            other => _ = write!(piece, "\\{other:03o}"),
        }
    }
    let pieces: Vec<_> = pieces.into_iter().map(|piece| format!("\"{piece}\"")).collect();
    pieces.join(" ")
}

/// The text of quoted character strings.
fn unquoted(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut inside = false;
    let mut rest = value.bytes().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => inside = !inside,
            _ if !inside => {}
            b'\\' => {
                let mut code = 0_u32;
                let mut digits = 0;
                while digits < 3
                    && let Some(digit) = rest.next_if(|next| (b'0'..=b'7').contains(next))
                {
                    code = code * 8 + u32::from(digit - b'0');
                    digits += 1;
                }
                if digits == 0 {
                    bytes.extend(rest.next());
                } else {
                    bytes.extend(u8::try_from(code).ok());
                }
            }
            plain => bytes.push(plain),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_dots_and_escapes() {
        assert_eq!(bare("\\052.Example.com."), "*.example.com");
        assert_eq!(bare("a.example.com"), "a.example.com");
    }

    #[test]
    fn a_name_lies_below_whole_labels_only() {
        assert!(is_under("api.ha.example.com", "ha.example.com"));
        assert!(is_under("ha.example.com", "ha.example.com"));
        assert!(!is_under("api.aha.example.com", "ha.example.com"));
        assert!(!is_under("ha.example.com.au", "ha.example.com"));
    }

    #[test]
    fn texts_come_back_as_they_went() {
        let long = "x".repeat(600);
        for text in ["", "plain", "with \"quotes\" and \\", "ünïcode", long.as_str()] {
            assert_eq!(unquoted(&quoted(text)), text);
        }
        assert_eq!(quoted(&long).matches("\" \"").count(), 2);
    }

    #[test]
    fn marks_stand_below_the_scope_or_apart() {
        let inside = mark_name("ha.example.com", "example.com", "api.ha.example.com", "A");
        assert!(inside.ends_with("._kops.ha.example.com"), "{inside}");
        let outside = mark_name("demo", "example.com", "www.example.com", "A");
        assert!(outside.ends_with("._kops.demo.example.com"), "{outside}");
        assert_ne!(outside, mark_name("demo", "example.com", "www.example.com", "AAAA"));
    }
}

//! The parts of a public SSH key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A part of a key, after its type.
#[derive(Clone, Copy)]
enum Part {
    /// Any number of bytes: an exponent or a modulus.
    Some,
    /// A number of bytes.
    Bytes(usize),
    /// A text.
    Text(&'static str),
}

/// The types of keys and their parts: RFC 4253, 5656 and 8709, and PROTOCOL.u2f of OpenSSH.
const TYPES: &[(&str, &[Part])] = &[
    ("ssh-rsa", &[Part::Some, Part::Some]),
    ("ssh-ed25519", &[Part::Bytes(32)]),
    ("ecdsa-sha2-nistp256", &[Part::Text("nistp256"), Part::Bytes(65)]),
    ("ecdsa-sha2-nistp384", &[Part::Text("nistp384"), Part::Bytes(97)]),
    ("ecdsa-sha2-nistp521", &[Part::Text("nistp521"), Part::Bytes(133)]),
    ("sk-ssh-ed25519@openssh.com", &[Part::Bytes(32), Part::Some]),
    ("sk-ecdsa-sha2-nistp256@openssh.com", &[Part::Text("nistp256"), Part::Bytes(65), Part::Some]),
];

/// Why a text is not a public SSH key. It never contains the text, which may be a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAKey {
    pub(crate) why: &'static str,
    pub(crate) fix: &'static str,
}

impl NotAKey {
    const PRIVATE: Self =
        Self { why: "it is a private key", fix: "use the content of the .pub file beside it" };
    const SEVERAL: Self = Self { why: "it has several lines", fix: "use one key, in one line" };
    const OTHER: Self = Self {
        why: "it cannot be read",
        fix: "use the content of a file such as ~/.ssh/id_ed25519.pub: ssh-ed25519 AAAA… or ssh-rsa AAAA…",
    };
    const CUT: Self =
        Self { why: "the key is cut off", fix: "use the whole content of the .pub file, in one line" };
    const BLANKS: Self = Self {
        why: "the key is cut into pieces by blanks",
        fix: "write it in one line, without blanks in the key; in YAML, > makes blanks of line breaks",
    };
}

/// The key itself, from a line `[options] type base64 [comment]`.
pub(crate) fn key_of(line: &str) -> Result<Vec<u8>, NotAKey> {
    if line.contains("PRIVATE KEY") {
        return Err(NotAKey::PRIVATE);
    }
    let mut lines = line.lines().filter(|line| !line.trim().is_empty());
    let line = lines.next().ok_or(NotAKey::OTHER)?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let at =
        words.iter().position(|word| TYPES.iter().any(|(name, _)| name == word)).ok_or(NotAKey::OTHER)?;
    let (kind, rest) = (words[at], &words[at + 1..]);
    let pieces: String = lines.clone().fold(rest.concat(), |all, line| all + line.trim());
    let Some(first) = rest.first() else { return Err(NotAKey::OTHER) };
    if let Some(key) = whole(kind, first) {
        return if lines.next().is_none() { Ok(key) } else { Err(NotAKey::SEVERAL) };
    }
    // The beginning of a key that goes on in the next words or lines, maybe with a comment behind it.
    let ends = (first.len() + 1..=pieces.len()).rev();
    if ends.filter(|end| pieces.is_char_boundary(*end)).any(|end| whole(kind, &pieces[..end]).is_some()) {
        return Err(NotAKey::BLANKS);
    }
    Err(if begins(kind, first) { NotAKey::CUT } else { NotAKey::OTHER })
}

/// The key, if the base64 text is a complete one of this type.
fn whole(kind: &str, base64: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(base64).ok()?;
    let (name, mut rest) = part(&key)?;
    let (_, parts) = TYPES.iter().find(|(known, _)| *known == kind)?;
    if name != kind.as_bytes() {
        return None;
    }
    for wanted in *parts {
        let (bytes, after) = part(rest)?;
        let good = match wanted {
            Part::Some => !bytes.is_empty(),
            Part::Bytes(length) => bytes.len() == *length,
            Part::Text(text) => bytes == text.as_bytes(),
        };
        if !good {
            return None;
        }
        rest = after;
    }
    rest.is_empty().then_some(key)
}

/// A part, with its length before it, and what follows.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Whether a text is the beginning of a key of this type.
fn begins(kind: &str, base64: &str) -> bool {
    // Four letters are three bytes; what remains of a cut key is ignored.
    let letters = base64.len() / 4 * 4;
    let bytes = base64.get(..letters).and_then(|text| STANDARD.decode(text).ok());
    bytes.as_deref().and_then(part).is_some_and(|(name, _)| name == kind.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn why(text: &str) -> &'static str {
        key_of(text).unwrap_err().why
    }

    #[test]
    fn whole_keys_are_read_with_options_and_comments() {
        for line in [
            ED25519.to_owned(),
            format!("{ED25519} ann@desk\r\n"),
            format!("command=\"x y\",no-pty {ED25519} a b"),
        ] {
            assert_eq!(key_of(&line).unwrap().len(), 51, "{line}");
        }
        let rsa = [&b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\0\x02\x01\x02"[..]].concat();
        assert_eq!(key_of(&format!("ssh-rsa {}", STANDARD.encode(&rsa))), Ok(rsa));
    }

    #[test]
    fn broken_keys_are_told_by_how_they_are_broken() {
        let (kind, key) = ED25519.split_once(' ').unwrap();
        assert_eq!(why(&format!("{kind} {} {} ann@desk", &key[..30], &key[30..])), NotAKey::BLANKS.why);
        assert_eq!(
            why(&format!("{kind} {} {} {}", &key[..10], &key[10..30], &key[30..])),
            NotAKey::BLANKS.why
        );
        assert_eq!(why(&format!("{kind} {}\n{}", &key[..30], &key[30..])), NotAKey::BLANKS.why);
        // Complete base64, but the key ends too early; and base64 that is not complete.
        for end in [40, 44, 43, 67] {
            assert_eq!(why(&format!("{kind} {}", &key[..end])), NotAKey::CUT.why, "{end}");
        }
        assert_eq!(why(&format!("{ED25519}\n{ED25519}")), NotAKey::SEVERAL.why);
        assert_eq!(why("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2"), NotAKey::PRIVATE.why);
        for text in ["", "hunter2", "ssh-ed25519", "ssh-rsa hunter2", "ssh-rsa é", &format!("ssh-rsa {key}")]
        {
            assert_eq!(why(text), NotAKey::OTHER.why, "{text}");
        }
    }
}

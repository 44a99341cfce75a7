//! Shortening names to a cloud's limits, as kOps does.

use std::fmt::Write;

/// The number of digits of the hash.
pub const HASH_DIGITS: usize = 6;

/// A hash of a complete name in six lower-case letters and digits, which kOps appends to a truncated name, so that
/// two long names do not collide: the highest thirty bits of the 32-bit FNV-1a hash, in base 32.
///
/// ```
/// assert_eq!(kops_core::cloud::name_hash("tcp-complex-example-com"), "vpjolq");
/// ```
pub fn name_hash(whole: &str) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let hash =
        whole.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // The highest bits first, five at a time.
    (0..HASH_DIGITS).fold(String::with_capacity(HASH_DIGITS), |mut digits, digit| {
        let shift = 32 - 5 * (digit + 1);
        let value = usize::try_from((hash >> shift) & 31).unwrap_or_default();
        // Writing to a string never fails.
        let _ = write!(digits, "{}", char::from(ALPHABET[value]));
        digits
    })
}

/// The name itself if it has at most `longest` bytes; otherwise as much of it as leaves room for a hyphen and its
/// [`name_hash`].
///
/// ```
/// use kops_core::cloud::shortened;
///
/// assert_eq!(shortened("nodes.example.com", 64), "nodes.example.com");
/// assert_eq!(shortened(&"x".repeat(70), 63).len(), 63);
/// ```
pub fn shortened(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let room = longest.saturating_sub(HASH_DIGITS + 1);
    let end = (0..=room).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
    format!("{}-{}", name[..end].trim_end_matches('-'), name_hash(name))
}

//! The causes of an SDK's error.

use std::error::Error as StdError;
use std::iter::successors;

/// An error with its causes, without repetitions. The `Debug` form is not used, because SDKs include headers and
/// bodies in it.
///
/// ```
/// use kops_core::cloud::causes;
///
/// let inner = std::io::Error::other("connection refused");
/// let outer = std::io::Error::other(inner);
/// assert_eq!(causes(&outer), "connection refused");
/// ```
pub fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    for cause in chain(error).map(ToString::to_string) {
        if !text.contains(&cause) {
            let colon = if text.is_empty() { "" } else { ": " };
            text.push_str(colon);
            text.push_str(&cause);
        }
    }
    text
}

/// The last error of a chain, which names the cause (`Connection refused (os error 111)`).
pub fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The first error of a type in a chain of sources.
pub fn find_cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| error.source())
}

//! Limits of a cloud that are known before anything is created.

use crate::graph::{Input, Part, Secret};
use crate::{Error, Result};

/// The length of a value that is not known yet, in bytes: the longest name in the DNS (RFC 1035, section 2.3.4).
const UNKNOWN: usize = 253;

/// The length that a text has, or can have at most while parts of it are not known, in bytes.
fn longest(text: &Input<Secret>) -> usize {
    match text {
        Input::Known(text) => text.expose().len(),
        Input::Output(_) => UNKNOWN,
        Input::Concat(parts) => parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.len(),
                Part::Secret(secret) => secret.expose().len(),
                Part::Output { .. } => UNKNOWN,
            })
            .sum(),
    }
}

/// Rejects user data of more than `most` bytes; values that are not known yet count with the longest they can be.
///
/// # Errors
/// `Invalid`, with both sizes.
///
/// ```
/// use kops_core::graph::{Input, Secret};
/// use kops_core::lower::require_short;
///
/// let script = Input::Known(Secret::new("x".repeat(20_000)));
/// assert!(require_short(Some(&script), 65_535).is_ok());
/// let error = require_short(Some(&script), 16_384).unwrap_err();
/// assert!(error.to_string().contains("20000 bytes") && error.to_string().contains("16384"));
/// ```
pub fn require_short(user_data: Option<&Input<Secret>>, most: usize) -> Result<()> {
    let size = user_data.map_or(0, longest);
    if size <= most {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the user data of its machines has {size} bytes, but at most {most} are allowed"
    ))
    .with_hint("shorten additionalUserData, or let the machines download what they need"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Handle;
    use crate::resource::LoadBalancer;

    #[test]
    fn what_is_not_known_counts_with_the_longest_it_can_be() {
        let balancer = Handle::<LoadBalancer>::named("api").get(LoadBalancer::DNS_NAME);
        let text = Input::concat(["api=".into(), balancer]).into_secret();
        assert_eq!(longest(&text), 4 + UNKNOWN);
    }
}

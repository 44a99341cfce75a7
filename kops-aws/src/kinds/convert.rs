//! Conversion of numbers: the API uses signed ones that are never negative.

use kops_core::{Error, Result};

/// A number for the API.
pub(crate) fn int(number: u32) -> Result<i32> {
    i32::try_from(number).map_err(|_| Error::invalid(format!("{number} is out of range for AWS")))
}

/// A number from the API; absent means zero.
pub(crate) fn count(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

/// A port from the API.
pub(crate) fn port(number: Option<i32>) -> u16 {
    number.and_then(|number| u16::try_from(number).ok()).unwrap_or_default()
}

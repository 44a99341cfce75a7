//! Conversion of values to and from the API's form.

use kops_core::{Error, Result};

use crate::path::short;

/// A text that may be absent.
pub(crate) fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// A count, which the API represents as a signed number.
pub(crate) fn count<N: TryInto<u32>>(number: Option<N>) -> u32 {
    number.and_then(|number| number.try_into().ok()).unwrap_or_default()
}

/// A count in the API's form.
pub(crate) fn int(number: u32) -> Result<i32> {
    i32::try_from(number).map_err(|_| Error::invalid(format!("{number} is too large")))
}

/// The identifier of a referenced object.
pub(crate) fn id<R>(address: Option<&str>) -> kops_core::graph::Id<R> {
    kops_core::graph::Id::new(short(address.unwrap_or_default()))
}

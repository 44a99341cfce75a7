//! Typed settings that only one provider understands.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Result};

/// A provider's own settings on an agnostic kind, defined by the provider's crate.
pub trait Extension: Serialize + DeserializeOwned {
    /// A unique name, from the provider's and the kind's: `aws/InstanceGroup`.
    const NAME: &'static str;
}

/// The extensions of a specification.
///
/// ```
/// use kops_core::resource::{Extension, Extensions};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// struct Tenancy { dedicated: bool }
/// impl Extension for Tenancy {
///     const NAME: &'static str = "example/Tenancy";
/// }
///
/// let mut extensions = Extensions::default();
/// extensions.set(&Tenancy { dedicated: true })?;
/// assert_eq!(extensions.get::<Tenancy>()?, Some(Tenancy { dedicated: true }));
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extensions(BTreeMap<String, Value>);

impl Extensions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the extensions, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Sets an extension.
    ///
    /// # Errors
    /// `Internal` if it cannot be serialised.
    pub fn set<E: Extension>(&mut self, extension: &E) -> Result<()> {
        let value = serde_json::to_value(extension).map_err(|error| {
            Error::internal(format!("the extension {} cannot be serialised", E::NAME)).with_source(error)
        })?;
        self.0.insert(E::NAME.to_owned(), value);
        Ok(())
    }

    /// The extension of a type, if it is set.
    ///
    /// # Errors
    /// `Invalid` if its value does not fit the type.
    pub fn get<E: Extension>(&self) -> Result<Option<E>> {
        self.0.get(E::NAME).map_or(Ok(None), |value| {
            E::deserialize(value).map(Some).map_err(|error| {
                Error::invalid(format!("the extension {} is malformed: {error}", E::NAME)).with_source(error)
            })
        })
    }
}

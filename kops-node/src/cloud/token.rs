//! Tokens of machines' identities, cached until shortly before they expire.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Result;

/// A token is renewed this long before it expires.
const BEFORE: Duration = Duration::from_mins(5);

/// A value that expires.
#[derive(Clone)]
pub(crate) struct Kept<T> {
    clock: Arc<dyn Clock>,
    value: Arc<Mutex<Option<(T, Duration)>>>,
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl<T: Clone> Kept<T> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, value: Arc::default() }
    }

    /// The cached value, or a new one with its validity.
    pub(crate) fn get(&self, new: impl FnOnce() -> Result<(T, Duration)>) -> Result<T> {
        let mut kept = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        if let Some((value, end)) = kept.as_ref()
            && now + BEFORE < *end
        {
            return Ok(value.clone());
        }
        let (value, good) = new()?;
        *kept = Some((value.clone(), now + good));
        Ok(value)
    }
}

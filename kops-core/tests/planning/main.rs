//! Plans: what they say, to what they apply, and how they travel.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod data;
mod pending;
mod saved;
mod schema;
mod site;
mod stale;
mod text;

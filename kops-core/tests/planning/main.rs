//! Plans: what they say, to what they apply, and how they travel.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod data;
mod pending;
mod public_ip;
mod saved;
mod schema;
mod shared;
mod site;
mod stale;
mod strict;
mod text;

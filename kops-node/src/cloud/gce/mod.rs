//! Google Cloud: the service account, Cloud Storage, Compute Engine.

mod machines;
mod metadata;
mod store;

pub use machines::Compute;
pub use metadata::Metadata;
pub use store::CloudStorage;

#[cfg(test)]
mod tests;

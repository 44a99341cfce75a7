//! Azure: the managed identity, Blob Storage, virtual machine scale sets.

mod machines;
mod metadata;
mod store;

pub use machines::ScaleSets;
pub use metadata::Metadata;
pub use store::Blob;

#[cfg(test)]
mod tests;

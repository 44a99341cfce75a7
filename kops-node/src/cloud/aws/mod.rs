//! Amazon Web Services: the instance profile, S3, EC2.

mod machines;
mod metadata;
mod sign;
mod store;

pub use machines::Ec2;
pub use metadata::{Credentials, Imds};
pub use sign::{Signable, sign};
pub use store::S3;

#[cfg(test)]
mod tests;

//! kops-core on Amazon Web Services.

mod builder;
mod clients;
mod cloud;
mod error;

pub use builder::AwsBuilder;
pub use cloud::Aws;

//! Machine images.

use kops_core::resource::{Output, Resource};
use serde::{Deserialize, Serialize};

/// A machine image; looked up by its identifier (`ami-…`) or by `owner/name`.
///
/// The owner is an account's number or a name that kOps knows (`ubuntu`, `debian`, `amazon`, `flatcar`,
/// `redhat`); of several images of one name the latest is taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// The processors it is for: `x86_64`, `arm64`.
    pub architecture: String,
    /// The name of the device that the system disk is attached as.
    pub root_device: String,
}

impl Image {
    /// The processors it is for: `x86_64`, `arm64`.
    pub const ARCHITECTURE: Output<Self, String> = Output::new("architecture");
    /// The name of the device that the system disk is attached as.
    pub const ROOT_DEVICE: Output<Self, String> = Output::new("root_device");
}

impl Resource for Image {
    const KIND: &'static str = "Image";
    type Resolved = Self;
}

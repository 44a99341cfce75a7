//! The cloud, as seen by a machine: its identity, its disk, the cluster's machines.
//!
//! A folder for each, with the same files: `metadata` (identity and credentials), `store` (the state store's
//! service), `machines` (the cloud's own interface). The only change that is made to a cloud is to attach
//! this machine's own volume on AWS.

pub mod aws;
pub mod azure;
pub mod gce;
mod none;
pub mod openstack;
mod token;
pub(crate) mod xml;

use std::collections::BTreeSet;
use std::fmt;

use crate::bundle::Volume;
use crate::error::Result;
use crate::joining;

pub use none::NoCloud;

/// Who this machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cloud's id.
    pub id: String,
    /// The name of its Node. (AWS: the instance id; GCE: the name; Azure: the computer name; OpenStack: the server's
    /// name.)
    pub node_name: String,
    /// `spec.providerID` if the kubelet must set it because the cloud's controller does not.
    pub provider_id: Option<String>,
    /// Its address in the cluster's network.
    pub address: String,
    /// Its zone.
    pub zone: Option<String>,
}

/// A member's volume that this machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The member.
    pub member: String,
    /// The names that the device may have, for example `/dev/disk/by-id/google-a-etcd-main`. Empty if
    /// something is mounted at the path already.
    pub devices: Vec<String>,
}

/// A cloud.
pub trait Cloud: fmt::Debug + Send + Sync {
    /// Who this machine is.
    ///
    /// # Errors
    /// If the metadata service does not say.
    fn identity(&self) -> Result<Identity>;

    /// This machine's volume, for one of the candidates. It is attached if the cloud leaves that to the machine.
    ///
    /// # Errors
    /// `Waiting` while it is attached to another machine: it is never detached by force.
    fn volume(&self, candidates: &[String], volume: &Volume, me: &Identity) -> Result<Attached>;

    /// The running machines of the cluster.
    ///
    /// # Errors
    /// If the cloud cannot list them.
    fn machines(&self, cluster: &str) -> Result<Vec<joining::Machine>>;
}

/// The volume that the plan attaches: the device of the first candidate that has one, or the directory.
pub(crate) fn planned(candidates: &[String], volume: &Volume) -> Result<Attached> {
    let named =
        candidates.iter().find_map(|it| volume.devices.get(it).map(|device| (it, vec![device.clone()])));
    let (member, devices) =
        named.or_else(|| candidates.first().map(|it| (it, Vec::new()))).ok_or_else(|| {
            crate::error::Error::invalid(
                "choosing etcd's volume",
                "the bundle names no member for this group",
            )
        })?;
    Ok(Attached { member: member.clone(), devices })
}

/// Addresses, as a set.
pub(crate) fn addresses<'a>(all: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    all.into_iter().filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// How long ago something started, by the cloud's clock, which may be a little ahead.
pub(crate) fn age(started: &str, now: jiff::Timestamp) -> Option<std::time::Duration> {
    let started: jiff::Timestamp = started.parse().ok()?;
    Some(std::time::Duration::try_from(now.duration_since(started)).unwrap_or_default())
}

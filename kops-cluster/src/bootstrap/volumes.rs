//! The volumes of etcd's members, if a plan attaches them: the user data contains their identifiers, which
//! are known once the volumes exist.

use kops_core::graph::{Id, Input};
use kops_core::resource::Volume;

use super::text::Text;
use crate::bundle;
use crate::cloud::EtcdVolumes;

/// The volume of an etcd member that one of a group's machines may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberVolume {
    /// The cluster of etcd: `main`, `events`.
    pub etcd: String,
    /// The member.
    pub member: String,
    /// Its volume.
    pub volume: Input<Id<Volume>>,
}

impl MemberVolume {
    /// The volume of a member of a cluster of etcd.
    pub fn new(etcd: impl Into<String>, member: impl Into<String>, volume: Input<Id<Volume>>) -> Self {
        Self { etcd: etcd.into(), member: member.into(), volume }
    }
}

/// The variable of stage 0 with the volumes that a group's machines may have, if the plan attaches them.
pub(super) fn lines(volumes: &[MemberVolume], how: &EtcdVolumes) -> Text {
    let mut text = Text::default();
    if !matches!(how, EtcdVolumes::Attached) || volumes.is_empty() {
        return text;
    }
    text.push("VOLUMES='");
    for (at, MemberVolume { etcd, member, volume }) in volumes.iter().enumerate() {
        // Host names and a cloud's identifier: they have no characters that are special to a shell within
        // quotes.
        let end = if at == 0 { "" } else { "\n" };
        text.push(&format!("{end}{} {member} ", bundle::mount_point(etcd)));
        text.push_input(&volume.clone().into_text());
    }
    text.push("'\n");
    text
}

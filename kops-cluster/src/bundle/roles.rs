//! The roles of machines that a file or hook is for.

use serde_json::Value;

use super::cluster::texts;
use crate::spec::{InstanceGroup, Path, Problems, Role};

/// Whether an item applies to a group's machines according to its list `roles`; without one it applies to
/// all.
pub(super) fn has(item: &Value, group: &InstanceGroup, at: &Path, problems: &mut Problems) -> bool {
    let roles = texts(item, "roles", at, problems);
    let mut found = roles.is_empty();
    for (number, word) in roles.iter().enumerate() {
        // v1alpha2 calls the control plane `Master`.
        let role = if word == "Master" { Ok(Role::ControlPlane) } else { word.parse::<Role>() };
        match role {
            Ok(role) => found |= role == group.role(),
            Err(error) => problems.error(
                at.key("roles").index(number),
                error.message().to_owned(),
                "use Master, Node or Bastion",
            ),
        }
    }
    found
}

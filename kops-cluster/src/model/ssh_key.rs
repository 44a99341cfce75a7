//! The SSH key of the machines.

use super::draft::Draft;
use crate::registry::ssh_fingerprint;
use crate::spec::{Path, Problems};
use kops_core::graph::Handle;
use kops_core::resource::SshKey;

/// The SSH key of the machines: an existing one of the cloud, or else the one in the store. As in kOps, an empty name
/// means that nobody logs in by SSH.
pub(super) fn build(draft: &mut Draft<'_>) -> Option<Handle<SshKey>> {
    match draft.blueprint.cluster.spec.ssh_key_name.as_deref() {
        Some("") => return None,
        Some(name) => return Some(draft.graph.share(name, name)),
        None => {}
    }
    let keys = draft.blueprint.ssh_keys;
    let key = keys.first()?;
    let path = Path::of("spec.publicKey");
    let mut problems = Problems::new();
    if keys.len() > 1 {
        problems.error(
            path.clone(),
            format!("there are {} SSH keys, but machines accept only one", keys.len()),
            "keep one SSHCredential; add further keys to the machines with additionalUserData",
        );
    }
    let fingerprint = ssh_fingerprint(&key.spec.public_key)
        .map_err(|error| problems.error(path, error.message(), error.hint().unwrap_or_default()));
    problems.name_object(&format!("SSHCredential/{}", key.metadata.name));
    draft.problems.extend(problems);
    let name = draft.names.ssh_key(&fingerprint.ok()?);
    Some(draft.graph.add(&name, SshKey::new(key.spec.public_key.trim())))
}

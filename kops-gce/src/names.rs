//! Names of objects on Google Cloud.
//!
//! Nearly every object has a name that is unique in its project, region or zone, of at most 63 lowercase
//! letters, digits and hyphens, starting with a letter ([RFC
//! 1035](https://cloud.google.com/compute/docs/naming-resources)). An object's name is its task's with
//! everything else replaced by hyphens, as in kOps, and shortened by kOps' rule. Different tasks may get the
//! same name; the cloud then rejects the second, and the mark in the description tells which task the first
//! belongs to. A name alone never makes an object ours.

use kops_core::cloud::{name_hash, shortened};

/// The maximum length of a name: <https://cloud.google.com/compute/docs/naming-resources>.
const LONGEST: usize = 63;
/// The maximum length of a service account's identifier:
/// <https://cloud.google.com/iam/docs/service-accounts-create>.
const LONGEST_ACCOUNT: usize = 30;
/// The minimum length of a service account's identifier, ibid.
const SHORTEST_ACCOUNT: usize = 6;
/// Instances of a group get a hyphen and four characters after the base name:
/// <https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers>.
const LONGEST_BASE: usize = 58;

/// The name of a task's object.
pub(crate) fn cloud_name(task: &str) -> String {
    shortened(&safe(task), LONGEST)
}

/// The name of a template, with a digest of its content, because templates are immutable.
pub(crate) fn template_name(task: &str, digest: &str) -> String {
    let digest = digest.get(..10).unwrap_or(digest);
    format!("{}-{digest}", shortened(&safe(task), LONGEST - 1 - digest.len()))
}

/// The prefix of the names of a group's instances.
pub(crate) fn base_name(task: &str) -> String {
    shortened(&safe(task), LONGEST_BASE)
}

/// The part of a service account's address before the `@`.
pub(crate) fn account_id(task: &str) -> String {
    let name = safe(task);
    let name = if name.len() < SHORTEST_ACCOUNT { format!("{name}-{}", name_hash(task)) } else { name };
    shortened(&name, LONGEST_ACCOUNT)
}

fn safe(task: &str) -> String {
    let mut name: String = task
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    name.truncate(name.trim_end_matches('-').len());
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.insert_str(0, "k-");
    }
    name.truncate(name.trim_end_matches('-').len());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_cloud_takes() {
        assert_eq!(cloud_name("api.ha.example.com"), "api-ha-example-com");
        assert_eq!(cloud_name("1.etcd-main.x"), "k-1-etcd-main-x");
        assert_eq!(cloud_name("*.example."), "k---example");
        let long = "x".repeat(80);
        assert_eq!(cloud_name(&long).len(), 63);
        assert_ne!(cloud_name(&long), cloud_name(&format!("{long}y")));
    }

    #[test]
    fn templates_differ_by_what_they_say() {
        let name = template_name(&"n".repeat(80), "0123456789abcdef");
        assert!(name.len() <= 63 && name.ends_with("-0123456789"), "{name}");
        assert_eq!(template_name("nodes.x", "abc"), "nodes-x-abc");
    }

    #[test]
    fn accounts_have_six_to_thirty_characters() {
        for task in ["a", "masters.ha.example.com", &"long".repeat(20)] {
            assert!((6..=30).contains(&account_id(task).len()), "{task}");
        }
    }
}

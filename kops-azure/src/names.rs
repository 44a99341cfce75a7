//! Names with restrictions in Azure.
//!
//! Most resources may have kOps' names of tasks: letters, digits, dots, hyphens and underscores. Other
//! characters become hyphens, and names that are too long are truncated and get a hash. Limits:
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/resource-name-rules>.

use kops_core::cloud::{Scope, name_hash, shortened};

/// A name for most resources of the network and compute providers, at most `longest` characters.
pub(crate) fn plain(task: &str, longest: usize) -> String {
    let name = cleaned(task, |c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    // It must start with a letter or digit, and end with one or an underscore.
    let name = name.trim_start_matches(['-', '.', '_']).trim_end_matches(['-', '.']);
    shortened(&told_apart(task, name), longest)
}

/// A name without dots: for identities, disks and scale sets.
pub(crate) fn dashed(task: &str, longest: usize) -> String {
    let name = cleaned(task, |c| c.is_ascii_alphanumeric() || "-_".contains(c) || c == '.').replace('.', "-");
    let name = name.trim_start_matches(['-', '_']).trim_end_matches('-');
    shortened(&told_apart(task, name), longest)
}

/// The prefix of a scale set's host names, to which Azure adds six characters: host names may have 15
/// characters on Windows, 64 otherwise; Linux' own limit is 63.
pub(crate) fn computer_prefix(task: &str) -> String {
    let name =
        cleaned(task, |c| c.is_ascii_alphanumeric() || c == '-').replace('.', "-").to_ascii_lowercase();
    shortened(name.trim_matches('-'), 50)
}

fn cleaned(task: &str, good: impl Fn(char) -> bool) -> String {
    task.chars().map(|c| if good(c) { c } else { '-' }).collect()
}

/// A name that lost characters (other than dots) gets a hash, so that two tasks do not get the same object.
fn told_apart(task: &str, name: &str) -> String {
    if name.len() == task.len() && name.chars().zip(task.chars()).all(|(a, b)| a == b || b == '.') {
        name.to_owned()
    } else if name.is_empty() {
        format!("x-{}", name_hash(task))
    } else {
        format!("{name}-{}", name_hash(task))
    }
}

/// The suffix of the names of a scope's objects, as in kOps.
pub(crate) fn of_scope(scope: &Scope) -> String {
    match scope.place() {
        Some(place) => format!("{}.{place}", scope.name()),
        None => scope.name().to_owned(),
    }
}

/// Whether something without tags inside a foreign resource has a name as a scope's object would have: the scope's,
/// with at most one word in front, because with more it could belong to a scope whose name ends with this one's.
pub(crate) fn is_called_after(name: &str, scope: &Scope) -> bool {
    let scope = plain(&of_scope(scope), 80);
    name.strip_suffix(&scope).is_some_and(|rest| rest.is_empty() || rest.find('.') == Some(rest.len() - 1))
}

/// Whether something with a scope's tags has a name as kOps would choose it.
pub(crate) fn may_belong(name: &str, scope: &str) -> bool {
    let scope = plain(scope, 80);
    name.strip_suffix(&scope).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A GUID derived from a text: version 8 (RFC 9562), made of the first digits of its SHA-256.
pub(crate) fn guid(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(text.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kops_names_are_kept_where_they_fit() {
        assert_eq!(plain("eastus.ha.example.com", 80), "eastus.ha.example.com");
        assert_eq!(dashed("a.etcd-main.ha.example.com", 80), "a-etcd-main-ha-example-com");
        assert_eq!(computer_prefix("Nodes.ha.example.com"), "nodes-ha-example-com");
    }

    #[test]
    fn names_that_lose_something_stay_apart() {
        assert_ne!(plain("a b", 80), plain("a-b", 80));
        assert_ne!(plain("a*", 80), plain("a+", 80));
        assert_ne!(plain(&"x".repeat(90), 80), plain(&"x".repeat(91), 80));
        assert!(plain(&"x".repeat(90), 80).len() <= 80);
        assert!(!plain("*", 80).is_empty());
    }

    #[test]
    fn guids_follow_from_their_text() {
        let guid = guid("ha.example.com/nodes");
        assert_eq!(guid, super::guid("ha.example.com/nodes"));
        assert_ne!(guid, super::guid("ha.example.com/masters"));
        assert_eq!(guid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&guid[14..15], "8");
    }

    #[test]
    fn what_is_inside_others_is_known_by_its_name() {
        assert!(may_belong("eastus.ha.example.com", "ha.example.com"));
        assert!(!may_belong("eastus.other-ha.example.com", "ha.example.com"));
        assert!(!may_belong("default", "ha.example.com"));
        let (scope, above) = (Scope::new("ha.example.com"), Scope::new("example.com"));
        assert!(
            is_called_after("eastus.ha.example.com", &scope) && is_called_after("ha.example.com", &scope)
        );
        assert!(!is_called_after("eastus.ha.example.com", &above) && !is_called_after("default", &scope));
        let placed = "eastus.ha.example.com.eu";
        assert!(is_called_after(placed, &scope.clone().within("eu")) && !is_called_after(placed, &scope));
    }
}

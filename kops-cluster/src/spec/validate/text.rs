//! Formats of names, labels and addresses.

use ipnet::IpNet;

use crate::spec::path::Path;
use crate::spec::problem::Problems;

/// Why a text is not a DNS label; `None` if it is one.
pub(super) fn not_dns_label(label: &str) -> Option<&'static str> {
    if label.is_empty() {
        Some("a part is empty")
    } else if label.len() > 63 {
        Some("a part has more than 63 characters")
    } else if !label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        Some("it may contain only lowercase letters, digits and hyphens")
    } else if label.starts_with('-') || label.ends_with('-') {
        Some("a part starts or ends with a hyphen")
    } else {
        None
    }
}

/// Why a text is not a DNS name; `None` if it is one.
pub(super) fn not_dns_name(name: &str) -> Option<&'static str> {
    if name.len() > 253 {
        return Some("it has more than 253 characters");
    }
    name.split('.').find_map(not_dns_label)
}

/// Why a text is not a label key, `[domain/]name`; `None` if it is one.
pub(super) fn not_label_key(key: &str) -> Option<&'static str> {
    let name = match key.split_once('/') {
        Some((domain, _)) if not_dns_name(domain).is_some() => {
            return Some("the part before the slash is not a DNS name");
        }
        Some((_, name)) => name,
        None => key,
    };
    if name.is_empty() { Some("it is empty") } else { not_label_value(name) }
}

/// Why a text is not a label value; `None` if it is one.
pub(super) fn not_label_value(value: &str) -> Option<&'static str> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if value.len() > 63 {
        Some("it has more than 63 characters")
    } else if !value.chars().all(inner) {
        Some("it may contain only letters, digits, hyphens, underscores and dots")
    } else if value.starts_with(['-', '_', '.']) || value.ends_with(['-', '_', '.']) {
        Some("it must start and end with a letter or digit")
    } else {
        None
    }
}

/// Reports a CIDR whose address has host bits set.
pub(super) fn host_bits(cidr: &IpNet, at: &Path, problems: &mut Problems) {
    if *cidr != cidr.trunc() {
        problems.error(at.clone(), format!("{cidr} has host bits set"), format!("use {}", cidr.trunc()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_have_their_forms() {
        for good in ["a", "a.b-c.1", "demo.example.com"] {
            assert_eq!(not_dns_name(good), None, "{good}");
        }
        for bad in ["", "A.com", "a..b", "-a", "a-.b", "a_b", &"x".repeat(64), &"ab.".repeat(100)] {
            assert!(not_dns_name(bad).is_some(), "{bad}");
        }
        for good in ["app", "example.com/gpu", "kops.k8s.io/instancegroup", "A_b.c-d"] {
            assert_eq!(not_label_key(good), None, "{good}");
        }
        for bad in ["", "/x", "Ex.com/x", "example.com/", "a b", "-a", "a/b/c"] {
            assert!(not_label_key(bad).is_some(), "{bad}");
        }
        assert_eq!(not_label_value(""), None);
        assert!(not_label_value("a/b").is_some());
    }
}

//! The forms of names, labels and addresses.

use ipnet::IpNet;

use crate::spec::path::Path;
use crate::spec::problem::Problems;

/// Why a text is not a DNS label; none when it is one.
pub(super) fn not_dns_label(label: &str) -> Option<&'static str> {
    if label.is_empty() {
        Some("a part is empty")
    } else if label.len() > 63 {
        Some("a part has more than 63 letters")
    } else if !label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        Some("only small letters, digits and hyphens may be in it")
    } else if label.starts_with('-') || label.ends_with('-') {
        Some("a hyphen stands at an end")
    } else {
        None
    }
}

/// Why a text is not a DNS name; none when it is one.
pub(super) fn not_dns_name(name: &str) -> Option<&'static str> {
    if name.len() > 253 {
        return Some("it has more than 253 letters");
    }
    name.split('.').find_map(not_dns_label)
}

/// Why a text is not the key of a label: `[domain/]name`.
pub(super) fn not_label_key(key: &str) -> Option<&'static str> {
    let name = match key.split_once('/') {
        Some((domain, _)) if not_dns_name(domain).is_some() => {
            return Some("what is before the slash is not a DNS name");
        }
        Some((_, name)) => name,
        None => key,
    };
    if name.is_empty() { Some("it is empty") } else { not_label_value(name) }
}

/// Why a text is not the value of a label.
pub(super) fn not_label_value(value: &str) -> Option<&'static str> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if value.len() > 63 {
        Some("it has more than 63 letters")
    } else if !value.chars().all(inner) {
        Some("only letters, digits, hyphens, underscores and dots may be in it")
    } else if value.starts_with(['-', '_', '.']) || value.ends_with(['-', '_', '.']) {
        Some("it must begin and end with a letter or digit")
    } else {
        None
    }
}

/// Reports a range that is written with the address of one of its machines.
pub(super) fn host_bits(cidr: &IpNet, at: &Path, problems: &mut Problems) {
    if *cidr != cidr.trunc() {
        problems.error(
            at.clone(),
            format!("{cidr} is not where the range begins"),
            format!("write {}", cidr.trunc()),
        );
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

//! Labels, for objects that have them: for users, kOps' tools and the controllers in the cluster.
//!
//! Labels are only a hint at the owner: their values allow neither dots nor capitals. The owner is recorded
//! in the [`Mark`](kops_core::cloud::Mark) in the object's description.

use std::collections::BTreeMap;

use kops_core::cloud::{Scope, shortened};

/// Labels.
pub(crate) type Labels = BTreeMap<String, String>;

/// The label with the cluster's name, with dots replaced by hyphens; also used by kOps.
pub(crate) const CLUSTER: &str = "k8s-io-cluster-name";
/// The maximum length of keys and values: <https://cloud.google.com/compute/docs/labeling-resources>.
const LONGEST: usize = 63;

/// The value of [`CLUSTER`].
pub(crate) fn cluster(scope: &Scope) -> String {
    let name = scope.name().to_ascii_lowercase();
    let safe = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '-' };
    shortened(&name.chars().map(safe).collect::<String>(), LONGEST)
}

/// The labels of an object of a scope: the cluster's, the scope's additional ones, and these.
pub(crate) fn of<'a>(scope: &Scope, more: impl IntoIterator<Item = (&'a String, &'a String)>) -> Labels {
    let written = |(name, text): (&String, &String)| (key(name), value(text));
    let mut labels: Labels = scope.extra_labels().iter().map(written).collect();
    labels.extend(more.into_iter().map(written));
    labels.insert(CLUSTER.to_owned(), cluster(scope));
    labels
}

/// A key in the format of labels: `k8s.io/etcd/main` becomes `k8s-io-etcd-main`, as in kOps.
pub(crate) fn key(name: &str) -> String {
    let safe = |c: char| match c {
        'a'..='z' | '0'..='9' | '-' | '_' => c,
        'A'..='Z' => c.to_ascii_lowercase(),
        _ => '-',
    };
    let mut key: String = name.chars().map(safe).collect();
    if !key.starts_with(|c: char| c.is_ascii_lowercase()) {
        key.insert_str(0, "k-");
    }
    shortened(&key, LONGEST)
}

/// A value in the format of labels, encoded as in kOps: every character other than lowercase letters and
/// digits becomes a hyphen and two hexadecimal digits, so `a/a,b` becomes `a-2fa-2cb`.
pub(crate) fn value(text: &str) -> String {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if text.len() <= LONGEST && text.bytes().all(fits) {
        return text.to_owned();
    }
    let encoded = text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() {
            encoded.push(char::from(byte));
        } else {
            encoded.push('-');
            encoded.extend(
                [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')),
            );
        }
        encoded
    });
    shortened(&encoded, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_do_not_fit_are_written_as_kops_writes_them() {
        assert_eq!(value("nodes-1_a"), "nodes-1_a");
        assert_eq!(value("a/a,b,c"), "a-2fa-2cb-2cc");
        assert_eq!(value(&"y".repeat(70)).len(), 63);
    }

    #[test]
    fn the_cluster_and_the_scopes_labels_are_on_every_object() {
        let scope = Scope::new("ha.example.com").labels([("Team".to_owned(), "A".to_owned())].into());
        let labels = of(&scope, [(&"k8s.io/etcd/main".to_owned(), &"a".to_owned())]);
        let text: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(text, ["k8s-io-cluster-name=ha-example-com", "k8s-io-etcd-main=a", "team=-41"]);
    }
}

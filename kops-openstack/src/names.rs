//! Names with restrictions in OpenStack.

use kops_core::cloud::shortened;

/// The maximum length of a host name, by RFC 1123; Compute derives a server's host name from its name.
const LONGEST_HOST: usize = 63;

/// The name of a server: the task's as a host name, which is also the name of the Kubernetes node.
pub(crate) fn server(task: &str) -> String {
    let dashed: String =
        task.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    shortened(dashed.trim_matches('-'), LONGEST_HOST)
}

/// The name of a key pair: letters, digits, spaces and `_-`; dots are accepted since microversion 2.92 only.
/// <https://docs.openstack.org/api-ref/compute/#import-or-create-keypair>
pub(crate) fn key_pair(task: &str) -> String {
    let plain: String =
        task.chars().map(|c| if c.is_ascii_alphanumeric() || "_- ".contains(c) { c } else { '-' }).collect();
    shortened(plain.trim(), 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_called_like_hosts() {
        assert_eq!(server("nodes-1.ha.example.com"), "nodes-1-ha-example-com");
        assert_eq!(server(&format!("nodes.{}", "x".repeat(80))).len(), 63);
        assert_ne!(
            server(&format!("nodes.{}", "x".repeat(80))),
            server(&format!("nodes.{}", "x".repeat(81)))
        );
    }
}

//! Names with a length limit, shortened by kOps' rule.
//!
//! Names of load balancers and target groups have at most 32 letters, digits and hyphens. kOps derives them
//! from purpose and cluster, truncates the result, and always appends a hash of the whole, so that two long
//! names do not collide. With the same rule, the same cluster gets the same names here.
//!
//! The rule also makes these objects findable: their listings filter neither by tag nor by prefix, and
//! [`may_belong`] tells from the name alone, without a call, which of an account's thousands may be a
//! scope's.

use kops_core::cloud::{HASH_DIGITS, name_hash, shortened};

/// The maximum length of a load balancer's or target group's name.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
const LONGEST: usize = 32;
/// The maximum length of a role's name; instance profiles have the names of their roles.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
const LONGEST_IDENTITY: usize = 64;
/// The length of the readable part, before a hyphen and the hash.
const READABLE: usize = LONGEST - HASH_DIGITS - 1;
/// The part of it that the purpose may use, so that the start of the scope remains visible. kOps has no such
/// limit, and no purpose that is longer.
const PURPOSE: usize = 20;

/// The name of the load balancer or target group of a task: `tcp.ha.example.com` in the scope
/// `ha.example.com` is `tcp-ha-example-com-…`.
pub(crate) fn balancing(task: &str, scope: &str) -> String {
    let purpose = task.strip_suffix(scope).map_or(task, |rest| rest.strip_suffix('.').unwrap_or(rest));
    let whole = dashed(&format!("{purpose}-{scope}"));
    let short = dashed(&format!("{}-{scope}", purpose.get(..PURPOSE).unwrap_or(purpose)));
    format!("{}-{}", readable(&short), name_hash(&whole))
}

/// The name of the role or instance profile of a task: the task's own, unless it is too long.
pub(crate) fn identity(task: &str) -> String {
    shortened(task, LONGEST_IDENTITY)
}

/// Whether a load balancer or target group with this name may have been created for a task of the scope. Only
/// its tags tell for certain; but if this returns `false`, it is not the scope's.
pub(crate) fn may_belong(name: &str, scope: &str) -> bool {
    let Some((readable, digits)) = name.rsplit_once('-') else { return false };
    if digits.len() != HASH_DIGITS {
        return false;
    }
    let scope = dashed(scope);
    // The readable part is `purpose-scope`, truncated if it has the maximum length; a trailing hyphen is
    // dropped, too.
    let cut = readable.len() + 1 >= READABLE;
    let starts = std::iter::once(0).chain(readable.match_indices('-').map(|(at, _)| at + 1));
    starts.map(|at| &readable[at..]).any(|rest| rest == scope || (cut && scope.starts_with(rest)))
}

/// The text with only letters, digits and single hyphens, none of them at an end.
fn dashed(text: &str) -> String {
    let mut dashed = String::with_capacity(text.len());
    for part in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push_str(part);
    }
    dashed
}

fn readable(whole: &str) -> &str {
    // All of it is ASCII.
    whole.get(..READABLE).unwrap_or(whole).trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kops_gives() {
        for (task, scope, name) in [
            ("tcp.complex.example.com", "complex.example.com", "tcp-complex-example-com-vpjolq"),
            ("tls.complex.example.com", "complex.example.com", "tls-complex-example-com-5nursn"),
            (
                "api.privatecilium.example.com",
                "privatecilium.example.com",
                "api-privatecilium-example-fnt793",
            ),
            (
                "bastion.bastionuserdata.example.com",
                "bastionuserdata.example.com",
                "bastion-bastionuserdata-e-4grhsv",
            ),
        ] {
            assert_eq!(balancing(task, scope), name);
        }
    }

    #[test]
    fn only_a_name_that_is_too_long_is_cut() {
        assert_eq!(identity("nodes.ha.example.com"), "nodes.ha.example.com");
        let long = format!("nodes.{}.example.com", "x".repeat(60));
        assert_eq!(identity(&long).len(), LONGEST_IDENTITY);
        assert_ne!(identity(&long), identity(&format!("{long}.au")));
    }

    #[test]
    fn no_name_has_two_hyphens_in_a_row() {
        assert_eq!(
            balancing("tcp.minimal-ipv6.example.com", "minimal-ipv6.example.com"),
            "tcp-minimal-ipv6-example-bne5ih"
        );
        assert!(!balancing("a--b..c", "x--y.example").contains("--"));
    }

    #[test]
    fn every_name_of_a_scope_may_belong_to_it() {
        for scope in ["demo", "ha.example.com", "a-rather-long-cluster-name.eu.example.com", "x--y.z"] {
            for purpose in
                ["", "a.", "tcp.", "kops-controller.", "one-that-is-longer-than-all.", "web", "ab-cd-"]
            {
                let name = balancing(&format!("{purpose}{scope}"), scope);
                assert!(name.len() <= LONGEST, "{name}");
                assert!(may_belong(&name, scope), "{name} of {scope}");
            }
            assert!(may_belong(&balancing("web", scope), scope));
        }
    }

    #[test]
    fn most_other_names_are_told_apart() {
        assert!(!may_belong("my-balancer", "ha.example.com"));
        assert!(!may_belong("tcp-hb-example-com-vpjolq", "ha.example.com"));
        assert!(!may_belong(&balancing("api.hb.example.com", "hb.example.com"), "ha.example.com"));
        assert!(!may_belong("k8s-default-web-0123456789", "ha.example.com"));
    }
}

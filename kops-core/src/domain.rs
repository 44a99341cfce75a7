//! Domain names, which are equal whatever the case and a final dot.

/// A domain name in normal form: lower case, without the final dot.
///
/// ```
/// assert_eq!(kops_core::cloud::bare_domain("API.Example.com."), "api.example.com");
/// ```
pub fn bare_domain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether a name is a domain's, or ends in it.
///
/// ```
/// use kops_core::cloud::is_in_domain;
///
/// assert!(is_in_domain("api.example.com", "Example.com."));
/// assert!(!is_in_domain("api.another-example.com", "example.com"));
/// ```
pub fn is_in_domain(name: &str, domain: &str) -> bool {
    let rest = bare_domain(name);
    rest.strip_suffix(&bare_domain(domain)).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

//! Which marks are this connection's, and the filter that finds a scope's.

use kops_core::cloud::{Mark, Scope};

use crate::path::Path;

/// Precedes the project of the connection, at the end of marks in other projects.
const FROM: &str = "project=";

/// Whether a mark was written by a connection to this project: several projects may use a network, and have
/// clusters of the same name.
pub(crate) fn is_from(project: &str, path: &Path, description: &str) -> bool {
    path.project == project || description.ends_with(&from(project))
}

/// The end of marks that a connection to this project writes in another one.
pub(super) fn from(project: &str) -> String {
    format!(" {FROM}{project}")
}

/// The filter for what carries a scope's mark: `field eq` takes a regular expression that must match the
/// whole value (<https://cloud.google.com/compute/docs/reference/rest/v1/networks/list>).
pub(crate) fn marked_by(scope: &Scope) -> String {
    let text = Mark::beginning(scope);
    // Dots and stars of the name are literal. Backslashes would have to be escaped in turn.
    let exactly: String =
        text.chars().map(|c| if matches!(c, '.' | '*') { format!("[{c}]") } else { c.to_string() }).collect();
    format!("description eq \"{exactly}.*\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_means_the_scope_and_no_other() {
        let filter = marked_by(&Scope::new("ha.example.com"));
        assert_eq!(filter, "description eq \"kops cluster=ha[.]example[.]com task=.*\"");
        let filter = marked_by(&Scope::new("shop").within("eu").at("europe-west1"));
        assert_eq!(filter, "description eq \"kops cluster=shop within=eu region=europe-west1 task=.*\"");
    }
}

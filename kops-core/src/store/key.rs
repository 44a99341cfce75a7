//! Keys and prefixes: relative paths that mean the same in every store.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The top-level name that stores keep for themselves (the local store's lock and unfinished file).
pub(super) const RESERVED: &str = ".kops-local";

/// S3 and GCS allow 1,024 bytes, of which the store's own prefix takes some.
const LONGEST: usize = 896;
/// The longest name of a file on common file systems.
const LONGEST_NAME: usize = 255;

/// The name of an object in a store: a relative path with `/` between its parts.
///
/// Every part is non-empty, at most 255 bytes long, neither `.` nor `..`, and free of control characters and
/// backslashes; so a key is a safe path on a file system and the same key everywhere.
///
/// ```
/// use kops_core::store::StoreKey;
///
/// assert_eq!(StoreKey::new("ha.example.com/config")?.to_string(), "ha.example.com/config");
/// assert!(StoreKey::new("../etc/passwd").is_err());
/// assert!(StoreKey::new("/config").is_err());
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey(String);

impl StoreKey {
    /// The key of that name.
    ///
    /// # Errors
    /// `Invalid` when it is not a relative path of the form above.
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        check(&key)?;
        Ok(Self(key))
    }

    /// The whole key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StoreKey {
    type Err = Error;

    fn from_str(key: &str) -> Result<Self> {
        Self::new(key)
    }
}

/// Everything under a directory-like prefix, or the whole store.
///
/// ```
/// use kops_core::store::{StoreKey, Prefix};
///
/// let groups = Prefix::new("ha.example.com/instancegroup")?;
/// assert_eq!(groups.key("nodes")?, StoreKey::new("ha.example.com/instancegroup/nodes")?);
/// assert_eq!(groups.relative(&groups.key("nodes")?), Some("nodes"));
/// // A prefix ends at a slash: this is another directory.
/// assert!(!groups.contains(&StoreKey::new("ha.example.com/instancegroups")?));
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// The whole store.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// Everything under a path, given without a slash at its end.
    ///
    /// # Errors
    /// `Invalid` as for [`StoreKey::new`].
    pub fn new(directory: impl Into<String>) -> Result<Self> {
        let mut directory = directory.into();
        check(&directory)?;
        directory.push('/');
        Ok(Self(directory))
    }

    /// Empty, or with a slash at the end: what an object store takes as prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of this name under the prefix.
    ///
    /// # Errors
    /// `Invalid` as for [`StoreKey::new`].
    pub fn key(&self, name: &str) -> Result<StoreKey> {
        StoreKey::new(format!("{}{name}", self.0))
    }

    /// The prefix under this one.
    ///
    /// # Errors
    /// `Invalid` as for [`StoreKey::new`].
    pub fn join(&self, directory: &str) -> Result<Self> {
        Self::new(format!("{}{directory}", self.0))
    }

    /// Whether a key is under the prefix.
    pub fn contains(&self, key: &StoreKey) -> bool {
        self.relative(key).is_some()
    }

    /// The rest of a key that is under the prefix.
    pub fn relative<'k>(&self, key: &'k StoreKey) -> Option<&'k str> {
        key.0.strip_prefix(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(path: &str) -> Result<()> {
    let wrong = |why: &str| {
        Err(Error::invalid(format!("`{}` is no key of a state store: {why}", path.escape_debug())))
    };
    if path.len() > LONGEST {
        return wrong(&format!("it is longer than {LONGEST} bytes"));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return wrong("it has a control character or a backslash");
    }
    if path.split('/').next() == Some(RESERVED) {
        return wrong("that name is for the store itself");
    }
    for part in path.split('/') {
        match part {
            "" => return wrong("it is empty, or has a slash at either end or two in a row"),
            "." | ".." => return wrong("it has a part that leads elsewhere"),
            part if part.len() > LONGEST_NAME => {
                return wrong(&format!("a part of it is longer than {LONGEST_NAME} bytes"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_leave_the_store() {
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            "a\\b",
            "a\0b",
            "a\nb",
            ".kops-local/lock",
        ] {
            let error = StoreKey::new(bad).unwrap_err();
            assert!(error.message().contains("no key"), "{bad}: {error}");
        }
        assert!(StoreKey::new("a".repeat(256)).is_err());
        assert!(StoreKey::new("a/".repeat(448) + "a").is_err());
        for good in ["a", ".kops/x/lock", "a/..b/c", "ä", "pki/ssh/public/admin/0f", "a b"] {
            assert_eq!(StoreKey::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn names_are_the_last_part() {
        assert_eq!(StoreKey::new("a/b/c").unwrap().name(), "c");
        assert_eq!(StoreKey::new("a").unwrap().name(), "a");
    }
}

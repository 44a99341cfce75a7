//! Keys and prefixes: relative paths that have the same meaning in every store.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The top-level name that is reserved for stores (the local store's lock and unfinished file).
pub(super) const RESERVED: &str = ".kops-local";

/// S3 and GCS allow 1,024 bytes, which have to include the store's own prefix.
const LONGEST: usize = 896;
/// The maximum length of a file name on common file systems.
const LONGEST_NAME: usize = 255;

/// The name of an object in a store: a relative path with `/` between its parts.
///
/// Every part is non-empty, at most 255 bytes long, neither `.` nor `..`, and free of control characters and
/// backslashes; so a key is a safe path on a file system, and the same key in every store.
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
    /// Parses a key.
    ///
    /// # Errors
    /// `Invalid` if it is not a relative path as described above.
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        check(&key)?;
        Ok(Self(key))
    }

    /// The complete key.
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
/// // A prefix ends with a slash: this is another directory.
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

    /// Everything under a path, without a slash at its end.
    ///
    /// # Errors
    /// `Invalid`, as in [`StoreKey::new`].
    pub fn new(directory: impl Into<String>) -> Result<Self> {
        let mut directory = directory.into();
        check(&directory)?;
        directory.push('/');
        Ok(Self(directory))
    }

    /// The prefix of names in an object store: empty, or with a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key with a name under the prefix.
    ///
    /// # Errors
    /// `Invalid`, as in [`StoreKey::new`].
    pub fn key(&self, name: &str) -> Result<StoreKey> {
        StoreKey::new(format!("{}{name}", self.0))
    }

    /// A prefix under this one.
    ///
    /// # Errors
    /// `Invalid`, as in [`StoreKey::new`].
    pub fn join(&self, directory: &str) -> Result<Self> {
        Self::new(format!("{}{directory}", self.0))
    }

    /// Whether a key is under the prefix.
    pub fn contains(&self, key: &StoreKey) -> bool {
        self.relative(key).is_some()
    }

    /// The rest of a key after the prefix, if it is under it.
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
        Err(Error::invalid(format!("`{}` is not a valid key of a state store: {why}", path.escape_debug())))
    };
    if path.len() > LONGEST {
        return wrong(&format!("it is longer than {LONGEST} bytes"));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return wrong("it contains a control character or a backslash");
    }
    if path.split('/').next() == Some(RESERVED) {
        return wrong("this name is reserved");
    }
    for part in path.split('/') {
        match part {
            "" => return wrong("it is empty, starts or ends with a slash, or contains two in a row"),
            "." | ".." => return wrong("it contains a part `.` or `..`"),
            part if part.len() > LONGEST_NAME => {
                return wrong(&format!("it contains a part longer than {LONGEST_NAME} bytes"));
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
            assert!(error.message().contains("not a valid key"), "{bad}: {error}");
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

//! The location of a state store in an object store.

use std::fmt;

use super::{Prefix, StoreKey, StoreUrl, Version};
use crate::error::Source;
use crate::{Error, ErrorKind, Result};

/// A bucket (or container), or the part of it under a prefix: the names of objects there, and the errors if the
/// bucket cannot be used.
///
/// ```
/// use kops_core::store::{StoreKey, Place, StoreUrl};
///
/// let url: StoreUrl = "s3://my-bucket/clusters".parse()?;
/// let place = Place::of(&url, "bucket")?;
/// assert_eq!(place.bucket(), "my-bucket");
/// assert_eq!(place.object(&StoreKey::new("ha.example.com/config")?), "clusters/ha.example.com/config");
///
/// let error = Place::of(&"s3://".parse()?, "bucket").unwrap_err();
/// assert_eq!(error.to_string(), "`s3://` has no bucket (use s3://bucket/prefix)");
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `bucket` or `container`.
    kind: &'static str,
    /// The bucket's URL.
    url: String,
    bucket: String,
    prefix: Prefix,
}

impl Place {
    /// Parses the location in a URL. `form` specifies the parts before the prefix: `bucket`, or `account/container`.
    /// The last of them contains the objects.
    ///
    /// # Errors
    /// `Invalid` if one of them is missing, or the prefix is not valid, with the correct form as a hint.
    pub fn of(url: &StoreUrl, form: &'static str) -> Result<Self> {
        let advise = |error: Error| error.with_hint(format!("use {}://{form}/prefix", url.scheme));
        let names = format!("{}{}", url.host, url.path);
        let (mut rest, mut kind, mut bucket) = (names.as_str(), "", "");
        let mut base = format!("{}:/", url.scheme);
        for part in form.split('/') {
            let (name, behind) = rest.split_once('/').unwrap_or((rest, ""));
            if name.is_empty() {
                return Err(advise(Error::invalid(format!("`{url}` has no {part}"))));
            }
            base = format!("{base}/{name}");
            (kind, bucket, rest) = (part, name, behind);
        }
        let prefix = if rest.is_empty() { Prefix::root() } else { Prefix::new(rest).map_err(advise)? };
        Ok(Self { kind, url: base, bucket: bucket.to_owned(), prefix })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The URL of the state store, without a slash at the end.
    pub fn location(&self) -> String {
        format!("{self}/{}", self.prefix).trim_end_matches('/').to_owned()
    }

    /// The name of the object for a key in the bucket.
    pub fn object(&self, key: &StoreKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The prefix of all objects under a prefix in the bucket.
    pub fn under(&self, prefix: &Prefix) -> String {
        format!("{}{prefix}", self.prefix)
    }

    /// The key of an object in a listing; none for placeholders of folders.
    ///
    /// # Errors
    /// `Invalid` for an object that cannot belong to a state store.
    pub fn key(&self, object: &str) -> Result<Option<StoreKey>> {
        let name = object.strip_prefix(self.prefix.as_str()).unwrap_or(object);
        if name.is_empty() || name.ends_with('/') {
            return Ok(None);
        }
        StoreKey::new(name).map(Some).map_err(|error| {
            Error::invalid(format!(
                "the {} {self} contains an object that does not belong to a state store: {error}",
                self.kind
            ))
            .with_hint("move it out of the state store")
        })
    }

    /// The version in a response.
    ///
    /// # Errors
    /// `Unsupported` if there is none.
    pub fn version(&self, told: Option<impl Into<String>>) -> Result<Version> {
        told.map(Version::new).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                format!("the {} {self} does not return versions of objects", self.kind),
            )
            .with_hint("use an object store that does, because conditional writes require them")
        })
    }

    /// The error if the bucket does not exist; `make` is the command that creates it.
    pub fn missing(&self, make: &str) -> Error {
        Error::not_found(format!("the {} of the state store, {self}, does not exist", self.kind))
            .with_hint(format!("check the name, or create it with `{make}`; also enable versioning"))
    }

    /// The error if access to the bucket is denied; `needs` describes the required permissions.
    pub fn denied(&self, refusal: Error, needs: &str) -> Error {
        let message = format!("no access to the {} {self}: {}", self.kind, refusal.message());
        let error =
            Error::new(ErrorKind::Denied, message).with_hint(format!("a state store requires {needs}"));
        match refusal.call() {
            Some(call) => error.with_call(call).with_source(refusal),
            None => error.with_source(refusal),
        }
    }

    /// The error for a malformed response.
    pub fn garbled(&self, cause: impl Into<Source>) -> Error {
        Error::new(ErrorKind::Unavailable, format!("malformed response for the {} {self}", self.kind))
            .with_source(cause)
    }

    /// The error for an incomplete response.
    pub fn broke_off(&self, cause: impl Into<Source>) -> Error {
        let message =
            format!("the connection was interrupted during a response for the {} {self}", self.kind);
        Error::new(ErrorKind::Unavailable, message).with_source(cause)
    }
}

/// The bucket's URL.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, form: &'static str) -> Result<Place> {
        Place::of(&url.parse().unwrap(), form)
    }

    #[test]
    fn a_url_names_a_bucket_and_a_prefix() {
        for (url, form, shown, bucket, prefix) in [
            ("s3://b", "bucket", "s3://b", "b", ""),
            ("s3://b/", "bucket", "s3://b", "b", ""),
            ("S3://b/x/y/", "bucket", "s3://b", "b", "x/y/"),
            ("azureblob://a/c", "account/container", "azureblob://a/c", "c", ""),
            ("azureblob://a/c/x/y", "account/container", "azureblob://a/c", "c", "x/y/"),
        ] {
            let place = place(url, form).unwrap();
            assert_eq!((place.to_string().as_str(), place.bucket()), (shown, bucket));
            assert_eq!(place.prefix.as_str(), prefix);
            assert_eq!(place.location(), url.trim_end_matches('/').to_lowercase());
        }
    }

    #[test]
    fn a_url_that_names_none_is_told_what_lacks() {
        for (url, form, says) in [
            ("s3://", "bucket", "has no bucket (use s3://bucket/prefix)"),
            ("s3:///x", "bucket", "has no bucket"),
            ("swift://", "container", "has no container (use swift://container/prefix)"),
            ("azureblob://", "account/container", "has no account"),
            ("azureblob:///c", "account/container", "has no account"),
            (
                "azureblob://a",
                "account/container",
                "has no container (use azureblob://account/container/prefix)",
            ),
            ("azureblob://a//x", "account/container", "has no container"),
            ("s3://b/x//y", "bucket", "not a valid key of a state store"),
            ("s3://b//x", "bucket", "not a valid key of a state store"),
        ] {
            let error = place(url, form).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn objects_are_keys_under_the_prefix() {
        let place = place("s3://b/x", "bucket").unwrap();
        let key = StoreKey::new("a/b").unwrap();
        assert_eq!(place.object(&key), "x/a/b");
        assert_eq!(place.under(&Prefix::new("a").unwrap()), "x/a/");
        assert_eq!(place.key("x/a/b").unwrap(), Some(key));
        for folder in ["x/", "x/a/"] {
            assert_eq!(place.key(folder).unwrap(), None);
        }
        let error = place.key("x/a//b").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the bucket s3://b contains an object that does not belong to a state store"),
            "{error}"
        );
    }

    #[test]
    fn a_refusal_keeps_its_call() {
        let place = place("azureblob://a/c", "account/container").unwrap();
        let error = place.denied(Error::new(ErrorKind::Denied, "no role").with_call("blobs/read"), "a role");
        assert_eq!(
            error.to_string(),
            "blobs/read: permission denied: no access to the container azureblob://a/c: no role (a state store requires a role)"
        );
        assert_eq!(
            place.missing("az make c").to_string(),
            "not found: the container of the state store, azureblob://a/c, does not exist (check the name, or create it \
             with `az make c`; also enable versioning)"
        );
    }
}

//! Paths of fields in a document: `spec.subnets[1].cidr`.

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use kops_core::Error;

/// One segment of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A field of an object, or a key of a map.
    Key(String),
    /// An element of a list, from 0.
    Index(usize),
}

/// The path of a field, from the root of a document.
///
/// Keys that contain dots or brackets (as labels do) are written in brackets and quotes, and parsed the same
/// way.
///
/// ```
/// use kops_cluster::Path;
///
/// let path: Path = "spec.subnets[1].cidr".parse()?;
/// assert_eq!(path.to_string(), "spec.subnets[1].cidr");
///
/// let label = Path::of("spec").key("nodeLabels").key("example.com/gpu");
/// assert_eq!(label.to_string(), r#"spec.nodeLabels["example.com/gpu"]"#);
/// assert_eq!(label.to_string().parse::<Path>()?, label);
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Segment>);

impl Path {
    /// The root of the document.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of plain field names joined by dots: `spec.networking`.
    pub fn of(dotted: &str) -> Self {
        Self(dotted.split('.').map(|key| Segment::Key(key.to_owned())).collect())
    }

    /// This path extended by a field.
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Key(key.into()));
        path
    }

    /// This path extended by an index of the list it points to.
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Index(index));
        path
    }

    /// This path followed by another.
    pub fn join(&self, rest: &Self) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// Its segments, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The rest of this path after `prefix`, if it starts with it.
    pub fn strip_prefix(&self, prefix: &Self) -> Option<Self> {
        self.0.strip_prefix(prefix.0.as_slice()).map(|rest| Self(rest.to_vec()))
    }

    /// The path without its last segment; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, rest)| Self(rest.to_vec()))
    }

    /// Whether this is the root of the document.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<Segment>> for Path {
    fn from(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

/// Whether a key can be written between dots as it is.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| !matches!(c, '.' | '[' | ']' | '"'))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if !is_plain(key) => write!(f, "[{key:?}]")?,
                Segment::Key(key) if at == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// Serialises as text.
impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Path {
    type Err = Error;

    /// Parses `spec.subnets[1].cidr`. The segment `1` of kOps' own `spec.subnets.1.cidr` is a key here;
    /// [`set`](super::set()) treats it as an index if the field is a list.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::invalid(format!("{text:?} is not a path: {why}")).with_hint(
                "use a path such as spec.kubernetesVersion, spec.subnets[0].cidr or spec.nodeLabels[\"a.b/c\"]",
            )
        };
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (segment, after) = if inside.starts_with('"') {
                    let end = closing_quote(inside).ok_or_else(|| wrong("a quote is not closed"))?;
                    let key = serde_json::from_str(&inside[..=end])
                        .map_err(|_| wrong("a quoted key is malformed"))?;
                    (Segment::Key(key), &inside[end + 1..])
                } else {
                    let end = inside.find(']').ok_or_else(|| wrong("a bracket is not closed"))?;
                    let index = inside[..end].parse().map_err(|_| wrong("a list index must be a number"))?;
                    (Segment::Index(index), &inside[end..])
                };
                segments.push(segment);
                rest = after.strip_prefix(']').ok_or_else(|| wrong("a bracket is not closed"))?;
                if !rest.is_empty() && !rest.starts_with(['.', '[']) {
                    return Err(wrong("a bracket must be followed by a dot or another bracket"));
                }
                if let Some(after) = rest.strip_prefix('.') {
                    if after.is_empty() {
                        return Err(wrong("it ends in a dot"));
                    }
                    rest = after;
                }
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if end == 0 {
                    return Err(wrong("a field name is missing"));
                }
                segments.push(Segment::Key(rest[..end].to_owned()));
                rest = &rest[end..];
                if let Some(after) = rest.strip_prefix('.') {
                    if after.is_empty() {
                        return Err(wrong("it ends in a dot"));
                    }
                    rest = after;
                }
            }
        }
        if segments.is_empty() {
            return Err(wrong("must not be empty"));
        }
        Ok(Self(segments))
    }
}

/// The byte position of the quote that closes the one at the start of `text`.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            return Some(at);
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_reads_back_as_it_was_written() {
        for path in [
            Path::of("spec.kubernetesVersion"),
            Path::of("spec").key("subnets").index(12).key("cidr"),
            Path::of("spec").key("nodeLabels").key("a.b/c"),
            Path::of("spec").key("x").key("with \"quotes\" and ]").index(0),
            Path::of("metadata").key("labels").key(""),
            Path::root().key("[0]").key("y"),
        ] {
            assert_eq!(path.to_string().parse::<Path>().unwrap(), path, "{path}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in [
            "",
            ".spec",
            "spec.",
            "spec..x",
            "spec[",
            "spec[x]",
            "spec[1",
            "spec[\"a]",
            "spec[1]x",
            "spec[1].",
        ] {
            let error = text.parse::<Path>().unwrap_err();
            assert!(error.hint().is_some(), "{text}: {error}");
        }
    }
}

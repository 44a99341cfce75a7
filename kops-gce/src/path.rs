//! The location of a Compute Engine object: the part of its URL from `projects/` on, which is also its
//! identifier in graphs and plans.

use std::fmt;

use kops_core::{Error, Result};

/// Global, a region or a zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    Global,
    Region(String),
    Zone(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Region(region) => write!(f, "regions/{region}"),
            Self::Zone(zone) => write!(f, "zones/{zone}"),
        }
    }
}

/// An object's path: `projects/p/zones/z/disks/d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) project: String,
    pub(crate) place: Place,
    pub(crate) collection: String,
    pub(crate) name: String,
}

impl Path {
    /// Parses an identifier or a full URL.
    pub(crate) fn parse(id: &str) -> Result<Self> {
        let malformed = || Error::internal(format!("`{id}` is not the path of an object"));
        let short = short(id);
        let mut parts = short.strip_prefix("projects/").ok_or_else(malformed)?.split('/');
        let mut next =
            || parts.next().filter(|part| !part.is_empty()).map(str::to_owned).ok_or_else(malformed);
        let project = next()?;
        let place = match next()?.as_str() {
            "global" => Place::Global,
            "regions" => Place::Region(next()?),
            "zones" => Place::Zone(next()?),
            _ => return Err(malformed()),
        };
        Ok(Self { project, place, collection: next()?, name: next()? })
    }

    /// The region, if it is in one.
    pub(crate) fn region(&self) -> &str {
        if let Place::Region(region) = &self.place { region } else { "" }
    }

    /// The zone, if it is in one.
    pub(crate) fn zone(&self) -> &str {
        if let Place::Zone(zone) = &self.place { zone } else { "" }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/{}/{}/{}", self.project, self.place, self.collection, self.name)
    }
}

/// The project that a selector names, `project/name` or a path; `None` for a bare name.
pub(crate) fn project_in(selector: &str) -> Option<String> {
    if let Ok(path) = Path::parse(selector) {
        return Some(path.project);
    }
    selector.rsplit_once('/').map(|(project, _)| project.to_owned())
}

/// The root of Compute Engine's names, whichever endpoint is in use.
const ROOT: &str = "https://www.googleapis.com/compute/v1/";

/// The whole URL of a path, for the few fields that take no part of it.
pub(crate) fn whole(path: &str) -> String {
    format!("{ROOT}{path}")
}

/// A path without host and version: the API returns full URLs, and accepts short ones.
pub(crate) fn short(address: &str) -> String {
    match address.find("projects/") {
        Some(start) => address[start..].to_owned(),
        None => address.to_owned(),
    }
}

/// The last part of a path: the name of a type, a zone, a region.
pub(crate) fn last(address: &str) -> String {
    address.rsplit('/').next().unwrap_or(address).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_however_they_are_written() {
        for place in ["global", "regions/r", "zones/z"] {
            let short = format!("projects/p/{place}/things/t");
            for text in [short.clone(), format!("https://www.googleapis.com/compute/v1/{short}")] {
                assert_eq!(Path::parse(&text).unwrap().to_string(), short);
            }
        }
        for text in ["", "t", "projects/p", "projects/p/global/things", "projects/p/elsewhere/a/b"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}

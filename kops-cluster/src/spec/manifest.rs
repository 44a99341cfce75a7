//! Manifests: texts of one or more documents, read with all their problems and written back.

use serde_json::Value;

use super::object::{AnyObject, ApiObject};
use super::path::Path;
use super::problem::{Location, Problem, Problems, Severity};
use super::schema::nearest;
use super::types::{Cluster, InstanceGroup, Keyset, SshCredential};
use super::version::{self, ApiVersion, Kind};
use super::yaml::{self, Lines, YamlDocument};
use kops_core::{Error, Result};

/// How unknown fields are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As errors, because they are probably typing errors. For what people write.
    #[default]
    Strict,
    /// As warnings; they are preserved. For what other versions of kOps stored.
    Lenient,
}

impl Mode {
    fn unknown(self) -> Severity {
        match self {
            Self::Strict => Severity::Error,
            Self::Lenient => Severity::Warning,
        }
    }
}

/// An object that was read, and the locations of its fields in the text.
#[derive(Clone, Debug)]
pub struct ManifestDocument {
    /// The object.
    pub object: AnyObject,
    /// The version of the API it was written in.
    pub version: ApiVersion,
    lines: Lines,
}

impl ManifestDocument {
    /// The location of a field, by its path in the version it was written in; for a field that is absent, the
    /// location of the enclosing object.
    pub fn location(&self, path: &Path) -> Option<Location> {
        let mut path = path.clone();
        loop {
            if let Some(location) = self.lines.get(&path) {
                return Some(*location);
            }
            path = path.parent()?;
        }
    }

    /// Converts problems found later to refer to the text: paths of its version, and lines.
    pub fn localize(&self, problems: &mut Problems) {
        let title = self.object.title();
        problems.update(|problem| {
            if problem.location.is_none() && (problem.object.is_empty() || problem.object == title) {
                if self.version != ApiVersion::V1Alpha2 {
                    let here = version::from_version(ApiVersion::V1Alpha2, self.object.kind(), &problem.path);
                    problem.path = version::to_version(self.version, self.object.kind(), &here);
                }
                problem.location = self.location(&problem.path);
            }
        });
    }
}

/// The result of reading a manifest: every object that could be recognised, and every problem.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The objects, in the order of the text.
    pub documents: Vec<ManifestDocument>,
    /// All problems in them.
    pub problems: Problems,
}

impl Manifest {
    /// Reads a text with any number of documents.
    ///
    /// ```
    /// use kops_cluster::{Manifest, Mode};
    ///
    /// let text = "
    /// apiVersion: kops.k8s.io/v1alpha2
    /// kind: InstanceGroup
    /// metadata:
    ///   name: nodes
    /// spec:
    ///   role: Node
    ///   minSize: two
    ///   machinType: t3.medium
    /// ";
    /// let manifest = Manifest::read(text, Mode::Strict)?;
    /// let problems: Vec<String> = manifest.problems.iter().map(ToString::to_string).collect();
    /// assert_eq!(problems, [
    ///     "InstanceGroup/nodes: line 8, column 3: spec.minSize: \"two\" is not an integer \
    ///      (use an integer)",
    ///     "InstanceGroup/nodes: line 9, column 3: spec.machinType: unknown field \"machinType\" \
    ///      (did you mean machineType?)",
    /// ]);
    /// # Ok::<(), kops_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Malformed YAML, with document, line and column. All other problems are in `problems`.
    pub fn read(text: &str, mode: Mode) -> Result<Self> {
        let mut manifest = Self::default();
        for document in yaml::read(text)? {
            manifest.add(document, mode)?;
        }
        if manifest.documents.is_empty() && manifest.problems.is_empty() {
            manifest.problems.error(
                Path::root(),
                "it contains no objects",
                "add documents with apiVersion kops.k8s.io/v1alpha2 and kind Cluster, InstanceGroup or SSHCredential",
            );
        }
        Ok(manifest)
    }

    fn add(&mut self, document: YamlDocument, mode: Mode) -> Result<()> {
        let YamlDocument { number, mut value, lines } = document;
        let mut problems = Problems::new();
        let header = read_header(&mut value, &mut problems);
        let object = header
            .map(|(version, kind)| {
                AnyObject::from_document(version, kind, value, mode.unknown(), &mut problems)
            })
            .transpose()?;
        let top = Location {
            document: number,
            line: lines.values().map(|at| at.line).min().unwrap_or(1),
            column: 1,
        };
        let parsed = object.zip(header).map(|(object, (version, _))| ManifestDocument {
            object,
            version,
            lines: lines.clone(),
        });
        problems.update(|problem| {
            let known = ancestors(&problem.path).find_map(|path| lines.get(&path).copied());
            problem.location = Some(known.unwrap_or(top));
        });
        problems.sort_by_location();
        if let Some(parsed) = parsed {
            problems.name_object(&parsed.object.title());
            self.documents.push(parsed);
        }
        self.problems.extend(problems);
        Ok(())
    }

    /// The objects and the warnings, or all errors combined.
    ///
    /// # Errors
    /// Any problem that is an error.
    pub fn into_objects(self) -> Result<(Vec<AnyObject>, Vec<Problem>)> {
        let warnings = self.problems.into_result()?;
        Ok((self.documents.into_iter().map(|document| document.object).collect(), warnings))
    }
}

/// A path and its ancestors, innermost first.
fn ancestors(path: &Path) -> impl Iterator<Item = Path> {
    std::iter::successors(Some(path.clone()), Path::parent)
}

/// Removes `apiVersion` and `kind` from a document.
fn read_header(value: &mut Value, problems: &mut Problems) -> Option<(ApiVersion, Kind)> {
    let Some(object) = value.as_object_mut() else {
        problems.error(
            Path::root(),
            "the document is not an object",
            "write apiVersion, kind, metadata and spec as fields, one per line",
        );
        return None;
    };
    let mut word = |name: &str| match object.remove(name) {
        Some(Value::String(text)) => Some(text),
        Some(_) => None,
        None => Some(String::new()),
    };
    let (version, kind) = (word("apiVersion"), word("kind"));
    let version = match version.as_deref() {
        Some("") | None => {
            problems.error(
                Path::of("apiVersion"),
                "is required",
                format!("set apiVersion: {}", ApiVersion::default()),
            );
            None
        }
        Some(text) => text
            .parse()
            .inspect_err(|error: &Error| {
                problems.error(
                    Path::root().key("apiVersion"),
                    format!("{text:?} is not supported"),
                    error.hint().unwrap_or(""),
                );
            })
            .ok(),
    };
    let names = || Kind::ALL.iter().map(|kind| kind.as_str());
    let kind = match kind.as_deref() {
        Some("") | None => {
            let all = names().collect::<Vec<_>>().join(", ");
            problems.error(Path::of("kind"), "is required", format!("set it to one of {all}"));
            None
        }
        Some(text) => {
            let known = Kind::ALL.iter().copied().find(|kind| kind.as_str() == text);
            if known.is_none() {
                let all = names().collect::<Vec<_>>().join(", ");
                let fix = match nearest(text, names()) {
                    Some(close) => format!("did you mean {close}? Supported: {all}"),
                    None => format!("use one of {all}"),
                };
                problems.error(Path::of("kind"), format!("{text:?} is not supported"), fix);
            }
            known
        }
    };
    version.zip(kind)
}

/// Writes objects as one text, with documents separated as kOps does.
///
/// # Errors
/// Only in case of a bug: every specification can be written.
pub fn write_manifest<'a>(objects: impl IntoIterator<Item = &'a AnyObject>) -> Result<String> {
    let documents: Vec<String> = objects.into_iter().map(AnyObject::to_yaml).collect::<Result<_>>()?;
    Ok(documents.join("\n---\n\n"))
}

/// Reads a text that contains exactly one object of a kind, as files of a state store do.
fn read_one<T: ApiObject>(
    text: &str,
    mode: Mode,
    pick: impl Fn(AnyObject) -> Option<T>,
) -> Result<(T, Vec<Problem>)> {
    let (objects, warnings) = Manifest::read(text, mode)?.into_objects()?;
    let mut objects = objects.into_iter();
    match (objects.next(), objects.next()) {
        (Some(object), None) => {
            let found = object.kind();
            pick(object).map(|object| (object, warnings)).ok_or_else(|| {
                Error::invalid(format!("the document is of kind {found}, not {}", T::KIND))
                    .with_hint(format!("pass one document of kind {}", T::KIND))
            })
        }
        _ => Err(Error::invalid(format!("the text holds more than one document, not one {}", T::KIND))
            .with_hint(format!("pass one document of kind {}", T::KIND))),
    }
}

macro_rules! from_yaml {
    ($($type:ident => $kind:ident),* $(,)?) => { $(
        impl $type {
            /// Reads a text that contains one object of this kind; returns the warnings with it.
            ///
            /// # Errors
            /// Malformed YAML, another kind, or any problem that is an error.
            pub fn from_yaml(text: &str, mode: Mode) -> Result<(Self, Vec<Problem>)> {
                read_one(text, mode, |object| match object {
                    AnyObject::$kind(object) => Some(*object),
                    _ => None,
                })
            }
        }
    )* };
}

from_yaml! {
    Cluster => Cluster,
    InstanceGroup => InstanceGroup,
    SshCredential => SshCredential,
    Keyset => Keyset,
}

//! Manifests: texts of one or more documents, read with all their problems and written back.

use serde_json::Value;

use super::additional::AdditionalObject;
use super::object::{AnyObject, ApiObject};
use super::path::{Path, Segment};
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
            if let Some(mark) = self.lines.get(&path) {
                return Some(mark.location);
            }
            path = path.parent()?;
        }
    }

    /// Whether a v1alpha2 document of the same object has the field at a path of this text, in whatever element of a
    /// list: elements may have moved.
    pub fn is_in(&self, path: &Path, document: &Value) -> bool {
        let here = version::from_version(self.version, self.object.kind(), path);
        let there = version::to_version(ApiVersion::V1Alpha2, self.object.kind(), &here);
        has(document, there.segments())
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
    /// Objects of Kubernetes, which are kept with the cluster.
    pub additional: Vec<AdditionalObject>,
    /// All problems in them.
    pub problems: Problems,
}

impl Manifest {
    /// Reads a text with any number of documents. A list of documents, as JSON has it, and a document of kind `List`
    /// stand for the documents in them.
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
    ///     "InstanceGroup/nodes: line 8, column 3: spec.minSize: \"two\" is not an integer (use one such as 3)",
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
        for document in yaml::read(text)?.into_iter().flat_map(split) {
            manifest.add(document, mode)?;
        }
        let empty = manifest.documents.is_empty() && manifest.additional.is_empty();
        if empty && manifest.problems.is_empty() {
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
        let line = lines.values().map(|mark| mark.location.line).min().unwrap_or(1);
        let top = Location { document: number, line, column: 1 };
        let mut title = String::new();
        match read_header(&mut value, &mut problems) {
            Some(Header::Own(version, kind)) => {
                let written = |path: &Path| lines.get(path)?.written.as_deref().map(str::to_owned);
                let unknown = mode.unknown();
                let object =
                    AnyObject::from_document(version, kind, value, unknown, &written, &mut problems)?;
                title = object.title();
                self.documents.push(ManifestDocument { object, version, lines: lines.clone() });
            }
            Some(Header::Additional) => match AdditionalObject::new(value) {
                Ok(object) => self.additional.push(object),
                Err(error) => {
                    problems.error(Path::root(), error.message(), error.hint().unwrap_or_default());
                }
            },
            None => {}
        }
        problems.update(|problem| {
            let known = ancestors(&problem.path).find_map(|path| lines.get(&path));
            problem.location = Some(known.map_or(top, |mark| mark.location));
        });
        problems.sort_by_location();
        if !title.is_empty() {
            problems.name_object(&title);
        }
        self.problems.extend(problems);
        Ok(())
    }

    /// The objects and the warnings, or all errors combined. Objects of Kubernetes are not among them: see
    /// [`additional`](Self#structfield.additional).
    ///
    /// # Errors
    /// Any problem that is an error.
    pub fn into_objects(self) -> Result<(Vec<AnyObject>, Vec<Problem>)> {
        let warnings = self.problems.into_result()?;
        Ok((self.documents.into_iter().map(|document| document.object).collect(), warnings))
    }
}

/// Whether a value has a field at a path, in whatever element of a list.
fn has(value: &Value, path: &[Segment]) -> bool {
    match (path.split_first(), value) {
        (None, _) => true,
        (Some((Segment::Key(key), rest)), value) => value.get(key).is_some_and(|value| has(value, rest)),
        (Some((Segment::Index(_), rest)), Value::Array(items)) => items.iter().any(|item| has(item, rest)),
        (Some((Segment::Index(_), _)), _) => false,
    }
}

/// A path and its ancestors, innermost first.
fn ancestors(path: &Path) -> impl Iterator<Item = Path> {
    std::iter::successors(Some(path.clone()), Path::parent)
}

/// The documents that a document stands for: those of a list, or of a document of kind `List`, or itself.
pub(super) fn split(document: YamlDocument) -> Vec<YamlDocument> {
    let YamlDocument { number, mut value, lines } = document;
    let (items, inside, kind) = if value.is_array() {
        (value, Path::root(), None)
    } else if let Some(kind) = list_kind(&value).map(str::to_owned) {
        let version = value.get("apiVersion").cloned();
        (value["items"].take(), Path::of("items"), Some(kind).filter(|kind| !kind.is_empty()).zip(version))
    } else {
        return vec![YamlDocument { number, value, lines }];
    };
    let Value::Array(items) = items else { return Vec::new() };
    let mut places: Vec<Lines> = items.iter().map(|_| Lines::new()).collect();
    for (path, mark) in lines {
        let Some(path) = path.strip_prefix(&inside) else { continue };
        let Some((Segment::Index(at), rest)) = path.segments().split_first() else { continue };
        let mut mark = mark;
        mark.location.document += at;
        if let Some(lines) = places.get_mut(*at) {
            lines.insert(Path::from(rest.to_vec()), mark);
        }
    }
    let documents = items.into_iter().zip(places).enumerate();
    let documents = documents.filter(|(_, (value, _))| !value.is_null()).map(|(at, (mut value, lines))| {
        // The items of kOps' own lists need no header of their own.
        if let (Some((kind, version)), Some(entries)) = (&kind, value.as_object_mut()) {
            entries.entry("kind").or_insert_with(|| Value::from(kind.clone()));
            entries.entry("apiVersion").or_insert_with(|| version.clone());
        }
        YamlDocument { number: number + at, value, lines }
    });
    documents.flat_map(split).collect()
}

/// The kind of the objects that a document lists, if it is a list; empty for a list of anything.
fn list_kind(value: &Value) -> Option<&str> {
    let kind = value.get("kind")?.as_str()?.strip_suffix("List")?;
    value.get("items")?.as_array()?;
    let known = || Kind::ALL.iter().any(|known| known.as_str() == kind);
    (kind.is_empty() || known()).then_some(kind)
}

/// What a document says it is.
enum Header {
    /// One of this API's objects.
    Own(ApiVersion, Kind),
    /// Another object of Kubernetes.
    Additional,
}

/// Reads the header of a document, and removes it from the objects of this API.
fn read_header(value: &mut Value, problems: &mut Problems) -> Option<Header> {
    let Some(object) = value.as_object_mut() else {
        problems.error(
            Path::root(),
            "the document is not an object",
            "write apiVersion, kind, metadata and spec as fields, one per line",
        );
        return None;
    };
    let word = |name: &str| match object.get(name) {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (version, kind) = (word("apiVersion"), word("kind"));
    if is_additional(&version, &kind) {
        return Some(Header::Additional);
    }
    object.remove("apiVersion");
    object.remove("kind");
    read_version(&version, problems)
        .zip(read_kind(&kind, problems))
        .map(|(version, kind)| Header::Own(version, kind))
}

/// Whether a header is that of an object of Kubernetes, and not that of a misspelt one of this API.
fn is_additional(version: &str, kind: &str) -> bool {
    let (group, own) = (version.split_once('/').map_or("", |(group, _)| group), "kops.k8s.io");
    if version.is_empty() || kind.is_empty() || ["kops", own].contains(&group) {
        return false;
    }
    // The core of Kubernetes, whose group has no name, has none of these kinds.
    let ours = Kind::ALL.iter().any(|known| known.as_str() == kind);
    !(ours && (group.is_empty() || nearest(group, [own]).is_some()))
}

fn read_version(text: &str, problems: &mut Problems) -> Option<ApiVersion> {
    if text.is_empty() {
        let fix = format!("set apiVersion: {}", ApiVersion::default());
        problems.error(Path::of("apiVersion"), "is required", fix);
        return None;
    }
    let unsupported = |error: &Error| {
        problems.error(
            Path::of("apiVersion"),
            format!("{text:?} is not supported"),
            error.hint().unwrap_or_default(),
        );
    };
    text.parse().inspect_err(unsupported).ok()
}

fn read_kind(text: &str, problems: &mut Problems) -> Option<Kind> {
    let names = || Kind::ALL.iter().map(|kind| kind.as_str());
    let known = Kind::ALL.iter().copied().find(|kind| kind.as_str() == text);
    if known.is_none() {
        let all = names().collect::<Vec<_>>().join(", ");
        let (message, fix) = match nearest(text, names()) {
            _ if text.is_empty() => ("is required".to_owned(), format!("set it to one of {all}")),
            Some(close) => {
                (format!("{text:?} is not supported"), format!("did you mean {close}? Supported: {all}"))
            }
            None => (format!("{text:?} is not supported"), format!("use one of {all}")),
        };
        problems.error(Path::of("kind"), message, fix);
    }
    known
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
    let manifest = Manifest::read(text, mode)?;
    if let (Some(other), false) = (manifest.additional.first(), manifest.problems.has_errors()) {
        return Err(Error::invalid(format!("the text holds {}, not one {}", other.title(), T::KIND))
            .with_hint(format!("pass one document of kind {}", T::KIND)));
    }
    let (objects, warnings) = manifest.into_objects()?;
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

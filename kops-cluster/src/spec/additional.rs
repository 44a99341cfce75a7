//! Objects of Kubernetes that are kept with a cluster, to be installed in it.

use std::fmt;

use serde_json::Value;

use super::manifest::split;
use super::yaml;
use kops_core::{Error, Result};

/// An object of Kubernetes, of any kind, that is kept with a cluster's specification to be installed in the cluster.
///
/// `Debug` shows its title only: it may be a Secret.
#[derive(Clone, PartialEq)]
pub struct AdditionalObject {
    document: Value,
}

impl AdditionalObject {
    /// The object of a document.
    ///
    /// # Errors
    /// `Invalid` if it lacks `apiVersion`, `kind` or `metadata.name`.
    pub fn new(document: Value) -> Result<Self> {
        let object = Self { document };
        for (name, path) in
            [("apiVersion", "/apiVersion"), ("kind", "/kind"), ("metadata.name", "/metadata/name")]
        {
            if object.text(path).is_empty() {
                return Err(Error::invalid(format!("an object of Kubernetes lacks {name}"))
                    .with_hint(format!("set {name} to a text")));
            }
        }
        Ok(object)
    }

    /// The objects in a text, as a state store keeps them.
    ///
    /// # Errors
    /// Malformed YAML, or a document that is no object of Kubernetes.
    pub fn read_all(text: &str) -> Result<Vec<Self>> {
        let documents = yaml::read(text)?.into_iter().flat_map(split);
        documents.map(|document| Self::new(document.value)).collect()
    }

    /// Writes objects as one text, with documents separated as kOps does.
    ///
    /// # Errors
    /// Only in case of a bug: every object can be written.
    pub fn write_all<'a>(objects: impl IntoIterator<Item = &'a Self>) -> Result<String> {
        let documents: Vec<String> = objects.into_iter().map(Self::to_yaml).collect::<Result<_>>()?;
        Ok(documents.join("\n---\n\n"))
    }

    fn text(&self, path: &str) -> &str {
        self.document.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its group and version: `v1`, `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace; empty if it specifies none.
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    /// `Kind/name`, with the namespace if it has one, for messages.
    pub fn title(&self) -> String {
        match self.namespace() {
            "" => format!("{}/{}", self.kind(), self.name()),
            namespace => format!("{}/{namespace}/{}", self.kind(), self.name()),
        }
    }

    /// The label that assigns an object to a cluster, if it has one.
    pub fn cluster(&self) -> Option<&str> {
        self.document.get("metadata")?.get("labels")?.get(super::CLUSTER_LABEL)?.as_str()
    }

    /// Whether both are the same object of a cluster, in whatever version.
    pub fn is_same(&self, other: &Self) -> bool {
        let group =
            |version: &str| version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
        let identity = |it: &Self| {
            (group(it.api_version()), it.kind().to_owned(), it.namespace().to_owned(), it.name().to_owned())
        };
        identity(self) == identity(other)
    }

    /// Its document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The object as YAML.
    ///
    /// # Errors
    /// Only in case of a bug: every object can be written.
    pub fn to_yaml(&self) -> Result<String> {
        yaml::write(&self.document)
    }
}

impl fmt::Debug for AdditionalObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdditionalObject({})", self.title())
    }
}

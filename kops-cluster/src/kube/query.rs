//! References to objects, and queries.

use std::fmt;

/// An object, by its kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ObjectRef {
    /// The version of its API, for example `v1` or `apps/v1`.
    pub api_version: String,
    /// The kind, for example `Node`.
    pub kind: String,
    /// The namespace; `None` if the kind is not namespaced.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// An object of a kind that is not namespaced.
    pub fn new(api_version: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { api_version: api_version.into(), kind: kind.into(), namespace: None, name: name.into() }
    }

    /// Sets the namespace.
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The object that a document describes.
    ///
    /// # Errors
    /// `Invalid` if the document has no kind or name.
    pub fn of(document: &serde_json::Value) -> kops_core::Result<Self> {
        let text =
            |pointer: &str| document.pointer(pointer).and_then(|it| it.as_str()).filter(|it| !it.is_empty());
        let needed = |field: &str, pointer: &str| {
            text(pointer).map(str::to_owned).ok_or_else(|| {
                kops_core::Error::invalid(format!("the document of a Kubernetes object has no {field}"))
                    .with_hint("set apiVersion, kind and metadata.name")
            })
        };
        Ok(Self {
            api_version: needed("apiVersion", "/apiVersion")?,
            kind: needed("kind", "/kind")?,
            namespace: text("/metadata/namespace").map(str::to_owned),
            name: needed("metadata.name", "/metadata/name")?,
        })
    }
}

/// As in messages: `Node/a`, `kube-system/Pod/b`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// Objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectQuery {
    /// The version of their API, for example `v1` or `apps/v1`.
    pub api_version: String,
    /// The kind, for example `Node`.
    pub kind: String,
    /// The namespace; all by default.
    pub namespace: Option<String>,
    /// Labels that the objects must have.
    pub labels: Vec<(String, String)>,
    /// Fields that the objects must have, for example `spec.nodeName`; the kind determines which fields are
    /// supported.
    pub fields: Vec<(String, String)>,
}

impl ObjectQuery {
    /// All objects of a kind.
    pub fn new(api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        let (api_version, kind) = (api_version.into(), kind.into());
        Self { api_version, kind, namespace: None, labels: Vec::new(), fields: Vec::new() }
    }

    /// Only those in a namespace.
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Only those with a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// Only those with a field.
    pub fn field(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((path.into(), value.into()));
        self
    }
}

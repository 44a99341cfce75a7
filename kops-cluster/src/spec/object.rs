//! The objects of a specification, as one type for all kinds.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::dead;
use super::meta::ObjectMeta;
use super::path::Path;
use super::problem::{Problems, Severity};
use super::schema::{Checking, Schema, Shape};
use super::types::{Cluster, InstanceGroup, Keyset, SshCredential};
use super::version::{self, ApiVersion, Kind};
use super::yaml;
use kops_core::{Error, Result};

/// An object of a specification.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyObject {
    /// A cluster.
    Cluster(Box<Cluster>),
    /// A group of machines.
    InstanceGroup(Box<InstanceGroup>),
    /// A public SSH key.
    SshCredential(Box<SshCredential>),
    /// The generations of a key pair.
    Keyset(Box<Keyset>),
}

/// A type that is a whole object, with a kind, metadata and a document of its own.
pub trait ApiObject: Schema + Serialize + DeserializeOwned + Default {
    /// The kind in documents.
    const KIND: Kind;

    /// Name, labels and history.
    fn metadata(&self) -> &ObjectMeta;

    /// The object as a v1alpha2 document, the version that is written.
    ///
    /// # Errors
    /// Only in case of a bug: every specification can be written.
    fn to_document(&self) -> Result<Value> {
        let mut document = serde_json::to_value(self)
            .map_err(|error| Error::internal("a specification cannot be written").with_source(error))?;
        if let Some(spec) = document.get_mut("spec") {
            version::write(Self::KIND, spec);
        }
        document["apiVersion"] = json!(ApiVersion::V1Alpha2.as_str());
        document["kind"] = json!(Self::KIND.as_str());
        Ok(yaml::sorted(&document))
    }

    /// The object as v1alpha2 YAML.
    ///
    /// # Errors
    /// Only in case of a bug: every specification can be written.
    fn to_yaml(&self) -> Result<String> {
        yaml::write(&self.to_document()?)
    }
}

macro_rules! resource {
    ($($type:ident => $kind:ident),* $(,)?) => {
        $(
            impl ApiObject for $type {
                const KIND: Kind = Kind::$kind;

                fn metadata(&self) -> &ObjectMeta {
                    &self.metadata
                }
            }

            impl From<$type> for AnyObject {
                fn from(object: $type) -> Self {
                    Self::$kind(Box::new(object))
                }
            }
        )*

        impl AnyObject {
            /// The kind in documents.
            pub fn kind(&self) -> Kind {
                match self { $( Self::$kind(_) => Kind::$kind, )* }
            }

            /// Name, labels and history.
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $( Self::$kind(object) => object.metadata(), )* }
            }

            /// The object as a v1alpha2 document, the version that is written.
            ///
            /// # Errors
            /// Only in case of a bug: every specification can be written.
            pub fn to_document(&self) -> Result<Value> {
                match self { $( Self::$kind(object) => object.to_document(), )* }
            }

            /// The shape of a kind's documents.
            pub(crate) fn shape(kind: Kind) -> &'static Shape {
                match kind { $( Kind::$kind => $type::SHAPE, )* }
            }

            /// Reads a document of known version and kind, without its `apiVersion` and `kind`.
            ///
            /// Problems use the paths of that version, and so does `written`, which tells what is written at a path.
            /// What cannot be read is removed, so that the rest can still be checked.
            pub(crate) fn from_document(
                version: ApiVersion,
                kind: Kind,
                mut document: Value,
                unknown: Severity,
                written: &dyn Fn(&Path) -> Option<String>,
                problems: &mut Problems,
            ) -> Result<Self> {
                let mut converting = Problems::new();
                if let Some(spec) = document.get_mut("spec") {
                    version::read(version, kind, spec, &mut converting);
                }
                let mut found = Problems::new();
                let written = |path: &Path| written(&version::to_version(version, kind, path));
                let checking = Checking { unknown, written: &written };
                checking.check(&mut document, Self::shape(kind), &Path::root(), &mut found);
                if kind == Kind::Cluster {
                    dead::warn(&document, &mut found);
                }
                if document.is_null() {
                    document = json!({});
                }
                found.update(|problem| problem.path = version::to_version(version, kind, &problem.path));
                problems.extend(converting);
                problems.extend(found);
                // The check has removed whatever does not fit: a failure here means that a type disagrees
                // with its shape.
                let defect = |error| Error::internal(format!("a checked {kind} cannot be read")).with_source(error);
                Ok(match kind {
                    $( Kind::$kind => Self::$kind(Box::new(
                        serde_json::from_value::<$type>(document).map_err(defect)?
                    )), )*
                })
            }
        }
    };
}

resource! {
    Cluster => Cluster,
    InstanceGroup => InstanceGroup,
    SshCredential => SshCredential,
    Keyset => Keyset,
}

impl AnyObject {
    /// The name.
    pub fn name(&self) -> &str {
        &self.metadata().name
    }

    /// `Kind/name`, for messages.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind(), self.name())
    }

    /// The object as v1alpha2 YAML.
    ///
    /// # Errors
    /// Only in case of a bug: every specification can be written.
    pub fn to_yaml(&self) -> Result<String> {
        yaml::write(&self.to_document()?)
    }
}

//! Objects of Kubernetes that are kept with a cluster, in one file, as kOps keeps them.

use super::ClusterStore;
use crate::spec::AdditionalObject;
use kops_core::store::{Precondition, StateStore, StoreKey, StoredObject, Version};
use kops_core::{Error, ErrorKind, Result};

/// The objects of Kubernetes that are kept with a cluster, and the version of their file.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AdditionalObjects {
    /// The objects.
    pub objects: Vec<AdditionalObject>,
    /// The version of the file; none if it does not exist.
    pub version: Option<Version>,
}

impl AdditionalObjects {
    pub(super) fn from_object(store: &dyn StateStore, key: &StoreKey, stored: StoredObject) -> Result<Self> {
        let place = format!("{}/{key}", store.location());
        let text = String::from_utf8(stored.bytes).map_err(|_| {
            Error::invalid(format!("{place} is not a text")).with_hint("restore it from a backup")
        })?;
        let objects = AdditionalObject::read_all(&text).map_err(|error| {
            let hint = error.hint().unwrap_or("correct the file in the state store").to_owned();
            Error::new(error.kind(), format!("{place}: {}", error.message())).with_hint(hint)
        })?;
        Ok(Self { objects, version: Some(stored.version) })
    }
}

impl ClusterStore {
    /// Replaces the objects of Kubernetes that are kept with the cluster; without any, their file is deleted.
    ///
    /// # Errors
    /// `Conflict` if they were changed since `base` was read.
    pub async fn update_additional(
        &self,
        base: &AdditionalObjects,
        objects: &[AdditionalObject],
    ) -> Result<AdditionalObjects> {
        if base.objects == objects {
            return Ok(base.clone());
        }
        let key = self.at.additional()?;
        let written = match (&base.version, objects) {
            (None, []) => Ok(None),
            (Some(version), []) => self.store.delete(&key, Some(version)).await.map(|()| None),
            (version, objects) => {
                let bytes = AdditionalObject::write_all(objects)?.into_bytes();
                let precondition = version.clone().map_or(Precondition::Absent, Precondition::Match);
                self.store.put(&key, bytes, precondition).await.map(Some)
            }
        };
        match written {
            Ok(version) => Ok(AdditionalObjects { objects: objects.to_vec(), version }),
            Err(error) if error.kind() == ErrorKind::Conflict => Err(self.overtaken().with_source(error)),
            Err(error) => Err(error),
        }
    }

    /// Rejects a change of them if the version it is based on is no longer the store's.
    pub(super) fn additional_is_current(
        &self,
        base: &AdditionalObjects,
        now: Option<&Version>,
    ) -> Result<()> {
        if base.version.as_ref() == now { Ok(()) } else { Err(self.overtaken()) }
    }

    fn overtaken(&self) -> Error {
        let message = format!("the additional objects of cluster {} were changed in the meantime", self.name);
        Error::new(ErrorKind::Conflict, message).with_hint("read the cluster again and retry the change")
    }
}

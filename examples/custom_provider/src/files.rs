//! Step 2, the handlers.
//!
//! One generic handler serves all three kinds here; most clouds have one for each. Every method is a single
//! attempt: it returns the first error, with the [`ErrorKind`] that tells the engine whether retrying can
//! help. Where a comment below says *atomically*, that is what makes a crash at that point harmless.
//!
//! The file operations are short and block; a provider that talks to a server would await its responses here.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query, Scope, Update,
};
use kops_core::graph::{Document, references};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::kinds::Filed;

/// Handles one kind.
#[derive(Debug)]
pub(crate) struct Files<K> {
    root: PathBuf,
    kind: PhantomData<fn() -> K>,
}

/// The content of a file.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
struct Stored<S> {
    /// The ownership marks: files of other scopes are never touched.
    scope: String,
    /// The scope's place, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    task: String,
    retained: bool,
    /// What it refers to, as `Kind/id`.
    uses: BTreeSet<String>,
    spec: S,
}

impl<K: Filed> Files<K> {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), kind: PhantomData }
    }

    fn path(&self, kind: &str, id: &str) -> PathBuf {
        self.root.join(kind).join(format!("{id}.json"))
    }

    /// All objects of a kind, with their identifiers.
    fn read<S: for<'de> Deserialize<'de>>(&self, kind: &str) -> Result<Vec<(String, Stored<S>)>> {
        let files = match fs::read_dir(self.root.join(kind)) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut objects = Vec::new();
        for file in files {
            let name = file.map_err(failed)?.file_name();
            // Unfinished files have another suffix.
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            let bytes = match fs::read(self.path(kind, id)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // Deleted meanwhile.
                bytes => bytes.map_err(failed)?,
            };
            let stored = serde_json::from_slice(&bytes).map_err(|error| {
                Error::new(ErrorKind::Io, format!("{id}.json: {error}")).with_source(error)
            })?;
            objects.push((id.to_owned(), stored));
        }
        Ok(objects)
    }

    /// Writes a file that is not visible yet, to be put in place atomically.
    fn prepare(&self, id: &str, stored: &Stored<K::Resolved>) -> Result<PathBuf> {
        // The objects that a specification refers to must exist.
        for used in references(&stored.spec) {
            if !self.path(used.kind, &used.id).exists() {
                return Err(Error::not_found(format!("there is no {} {}", used.kind, used.id)));
            }
        }
        let path = self.path(K::KIND, id).with_extension("unfinished");
        fs::create_dir_all(self.root.join(K::KIND)).map_err(failed)?;
        let text = serde_json::to_vec_pretty(stored)
            .map_err(|error| Error::internal("the specification cannot be serialised").with_source(error))?;
        fs::write(&path, text).map_err(failed)?;
        Ok(path)
    }
}

/// The only function that converts this cloud's errors to the engine's.
fn failed(error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Io,
    };
    Error::new(kind, error.to_string()).with_source(error)
}

/// An object from the scope's point of view: its marks tell whether the scope owns it.
fn object<S>(scope: &Scope, id: &str, stored: Stored<S>) -> Object<S> {
    let object = if stored.scope == scope.name() && stored.place.as_deref() == scope.place() {
        Object::owned(id, stored.task, stored.spec)
    } else {
        Object::foreign(id, stored.spec)
    };
    object.retained(stored.retained)
}

impl<S: Serialize + Clone> Stored<S> {
    fn new(scope: &Scope, task: &str, retained: bool, spec: &S) -> Self {
        Self {
            scope: scope.name().to_owned(),
            place: scope.place().map(str::to_owned),
            task: task.to_owned(),
            retained,
            uses: uses(spec),
            spec: spec.clone(),
        }
    }
}

fn uses<S: Serialize>(spec: &S) -> BTreeSet<String> {
    references(spec).into_iter().map(|used| format!("{}/{}", used.kind, used.id)).collect()
}

#[async_trait]
impl<K: Filed> Handler for Files<K> {
    type Kind = K;

    /// Two objects cannot have the same file, so a repeated create whose answer was lost is rejected, and
    /// finds the existing object.
    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        if K::FIXED.contains(&field) { Mutability::Replace } else { Mutability::InPlace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<K::Resolved>>> {
        // One read of the directory, however many objects are requested.
        let all = self.read(K::KIND)?;
        let found = all.into_iter().filter_map(|(id, stored): (_, Stored<K::Resolved>)| match query.filter {
            Filter::Ids(ids) => ids.contains(&id).then(|| object(query.scope, &id, stored)),
            Filter::Scope { wanted, shared, .. } => {
                // The holder of a name that the graph requests is returned with the name of the requesting
                // task, so that the plan can reject it.
                let holds = |task: &&kops_core::cloud::Wanted<'_>| {
                    K::id(query.scope, task.name, task.spec).as_ref() == Some(&id)
                };
                let wants = wanted.iter().find(holds).map(|task| task.name.to_owned());
                let selected = shared.contains(&id.as_str());
                let object = object(query.scope, &id, stored);
                match object.owner {
                    Owner::Scope => Some(object),
                    _ if wants.is_some() => Some(object.name(wants)),
                    _ => selected.then_some(object),
                }
            }
        });
        Ok(found.collect())
    }

    async fn create(&self, request: Create<'_, K::Resolved>) -> Result<Object<K::Resolved>> {
        let Create { scope, name, spec, retained, .. } = request;
        let document = Document::of(spec)?;
        let id = K::id(scope, name, &document)
            .ok_or_else(|| Error::internal("the identifier depends on an output that is not known"))?;
        let stored = Stored::new(scope, name, retained, spec);
        let unfinished = self.prepare(&id, &stored)?;
        // Atomically, including the marks, and only if the file does not exist yet.
        let made = fs::hard_link(&unfinished, self.path(K::KIND, &id));
        fs::remove_file(&unfinished).map_err(failed)?;
        made.map_err(failed)?;
        Ok(object(scope, &id, stored))
    }

    async fn update(&self, request: Update<'_, K::Resolved>) -> Result<Object<K::Resolved>> {
        let Update { scope, name, object: old, spec, .. } = request;
        let stored = Stored::new(scope, name, old.retained, spec);
        let unfinished = self.prepare(&old.id, &stored)?;
        // Atomically: a reader sees either the old or the new content.
        fs::rename(&unfinished, self.path(K::KIND, &old.id)).map_err(failed)?;
        Ok(object(scope, &old.id, stored))
    }

    async fn delete(&self, request: Delete<'_, K::Resolved>) -> Result<Deletion> {
        let id = &request.object.id;
        let this = format!("{}/{id}", K::KIND);
        for kind in ["Zone", "Entry"] {
            let users = self.read::<serde::de::IgnoredAny>(kind)?;
            if let Some((user, _)) = users.iter().find(|(_, stored)| stored.uses.contains(&this)) {
                // The engine retries: the object that uses it may be about to be deleted.
                let message = format!("{this} is used by {kind}/{user}");
                return Err(Error::new(ErrorKind::DependencyViolation, message));
            }
        }
        match fs::remove_file(self.path(K::KIND, id)) {
            // Deleting an object that is gone already is not an error.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(Deletion::Done),
        }
    }
}

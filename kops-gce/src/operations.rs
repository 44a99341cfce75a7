//! The outcome of calls that were accepted.
//!
//! Compute Engine answers a change with an *operation*, which continues after the response and can fail: an
//! exhausted quota, a zone without capacity. The object may then never exist, or stay as it was, and no
//! listing of objects says why. So the operation of every change is remembered until its outcome is known;
//! whoever waits for objects asks here, which takes one filtered listing of operations for each place
//! (regions and zones are separate), however many objects are waited for.
//!
//! Operations of a killed run are not known here, and need not be: the next run finds the objects that exist,
//! and creates those that are missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use google_cloud_compute_v1::model::Operation;
use google_cloud_compute_v1::model::operation::Status;
use kops_core::cloud::{Context, Object, Scope};
use kops_core::{Error, Result};
use serde_json::Value;

use crate::clients::Clients;
use crate::error;
use crate::path::{Path, Place};

/// The number of names in a filter: sixty characters each, well within the maximum length of a URL.
const NAMES: usize = 50;

/// The operations whose outcome is not known yet, by the identifier of the object that they change.
#[derive(Debug, Default)]
pub(crate) struct Operations(Mutex<HashMap<String, Vec<Started>>>);

/// An operation that was started.
#[derive(Clone, Debug)]
struct Started {
    /// The scope of the object.
    scope: (String, Option<String>),
    name: String,
    project: String,
    place: Place,
    /// The call that started it.
    call: &'static str,
    change: Change,
}

/// The effect of an operation on its object.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Creates it, with this content.
    Create(Box<Object<Value>>),
    /// Changes it, to this content.
    Update(Box<Value>),
    /// Deletes it.
    Delete,
}

/// The progress of an object's operations.
#[derive(Debug)]
pub(crate) enum Progress {
    /// An operation is still in progress.
    Running(Change),
    /// An operation has failed.
    Failed(Change, Error),
}

/// The identity of a scope within a region.
fn whose(scope: &Scope) -> (String, Option<String>) {
    (scope.name().to_owned(), scope.place().map(str::to_owned))
}

impl Operations {
    /// Remembers an operation that was started; returns whether it is still in progress.
    ///
    /// # Errors
    /// The operation's own, if it has failed already.
    pub(crate) fn begun(
        &self,
        call: &'static str,
        scope: &Scope,
        object: &Path,
        operation: &Operation,
        change: Change,
    ) -> Result<bool> {
        if operation.status == Some(Status::Done) {
            return error::of_operation(call, operation).map_or(Ok(false), Err);
        }
        let Some(name) = operation.name.clone() else {
            return Err(Error::internal("the response contains no operation").with_call(call));
        };
        let scope = whose(scope);
        let (project, place) = (object.project.clone(), object.place.clone());
        let started = Started { scope, name, project, place, call, change };
        self.lock().entry(object.to_string()).or_default().push(started);
        Ok(true)
    }

    /// The objects of a scope in a collection with operations whose outcome is not known yet.
    pub(crate) fn under_way(&self, scope: &Scope, collection: &str) -> Vec<String> {
        let (place, scope) = (format!("/{collection}/"), whose(scope));
        let all = self.lock();
        let of = |(id, started): (&String, &Vec<Started>)| {
            let ours = id.contains(&place) && started.iter().any(|it| it.scope == scope);
            ours.then(|| id.clone())
        };
        all.iter().filter_map(of).collect()
    }

    /// Forgets the operations of an object.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// The progress of the objects whose operations have not succeeded yet.
    pub(crate) async fn look(
        &self,
        clients: &Clients,
        ids: &[String],
        cx: &Context,
    ) -> Result<HashMap<String, Progress>> {
        let started: Vec<(String, Started)> = {
            let all = self.lock();
            let of = |id: &String| {
                all.get(id).into_iter().flatten().map(|it| (id.clone(), it.clone())).collect::<Vec<_>>()
            };
            ids.iter().flat_map(of).collect()
        };
        let mut by_place: BTreeMap<(&str, &Place), Vec<&str>> = BTreeMap::new();
        for (_, started) in &started {
            by_place.entry((&started.project, &started.place)).or_default().push(&started.name);
        }
        let mut found: HashMap<String, Operation> = HashMap::new();
        for ((project, place), names) in by_place {
            for names in names.chunks(NAMES) {
                let filter = format!("name eq \"{}\"", names.join("|"));
                let operations = clients.operations_in(project, place, &filter, cx).await?;
                found.extend(operations.into_iter().filter_map(|it| Some((it.name.clone()?, it))));
            }
        }
        let mut progress = HashMap::new();
        for (id, started) in started {
            // An operation that is no longer listed has ended long ago.
            let Some(operation) = found.get(&started.name) else {
                self.ended(&id, &started.name);
                continue;
            };
            if operation.status != Some(Status::Done) {
                progress.entry(id).or_insert(Progress::Running(started.change));
                continue;
            }
            self.ended(&id, &started.name);
            if let Some(error) = error::of_operation(started.call, operation) {
                progress.insert(id, Progress::Failed(started.change, error));
            }
        }
        Ok(progress)
    }

    fn ended(&self, id: &str, name: &str) {
        let mut all = self.lock();
        if let Some(operations) = all.get_mut(id) {
            operations.retain(|started| started.name != name);
            if operations.is_empty() {
                all.remove(id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Started>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

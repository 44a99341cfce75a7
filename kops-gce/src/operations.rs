//! What became of calls that were accepted.
//!
//! Compute Engine answers a change with an *operation* that goes on after the answer, and that can end in an
//! error: a quota that is used up, a zone without machines. The object may then never come to be, or go on as it
//! was, and nothing in any listing of objects says why. So the operation of every change is remembered until it
//! is known how it ended; whoever waits for objects asks here, which takes one filtered listing of operations
//! for each place (all regions' and zones' are apart), however many objects are waited for.
//!
//! What a killed run had begun is not known here. It needs not be: the next run finds the objects that there
//! are, and makes those that are missing.

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

/// How many names a filter holds: sixty characters each, well within the length of an address.
const NAMES: usize = 50;

/// The operations that are not known to have ended, by the identifier of the object that they change.
#[derive(Debug, Default)]
pub(crate) struct Operations(Mutex<HashMap<String, Vec<Started>>>);

/// An operation that was begun.
#[derive(Clone, Debug)]
struct Started {
    /// Whose object it is.
    scope: (String, Option<String>),
    name: String,
    place: Place,
    /// The call that began it.
    call: &'static str,
    change: Change,
}

/// What an operation does to its object.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Makes it; this is what it will be.
    Create(Box<Object<Value>>),
    /// Changes it; this is what it will be like.
    Update(Box<Value>),
    /// Deletes it.
    Delete,
}

/// How an object fares by its operations.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Something is still under way.
    Running(Change),
    /// Something ended in an error.
    Failed(Change, Error),
}

/// What tells one scope from another here, where the region is always the same.
fn whose(scope: &Scope) -> (String, Option<String>) {
    (scope.name().to_owned(), scope.place().map(str::to_owned))
}

impl Operations {
    /// Remembers an operation that was begun; whether it is still under way.
    ///
    /// # Errors
    /// The operation's own, when it has ended in one already.
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
            return Err(Error::internal("the answer names no operation").with_call(call));
        };
        let scope = whose(scope);
        let started = Started { scope, name, place: object.place.clone(), call, change };
        self.lock().entry(object.to_string()).or_default().push(started);
        Ok(true)
    }

    /// The objects of a scope in a collection on which something was begun that is not known to have ended.
    pub(crate) fn under_way(&self, scope: &Scope, collection: &str) -> Vec<String> {
        let (place, scope) = (format!("/{collection}/"), whose(scope));
        let all = self.lock();
        let of = |(id, started): (&String, &Vec<Started>)| {
            let ours = id.contains(&place) && started.iter().any(|it| it.scope == scope);
            ours.then(|| id.clone())
        };
        all.iter().filter_map(of).collect()
    }

    /// Forgets what was begun on an object.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// How the objects fare whose operations are not known to have ended well.
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
        let mut by_place: BTreeMap<Place, Vec<&str>> = BTreeMap::new();
        for (_, started) in &started {
            by_place.entry(started.place.clone()).or_default().push(&started.name);
        }
        let mut found: HashMap<String, Operation> = HashMap::new();
        for (place, names) in by_place {
            for names in names.chunks(NAMES) {
                let filter = format!("name eq \"{}\"", names.join("|"));
                let operations = clients.operations_in(&place, &filter, cx).await?;
                found.extend(operations.into_iter().filter_map(|it| Some((it.name.clone()?, it))));
            }
        }
        let mut progress = HashMap::new();
        for (id, started) in started {
            // One that is not shown any more has ended long ago.
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

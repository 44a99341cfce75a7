//! Carrying out one step, despite interruptions.
//!
//! The critical one is creating, because a response can be lost after the object was created. What happens then
//! depends on the kind's [`IdentityClass`]: a *named* object is rejected the second time, and then looked up; a
//! *tagged* one is looked up before the call is repeated; with a *token* the call is simply repeated, and the next
//! run finds by its tags what a killed run created; a *journaled* one is looked up among objects of the same content
//! that did not exist before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::cloud::{
    Adopt, Cloud, Context, Create, Delete, Deletion, DynHandler, Filter, IdentityClass, Mutability, Observed,
    Owner, Query, Scope, Update, Wanted,
};
use crate::digest::Hasher;
use crate::graph::{Document, Key, Lifecycle, Task, has_unknown, outputs_in};
use crate::plan::{differences, mutability, top_member};
use crate::retry::{Attempts, RetryPolicy};
use crate::store::{Intent, IntentLog};
use crate::{Error, ErrorKind, Result, Snapshot};

use super::event::EventKind;
use super::reporter::Doing;
use super::run::Run;

/// The delays before looking for an object whose creation had no response, before it is created again: listings show
/// new objects within seconds.
const LOOKS: &[Duration] = &[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// The same for objects that are known to exist, and for those that only the journal can find again later: one minute
/// in total.
const PATIENT_LOOKS: &[Duration] = &[
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(20),
];

/// The context of all steps of a run.
pub(crate) struct Worker<'a> {
    pub(crate) cloud: &'a dyn Cloud,
    pub(crate) scope: &'a Scope,
    pub(crate) run: &'a Run,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) journal: &'a dyn IntentLog,
    /// Held while a journaled object is created: if two with the same content were created at once, they could not be
    /// told apart.
    pub(crate) journaling: Mutex<()>,
    pub(crate) retry: RetryPolicy,
}

/// The context of a creation.
struct Making<'a> {
    handler: &'a dyn DynHandler,
    task: &'a Task,
    wanted: &'a Document,
    doing: &'a Doing<'a>,
    /// Objects that existed before and are not the one to look for.
    old: BTreeSet<String>,
    /// Whether a call failed that may have created it nevertheless.
    doubtful: bool,
}

impl Worker<'_> {
    /// Creates the task's object; `wanted` contains all values.
    pub(crate) async fn create(
        &self,
        handler: &dyn DynHandler,
        task: &Task,
        wanted: &Document,
        doing: &Doing<'_>,
    ) -> Result<Observed> {
        let key = &task.key;
        require_known(wanted)?;
        let known = self.snapshot.of(key.kind()).iter();
        let old = known
            .filter(|it| it.object.name.as_deref() == Some(key.name()) && it.object.owner == Owner::Scope)
            .map(|it| it.object.id.clone())
            .collect();
        let mut making = Making { handler, task, wanted, doing, old, doubtful: false };
        let token = self.token(key, "create");
        let object = if handler.identity() == IdentityClass::Journal {
            self.make_journaled(&mut making, &token).await?
        } else {
            self.make(&mut making, &token).await?
        };
        let changed = in_place(handler, wanted, &object);
        if changed.is_empty() {
            return Ok(object);
        }
        self.update(handler, &object, wanted, &changed, doing).await
    }

    async fn make(&self, making: &mut Making<'_>, token: &str) -> Result<Observed> {
        let &mut Making { handler, task, wanted, doing, .. } = making;
        let request = Create {
            scope: self.scope,
            name: task.key.name(),
            spec: wanted,
            retained: task.lifecycle == Lifecycle::Retained,
            token,
            cx: &doing.cx,
        };
        let mut attempts = Attempts::new(self.retry);
        loop {
            let error = match handler.create(request.clone()).await {
                Ok(object) => return Ok(object),
                Err(error) => error,
            };
            tracing::debug!(%error, kind = %error.kind(), "creating failed");
            making.doubtful |= error.kind().is_ambiguous();
            let exists = error.kind() == ErrorKind::AlreadyExists;
            let lost = error.kind().is_ambiguous()
                && matches!(handler.identity(), IdentityClass::Tagged | IdentityClass::Journal);
            if (exists || lost)
                && let Some(object) = self.look_for(making, exists).await?
            {
                return Ok(object);
            }
            self.pause(error, &mut attempts, doing).await?;
        }
    }

    async fn make_journaled(&self, making: &mut Making<'_>, token: &str) -> Result<Observed> {
        let _alone = self.journaling.lock().await;
        let key = &making.task.key;
        let digest = content_digest(making.handler, making.wanted);
        let entries = self.journal.entries().await?;
        let alike = |it: &&Intent| it.key() == key.as_str() && it.content_digest() == digest;
        // It was created once, but not observed: it is gone, or not visible yet.
        for id in entries.iter().filter(alike).filter_map(Intent::object) {
            if !making.old.contains(id) {
                if let Some(object) = self.look_for_known(making, id).await? {
                    return Ok(object);
                }
                self.journal.forget(id).await?;
            }
        }
        making.old.extend(entries.iter().filter_map(|it| it.object().map(str::to_owned)));
        let open = || entries.iter().filter(|it| it.key() == key.as_str() && it.object().is_none());
        making.old.extend(open().flat_map(|it| it.existing().iter().cloned()));
        // An earlier run intended to create it, but it was not observed; it may be visible by now.
        if let Some(intent) = open().find(alike)
            && let Some(object) = self.look_for(making, false).await?
        {
            self.journal.done(intent, &object.object.id).await?;
            return Ok(object);
        }
        for intent in open() {
            self.journal.abandon(intent).await?;
        }
        let existing: Vec<String> =
            self.list_surely(making).await?.into_iter().map(|observed| observed.object.id).collect();
        making.old.extend(existing.iter().cloned());
        let intent = self.journal.intend(key.as_str(), &digest, &existing).await?;
        match self.make(making, token).await {
            Ok(object) => {
                self.journal.done(&intent, &object.object.id).await?;
                Ok(object)
            }
            Err(error) => {
                // If it is certain that nothing was created, nothing has to be looked for.
                if !making.doubtful {
                    self.journal.abandon(&intent).await?;
                }
                Err(error)
            }
        }
    }

    /// Looks for an object that the journal contains.
    async fn look_for_known(&self, making: &Making<'_>, id: &str) -> Result<Option<Observed>> {
        for pause in PATIENT_LOOKS {
            self.sleep(*pause, &making.doing.cx).await?;
            let found = self.list_surely(making).await?;
            if let Some(object) = found.into_iter().find(|observed| observed.object.id == id) {
                return Ok(Some(object).filter(|observed| observed.object.state.is_live()));
            }
        }
        Ok(None)
    }

    /// Looks for an object that a call without response or an earlier run may have created; `exists` if an object of
    /// that name is known to exist.
    async fn look_for(&self, making: &Making<'_>, exists: bool) -> Result<Option<Observed>> {
        let journaled = making.handler.identity() == IdentityClass::Journal;
        for pause in if exists || journaled { PATIENT_LOOKS } else { LOOKS } {
            self.sleep(*pause, &making.doing.cx).await?;
            // Without looking, the call must not be repeated either: the object might exist.
            let found = self.list_surely(making).await?;
            let taken = exists && found.iter().any(|observed| is_taken(making, observed));
            if let Some(object) = found.into_iter().find(|observed| is_the_one(making, observed)) {
                return Ok(Some(object));
            }
            if taken {
                break;
            }
        }
        if exists {
            // The name is used, but by none of the scope's objects.
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "an object of this name exists, but is not owned by this scope",
            )
            .with_hint("rename one of the two, or delete the object if it is not needed"));
        }
        Ok(None)
    }

    /// Lists the objects of the kind, with retries.
    async fn list_surely(&self, making: &Making<'_>) -> Result<Vec<Observed>> {
        let mut attempts = Attempts::new(self.retry.for_reading());
        loop {
            match self.list(making).await {
                Ok(found) => return Ok(found),
                Err(error) => self.pause(error, &mut attempts, making.doing).await?,
            }
        }
    }

    async fn list(&self, making: &Making<'_>) -> Result<Vec<Observed>> {
        let wanted = [Wanted { name: making.task.key.name(), spec: making.wanted }];
        // A new memo: an earlier observation is outdated.
        let cx = making.doing.cx.fresh();
        let filter = Filter::scope(&wanted, &[]);
        making.handler.list(&Query { scope: self.scope, filter, cx: &cx }).await
    }

    /// The same token for all retries in this run, and a different one in every other run. Clouds remember tokens for
    /// longer than objects exist, and return the original object: with a token that depended only on the
    /// specification, a volume that was deleted would be returned, dead, for a day.
    fn token(&self, key: &Key, call: &str) -> String {
        let mut hasher = Hasher::default();
        hasher.text(&self.run.id.to_string()).text(self.scope.name()).text(key.as_str()).text(call);
        hasher.finish()
    }

    /// Updates the members `changed` of an object.
    pub(crate) async fn update(
        &self,
        handler: &dyn DynHandler,
        object: &Observed,
        wanted: &Document,
        changed: &BTreeSet<String>,
        doing: &Doing<'_>,
    ) -> Result<Observed> {
        require_known(wanted)?;
        let key = doing.key;
        let token = self.token(key, "update");
        let request = Update {
            scope: self.scope,
            name: key.name(),
            object: &object.object,
            spec: wanted,
            changed,
            token: &token,
            cx: &doing.cx,
        };
        let mut attempts = Attempts::new(self.retry);
        loop {
            match handler.update(request.clone()).await {
                Ok(object) => return Ok(object),
                Err(error) => self.pause(error, &mut attempts, doing).await?,
            }
        }
    }

    /// Marks an object as the task's, and updates its members `changed`. After a lost response or a crash, it is
    /// repeated: an object that has the marks already is only updated.
    pub(crate) async fn adopt(
        &self,
        handler: &dyn DynHandler,
        task: &Task,
        object: &Observed,
        wanted: &Document,
        changed: &BTreeSet<String>,
        doing: &Doing<'_>,
    ) -> Result<Observed> {
        require_known(wanted)?;
        let request = Adopt {
            scope: self.scope,
            name: task.key.name(),
            object: &object.object,
            retained: task.lifecycle == Lifecycle::Retained,
            cx: &doing.cx,
        };
        let mut attempts = Attempts::new(self.retry);
        let adopted = loop {
            match handler.adopt(request.clone()).await {
                Ok(object) => break object,
                Err(error) => self.pause(error, &mut attempts, doing).await?,
            }
        };
        if changed.is_empty() {
            return Ok(adopted);
        }
        self.update(handler, &adopted, wanted, changed, doing).await
    }

    /// Deletes an object.
    pub(crate) async fn delete(
        &self,
        handler: &dyn DynHandler,
        observed: &Observed,
        doing: &Doing<'_>,
    ) -> Result<Deletion> {
        let request = Delete { scope: self.scope, object: &observed.object, cx: &doing.cx };
        let mut attempts = Attempts::new(self.retry);
        loop {
            match handler.delete(request.clone()).await {
                Ok(deletion) => return Ok(deletion),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Deletion::Done),
                Err(error) => self.pause(error, &mut attempts, doing).await?,
            }
        }
    }

    /// Removes a deleted object from the journal.
    pub(crate) async fn forget(&self, handler: &dyn DynHandler, id: &str) -> Result<()> {
        if handler.identity() == IdentityClass::Journal { self.journal.forget(id).await } else { Ok(()) }
    }

    /// Waits before the next attempt; returns the error if there is none.
    async fn pause(&self, error: Error, attempts: &mut Attempts, doing: &Doing<'_>) -> Result<()> {
        let clock = self.cloud.clock();
        let Some(wait) = attempts.after(&error, clock.elapsed()) else {
            return Err(attempts.exhausted(error));
        };
        if doing.cx.cancel.is_cancelled() {
            let cancelled = Error::new(ErrorKind::Cancelled, "cancelled before another attempt");
            return Err(cancelled.with_source(error));
        }
        let attempt = doing.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        let error = Arc::new(error.with_task(doing.key));
        tracing::warn!(%error, kind = %error.kind(), attempt, wait_ms = wait.as_millis(), "call failed, retrying");
        let (task, action) = (doing.key.clone(), doing.action);
        self.run.tell(EventKind::Retrying { task, action, attempt, error, wait });
        self.sleep(wait, &doing.cx).await
    }

    async fn sleep(&self, wait: Duration, cx: &Context) -> Result<()> {
        if wait.is_zero() {
            return Ok(());
        }
        let clock = self.cloud.clock();
        tokio::select! {
            () = clock.sleep(wait) => Ok(()),
            () = cx.cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled while waiting to retry")),
        }
    }
}

/// Whether an object is the one that was being created.
fn is_the_one(making: &Making<'_>, observed: &Observed) -> bool {
    let object = &observed.object;
    if !object.state.is_live() || making.old.contains(&object.id) {
        return false;
    }
    match object.owner {
        Owner::Scope => object.name.as_deref() == Some(making.task.key.name()),
        Owner::Other => false,
        Owner::Unknown => {
            content_digest(making.handler, &object.spec) == content_digest(making.handler, making.wanted)
        }
    }
}

/// Whether a foreign object has the requested name.
fn is_taken(making: &Making<'_>, observed: &Observed) -> bool {
    observed.object.owner == Owner::Other && observed.object.name.as_deref() == Some(making.task.key.name())
}

/// The members that differ and can be updated.
fn in_place(handler: &dyn DynHandler, wanted: &Document, observed: &Observed) -> BTreeSet<String> {
    let actual = &observed.object.spec;
    differences(wanted, actual)
        .into_iter()
        .filter(|change| mutability(handler, &change.path, wanted, actual) == Mutability::InPlace)
        .map(|change| top_member(&change.path).to_owned())
        .collect()
}

fn require_known(wanted: &Document) -> Result<()> {
    if !has_unknown(wanted.as_value()) {
        return Ok(());
    }
    let mut missing = Vec::new();
    outputs_in(wanted.as_value(), &mut missing);
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    Err(Error::internal(format!("unknown output of a completed task: {}", missing.join(", "))))
}

/// A digest of an object's content.
pub(crate) fn content_digest(handler: &dyn DynHandler, document: &Document) -> String {
    let mut hasher = Hasher::default();
    if let serde_json::Value::Object(members) = document.as_value() {
        hasher.members(members.iter().filter(|(name, _)| handler.mutability(name) != Mutability::WriteOnly));
    }
    hasher.finish()
}

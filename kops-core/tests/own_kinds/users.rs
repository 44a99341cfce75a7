//! Users of a database: a service of our own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kops_core::clock::{Clock, SystemClock};
use kops_core::cloud::{
    Capabilities, Class, Cloud, Create, Delete, Deletion, DynHandler, Filter, Handler, IdentityClass, Object,
    Query, Scope, Update,
};
use kops_core::graph::{Closed, Open, Output, Stage, TaskGraph};
use kops_core::lower::Native;
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// A user of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct DatabaseUser<S: Stage = Open> {
    /// The machine that the database is on.
    pub(crate) host: At<S, String>,
    /// Where the user comes from.
    pub(crate) from: At<S, String>,
}

impl Resource for DatabaseUser {
    const KIND: &'static str = "DatabaseUser";
    const OUTPUTS: &'static [&'static str] = &[Self::URL.name()];
    type Resolved = DatabaseUser<Closed>;
}

impl DatabaseUser {
    pub(crate) const URL: Output<Self, String> = Output::new("url");
}

type User = DatabaseUser<Closed>;

/// The database: users by their names, with whose they are.
#[derive(Clone, Default)]
pub(crate) struct Users(Arc<Mutex<BTreeMap<String, (String, User)>>>);

impl Users {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

fn object(scope: &Scope, name: &str, owner: &str, user: User) -> Object<User> {
    let url = format!("db://{name}@{}?from={}", user.host, user.from);
    let object =
        if owner == scope.name() { Object::owned(name, name, user) } else { Object::foreign(name, user) };
    object.output(DatabaseUser::URL, url)
}

#[async_trait]
impl Handler for Users {
    type Kind = DatabaseUser;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<User>>> {
        let users = self.0.lock().unwrap().clone();
        let wanted = |name: &String| match query.filter {
            Filter::Ids(ids) => ids.contains(name),
            Filter::Scope { .. } => true,
        };
        let users = users.into_iter().filter(|(name, _)| wanted(name));
        Ok(users.map(|(name, (owner, user))| object(query.scope, &name, &owner, user)).collect())
    }

    async fn create(&self, request: Create<'_, User>) -> Result<Object<User>> {
        let mut users = self.0.lock().unwrap();
        if users.contains_key(request.name) {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is such a user"));
        }
        let scope = request.scope;
        users.insert(request.name.to_owned(), (scope.name().to_owned(), request.spec.clone()));
        Ok(object(scope, request.name, scope.name(), request.spec.clone()))
    }

    async fn update(&self, request: Update<'_, User>) -> Result<Object<User>> {
        let scope = request.scope;
        self.0
            .lock()
            .unwrap()
            .insert(request.name.to_owned(), (scope.name().to_owned(), request.spec.clone()));
        Ok(object(scope, request.name, scope.name(), request.spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, User>) -> Result<Deletion> {
        self.0.lock().unwrap().remove(&request.object.id);
        Ok(Deletion::Done)
    }
}

/// A cloud that has no kinds at all.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Cloud for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &[]
    }

    fn class(&self, _: &str) -> Option<Class> {
        None
    }

    fn lower(&self, graph: &TaskGraph, _: &Scope, _: &[&str]) -> Result<Native> {
        Ok(Native::from(graph.clone()))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }
}

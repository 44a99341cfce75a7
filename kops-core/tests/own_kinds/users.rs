//! Users of a database: a service of our own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kops_core::clock::{Clock, SystemClock};
use kops_core::cloud::{
    Capabilities, Class, Cloud, Create, Delete, Deletion, DynHandler, Filter, Handler, IdentityClass, Mark,
    Object, Query, Scope, Update,
};
use kops_core::graph::{Closed, Open, Output, Stage, TaskGraph};
use kops_core::lower::Native;
use kops_core::resource::{At, Resource};
use kops_core::testing::conformance::Item;
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

/// The database: users by their names, with the texts of their marks.
#[derive(Clone, Default)]
pub(crate) struct Users(Arc<Mutex<BTreeMap<String, (String, User)>>>);

impl Users {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }

    /// All users, without their marks.
    pub(crate) fn items(&self) -> Vec<Item> {
        let users = self.0.lock().unwrap();
        let item = |(name, (_, user)): (&String, &(String, User))| {
            Item::new(<DatabaseUser>::KIND, name, serde_json::to_value(user).unwrap())
        };
        users.iter().map(item).collect()
    }

    /// Adds a user that no scope owns.
    pub(crate) fn plant(&self, name: &str) {
        let user = User { host: "theirs".to_owned(), from: "anywhere".to_owned() };
        self.0.lock().unwrap().insert(name.to_owned(), (String::new(), user));
    }

    /// Deletes the users that no scope owns.
    pub(crate) fn uproot(&self) {
        self.0.lock().unwrap().retain(|_, (mark, _)| !mark.is_empty());
    }
}

fn object(scope: &Scope, name: &str, mark: &str, user: User) -> Object<User> {
    let url = format!("db://{name}@{}?from={}", user.host, user.from);
    let object = match Mark::read(scope, mark) {
        Some(mark) => mark.object(name, user),
        None => Object::foreign(name, user).name(name.to_owned()).held_by(Mark::other(scope, mark)),
    };
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
        Ok(users.map(|(name, (mark, user))| object(query.scope, &name, &mark, user)).collect())
    }

    async fn create(&self, request: Create<'_, User>) -> Result<Object<User>> {
        let mut users = self.0.lock().unwrap();
        if users.contains_key(request.name) {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is such a user"));
        }
        let mark = Mark::of_new(&request).text();
        users.insert(request.name.to_owned(), (mark.clone(), request.spec.clone()));
        Ok(object(request.scope, request.name, &mark, request.spec.clone()))
    }

    async fn update(&self, request: Update<'_, User>) -> Result<Object<User>> {
        let mark = Mark::of(request.scope, request.name, request.object).text();
        self.0.lock().unwrap().insert(request.name.to_owned(), (mark.clone(), request.spec.clone()));
        Ok(object(request.scope, request.name, &mark, request.spec.clone()))
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

    fn location(&self) -> String {
        String::new()
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

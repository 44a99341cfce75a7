//! Users of a database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Update,
};
use kops_core::graph::{Closed, Open, Output, Resource, Stage};
use kops_core::resource::At;
use kops_core::{Error, ErrorKind, Result, async_trait};
use serde::{Deserialize, Serialize};

/// A user of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct DatabaseUser<S: Stage = Open> {
    /// The machine that the database runs on.
    pub(crate) host: At<S, String>,
}

impl DatabaseUser {
    /// The host that the user connects to.
    pub(crate) const URL: Output<Self, String> = Output::new("url");
}

impl Resource for DatabaseUser {
    const KIND: &'static str = "DatabaseUser";
    const OUTPUTS: &'static [&'static str] = &[Self::URL.name()];
    type Resolved = DatabaseUser<Closed>;
}

type User = DatabaseUser<Closed>;

/// The database's users by name, each with the text of its mark: the scope that owns it, including its place and
/// region, and the task. A real handler would call a service, and write the mark into a comment or a tag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Users(Arc<Mutex<BTreeMap<String, (String, User)>>>);

impl Users {
    fn table(&self) -> MutexGuard<'_, BTreeMap<String, (String, User)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn object(scope: &Scope, name: &str, mark: &str, user: User) -> Object<User> {
    let url = format!("postgres://{name}@{}/shop", user.host);
    let object = match Mark::read(scope, mark) {
        Some(mark) => mark.object(name, user),
        None => Object::foreign(name, user).name(name.to_owned()).held_by(Mark::other(scope, mark)),
    };
    object.output(DatabaseUser::URL, url)
}

#[async_trait]
impl Handler for Users {
    type Kind = DatabaseUser;

    /// The database rejects a second user of the same name.
    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<User>>> {
        let wanted = |name: &String| match query.filter {
            Filter::Ids(ids) => ids.contains(name),
            Filter::Scope { .. } => true,
        };
        let users = self.table().clone().into_iter().filter(|(name, _)| wanted(name));
        Ok(users.map(|(name, (mark, user))| object(query.scope, &name, &mark, user)).collect())
    }

    async fn create(&self, request: Create<'_, User>) -> Result<Object<User>> {
        let (mark, user) = (Mark::of_new(&request).text(), request.spec.clone());
        let mut table = self.table();
        if table.contains_key(request.name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("user {} already exists", request.name),
            ));
        }
        table.insert(request.name.to_owned(), (mark.clone(), user.clone()));
        Ok(object(request.scope, request.name, &mark, user))
    }

    async fn update(&self, request: Update<'_, User>) -> Result<Object<User>> {
        Err(Error::internal("a user is replaced, not changed").with_task(request.name))
    }

    async fn delete(&self, request: Delete<'_, User>) -> Result<Deletion> {
        self.table().remove(&request.object.id);
        Ok(Deletion::Done)
    }
}

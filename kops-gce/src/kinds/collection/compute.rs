//! The handler of every collection.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object,
    Owner, Query, Replacement, Resolved, Scope, State, Timing, Update, Wanted,
};
use kops_core::graph::Reference;
use kops_core::{Error, ErrorKind, Result};

use super::marks::{from, is_from, marked_by};
use super::{Changing, Collection, Facts, Level, SpecOf, Step, Writing};
use crate::clients::{Clients, request_id};
use crate::operations::{Change, Progress};
use crate::path::{Path, Place, short};

/// The number of names in a filter: sixty characters each, well within the maximum length of a URL.
const NAMES: usize = 50;

/// The handler of a collection's kind.
pub(crate) struct Compute<C> {
    clients: Clients,
    collection: std::marker::PhantomData<fn() -> C>,
}

impl<C: Collection> Compute<C> {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self { clients: clients.clone(), collection: std::marker::PhantomData }
    }

    fn place(&self, zone: &str) -> Place {
        match C::LEVEL {
            Level::Global => Place::Global,
            Level::Regional => self.clients.here(),
            Level::Zonal => Place::Zone(zone.to_owned()),
        }
    }

    fn object(&self, scope: &Scope, model: &C::Model, wanted: &[Wanted<'_>]) -> Result<Object<SpecOf<C>>> {
        let header = C::header(model);
        let link = header.self_link.unwrap_or_default();
        let path = Path::parse(link)?;
        let description = header.description.unwrap_or_default();
        let mark =
            Mark::read(scope, description).filter(|_| is_from(&self.clients.project, &path, description));
        let document =
            mark.as_ref().and_then(|mark| wanted.iter().find(|it| it.name == mark.task)).map(|it| it.spec);
        let Facts { spec, state, outputs } = C::facts(&self.clients, &path, model, document)?;
        let id = path.to_string();
        let mut object = match mark {
            Some(mark) => mark.object(id, spec),
            None => {
                Object::foreign(id, spec).held_by(Mark::other(scope, header.description.unwrap_or_default()))
            }
        };
        if path.project != self.clients.project {
            object.unadoptable = Some(format!("it is in the project {}", path.project));
        }
        let mut object = self.with_aliases(object.state(state).outputs(outputs), &path);
        if object.owner == Owner::Other {
            object = object.alias(link);
        }
        Ok(object)
    }

    /// The objects with these names, by their projects.
    async fn named(&self, names: &BTreeMap<String, BTreeSet<String>>, cx: &Context) -> Result<Vec<C::Model>> {
        let mut lists = Vec::new();
        for (project, names) in names {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for names in names.chunks(NAMES) {
                let filter = format!("name eq \"{}\"", names.join("|"));
                lists.push(async move { C::list(&self.clients, project, &filter, cx).await });
            }
        }
        Ok(try_join_all(lists).await?.into_iter().flatten().collect())
    }

    async fn of_scope(
        &self,
        query: &Query<'_>,
        wanted: &[Wanted<'_>],
        shared: &[&str],
    ) -> Result<Vec<Object<SpecOf<C>>>> {
        // When the whole scope is read, operations started in this process are no longer waited for, but
        // their effect may not be visible yet: a deletion continues after the response.
        let begun = self.clients.operations.under_way(query.scope, C::PLURAL);
        let progress = self.clients.operations.look(&self.clients, &begun, query.cx).await?;
        let mut projects = C::further_projects(&self.clients, wanted, query.cx).await?;
        projects.insert(self.clients.project.clone());
        let filter = marked_by(query.scope);
        let lists = projects.iter().map(|project| C::list(&self.clients, project, &filter, query.cx));
        let marked = try_join_all(lists).await?;
        let mut found = Vec::new();
        for model in marked.iter().flatten() {
            let object = self.object(query.scope, model, wanted)?;
            if object.owner == Owner::Scope {
                found.push(object);
            }
        }
        let mut found: BTreeMap<String, Object<SpecOf<C>>> =
            found.into_iter().map(|object| (object.id.clone(), object)).collect();
        for (id, progress) in progress {
            // A failed operation leaves the object as it was, or absent.
            let Progress::Running(change) = progress else { continue };
            let state = if matches!(change, Change::Delete) { State::Deleting } else { State::Pending };
            if let Some(object) = Self::with_state(&mut found, &id, &change)? {
                object.state = state;
                if let Change::Update(spec) = &change {
                    object.spec = spec_of(spec)?;
                }
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        let mut seen = HashSet::new();
        let twice = found.iter().any(|object| {
            let name = object.name.as_deref();
            !seen.insert(name) && wanted.iter().any(|task| Some(task.name) == name)
        });
        if twice {
            let lingering = C::lingering(&self.clients, query.scope, query.cx).await?;
            found.retain(|object| {
                let is_wanted = wanted.iter().any(|task| Some(task.name) == object.name.as_deref());
                !(is_wanted && lingering.contains(&object.id))
            });
        }
        let known: HashSet<&str> = found.iter().filter_map(|object| object.name.as_deref()).collect();
        let mut asked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut holders: BTreeMap<String, &str> = BTreeMap::new();
        for task in wanted.iter().filter(|task| !known.contains(task.name)) {
            let zone = task.spec.get("zone").and_then(|zone| zone.as_str()).unwrap_or_default();
            if let Some(name) = C::cloud_name(task.name) {
                let mut path = self.clients.path(self.place(zone), C::PLURAL, &name);
                if let Some(project) = task.spec.get("project").and_then(|project| project.as_str()) {
                    project.clone_into(&mut path.project);
                }
                holders.insert(path.to_string(), task.name);
                asked.entry(path.project).or_default().insert(name);
            }
        }
        for selector in shared {
            let (project, name) = self.selected(selector);
            asked.entry(project).or_default().insert(name);
        }
        let own: HashSet<String> = found.iter().map(|object| object.id.clone()).collect();
        for model in &self.named(&asked, query.cx).await? {
            let mut object = self.object(query.scope, model, wanted)?;
            if own.contains(&object.id) {
                continue;
            }
            // A foreign object with the name of a task blocks that task. So does another task of ours; that
            // one is returned under its own name, and the cloud rejects the new object.
            if object.owner == Owner::Other {
                object.name = holders.get(&object.id).map(|task| (*task).to_owned());
            }
            let meant = shared.iter().any(|selector| object.matches(selector));
            if meant {
                C::complete(&self.clients, &mut object, query.cx).await?;
            }
            if meant || object.name.is_some() {
                found.push(object);
            }
        }
        Ok(found)
    }

    /// The project and name that a selector refers to: a name, `project/name`, `zone/name` or a URL.
    fn selected(&self, selector: &str) -> (String, String) {
        if let Ok(path) = Path::parse(selector) {
            return (path.project, path.name);
        }
        match selector.rsplit_once('/') {
            Some((project, name)) if C::LEVEL != Level::Zonal => (project.to_owned(), name.to_owned()),
            Some((_, name)) => (self.clients.project.clone(), name.to_owned()),
            None => (self.clients.project.clone(), selector.to_owned()),
        }
    }

    async fn of_ids(&self, query: &Query<'_>, ids: &[String]) -> Result<Vec<Object<SpecOf<C>>>> {
        let mut asked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for id in ids {
            let path = Path::parse(id)?;
            asked.entry(path.project).or_default().insert(path.name);
        }
        // Operations first: the effect of one that has ended by now is visible in the listing that follows.
        let progress = self.clients.operations.look(&self.clients, ids, query.cx).await?;
        let mut found = BTreeMap::new();
        for model in &self.named(&asked, query.cx).await? {
            let object = self.object(query.scope, model, &[])?;
            if ids.contains(&object.id) {
                found.insert(object.id.clone(), object);
            }
        }
        for (id, progress) in progress {
            match progress {
                Progress::Running(Change::Delete) => {
                    if let Some(object) = found.get_mut(&id) {
                        object.state = State::Deleting;
                    }
                }
                Progress::Running(change) => {
                    if let Some(object) = Self::with_state(&mut found, &id, &change)? {
                        object.state = State::Pending;
                    }
                }
                Progress::Failed(Change::Delete, error) if error.kind().is_transient() => {
                    if C::lingering(&self.clients, query.scope, query.cx).await?.contains(&id) {
                        found.remove(&id);
                        continue;
                    }
                    // Its last user may be gone by now.
                    self.begin_delete(query.scope, &Path::parse(&id)?, query.cx).await?;
                    if let Some(object) = found.get_mut(&id) {
                        object.state = State::Deleting;
                    }
                }
                Progress::Failed(Change::Delete, error) => return Err(error.with_task(&id)),
                Progress::Failed(change, error) => {
                    if let Some(object) = Self::with_state(&mut found, &id, &change)? {
                        object.state = State::Failed(error.to_string());
                    }
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// The object; if it is not visible yet, as it will be.
    fn with_state<'f>(
        found: &'f mut BTreeMap<String, Object<SpecOf<C>>>,
        id: &str,
        change: &Change,
    ) -> Result<Option<&'f mut Object<SpecOf<C>>>> {
        if !found.contains_key(id)
            && let Change::Create(object) = change
        {
            let spec = spec_of(&object.spec)?;
            found.insert(id.to_owned(), object.as_ref().clone().map(|_| spec));
        }
        Ok(found.get_mut(id))
    }

    /// The object with its short names: `name`, `project/name` or `zone/name`.
    fn with_aliases(&self, object: Object<SpecOf<C>>, path: &Path) -> Object<SpecOf<C>> {
        let object = object.alias(match &path.place {
            Place::Zone(zone) => format!("{zone}/{}", path.name),
            _ => format!("{}/{}", path.project, path.name),
        });
        if path.project == self.clients.project { object.alias(&path.name) } else { object }
    }

    /// The current state of an object in the API's form.
    async fn model(&self, object: &Object<SpecOf<C>>, path: &Path, cx: &Context) -> Result<C::Model> {
        // An object rejects changes while an operation is in progress, and does not exist before its creation ended.
        let ids = [object.id.clone()];
        match self.clients.operations.look(&self.clients, &ids, cx).await?.into_values().next() {
            Some(Progress::Running(_)) => {
                return Err(Error::new(ErrorKind::NotYetVisible, "an operation on it is in progress"));
            }
            Some(Progress::Failed(Change::Create(_), error)) => {
                return Err(Error::new(ErrorKind::Failed, error.to_string()).with_hint("run again"));
            }
            Some(Progress::Failed(_, error)) => return Err(error),
            None => {}
        }
        let asked = [(path.project.clone(), [path.name.clone()].into())].into();
        let is_this =
            |model: &C::Model| C::header(model).self_link.is_some_and(|link| short(link) == object.id);
        let models = self.named(&asked, cx).await?;
        models.into_iter().find(is_this).ok_or_else(|| match object.state {
            // Its creation has ended, but listings do not show it yet.
            State::Pending => Error::new(ErrorKind::NotYetVisible, format!("{path} is not visible yet")),
            _ => Error::not_found(format!("{path} is gone")),
        })
    }

    /// The object at a path, if it was created for the same task.
    async fn found_again(
        &self,
        request: &Create<'_, SpecOf<C>>,
        path: &Path,
    ) -> Result<Option<Object<SpecOf<C>>>> {
        let asked = [(path.project.clone(), [path.name.clone()].into())].into();
        for model in &self.named(&asked, request.cx).await? {
            let object = self.object(request.scope, model, &[])?;
            if object.owner == Owner::Scope && object.name.as_deref() == Some(request.name) {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    async fn begin_delete(&self, scope: &Scope, path: &Path, cx: &Context) -> Result<Deletion> {
        let operation = C::delete(&self.clients, path, cx).await?;
        self.clients.operations.begun(C::DELETE, scope, path, &operation, Change::Delete)?;
        Ok(Deletion::Pending)
    }
}

#[async_trait]
impl<C: Collection> Handler for Compute<C> {
    type Kind = C::Kind;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        C::mutability(field)
    }

    fn replacement(&self) -> Replacement {
        C::replacement()
    }

    fn delete_after(&self) -> &'static [&'static str] {
        C::delete_after()
    }

    fn extra_references(&self, spec: &Resolved<Self>) -> Vec<Reference> {
        C::extra_references(spec)
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        C::volatile_outputs(changed)
    }

    fn timing(&self) -> Timing {
        C::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Resolved<Self>>>> {
        match query.filter {
            Filter::Scope { wanted, shared, .. } => self.of_scope(query, wanted, shared).await,
            Filter::Ids(ids) => self.of_ids(query, ids).await,
        }
    }

    async fn create(&self, request: Create<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let name = C::new_name(request.name, request.spec)?;
        let place = self.place(C::zone(request.spec).unwrap_or_default());
        let mut path = self.clients.path(place, C::PLURAL, &name);
        let mark = Mark::of_new(&request);
        let mut text = mark.text();
        if let Some(project) = C::project(request.spec) {
            project.clone_into(&mut path.project);
            text.push_str(&from(&self.clients.project));
        }
        let id = request_id(request.token, &path);
        let operation = match C::insert(&self.clients, &path, text, id, request.spec, request.cx).await {
            // A name that is derived from the content, and it exists.
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists && C::cloud_name(request.name).is_none() =>
            {
                return self.found_again(&request, &path).await?.ok_or(error);
            }
            operation => operation?,
        };
        let spec = C::inserted(request.spec);
        let document = document_of(&spec)?;
        let object = mark.object(path.to_string(), spec).state(State::Pending);
        let object = self.with_aliases(object, &path);
        let made = Change::Create(Box::new(object.clone().map(|_| document)));
        self.clients.operations.begun(C::CREATE, request.scope, &path, &operation, made)?;
        Ok(object)
    }

    async fn update(&self, request: Update<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let path = Path::parse(&request.object.id)?;
        let model = self.model(request.object, &path, request.cx).await?;
        let change = Changing {
            path: &path,
            model,
            spec: request.spec,
            changed: request.changed,
            token: request.token,
            cx: request.cx,
        };
        let object = request.object.clone().spec(request.spec.clone());
        let document = document_of(request.spec)?;
        let Some(Step { operation, more }) = C::update(&self.clients, change).await? else {
            return Ok(object);
        };
        let running = self.clients.operations.begun(
            C::UPDATE,
            request.scope,
            &path,
            &operation,
            Change::Update(Box::new(document)),
        )?;
        if more {
            // The engine calls again, and finds the remaining differences then.
            return Err(Error::new(
                ErrorKind::NotYetVisible,
                "the next part of the change is waiting for this one",
            ));
        }
        // Outputs that change are read once it is done.
        let running = running || !C::volatile_outputs(request.changed).is_empty();
        Ok(if running { object.state(State::Pending) } else { object })
    }

    fn can_adopt(&self) -> bool {
        C::ADOPTS
    }

    async fn adopt(&self, request: Adopt<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let path = Path::parse(&request.object.id)?;
        let model = self.model(request.object, &path, request.cx).await?;
        let present = C::header(&model).description.unwrap_or_default();
        let mark = request.mark(Mark::other(request.scope, present))?.text();
        if present == mark {
            return Ok(request.adopted());
        }
        // The cloud would remember an identifier for an hour, also of an object that was given up in the meantime.
        let writing = Writing { model: C::described(model, mark), request_id: None, cx: request.cx };
        let operation = C::write(&self.clients, &path, writing).await?;
        let document = document_of(&request.object.spec)?;
        let change = Change::Update(Box::new(document));
        let running = self.clients.operations.begun(C::UPDATE, request.scope, &path, &operation, change)?;
        let object = request.adopted();
        Ok(if running { object.state(State::Pending) } else { object })
    }

    async fn delete(&self, request: Delete<'_, Resolved<Self>>) -> Result<Deletion> {
        let path = Path::parse(&request.object.id)?;
        self.clients.operations.forget(&request.object.id);
        match self.begin_delete(request.scope, &path, request.cx).await {
            Err(error)
                if error.kind() == ErrorKind::DependencyViolation
                    && C::lingering(&self.clients, request.scope, request.cx)
                        .await?
                        .contains(&request.object.id) =>
            {
                Ok(Deletion::Done)
            }
            deletion => deletion,
        }
    }
}

fn document_of(spec: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(spec)
        .map_err(|error| Error::internal("a specification cannot be serialised").with_source(error))
}

fn spec_of<S: serde::de::DeserializeOwned>(document: &serde_json::Value) -> Result<S> {
    S::deserialize(document)
        .map_err(|error| Error::internal("a specification cannot be deserialised").with_source(error))
}

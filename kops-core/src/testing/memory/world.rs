//! The server: its objects, and what it rejects.
//!
//! It is synchronous and has no clock: the time is passed to every operation. An operation that fails changes
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kinds::MemoryKind;
use super::machines::Member;
use super::settings::Settings;
use crate::cloud::{
    Adopt, Create, Deletion, IdentityClass, Mark, MarkTags, Mutability, Object, Outputs, Owner, Scope, State,
};
use crate::digest;
use crate::graph::{Document, Id, references};
use crate::resource::{InstanceGroup, Output, Resource};
use crate::testing::Fault;
use crate::{Error, ErrorKind, Result};

/// The labels with the owner and the task of an object.
pub(super) const MARK: MarkTags = MarkTags {
    scope: "kops/scope",
    place: "kops/within",
    region: "kops/region",
    task: "kops/task",
    lifecycle: "kops/lifecycle",
};

/// All objects of a [`MemoryCloud`](super::MemoryCloud), for the checks of a [`MemoryKind`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct World {
    /// The number of the next object.
    next: u64,
    /// Objects by kind and identifier.
    records: BTreeMap<String, BTreeMap<String, Record>>,
    /// Idempotency tokens, as `kind/token`.
    tokens: BTreeMap<String, Issued>,
    /// The machines of instance groups, by identifier.
    pub(super) members: BTreeMap<String, Member>,
    /// The earliest time at which an object disappears or a token is forgotten.
    #[serde(skip)]
    next_end: Duration,
}

/// An object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) name: Option<String>,
    /// Names that a selector may use, including its own.
    aliases: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) spec: Document,
    pub(super) outputs: Outputs,
    pub(super) retained: bool,
    number: u64,
    uses: BTreeSet<Link>,
    failed: bool,
    visible_at: Duration,
    ready_at: Duration,
    gone_at: Option<Duration>,
}

/// A reference to an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Link {
    kind: String,
    id: String,
}

/// A token that created an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Issued {
    id: String,
    /// The digest of the specification it was used with.
    digest: String,
    forgotten_at: Option<Duration>,
}

/// How long a token is remembered after its object is gone; EC2 guarantees at least this.
const TOKEN_MEMORY: Duration = Duration::from_hours(24);

/// The time of an operation, and its injected faults.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Duration,
    pub(super) fault: Option<Fault>,
}

impl Record {
    pub(super) fn state(&self, now: Duration) -> State {
        if self.gone_at.is_some() {
            State::Deleting
        } else if self.failed {
            State::Failed("the hardware underneath broke (an injected fault)".to_owned())
        } else if now < self.ready_at {
            State::Pending
        } else {
            State::Ready
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.gone_at.is_none()
    }

    pub(super) fn matches(&self, selector: &str) -> bool {
        self.id == selector || self.aliases.iter().any(|alias| alias == selector)
    }

    pub(super) fn is_of(&self, scope: &Scope) -> bool {
        MARK.is_of(scope, &self.labels)
    }

    /// The object as seen by the scope.
    pub(super) fn object<R: MemoryKind>(
        &self,
        scope: &Scope,
        class: IdentityClass,
        now: Duration,
    ) -> Result<Object<R::Resolved>> {
        let owner = match class {
            IdentityClass::Journal => Owner::Unknown,
            _ if self.is_of(scope) => Owner::Scope,
            _ => Owner::Other,
        };
        Ok(Object {
            id: self.id.clone(),
            name: self.labels.get(MARK.task).filter(|_| owner == Owner::Scope).cloned(),
            owner,
            state: self.state(now),
            spec: self.spec_as::<R>()?,
            outputs: self.outputs.clone(),
            aliases: self.aliases.clone(),
            retained: self.retained,
            dependent: None,
            unadoptable: None,
        }
        .held_by(MARK.other(scope, &self.labels)))
    }

    pub(super) fn spec_as<R: Resource>(&self) -> Result<R::Resolved> {
        self.spec.decode().map_err(|error| {
            Error::internal(format!("the stored object {} is not a {}", self.id, R::KIND)).with_source(error)
        })
    }
}

impl World {
    /// The live objects of a kind, with their identifiers.
    pub fn all<R: Resource>(&self) -> impl Iterator<Item = (&str, R::Resolved)> {
        self.of(R::KIND)
            .filter(|record| record.is_live())
            .filter_map(|record| Some((record.id.as_str(), record.spec_as::<R>().ok()?)))
    }

    /// The live object with an identifier.
    pub fn get<R: Resource>(&self, id: &str) -> Option<R::Resolved> {
        self.record(R::KIND, id).filter(|record| record.is_live())?.spec_as::<R>().ok()
    }

    /// An output of an object.
    pub fn output<R: Resource, T: DeserializeOwned>(&self, id: &Id<R>, output: Output<R, T>) -> Option<T> {
        self.record(R::KIND, id.as_str())?.outputs.get(output).ok()?
    }

    pub(super) fn of(&self, kind: &str) -> impl Iterator<Item = &Record> {
        self.records.get(kind).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn everything(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.records.iter().flat_map(|(kind, records)| records.values().map(move |it| (kind.as_str(), it)))
    }

    pub(super) fn record(&self, kind: &str, id: &str) -> Option<&Record> {
        self.records.get(kind)?.get(id)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Removes what has disappeared by now.
    pub(super) fn settle(&mut self, now: Duration) {
        if now < self.next_end {
            return;
        }
        let mut next = Duration::MAX;
        let mut lasts = |end: Option<Duration>| {
            let lasts = end.is_none_or(|end| now < end);
            next = end.filter(|_| lasts).map_or(next, |end| next.min(end));
            lasts
        };
        for records in self.records.values_mut() {
            records.retain(|_, record| lasts(record.gone_at));
        }
        self.tokens.retain(|_, issued| lasts(issued.forgotten_at));
        self.members.retain(|_, member| lasts(member.gone_at));
        self.next_end = next;
    }

    /// Makes [`settle`](Self::settle) check again at `end`.
    pub(super) fn ends(&mut self, end: Duration) {
        self.next_end = self.next_end.min(end);
    }

    /// One page of the requested objects of a kind, and the start of the next page.
    pub(super) fn page(
        &self,
        kind: &str,
        after: Option<&str>,
        size: usize,
        now: Duration,
        wanted: impl Fn(&Record) -> bool,
    ) -> (Vec<Record>, Option<String>) {
        let visible = |record: &&Record| {
            record.visible_at <= now && after.is_none_or(|after| record.id.as_str() > after) && wanted(record)
        };
        let mut page: Vec<_> = self.of(kind).filter(visible).take(size + 1).cloned().collect();
        let more = page.len() > size;
        page.truncate(size);
        let next = page.last().filter(|_| more).map(|record| record.id.clone());
        (page, next)
    }

    pub(super) fn create<R: MemoryKind>(
        &mut self,
        request: &Create<'_, R::Resolved>,
        settings: &Settings,
        at: Moment,
    ) -> Result<Object<R::Resolved>> {
        let class = settings.identity::<R>();
        let wanted = document(request.spec)?;
        let token = (class == IdentityClass::Token).then(|| format!("{}/{}", R::KIND, request.token));
        if let Some(issued) = token.as_ref().and_then(|token| self.tokens.get(token)) {
            return self.replay::<R>(issued, &wanted, request, at.now);
        }
        let name = (class == IdentityClass::Named)
            .then(|| R::unique_name(request.scope, request.name, &wanted))
            .flatten();
        let mut labels = BTreeMap::new();
        if class != IdentityClass::Journal {
            labels.extend(request.scope.extra_labels().clone());
            MARK.write(&Mark::new(request.scope, request.name), &mut labels);
        }
        let created = R::after_create(request.spec);
        let id = self.insert::<R>(&created, name, labels, request.retained, settings, at)?;
        if let Some(token) = token {
            let digest = digest::hex(wanted.to_string().as_bytes());
            self.tokens.insert(token, Issued { id: id.clone(), digest, forgotten_at: None });
        }
        let record = self.record(R::KIND, &id).ok_or_else(|| unknown(R::KIND, &id))?;
        record.object::<R>(request.scope, class, at.now)
    }

    /// The response to a token that was used before.
    fn replay<R: MemoryKind>(
        &self,
        issued: &Issued,
        wanted: &Document,
        request: &Create<'_, R::Resolved>,
        now: Duration,
    ) -> Result<Object<R::Resolved>> {
        if issued.digest != digest::hex(wanted.to_string().as_bytes()) {
            return Err(Error::invalid("the idempotency token was used with another specification"));
        }
        match self.record(R::KIND, &issued.id) {
            Some(record) => record.object::<R>(request.scope, IdentityClass::Token, now),
            None => Ok(Object::owned(&issued.id, request.name, request.spec.clone()).state(State::Gone)),
        }
    }

    /// Creates an object, regardless of its owner, and returns its identifier.
    pub(super) fn insert<R: MemoryKind>(
        &mut self,
        spec: &R::Resolved,
        name: Option<String>,
        labels: BTreeMap<String, String>,
        retained: bool,
        settings: &Settings,
        at: Moment,
    ) -> Result<String> {
        let uses = self.links(spec, at.now)?;
        if let Some(name) = &name
            && self.of(R::KIND).any(|record| record.name.as_ref() == Some(name))
        {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("a {} named {name:?} already exists", R::KIND),
            ));
        }
        R::check(self, None, spec)?;
        if let Some(quota) = settings.quotas.get(R::KIND)
            && self.of(R::KIND).count() >= *quota
        {
            let message = format!("the limit of {quota} objects of kind {} is reached", R::KIND);
            return Err(Error::new(ErrorKind::Quota, message));
        }
        let number = self.number();
        let id = match &name {
            Some(name) if R::ID_IS_NAME => name.clone(),
            _ => format!("{}-{number:08x}", dashed(R::KIND)),
        };
        let hidden = if let Some(Fault::Hide(lag)) = at.fault { lag } else { Duration::ZERO };
        let outputs = R::outputs(self, number, spec);
        let record = Record {
            id: id.clone(),
            aliases: name.iter().cloned().chain(R::aliases(spec)).collect(),
            name,
            labels,
            spec: document(spec)?,
            outputs,
            retained,
            number,
            uses,
            failed: at.fault == Some(Fault::Break),
            visible_at: at.now + hidden,
            ready_at: at.now + settings.latencies.settle(R::KIND),
            gone_at: None,
        };
        self.records.entry(R::KIND.to_owned()).or_default().insert(id.clone(), record);
        self.touched::<R>(&id, at.now, settings)?;
        Ok(id)
    }

    pub(super) fn update<R: MemoryKind>(
        &mut self,
        id: &str,
        spec: &R::Resolved,
        settings: &Settings,
        now: Duration,
    ) -> Result<()> {
        let record = self.seen(R::KIND, id, now)?;
        if !record.is_live() {
            return Err(Error::not_found(format!("{} {id} is being deleted", R::KIND)));
        }
        let before = record.spec_as::<R>()?;
        let mut spec = spec.clone();
        R::merge(&mut spec, &before);
        let (number, document) = (record.number, document(&spec)?);
        for field in changed(record.spec.as_value(), document.as_value()) {
            if !matches!(R::mutability(field), Mutability::InPlace | Mutability::WriteOnly) {
                return Err(Error::invalid(format!("the field {field} of a {} cannot be changed", R::KIND)));
            }
        }
        let uses = self.links(&spec, now)?;
        R::check(self, Some(id), &spec)?;
        R::check_update(&before, &spec)?;
        let outputs = R::outputs(self, number, &spec);
        if let Some(record) = self.records.get_mut(R::KIND).and_then(|records| records.get_mut(id)) {
            record.spec = document;
            record.uses = uses;
            record.outputs = outputs;
        }
        self.touched::<R>(id, now, settings)
    }

    /// Labels an object as a scope's, unless another scope owns it.
    pub(super) fn adopt<R: MemoryKind>(
        &mut self,
        request: &Adopt<'_, R::Resolved>,
        class: IdentityClass,
        now: Duration,
    ) -> Result<Object<R::Resolved>> {
        let (scope, id) = (request.scope, request.object.id.as_str());
        let record = self.seen(R::KIND, id, now)?;
        if !record.is_live() {
            return Err(Error::not_found(format!("{} {id} is being deleted", R::KIND)));
        }
        let mark = request.mark(MARK.other(scope, &record.labels))?;
        let records = self.records.get_mut(R::KIND).and_then(|records| records.get_mut(id));
        let record = records.ok_or_else(|| unknown(R::KIND, id))?;
        MARK.write(&Mark { retained: false, ..mark }, &mut record.labels);
        record.retained = request.retained;
        record.object::<R>(scope, class, now)
    }

    pub(super) fn delete<R: MemoryKind>(
        &mut self,
        id: &str,
        settings: &Settings,
        now: Duration,
    ) -> Result<Deletion> {
        let Some(record) = self.record(R::KIND, id) else { return Ok(Deletion::Done) };
        if !record.is_live() {
            return Ok(Deletion::Pending);
        }
        self.seen(R::KIND, id, now)?;
        let link = Link { kind: R::KIND.to_owned(), id: id.to_owned() };
        if R::HELD_BY_USERS
            && let Some((kind, user)) = self.everything().find(|(_, it)| it.uses.contains(&link))
        {
            return Err(in_use(R::KIND, id, kind, &user.id));
        }
        R::check_delete(self, id, &record.spec_as::<R>()?)?;
        let gone_at = now + settings.latencies.vanish(R::KIND);
        if let Some(record) = self.records.get_mut(R::KIND).and_then(|records| records.get_mut(id)) {
            record.gone_at = Some(gone_at);
        }
        self.tokens
            .iter_mut()
            .filter(|(token, issued)| issued.id == id && is_of_kind(token, R::KIND))
            .for_each(|(_, issued)| issued.forgotten_at = Some(gone_at + TOKEN_MEMORY));
        self.ends(gone_at);
        self.touched::<R>(id, now, settings)?;
        self.settle(now);
        Ok(if gone_at <= now { Deletion::Done } else { Deletion::Pending })
    }

    /// Instance groups create and delete machines when they change.
    fn touched<R: MemoryKind>(&mut self, id: &str, now: Duration, settings: &Settings) -> Result<()> {
        if R::KIND == InstanceGroup::KIND { self.reconcile(id, now, settings) } else { Ok(()) }
    }

    /// The record, if it is already visible.
    fn seen(&self, kind: &str, id: &str, now: Duration) -> Result<&Record> {
        match self.record(kind, id) {
            None => Err(unknown(kind, id)),
            Some(record) if now < record.visible_at => {
                Err(Error::new(ErrorKind::NotYetVisible, format!("{kind} {id} is not visible here yet")))
            }
            Some(record) => Ok(record),
        }
    }

    /// The references of a specification, all of which must exist.
    fn links<T: Serialize>(&self, spec: &T, now: Duration) -> Result<BTreeSet<Link>> {
        let mut links = BTreeSet::new();
        for reference in references(spec) {
            match self.seen(reference.kind, &reference.id, now)?.state(now) {
                State::Ready | State::Pending => {}
                _ => {
                    let message = format!("{} {} can no longer be used", reference.kind, reference.id);
                    return Err(Error::not_found(message));
                }
            }
            links.insert(Link { kind: reference.kind.to_owned(), id: reference.id });
        }
        Ok(links)
    }
}

/// The error for an object that is still in use.
pub(super) fn in_use(kind: &str, id: &str, by_kind: &str, by: &str) -> Error {
    Error::new(ErrorKind::DependencyViolation, format!("{kind} {id} is used by {by_kind} {by}"))
}

fn unknown(kind: &str, id: &str) -> Error {
    Error::not_found(format!("there is no {kind} {id}"))
}

pub(super) fn document<T: Serialize>(spec: &T) -> Result<Document> {
    Document::of(spec)
}

/// The members that differ between two documents.
fn changed<'a>(before: &'a Value, after: &'a Value) -> BTreeSet<&'a str> {
    let names = |document: &'a Value| document.as_object().into_iter().flat_map(|it| it.keys());
    names(before)
        .chain(names(after))
        .filter(|name| before.get(name) != after.get(name))
        .map(String::as_str)
        .collect()
}

/// Whether a token, as `kind/token`, belongs to the kind.
fn is_of_kind(token: &str, kind: &str) -> bool {
    token.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/'))
}

/// `NatGateway` as `nat-gateway`.
fn dashed(kind: &str) -> String {
    let mut text = String::new();
    for letter in kind.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

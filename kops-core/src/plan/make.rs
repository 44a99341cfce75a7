//! Deciding what to do: graph × snapshot → plan. No I/O.
//!
//! Tasks are decided in the graph's order, so that the dependencies of a task are decided before it. Outputs of
//! objects that are kept are substituted; outputs of objects that are created stay unknown, and so do the values that
//! use them. So nothing is unnecessarily "known after apply", and the replacement of an object propagates to those
//! that refer to it.

mod take_over;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::cloud::Native;
use crate::cloud::{Class, Cloud, DynHandler, Mutability, Observed, Owner, Scope, State};
use crate::graph::{Document, Key, Lifecycle, Task, TaskGraph, satisfied};
use crate::resource::Output;
use crate::{Error, ErrorKind, GraphOutputs, Result, Snapshot};

use super::compare::{differences, members, mutability, top_member};
use super::fingerprint::{Decided, Effect, Orders, effect};
use super::outputs;
use super::steps::{Decision, Op, Step, Work, order, require_handler};
use super::{Action, Change, Dependency, FORMAT, FieldChange, Plan, Pruning, Summary};

/// The inputs of a plan.
pub(crate) struct Inputs<'a> {
    pub(crate) cloud: &'a dyn Cloud,
    pub(crate) scope: &'a Scope,
    pub(crate) native: Arc<Native>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) pruning: Pruning,
}

/// Computes a plan.
///
/// # Errors
/// `Invalid`, with all reasons why the graph is impossible on the cloud as it is: shared objects that do not exist,
/// names that are used by others, fields that cannot be changed.
pub(crate) fn plan(inputs: Inputs<'_>) -> Result<Plan> {
    let Inputs { cloud, scope, native, snapshot, pruning } = inputs;
    let graph = native.graph().clone();
    let mut planner = Planner::new(cloud, &snapshot);
    planner.problems = outputs::missing(cloud, &graph);
    for task in graph.tasks() {
        if let Err(error) = planner.decide(task) {
            planner.problems.push(error);
        }
    }
    let unmet = super::expect::unmet(&graph, &planner.outputs);
    planner.problems.extend(unmet);
    planner.prune(&graph, &pruning);
    if graph.is_empty() {
        planner.refuse_if_in_use();
    }
    planner.warn_of_left_out();
    if !planner.problems.is_empty() {
        return Err(Error::from_many(planner.problems));
    }
    let Planner { decisions, notes, deferred, warnings, outputs, .. } = planner;
    let known = outputs.into_iter().map(|(key, known)| (key, (known.object.clone(), known.volatile)));
    let outputs = GraphOutputs::new(native.clone(), known);
    let steps = order(cloud, &graph, &snapshot, &decisions)?;
    let mut waits = dependencies(&steps);
    let mut orders = Orders::of(&steps);
    let mut decided = Decided::new(cloud, scope, &graph, &pruning, &deferred);
    let stays =
        |decision: &&Decision<'_>| matches!(decision.action, None | Some(Action::Update | Action::Adopt));
    let objects = decisions
        .iter()
        .filter(stays)
        .filter_map(|decision| Some((decision.key.clone(), decision.object?.clone())))
        .collect();
    let (mut changes, mut unchanged) = (Vec::new(), Vec::new());
    for (decision, note) in decisions.iter().zip(notes) {
        let task = decision.key.clone();
        let id = decision.object.map(|object| object.object.id.clone());
        let Some(action) = decision.action else {
            unchanged.push(task);
            continue;
        };
        let deleted = id.clone().filter(|_| action == Action::Delete);
        let waits_for = waits.remove(&(task.clone(), deleted)).unwrap_or_default();
        let Note { reason, fields, wanted } = note;
        let origin = native.origin(&task).cloned();
        let class = class_of(cloud, &task);
        let change = Change { task, origin, class, action, id, reason, fields, waits_for };
        decided.add(&change, wanted.as_deref(), &mut orders);
        changes.push(change);
    }
    let pending = steps.iter().filter(|step| matches!(step.op, Op::Settle { .. }));
    let pending = pending.map(|step| step.key.clone()).collect();
    let count = |action| changes.iter().filter(|change| change.action == action).count();
    let summary = Summary {
        create: count(Action::Create),
        update: count(Action::Update),
        replace: count(Action::Replace),
        delete: count(Action::Delete),
        adopt: count(Action::Adopt),
        unchanged: unchanged.len(),
    };
    let fingerprint = decided.fingerprint();
    drop(decisions);
    let work = Work {
        scope: scope.clone(),
        cloud: cloud.name().to_owned(),
        location: cloud.location(),
        native,
        graph,
        pruning: pruning.clone(),
        objects,
        snapshot: snapshot.clone(),
        outputs,
        steps,
        decided,
    };
    Ok(Plan {
        format: FORMAT.to_owned(),
        scope: scope.clone(),
        cloud: cloud.name().to_owned(),
        location: cloud.location(),
        fingerprint,
        pruning,
        summary,
        changes,
        deferred,
        pending,
        unchanged,
        warnings,
        work: Arc::new(work),
    })
}

/// The part of a decision that is shown.
#[derive(Default)]
struct Note<'a> {
    reason: Option<String>,
    fields: Vec<FieldChange>,
    /// The complete specification of the new or changed object.
    wanted: Option<Cow<'a, Document>>,
}

struct Planner<'a> {
    cloud: &'a dyn Cloud,
    snapshot: &'a Snapshot,
    /// The scope's objects by key, including dead and dying ones.
    by_key: HashMap<Key, Vec<&'a Arc<Observed>>>,
    /// Foreign objects, by the keys whose names they use.
    taken: HashMap<Key, &'a Arc<Observed>>,
    /// Objects that belong to a task, by kind and identifier.
    matched: HashSet<(&'a str, &'a str)>,
    outputs: HashMap<Key, Known<'a>>,
    decisions: Vec<Decision<'a>>,
    notes: Vec<Note<'a>>,
    deferred: Vec<Change>,
    warnings: Vec<String>,
    problems: Vec<Error>,
}

/// The known outputs of a task.
pub(super) struct Known<'a> {
    object: &'a Arc<Observed>,
    volatile: &'static [&'static str],
}

impl<'a> Known<'a> {
    pub(super) fn object(&self) -> &'a Observed {
        self.object
    }

    pub(super) fn get(&self, output: &str) -> Option<Value> {
        if self.volatile.contains(&output) {
            return None;
        }
        output_of(self.object, output)
    }

    fn is(&self, output: &str, actual: &Value) -> bool {
        match actual {
            Value::String(text) if output == ID => *text == self.object.object.id,
            _ => self.get(output).is_some_and(|value| value == *actual),
        }
    }
}

/// The name of the output that is every object's identifier.
const ID: &str = Output::<crate::resource::Network, _>::ID.name();

/// An output of an object; its identifier is one.
pub(crate) fn output_of(observed: &Observed, output: &str) -> Option<Value> {
    if output == ID {
        return Some(Value::String(observed.object.id.clone()));
    }
    observed.object.outputs.value(output).cloned()
}

impl<'a> Planner<'a> {
    fn new(cloud: &'a dyn Cloud, snapshot: &'a Snapshot) -> Self {
        // Growing a map of strings hashes all keys again, which is slow if the graph is larger than the cache.
        let mut by_key: HashMap<Key, Vec<&Arc<Observed>>> = HashMap::with_capacity(snapshot.len());
        let mut taken = HashMap::new();
        for (kind, observed) in snapshot.iter() {
            let name = observed.object.name.as_deref();
            if observed.object.owner == Owner::Scope {
                let name = name.unwrap_or(&observed.object.id);
                by_key.entry(Key::new(kind, name)).or_default().push(observed);
            } else if let Some(name) = name {
                taken.insert(Key::new(kind, name), observed);
            }
        }
        Self {
            cloud,
            snapshot,
            by_key,
            taken,
            matched: HashSet::with_capacity(snapshot.len()),
            outputs: HashMap::with_capacity(snapshot.len()),
            decisions: Vec::new(),
            notes: Vec::new(),
            deferred: Vec::new(),
            warnings: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn decide(&mut self, task: &'a Task) -> Result<()> {
        let handler = require_handler(self.cloud, &task.key)?;
        if let Lifecycle::Shared { selector } = &task.lifecycle {
            let object = self.first_shared(task, selector)?;
            self.settle(task, None, Some(object), Note::default(), BTreeSet::new(), Vec::new());
            self.outputs.insert(task.key.clone(), Known { object, volatile: &[] });
            return Ok(());
        }
        if let Some(found) = self.to_take_over(task)? {
            return self.take_over(handler, task, &found);
        }
        let candidates = self.by_key.remove(&task.key).unwrap_or_default();
        // An adopted object has a name of its own: the one that follows from the task's may be used by others.
        if !candidates.iter().any(|it| it.object.state.is_live()) {
            self.refuse_taken_name(task)?;
        }
        if let [only] = candidates[..]
            && self.is_as_wanted(task, only)
        {
            self.keep(task, only);
            return Ok(());
        }
        let wanted = self.wanted(handler, task)?;
        let (live, dying): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|it| it.object.state.is_live());
        let Some((object, fields)) = self.best_match(handler, task, &wanted, &live) else {
            let note = Note { reason: None, fields: members(&wanted), wanted: Some(wanted) };
            self.settle(task, Some(Action::Create), None, note, BTreeSet::new(), dying);
            return Ok(());
        };
        self.matched.insert((kind_of(self.snapshot, &task.key), &object.object.id));
        let (action, reason, fields) = judge(handler, task, &wanted, object, fields)?;
        let changed: BTreeSet<_> = fields.iter().map(|field| top_member(&field.path).to_owned()).collect();
        let volatile = match action {
            None => Some(&[] as &[_]),
            Some(Action::Update) => Some(handler.volatile_outputs(&changed)),
            Some(_) => None,
        };
        if let Some(volatile) = volatile {
            self.outputs.insert(task.key.clone(), Known { object, volatile });
        }
        let wanted = action.is_some().then_some(wanted);
        self.settle(task, action, Some(object), Note { reason, fields, wanted }, changed, dying);
        Ok(())
    }

    /// The task's specification with known values substituted, in canonical form.
    fn wanted<'t>(&self, handler: &dyn DynHandler, task: &'t Task) -> Result<Cow<'t, Document>> {
        // Documents in a graph are in canonical form until values are substituted.
        if !task.edges.iter().any(|edge| self.outputs.contains_key(&edge.on)) {
            return Ok(Cow::Borrowed(&task.spec));
        }
        let wanted = task.spec.substitute(&|key, output| self.outputs.get(key)?.get(output));
        handler.canonical(&wanted).map(Cow::Owned).map_err(|error| error.with_task(&task.key))
    }

    /// Of several objects with one key, the one that needs the least: no replacement before a replacement, used
    /// objects before unused ones (to which their users would have to move), few changes before many, then the first
    /// identifier.
    fn best_match(
        &self,
        handler: &dyn DynHandler,
        task: &Task,
        wanted: &Document,
        live: &[&'a Arc<Observed>],
    ) -> Option<(&'a Arc<Observed>, Vec<FieldChange>)> {
        live.iter()
            .map(|observed| {
                let fields: Vec<_> = differences(wanted, &observed.object.spec)
                    .into_iter()
                    .filter(|field| handler.mutability(top_member(&field.path)) != Mutability::WriteOnly)
                    .filter(|field| !task.options.ignored.contains(top_member(&field.path)))
                    .collect();
                (*observed, fields)
            })
            .min_by_key(|(observed, fields)| {
                let failed = matches!(observed.object.state, State::Failed(_));
                let actual = &observed.object.spec;
                let is_replaced =
                    |it: &FieldChange| mutability(handler, &it.path, wanted, actual) == Mutability::Replace;
                let replaced = fields.iter().any(is_replaced);
                let users = if live.len() > 1 { self.users(handler.kind(), &observed.object.id) } else { 0 };
                (failed, replaced, Reverse(users), fields.len())
            })
    }

    /// The number of objects that refer to an object.
    fn users(&self, kind: &str, id: &str) -> usize {
        let uses = |user: &Observed| user.references.iter().any(|used| used.kind == kind && used.id == id);
        self.snapshot.iter().filter(|(_, user)| user.object.state.is_live() && uses(user)).count()
    }

    /// The fast path for the most frequent case: the object is exactly as specified.
    fn is_as_wanted(&self, task: &Task, observed: &Observed) -> bool {
        let compared = match &task.options.ignored {
            none if none.is_empty() => Cow::Borrowed(&task.spec),
            ignored => Cow::Owned(task.spec.without(ignored)),
        };
        matches!(observed.object.state, State::Ready | State::Pending)
            && satisfied(compared.as_value(), observed.object.spec.as_value(), &|task, output, actual| {
                self.outputs.get(task).is_some_and(|known| known.is(output, actual))
            })
    }

    fn keep(&mut self, task: &'a Task, object: &'a Arc<Observed>) {
        self.matched.insert((kind_of(self.snapshot, &task.key), &object.object.id));
        self.outputs.insert(task.key.clone(), Known { object, volatile: &[] });
        self.settle(task, None, Some(object), Note::default(), BTreeSet::new(), Vec::new());
    }

    fn settle(
        &mut self,
        task: &Task,
        action: Option<Action>,
        object: Option<&'a Arc<Observed>>,
        note: Note<'a>,
        changed: BTreeSet<String>,
        dying: Vec<&'a Arc<Observed>>,
    ) {
        self.decisions.push(Decision { key: task.key.clone(), action, object, changed, dying });
        self.notes.push(note);
    }

    /// The object of the first selector that matches one.
    fn first_shared(&self, task: &Task, selector: &str) -> Result<&'a Arc<Observed>> {
        let further = task.options.alternatives.iter().map(String::as_str);
        let selectors: Vec<_> = std::iter::once(selector).chain(further).collect();
        for selector in &selectors {
            match self.shared(&task.key, selector) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => return found,
            }
        }
        let named_by = match &task.options.named_by {
            Some(what) => format!(", which is named by {what}"),
            None => String::new(),
        };
        if let [selector] = selectors[..] {
            let kind = task.key.kind();
            return Err(Error::not_found(format!("there is no {kind} {selector:?}{named_by}"))
                .with_task(&task.key)
                .with_hint("check its name or identifier, the region and the account"));
        }
        let tried = selectors.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ");
        Err(Error::not_found(format!("there is no {} of these: {tried}{named_by}", task.key.kind()))
            .with_task(&task.key)
            .with_hint("create one of them, or specify another"))
    }

    fn shared(&self, key: &Key, selector: &str) -> Result<&'a Arc<Observed>> {
        let mut meant = self
            .snapshot
            .of(key.kind())
            .iter()
            .filter(|it| it.object.state.is_live() && it.object.matches(selector));
        match (meant.next(), meant.next()) {
            (Some(object), None) => Ok(object),
            (None, _) => Err(Error::not_found(format!("there is no {} {selector:?}", key.kind()))),
            (Some(one), Some(other)) => Err(Error::invalid(format!(
                "{selector:?} matches more than one {}: {} and {}",
                key.kind(),
                one.object.id,
                other.object.id
            ))
            .with_task(key)
            .with_hint("use the identifier instead")),
        }
    }

    fn refuse_taken_name(&self, task: &Task) -> Result<()> {
        match self.taken.get(&task.key) {
            Some(object) => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("{} exists, but is not owned by this scope", object.object.id),
            )
            .with_task(&task.key)
            .with_hint(
                "rename one of the two, or delete the object if it is not needed; if it belongs to a scope of the same name \
                 in another region, set a place for each scope (Scope::within)",
            )),
            None => Ok(()),
        }
    }

    /// Warns about kinds that could not be listed.
    fn warn_of_left_out(&mut self) {
        let left_out = self.snapshot.left_out();
        self.warnings.extend(
            left_out.map(|(kind, why)| {
                format!("{kind} was not listed: {why}; no object of this kind is deleted")
            }),
        );
    }

    /// Decides what happens to objects that are not in the graph.
    fn prune(&mut self, graph: &TaskGraph, pruning: &Pruning) {
        let mut orphans: Vec<(Key, &'a Arc<Observed>)> =
            self.snapshot.owned().filter(|(key, it)| !self.is_matched(key.kind(), &it.object.id)).collect();
        orphans.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.object.id.cmp(&y.object.id)));
        for (key, observed) in orphans {
            if matches!(pruning, Pruning::Only(tasks) if !tasks.contains(&key)) {
                continue;
            }
            let duplicate = graph.get(&key).is_some();
            if observed.object.retained {
                self.warnings.push(format!("{key} ({}) is kept, because it is retained", observed.object.id));
                continue;
            }
            let reason = if duplicate {
                "a duplicate, left by an interrupted run"
            } else if graph.is_empty() {
                "the graph is empty"
            } else {
                "no longer in the graph"
            };
            let reason = match &observed.object.dependent {
                Some(maker) => Some(format!("created by {maker}")),
                None => (!graph.is_empty()).then(|| reason.to_owned()),
            };
            // Leftovers of an interrupted run are deleted even without pruning, because no graph contains them.
            if *pruning == Pruning::None && !duplicate {
                let id = Some(observed.object.id.clone());
                let (fields, waits_for) = (Vec::new(), Vec::new());
                let class = class_of(self.cloud, &key);
                self.deferred.push(Change {
                    task: key,
                    origin: None,
                    class,
                    action: Action::Delete,
                    id,
                    reason,
                    fields,
                    waits_for,
                });
                continue;
            }
            self.decisions.push(Decision {
                key,
                action: Some(Action::Delete),
                object: Some(observed),
                changed: BTreeSet::new(),
                dying: Vec::new(),
            });
            self.notes.push(Note { reason, ..Note::default() });
        }
    }

    /// Rejects the deletion of everything if foreign objects still use some of it: the cloud would reject it,
    /// too, but only after a while.
    fn refuse_if_in_use(&mut self) {
        let deleted: HashSet<(&str, &str)> = self
            .decisions
            .iter()
            .filter(|decision| decision.action == Some(Action::Delete))
            .filter_map(|decision| Some((decision.key.kind(), decision.object?.object.id.as_str())))
            .collect();
        let foreign = self.snapshot.iter().filter(|(_, it)| it.object.owner == Owner::Other);
        for (kind, user) in foreign.filter(|(_, it)| it.object.state.is_live()) {
            let used = user.references.iter().find(|it| deleted.contains(&(it.kind, it.id.as_str())));
            if let Some(used) = used {
                let name = user.object.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
                let message = format!(
                    "{kind} {}{name} uses {} {}, and is not owned by this scope",
                    user.object.id, used.kind, used.id
                );
                self.problems.push(
                    Error::new(ErrorKind::DependencyViolation, message)
                        .with_hint("delete it, or move it elsewhere, and run again"),
                );
            }
        }
    }

    fn is_matched(&self, kind: &str, id: &str) -> bool {
        self.matched.contains(&(kind, id))
    }
}

/// The snapshot's own string of a kind, which lives as long as the snapshot.
fn kind_of<'a>(snapshot: &'a Snapshot, key: &Key) -> &'a str {
    snapshot.kind(key.kind()).unwrap_or_default()
}

/// The class of a key's kind.
fn class_of(cloud: &dyn Cloud, key: &Key) -> Class {
    cloud.class(key.kind()).unwrap_or_default()
}

/// The action for an object, the reason, and the fields that differ.
type Judgement = (Option<Action>, Option<String>, Vec<FieldChange>);

/// Decides the action for a task's object.
fn judge(
    handler: &dyn DynHandler,
    task: &Task,
    wanted: &Document,
    observed: &Observed,
    mut fields: Vec<FieldChange>,
) -> Result<Judgement> {
    if let State::Failed(why) = &observed.object.state {
        let reason = Some(format!("it failed: {why}"));
        return Ok((Some(Action::Replace), reason, fields));
    }
    if fields.is_empty() || task.lifecycle == Lifecycle::CreateOnly {
        return Ok((None, None, Vec::new()));
    }
    let mut forcing = Vec::new();
    for field in &mut fields {
        match mutability(handler, &field.path, wanted, &observed.object.spec) {
            Mutability::Immutable => {
                let (path, before, after) = (&field.path, &field.before, &field.after);
                return Err(Error::invalid(format!("{path} cannot be changed from {before} to {after}"))
                    .with_task(&task.key)
                    .with_hint("revert it, or create a new object with another name and migrate to it"));
            }
            Mutability::Replace => {
                field.forces_replacement = true;
                forcing.push(field.path.clone());
            }
            Mutability::InPlace | Mutability::WriteOnly => {}
        }
    }
    if forcing.is_empty() {
        return Ok((Some(Action::Update), None, fields));
    }
    if task.lifecycle == Lifecycle::Retained {
        return Err(Error::invalid(format!(
            "{} cannot be changed without replacing the object",
            forcing.join(", ")
        ))
        .with_task(&task.key)
        .with_hint("revert the field: the object is retained, so it is not replaced"));
    }
    let reason = Some(format!("{} cannot be changed in place", forcing.join(", ")));
    Ok((Some(Action::Replace), reason, fields))
}

/// The dependencies of each change.
fn dependencies(steps: &[Step]) -> HashMap<Effect, Vec<Dependency>> {
    let mut found: HashMap<Effect, Vec<Dependency>> = HashMap::new();
    for step in steps {
        let Some(later) = effect(step) else { continue };
        let waits = step
            .needs
            .iter()
            .filter(|(need, _)| steps[*need].key != step.key)
            .map(|&(need, until)| Dependency { task: steps[need].key.clone(), until });
        found.entry(later).or_default().extend(waits);
    }
    found
}

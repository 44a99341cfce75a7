//! Rules for plans.

use std::collections::BTreeSet;

use super::stage::{Stage, must_fail, play};
use super::{Edit, Expected, Fixture, Verdict, broken, ensure};
use crate::cloud::{Cloud as _, Context, Delete, Update, handler_of};
use crate::graph::{Key, Lifecycle, Task, TaskGraph};
use crate::plan::{Action, Change, Plan, SavedPlan, TextOptions, differences};
use crate::{ErrorKind, Result, Snapshot};

/// Lowering is pure: it has the same result for the same graph. Its tasks have handlers, are kept when lowered again,
/// and keep their lifecycle.
pub async fn lowered(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "lowered", async |stage| {
        let cloud = &stage.cloud;
        let native = stage.native()?;
        ensure(native == stage.native()?, || "lowering a graph twice has different results".to_owned())?;
        let again = stage.lower(&native)?;
        ensure(again == native, || "lowering changes native tasks".to_owned())?;
        for task in native.tasks() {
            let handler = handler_of(&**cloud, task.key.kind());
            let handler = handler.ok_or_else(|| broken(format!("{} has no handler", task.key)))?;
            if !task.spec.is_null() {
                let once = handler.canonical(&task.spec)?;
                let twice = handler.canonical(&once)?;
                ensure(once == twice, || format!("{}: the canonical form is not stable", task.key))?;
            }
        }
        let retained = stage.lower(&with_lifecycle(&stage.graph()?, |_| Some(Lifecycle::Retained))?)?;
        let lost = retained.tasks().find(|task| task.lifecycle == Lifecycle::Managed);
        ensure(lost.is_none(), || {
            format!(
                "{} is managed, but was lowered from a retained task",
                lost.map_or("", |it| it.key.as_str())
            )
        })?;
        Ok(Verdict::Held)
    })
    .await
}

/// Every kind has a class, so that policies can rely on it; the changes of a plan contain it, and the agnostic tasks
/// that they are for.
pub async fn classified(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "classified", async |stage| {
        let unclassified: Vec<_> = stage
            .cloud
            .handlers()
            .iter()
            .map(|handler| handler.kind())
            .filter(|kind| stage.cloud.class(kind).is_none())
            .collect();
        ensure(unclassified.is_empty(), || format!("no class: {}", unclassified.join(", ")))?;
        let graph = stage.graph()?;
        let plan = stage.engine().plan(&graph).await?;
        for change in &plan.changes {
            let origin = change.origin.as_ref().filter(|origin| graph.get(origin).is_some());
            ensure(origin.is_some(), || format!("{} is not for a task of the graph", change.task))?;
        }
        Ok(Verdict::Held)
    })
    .await
}

/// After applying a graph, the plan is empty, and neither planning nor applying it changes anything.
pub async fn repeated(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "repeated", async |stage| {
        let graph = stage.graph()?;
        stage.apply(&graph).await?;
        stage.cloud.heal();
        let before = fixture.requests();
        let (plan, report) = stage.try_apply(&graph).await?;
        ensure(plan.is_empty(), || format!("the second plan is not empty: {plan}"))?;
        ensure(report.done.is_empty() && report.is_complete(), || {
            format!("the second run had steps: {report}")
        })?;
        let calls = stage.cloud.calls().mutating();
        ensure(calls == 0, || format!("{calls} changing calls in the second run"))?;
        if let (Some(before), Some(after)) = (before, fixture.requests()) {
            let mutating = after.mutating - before.mutating;
            ensure(mutating == 0, || format!("{mutating} changing requests in the second run"))?;
        }
        Ok(Verdict::Held)
    })
    .await
}

/// The same graph and cloud have the same plan, in all formats, and its JSON form can be read back. An object's
/// outputs are the same in every observation: a plan that shows an output is rejected once it has changed.
pub async fn stable(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "stable", async |stage| {
        let graph = stage.graph()?;
        let renderings = async || {
            let plan = stage.engine().plan(&graph).await?;
            let json = json(&plan)?;
            let read: SavedPlan = serde_json::from_str(&json).map_err(|error| broken(error.to_string()))?;
            ensure(self::json(&read)? == json, || {
                "the plan's JSON form changes when it is read back".to_owned()
            })?;
            let full = plan.text(TextOptions::new().full(true));
            Ok::<_, crate::Error>([json, plan.to_string(), full, plan.dot(), plan.mermaid()])
        };
        ensure(renderings().await? == renderings().await?, || "two plans to create differ".to_owned())?;
        stage.apply(&graph).await?;
        let (one, other) = (stage.engine().observe(&graph).await?, stage.engine().observe(&graph).await?);
        for (key, observed) in one.owned() {
            let object = &observed.object;
            let again = other.of(key.kind()).iter().find(|it| it.object.id == object.id);
            ensure(again.is_some_and(|it| it.object.outputs == object.outputs), || {
                format!("{key} ({}) has different outputs in a second observation", object.id)
            })?;
        }
        for edit in fixture.edits(&stage.scope)? {
            let plan = async || stage.engine().plan(&edit.graph).await.and_then(|plan| json(&plan));
            ensure(plan().await? == plan().await?, || format!("{}: two plans differ", edit.name))?;
        }
        Ok(Verdict::Held)
    })
    .await
}

fn json(plan: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(plan).map_err(|error| broken(format!("the plan cannot be serialised: {error}")))
}

/// A plan is rejected once the cloud has changed.
pub async fn stale(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "stale", async |stage| {
        let graph = stage.graph()?;
        let old = stage.engine().plan(&graph).await?;
        stage.apply(&graph).await?;
        stage.cloud.heal();
        let error = must_fail(stage.engine().apply(&old).await, "a stale plan")?;
        ensure(error.kind() == ErrorKind::Conflict, || format!("rejected with the wrong kind: {error}"))?;
        let calls = stage.cloud.calls().mutating();
        ensure(calls == 0, || format!("{calls} changing calls before a stale plan was rejected"))?;
        Ok(Verdict::Held)
    })
    .await
}

/// Every edit is planned exactly, applied, and reverted.
pub async fn changed(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "changed", async |stage| {
        let graph = stage.graph()?;
        stage.apply(&graph).await?;
        for edit in fixture.edits(&stage.scope)? {
            let plan = stage.engine().plan(&edit.graph).await?;
            is_as_expected(&edit, &plan)?;
            let tell = |error: crate::Error| broken(format!("{}: {error}", edit.name));
            stage.apply(&edit.graph).await.map_err(tell)?;
            stage.apply(&graph).await.map_err(|error| broken(format!("{}, undone: {error}", edit.name)))?;
        }
        Ok(Verdict::Held)
    })
    .await
}

fn is_as_expected(edit: &Edit, plan: &Plan) -> Result<()> {
    let mut planned: Vec<Expected> = plan.changes.iter().map(as_planned).collect();
    let mut expected = edit.expected.clone();
    for it in planned.iter_mut().chain(&mut expected) {
        it.fields.sort_unstable();
    }
    planned.sort();
    expected.sort();
    ensure(planned == expected, || {
        format!("{}: expected {}, planned {}: {plan}", edit.name, told(&expected), told(&planned))
    })
}

fn as_planned(change: &Change) -> Expected {
    Expected {
        task: change.task.to_string(),
        action: change.action,
        fields: match change.action {
            Action::Create | Action::Delete => Vec::new(),
            _ => change.fields.iter().map(|field| field.path.clone()).collect(),
        },
    }
}

fn told(changes: &[Expected]) -> String {
    let told = changes.iter().map(|it| format!("{} {} ({})", it.action, it.task, it.fields.join(", ")));
    let told: Vec<_> = told.collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join("; ") }
}

/// Changes and deletions outside of the engine are found and repaired.
pub async fn drifted(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "drifted", async |stage| {
        let graph = stage.graph()?;
        stage.apply(&graph).await?;
        let snapshot = stage.engine().observe(&graph).await?;
        let in_use: BTreeSet<_> = snapshot
            .iter()
            .flat_map(|(_, user)| user.references.iter().map(|used| (used.kind, used.id.as_str())))
            .collect();
        for (key, observed) in snapshot.owned() {
            if in_use.contains(&(key.kind(), observed.object.id.as_str())) {
                continue;
            }
            let Some(handler) = handler_of(&*stage.cloud, key.kind()) else { continue };
            let (scope, cx) = (&stage.scope, &Context::default());
            let object = &observed.object;
            match stage.by_hand(|| handler.delete(Delete { scope, object, cx })).await {
                Ok(_) => {}
                // In use through another object (such as a route of a public address): the cloud prevents the
                // deletion.
                Err(error) if error.kind() == ErrorKind::DependencyViolation => continue,
                Err(error) => return Err(error),
            }
            let again = Expected { task: key.to_string(), action: Action::Create, fields: Vec::new() };
            repairs(&stage, &graph, &again, &[]).await?;
        }
        for edit in fixture.edits(&stage.scope)? {
            for expected in edit.expected.iter().filter(|it| it.action == Action::Update) {
                let key: Key = expected.task.parse()?;
                if alter(&stage, &key, &edit, &expected.fields).await? {
                    repairs(&stage, &graph, expected, &edit.expected).await?;
                }
            }
        }
        Ok(Verdict::Held)
    })
    .await
}

/// Changes an object as an edit would, without the engine; `false` if the edit changes it only through another
/// object.
async fn alter(stage: &Stage<'_>, key: &Key, edit: &Edit, fields: &[String]) -> Result<bool> {
    let snapshot = stage.engine().observe(&edit.graph).await?;
    let native = stage.lower(&edit.graph)?;
    let missing = || broken(format!("{}: {key} is not in the graph", edit.name));
    let (task, object) = (native.get(key).ok_or_else(missing)?, object_of(&snapshot, key.as_str())?);
    let handler = handler_of(&*stage.cloud, key.kind()).ok_or_else(missing)?;
    let source = |key: &str| {
        let task = native.tasks().find(|task| task.key.as_str() == key)?;
        let Lifecycle::Shared { selector } = &task.lifecycle else { return object_of(&snapshot, key).ok() };
        snapshot.of(task.key.kind()).iter().map(|it| &**it).find(|it| it.object.matches(selector))
    };
    let spec = task.spec.substitute(&|key, output| crate::plan::output_of(source(key)?, output));
    let spec = handler.canonical(&spec)?;
    if differences(&spec, &object.object.spec).is_empty() {
        return Ok(false);
    }
    let changed = fields.iter().filter_map(|path| Some(path.split('.').next()?.to_owned())).collect();
    let (scope, cx, token) = (&stage.scope, &Context::default(), &"0".repeat(64));
    let (name, object, spec, changed) = (key.name(), &object.object, &spec, &changed);
    let update = || handler.update(Update { scope, name, object, spec, changed, token, cx });
    stage.by_hand(update).await?;
    Ok(true)
}

fn object_of<'s>(snapshot: &'s Snapshot, key: &str) -> Result<&'s crate::cloud::Observed> {
    let owned = snapshot.owned().find(|(owner, _)| owner.as_str() == key);
    owned.map(|(_, observed)| &**observed).ok_or_else(|| broken(format!("{key} has no object")))
}

/// The plan repairs this and nothing else, and succeeds; `along` are changes that may follow from it: a group that
/// contains the version of its template. So do values that are outputs of a recreated object, such as a record with
/// an address.
async fn repairs(stage: &Stage<'_>, graph: &TaskGraph, it: &Expected, along: &[Expected]) -> Result<()> {
    let plan = stage.engine().plan(graph).await?;
    let follows = |other: &&Expected| {
        other.task != it.task && plan.changes.iter().any(|change| change.task.as_str() == other.task)
    };
    let output = format!("${{{}.", it.task);
    let says_output = |change: &&Change| {
        change.action == Action::Update
            && along.iter().all(|other| change.task.as_str() != other.task)
            && change.fields.iter().all(|field| field.after.to_string().contains(&output))
    };
    let saying = plan.changes.iter().filter(says_output).map(as_planned);
    let expected = std::iter::once(it).chain(along.iter().filter(follows)).cloned().chain(saying).collect();
    let drift = Edit { name: format!("drift of {}", it.task), graph: graph.clone(), expected };
    is_as_expected(&drift, &plan)?;
    stage.apply(graph).await.map(drop)
}

/// The graph with the lifecycles that `choose` returns.
pub(super) fn with_lifecycle(
    graph: &TaskGraph,
    choose: impl Fn(&Task) -> Option<Lifecycle>,
) -> Result<TaskGraph> {
    let mut builder = TaskGraph::builder();
    for task in graph.tasks() {
        let lifecycle = match &task.lifecycle {
            shared @ Lifecycle::Shared { .. } => shared.clone(),
            other => choose(task).unwrap_or_else(|| other.clone()),
        };
        builder.insert(Task { lifecycle, ..task.clone() });
    }
    builder.build()
}

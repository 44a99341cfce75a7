//! Rules for ownership.

use std::collections::BTreeMap;

use super::planning::with_lifecycle;
use super::stage::{Stage, difference, must_fail, play, skipped};
use super::{Fixture, Verdict, broken, ensure};
use crate::cloud::{Cloud as _, Context, Delete, Deletion, Filter, Query, handler_of};
use crate::graph::{Document, Key, Lifecycle, Task, TaskGraph};
use crate::plan::Action;
use crate::{Error, ErrorKind, Result};

/// After a deletion, the cloud is as it was before the creation, object by object.
pub async fn deleted(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "deleted", async |stage| {
        let before = stage.inventory().await?;
        stage.apply(&stage.graph()?).await?;
        stage.apply(&TaskGraph::default()).await?;
        match (before, stage.inventory().await?) {
            (Some(before), Some(after)) => match difference(&before, &after) {
                Some(difference) => Err(broken(format!("not as before: {difference}"))),
                None => Ok(Verdict::Held),
            },
            _ => Ok(skipped("list all objects")),
        }
    })
    .await
}

/// Foreign objects, of another scope or of none, are not changed by any run; adopting one of another scope is rejected
/// when planning.
pub async fn foreign(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "foreign", async |stage| {
        let theirs = Stage::new(fixture, fixture.scope("theirs"));
        let outcome = beside(fixture, &stage, &theirs).await;
        theirs.clear().await?;
        fixture.uproot().await?;
        outcome
    })
    .await
}

async fn beside(fixture: &dyn Fixture, stage: &Stage<'_>, theirs: &Stage<'_>) -> Result<Verdict> {
    theirs.apply(&theirs.graph()?).await?;
    let planted = fixture.plant().await?;
    let before = stage.inventory().await?;
    let graph = stage.graph()?;
    stage.apply(&graph).await?;
    let_go(stage, theirs).await?;
    for edit in fixture.edits(&stage.scope)? {
        stage.apply(&edit.graph).await?;
    }
    stage.apply(&TaskGraph::default()).await?;
    theirs.is_as(&theirs.graph()?).await?;
    match (before, stage.inventory().await?) {
        (Some(before), Some(after)) => {
            if let Some(difference) = difference(&before, &after) {
                return Err(broken(format!("foreign objects were changed: {difference}")));
            }
        }
        _ => return Ok(skipped("list all objects; another scope's objects are unchanged")),
    }
    let by_scope = "plant objects; another scope's objects are unchanged";
    Ok(if planted { Verdict::Held } else { skipped(by_scope) })
}

/// Checks that an object of each kind that can be adopted is left to the scope that owns it.
async fn let_go(stage: &Stage<'_>, theirs: &Stage<'_>) -> Result<()> {
    let snapshot = theirs.engine().observe(&theirs.graph()?).await?;
    let mut claims = BTreeMap::new();
    for (key, observed) in snapshot.owned() {
        if handler_of(&*stage.cloud, key.kind()).is_some_and(|handler| handler.can_adopt()) {
            let object = &observed.object;
            let lifecycle = Lifecycle::Adopted { selector: object.id.clone() };
            let claim = Key::new(key.kind(), "claimed");
            claims.entry(claim.clone()).or_insert_with(|| Task::new(claim, object.spec.clone(), lifecycle));
        }
    }
    if claims.is_empty() {
        return Ok(());
    }
    let mut graph = TaskGraph::builder();
    for task in claims.values() {
        graph.insert(task.clone());
    }
    let error = must_fail(stage.engine().plan(&graph.build()?).await, "adopting another scope's objects")?;
    ensure(error.kind() == ErrorKind::Conflict, || format!("rejected with the wrong kind: {error}"))?;
    let told = error.to_string();
    for claim in claims.keys() {
        ensure(told.contains(claim.as_str()), || format!("{claim} would be adopted: {told}"))?;
    }
    Ok(())
}

/// A task whose name is used by a foreign object is rejected when planning.
pub async fn taken_name(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "taken_name", async |stage| {
        let outcome = taken(fixture, &stage).await;
        fixture.uproot().await?;
        outcome
    })
    .await
}

async fn taken(fixture: &dyn Fixture, stage: &Stage<'_>) -> Result<Verdict> {
    let Some(key) = fixture.take_name(&stage.scope).await? else {
        return Ok(skipped("use a task's name"));
    };
    stage.cloud.heal();
    let error = must_fail(stage.engine().plan(&stage.graph()?).await, "a name in use")?;
    ensure(error.to_string().contains(key.as_str()), || format!("{key} is not named: {error}"))?;
    ensure(stage.cloud.calls().mutating() == 0, || "something was changed nevertheless".to_owned())?;
    // The scope's own objects can still be deleted, and the foreign one is not among them.
    let plan = stage.engine().plan(&TaskGraph::default()).await?;
    ensure(plan.is_empty(), || format!("a foreign object would be deleted: {plan}"))?;
    Ok(Verdict::Held)
}

/// Shared objects can be used and are not changed; one that does not exist is an error that names the task.
pub async fn shared(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "shared", async |stage| {
        let theirs = Stage::new(fixture, fixture.scope("theirs"));
        let outcome = sharing(fixture, &stage, &theirs).await;
        theirs.clear().await?;
        outcome
    })
    .await
}

async fn sharing(fixture: &dyn Fixture, stage: &Stage<'_>, theirs: &Stage<'_>) -> Result<Verdict> {
    let snapshot = {
        let graph = theirs.graph()?;
        theirs.apply(&graph).await?;
        theirs.engine().observe(&graph).await?
    };
    let objects: BTreeMap<_, _> = snapshot.owned().filter(|(key, _)| fixture.can_share(key.kind())).collect();
    let Some(first) = objects.keys().next() else { return Ok(skipped("share objects of any kind")) };
    let mut graph = TaskGraph::builder();
    for (key, observed) in &objects {
        graph.insert(share(key, &observed.object.id));
    }
    let graph = graph.build()?;
    let plan = stage.engine().plan(&graph).await?;
    ensure(plan.is_empty() && plan.unchanged.len() == objects.len(), || {
        format!("the plan for {} shared objects is not empty: {plan}", objects.len())
    })?;
    let plan = stage.engine().plan(&TaskGraph::default()).await?;
    ensure(plan.is_empty(), || format!("a shared object would be deleted: {plan}"))?;

    let mut graph = TaskGraph::builder();
    let missing = Key::new(first.kind(), "missing");
    graph.insert(share(&missing, "there-is-no-such-object"));
    let error = must_fail(stage.engine().plan(&graph.build()?).await, "an object that does not exist")?;
    ensure(error.to_string().contains(missing.as_str()), || format!("{missing} is not named: {error}"))?;
    Ok(Verdict::Held)
}

/// A task that was renamed keeps its object, which is marked again, if the kind supports that; otherwise it is
/// rejected when planning.
pub async fn adopted(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "adopted", async |stage| {
        let native = stage.native()?;
        stage.apply(&native).await?;
        let needed = |key: &Key| native.tasks().any(|task| task.edges.iter().any(|edge| edge.on == *key));
        let own = |task: &&Task| !matches!(task.lifecycle, Lifecycle::Shared { .. }) && !needed(&task.key);
        let can = |task: &&Task| handler_of(&*stage.cloud, task.key.kind()).is_some_and(|it| it.can_adopt());
        let cannot = native.tasks().filter(own).find(|task| !can(task));
        if let Some(cannot) = cannot {
            let (graph, _) = renamed(&native, cannot)?;
            match stage.engine().plan(&graph).await {
                Err(error) => {
                    let rejected = error.kind() == ErrorKind::Unsupported;
                    ensure(rejected, || format!("rejected with the wrong kind: {error}"))?;
                }
                // Objects without marks of their own are identified by the object that contains them.
                Ok(plan) => {
                    let name = &cannot.key;
                    ensure(plan.is_empty(), || format!("renaming {name} loses its object: {plan}"))?;
                }
            }
        }
        let Some(task) = native.tasks().filter(own).find(can) else {
            let nothing = || skipped("create an object whose task can be renamed");
            return Ok(if cannot.is_some() { Verdict::Held } else { nothing() });
        };
        let (graph, key) = renamed(&native, task)?;
        let plan = stage.apply(&graph).await?;
        let [change] = &plan.changes[..] else {
            return Err(broken(format!("renaming {} changes more than that: {plan}", task.key)));
        };
        ensure(change.task == key && change.action == Action::Adopt, || format!("not adopted: {plan}"))?;
        let snapshot = stage.engine().observe(&graph).await?;
        let object = snapshot.owned().find(|(owner, _)| *owner == key).map(|(_, it)| it.object.id.clone());
        ensure(object == change.id, || format!("{key} is {object:?} now, but was {:?}", change.id))?;
        Ok(Verdict::Held)
    })
    .await
}

/// The graph with one task renamed, to which no other refers; and its new key.
fn renamed(graph: &TaskGraph, task: &Task) -> Result<(TaskGraph, Key)> {
    let key = Key::new(task.key.kind(), &format!("{}-renamed", task.key.name()));
    let mut builder = TaskGraph::builder();
    for other in graph.tasks() {
        let mut other = other.clone();
        if other.key == task.key {
            other.options.former_name = Some(task.key.name().to_owned());
            other.key = key.clone();
        }
        builder.insert(other);
    }
    Ok((builder.build()?, key))
}

fn share(key: &Key, id: &str) -> Task {
    let lifecycle = Lifecycle::Shared { selector: id.to_owned() };
    Task::new(key.clone(), Document::default(), lifecycle)
}

/// Retained objects are not deleted, and create-only ones are not changed.
pub async fn lifecycles(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "lifecycles", async |stage| {
        let native = stage.native()?;
        // A task that no other needs, so that the rest can be deleted without it.
        let needed = |key: &Key| native.tasks().any(|task| task.edges.iter().any(|edge| edge.on == *key));
        let fits = |key: &Key| !needed(key) && fixture.can_retain(key.kind());
        let leaf = native.tasks().map(|task| &task.key).rfind(|key| fits(key));
        let leaf = leaf.ok_or_else(|| broken("no object of the graph can be retained by itself"))?;
        let retained = with_lifecycle(&native, |task| (task.key == *leaf).then_some(Lifecycle::Retained))?;
        stage.apply(&retained).await?;
        let plan = stage.engine().plan(&TaskGraph::default()).await?;
        ensure(plan.change(leaf).is_none(), || format!("{leaf} is retained, but would be deleted: {plan}"))?;
        ensure(!plan.warnings.is_empty(), || format!("there is no warning that {leaf} is kept: {plan}"))?;
        delete_by_hand(&stage, leaf).await?;
        stage.clear().await?;

        stage.apply(&native).await?;
        for edit in fixture.edits(&stage.scope)? {
            let edited = stage.lower(&edit.graph)?;
            let created = with_lifecycle(&edited, |_| Some(Lifecycle::CreateOnly))?;
            let plan = stage.engine().plan(&created).await?;
            let change =
                plan.changes.iter().find(|change| matches!(change.action, Action::Update | Action::Replace));
            ensure(change.is_none(), || {
                format!("{}: a create-only object would be changed: {plan}", edit.name)
            })?;
        }
        Ok(Verdict::Held)
    })
    .await
}

async fn delete_by_hand(stage: &Stage<'_>, key: &Key) -> Result<()> {
    let snapshot = stage.engine().observe(&TaskGraph::default()).await?;
    let handler =
        handler_of(&*stage.cloud, key.kind()).ok_or_else(|| broken(format!("{key} has no handler")))?;
    let (scope, cx) = (&stage.scope, &Context::default());
    for (_, observed) in snapshot.owned().filter(|(owner, _)| owner == key) {
        let object = &observed.object;
        let deletion = stage.by_hand(|| handler.delete(Delete { scope, object, cx })).await?;
        let ids = [observed.object.id.clone()];
        let mut waits = if deletion == Deletion::Pending { 600 } else { 0 };
        while waits > 0 {
            let query = Query { scope, filter: Filter::Ids(&ids), cx };
            let left = handler.list(&query).await?;
            if left.iter().all(|it| it.object.state == crate::cloud::State::Gone) {
                break;
            }
            waits -= 1;
            stage.cloud.clock().sleep(handler.timing().poll).await;
            if waits == 0 {
                return Err(Error::new(ErrorKind::DeadlineExceeded, format!("{key} does not disappear")));
            }
        }
    }
    Ok(())
}

//! Rules for scopes of the same name in different places and regions.

use super::stage::{Stage, play, skipped};
use super::{Fixture, Verdict, broken, ensure};
use crate::graph::TaskGraph;
use crate::plan::Action;
use crate::{Error, ErrorKind, Result};

/// Objects of a scope of the same name, within a place or in another region, are foreign: they are neither changed
/// nor deleted, and a plan that requests one of their names is rejected. So is a plan for another region.
pub async fn elsewhere(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "elsewhere", async |stage| {
        let placed = Stage::new(fixture, stage.scope.clone().within("a"));
        let outcome = beside_a_place(&stage, &placed).await;
        placed.clear().await?;
        outcome?;
        let Some(cloud) = fixture.elsewhere() else {
            return Ok(skipped("connect to another region; scopes within places are distinguished"));
        };
        let there = Stage::on(fixture, cloud, stage.scope.clone());
        let outcome = beside_a_region(fixture, &stage, &there).await;
        there.clear().await?;
        outcome.map(|()| Verdict::Held)
    })
    .await
}

async fn beside_a_place(stage: &Stage<'_>, placed: &Stage<'_>) -> Result<()> {
    let graph = placed.graph()?;
    placed.apply(&graph).await?;
    owns_nothing(stage, "a scope within no place").await?;
    let other = stage.scope.clone().within("b");
    owns_nothing(&Stage::new(stage.fixture, other), "a scope within another place").await?;
    placed.is_as(&graph).await.map(drop)
}

async fn beside_a_region(fixture: &dyn Fixture, stage: &Stage<'_>, there: &Stage<'_>) -> Result<()> {
    let graph = fixture.graph_elsewhere(&there.scope)?;
    there.apply(&graph).await?;
    owns_nothing(stage, "a scope of the same name in another region").await?;
    let plan = there.engine().plan(&graph).await?;
    match stage.engine().apply(&plan).await {
        Err(error) if error.kind() == ErrorKind::Invalid => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(broken("a plan for another region is applied: `Cloud::location` is the same")),
    }
    match stage.engine().plan(&stage.graph()?).await {
        Ok(plan) => {
            let touched = plan.changes.iter().find(|change| change.action != Action::Create);
            ensure(touched.is_none(), || format!("something in another region would be changed: {plan}"))?;
        }
        // Names that are unique in an account are in use.
        Err(error) => {
            ensure(is_taken(&error), || format!("rejected for a reason other than a name: {error}"))?;
        }
    }
    there.is_as(&graph).await.map(drop)
}

async fn owns_nothing(stage: &Stage<'_>, who: &str) -> Result<()> {
    let plan = stage.engine().plan(&TaskGraph::default()).await?;
    ensure(plan.is_empty(), || format!("{who} would delete foreign objects: {plan}"))?;
    match stage.engine().observe(&stage.graph()?).await?.owned().next() {
        Some((key, observed)) => Err(broken(format!("{who} owns {key} ({})", observed.object.id))),
        None => Ok(()),
    }
}

fn is_taken(error: &Error) -> bool {
    let errors = error.errors();
    error.kind() == ErrorKind::AlreadyExists && (errors.is_empty() || errors.iter().all(is_taken))
}

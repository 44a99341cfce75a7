//! Rules for observing, and for what is shown.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::stage::{Stage, must_fail, play, skipped};
use super::{Fixture, Verdict, broken, ensure};
use crate::ErrorKind;
use crate::apply::EventSink;
use crate::graph::TaskGraph;
use crate::plan::{Plan, TextOptions};
use crate::testing::{Fault, Op};
use crate::{Result, RunOptions};

/// Listings read all pages.
pub async fn pages(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "pages", async |stage| match fixture.many(&stage.scope)? {
        None => Ok(skipped("create more objects than fit on a page")),
        Some(many) => {
            stage.apply(&many.graph).await?;
            stage.apply(&TaskGraph::default()).await?;
            Ok(Verdict::Held)
        }
    })
    .await
}

/// Observing many objects takes as many requests as observing few, except for additional pages.
pub async fn budget(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "budget", async |stage| {
        if fixture.requests().is_none() {
            return Ok(skipped("count requests"));
        }
        let Some(many) = fixture.many(&stage.scope)? else {
            return Ok(skipped("create more objects than fit on a page"));
        };
        let few = requests_to_plan(fixture, &stage, &stage.graph()?).await?;
        let more = requests_to_plan(fixture, &stage, &many.graph).await?;
        ensure(more <= few + many.further_requests, || {
            format!(
                "observing few objects takes {few} requests, observing many {more}: {} more than the {} for additional pages",
                more - few,
                many.further_requests
            )
        })?;
        Ok(Verdict::Held)
    })
    .await
}

/// The number of requests for planning a graph that has been applied.
async fn requests_to_plan(fixture: &dyn Fixture, stage: &Stage<'_>, graph: &TaskGraph) -> Result<u64> {
    let requests = || fixture.requests().map_or(0, |requests| requests.total);
    stage.apply(graph).await?;
    let before = requests();
    stage.engine().plan(graph).await?;
    let after = requests();
    stage.apply(&TaskGraph::default()).await?;
    Ok(after - before)
}

/// Unsupported features are rejected when planning, with the task.
pub async fn unsupported(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "unsupported", async |stage| {
        let Some((graph, key)) = fixture.unsupported(&stage.scope)? else {
            return Ok(skipped("specify anything that the cloud does not support"));
        };
        let error = must_fail(stage.engine().plan(&graph).await, "an unsupported feature")?;
        ensure(error.kind() == ErrorKind::Unsupported, || format!("rejected with the wrong kind: {error}"))?;
        ensure(error.to_string().contains(key.as_str()), || format!("{key} is not named: {error}"))?;
        Ok(Verdict::Held)
    })
    .await
}

/// Secrets are never shown: not in any format of plans, nor in events, reports, errors or `Debug` output.
pub async fn secrets(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "secrets", async |stage| {
        let Some(secret) = fixture.secret() else { return Ok(skipped("specify a secret")) };
        let graph = stage.graph()?;
        let text = format!("{:?}", stage.native()?.tasks().map(|task| task.spec.clone()).collect::<Vec<_>>());
        let carried = stage.native()?.tasks().any(|task| task.spec.as_value().to_string().contains(secret));
        ensure(carried, || "the fixture's secret is not in its graph".to_owned())?;
        let mut shown = vec![("the graph", text)];
        let engine = stage.engine();
        // Every creation fails once permanently, so that each error is shown, and once transiently.
        stage.cloud.inject(|call| match (call.op, call.nth) {
            (Op::Create, 1) => Some(Fault::Refuse(ErrorKind::Unavailable)),
            (Op::Create, 2) => Some(Fault::Refuse(ErrorKind::Invalid)),
            _ => None,
        });
        for graph in [&graph, &graph, &graph, &TaskGraph::default()] {
            let plan = engine.plan(graph).await?;
            shown.push(("a plan", every_form(&plan)?));
            let (sink, mut stream) = EventSink::channel();
            let report = engine.apply_with(&plan, RunOptions::new().events(sink)).await?;
            shown.push(("a report", format!("{report} {report:?} {}", json(&report)?)));
            while let Some(event) = stream.next().await {
                shown.push(("an event", format!("{event:?} {}", json(&event)?)));
            }
            if let Err(error) = report.into_result() {
                shown.push(("an error", format!("{error} {error:?}")));
            }
            let snapshot = engine.observe(graph).await?;
            let objects: Vec<_> = snapshot.iter().collect();
            shown.push(("the observation", format!("{snapshot:?} {objects:?}")));
        }
        for edit in fixture.edits(&stage.scope)? {
            shown.push(("the plan of an edit", every_form(&engine.plan(&edit.graph).await?)?));
        }
        shown.push(("the engine", format!("{engine:?}")));
        let encoded = BASE64_STANDARD.encode(secret);
        for (what, text) in &shown {
            if text.contains(secret) || text.contains(&encoded) {
                return Err(broken(format!("{what} contains a secret")));
            }
        }
        Ok(Verdict::Held)
    })
    .await
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| broken(error.to_string()))
}

fn every_form(plan: &Plan) -> Result<String> {
    let json = json(plan)?;
    let full = plan.text(TextOptions::new().full(true).color(true));
    let mut text = format!("{plan} {plan:?} {json} {full}");
    // Writing to a string never fails.
    let _ = write!(text, "{} {}", plan.dot(), plan.mermaid());
    Ok(text)
}

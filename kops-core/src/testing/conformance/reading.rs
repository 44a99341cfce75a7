//! Rules about what is read, and what is shown.

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

/// Listings read all their pages.
pub async fn pages(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "pages", async |stage| match fixture.many(&stage.scope)? {
        None => Ok(skipped("make more objects than a page holds")),
        Some(many) => {
            stage.apply(&many.graph).await?;
            stage.apply(&TaskGraph::default()).await?;
            Ok(Verdict::Held)
        }
    })
    .await
}

/// Observing takes as many requests for many objects as for few, further pages aside.
pub async fn budget(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "budget", async |stage| {
        if fixture.requests().is_none() {
            return Ok(skipped("count requests"));
        }
        let Some(many) = fixture.many(&stage.scope)? else {
            return Ok(skipped("make more objects than a page holds"));
        };
        let few = requests_to_plan(fixture, &stage, &stage.graph()?).await?;
        let more = requests_to_plan(fixture, &stage, &many.graph).await?;
        ensure(more <= few + many.further_requests, || {
            format!(
                "observing few objects takes {few} requests, many {more}: {} more than the {} that its pages take",
                more - few,
                many.further_requests
            )
        })?;
        Ok(Verdict::Held)
    })
    .await
}

/// How many requests it takes to plan a graph that has been applied.
async fn requests_to_plan(fixture: &dyn Fixture, stage: &Stage<'_>, graph: &TaskGraph) -> Result<u64> {
    let requests = || fixture.requests().map_or(0, |requests| requests.total);
    stage.apply(graph).await?;
    let before = requests();
    stage.engine().plan(graph).await?;
    let after = requests();
    stage.apply(&TaskGraph::default()).await?;
    Ok(after - before)
}

/// What the cloud cannot do is refused when planned, with the task named.
pub async fn unsupported(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "unsupported", async |stage| {
        let Some((graph, key)) = fixture.unsupported(&stage.scope)? else {
            return Ok(skipped("name anything that the cloud cannot do"));
        };
        let error = must_fail(stage.engine().plan(&graph).await, "what the cloud cannot do")?;
        ensure(error.kind() == ErrorKind::Unsupported, || format!("refused as something else: {error}"))?;
        ensure(error.to_string().contains(key.as_str()), || format!("{key} is not named: {error}"))?;
        Ok(Verdict::Held)
    })
    .await
}

/// Secrets are in nothing that is shown: plans in every form, events, reports, errors, `Debug`.
pub async fn secrets(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "secrets", async |stage| {
        let Some(secret) = fixture.secret() else { return Ok(skipped("name a secret")) };
        let graph = stage.graph()?;
        let text = format!("{:?}", stage.native()?.tasks().map(|task| task.spec.clone()).collect::<Vec<_>>());
        let carried = stage.native()?.tasks().any(|task| task.spec.as_value().to_string().contains(secret));
        ensure(carried, || "the fixture's secret is not in its graph".to_owned())?;
        let mut shown = vec![("the graph", text)];
        let engine = stage.engine();
        // Every creation fails once for good, so that each error is seen, and once in passing.
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
            shown.push(("what was observed", format!("{snapshot:?} {objects:?}")));
        }
        for edit in fixture.edits(&stage.scope)? {
            shown.push(("the plan of an edit", every_form(&engine.plan(&edit.graph).await?)?));
        }
        shown.push(("the engine", format!("{engine:?}")));
        let encoded = BASE64_STANDARD.encode(secret);
        for (what, text) in &shown {
            if text.contains(secret) || text.contains(&encoded) {
                return Err(broken(format!("{what} shows a secret")));
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
    let full = plan.text(TextOptions { full: true, color: true });
    let mut text = format!("{plan} {plan:?} {json} {full}");
    // Writing to a string does not fail.
    let _ = write!(text, "{} {}", plan.dot(), plan.mermaid());
    Ok(text)
}

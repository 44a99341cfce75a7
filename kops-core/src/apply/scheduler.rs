//! The ready queue.

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tracing::Instrument as _;

use crate::cloud::{Deletion, DynHandler, Filter, Observed, Priority, Query, State, Timing};
use crate::graph::{Document, Key, Task, Wait};
use crate::plan::{Op, Step, Work};
use crate::{Error, ErrorKind, GraphOutputs, Result};

use super::Worker;
use super::report::{Report, Stopped};
use super::reporter::{Doing, Reporter};
use super::run::{guarded, panicked};
use super::settle::{Goal, Look, Settling};

/// Carries out the steps of `work`; returns when all are decided.
pub(crate) async fn run(worker: &Worker<'_>, work: &Work) -> Report {
    let mut scheduler = Scheduler::new(worker, work);
    scheduler.run().await;
    let objects = scheduler.objects.into_iter().map(|(key, object)| (key, (object, &[] as &[_])));
    let outputs = GraphOutputs::new(work.native.clone(), objects);
    Report { outputs, ..scheduler.reporter.end(scheduler.stopped) }
}

/// A completed future.
enum Came {
    /// The response to the call of a step.
    Step(usize, Result<Answer>),
    /// An observation of the awaited objects of a kind.
    Look(String, Look, Result<Vec<Observed>>),
}

enum Answer {
    /// The object after it was created or updated.
    Object(Box<Observed>),
    Deleted(Deletion),
    /// A step that only waits.
    Await,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    /// The object exists, but is not ready or not gone yet.
    Settling,
    Over,
}

struct Scheduler<'a> {
    worker: &'a Worker<'a>,
    work: &'a Work,
    handlers: HashMap<&'static str, &'a dyn DynHandler>,
    phases: Vec<Phase>,
    /// The number of unsatisfied dependencies of each step.
    open: Vec<usize>,
    /// The dependents of each step, and what they wait for.
    needed_by: Vec<Vec<(usize, Wait)>>,
    /// The objects of the tasks, as far as they exist.
    objects: HashMap<Key, Arc<Observed>>,
    ready: BinaryHeap<(Duration, std::cmp::Reverse<usize>)>,
    running: FuturesUnordered<BoxFuture<'a, Came>>,
    settling: Settling,
    /// Kinds with an observation in flight.
    looking: std::collections::HashSet<String>,
    /// Why no further step is started and no object is awaited.
    stopped: Option<Stopped>,
    reporter: Reporter<'a>,
}

impl<'a> Scheduler<'a> {
    fn new(worker: &'a Worker<'a>, work: &'a Work) -> Self {
        let count = work.steps.len();
        let mut needed_by = vec![Vec::new(); count];
        for (index, step) in work.steps.iter().enumerate() {
            for &(need, wait) in &step.needs {
                needed_by[need].push((index, wait));
            }
        }
        let mut scheduler = Self {
            worker,
            work,
            handlers: worker.cloud.handlers().iter().map(|it| (it.kind(), &**it)).collect(),
            phases: vec![Phase::Waiting; count],
            open: work.steps.iter().map(|step| step.needs.len()).collect(),
            needed_by,
            objects: work.objects.clone(),
            ready: BinaryHeap::new(),
            running: FuturesUnordered::new(),
            settling: Settling::default(),
            looking: std::collections::HashSet::new(),
            stopped: None,
            reporter: Reporter::new(worker.run, worker.cloud.clock(), &work.steps),
        };
        for index in (0..count).filter(|&index| work.steps[index].needs.is_empty()) {
            scheduler.ready.push((work.steps[index].remaining, std::cmp::Reverse(index)));
        }
        scheduler
    }

    async fn run(&mut self) {
        loop {
            self.begin_ready();
            let came = tokio::select! {
                biased;
                stopped = self.worker.run.stopped(), if self.stopped.is_none() => {
                    self.stop(stopped);
                    continue;
                }
                came = self.running.next() => came,
            };
            match came {
                Some(Came::Step(index, answer)) => self.answered(index, answer),
                Some(Came::Look(kind, look, found)) => self.looked(&kind, &look, found),
                None => break,
            }
        }
        for (index, phase) in self.phases.iter().enumerate() {
            if *phase == Phase::Waiting {
                self.reporter.not_started(&self.work.steps[index]);
            }
        }
    }

    fn begin_ready(&mut self) {
        while let Some((_, std::cmp::Reverse(index))) = self.ready.pop() {
            if self.stopped.is_some() {
                continue;
            }
            self.phases[index] = Phase::Running;
            let step = &self.work.steps[index];
            let cx = self.worker.run.context(Priority(step.remaining));
            let (doing, span) = self.reporter.started(index, step, cx);
            let call = guarded(self.call(step, doing)).instrument(span);
            self.running.push(Box::pin(async move { Came::Step(index, call.await) }));
        }
    }

    /// The call of a step.
    fn call(&self, step: &'a Step, doing: Doing<'a>) -> impl Future<Output = Result<Answer>> + use<'a> {
        let worker = self.worker;
        let handler = self.handlers.get(step.key.kind()).copied();
        // All its dependencies are done, so its specification is known.
        let wanted = match (&step.op, handler) {
            (Op::Create | Op::Update { .. } | Op::Adopt { .. }, Some(handler)) => {
                self.wanted(handler, &step.key)
            }
            _ => Err(Error::internal("a step without a specification")),
        };
        async move {
            let handler =
                handler.ok_or_else(|| Error::internal(format!("no handler for {}", step.key.kind())))?;
            match &step.op {
                Op::Create => {
                    let (task, wanted) = wanted?;
                    let object = worker.create(handler, task, &wanted, &doing).await?;
                    Ok(Answer::Object(Box::new(object)))
                }
                Op::Update { object, changed } => {
                    let (task, wanted) = wanted?;
                    let wanted = wanted.with_members_of(&object.object.spec, &task.options.ignored);
                    let object = worker.update(handler, object, &wanted, changed, &doing).await?;
                    Ok(Answer::Object(Box::new(object)))
                }
                Op::Adopt { object, changed } => {
                    let (task, wanted) = wanted?;
                    let wanted = wanted.with_members_of(&object.object.spec, &task.options.ignored);
                    let object = worker.adopt(handler, task, object, &wanted, changed, &doing).await?;
                    Ok(Answer::Object(Box::new(object)))
                }
                Op::Delete { object } => {
                    let deletion = worker.delete(handler, object, &doing).await?;
                    if deletion == Deletion::Done {
                        worker.forget(handler, &object.object.id).await?;
                    }
                    Ok(Answer::Deleted(deletion))
                }
                Op::Settle { .. } | Op::Vanish { .. } => Ok(Answer::Await),
            }
        }
    }

    /// A task and the desired state of its object.
    fn wanted(&self, handler: &dyn DynHandler, key: &Key) -> Result<(&'a Task, Document)> {
        let task = self.work.graph.get(key).ok_or_else(|| Error::internal("a step without a task"))?;
        let resolve = std::panic::AssertUnwindSafe(|| self.resolve(handler, task));
        let wanted = std::panic::catch_unwind(resolve).unwrap_or_else(|panic| Err(panicked(&*panic)))?;
        Ok((task, wanted))
    }

    fn resolve(&self, handler: &dyn DynHandler, task: &Task) -> Result<Document> {
        let wanted = task.spec.substitute(&|key, output| {
            self.objects.get(key).and_then(|observed| crate::plan::output_of(observed, output))
        });
        handler.canonical(&wanted)
    }

    fn answered(&mut self, index: usize, answer: Result<Answer>) {
        let step = &self.work.steps[index];
        match (answer, &step.op) {
            (Err(error), _) => self.fail(index, error),
            (Ok(Answer::Object(object)), _) => self.made(index, *object),
            (Ok(Answer::Deleted(Deletion::Done)), Op::Delete { object } | Op::Vanish { object }) => {
                self.over(index, object.object.id.clone());
            }
            (Ok(Answer::Deleted(Deletion::Pending)), Op::Delete { object })
            | (Ok(Answer::Await), Op::Vanish { object }) => {
                self.await_goal(index, object.object.id.clone(), Goal::Gone);
            }
            (Ok(Answer::Await), Op::Settle { object }) => {
                self.satisfy(index, Wait::Created);
                self.await_goal(index, object.object.id.clone(), Goal::Ready);
            }
            (Ok(_), _) => self.fail(index, Error::internal("an unexpected response")),
        }
    }

    fn made(&mut self, index: usize, observed: Observed) {
        let (id, state) = (observed.object.id.clone(), observed.object.state.clone());
        self.objects.insert(self.work.steps[index].key.clone(), Arc::new(observed));
        match state {
            State::Ready => self.over(index, id),
            State::Pending => {
                self.satisfy(index, Wait::Created);
                self.await_goal(index, id, Goal::Ready);
            }
            State::Failed(why) => self.fail(
                index,
                Error::new(ErrorKind::Failed, format!("{id}: {why}"))
                    .with_hint("run again: it will be replaced"),
            ),
            State::Deleting | State::Gone => self.fail(
                index,
                Error::new(ErrorKind::Conflict, format!("{id} was deleted right after it was created"))
                    .with_hint("someone else is changing this scope; run again when they have finished"),
            ),
        }
    }

    fn await_goal(&mut self, index: usize, id: String, goal: Goal) {
        self.phases[index] = Phase::Settling;
        let step = &self.work.steps[index];
        self.reporter.settling(index, step);
        let (kind, timing) = (step.key.kind(), self.timing(step.key.kind()));
        let now = self.worker.cloud.clock().elapsed();
        self.settling.add(kind, index, id, goal, timing, now);
        if self.stopped.is_some() {
            self.stop_waiting();
        } else {
            self.look(kind);
        }
    }

    fn timing(&self, kind: &str) -> Timing {
        self.handlers.get(kind).map_or(Timing::default(), |handler| handler.timing())
    }

    /// Schedules an observation of the awaited objects of a kind, unless one is in flight.
    fn look(&mut self, kind: &str) {
        let Some(&handler) = self.handlers.get(kind) else { return };
        if !self.settling.is_waiting(kind) || !self.looking.insert(kind.to_owned()) {
            return;
        }
        let worker = self.worker;
        let clock = worker.cloud.clock();
        let pause = self.settling.pause(kind, handler.timing(), clock.elapsed());
        let ids = self.settling.ids(kind);
        let kind = kind.to_owned();
        // Awaited objects block other steps, so their observations have the highest priority.
        let cx = worker.run.context(Priority(Duration::MAX));
        self.running.push(Box::pin(async move {
            tokio::select! {
                () = clock.sleep(pause) => {}
                // Nothing is awaited now.
                () = cx.cancel.cancelled() => return Came::Look(kind, Look::default(), Ok(Vec::new())),
            }
            let look = Look { ids, began: clock.elapsed() };
            let query = Query { scope: worker.scope, filter: Filter::Ids(&look.ids), cx: &cx };
            let found = guarded(handler.list(&query)).await;
            Came::Look(kind, look, found)
        }));
    }

    fn looked(&mut self, kind: &str, look: &Look, found: Result<Vec<Observed>>) {
        self.looking.remove(kind);
        if self.stopped.is_some() {
            return;
        }
        match found {
            Ok(found) => {
                for (index, verdict) in self.settling.judge(kind, look, &found) {
                    match verdict {
                        Ok(Some(observed)) => {
                            let id = observed.object.id.clone();
                            self.objects.insert(self.work.steps[index].key.clone(), Arc::new(observed));
                            self.over(index, id);
                        }
                        Ok(None) => self.vanished(index),
                        Err(error) => self.fail(index, error),
                    }
                }
            }
            // After a transient error, the next observation follows.
            Err(error) if error.kind().is_transient() => {
                tracing::warn!(kind, %error, "observing awaited objects failed and will be retried");
            }
            Err(error) => {
                for index in self.settling.give_up(kind) {
                    self.fail(index, error.clone());
                }
            }
        }
        self.look(kind);
    }

    /// An object whose deletion was awaited is gone.
    fn vanished(&mut self, index: usize) {
        let step = &self.work.steps[index];
        let (Op::Delete { object } | Op::Vanish { object }) = &step.op else { return };
        let id = object.object.id.clone();
        let Some(&handler) = self.handlers.get(step.key.kind()) else { return };
        let worker = self.worker;
        self.running.push(Box::pin(async move {
            let forgotten = worker.forget(handler, &id).await;
            Came::Step(index, forgotten.map(|()| Answer::Deleted(Deletion::Done)))
        }));
    }

    /// A step succeeded.
    fn over(&mut self, index: usize, id: String) {
        let step = &self.work.steps[index];
        self.reporter.done(index, step, id);
        if self.phases[index] != Phase::Settling || matches!(step.op, Op::Delete { .. } | Op::Vanish { .. }) {
            self.satisfy(index, Wait::Created);
        }
        self.phases[index] = Phase::Over;
        self.satisfy(index, Wait::Ready);
    }

    /// Satisfies those that wait for a step to be `reached`.
    fn satisfy(&mut self, index: usize, reached: Wait) {
        for at in 0..self.needed_by[index].len() {
            let (next, wait) = self.needed_by[index][at];
            if wait != reached {
                continue;
            }
            self.open[next] -= 1;
            if self.open[next] == 0 && self.phases[next] == Phase::Waiting {
                self.ready.push((self.work.steps[next].remaining, std::cmp::Reverse(next)));
            }
        }
    }

    fn fail(&mut self, index: usize, error: Error) {
        let step = &self.work.steps[index];
        self.phases[index] = Phase::Over;
        if error.kind() == ErrorKind::Cancelled && self.worker.run.is_stopping() {
            // Its dependents are not started either, but not because of it.
            return self.reporter.cancelled(index, step);
        }
        self.reporter.failed(index, step, Arc::new(error.with_task(&step.key)));
        self.block(index);
    }

    /// Marks all steps that depend on a failed one.
    fn block(&mut self, failed: usize) {
        let by = &self.work.steps[failed].key;
        let mut next = vec![failed];
        while let Some(index) = next.pop() {
            for &(dependant, _) in &self.needed_by[index] {
                if self.phases[dependant] != Phase::Waiting {
                    continue;
                }
                self.phases[dependant] = Phase::Over;
                next.push(dependant);
                self.reporter.blocked(&self.work.steps[dependant], by);
            }
        }
    }

    /// Starts no further step and stops waiting; calls in flight are allowed to finish, so that no response is lost.
    fn stop(&mut self, why: Stopped) {
        self.stopped = Some(why);
        self.stop_waiting();
    }

    fn stop_waiting(&mut self) {
        for index in self.settling.give_up_all() {
            self.phases[index] = Phase::Over;
            self.reporter.cancelled(index, &self.work.steps[index]);
        }
    }
}

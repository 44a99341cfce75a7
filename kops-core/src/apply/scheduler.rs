//! The ready queue.

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::cloud::{Context, Deletion, DynHandler, Filter, Memo, Observed, Priority, Query, State, Timing};
use crate::graph::{Document, Key, Task, Wait};
use crate::plan::{Action, Op, Step, Work};
use crate::{Error, ErrorKind, GraphOutputs, Result};

use super::settle::{Goal, Look, Settling};
use super::{Blocked, Done, Event, Failed, Report, Worker};

/// Carries out the steps of `work`; returns when all are decided.
pub(crate) async fn run(worker: &Worker<'_>, work: &Work, cancel: &CancellationToken) -> Report {
    let mut scheduler = Scheduler::new(worker, work, cancel);
    scheduler.run().await;
    scheduler.report
}

/// Something that came back.
enum Came {
    /// The call of a step is answered.
    Step(usize, Result<Answer>),
    /// A look at the waiting objects of a kind.
    Look(String, Look, Result<Vec<Observed>>),
}

enum Answer {
    /// The object as it is after a create or update.
    Object(Box<Observed>),
    Deleted(Deletion),
    /// A step that only waits.
    Await,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    /// The object exists; it does not work yet, or is not gone yet.
    Settling,
    Over,
}

struct Scheduler<'a> {
    worker: &'a Worker<'a>,
    work: &'a Work,
    cancel: &'a CancellationToken,
    handlers: HashMap<&'static str, &'a dyn DynHandler>,
    phases: Vec<Phase>,
    /// How many needs of a step are not satisfied.
    open: Vec<usize>,
    /// Who needs a step, and until when.
    needed_by: Vec<Vec<(usize, Wait)>>,
    /// The objects of the tasks as far as they exist.
    objects: HashMap<Key, Arc<Observed>>,
    ready: BinaryHeap<(Duration, std::cmp::Reverse<usize>)>,
    running: FuturesUnordered<BoxFuture<'a, Came>>,
    settling: Settling,
    /// Kinds with a look under way.
    looking: std::collections::HashSet<String>,
    started: Vec<Duration>,
    begin: Duration,
    cancelled: bool,
    report: Report,
}

impl<'a> Scheduler<'a> {
    fn new(worker: &'a Worker<'a>, work: &'a Work, cancel: &'a CancellationToken) -> Self {
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
            cancel,
            handlers: worker.cloud.handlers().iter().map(|it| (it.kind(), &**it)).collect(),
            phases: vec![Phase::Waiting; count],
            open: work.steps.iter().map(|step| step.needs.len()).collect(),
            needed_by,
            objects: work.objects.clone(),
            ready: BinaryHeap::new(),
            running: FuturesUnordered::new(),
            settling: Settling::default(),
            looking: std::collections::HashSet::new(),
            started: vec![Duration::ZERO; count],
            begin: worker.cloud.clock().elapsed(),
            cancelled: false,
            report: Report::default(),
        };
        for index in (0..count).filter(|&index| work.steps[index].needs.is_empty()) {
            scheduler.ready.push((work.steps[index].remaining, std::cmp::Reverse(index)));
        }
        scheduler
    }

    async fn run(&mut self) {
        let steps = self.work.steps.iter().filter(|step| step.op.action().is_some()).count();
        self.worker.events.send(Event::Began { steps });
        loop {
            self.begin_ready();
            let cancel = self.cancel;
            let came = tokio::select! {
                biased;
                () = cancel.cancelled(), if !self.cancelled => {
                    self.stop();
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
            if *phase == Phase::Waiting && self.work.steps[index].op.action().is_some() {
                self.report.not_begun.push(self.work.steps[index].key.clone());
            }
        }
        self.report.took = self.now();
        let objects = self.objects.iter().map(|(key, object)| (key.clone(), (object.clone(), &[] as &[_])));
        self.report.outputs = GraphOutputs::new(self.work.native.clone(), objects);
    }

    fn now(&self) -> Duration {
        self.worker.cloud.clock().elapsed().saturating_sub(self.begin)
    }

    fn begin_ready(&mut self) {
        while let Some((_, std::cmp::Reverse(index))) = self.ready.pop() {
            if self.cancelled {
                continue;
            }
            self.phases[index] = Phase::Running;
            self.started[index] = self.now();
            let step = &self.work.steps[index];
            if let Some(action) = step.op.action() {
                self.worker.events.send(Event::Started { task: step.key.clone(), action });
            }
            let future = self.carry_out(index, step);
            self.running.push(future);
        }
    }

    /// The future of a step's call.
    fn carry_out(&self, index: usize, step: &'a Step) -> BoxFuture<'a, Came> {
        let Some(&handler) = self.handlers.get(step.key.kind()) else {
            let error = Error::internal(format!("no handler for {}", step.key.kind()));
            return Box::pin(async move { Came::Step(index, Err(error)) });
        };
        let worker = self.worker;
        let cx = Context {
            priority: Priority(step.remaining),
            cancel: self.cancel.clone(),
            memo: Memo::default(),
        };
        let task = self.work.graph.get(&step.key);
        // Everything it needs is done, so its specification is known now.
        let wanted = match &step.op {
            Op::Create | Op::Update { .. } | Op::Adopt { .. } => task
                .ok_or_else(|| Error::internal("a step without a task"))
                .and_then(|task| Ok((task, self.resolve(handler, task)?))),
            _ => Err(Error::internal("a step that wants nothing")),
        };
        Box::pin(async move {
            let answer = match &step.op {
                Op::Create => match wanted {
                    Ok((task, wanted)) => worker
                        .create(handler, task, &wanted, &cx)
                        .await
                        .map(|object| Answer::Object(Box::new(object))),
                    Err(error) => Err(error),
                },
                Op::Update { object, changed } => match wanted {
                    Ok((task, wanted)) => {
                        let wanted = wanted.with_members_of(&object.object.spec, &task.options.ignored);
                        worker
                            .update(handler, &step.key, object, &wanted, changed, &cx)
                            .await
                            .map(|object| Answer::Object(Box::new(object)))
                    }
                    Err(error) => Err(error),
                },
                Op::Adopt { object, changed } => match wanted {
                    Ok((task, wanted)) => {
                        let wanted = wanted.with_members_of(&object.object.spec, &task.options.ignored);
                        worker
                            .adopt(handler, task, object, &wanted, changed, &cx)
                            .await
                            .map(|object| Answer::Object(Box::new(object)))
                    }
                    Err(error) => Err(error),
                },
                Op::Delete { object } => {
                    worker.delete(handler, &step.key, object, &cx).await.map(Answer::Deleted)
                }
                Op::Settle { .. } | Op::Vanish { .. } => Ok(Answer::Await),
            };
            let answer = match (answer, &step.op) {
                (Ok(Answer::Deleted(Deletion::Done)), Op::Delete { object }) => {
                    worker.forget(handler, &object.object.id).await.map(|()| Answer::Deleted(Deletion::Done))
                }
                (answer, _) => answer,
            };
            Came::Step(index, answer)
        })
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
            (Ok(_), _) => self.fail(index, Error::internal("an answer to another question")),
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
                Error::new(ErrorKind::Conflict, format!("{id} was deleted as soon as it was made"))
                    .with_hint("somebody else is at work on this; run again when they are done"),
            ),
        }
    }

    fn await_goal(&mut self, index: usize, id: String, goal: Goal) {
        self.phases[index] = Phase::Settling;
        let step = &self.work.steps[index];
        if let Some(action) = step.op.action() {
            self.worker.events.send(Event::Settling { task: step.key.clone(), action });
        }
        let (kind, timing) = (step.key.kind(), self.timing(step.key.kind()));
        let now = self.worker.cloud.clock().elapsed();
        self.settling.add(kind, index, id, goal, timing, now);
        if self.cancelled {
            self.stop_waiting();
        } else {
            self.look(kind);
        }
    }

    fn timing(&self, kind: &str) -> Timing {
        self.handlers.get(kind).map_or(Timing::default(), |handler| handler.timing())
    }

    /// Has a look at the waiting objects of a kind soon, unless one is under way.
    fn look(&mut self, kind: &str) {
        let Some(&handler) = self.handlers.get(kind) else { return };
        if !self.settling.is_waiting(kind) || !self.looking.insert(kind.to_owned()) {
            return;
        }
        let (worker, cancel) = (self.worker, self.cancel.clone());
        let clock = worker.cloud.clock();
        let pause = self.settling.pause(kind, handler.timing(), clock.elapsed());
        let ids = self.settling.ids(kind);
        let kind = kind.to_owned();
        // Whoever waits is on somebody's way: looks are as urgent as anything.
        let cx = Context { priority: Priority(Duration::MAX), cancel, memo: Memo::default() };
        self.running.push(Box::pin(async move {
            tokio::select! {
                () = clock.sleep(pause) => {}
                // Nobody waits any more.
                () = cx.cancel.cancelled() => return Came::Look(kind, Look::default(), Ok(Vec::new())),
            }
            let look = Look { ids, began: clock.elapsed() };
            let query = Query { scope: worker.scope, filter: Filter::Ids(&look.ids), cx: &cx };
            let found = handler.list(&query).await;
            Came::Look(kind, look, found)
        }));
    }

    fn looked(&mut self, kind: &str, look: &Look, found: Result<Vec<Observed>>) {
        self.looking.remove(kind);
        if self.cancelled {
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
            // A look that failed in passing is simply followed by the next.
            Err(error) if error.kind().is_transient() => {}
            Err(error) => {
                let error = Arc::new(error);
                for index in self.settling.give_up(kind) {
                    self.fail_shared(index, error.clone());
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

    /// A step is done and its object is as it should be.
    fn over(&mut self, index: usize, id: String) {
        let step = &self.work.steps[index];
        if let Some(action) = step.op.action() {
            let (task, started) = (step.key.clone(), self.started[index]);
            let took = self.now().saturating_sub(started);
            self.worker.events.send(Event::Finished { task: task.clone(), action, id: id.clone(), took });
            self.report.done.push(Done { task, action, id, started, took });
        }
        if self.phases[index] != Phase::Settling || matches!(step.op, Op::Delete { .. } | Op::Vanish { .. }) {
            self.satisfy(index, Wait::Created);
        }
        self.phases[index] = Phase::Over;
        self.satisfy(index, Wait::Ready);
    }

    /// Tells those who wait for a step until `reached`.
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
        self.fail_shared(index, Arc::new(error.with_task(&self.work.steps[index].key)));
    }

    fn fail_shared(&mut self, index: usize, error: Arc<Error>) {
        let step = &self.work.steps[index];
        self.phases[index] = Phase::Over;
        let (task, action) = (step.key.clone(), step.op.action().unwrap_or(Action::Update));
        self.worker.events.send(Event::Failed { task: task.clone(), action, error: error.clone() });
        self.report.failed.push(Failed { task, action, error });
        self.block(index);
    }

    /// Marks everything that needs a failed step.
    fn block(&mut self, failed: usize) {
        let by = self.work.steps[failed].key.clone();
        let mut next = vec![failed];
        while let Some(index) = next.pop() {
            for &(dependant, _) in &self.needed_by[index] {
                if self.phases[dependant] != Phase::Waiting {
                    continue;
                }
                self.phases[dependant] = Phase::Over;
                next.push(dependant);
                let step = &self.work.steps[dependant];
                if let Some(action) = step.op.action() {
                    let task = step.key.clone();
                    self.worker.events.send(Event::Blocked { task: task.clone(), action, by: by.clone() });
                    self.report.blocked.push(Blocked { task, action, by: by.clone() });
                }
            }
        }
    }

    /// Begins nothing more and waits for nothing more; calls under way are let finish, so that no answer is
    /// lost.
    fn stop(&mut self) {
        self.cancelled = true;
        self.stop_waiting();
    }

    fn stop_waiting(&mut self) {
        for index in self.settling.give_up_all() {
            let error = Error::new(ErrorKind::Cancelled, "cancelled while waiting for the cloud to finish");
            self.fail(index, error);
        }
    }
}

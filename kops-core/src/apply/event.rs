//! What happens during a run, as values for a program to show, forward or count.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::Stream;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tokio::sync::mpsc;

use super::report::{Report, millis, shared};
use crate::Error;
use crate::graph::Key;
use crate::plan::Action;

/// The version of the JSON form of [`Event`]; grows when a member changes its meaning or goes.
pub const EVENT_FORMAT: &str = "kops.event/v1";

/// Tells one run from all others: 32 lower-case hexadecimal digits in text and JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

impl RunId {
    /// An identifier that no other run has.
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something that happened in a run.
///
/// # JSON form
/// One flat object: `format` ([`EVENT_FORMAT`]), `run`, `scope`, `at` (RFC 3339), `event` (the variant of
/// [`EventKind`] in snake case) and the variant's fields; durations are milliseconds and named `…_ms`. The schema is
/// `schemas/event.v1.json`. New members and events may come within a format, so readers ignore what they do not know.
///
/// ```json
/// {"format":"kops.event/v1","run":"9f…","scope":"shop","at":"2026-03-01T12:00:00Z",
///  "event":"finished","task":"Network/main","action":"create","id":"vpc-1","took_ms":480,"attempts":1}
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The run.
    pub run: RunId,
    /// The name of the run's scope.
    pub scope: Arc<str>,
    /// When it happened, by the wall clock of the cloud's [`Clock`](crate::clock::Clock).
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            format: &'static str,
            run: RunId,
            scope: &'a str,
            at: Timestamp,
            #[serde(flatten)]
            kind: &'a EventKind,
        }
        let Self { run, scope, at, kind } = self;
        Form { format: EVENT_FORMAT, run: *run, scope, at: *at, kind }.serialize(serializer)
    }
}

/// What happened.
///
/// A run that starts tells `RunStarted` first and `Ended` last. A run that does not start tells `Refused` alone. Within
/// a run each step tells `Started`, then possibly `Retrying` and `Settling`, then one of `Finished`, `Failed` and
/// `Cancelled`; a step that is not started tells `Blocked`, or nothing when the run was stopped before.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The run started.
    RunStarted {
        /// The number of steps ahead that create, update or delete an object; a replacement is two.
        steps: usize,
    },
    /// A step started.
    Started {
        /// The task.
        task: Key,
        /// What is done.
        action: Action,
    },
    /// A call failed and will be repeated.
    Retrying {
        /// The task.
        task: Key,
        /// What is done.
        action: Action,
        /// The number of the attempt to come, from 2 on.
        attempt: u32,
        /// Why the last attempt failed.
        #[serde(serialize_with = "shared")]
        error: Arc<Error>,
        /// How long until the next one.
        #[serde(rename = "wait_ms", serialize_with = "millis")]
        wait: Duration,
    },
    /// The call was answered; the object is not ready, or not gone, yet.
    Settling {
        /// The task.
        task: Key,
        /// What was done.
        action: Action,
    },
    /// A step is done.
    Finished {
        /// The task.
        task: Key,
        /// What was done.
        action: Action,
        /// The object's identifier.
        id: String,
        /// How long the step took, waiting for the object included.
        #[serde(rename = "took_ms", serialize_with = "millis")]
        took: Duration,
        /// The number of attempts: one more than calls that were repeated.
        attempts: u32,
    },
    /// A step failed for good.
    Failed {
        /// The task.
        task: Key,
        /// What was tried.
        action: Action,
        /// Why.
        #[serde(serialize_with = "shared")]
        error: Arc<Error>,
        /// How long the step took.
        #[serde(rename = "took_ms", serialize_with = "millis")]
        took: Duration,
        /// The number of attempts.
        attempts: u32,
    },
    /// A step that had started was given up, because the run was cancelled or its deadline passed.
    Cancelled {
        /// The task.
        task: Key,
        /// What was under way.
        action: Action,
        /// How long the step took so far.
        #[serde(rename = "took_ms", serialize_with = "millis")]
        took: Duration,
        /// The number of attempts.
        attempts: u32,
    },
    /// A step will not start, because one that it needs failed.
    Blocked {
        /// The task.
        task: Key,
        /// What would have been done.
        action: Action,
        /// The failed task at the root of it.
        by: Key,
    },
    /// The run did not start: the plan is stale or not allowed, or the run was cancelled before its first step. The
    /// last event of its run.
    Refused {
        /// Why.
        #[serde(serialize_with = "shared")]
        error: Arc<Error>,
    },
    /// The run ended. The last event of its run.
    Ended {
        /// What came of it.
        #[serde(serialize_with = "shared")]
        report: Arc<Report>,
    },
}

impl EventKind {
    /// Whether nothing follows in this run.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Ended { .. })
    }
}

/// Receives the events of a run. Clones lead to the same place; the default drops everything.
#[derive(Clone, Default)]
pub struct EventSink(Option<Arc<Receive>>);

type Receive = dyn Fn(&Event) + Send + Sync;

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "EventSink" } else { "EventSink(none)" })
    }
}

impl EventSink {
    /// A sink and the stream of what goes into it.
    ///
    /// The channel is unbounded. A bounded one would have to stall the run for a slow reader, or to drop events, the
    /// last one among them; and what can pile up is small: a few events for each step of the plan, and one for each
    /// repeated call.
    pub fn channel() -> (Self, EventStream) {
        let (sender, receiver) = mpsc::unbounded_channel();
        // The reader may have gone: then nobody wants to know.
        let sink = Self::from_fn(move |event| drop(sender.send(event.clone())));
        (sink, EventStream { receiver, over: false })
    }

    /// A sink that calls a function for every event, in the task that applies: one that blocks stalls the run.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// use kops_core::apply::{EventKind, EventSink};
    ///
    /// let failures = Arc::new(AtomicUsize::new(0));
    /// let counter = failures.clone();
    /// let metrics = EventSink::from_fn(move |event| {
    ///     if matches!(event.kind, EventKind::Failed { .. }) {
    ///         counter.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// });
    /// let (progress, stream) = EventSink::channel();
    /// let both = metrics.and(progress);
    /// # drop((both, stream));
    /// ```
    pub fn from_fn(receive: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(receive)))
    }

    /// A sink that passes every event to this one, then to `other`.
    pub fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(first), Some(second)) => Self::from_fn(move |event| {
                first(event);
                second(event);
            }),
            (one, other) => Self(one.or(other)),
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn send(&self, event: &Event) {
        if let Some(receive) = &self.0 {
            receive(event);
        }
    }
}

/// The events of one run, in their order.
///
/// It ends with the run: after the [last](EventKind::is_last) event. Where the run's future was dropped, it ends
/// without such an event, as soon as every clone of the sink is gone. It is a [`Stream`], too.
#[derive(Debug)]
pub struct EventStream {
    receiver: mpsc::UnboundedReceiver<Event>,
    over: bool,
}

impl EventStream {
    /// The next event; `None` when there will be none.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Event>> {
        if self.over {
            return Poll::Ready(None);
        }
        let event = task::ready!(self.receiver.poll_recv(cx));
        self.over = event.as_ref().is_none_or(|event| event.kind.is_last());
        Poll::Ready(event)
    }
}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(cx)
    }
}

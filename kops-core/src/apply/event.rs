//! Events of a run, as values that a program can display, forward or count.

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

/// The version of the JSON form of [`Event`]; it increases if a member is removed or its meaning changes.
pub const EVENT_FORMAT: &str = "kops.event/v1";

/// A unique identifier of a run: 32 lower-case hexadecimal digits in text and JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

impl RunId {
    /// A unique identifier.
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

/// An event of a run.
///
/// # JSON form
/// One flat object: `format` ([`EVENT_FORMAT`]), `run`, `scope`, `at` (RFC 3339), `event` (the variant of
/// [`EventKind`] in snake case) and the variant's fields; durations are in milliseconds and named `…_ms`. The schema
/// is `schemas/event.v1.json`. Members and events may be added within a format version, so readers should ignore what
/// they do not know.
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
    /// The wall-clock time of the event, from the cloud's [`Clock`](crate::clock::Clock).
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
/// A run that starts sends `RunStarted` first and `Ended` last. A run that does not start sends only `Refused`.
/// Within a run each step sends `Started`, then possibly `Retrying` and `Settling`, then one of `Finished`, `Failed`
/// and `Cancelled`; a step that is not started sends `Blocked`, or nothing if the run was stopped before.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The run started.
    RunStarted {
        /// The number of planned steps that create, update or delete an object; a replacement counts as two.
        steps: usize,
    },
    /// A step started.
    Started {
        /// The task.
        task: Key,
        /// The action.
        action: Action,
    },
    /// A call failed and will be retried.
    Retrying {
        /// The task.
        task: Key,
        /// The action.
        action: Action,
        /// The number of the next attempt, from 2.
        attempt: u32,
        /// Why the last attempt failed.
        #[serde(serialize_with = "shared")]
        error: Arc<Error>,
        /// The delay before the next attempt.
        #[serde(rename = "wait_ms", serialize_with = "millis")]
        wait: Duration,
    },
    /// The call succeeded, but the object is not ready or not gone yet.
    Settling {
        /// The task.
        task: Key,
        /// The action.
        action: Action,
    },
    /// A step succeeded.
    Finished {
        /// The task.
        task: Key,
        /// The action.
        action: Action,
        /// The object's identifier.
        id: String,
        /// The duration of the step, including waiting for the object.
        #[serde(rename = "took_ms", serialize_with = "millis")]
        took: Duration,
        /// The number of attempts of its calls: the number of retries plus one.
        attempts: u32,
    },
    /// A step failed.
    Failed {
        /// The task.
        task: Key,
        /// The action.
        action: Action,
        /// The cause.
        #[serde(serialize_with = "shared")]
        error: Arc<Error>,
        /// The duration of the step.
        #[serde(rename = "took_ms", serialize_with = "millis")]
        took: Duration,
        /// The number of attempts.
        attempts: u32,
    },
    /// A step that had started was abandoned, because the run was cancelled or its deadline passed.
    Cancelled {
        /// The task.
        task: Key,
        /// The action.
        action: Action,
        /// The duration of the step so far.
        #[serde(rename = "took_ms", serialize_with = "millis")]
        took: Duration,
        /// The number of attempts.
        attempts: u32,
    },
    /// A step will not be started, because a step that it depends on failed.
    Blocked {
        /// The task.
        task: Key,
        /// The action.
        action: Action,
        /// The failed task.
        by: Key,
    },
    /// The run did not start: the plan is stale or not allowed, or the run was cancelled before its first step. This
    /// is the last event of its run.
    Refused {
        /// The cause.
        #[serde(serialize_with = "shared")]
        error: Arc<Error>,
    },
    /// The run ended. This is the last event of its run.
    Ended {
        /// The result of the run.
        #[serde(serialize_with = "shared")]
        report: Arc<Report>,
    },
}

impl EventKind {
    /// Whether this is the last event of its run.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Ended { .. })
    }
}

/// Receives the events of a run. Clones share the destination; the default discards everything.
#[derive(Clone, Default)]
pub struct EventSink(Option<Arc<Receive>>);

type Receive = dyn Fn(&Event) + Send + Sync;

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "EventSink" } else { "EventSink(none)" })
    }
}

impl EventSink {
    /// A sink and the stream of its events.
    ///
    /// The channel is unbounded. A bounded one would either stall the run if the reader is slow, or drop events,
    /// possibly the last one. The number of buffered events is small: a few for each step of the plan, and one for
    /// each retry.
    pub fn channel() -> (Self, EventStream) {
        let (sender, receiver) = mpsc::unbounded_channel();
        // The receiver may have been dropped, in which case events are discarded.
        let sink = Self::from_fn(move |event| drop(sender.send(event.clone())));
        (sink, EventStream { receiver, over: false })
    }

    /// A sink that calls a function for every event, in the task that applies the plan: if it blocks, the run stalls.
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

    /// Whether there is a receiver.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn send(&self, event: &Event) {
        if let Some(receive) = &self.0 {
            receive(event);
        }
    }
}

/// The events of one run, in order.
///
/// It ends after the [last](EventKind::is_last) event of the run. If the run's future is dropped, it ends without
/// such an event, once all clones of the sink are dropped. It is a [`Stream`], too.
#[derive(Debug)]
pub struct EventStream {
    receiver: mpsc::UnboundedReceiver<Event>,
    over: bool,
}

impl EventStream {
    /// The next event; `None` at the end.
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

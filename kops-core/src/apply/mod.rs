//! Applying a plan.
//!
//! The steps of a plan form a graph. A step starts as soon as its last predecessor allows it (some edges are
//! satisfied when the object exists, others when it is ready). If the cloud's rate limit makes steps queue, the one
//! with the longest remaining path goes first. There are no waves: no step waits for one that it does not depend on.
//! After a failure, or a panic of a handler, all steps that do not depend on the failed one continue.
//!
//! Progress is reported by events ([`EventSink`]), at the end by a [`Report`], and by
//! [`tracing`](https://docs.rs/tracing): a span `kops.run` (fields `run`, `scope`, `cloud`) contains a span
//! `kops.step` (`task`, `action`) for each step, with failed calls and retries as warnings, and failed steps as
//! errors. Observing has a span `kops.observe`. None of them contains secrets.
//!
//! Invariants: a step is started at most once; when the run returns, every step is reported as done, failed,
//! cancelled, blocked or not started; nothing is changed that the plan did not show.

mod carry_out;
mod event;
mod journal;
mod options;
mod report;
mod reporter;
mod run;
mod scheduler;
mod settle;

pub use event::{EVENT_FORMAT, Event, EventKind, EventSink, EventStream, RunId};
pub use options::RunOptions;
pub use report::{Blocked, Cancelled, Done, Failed, REPORT_FORMAT, Report, Stopped};

pub(crate) use carry_out::{Worker, content_digest};
pub(crate) use journal::NoJournal;
pub(crate) use run::{Run, guarded};
pub(crate) use scheduler::run as carry_out;

//! Applying a plan.
//!
//! The steps of a plan form a graph. A step begins the moment its last predecessor allows it (some edges
//! are satisfied when the object exists, others when it works), and where the cloud's rate limit makes steps
//! queue, the one with the longest way still ahead goes first. There are no waves: nothing waits for what it
//! does not need. After a failure, or a panic of a handler, everything that does not need the failed step goes on.
//!
//! What happens is told while it happens ([`EventSink`]), and in the end as a [`Report`]; and to
//! [`tracing`](https://docs.rs/tracing), in a span `kops.run` (fields `run`, `scope`, `cloud`) with a span `kops.step`
//! (`task`, `action`) for each step: failed calls and repetitions as warnings, failed steps as errors. Observing has
//! a span `kops.observe`. None of it has a secret in it.
//!
//! Invariants: a step begins at most once; when the application returns, every step is reported as done,
//! failed, cancelled, blocked or not started; nothing is decided here that the plan has not shown.

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

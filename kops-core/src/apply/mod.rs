//! Applying a plan.
//!
//! The steps of a plan form a graph. A step begins the moment its last predecessor allows it (some edges
//! are satisfied when the object exists, others when it works), and where the cloud's rate limit makes steps
//! queue, the one with the longest way still ahead goes first. There are no waves: nothing waits for what it
//! does not need. After a failure everything that does not need the failed step goes on.
//!
//! Invariants: a step begins at most once; when the application returns, every step is reported as done,
//! failed, blocked or not begun; nothing is decided here that the plan has not shown.

mod carry_out;
mod event;
mod journal;
mod report;
mod scheduler;
mod settle;

pub use event::{Event, EventSink, EventStream, events};
pub use journal::NoJournal;
pub use report::{Blocked, Done, Failed, Report};

pub(crate) use carry_out::{Worker, content_digest};
pub(crate) use scheduler::run;

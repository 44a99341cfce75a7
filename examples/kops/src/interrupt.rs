//! Ctrl-C: the first stops the program at the next safe point, the second at once.

use std::process;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::output;

/// The exit code of an interrupted program: 128 plus the signal's number.
const INTERRUPTED: i32 = 130;

/// Cancels `work` when the user interrupts; watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Interrupt(#[expect(dead_code, reason = "is kept to be dropped")] AbortOnDropHandle<()>);

impl Interrupt {
    pub(crate) fn cancels(work: CancellationToken) -> Self {
        Self(AbortOnDropHandle::new(tokio::spawn(async move {
            interrupted().await;
            output::note(
                "stopping: no further step is started, calls in flight are allowed to finish; interrupt again to abort",
            );
            work.cancel();
            interrupted().await;
            abort();
        })))
    }
}

#[expect(clippy::disallowed_methods, reason = "the user asked twice, and this is no library")]
fn abort() {
    process::exit(INTERRUPTED);
}

/// Returns when the program receives an interrupt or termination signal.
#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    drop(tokio::signal::ctrl_c().await);
}

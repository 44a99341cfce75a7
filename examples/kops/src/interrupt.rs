//! Ctrl-C: asked once, the program stops where it is safe to; asked twice, it stops.

use std::process;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::output;

/// The exit code of a program that was interrupted: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// Cancels `work` when the user interrupts; watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Interrupt(#[expect(dead_code, reason = "is kept to be dropped")] AbortOnDropHandle<()>);

impl Interrupt {
    pub(crate) fn cancels(work: CancellationToken) -> Self {
        Self(AbortOnDropHandle::new(tokio::spawn(async move {
            interrupted().await;
            output::note(
                "stopping: nothing more is begun, calls under way are let finish; interrupt again to abort",
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

/// Returns when the user, or who else ends programs, asks this one to stop.
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

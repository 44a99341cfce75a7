//! The task that renews a lease, notices when it is lost, and lets it go in the end.
//!
//! Letting go is this task's too, so that it happens also when nobody is left to wait for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Held, lost, poll};
use crate::clock::Clock;
use crate::{Error, ErrorKind, Result};

/// Three times within the time to live: two renewals may fail.
fn interval(ttl: Duration) -> Duration {
    ttl / 3
}

/// How long the holder may go without a renewal; what is left of the time to live is for its work to stop.
fn deadline(ttl: Duration) -> Duration {
    ttl * 5 / 6
}

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is free, and its epoch stays known.
    Free,
    /// Its object goes.
    Remove,
}

pub(super) struct Heartbeat {
    pub(super) clock: Arc<dyn Clock>,
    /// When the last successful write was begun, in the clock's monotonic time.
    pub(super) alive: Duration,
    /// How to end; with the sender dropped, by freeing the lease.
    pub(super) end: oneshot::Receiver<Ending>,
    pub(super) lost: CancellationToken,
    pub(super) why: Arc<OnceLock<String>>,
}

impl Heartbeat {
    /// Renews until it is told how to end, and ends so; or loses the lease, and cancels.
    pub(super) async fn run(mut self, mut held: Held) -> Result<()> {
        match self.keep(&mut held).await {
            Ok(ending) => held.end(ending).await,
            Err(why) => {
                let error = lost(&why);
                // The reason first: whoever sees the cancellation may ask for it.
                let _ = self.why.set(why);
                self.lost.cancel();
                Err(error)
            }
        }
    }

    async fn keep(&mut self, held: &mut Held) -> Result<Ending, String> {
        let ttl = held.record.ttl();
        let mut wait = interval(ttl);
        loop {
            tokio::select! {
                ending = &mut self.end => return Ok(ending.unwrap_or(Ending::Free)),
                () = self.clock.sleep(wait) => {}
            }
            let begun = self.clock.elapsed();
            let left = (self.alive + deadline(ttl)).saturating_sub(begun);
            let mut renewed = held.record.clone();
            renewed.renew(self.clock.now());
            let outcome = tokio::select! {
                outcome = held.write(renewed) => outcome,
                () = self.clock.sleep(left) => Err(Error::new(ErrorKind::Unavailable, "the store does not answer")),
            };
            match outcome {
                Ok(()) => {
                    self.alive = begun;
                    wait = interval(ttl);
                }
                Err(error) if error.kind() == ErrorKind::Locked => return Err(error.message().to_owned()),
                Err(error) => {
                    let left = (self.alive + deadline(ttl)).saturating_sub(self.clock.elapsed());
                    if left.is_zero() {
                        return Err(format!(
                            "it could not be renewed for {} s: {error}",
                            deadline(ttl).as_secs()
                        ));
                    }
                    wait = poll(ttl).min(left);
                }
            }
        }
    }
}

//! The task that renews a lease, and notices when it is lost.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Held, poll};
use crate::clock::Clock;
use crate::{Error, ErrorKind};

/// Three times within the time to live: two renewals may fail.
fn interval(ttl: Duration) -> Duration {
    ttl / 3
}

/// How long the holder may go without a renewal; what is left of the time to live is for its work to stop.
fn deadline(ttl: Duration) -> Duration {
    ttl * 5 / 6
}

pub(super) struct Heartbeat {
    pub(super) clock: Arc<dyn Clock>,
    /// When the last successful write was begun, in the clock's monotonic time.
    pub(super) alive: Duration,
    pub(super) stop: CancellationToken,
    pub(super) lost: CancellationToken,
    pub(super) why: Arc<OnceLock<String>>,
}

impl Heartbeat {
    /// Renews until it is told to stop, and gives the lease back; or loses it, and cancels.
    pub(super) async fn run(mut self, mut held: Held) -> Option<Held> {
        match self.keep(&mut held).await {
            Ok(()) => Some(held),
            Err(why) => {
                // The reason first: whoever sees the cancellation may ask for it.
                let _ = self.why.set(why);
                self.lost.cancel();
                None
            }
        }
    }

    async fn keep(&mut self, held: &mut Held) -> Result<(), String> {
        let ttl = held.record.ttl();
        let mut wait = interval(ttl);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
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

//! Time, injected: whoever waits or stamps a time takes a [`Clock`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// A source of time.
///
/// [`SystemClock`] is the real one. Its timers are tokio's, so that under `tokio::time::pause` every wait of
/// the engine passes in virtual time.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// Monotonic time since some fixed moment.
    fn elapsed(&self) -> Duration;
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Returns after `wait`.
    async fn sleep(&self, wait: Duration);
}

/// The machine's clock.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// The machine's clock; its monotonic time starts at zero now.
    #[expect(clippy::disallowed_methods, reason = "the clock module is where time comes in")]
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the clock module is where time comes in")]
    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

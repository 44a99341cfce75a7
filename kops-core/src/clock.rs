//! Time as a dependency: code that waits or takes the time has a [`Clock`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// A source of time.
///
/// [`SystemClock`] is the real one. Its timers are tokio's, so that with `tokio::time::pause` all waits of the engine
/// pass in virtual time.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// Monotonic time since an arbitrary moment.
    fn elapsed(&self) -> Duration;
    /// The wall-clock time.
    fn now(&self) -> Timestamp;
    /// Returns after the duration `wait`.
    async fn sleep(&self, wait: Duration);
}

/// The system clock.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// The system clock; its monotonic time starts at zero.
    #[expect(clippy::disallowed_methods, reason = "the clock module is the source of time")]
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

    #[expect(clippy::disallowed_methods, reason = "the clock module is the source of time")]
    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

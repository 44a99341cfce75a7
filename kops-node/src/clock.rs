//! Time, injected: code that waits or records a time takes a [`Clock`].

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Monotonic time since some fixed moment.
    fn elapsed(&self) -> Duration;
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Returns after `wait`.
    fn sleep(&self, wait: Duration);
}

/// The machine's clock.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    /// The machine's clock; its monotonic time starts at zero now.
    #[expect(clippy::disallowed_methods, reason = "the clock module is where time comes in")]
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the clock module is where time comes in")]
    fn sleep(&self, wait: Duration) {
        std::thread::sleep(wait);
    }
}

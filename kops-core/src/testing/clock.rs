//! A clock that runs faster than real time.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::clock::{Clock, SystemClock};

/// A fast clock: delays and rate limits are those of a cloud, but an emulator is faster.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::time::Duration;
///
/// use kops_core::clock::Clock;
/// use kops_core::testing::FastClock;
///
/// let clock = FastClock::new(1000);
/// let before = clock.elapsed();
/// // A tenth of a second.
/// clock.sleep(Duration::from_secs(100)).await;
/// assert!(clock.elapsed() - before >= Duration::from_secs(100));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct FastClock {
    clock: SystemClock,
    times: u32,
}

impl FastClock {
    /// A clock that is `times` times as fast as the system clock; its wall clock is the system's.
    pub fn new(times: u32) -> Self {
        Self { clock: SystemClock::new(), times: times.max(1) }
    }
}

#[async_trait]
impl Clock for FastClock {
    fn elapsed(&self) -> Duration {
        self.clock.elapsed() * self.times
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn sleep(&self, wait: Duration) {
        self.clock.sleep(wait / self.times).await;
    }
}

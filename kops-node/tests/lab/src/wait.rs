//! Waiting for machines, which take their time.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(500);

/// Seconds since something began.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Tells how long it took until now.
    pub fn tell(&self, what: &str) {
        eprintln!("{:7.1} s  {what}", self.0.elapsed().as_secs_f64());
    }

    /// Sleeps until so much time has passed since the beginning.
    pub fn sleep_until(&self, time: Duration) {
        std::thread::sleep(time.saturating_sub(self.0.elapsed()));
    }

    /// Looks twice a second until it succeeds, and tells when, counted from the beginning.
    pub fn until<T>(&self, what: &str, limit: u64, look: impl FnMut() -> Result<T, String>) -> T {
        let found = wait(what, limit, look);
        self.tell(what);
        found
    }
}

/// Looks twice a second until it succeeds, and tells how long that took.
pub fn until<T>(what: &str, limit: u64, look: impl FnMut() -> Result<T, String>) -> T {
    Stopwatch::start().until(what, limit, look)
}

/// Looks for so many seconds at what must not succeed.
pub fn never<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Result<T, String>) {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(seconds) {
        assert!(look().is_err(), "{what}, which must not be");
        std::thread::sleep(PAUSE);
    }
    eprintln!("{seconds:5}.0 s  never: {what}");
}

fn wait<T>(what: &str, limit: u64, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(why) if begin.elapsed() > Duration::from_secs(limit) => {
                panic!("not within {limit} s: {what}\n{why}")
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

//! Whatever goes wrong, running again converges, and nothing is leaked, duplicated or taken from others.
//!
//! Each seed makes a graph of its own, and edits of it, and a cloud with moods of its own. Each edit is applied
//! while calls are throttled, fail, lose their answers, refuse, break or hide what they make, and while the
//! client dies; often the next edit comes before that one has succeeded. Then the cloud is healed, and a few
//! runs must be enough to get to where the last edit wanted to be; in the end everything is deleted.
//!
//! 300 seeds by default. `KOPS_STRESS_SEEDS=10000 cargo test --release -p kops-core --test
//! stress -- --nocapture` runs more, from `KOPS_STRESS_FIRST` on, and shows what has happened.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests are tests")]

mod model;
mod run;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use run::Summary;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
fn every_seed_converges() {
    let (first, count) = (number("KOPS_STRESS_FIRST", 0), number("KOPS_STRESS_SEEDS", 300));
    let (next, started) = (AtomicU64::new(first), Instant::now());
    let outcome = Mutex::new((Summary::default(), Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let result = run::seed(seed);
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(summary) => outcome.0.add(&summary),
                Err(error) => outcome.1.push(format!("seed {seed}: {error}")),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (summary, failures) = outcome.into_inner().unwrap();
    println!("{count} seeds in {:.1} s: {summary}", started.elapsed().as_secs_f64());
    let mut told = String::new();
    for failure in failures.iter().take(5) {
        writeln!(told, "{failure}").unwrap();
    }
    assert!(failures.is_empty(), "{} of {count} seeds fail:\n{told}", failures.len());
    assert!(summary.crashes > 0 && summary.failures > 0, "nothing has gone wrong: {summary}");
}

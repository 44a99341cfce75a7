//! The table of etcd's start: in every situation, and in histories of faults from seeds.

mod faults;
mod flaws;
mod raft;
mod table;
mod world;

use kops_node::etcd::decide;
use world::{Table, World};

/// How many histories the ordinary test lives through; `KOPS_STRESS_SEEDS=100000` for the long one, in release.
const SEEDS: u64 = 1500;

#[expect(clippy::disallowed_methods, reason = "how long a test is to take comes from the environment")]
fn seeds() -> u64 {
    std::env::var("KOPS_STRESS_SEEDS").ok().and_then(|it| it.parse().ok()).unwrap_or(SEEDS)
}

/// The first seed, if any, whose history breaks a promise, and how.
fn first_failure(table: Table, seeds: std::ops::Range<u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| World::new(seed, table).run().err().map(|error| (seed, error)))
}

#[test]
fn never_two_clusters_never_a_lost_write_always_progress() {
    if let Some((seed, error)) = first_failure(decide, 0..seeds()) {
        panic!("seed {seed}: {error}");
    }
}

#[test]
fn histories_reach_every_row() {
    let mut all = [0; 9];
    for seed in 0..SEEDS {
        let mut world = World::new(seed, decide);
        world.run().unwrap();
        all.iter_mut().zip(world.rows()).for_each(|(sum, it)| *sum += it);
    }
    assert!(all.iter().all(|it| *it > 5), "decisions by row: {all:?}");
}

#[test]
fn every_planted_flaw_is_found() {
    for (flaw, table, from) in flaws::ALL {
        let found = first_failure(table, from..from + 20 * SEEDS);
        let (seed, error) = found.unwrap_or_else(|| panic!("not found: {flaw}"));
        println!("{flaw}: seed {seed}: {}", error.lines().next().unwrap_or_default());
    }
}

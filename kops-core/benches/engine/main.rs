//! What the engine costs, and how close its order of work comes to what is possible.
//!
//! `cargo bench -p kops-core`. The first part measures the local part of planning in real
//! time. The second applies clusters to a [`MemoryCloud`] with AWS' latencies and rate limits under tokio's
//! paused clock: its figures are virtual seconds, the same on every machine.
//!
//! [`MemoryCloud`]: kops_core::testing::MemoryCloud

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and may fail loudly")]

mod graphs;
mod makespan;
mod planning;
mod waves;

fn main() {
    // Cargo runs benchmarks as tests, too (`cargo test --benches`): then one small round is enough.
    let quick = std::env::args().any(|argument| argument == "--test");
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    planning::run(&runtime(), quick);
    makespan::run(&runtime, quick);
}

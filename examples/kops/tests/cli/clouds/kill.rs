//! Runs that are killed at any moment: the next run converges, nothing is there twice, nothing is left behind.
//!
//! The moments are right after a call has done its work and before its answer arrives: the worst there are. They are
//! spread evenly over the changing calls of a run that is not killed. `KOPS_KILL_MOMENTS=25` tries so many of an
//! update and as many of a deletion; by default it is a few.

use std::env;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use super::account::{Account, Cloud};

/// How many moments are tried.
#[expect(clippy::disallowed_methods, reason = "a test is told how thorough to be")]
fn wanted(usual: u64) -> u64 {
    env::var("KOPS_KILL_MOMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Numbers of calls, evenly spread over so many.
fn moments(of: usize, wanted: u64) -> Vec<u64> {
    let of = u64::try_from(of).unwrap();
    let wanted = wanted.min(of);
    (0..wanted).map(|nth| (2 * nth + 1) * of / (2 * wanted)).collect()
}

/// Does something for each of the moments; most of the time goes into waiting for dead runs' locks.
#[expect(clippy::print_stdout, reason = "a test tells how thorough it was")]
fn each(what: &str, calls: usize, wanted: u64, act: impl Fn(u64) + Sync) {
    let all = moments(calls, wanted);
    let (count, moments) = (all.len(), Mutex::new(all.into_iter()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(moment) = { moments.lock().unwrap().next() } {
                    act(moment);
                }
            });
        }
    });
    println!("{what}: {count} moments among {calls} changing calls");
}

/// Runs a command and kills it at a moment.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn kill<C: Cloud>(it: &Account<C>, arguments: &[&str], moment: u64) {
    let watch = it.cloud.watch();
    watch.hold(moment);
    let mut run = it.desk.start(arguments);
    while !watch.is_held() && run.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(10));
    }
    let held = watch.is_held();
    run.kill().unwrap();
    let output = run.wait_with_output().unwrap();
    // The order of calls is not the same in all runs, but their number is, within a few.
    assert!(held, "the run was over before call {moment}: {}", String::from_utf8_lossy(&output.stderr));
    watch.release();
}

/// Kills updates and deletions of a cluster; of each so many, unless the environment says otherwise.
pub(crate) fn at_many_moments<C: Cloud>(usual: u64) {
    let wanted = wanted(usual);
    let Some(clean) = Account::<C>::with_cluster() else { return };
    clean.cloud.watch().forget_calls();
    clean.apply();
    let (_, update) = clean.cloud.watch().count_calls();
    let expected = clean.made();
    clean.cloud.watch().forget_calls();
    clean.delete();
    let (_, delete) = clean.cloud.watch().count_calls();
    clean.assert_as_before();

    each("update", update, wanted, |moment| {
        let it = Account::<C>::with_cluster().unwrap();
        kill(&it, &it.update(), moment);
        it.apply();
        assert_eq!(it.made(), expected, "update, {moment}");
        it.assert_settled();
        it.delete();
        it.assert_as_before();
    });
    each("delete", delete, wanted, |moment| {
        let it = Account::<C>::with_cluster().unwrap();
        it.apply();
        kill(&it, &["delete", "cluster", &it.cluster, "--yes"], moment);
        it.delete();
        it.assert_as_before();
    });
}

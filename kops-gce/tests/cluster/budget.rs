//! How many calls a plan takes.

use crate::lab::Lab;
use crate::whole::{graph_of, usual, with_groups};

/// The number of calls of a plan without changes, as stated in README. All but one are the listings that any plan of such
/// a cluster needs. The other one lists unmanaged instance groups (`compute.instanceGroups.list`), which only a load
/// balancer of single machines has: if they were listed only while one is wanted, one that was left over would be neither
/// found nor deleted with its cluster. If the number has to grow, explain the added call here.
const CALLS: usize = 21;

async fn calls_of_plan(more: usize) -> (usize, usize) {
    let mut lab = Lab::new().await;
    let mut files = usual();
    with_groups(&mut files, more);
    let graph = graph_of(&mut lab, &files);
    lab.apply(&graph).await;
    let plan = lab.engine.plan(&graph).await.unwrap();
    lab.google.forget_calls();
    lab.engine.plan(&graph).await.unwrap();
    let calls = lab.google.calls();
    println!(
        "{more} more groups: {} objects, {} calls {:#?}",
        plan.summary.unchanged,
        calls.total(),
        calls.by_action()
    );
    (plan.summary.unchanged, calls.total())
}

#[tokio::test]
async fn a_plan_takes_few_calls_however_many_groups_there_are() {
    let (objects, calls) = calls_of_plan(0).await;
    assert!(calls <= CALLS, "{calls} calls for {objects} objects, printed above");
    let (more, with_more) = calls_of_plan(50).await;
    assert!(with_more * 2 <= calls * 3, "{with_more} calls for {more} objects");
}

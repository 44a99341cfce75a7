//! Two operators at once, and operators that die.

use kops_moto::Fault;

use super::account::{HA, account};
use crate::common::Run;

#[test]
fn of_two_updates_at_once_one_applies_and_the_other_is_told_who_does() {
    let it = account();
    it.cloud.inject(Fault::hold("ec2:CreateVpc").times(1));
    let one = it.desk.start(&["update", "cluster", HA, "--yes"]);
    it.cloud.wait_until_held();
    let error = it.desk.fails(&["update", "cluster", HA, "--yes"]);
    assert!(error.contains("is held by ann@") && error.contains(") since 20"), "{error}");
    it.cloud.release();
    let one = Run::of(one);
    assert_eq!(one.code, Some(0), "{one:#?}");
    it.assert_settled();
    it.delete();
    it.assert_as_before();
}

//! What is wrong with the account or with what is asked of it: exit code 1, one clear error that says what to
//! do, nothing changed.

use std::time::{Duration, Instant};

use kops_moto::Moto;

use super::account::{HA, account};
use crate::clouds::account::Account;
use crate::common::Run;

/// A command must fail with an error that says all of this, and must change nothing.
#[track_caller]
fn refused(it: &Account<Moto>, arguments: &[&str], says: &[&str]) {
    let before = it.cloud.snapshot();
    let exists = it.desk.run(&["get", "cluster", HA]).code == Some(0);
    it.cloud.forget_calls();
    let run = it.desk.run(arguments);
    is_refusal(&run, says);
    // The lock of a cluster that exists is freed, and its record stays.
    let mut changed = before.diff(&it.cloud.snapshot());
    changed.retain(|line| !(exists && line.contains("/clusters/.kops/ha.example.com/lock")));
    assert_eq!(changed, Vec::<String>::new());
    let calls = it.cloud.calls();
    let made: Vec<_> = calls.mutations(&["s3"]).into_iter().map(|call| &call.action).collect();
    assert!(made.is_empty(), "{made:?}");
}

#[track_caller]
fn is_refusal(run: &Run, says: &[&str]) {
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(run.err.matches("Error: ").count(), 1, "{}", run.err);
    for text in says {
        assert!(run.err.contains(text), "{text:?} is not in: {}", run.err);
    }
}

const UPDATE: [&str; 4] = ["update", "cluster", HA, "--yes"];

#[test]
fn zones_images_and_types_must_exist() {
    let it = account();
    let edit = |set: &str| {
        it.desk.ok(&["edit", "ig", "nodes-us-east-1a", "--name", HA, &format!("--set={set}")]);
    };
    edit("spec.image=ami-00000000000000000");
    refused(&it, &UPDATE, &["there is no Image", "ami-00000000000000000"]);
    edit("spec.image=099720109477/images/none-of-this-name");
    refused(&it, &UPDATE, &["there is no Image", "none-of-this-name"]);

    let it = Account::<Moto>::new().unwrap();
    let create = it.create();
    let create: Vec<_> =
        create.each_ref().iter().map(|argument| argument.replace("us-east-1c", "us-east-1z")).collect();
    refused(
        &it,
        &create.iter().map(String::as_str).collect::<Vec<_>>(),
        &["there is no AvailabilityZone", "us-east-1z"],
    );
}

#[test]
fn credentials_must_be_there_and_be_good_for_it() {
    let mut it = account();
    it.cloud.deny(&["ec2:CreateVpc"]);
    let run = it.desk.run(&UPDATE);
    is_refusal(&run, &["ec2:CreateVpc"]);
    it.cloud.deny(&[]);
    it.desk.ok(&UPDATE);
    it.desk.environment.retain(|(name, _)| name != "AWS_ACCESS_KEY_ID" && name != "AWS_SECRET_ACCESS_KEY");
    refused(&it, &["update", "cluster", HA], &["credentials"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the user's time")]
fn an_endpoint_that_does_not_answer_is_given_up() {
    let mut it = account();
    // Nobody listens there.
    it.desk.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let begun = Instant::now();
    refused(&it, &["update", "cluster", HA], &["127.0.0.1:9"]);
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
}

#[test]
fn the_bucket_must_exist_and_be_writable() {
    let it = account();
    refused(&it, &["get", "clusters", "--state=s3://there-is-no-such-bucket"], &["there-is-no-such-bucket"]);
    it.cloud.deny(&["s3:PutObject"]);
    refused(&it, &["edit", "cluster", HA, "--set=spec.cloudLabels.a=b"], &["s3:PutObject"]);
    refused(&it, &UPDATE, &["s3:PutObject"]);
}

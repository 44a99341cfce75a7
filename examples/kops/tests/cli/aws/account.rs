//! An account of AWS, and a user who works on it.

use kops_moto::{Moto, Snapshot};
use serde_json::Value;

use crate::common::{Desk, Run, changes};

/// The cluster of most tests.
pub(crate) const HA: &str = "ha.example.com";

/// The command that makes it: 3 control planes in 3 zones, private, 3 node groups, a bastion, a public load
/// balancer for the API, and public DNS.
pub(crate) const CREATE: [&str; 17] = [
    "create",
    "cluster",
    HA,
    "--cloud=aws",
    "--zones=us-east-1a,us-east-1b,us-east-1c",
    "--control-plane-count=3",
    "--control-plane-size=m5.large",
    "--node-count=3",
    "--node-size=m5.large",
    "--topology=private",
    "--bastion",
    "--api-loadbalancer-type=public",
    "--dns=public",
    "--dns-zone=example.com",
    "--networking=cilium",
    "--admin-access=192.0.2.0/24",
    "--kubernetes-version=1.34.1",
];

/// A user with credentials for an account of their own, in which others have objects of every kind.
pub(crate) struct Account {
    pub(crate) desk: Desk,
    pub(crate) moto: Moto,
    /// The account before there was a cluster.
    before: Snapshot,
}

impl Account {
    pub(crate) fn new() -> Self {
        let moto = Moto::start();
        moto.create_zone("example.com");
        moto.seed_foreign(HA);
        let bucket = moto.create_bucket("state");
        let mut desk = Desk::new();
        for (name, value) in moto.env() {
            desk.set(name, &value);
        }
        desk.set("KOPS_STATE_STORE", &format!("s3://{bucket}/clusters"));
        let before = moto.snapshot();
        Self { desk, moto, before }
    }

    /// With the cluster's specification in the state store.
    pub(crate) fn with_cluster() -> Self {
        let account = Self::new();
        account.desk.ok(&CREATE);
        account
    }

    /// Applies the cluster's specification.
    #[track_caller]
    pub(crate) fn apply(&self) -> String {
        self.desk.ok(&["update", "cluster", HA, "--yes"])
    }

    /// What the plan of the cluster says.
    #[track_caller]
    pub(crate) fn changes(&self) -> Vec<String> {
        changes(&self.plan())
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> Value {
        self.desk.plan(HA, &[])
    }

    /// There is nothing to do, and nothing is done to find that out.
    #[track_caller]
    pub(crate) fn assert_settled(&self) {
        self.moto.forget_calls();
        let run = self.desk.run(&["update", "cluster", HA, "--detailed-exitcode"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let calls = self.moto.calls();
        assert_eq!(calls.mutations(&[]).len(), 0, "{:#?}", calls.by_action());
    }

    #[track_caller]
    pub(crate) fn delete(&self) -> Run {
        let run = self.desk.run(&["delete", "cluster", HA, "--yes"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        run
    }

    /// The account is as it was before there was a cluster, its state store included.
    #[track_caller]
    pub(crate) fn assert_as_before(&self) {
        assert_eq!(self.before.diff(&self.moto.snapshot()), Vec::<String>::new());
    }

    /// How many objects of each kind there are that were not there before.
    pub(crate) fn made(&self) -> Vec<(String, usize)> {
        let (before, now) = (self.before.counts(), self.moto.snapshot());
        let counts = now.counts().into_iter();
        let more = counts.map(|(kind, count)| (kind.to_owned(), count - before.get(kind).unwrap_or(&0)));
        more.filter(|(_, count)| *count > 0).collect()
    }
}

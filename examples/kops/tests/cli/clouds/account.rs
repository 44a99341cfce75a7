//! An account of a cloud, and a user who works on it.

use kops_emulator::{Fault, Snapshot, Tenant};
use serde_json::Value;

use crate::common::{Desk, Run, changes};

/// A cloud that the command line works on.
pub(crate) trait Cloud: Sized + Sync {
    /// An account of its own; `None`, and a loud message, when the cloud cannot be had here.
    fn start() -> Option<Self>;

    /// The public DNS zone that the cluster's names are in.
    fn zone(&self) -> String {
        "example.com".to_owned()
    }

    /// Makes the zone, and objects of others of every kind.
    fn furnish(&self, cluster: &str);

    /// Where the state is kept, made if need be; a directory on the desk unless the cloud says otherwise.
    fn state_store(&self) -> Option<String> {
        None
    }

    /// What a program has to find in its environment.
    fn environment(&self) -> Vec<(&'static str, String)>;

    /// The flags of `create cluster` by which the cloud differs from others.
    fn flags(&self) -> Vec<String>;

    /// What watches over the account.
    fn watch(&self) -> &dyn Watch;
}

/// What tests see of an account beside the program, and how they stop the program in the middle of a call.
pub(crate) trait Watch {
    /// All that the account holds.
    fn objects(&self) -> Snapshot;

    /// Starts the count of calls anew.
    fn forget_calls(&self);

    /// How many calls since then there were, and how many of them may have changed something; those to the state
    /// store included.
    fn count_calls(&self) -> (usize, usize);

    /// Has the work of the changing call of this number done, from 0 and counted from now, and its answer kept back.
    fn hold(&self, number: u64);

    /// Whether it is kept back.
    fn is_held(&self) -> bool;

    /// Forgets what was to be held, and lets go what is. Returns when the cloud has done with what a dead client has
    /// sent: what is made after the next run has looked, only the run after that finds.
    fn release(&self);
}

impl Watch for Tenant {
    fn objects(&self) -> Snapshot {
        self.snapshot()
    }

    fn forget_calls(&self) {
        self.forget_calls();
    }

    fn count_calls(&self) -> (usize, usize) {
        let calls = self.calls();
        (calls.total(), calls.mutations(&[]).len())
    }

    fn hold(&self, number: u64) {
        self.inject(Fault::hold("*").mutations().skip(number).times(1));
    }

    fn is_held(&self) -> bool {
        self.held() > 0
    }

    fn release(&self) {
        self.clear_faults();
    }
}

/// A key that nobody has the other half of.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";

/// A user with credentials for an account of their own, in which others have objects of every kind.
pub(crate) struct Account<C> {
    pub(crate) desk: Desk,
    pub(crate) cloud: C,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// The account before there was a cluster.
    before: Snapshot,
}

impl<C: Cloud> Account<C> {
    pub(crate) fn new() -> Option<Self> {
        let cloud = C::start()?;
        let cluster = format!("ha.{}", cloud.zone());
        cloud.furnish(&cluster);
        let mut desk = Desk::new();
        for (name, value) in cloud.environment() {
            desk.set(name, &value);
        }
        if let Some(state) = cloud.state_store() {
            desk.set("KOPS_STATE_STORE", &state);
        }
        let before = cloud.watch().objects();
        Some(Self { desk, cloud, cluster, before })
    }

    /// With the cluster's specification in the state store: 3 control planes, private, 3 nodes, a bastion, a public
    /// load balancer for the API, and public DNS.
    pub(crate) fn with_cluster() -> Option<Self> {
        let account = Self::new()?;
        account.desk.ok(&account.create().each_ref());
        Some(account)
    }

    /// The command that makes the specification.
    pub(crate) fn create(&self) -> Arguments {
        let usual = [
            "--control-plane-count=3",
            "--node-count=3",
            "--topology=private",
            "--bastion",
            "--api-loadbalancer-type=public",
            "--dns=public",
            "--networking=cilium",
            "--admin-access=192.0.2.0/24",
            "--kubernetes-version=1.34.1",
        ];
        let mut arguments = vec!["create".to_owned(), "cluster".to_owned(), self.cluster.clone()];
        arguments.extend(usual.map(str::to_owned));
        arguments.push(format!("--dns-zone={}", self.cloud.zone()));
        arguments.push(format!("--ssh-public-key={}", self.desk.write("key.pub", KEY)));
        arguments.extend(self.cloud.flags());
        Arguments(arguments)
    }

    /// The command that applies the specification.
    pub(crate) fn update(&self) -> [&str; 4] {
        ["update", "cluster", &self.cluster, "--yes"]
    }

    /// Applies the cluster's specification.
    #[track_caller]
    pub(crate) fn apply(&self) -> String {
        self.desk.ok(&self.update())
    }

    /// What the plan of the cluster says.
    #[track_caller]
    pub(crate) fn changes(&self) -> Vec<String> {
        changes(&self.plan())
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> Value {
        self.desk.plan(&self.cluster, &[])
    }

    /// There is nothing to do, and nothing is done to find that out; gives how many calls that took.
    #[track_caller]
    pub(crate) fn assert_settled(&self) -> usize {
        self.cloud.watch().forget_calls();
        let run = self.desk.run(&["update", "cluster", &self.cluster, "--detailed-exitcode"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let (calls, mutations) = self.cloud.watch().count_calls();
        assert_eq!(mutations, 0, "{run:#?}");
        calls
    }

    #[track_caller]
    pub(crate) fn delete(&self) -> Run {
        let run = self.desk.run(&["delete", "cluster", &self.cluster, "--yes"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        run
    }

    /// The account is as it was before there was a cluster, its state store included.
    #[track_caller]
    pub(crate) fn assert_as_before(&self) {
        assert_eq!(self.before.diff(&self.cloud.watch().objects()), Vec::<String>::new());
    }

    /// How many objects of each kind there are that were not there before.
    pub(crate) fn made(&self) -> Vec<(String, usize)> {
        let (before, now) = (self.before.counts(), self.cloud.watch().objects());
        let counts = now.counts().into_iter();
        let more = counts.map(|(kind, count)| (kind.to_owned(), count - before.get(kind).unwrap_or(&0)));
        more.filter(|(_, count)| *count > 0).collect()
    }
}

/// Arguments that were put together.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn each_ref(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

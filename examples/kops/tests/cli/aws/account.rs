//! AWS (the emulator moto), with the state in S3.

use kops_moto::Moto;

use crate::clouds::account::{Account, Cloud, Watch};

/// The cluster of all tests.
pub(crate) const HA: &str = "ha.example.com";

impl Cloud for Moto {
    fn start() -> Option<Self> {
        Some(Self::start())
    }

    fn furnish(&self, cluster: &str) {
        self.create_zone(&self.zone());
        self.seed_foreign(cluster);
    }

    fn state_store(&self) -> Option<String> {
        Some(format!("s3://{}/clusters", self.create_bucket("state")))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        self.env()
    }

    fn flags(&self) -> Vec<String> {
        vec![
            "--cloud=aws".to_owned(),
            "--zones=us-east-1a,us-east-1b,us-east-1c".to_owned(),
            "--control-plane-size=m5.large".to_owned(),
            "--node-size=m5.large".to_owned(),
        ]
    }

    fn watch(&self) -> &dyn Watch {
        &**self
    }
}

/// An account with the cluster's specification in its state store.
pub(crate) fn account() -> Account<Moto> {
    Account::with_cluster().unwrap()
}

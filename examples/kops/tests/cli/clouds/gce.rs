//! Google Cloud (the emulator that Google's discovery documents drive), with the state in Cloud Storage.

use kops_gce_emulator::{Emulator, IMAGE};

use super::account::{Cloud, Watch};
use super::{kill, life};

impl Cloud for Emulator {
    fn start() -> Option<Self> {
        Some(Self::start())
    }

    fn furnish(&self, cluster: &str) {
        self.create_zone(&self.zone());
        self.seed_foreign(cluster);
    }

    fn state_store(&self) -> Option<String> {
        Some(format!("gs://{}/clusters", self.create_bucket("state")))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        self.env()
    }

    fn flags(&self) -> Vec<String> {
        vec![
            "--cloud=gce".to_owned(),
            format!("--project={}", self.project()),
            "--zones=europe-west1-b,europe-west1-c,europe-west1-d".to_owned(),
            "--control-plane-size=n2-standard-2".to_owned(),
            "--node-size=n2-standard-2".to_owned(),
            format!("--image={IMAGE}"),
        ]
    }

    fn watch(&self) -> &dyn Watch {
        &**self
    }
}

#[test]
fn a_cluster_lives() {
    life::of_a_cluster::<Emulator>("n2-standard-4");
}

#[test]
fn killed_runs_are_taken_up_again() {
    kill::at_many_moments::<Emulator>(3);
}

//! Azure (the emulator that Microsoft's mappers drive).

use kops_azure_emulator::Emulator;

use super::account::{Cloud, Watch};
use super::{kill, life};

impl Cloud for Emulator {
    fn start() -> Option<Self> {
        Some(Self::start())
    }

    fn furnish(&self, cluster: &str) {
        self.create_zone("dns", &self.zone());
        self.seed_foreign(cluster);
        // What others made is complete before anything is compared.
        self.settle();
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        self.env()
    }

    fn flags(&self) -> Vec<String> {
        vec![
            "--cloud=azure".to_owned(),
            format!("--azure-subscription-id={}", self.subscription()),
            "--zones=westeurope-1,westeurope-2,westeurope-3".to_owned(),
            "--control-plane-size=Standard_D2s_v5".to_owned(),
            "--node-size=Standard_D2s_v5".to_owned(),
            "--image=Canonical:ubuntu-24_04-lts:server:latest".to_owned(),
        ]
    }

    fn watch(&self) -> &dyn Watch {
        &**self
    }
}

#[test]
fn a_cluster_lives() {
    life::of_a_cluster::<Emulator>("Standard_D4s_v5");
}

#[test]
fn killed_runs_are_taken_up_again() {
    kill::at_many_moments::<Emulator>(3);
}

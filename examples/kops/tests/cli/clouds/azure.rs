//! Azure (the emulator that Microsoft's mappers drive), with the state in blobs (Azurite).

use kops_azure_emulator::Emulator;
use kops_azure_emulator::azurite::{ACCOUNT, Azurite, KEY};

use super::account::{Cloud, Watch};
use super::{kill, life};

/// What watches over the account does not see the blobs: they are another server's.
struct Azure {
    emulator: Emulator,
    blobs: Azurite,
}

impl Cloud for Azure {
    fn start() -> Option<Self> {
        Some(Self { blobs: Azurite::start()?, emulator: Emulator::start() })
    }

    fn furnish(&self, cluster: &str) {
        self.emulator.create_zone("dns", &self.zone());
        self.emulator.seed_foreign(cluster);
        // What others made is complete before anything is compared.
        self.emulator.settle();
    }

    fn state_store(&self) -> Option<String> {
        Some(format!("azureblob://{ACCOUNT}/{}/clusters", self.blobs.container()))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.emulator.env();
        environment.push(("AZURE_STORAGE_SERVICE_ENDPOINT", self.blobs.endpoint()));
        environment.push(("AZURE_STORAGE_ACCOUNT", ACCOUNT.to_owned()));
        environment.push(("AZURE_STORAGE_KEY", KEY.to_owned()));
        environment
    }

    fn flags(&self) -> Vec<String> {
        vec![
            "--cloud=azure".to_owned(),
            format!("--azure-subscription-id={}", self.emulator.subscription()),
            "--zones=westeurope-1,westeurope-2,westeurope-3".to_owned(),
            "--control-plane-size=Standard_D2s_v5".to_owned(),
            "--node-size=Standard_D2s_v5".to_owned(),
            "--image=Canonical:ubuntu-24_04-lts:server:latest".to_owned(),
        ]
    }

    fn watch(&self) -> &dyn Watch {
        &*self.emulator
    }
}

#[test]
fn a_cluster_lives() {
    life::of_a_cluster::<Azure>("Standard_D4s_v5");
}

#[test]
fn killed_runs_are_taken_up_again() {
    kill::at_many_moments::<Azure>(3);
}

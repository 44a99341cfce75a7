//! OpenStack (the real services), with the state in Swift.

use std::sync::atomic::{AtomicUsize, Ordering};

use kops_openstack_lab::{Call, EXTERNAL_NETWORK, FLAVORS, Fault, IMAGE, Lab, Snapshot, ZONE};
use serde_json::Value;

use super::account::{Cloud, Watch};
use super::{kill, life};

struct Openstack {
    lab: Lab,
    /// How many of the calls are forgotten.
    forgotten: AtomicUsize,
}

impl Cloud for Openstack {
    fn start() -> Option<Self> {
        Some(Self { lab: Lab::start()?, forgotten: AtomicUsize::new(0) })
    }

    fn zone(&self) -> String {
        // Zones are the whole cloud's.
        format!("{}.example.com", self.lab.name())
    }

    fn furnish(&self, _: &str) {
        self.lab.create_zone(&self.zone());
        self.lab.seed_foreign();
    }

    fn state_store(&self) -> Option<String> {
        self.lab.rest().call("swift", "PUT", "v1/AUTH_{project}/state", &Value::Null);
        Some("swift://state/clusters".to_owned())
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        self.lab.env()
    }

    fn flags(&self) -> Vec<String> {
        vec![
            "--cloud=openstack".to_owned(),
            format!("--os-ext-net={EXTERNAL_NETWORK}"),
            format!("--zones={ZONE}"),
            format!("--control-plane-size={}", FLAVORS[1]),
            format!("--node-size={}", FLAVORS[1]),
            format!("--image={IMAGE}"),
            "--set=spec.cloudProvider.openstack.loadbalancer.useOctavia=true".to_owned(),
        ]
    }

    fn watch(&self) -> &dyn Watch {
        self
    }
}

impl Watch for Openstack {
    fn objects(&self) -> Snapshot {
        self.lab.inventory()
    }

    fn forget_calls(&self) {
        self.forgotten.store(self.lab.calls().len(), Ordering::Relaxed);
    }

    fn count_calls(&self) -> (usize, usize) {
        let calls = self.lab.calls().split_off(self.forgotten.load(Ordering::Relaxed));
        (calls.len(), calls.iter().filter(|call| Call::mutates(call)).count())
    }

    fn hold(&self, number: u64) {
        let number = usize::try_from(number).unwrap();
        self.lab.inject(&[Fault::hold("*", "*", "").times(number, 1)]);
    }

    fn is_held(&self) -> bool {
        self.lab.held() > 0
    }

    fn release(&self) {
        self.lab.inject(&[]);
        self.lab.wait_until_quiet();
    }
}

#[test]
fn a_cluster_lives() {
    life::of_a_cluster::<Openstack>(FLAVORS[2]);
}

#[test]
fn killed_runs_are_taken_up_again() {
    kill::at_many_moments::<Openstack>(1);
}

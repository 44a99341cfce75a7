//! OpenStack (the real services), with the state in Swift.

use kops_openstack_lab::{EXTERNAL_NETWORK, FLAVORS, IMAGE, Lab, ZONE};
use serde_json::Value;

use super::account::{Cloud, Watch};
use super::{kill, life};

impl Cloud for Lab {
    fn start() -> Option<Self> {
        Self::start()
    }

    fn zone(&self) -> String {
        // Zones are the whole cloud's.
        format!("{}.example.com", self.user_agent())
    }

    fn furnish(&self, _: &str) {
        self.create_zone(&self.zone());
        self.seed_foreign();
    }

    fn state_store(&self) -> Option<String> {
        self.rest().call("swift", "PUT", "v1/AUTH_{project}/state", &Value::Null);
        Some("swift://state/clusters".to_owned())
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.env();
        environment.push(("KOPS_USER_AGENT", self.user_agent().to_owned()));
        environment
    }

    fn flags(&self) -> Vec<String> {
        vec![
            "--cloud=openstack".to_owned(),
            format!("--os-ext-net={EXTERNAL_NETWORK}"),
            format!("--zones={ZONE}"),
            format!("--control-plane-size={}", FLAVORS[1]),
            format!("--node-size={}", FLAVORS[1]),
            format!("--image={IMAGE}"),
        ]
    }

    fn watch(&self) -> &dyn Watch {
        self
    }
}

#[test]
fn a_cluster_lives() {
    life::of_a_cluster::<Lab>(FLAVORS[2]);
}

#[test]
fn killed_runs_are_taken_up_again() {
    kill::at_many_moments::<Lab>(1);
}

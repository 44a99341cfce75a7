//! What the fixtures of the conformance suite have in common: a project on the emulator.

use std::sync::{Arc, Mutex};

use kops_core::cloud::Cloud;
use kops_core::testing::conformance::{Item, Requests};
use kops_gce_emulator::Emulator;
use serde_json::{Value, json};

use crate::lab;

pub(crate) struct OnEmulator {
    pub(crate) google: Emulator,
    pub(crate) cloud: Arc<dyn Cloud>,
    /// The same project in another region.
    pub(crate) elsewhere: Arc<dyn Cloud>,
    /// How to delete what belongs to nobody: method and parameters.
    planted: Mutex<Vec<(&'static str, Value)>>,
}

impl OnEmulator {
    pub(crate) async fn new() -> Self {
        let google = Emulator::start();
        let (cloud, elsewhere) = (lab::connect(&google).await, lab::connect_to(&google, "us-east1").await);
        Self { google, cloud, elsewhere, planted: Mutex::default() }
    }

    pub(crate) fn requests(&self) -> Requests {
        let calls = self.google.calls();
        let count = |calls: usize| u64::try_from(calls).unwrap();
        Requests::new(count(calls.total()), count(calls.mutations(&[]).len()))
    }

    pub(crate) fn inventory(&self) -> Vec<Item> {
        self.google.settle();
        let project = self.google.snapshot();
        let items = project.counts().into_keys().flat_map(|kind| {
            project.objects(kind).map(move |(id, content)| Item::new(kind, id, content.clone()))
        });
        items.collect()
    }

    /// Makes something that belongs to nobody, and has it deleted when the rule is over.
    pub(crate) fn plant(
        &self,
        insert: &str,
        parameters: Value,
        body: Value,
        delete: &'static str,
        id: Value,
    ) {
        self.google.call(insert, parameters, body);
        self.planted.lock().unwrap().push((delete, id));
    }

    /// Deletes what was planted, the last first.
    pub(crate) fn uproot(&self) {
        for (delete, parameters) in std::mem::take(&mut *self.planted.lock().unwrap()).into_iter().rev() {
            self.google.call(delete, parameters, json!(null));
        }
    }
}

//! What the fixtures of the conformance suite have in common: an account on the emulator.

use std::sync::{Arc, Mutex};

use kops_core::cloud::Cloud;
use kops_core::testing::conformance::{Item, Requests};
use kops_moto::Moto;
use serde_json::Value;

use crate::lab;

pub(crate) struct OnMoto {
    pub(crate) moto: Moto,
    pub(crate) cloud: Arc<dyn Cloud>,
    /// The same account in another region.
    pub(crate) elsewhere: Arc<dyn Cloud>,
    /// How to delete what belongs to nobody: service, call, arguments.
    planted: Mutex<Vec<(&'static str, &'static str, Value)>>,
}

impl OnMoto {
    pub(crate) async fn new() -> Self {
        let moto = Moto::start();
        let (cloud, elsewhere) = (lab::connect(&moto).await, lab::connect_to(&moto, "eu-west-1").await);
        Self { moto, cloud, elsewhere, planted: Mutex::default() }
    }

    pub(crate) fn requests(&self) -> Requests {
        let calls = self.moto.calls();
        let count = |calls: usize| u64::try_from(calls).unwrap();
        Requests::new(count(calls.total()), count(calls.mutations(&[]).len()))
    }

    pub(crate) fn inventory(&self) -> Vec<Item> {
        let account = self.moto.snapshot();
        let items = account.counts().into_keys().flat_map(|kind| {
            account.objects(kind).map(move |(id, content)| Item::new(kind, id, content.clone()))
        });
        items.collect()
    }

    /// Makes something that belongs to nobody. `id` is the way to its identifier in the answer.
    pub(crate) fn make(&self, service: &str, call: &str, arguments: Value, id: &[&str]) -> Value {
        let made = self.moto.boto(service, call, arguments);
        id.iter().fold(made, |value, key| value[*key].clone())
    }

    /// Has something deleted when the rule is over; the last first.
    pub(crate) fn delete_later(&self, service: &'static str, call: &'static str, arguments: Value) {
        self.planted.lock().unwrap().push((service, call, arguments));
    }

    pub(crate) fn uproot(&self) {
        let planted = std::mem::take(&mut *self.planted.lock().unwrap());
        for (service, call, arguments) in planted.into_iter().rev() {
            self.moto.boto(service, call, arguments);
        }
    }
}

/// Whether objects of a kind are inside others: they can be neither shared nor retained by themselves.
pub(crate) fn is_part(kind: &str) -> bool {
    [
        "VpcCidrBlock",
        "DhcpOptionsAssociation",
        "Route",
        "RouteTableAssociation",
        "SecurityGroupRules",
        "LifecycleHook",
        "NetworkLoadBalancerListener",
        "IamRolePolicy",
    ]
    .contains(&kind)
}

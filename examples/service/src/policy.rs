//! The policy of this service.

use kops_core::cloud::Class;
use kops_core::plan::{Action, Plan};
use kops_core::{Policy, Refusal};

/// Rejects plans that delete or replace objects with data, on any cloud.
#[derive(Clone, Copy, Debug)]
pub struct KeepData;

impl Policy for KeepData {
    fn check(&self, plan: &Plan) -> Vec<Refusal> {
        let loses = |action| matches!(action, Action::Delete | Action::Replace);
        let lost = plan.changes.iter().filter(|change| change.class == Class::Data && loses(change.action));
        lost.map(|change| Refusal::new("keep-data", "it contains data").about(&change.task)).collect()
    }
}

//! Roles of service accounts in the project: members of roles in the project's policy.
//!
//! The policy is one document with everyone's bindings. A binding here is one member of one role, added to or
//! removed from whatever else the policy contains; the policy's `etag` prevents concurrent changes from
//! overwriting each other.
//!
//! **Ownership.** A binding has no field for an owner. It is the scope's if its member is a service account
//! of the scope: such an account is owned as a whole, and a role that someone else granted it is reverted
//! like any other manual change.

use std::sync::Arc;

use async_trait::async_trait;
use google_cloud_iam_v1::model::{Binding, GetPolicyOptions, Policy};
use google_cloud_type::model::Expr;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Update,
    Wanted,
};
use kops_core::graph::{Closed, Id, Input, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::ServiceAccount;
use super::service_account;
use crate::clients::Clients;

/// A role that a service account has in the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ProjectIamBinding<S: Stage = Open> {
    /// The role: `roles/compute.viewer`.
    pub role: String,
    /// The service account that has the role.
    pub service_account: At<S, Id<ServiceAccount>>,
    /// The condition under which it applies; always if `None`.
    pub condition: Option<Condition>,
}

/// A condition in IAM's expression language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// A title for users.
    pub title: String,
    /// The expression: <https://cloud.google.com/iam/docs/conditions-overview>.
    pub expression: String,
}

impl Resource for ProjectIamBinding {
    const KIND: &'static str = "ProjectIamBinding";
    type Resolved = ProjectIamBinding<Closed>;
}

pub(crate) struct ProjectIamBindings(pub(crate) Clients);

type Spec = ProjectIamBinding<Closed>;

/// The policy version that supports conditions:
/// <https://cloud.google.com/iam/docs/policies#specifying-version-set>.
const VERSION: i32 = 3;
const MEMBER: &str = "serviceAccount:";

impl ProjectIamBindings {
    async fn read(&self, cx: &Context) -> Result<Policy> {
        let get = self.0.projects.get_iam_policy().set_resource(format!("projects/{}", self.0.project));
        let get = get.set_options(GetPolicyOptions::new().set_requested_policy_version(VERSION));
        self.0.call(cx, "resourcemanager.projects.getIamPolicy", get.send()).await
    }

    /// Changes the policy, unless there is nothing to do.
    async fn change(&self, cx: &Context, change: impl FnOnce(&mut Policy) -> bool) -> Result<()> {
        let _alone = self.0.policy.lock().await;
        let mut policy = self.read(cx).await?;
        if !change(&mut policy) {
            return Ok(());
        }
        policy.version = VERSION;
        let set = self.0.projects.set_iam_policy().set_resource(format!("projects/{}", self.0.project));
        self.0.call(cx, "resourcemanager.projects.setIamPolicy", set.set_policy(policy).send()).await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for ProjectIamBindings {
    type Kind = ProjectIamBinding;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Spec>>> {
        // The engine is waiting for a change, so an observation's memoised listing is of no use.
        let fresh = query.cx.fresh();
        let cx = if matches!(query.filter, Filter::Ids(_)) { &fresh } else { query.cx };
        let (policy, accounts): (Policy, Arc<_>) =
            futures_util::future::try_join(self.read(cx), service_account::all(&self.0, cx)).await?;
        let accounts: Vec<_> =
            accounts.iter().map(|account| service_account::object(query.scope, account)).collect();
        let mut found = Vec::new();
        for binding in &policy.bindings {
            for email in binding.members.iter().filter_map(|member| member.strip_prefix(MEMBER)) {
                let account = accounts.iter().find(|account| account.id == email);
                let Some((account, task)) = account.and_then(|it| Some((it, it.name.as_deref()?))) else {
                    continue;
                };
                let spec = Spec {
                    role: binding.role.clone(),
                    service_account: Id::new(email),
                    condition: binding.condition.as_ref().map(condition),
                };
                let id = id_of(&spec);
                let name = match query.filter {
                    Filter::Scope { wanted, .. } => task_of(wanted, &spec, task)?,
                    Filter::Ids(_) => None,
                };
                let name = name.unwrap_or_else(|| id.clone());
                found.push(Object::owned(id, name, spec).retained(account.retained));
            }
        }
        if let Filter::Ids(ids) = query.filter {
            found.retain(|object| ids.contains(&object.id));
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Spec>) -> Result<Object<Spec>> {
        let spec = request.spec;
        self.change(request.cx, |policy| add(policy, spec)).await?;
        let object = Object::owned(id_of(spec), request.name, spec.clone());
        Ok(object.retained(request.retained))
    }

    async fn update(&self, _: Update<'_, Spec>) -> Result<Object<Spec>> {
        Err(Error::internal("a binding cannot be changed in place"))
    }

    async fn delete(&self, request: Delete<'_, Spec>) -> Result<Deletion> {
        let spec = &request.object.spec;
        self.change(request.cx, |policy| remove(policy, spec)).await?;
        Ok(Deletion::Done)
    }
}

/// The requested task that a binding of the account of the task `account` belongs to.
fn task_of(wanted: &[Wanted<'_>], spec: &Spec, account: &str) -> Result<Option<String>> {
    for task in wanted {
        let other: ProjectIamBinding<Open> = task.spec.decode().map_err(|error| {
            Error::internal(format!("the specification of {} is invalid", task.name)).with_source(error)
        })?;
        let same_account = match &other.service_account {
            Input::Known(id) => *id == spec.service_account,
            Input::Output(output) => output.task.name() == account,
            Input::Concat(_) => false,
        };
        if same_account && other.role == spec.role && other.condition == spec.condition {
            return Ok(Some(task.name.to_owned()));
        }
    }
    Ok(None)
}

fn id_of(spec: &Spec) -> String {
    match &spec.condition {
        Some(condition) => format!("{} {} {}", spec.role, spec.service_account, condition.expression),
        None => format!("{} {}", spec.role, spec.service_account),
    }
}

fn condition(expression: &Expr) -> Condition {
    Condition { title: expression.title.clone(), expression: expression.expression.clone() }
}

fn is_for(binding: &Binding, spec: &Spec) -> bool {
    binding.role == spec.role && binding.condition.as_ref().map(condition) == spec.condition
}

fn member(spec: &Spec) -> String {
    format!("{MEMBER}{}", spec.service_account)
}

fn add(policy: &mut Policy, spec: &Spec) -> bool {
    let member = member(spec);
    if let Some(binding) = policy.bindings.iter_mut().find(|binding| is_for(binding, spec)) {
        let missing = !binding.members.contains(&member);
        if missing {
            binding.members.push(member);
        }
        return missing;
    }
    let expression =
        spec.condition.as_ref().map(|it| Expr::new().set_title(&it.title).set_expression(&it.expression));
    let binding = Binding::new().set_role(&spec.role).set_members([member]);
    policy.bindings.push(binding.set_or_clear_condition(expression));
    true
}

fn remove(policy: &mut Policy, spec: &Spec) -> bool {
    let member = member(spec);
    let mut removed = false;
    for binding in policy.bindings.iter_mut().filter(|binding| is_for(binding, spec)) {
        let before = binding.members.len();
        binding.members.retain(|it| *it != member);
        removed |= binding.members.len() != before;
    }
    policy.bindings.retain(|binding| !binding.members.is_empty());
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(condition: Option<Condition>) -> Spec {
        Spec { role: "roles/viewer".to_owned(), service_account: Id::new("a@p"), condition }
    }

    #[test]
    fn others_are_left_alone() {
        let theirs = Binding::new().set_role("roles/viewer").set_members(["user:b"]);
        let mut policy = Policy::new().set_bindings([theirs.clone()]);
        assert!(add(&mut policy, &spec(None)));
        assert!(!add(&mut policy, &spec(None)), "once is enough");
        let sometimes = Condition { title: "t".to_owned(), expression: "false".to_owned() };
        assert!(add(&mut policy, &spec(Some(sometimes.clone()))));
        assert_eq!(policy.bindings.len(), 2);
        assert!(remove(&mut policy, &spec(None)) && remove(&mut policy, &spec(Some(sometimes))));
        assert!(!remove(&mut policy, &spec(None)));
        assert_eq!(policy.bindings, [theirs]);
    }
}

//! Role assignments: the permissions of identities.
//!
//! They carry no tags, but a description, which contains a [`Mark`]. Their name is a GUID that the caller
//! chooses: ours is derived from scope and task, so that a repeated creation creates the same one. Azure
//! rejects changes of an assignment.

use async_trait::async_trait;
use azure_mgmt_authorization::models;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query,
    Scope, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::UserAssignedIdentity;
use super::arm::{self, Calls, calls};
use super::user_assigned_identity::UserAssignedIdentities;
use crate::clients::{Clients, pages, sent};
use crate::{ids, names};

/// A role of an identity on an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RoleAssignment<S: Stage = Open> {
    /// The identifier of the object: a resource group, a resource or a subscription.
    pub scope: At<S, String>,
    /// The GUID of the role definition, the same in every subscription for built-in roles:
    /// <https://learn.microsoft.com/en-us/azure/role-based-access-control/built-in-roles>.
    pub role: String,
    /// The identity that has the role.
    pub identity: At<S, Id<UserAssignedIdentity>>,
    /// The identity's principal.
    pub principal: At<S, String>,
}

impl Resource for RoleAssignment {
    const KIND: &'static str = "RoleAssignment";
    type Resolved = RoleAssignment<Closed>;
}

const CALLS: Calls = calls!("Microsoft.Authorization/roleAssignments");

#[derive(Debug)]
pub(crate) struct RoleAssignments(pub(crate) Clients);

/// The name of a task's assignment.
fn guid(scope: &Scope, task: &str) -> String {
    names::guid(&format!("{}\n{task}", scope.name()))
}

/// The code of a principal that is not known yet.
const PRINCIPAL: &str = "PrincipalNotFound";

#[async_trait]
impl Handler for RoleAssignments {
    type Kind = RoleAssignment;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    /// All of the subscription in one listing: an assignment may be on an object outside of the resource
    /// group.
    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<RoleAssignment<Closed>>>> {
        let mut cx = Context::default();
        let query = &arm::looking_anew(query, &mut cx);
        let list = self.0.authorization.role_assignments_client().list_for_subscription(&self.0.subscription);
        let found = self.0.list(query.cx, CALLS.read, pages(list.into_stream(), |page| page.value)).await?;
        let own = self.0.group(query.scope);
        let identities = arm::all::<UserAssignedIdentities>(&self.0, query.cx, &own).await?;
        let observed = found.iter().map(|model| self.observed(query.scope, model, &identities));
        Ok(match query.filter {
            Filter::Ids(ids) => {
                observed.filter(|object| ids.iter().any(|id| ids::same(id, &object.id))).collect()
            }
            Filter::Scope { wanted, shared, .. } => observed
                .filter_map(|mut object| {
                    let called = ids::name(&object.id).to_owned();
                    if object.name.is_none() {
                        let taken = wanted.iter().find(|task| guid(query.scope, task.name) == called);
                        object.name = taken.map(|task| task.name.to_owned());
                    }
                    let meant = shared.iter().any(|id| ids::same(id, &object.id));
                    (object.name.is_some() || meant).then_some(object)
                })
                .collect(),
        })
    }

    async fn create(
        &self,
        request: Create<'_, RoleAssignment<Closed>>,
    ) -> Result<Object<RoleAssignment<Closed>>> {
        let spec = request.spec;
        let definition = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{}",
            self.0.subscription, spec.role
        );
        let mut properties = models::RoleAssignmentProperties::new(definition, spec.principal.clone());
        // Without it Azure looks the principal up, and does not find one that is seconds old.
        properties.principal_type = Some(models::role_assignment_properties::PrincipalType::ServicePrincipal);
        properties.description = Some(Mark::of_new(&request).text());
        let parameters = models::RoleAssignmentCreateParameters::new(properties);
        let name = guid(request.scope, request.name);
        let client = self.0.authorization.role_assignments_client();
        let create = client.create(spec.scope.trim_start_matches('/'), name, parameters);
        let made = self.0.fetch(request.cx, CALLS.write, sent(create.send())).await;
        let made: models::RoleAssignment = made.map_err(|error| {
            let own = ids::group(&spec.scope).is_some_and(|it| ids::same(it, &self.0.group(request.scope)));
            // Only the identity, which is ours, can be too young to be known.
            let is_missing =
                error.kind() == ErrorKind::NotYetVisible && !error.message().starts_with(PRINCIPAL);
            if own || !is_missing {
                return error;
            }
            Error::not_found(format!("{}, on which the role would be, does not exist", spec.scope))
                .with_call(CALLS.write)
                .with_hint("check cloudProvider.azure.storageAccountID")
                .with_source(error)
        })?;
        let object = self.observed(request.scope, &made, &[]);
        Ok(object.map(|seen| RoleAssignment { identity: spec.identity.clone(), ..seen }))
    }

    async fn update(
        &self,
        request: Update<'_, RoleAssignment<Closed>>,
    ) -> Result<Object<RoleAssignment<Closed>>> {
        // Every change replaces the assignment.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, RoleAssignment<Closed>>) -> Result<Deletion> {
        let id = &request.object.id;
        let delete = self.0.authorization.role_assignments_client().delete_by_id(id.trim_start_matches('/'));
        arm::deleted(&self.0, request.cx, CALLS.delete, id, sent(delete.send())).await
    }
}

impl RoleAssignments {
    fn observed(
        &self,
        scope: &Scope,
        model: &models::RoleAssignment,
        identities: &[azure_mgmt_msi::models::Identity],
    ) -> Object<RoleAssignment<Closed>> {
        let own = self.0.group(scope);
        let id = ids::canonical(model.id.as_deref().unwrap_or_default(), &own);
        let Some(properties) = &model.properties else {
            let spec = RoleAssignment {
                scope: String::new(),
                role: String::new(),
                identity: Id::new(""),
                principal: String::new(),
            };
            return Object::foreign(id, spec);
        };
        let has = |it: &&azure_mgmt_msi::models::Identity| {
            let principal = it.properties.as_ref().and_then(|it| it.principal_id.as_deref());
            principal == Some(properties.principal_id.as_str())
        };
        let identity = identities.iter().find(has);
        let identity = identity.and_then(|it| it.tracked_resource.resource.id.as_deref()).unwrap_or_default();
        let spec = RoleAssignment {
            scope: ids::canonical(properties.scope.as_deref().unwrap_or_default(), &own),
            role: ids::name(&properties.role_definition_id).to_owned(),
            identity: Id::new(ids::canonical(identity, &own)),
            principal: properties.principal_id.clone(),
        };
        match properties.description.as_deref().and_then(|text| Mark::read(scope, text)) {
            Some(mark) => mark.object(id, spec),
            None => Object::foreign(id, spec),
        }
    }
}

//! The inline policy of a role.
//!
//! A role has a single one, with the role's name: so it is found without listing a role's policies, which
//! would take one more call for each role. If several are needed, their statements are joined; IAM limits
//! their combined length anyway.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::IamRole;
use super::iam_role::{if_found, object, of_scope, read_policy};
use crate::clients::Clients;
use crate::iam_policy::Policy;

/// The permissions of a role. The task has the role's name; the identifier is the role's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct IamRolePolicy<S: Stage = Open> {
    /// The role.
    pub role: At<S, Id<IamRole>>,
    /// The policy document.
    pub document: At<S, Policy>,
}

impl Resource for IamRolePolicy {
    const KIND: &'static str = "IamRolePolicy";
    type Resolved = IamRolePolicy<Closed>;
}

pub(crate) struct IamRolePolicies(pub(crate) Clients);

type RolePolicy = IamRolePolicy<Closed>;

impl IamRolePolicies {
    async fn get(&self, cx: &Context, role: &str) -> Result<Option<RolePolicy>> {
        let request = self.0.iam.get_role_policy().role_name(role).policy_name(role);
        let found = if_found(self.0.call(cx, "iam:GetRolePolicy", request.send()).await)?;
        Ok(found.map(|answer| IamRolePolicy {
            role: Id::new(role),
            document: read_policy(&answer.policy_document),
        }))
    }

    async fn put(&self, cx: &Context, role: &str, spec: &RolePolicy) -> Result<()> {
        let put = self.0.iam.put_role_policy().role_name(role).policy_name(role);
        let put = put.policy_document(spec.document.as_str());
        self.0.call(cx, "iam:PutRolePolicy", put.send()).await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for IamRolePolicies {
    type Kind = IamRolePolicy;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "role" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<RolePolicy>>> {
        // Its role's path determines the owner.
        let roles: Vec<(String, String)> = match query.filter {
            Filter::Scope { .. } => {
                let roles = of_scope(&self.0, query).await?;
                roles.iter().map(|role| (role.role_name.clone(), role.path.clone())).collect()
            }
            Filter::Ids(names) => names.iter().map(|name| (name.clone(), String::new())).collect(),
        };
        let found = try_join_all(roles.iter().map(|(role, _)| self.get(query.cx, role))).await?;
        let found = roles.iter().zip(found);
        Ok(found.filter_map(|((role, path), policy)| Some(object(query, role, path, policy?))).collect())
    }

    async fn create(&self, request: Create<'_, RolePolicy>) -> Result<Object<RolePolicy>> {
        let role = request.spec.role.as_str();
        self.put(request.cx, role, request.spec).await?;
        Ok(Object::owned(role, request.name, request.spec.clone()))
    }

    async fn update(&self, request: Update<'_, RolePolicy>) -> Result<Object<RolePolicy>> {
        self.put(request.cx, &request.object.id, request.spec).await?;
        Ok(request.object.clone().spec(request.spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, RolePolicy>) -> Result<Deletion> {
        let role = &request.object.id;
        let delete = self.0.iam.delete_role_policy().role_name(role).policy_name(role);
        self.0.call(request.cx, "iam:DeleteRolePolicy", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

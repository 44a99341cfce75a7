//! Finds missing permissions before anything is created.
//!
//! Azure returns the caller's permissions in a resource group or, while that does not exist, in the
//! subscription: lists of actions with wildcards. They are compared with what a graph needs.
//!
//! Known weaknesses: permissions on other scopes (a zone in another resource group, a role assignment on a
//! storage account) are not checked; and conditions of role assignments are not part of the response.

use async_trait::async_trait;
use azure_core::Method;
use azure_mgmt_authorization::models::Permission;
use kops_core::cloud::{Actions, Context, MissingPermission, Permissions, Scope};
use kops_core::graph::{Task, TaskGraph};
use kops_core::{ErrorKind, Result};
use serde_json::{Value, json};

use crate::actions::{ADOPTION, ALL};
use crate::clients::{pages, sent};
use crate::cloud::Azure;

const READ: &str = "Microsoft.Authorization/permissions/read";
const GROUP: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";
/// The API version that azure_mgmt_authorization 0.21 uses; it has no builder for a subscription.
const API_VERSION: &str = "2022-04-01";

#[async_trait]
impl Permissions for Azure {
    async fn missing(
        &self,
        graph: &TaskGraph,
        scope: &Scope,
        cx: &Context,
    ) -> Result<Vec<MissingPermission>> {
        let granted = self.granted(scope, cx).await?;
        let may = |action: &str| granted.iter().any(|permission| allows(permission, action));
        let adoption: &[&str] = if graph.tasks().any(Task::takes_over) { &[ADOPTION] } else { &[] };
        let needed = Actions::needed(ALL, graph, adoption, &[]);
        Ok(MissingPermission::among(needed, |action| may(action)))
    }

    /// A custom role, in the format that `az role definition create` accepts:
    /// <https://learn.microsoft.com/en-us/azure/role-based-access-control/role-definitions>.
    fn least(&self, scope: &Scope) -> Value {
        let mut actions = Actions::names(ALL);
        actions.insert(READ);
        json!({
            "Name": format!("kops {}", scope.name()),
            "IsCustom": true,
            "Description": format!("Permissions for managing the cluster {}", scope.name()),
            "Actions": actions,
            "NotActions": [],
            // The state store's blobs.
            "DataActions": [
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
            ],
            "NotDataActions": [],
            "AssignableScopes": [format!("/subscriptions/{}", self.subscription())],
        })
    }
}

impl Azure {
    async fn granted(&self, scope: &Scope, cx: &Context) -> Result<Vec<Permission>> {
        let group = self.clients().group(scope);
        let get = self.clients().resources.resource_groups_client().get(&group, self.subscription());
        match self.clients().call(cx, GROUP, sent(get.send())).await {
            Ok(_) => {
                let list = self.clients().authorization.permissions_client();
                let list = list.list_for_resource_group(&group, self.subscription());
                self.clients().list(cx, READ, pages(list.into_stream(), |page| page.value)).await
            }
            Err(error) if error.kind() == ErrorKind::NotFound || error.kind() == ErrorKind::Denied => {
                let path = format!(
                    "/subscriptions/{}/providers/Microsoft.Authorization/permissions",
                    self.subscription()
                );
                let request = self.clients().raw(Method::Get, &path, API_VERSION, &[], None)?;
                let answer: azure_mgmt_authorization::models::PermissionGetResult =
                    self.clients().fetch(cx, READ, request).await?;
                Ok(answer.value)
            }
            Err(error) => Err(error),
        }
    }
}

fn allows(permission: &Permission, action: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
    any(&permission.actions) && !any(&permission.not_actions)
}

/// Whether a pattern, in which `*` matches any text, matches an action; case-insensitively.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        let read = "Microsoft.Network/virtualNetworks/read";
        for pattern in [
            "*",
            "*/read",
            "Microsoft.Network/*",
            "microsoft.network/virtualnetworks/read",
            "Microsoft.*/virtualNetworks/*",
        ] {
            assert!(matches(pattern, read), "{pattern}");
        }
        for pattern in ["*/write", "Microsoft.Network", "Microsoft.Compute/*", ""] {
            assert!(!matches(pattern, read), "{pattern}");
        }
    }

    #[test]
    fn what_is_excepted_is_not_granted() {
        let contributor = Permission {
            actions: vec!["*".into()],
            not_actions: vec!["Microsoft.Authorization/*/Write".into()],
            ..Permission::default()
        };
        assert!(allows(&contributor, "Microsoft.Compute/disks/write"));
        assert!(!allows(&contributor, "Microsoft.Authorization/roleAssignments/write"));
    }
}

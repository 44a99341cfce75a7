//! The permissions of the credentials in the project.
//!
//! IAM can tell which of a list of permissions the caller has, before anything is created. Permissions
//! outside of the project, such as on the bucket of a state store or on a shared network, are not part of
//! that and are not checked.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{Actions, Context, MissingPermission, Permissions, Scope};
use kops_core::graph::TaskGraph;
use serde_json::{Value, json};

use crate::Gce;
use crate::actions;

/// The maximum number of permissions in a request:
/// <https://cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions>.
const AT_ONCE: usize = 100;

/// Permissions that applying a graph does not need.
const LEFT_OUT: [&str; 2] = [actions::MACHINES, actions::STATE_STORE];

#[async_trait]
impl Permissions for Gce {
    async fn missing(&self, graph: &TaskGraph, _: &Scope, cx: &Context) -> Result<Vec<MissingPermission>> {
        let needed = Actions::needed(actions::ALL, graph, &[], &LEFT_OUT);
        let asked: Vec<&str> = needed.keys().copied().collect();
        let ask = |permissions: &[&str]| {
            let clients = self.clients();
            let test = clients.projects.test_iam_permissions();
            let test = test.set_resource(format!("projects/{}", clients.project));
            let test = test.set_permissions(permissions.iter().map(|it| (*it).to_owned()));
            clients.call(cx, "resourcemanager.projects.testIamPermissions", test.send())
        };
        let answers = try_join_all(asked.chunks(AT_ONCE).map(ask)).await?;
        let had: BTreeSet<String> = answers.into_iter().flat_map(|answer| answer.permissions).collect();
        Ok(MissingPermission::among(needed, |permission| had.contains(*permission)))
    }

    /// A custom role, in the format that `gcloud iam roles create --file` accepts.
    ///
    /// Most permissions of Compute Engine cannot be restricted by object name, so the role applies to the
    /// whole project: only a project of its own confines a cluster.
    fn least(&self, scope: &Scope) -> Value {
        json!({
            "title": format!("kops {}", scope.name()),
            "description": "Permissions for provisioning clusters",
            "stage": "GA",
            "includedPermissions": Actions::names(actions::ALL),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_managed_is_only_looked_at() {
        let graph = TaskGraph::default();
        let needed = Actions::needed(actions::ALL, &graph, &[], &LEFT_OUT);
        assert!(needed.keys().all(|permission| actions::read_only(permission)));
        assert!(needed.contains_key("compute.networks.list"));
        assert!(!needed.contains_key("storage.objects.get"));
    }
}

//! The permissions of the credentials.
//!
//! OpenStack has two mechanisms. Roles: their permissions are in the policy files of every service, and
//! cannot be queried (by default `member` is enough, plus `load-balancer_member` for load balancers). And
//! access rules: an application credential may be restricted to a list of calls, which its token contains.
//! Only the second is checked and written here.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Actions, Context, MissingPermission, Permissions, Scope};
use kops_core::graph::TaskGraph;
use serde_json::{Value, json};

use crate::access_rules::AccessRule;
use crate::clients::Service;
use crate::{Openstack, actions};

/// Calls that applying a graph does not need.
const LEFT_OUT: [&str; 2] = [actions::MACHINES, actions::STATE_STORE];

#[async_trait]
impl Permissions for Openstack {
    /// The calls that the application credential's access rules do not allow; none if it has no such rules.
    async fn missing(&self, graph: &TaskGraph, _: &Scope, _: &Context) -> Result<Vec<MissingPermission>> {
        let Some(allowed) = self.clients().access_rules() else { return Ok(Vec::new()) };
        let needed = Actions::needed(actions::ALL, graph, &[], &LEFT_OUT);
        let rules = needed.into_iter().filter_map(|(call, kinds)| Some((self.rule(call)?, kinds)));
        Ok(rules
            .filter(|(rule, _)| !allowed.iter().any(|it| it.covers(rule)))
            .map(|(rule, kinds)| {
                MissingPermission::new(rule.to_string(), kinds.into_iter().map(str::to_owned))
            })
            .collect())
    }

    /// Access rules, in the format that `openstack application credential create --access-rules` accepts.
    ///
    /// They cannot be restricted by object name, so they apply to the whole project: only a project of its
    /// own confines a cluster. The services must be configured with their type (`service_type` in
    /// `[keystone_authtoken]`) and send service tokens to each other, or they reject credentials with access
    /// rules.
    fn least(&self, _: &Scope) -> Value {
        json!(Actions::names(actions::ALL).into_iter().filter_map(|call| self.rule(call)).collect::<Vec<_>>())
    }
}

impl Openstack {
    /// The rule that allows a call of the table; `None` if the cloud does not have the service.
    fn rule(&self, call: &str) -> Option<AccessRule> {
        let (method, call) = call.split_once(' ')?;
        let (service, path) = call.split_once('/')?;
        let service = Service::ALL.into_iter().find(|it| it.name() == service)?;
        let endpoint = self.clients().endpoint(service)?;
        let base = endpoint.url.path().trim_end_matches('/');
        Some(AccessRule {
            service: endpoint.kind.to_owned(),
            method: method.to_owned(),
            path: format!("{base}/{path}"),
        })
    }
}

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
use kops_core::resource::Resource as _;
use serde_json::{Value, json};

use crate::access_rules::AccessRule;
use crate::kinds::ApplicationCredential;
use crate::{Openstack, actions};

/// Calls that applying a graph does not need.
const LEFT_OUT: [&str; 2] = [actions::MACHINES, actions::STATE_STORE];

#[async_trait]
impl Permissions for Openstack {
    /// The calls that the application credential's access rules do not allow, none if it has no such rules;
    /// and that it may not create others, if machines get one.
    async fn missing(&self, graph: &TaskGraph, _: &Scope, _: &Context) -> Result<Vec<MissingPermission>> {
        let mut missing = Vec::new();
        let makes = |kind: &str| graph.tasks().any(|task| task.key.kind() == kind);
        if self.clients().identity().restricted && makes(ApplicationCredential::KIND) {
            let action = "creating application credentials: the given one is not `unrestricted`";
            missing.push(MissingPermission::new(action, [ApplicationCredential::KIND]));
        }
        let Some(allowed) = self.clients().access_rules() else { return Ok(missing) };
        let needed = Actions::needed(actions::ALL, graph, &[], &LEFT_OUT);
        let rules = needed.into_iter().filter_map(|(call, kinds)| Some((self.rule(call)?, kinds)));
        missing.extend(MissingPermission::among(rules, |rule| {
            allowed.iter().any(|allowed| allowed.covers(rule))
        }));
        Ok(missing)
    }

    /// Access rules, in the format that `openstack application credential create --access-rules` accepts.
    ///
    /// They cannot be restricted by object name, so they apply to the whole project: only a project of its
    /// own confines a cluster. The services must be configured with their type (`service_type` in
    /// `[keystone_authtoken]`) and send service tokens to each other, or they reject credentials with access
    /// rules. If machines read their state store in Swift, the credential has to be `unrestricted`: control planes get
    /// an application credential of their own.
    fn least(&self, _: &Scope) -> Value {
        json!(Actions::names(actions::ALL).into_iter().filter_map(|call| self.rule(call)).collect::<Vec<_>>())
    }
}

impl Openstack {
    /// The rule that allows a call of the table; `None` if the cloud does not have the service.
    fn rule(&self, call: &str) -> Option<AccessRule> {
        AccessRule::of(call, self.clients().endpoints())
    }
}

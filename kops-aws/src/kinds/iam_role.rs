//! IAM roles.
//!
//! IAM's listings filter by path only, so the path carries the ownership: `/kops/<scope>/<region>/`, and
//! `within=<place>/` below that. Names are kOps'.
//! Tags are set for users and policies, but never read, because that would take a call for each role.
//!
//! Listings omit the permissions boundary and attached policies too. A role that has, or is to have, one of
//! them has a note in its description, and only such roles are read individually.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_iam::types::{self, Role};
use futures_util::future::{try_join, try_join_all};
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Owner, Query, Scope, Update,
    Wanted, pages,
};
use kops_core::resource::Resource;
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use crate::iam_policy::Policy;
use crate::names;
use crate::policy::iam_path;
use crate::tags::{self, Tags};

/// A role that machines assume. Its identifier is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IamRole {
    /// The trust policy: who may assume the role.
    pub trust: Policy,
    /// The ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
    /// ARNs of attached managed policies.
    pub managed_policies: BTreeSet<String>,
}

impl Resource for IamRole {
    const KIND: &'static str = "IamRole";
    type Resolved = Self;
}

pub(crate) struct IamRoles(pub(crate) Clients);

const PLAIN: &str = "Made by kops";
const DETAILED: &str = "Made by kops; has a permissions boundary or managed policies";

impl IamRole {
    fn description(&self) -> &'static str {
        let plain = self.permissions_boundary.is_none() && self.managed_policies.is_empty();
        if plain { PLAIN } else { DETAILED }
    }
}

/// The path of a new object of the scope.
pub(crate) fn path_of_new<S>(request: &Create<'_, S>) -> String {
    let path = iam_path(request.scope);
    if request.retained { format!("{path}{RETAINED}") } else { path }
}

/// The part of the path that marks objects which are never deleted.
const RETAINED: &str = "retained/";

/// An IAM object: its path carries the owner; its name, the task.
pub(crate) fn object<S>(query: &Query<'_>, name: &str, at: &str, spec: S) -> Object<S> {
    let task = match query.filter {
        Filter::Scope { wanted, .. } => task_of(wanted, name),
        Filter::Ids(_) => None,
    };
    // Deeper paths belong to other places.
    match at.strip_prefix(&iam_path(query.scope)).filter(|rest| ["", RETAINED].contains(rest)) {
        Some(rest) => {
            let retained = rest == RETAINED;
            Object::owned(name, task.unwrap_or(name), spec).retained(retained)
        }
        None => Object::foreign(name, spec).name(task.map(str::to_owned)),
    }
}

/// The task that requests this name.
fn task_of<'a>(wanted: &[Wanted<'a>], name: &str) -> Option<&'a str> {
    wanted.iter().map(|wanted| wanted.name).find(|task| names::identity(task) == name)
}

/// Tags of a new object in the API's form.
pub(crate) fn tags_of_new<S>(request: &Create<'_, S>) -> Vec<types::Tag> {
    let tags = tags::of_new(request, &Tags::new());
    // The builder only rejects a tag without a key.
    tags.iter().filter_map(|(key, value)| types::Tag::builder().key(key).value(value).build().ok()).collect()
}

/// The names that tasks request and that are not among those `known`.
pub(crate) fn missing<'a>(known: impl Iterator<Item = &'a str>, wanted: &[Wanted<'_>]) -> Vec<String> {
    let known: BTreeSet<_> = known.collect();
    let names = wanted.iter().map(|wanted| names::identity(wanted.name));
    names.filter(|name| !known.contains(name.as_str())).collect()
}

/// The result of a call, or `None` if there is no such object.
pub(crate) fn if_found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The roles of a scope; the policies inside them share this listing in the same observation.
pub(crate) async fn of_scope(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<Role>>> {
    let list = async || {
        pages(|marker| {
            let request = clients.iam.list_roles().path_prefix(iam_path(query.scope)).max_items(1000);
            let request = request.set_marker(marker);
            async move {
                let page = clients.call(query.cx, "iam:ListRoles", request.send()).await?;
                Ok((page.roles, page.marker.filter(|_| page.is_truncated)))
            }
        })
        .await
    };
    query.cx.memo.get_or_try("iam roles", list).await
}

impl IamRoles {
    async fn get(&self, cx: &Context, name: &str) -> Result<Option<Role>> {
        let request = self.0.iam.get_role().role_name(name);
        let found = if_found(self.0.call(cx, "iam:GetRole", request.send()).await)?;
        Ok(found.and_then(|answer| answer.role))
    }

    async fn attached(&self, cx: &Context, name: &str) -> Result<BTreeSet<String>> {
        let listed = pages(|marker| {
            let request = self.0.iam.list_attached_role_policies().role_name(name).set_marker(marker);
            async move {
                let page = self.0.call(cx, "iam:ListAttachedRolePolicies", request.send()).await?;
                Ok((page.attached_policies.unwrap_or_default(), page.marker.filter(|_| page.is_truncated)))
            }
        });
        let listed = if_found(listed.await)?.unwrap_or_default();
        Ok(listed.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }

    async fn inline(&self, cx: &Context, name: &str) -> Result<Vec<String>> {
        let listed = pages(|marker| {
            let request = self.0.iam.list_role_policies().role_name(name).set_marker(marker);
            async move {
                let page = self.0.call(cx, "iam:ListRolePolicies", request.send()).await?;
                Ok((page.policy_names, page.marker.filter(|_| page.is_truncated)))
            }
        });
        Ok(if_found(listed.await)?.unwrap_or_default())
    }

    /// The role with the fields that the listing omits, if they matter.
    async fn object(&self, query: &Query<'_>, role: &Role) -> Result<Object<IamRole>> {
        let name = role.role_name.as_str();
        let mut object = object(query, name, &role.path, spec(role));
        let wanted_so = match (query.filter, object.name.as_deref()) {
            (Filter::Scope { wanted, .. }, Some(task)) => wants_details(wanted, task),
            _ => false,
        };
        if object.owner == Owner::Scope && (wanted_so || role.description.as_deref() == Some(DETAILED)) {
            let (whole, attached) = try_join(self.get(query.cx, name), self.attached(query.cx, name)).await?;
            object.spec.permissions_boundary = whole.as_ref().and_then(boundary);
            object.spec.managed_policies = attached;
        }
        Ok(object)
    }

    async fn describe(&self, request: &Update<'_, IamRole>) -> Result<()> {
        let update = self.0.iam.update_role().role_name(&request.object.id);
        let update = update.description(request.spec.description());
        self.0.call(request.cx, "iam:UpdateRole", update.send()).await?;
        Ok(())
    }

    async fn set_boundary(&self, request: &Update<'_, IamRole>) -> Result<()> {
        let (id, cx) = (&request.object.id, request.cx);
        if let Some(arn) = &request.spec.permissions_boundary {
            let put = self.0.iam.put_role_permissions_boundary().role_name(id).permissions_boundary(arn);
            self.0.call(cx, "iam:PutRolePermissionsBoundary", put.send()).await?;
        } else {
            let delete = self.0.iam.delete_role_permissions_boundary().role_name(id);
            self.0.call(cx, "iam:DeleteRolePermissionsBoundary", delete.send()).await?;
        }
        Ok(())
    }

    async fn attach(&self, cx: &Context, name: &str, arn: &str) -> Result<()> {
        let attach = self.0.iam.attach_role_policy().role_name(name).policy_arn(arn);
        self.0.call(cx, "iam:AttachRolePolicy", attach.send()).await?;
        Ok(())
    }

    async fn detach(&self, cx: &Context, name: &str, arn: &str) -> Result<()> {
        let detach = self.0.iam.detach_role_policy().role_name(name).policy_arn(arn);
        if_found(self.0.call(cx, "iam:DetachRolePolicy", detach.send()).await)?;
        Ok(())
    }
}

#[async_trait]
impl Handler for IamRoles {
    type Kind = IamRole;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        of_scope(&self.0, &listing::ahead(scope, cx)).await.map(drop)
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<IamRole>>> {
        let get = async |names: &[String]| -> Result<Vec<Role>> {
            let found = try_join_all(names.iter().map(|name| self.get(query.cx, name))).await?;
            Ok(found.into_iter().flatten().collect())
        };
        let roles = match query.filter {
            Filter::Ids(names) => get(names).await?,
            Filter::Scope { wanted, shared, .. } => {
                let mut roles = of_scope(&self.0, query).await?.to_vec();
                let mut names = missing(roles.iter().map(|role| role.role_name.as_str()), wanted);
                names.extend(shared.iter().map(|selector| last_part(selector).to_owned()));
                roles.extend(get(&names).await?);
                roles
            }
        };
        try_join_all(roles.iter().map(|role| self.object(query, role))).await
    }

    async fn create(&self, request: Create<'_, IamRole>) -> Result<Object<IamRole>> {
        let spec = request.spec;
        let name = names::identity(request.name);
        let create = self
            .0
            .iam
            .create_role()
            .path(path_of_new(&request))
            .role_name(&name)
            .assume_role_policy_document(spec.trust.as_str())
            .description(spec.description())
            .set_permissions_boundary(spec.permissions_boundary.clone())
            .set_tags(Some(tags_of_new(&request)));
        self.0.call(request.cx, "iam:CreateRole", create.send()).await?;
        let spec = IamRole { managed_policies: BTreeSet::new(), ..spec.clone() };
        Ok(Object::owned(name, request.name, spec))
    }

    async fn update(&self, request: Update<'_, IamRole>) -> Result<Object<IamRole>> {
        let Update { object, spec, changed, cx, .. } = &request;
        let (id, have) = (&object.id, &object.spec.managed_policies);
        if changed.contains("trust") {
            let update = self.0.iam.update_assume_role_policy().role_name(id);
            let update = update.policy_document(spec.trust.as_str());
            self.0.call(cx, "iam:UpdateAssumeRolePolicy", update.send()).await?;
        }
        // The description says that there are details to read, so it is set first and cleared last.
        let described = spec.description();
        if described == DETAILED && object.spec.description() == PLAIN {
            self.describe(&request).await?;
        }
        if changed.contains("permissions_boundary") {
            self.set_boundary(&request).await?;
        }
        for arn in spec.managed_policies.difference(have) {
            self.attach(cx, id, arn).await?;
        }
        for arn in have.difference(&spec.managed_policies) {
            self.detach(cx, id, arn).await?;
        }
        if described == PLAIN && object.spec.description() == DETAILED {
            self.describe(&request).await?;
        }
        Ok((*object).clone().spec((*spec).clone()))
    }

    /// Policies block the deletion of a role, and are deleted with it.
    async fn delete(&self, request: Delete<'_, IamRole>) -> Result<Deletion> {
        let (id, cx) = (&request.object.id, request.cx);
        let (attached, inline) = try_join(self.attached(cx, id), self.inline(cx, id)).await?;
        for arn in &attached {
            self.detach(cx, id, arn).await?;
        }
        for policy in &inline {
            let delete = self.0.iam.delete_role_policy().role_name(id).policy_name(policy);
            if_found(self.0.call(cx, "iam:DeleteRolePolicy", delete.send()).await)?;
        }
        let delete = self.0.iam.delete_role().role_name(id);
        self.0.call(cx, "iam:DeleteRole", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

fn spec(role: &Role) -> IamRole {
    let document = role.assume_role_policy_document.as_deref().unwrap_or_default();
    IamRole {
        trust: read_policy(document),
        permissions_boundary: boundary(role),
        managed_policies: BTreeSet::new(),
    }
}

fn boundary(role: &Role) -> Option<String> {
    role.permissions_boundary.as_ref()?.permissions_boundary_arn.clone()
}

/// A policy as returned by IAM: URL-encoded. A malformed one differs from every other.
pub(crate) fn read_policy(encoded: &str) -> Policy {
    let text = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy();
    Policy::parse(&text).unwrap_or_else(|_| Policy::nothing())
}

fn wants_details(wanted: &[Wanted<'_>], task: &str) -> bool {
    let spec = wanted.iter().find(|wanted| wanted.name == task).map(|wanted| wanted.spec);
    let role = spec.and_then(|spec| spec.decode::<IamRole>().ok());
    role.is_some_and(|role| role.description() == DETAILED)
}

/// The name at the end of an ARN; a plain name is returned as is.
pub(crate) fn last_part(selector: &str) -> &str {
    selector.rsplit('/').next().unwrap_or(selector)
}

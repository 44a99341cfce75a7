//! Instance profiles: they give a machine its role.
//!
//! A new profile becomes visible to EC2 some ten seconds after IAM has created it; calls that name it earlier
//! fail with an error that is retried.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_iam::types;
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Query, Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::IamRole;
use super::iam_role::{if_found, last_part, missing, object, path_of_new, tags_of_new};
use crate::clients::Clients;
use crate::names;
use crate::policy::iam_path;

/// Gives a machine its role. Its identifier is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct InstanceProfile<S: Stage = Open> {
    /// The role; a new profile has none.
    pub role: Option<At<S, Id<IamRole>>>,
}

impl Resource for InstanceProfile {
    const KIND: &'static str = "InstanceProfile";
    type Resolved = InstanceProfile<Closed>;
}

pub(crate) struct InstanceProfiles(pub(crate) Clients);

type Profile = InstanceProfile<Closed>;

impl InstanceProfiles {
    async fn of_scope(&self, query: &Query<'_>) -> Result<Vec<types::InstanceProfile>> {
        pages(|marker| {
            let prefix = iam_path(query.scope);
            let request = self.0.iam.list_instance_profiles().path_prefix(prefix).max_items(1000);
            let request = request.set_marker(marker);
            async move {
                let page = self.0.call(query.cx, "iam:ListInstanceProfiles", request.send()).await?;
                Ok((page.instance_profiles, page.marker.filter(|_| page.is_truncated)))
            }
        })
        .await
    }

    async fn get(
        &self,
        cx: &Context,
        names: impl IntoIterator<Item = &String>,
    ) -> Result<Vec<types::InstanceProfile>> {
        let get = async |name: &String| {
            let request = self.0.iam.get_instance_profile().instance_profile_name(name);
            if_found(self.0.call(cx, "iam:GetInstanceProfile", request.send()).await)
        };
        let found = try_join_all(names.into_iter().map(get)).await?;
        Ok(found.into_iter().flatten().filter_map(|answer| answer.instance_profile).collect())
    }

    async fn holds(&self, cx: &Context, profile: &str, role: &Id<IamRole>) -> Result<bool> {
        let found = self.get(cx, [&profile.to_owned()]).await?;
        Ok(found.iter().flat_map(|profile| &profile.roles).any(|it| it.role_name == role.as_str()))
    }

    async fn remove(&self, cx: &Context, profile: &str, role: &str) -> Result<()> {
        let remove = self.0.iam.remove_role_from_instance_profile();
        let remove = remove.instance_profile_name(profile).role_name(role);
        if_found(self.0.call(cx, "iam:RemoveRoleFromInstanceProfile", remove.send()).await)?;
        Ok(())
    }
}

#[async_trait]
impl Handler for InstanceProfiles {
    type Kind = InstanceProfile;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Profile>>> {
        let profiles = match query.filter {
            Filter::Ids(names) => self.get(query.cx, names).await?,
            Filter::Scope { wanted, shared, .. } => {
                let mut profiles = self.of_scope(query).await?;
                let known: BTreeSet<_> =
                    profiles.iter().map(|it| it.instance_profile_name.as_str()).collect();
                let shared = shared.iter().map(|selector| last_part(selector));
                let shared = shared.filter(|name| !known.contains(name)).map(str::to_owned);
                let missing = missing(known.iter().copied(), wanted);
                let names: BTreeSet<_> = missing.into_iter().chain(shared).collect();
                profiles.extend(self.get(query.cx, names.iter()).await?);
                profiles
            }
        };
        Ok(profiles.iter().map(|profile| read(query, profile)).collect())
    }

    async fn create(&self, request: Create<'_, Profile>) -> Result<Object<Profile>> {
        let name = names::identity(request.name);
        let create = self
            .0
            .iam
            .create_instance_profile()
            .path(path_of_new(&request))
            .instance_profile_name(&name)
            .set_tags(Some(tags_of_new(&request)));
        self.0.call(request.cx, "iam:CreateInstanceProfile", create.send()).await?;
        Ok(Object::owned(name, request.name, InstanceProfile { role: None }))
    }

    async fn update(&self, request: Update<'_, Profile>) -> Result<Object<Profile>> {
        let (id, cx) = (&request.object.id, request.cx);
        // A profile holds one role.
        if let Some(role) = &request.object.spec.role {
            self.remove(cx, id, role.as_str()).await?;
        }
        if let Some(role) = &request.spec.role {
            let add = self.0.iam.add_role_to_instance_profile();
            let add = add.instance_profile_name(id).role_name(role.as_str());
            match self.0.call(cx, "iam:AddRoleToInstanceProfile", add.send()).await {
                // A lost answer: the profile already has the requested role.
                Err(error) if error.kind() == ErrorKind::Quota && self.holds(cx, id, role).await? => {}
                answer => drop(answer?),
            }
        }
        Ok(request.object.clone().spec(request.spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Profile>) -> Result<Deletion> {
        let (id, cx) = (&request.object.id, request.cx);
        if let Some(role) = &request.object.spec.role {
            self.remove(cx, id, role.as_str()).await?;
        }
        let delete = self.0.iam.delete_instance_profile().instance_profile_name(id);
        self.0.call(cx, "iam:DeleteInstanceProfile", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

fn read(query: &Query<'_>, profile: &types::InstanceProfile) -> Object<Profile> {
    let role = profile.roles.first().map(|role| Id::new(&role.role_name));
    let name = profile.instance_profile_name.as_str();
    object(query, name, &profile.path, InstanceProfile { role }).alias(&profile.arn)
}

//! Resource groups.
//!
//! A cluster's objects are in one resource group: its own, or a shared one. Azure deletes a group with
//! everything in it; so a group of our own is deleted last, and not while it still contains anything, whoever
//! owns it.

use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_resources::models;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope,
    Timing, Update,
};
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::arm::{self, Calls, calls};
use super::unmanaged_object::is_made;
use crate::clients::{Clients, pages, sent};
use crate::ids;
use crate::tags::{self, Tags};

/// A resource group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceGroup {
    /// Its name.
    pub name: String,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for ResourceGroup {
    const KIND: &'static str = "ResourceGroup";
    type Resolved = Self;
}

const CALLS: Calls = calls!("Microsoft.Resources/subscriptions/resourceGroups");
const CONTENT: &str = "Microsoft.Resources/subscriptions/resourceGroups/resources/read";

#[derive(Debug)]
pub(crate) struct ResourceGroups(pub(crate) Clients);

#[async_trait]
impl Handler for ResourceGroups {
    type Kind = ResourceGroup;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "name" { Mutability::Immutable } else { Mutability::InPlace }
    }

    fn timing(&self) -> Timing {
        Timing::new().vanish(Duration::from_secs(20))
    }

    /// One read for each group in question, which is one in all but unusual cases.
    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<ResourceGroup>>> {
        let own = self.0.group(query.scope);
        let mut names: Vec<String> = match query.filter {
            Filter::Ids(ids) => ids.iter().map(|id| ids::name(id).to_owned()).collect(),
            Filter::Scope { shared, .. } => {
                let shared = shared.iter().map(|selector| ids::name(selector).to_owned());
                std::iter::once(own.clone()).chain(shared).collect()
            }
        };
        names.sort_unstable();
        names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        let mut objects = Vec::new();
        for name in names {
            let Some(model) = self.get(query.cx, &name).await? else { continue };
            let mut object = self.observed(query.scope, &own, &model);
            if let Filter::Scope { wanted, shared, .. } = query.filter {
                let meant = shared.iter().any(|selector| ids::name(selector).eq_ignore_ascii_case(&name));
                if object.name.is_none() && !meant {
                    object.name = wanted.first().map(|task| task.name.to_owned());
                }
            }
            objects.push(object);
        }
        Ok(objects)
    }

    async fn create(&self, request: Create<'_, ResourceGroup>) -> Result<Object<ResourceGroup>> {
        let name = &request.spec.name;
        if self.get(request.cx, name).await?.is_some() {
            return Err(arm::exists(name).with_call(CALLS.write));
        }
        let tags = tags::of_new(&request, &request.spec.tags);
        self.put(request.cx, request.scope, name, &tags).await
    }

    async fn update(&self, request: Update<'_, ResourceGroup>) -> Result<Object<ResourceGroup>> {
        let name = ids::name(&request.object.id);
        let now = self.get(request.cx, name).await?.ok_or_else(|| Error::not_found("it is gone"))?;
        let mut tags = tags::read(now.tags.as_ref());
        tags.extend(request.spec.tags.clone());
        self.put(request.cx, request.scope, name, &tags).await
    }

    async fn delete(&self, request: Delete<'_, ResourceGroup>) -> Result<Deletion> {
        let name = ids::name(&request.object.id);
        let left = content(&self.0, request.cx, name).await?;
        if !left.is_empty() {
            // Listings of a group are late: what is gone may still be in it. What is somebody else's stays.
            let stays = left.iter().any(|it| !it.is_going(request.scope));
            let kind = if stays { ErrorKind::Conflict } else { ErrorKind::DependencyViolation };
            let shown: Vec<_> = left.iter().take(5).map(|it| ids::name(&it.id)).collect();
            return Err(Error::new(
                kind,
                format!("the group {name} still contains {} resources: {}", left.len(), shown.join(", ")),
            )
            .with_call(CALLS.delete)
            .with_hint("deleting the group would delete them too: delete or move them first"));
        }
        let delete = self.0.resources.resource_groups_client().delete(name, &self.0.subscription);
        arm::deleted(&self.0, request.cx, CALLS.delete, &request.object.id, sent(delete.send())).await
    }
}

/// A resource in a group, of any type.
pub(crate) struct Contained {
    pub(crate) id: String,
    tags: Tags,
}

impl Contained {
    /// Whether it is deleted with the scope: it belongs to a task, or controllers in the cluster have created
    /// it.
    pub(crate) fn is_going(&self, scope: &Scope) -> bool {
        let name = ids::name(&self.id);
        tags::task(scope, name, &self.tags).is_some() || is_made(name, &self.tags, scope)
    }
}

/// What a group contains.
pub(crate) async fn content(clients: &Clients, cx: &Context, group: &str) -> Result<Vec<Contained>> {
    let resources = clients.resources.resources_client();
    let list = resources.list_by_resource_group(group, &clients.subscription);
    let found = clients.list(cx, CONTENT, pages(list.into_stream(), |page| page.value)).await?;
    let contained = found.into_iter().map(|it: models::GenericResourceExpanded| {
        let resource = it.generic_resource.resource;
        Contained { tags: tags::read(resource.tags.as_ref()), id: resource.id.unwrap_or_default() }
    });
    Ok(contained.collect())
}

impl ResourceGroups {
    async fn get(&self, cx: &Context, name: &str) -> Result<Option<models::ResourceGroup>> {
        let get = self.0.resources.resource_groups_client().get(name, &self.0.subscription);
        match self.0.fetch(cx, CALLS.read, sent(get.send())).await {
            Ok(group) => Ok(Some(group)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put(
        &self,
        cx: &Context,
        scope: &Scope,
        name: &str,
        tags: &Tags,
    ) -> Result<Object<ResourceGroup>> {
        let mut model = models::ResourceGroup::new(self.0.location.clone());
        model.tags = Some(tags::write(tags));
        let put =
            self.0.resources.resource_groups_client().create_or_update(name, model, &self.0.subscription);
        let model = self.0.fetch(cx, CALLS.write, sent(put.send())).await?;
        Ok(self.observed(scope, name, &model))
    }

    fn observed(&self, scope: &Scope, own: &str, model: &models::ResourceGroup) -> Object<ResourceGroup> {
        let called = model.name.clone().unwrap_or_default();
        let called = if called.eq_ignore_ascii_case(own) { own.to_owned() } else { called };
        let tags = tags::read(model.tags.as_ref());
        let spec = ResourceGroup { name: called.clone(), tags: tags::further(&tags) };
        let state = model.properties.as_ref().and_then(|it| it.provisioning_state.as_deref());
        tags::object(scope, &self.0.group_id(&called), &called, &tags, spec)
            .alias(called)
            .state(arm::state(state))
    }
}

//! The handler of a kind: requests to the server, page by page.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;

use super::Inner;
use super::kinds::MemoryKind;
use super::world::Record;
use crate::Result;
use crate::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query,
    Replacement, Timing, Update,
};
use crate::testing::{Fault, Op};

/// The handler of one kind of a [`MemoryCloud`](super::MemoryCloud).
pub(super) struct MemoryHandler<R> {
    cloud: Arc<Inner>,
    kind: PhantomData<fn() -> R>,
}

impl<R> MemoryHandler<R> {
    pub(super) fn new(cloud: Arc<Inner>) -> Self {
        Self { cloud, kind: PhantomData }
    }
}

impl<R: MemoryKind> fmt::Debug for MemoryHandler<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryHandler<{}>", R::KIND)
    }
}

impl<R: MemoryKind> MemoryHandler<R> {
    fn class(&self) -> IdentityClass {
        self.cloud.settings.identity::<R>()
    }

    /// All pages of the requested objects, each as seen by the query's scope.
    async fn pages(
        &self,
        query: &Query<'_>,
        wanted: impl Fn(&Record) -> bool + Send + Sync,
    ) -> Result<Vec<(Record, Object<R::Resolved>)>> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let (page, next) = self
                .cloud
                .call(R::KIND, Op::List, query.cx, |world, at| {
                    let size = if at.fault == Some(Fault::ShortPages) { 1 } else { self.cloud.settings.page };
                    let (page, next) = world.page(R::KIND, after.as_deref(), size, at.now, &wanted);
                    let object = |record: Record| {
                        let object = record.object::<R>(query.scope, self.class(), at.now)?;
                        Ok((record, object))
                    };
                    Ok((page.into_iter().map(object).collect::<Result<Vec<_>>>()?, next))
                })
                .await?;
            found.extend(page);
            match next {
                Some(_) => after = next,
                None => return Ok(found),
            }
        }
    }
}

#[async_trait]
impl<R: MemoryKind> Handler for MemoryHandler<R> {
    type Kind = R;

    fn identity(&self) -> IdentityClass {
        self.class()
    }

    fn mutability(&self, field: &str) -> Mutability {
        R::mutability(field)
    }

    fn replacement(&self) -> Replacement {
        R::REPLACEMENT
    }

    fn delete_after(&self) -> &'static [&'static str] {
        R::DELETE_AFTER
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        R::volatile_outputs(changed)
    }

    fn timing(&self) -> Timing {
        self.cloud.settings.latencies.timing(R::KIND)
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<R::Resolved>>> {
        let (wanted, shared) = match query.filter {
            Filter::Scope { wanted, shared, .. } => (wanted, shared),
            Filter::Ids(ids) => {
                let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
                let found = self.pages(query, |record| ids.contains(record.id.as_str())).await?;
                return Ok(found.into_iter().map(|(_, object)| object).collect());
            }
        };
        let class = self.class();
        let names: Vec<(String, &str)> = if class == IdentityClass::Named {
            let named = |it: &crate::cloud::Wanted<'_>| R::unique_name(query.scope, it.name, it.spec);
            wanted.iter().filter_map(|it| Some((named(it)?, it.name))).collect()
        } else {
            Vec::new()
        };
        let holds = |record: &Record| {
            let held = record.name.as_ref()?;
            names.iter().find(|(name, _)| name == held).map(|(_, task)| *task)
        };
        let is_selected = |record: &Record| shared.iter().any(|selector| record.matches(selector));
        let found = self.pages(query, |record| {
            class == IdentityClass::Journal
                || record.is_of(query.scope)
                || is_selected(record)
                || holds(record).is_some()
        });
        let tell = |(record, object): (Record, Object<R::Resolved>)| match holds(&record) {
            Some(task) if object.owner == Owner::Other => Object { name: Some(task.to_owned()), ..object },
            _ => object,
        };
        Ok(found.await?.into_iter().map(tell).collect())
    }

    async fn create(&self, request: Create<'_, R::Resolved>) -> Result<Object<R::Resolved>> {
        let settings = &self.cloud.settings;
        let create = self
            .cloud
            .call(R::KIND, Op::Create, request.cx, |world, at| world.create::<R>(&request, settings, at));
        create.await
    }

    async fn update(&self, request: Update<'_, R::Resolved>) -> Result<Object<R::Resolved>> {
        let (id, settings) = (&request.object.id, &self.cloud.settings);
        let update = self.cloud.call(R::KIND, Op::Update, request.cx, |world, at| {
            world.update::<R>(id, request.spec, settings, at.now)?;
            let record = world.record(R::KIND, id);
            let object = record.map(|it| it.object::<R>(request.scope, self.class(), at.now)).transpose()?;
            // Only the object that was just updated is requested, so it exists.
            Ok(object.unwrap_or_else(|| request.object.clone()))
        });
        update.await
    }

    fn can_adopt(&self) -> bool {
        // Objects with a unique name contain the task's in it; journaled ones have no mark at all.
        matches!(self.class(), IdentityClass::Tagged | IdentityClass::Token)
    }

    async fn adopt(&self, request: Adopt<'_, R::Resolved>) -> Result<Object<R::Resolved>> {
        let adopt = self.cloud.call(R::KIND, Op::Update, request.cx, |world, at| {
            world.adopt::<R>(&request, self.class(), at.now)
        });
        adopt.await
    }

    async fn delete(&self, request: Delete<'_, R::Resolved>) -> Result<Deletion> {
        let (id, settings) = (&request.object.id, &self.cloud.settings);
        let delete = self
            .cloud
            .call(R::KIND, Op::Delete, request.cx, |world, at| world.delete::<R>(id, settings, at.now));
        delete.await
    }
}

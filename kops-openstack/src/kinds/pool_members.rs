//! The members of pools.
//!
//! One task has all members of a pool, because they are set in one call, and each change makes the whole load
//! balancer busy for seconds.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, State,
    Timing, Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pool::{self, FoundPool};
use super::{Pool, balancing};
use crate::clients::{Call, Clients, Service};

/// All machines of a pool, which is owned by the scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct PoolMembers<S: Stage = Open> {
    /// The pool.
    pub pool: At<S, Id<Pool>>,
    /// The machines, at least one: without members the object does not exist.
    pub members: BTreeSet<Member<S>>,
}

/// A machine of a pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Member<S: Stage = Open> {
    /// Its address.
    pub address: At<S, String>,
    /// Its port.
    pub port: u16,
}

impl Resource for PoolMembers {
    const KIND: &'static str = "PoolMembers";
    type Resolved = PoolMembers<Closed>;
}

/// A load balancer with all its parts, as in its status: the listing of pools omits the addresses.
#[derive(Clone, Debug, Deserialize)]
struct Statuses {
    loadbalancer: Tree,
}

#[derive(Clone, Debug, Deserialize)]
struct Tree {
    #[serde(default)]
    listeners: Vec<Branch>,
    /// Pools without a listener.
    #[serde(default)]
    pools: Vec<Twig>,
}

#[derive(Clone, Debug, Deserialize)]
struct Branch {
    #[serde(default)]
    pools: Vec<Twig>,
}

#[derive(Clone, Debug, Deserialize)]
struct Twig {
    id: String,
    #[serde(default)]
    provisioning_status: String,
    #[serde(default)]
    members: Vec<Leaf>,
}

#[derive(Clone, Debug, Deserialize)]
struct Leaf {
    #[serde(default)]
    id: String,
    address: String,
    protocol_port: u16,
    #[serde(default)]
    provisioning_status: String,
}

#[derive(Debug)]
pub(crate) struct MemberSets(pub(crate) Clients);

#[async_trait]
impl Handler for MemberSets {
    type Kind = PoolMembers;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "members" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing(&self) -> Timing {
        balancing::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<PoolMembers<Closed>>>> {
        let pools = pool::of_project(&self.0, query).await?;
        let is_asked_for = |it: &&FoundPool| match query.filter {
            Filter::Ids(ids) => ids.contains(&it.balanced.common.id),
            Filter::Scope { .. } => it.balanced.common.mark(&self.0, query.scope).is_some(),
        };
        let pools: Vec<_> = pools.iter().filter(is_asked_for).collect();
        let balancers: BTreeSet<&str> =
            pools.iter().flat_map(|it| it.loadbalancers.iter().map(|it| it.id.as_str())).collect();
        let trees = try_join_all(balancers.into_iter().map(|id| self.tree(query.cx, id))).await?;
        let twigs: HashMap<&str, &Twig> = trees
            .iter()
            .flat_map(|tree| tree.pools.iter().chain(tree.listeners.iter().flat_map(|it| &it.pools)))
            .map(|twig| (twig.id.as_str(), twig))
            .collect();
        let wanted = query.wanted_as::<PoolMembers>()?;
        let object = |found: &FoundPool| {
            let id = found.balanced.common.id.as_str();
            let twig = twigs.get(id)?;
            let mark = found.balanced.common.mark(&self.0, query.scope);
            let task = mark.as_ref().map(|mark| mark.task.as_str());
            let asked_for = wanted.iter().find(|(_, it)| refers_to(&it.pool, id, task));
            let members: BTreeSet<Member<Closed>> = twig
                .members
                .iter()
                .filter(|it| balancing::state(&it.provisioning_status).is_live())
                .map(|it| Member { address: it.address.clone(), port: it.protocol_port })
                .collect();
            if members.is_empty() {
                return None;
            }
            let states = twig.members.iter().map(|it| it.provisioning_status.as_str());
            let busy = states.chain([twig.provisioning_status.as_str()]).any(|it| it.starts_with("PENDING"));
            let state = if busy { State::Pending } else { State::Ready };
            let name = asked_for.map(|(name, _)| *name).or(task).unwrap_or_default();
            let retained = mark.as_ref().is_some_and(|mark| mark.retained);
            let object = Object::owned(id, name, PoolMembers { pool: Id::new(id), members });
            Some(object.state(state).retained(retained))
        };
        Ok(pools.into_iter().filter_map(object).collect())
    }

    async fn create(&self, request: Create<'_, PoolMembers<Closed>>) -> Result<Object<PoolMembers<Closed>>> {
        let spec = request.spec;
        some(&spec.members)?;
        self.set(&spec.pool, &spec.members, request.cx).await?;
        let object = Object::owned(spec.pool.as_str(), request.name, spec.clone()).state(State::Pending);
        Ok(object.retained(request.retained))
    }

    async fn update(&self, request: Update<'_, PoolMembers<Closed>>) -> Result<Object<PoolMembers<Closed>>> {
        let Update { object, spec, cx, .. } = request;
        some(&spec.members)?;
        self.set(&spec.pool, &spec.members, cx).await?;
        Ok(object.clone().spec(spec.clone()).state(State::Pending))
    }

    async fn delete(&self, request: Delete<'_, PoolMembers<Closed>>) -> Result<Deletion> {
        match self.set(&request.object.spec.pool, &BTreeSet::new(), request.cx).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Deletion::Done),
            answer => answer.map(|()| Deletion::Pending),
        }
    }
}

fn some(members: &BTreeSet<Member<Closed>>) -> Result<()> {
    if members.is_empty() {
        return Err(
            Error::invalid("a pool without members needs no task for them").with_hint("remove the task")
        );
    }
    Ok(())
}

impl MemberSets {
    async fn tree(&self, cx: &Context, balancer: &str) -> Result<Tree> {
        let call = Call::get(Service::LoadBalancer, format!("lbaas/loadbalancers/{balancer}/status"));
        match self.0.fetch::<Statuses>(cx, call, "statuses").await {
            Ok(statuses) => Ok(statuses.loadbalancer),
            // Deleted after it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Tree { listeners: vec![], pools: vec![] })
            }
            Err(error) => Err(error),
        }
    }

    async fn set(&self, pool: &Id<Pool>, members: &BTreeSet<Member<Closed>>, cx: &Context) -> Result<()> {
        let members: Vec<Value> =
            members.iter().map(|it| json!({ "address": it.address, "protocol_port": it.port })).collect();
        let path = format!("lbaas/pools/{}/members", pool.as_str());
        self.0.send(cx, Call::put(Service::LoadBalancer, path, json!({ "members": members }))).await?;
        Ok(())
    }
}

/// Removes an address from every pool of the scope.
pub(crate) async fn remove_address(clients: &Clients, query: &Query<'_>, address: &str) -> Result<()> {
    let sets = MemberSets(clients.clone());
    let pools = pool::of_project(clients, query).await?;
    let ours: Vec<_> =
        pools.iter().filter(|it| it.balanced.common.mark(clients, query.scope).is_some()).collect();
    let balancers: BTreeSet<&str> =
        ours.iter().flat_map(|it| it.loadbalancers.iter().map(|it| it.id.as_str())).collect();
    for balancer in balancers {
        let tree = sets.tree(query.cx, balancer).await?;
        let twigs = tree.pools.iter().chain(tree.listeners.iter().flat_map(|it| &it.pools));
        for twig in twigs.filter(|twig| ours.iter().any(|it| it.balanced.common.id == twig.id)) {
            for leaf in twig.members.iter().filter(|leaf| leaf.address == address) {
                let path = format!("lbaas/pools/{}/members/{}", twig.id, leaf.id);
                super::rest::gone_is_fine(
                    clients.send(query.cx, Call::delete(Service::LoadBalancer, path)).await,
                )?;
            }
        }
    }
    Ok(())
}

//! Nodes and pods, on top of documents.

use super::Kube;
use super::node::{Node, NodeChange};
use super::pod::{Pod, PodQuery};
use super::query::{ObjectRef, Query};
use kops_core::{ErrorKind, Result};

/// How often a change of a node is tried that others overtake: kubelets write their nodes' status all the time.
const ATTEMPTS: u32 = 5;

/// What is done to nodes and pods; every [`Kube`] has it.
pub trait KubeExt: Kube {
    /// All nodes.
    fn nodes(&self) -> impl Future<Output = Result<Vec<Node>>> + Send {
        async { self.list(&Query::new("v1", "Node")).await?.into_iter().map(Node::from_document).collect() }
    }

    /// A node, if it exists.
    fn node(&self, name: &str) -> impl Future<Output = Result<Option<Node>>> + Send {
        let object = node(name);
        async move { self.get(&object).await?.map(Node::from_document).transpose() }
    }

    /// Changes a node, unless it is so already.
    ///
    /// # Errors
    /// `NotFound` if there is none of that name.
    fn change_node(&self, name: &str, change: &NodeChange) -> impl Future<Output = Result<Node>> + Send {
        let object = node(name);
        async move {
            let absent = || kops_core::Error::not_found(format!("there is no node {}", object.name));
            let mut attempt = 1;
            loop {
                let known = Node::from_document(self.get(&object).await?.ok_or_else(absent)?)?;
                let Some(patch) = change.patch(&known) else { return Ok(known) };
                match self.patch(&object, &patch).await {
                    Err(error) if error.kind() == ErrorKind::Conflict && attempt < ATTEMPTS => attempt += 1,
                    outcome => return Node::from_document(outcome?),
                }
            }
        }
    }

    /// Deletes a node; with `uid` only that one, not a later one of the same name.
    fn delete_node(&self, name: &str, uid: Option<&str>) -> impl Future<Output = Result<()>> + Send {
        let object = node(name);
        async move { self.delete(&object, uid).await }
    }

    /// The pods that a query selects.
    fn pods(&self, query: &PodQuery) -> impl Future<Output = Result<Vec<Pod>>> + Send {
        let query = query.query();
        async move { self.list(&query).await?.into_iter().map(Pod::from_document).collect() }
    }
}

impl<K: Kube + ?Sized> KubeExt for K {}

fn node(name: &str) -> ObjectRef {
    ObjectRef::new("v1", "Node", name)
}

//! Nodes and pods, on top of documents.

use super::Kube;
use super::node::{Node, NodeChange};
use super::pod::{Pod, PodQuery};
use super::query::{ObjectQuery, ObjectRef};
use kops_core::{ErrorKind, Result};

/// How often a conflicting change of a node is tried: kubelets write the status of their nodes all the time.
const ATTEMPTS: u32 = 5;

/// Operations on nodes and pods, for every [`Kube`].
pub trait KubeExt: Kube {
    /// All nodes.
    fn nodes(&self) -> impl Future<Output = Result<Vec<Node>>> + Send {
        async {
            self.list(&ObjectQuery::new("v1", "Node")).await?.into_iter().map(Node::from_document).collect()
        }
    }

    /// A node, if it exists.
    fn node(&self, name: &str) -> impl Future<Output = Result<Option<Node>>> + Send {
        let object = node(name);
        async move { self.get(&object).await?.map(Node::from_document).transpose() }
    }

    /// Changes a node, unless it already matches.
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

//! The outputs of a graph's tasks, by agnostic task.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cloud::Native;
use crate::cloud::Observed;
use crate::graph::{Handle, Key, Output, Resource};
use crate::{Error, Result};

/// The outputs of a graph's tasks, by the tasks of the original graph, even if one agnostic task is lowered to
/// several native ones whose outputs have other names.
///
/// ```
/// # #[cfg(feature = "testing")]
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # use std::sync::Arc;
/// # use kops_core::Engine;
/// # use kops_core::cloud::Scope;
/// # use kops_core::graph::TaskGraph;
/// # use kops_core::resource::Address;
/// # use kops_core::testing::MemoryCloud;
/// # let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("shop"));
/// let mut graph = TaskGraph::builder();
/// let door = graph.add("door", Address::new());
/// let graph = graph.build()?;
///
/// let plan = engine.plan(&graph).await?;
/// assert_eq!(plan.outputs().get(&door, Address::IP)?, None, "not known yet");
///
/// let report = engine.apply(&plan).await?.into_result()?;
/// let ip = report.outputs().get(&door, Address::IP)?;
/// assert_eq!(ip.as_deref(), Some("198.18.0.1"));
///
/// // Later, or in another process.
/// assert_eq!(engine.outputs(&graph).await?.get(&door, Address::IP)?, ip);
/// # Ok::<(), kops_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct GraphOutputs {
    native: Arc<Native>,
    objects: Arc<HashMap<Key, Object>>,
}

/// An object, and those of its outputs that are about to change.
pub(crate) type Object = (Arc<Observed>, &'static [&'static str]);

impl GraphOutputs {
    pub(crate) fn new(native: Arc<Native>, objects: impl IntoIterator<Item = (Key, Object)>) -> Self {
        Self { native, objects: Arc::new(objects.into_iter().collect()) }
    }

    /// An output of a task; [`Output::ID`] is its object's identifier. `None` while it is not known: before the
    /// object is created, or if the cloud implements the task without an object.
    ///
    /// # Errors
    /// `NotFound` if the graph has no such task; `Internal` if the value has another type.
    pub fn get<R: Resource, T: DeserializeOwned>(
        &self,
        task: &Handle<R>,
        output: Output<R, T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(task.key(), output.name())? else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|error| {
            Error::internal(format!("the output {:?} has another type", output.name()))
                .with_task(task.key())
                .with_source(error)
        })
    }

    /// An output by its name, as JSON.
    ///
    /// # Errors
    /// `NotFound` if the graph has no such task.
    pub fn value(&self, task: &Key, output: &str) -> Result<Option<Value>> {
        if !self.native.has(task) {
            return Err(Error::not_found(format!("the graph has no task {task}"))
                .with_hint("use a task of the graph that was planned"));
        }
        let Some((native, name)) = self.native.output(task, output) else { return Ok(None) };
        let Some((object, volatile)) = self.objects.get(native) else { return Ok(None) };
        if volatile.contains(&name) {
            return Ok(None);
        }
        Ok(crate::plan::output_of(object, name))
    }
}

/// The tasks with objects, without their outputs.
impl fmt::Debug for GraphOutputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys: Vec<_> = self.objects.keys().collect();
        keys.sort();
        f.debug_tuple("GraphOutputs").field(&keys).finish()
    }
}

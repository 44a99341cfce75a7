//! Support for handlers of kinds without marks of their own: the tasks that request an object.
//!
//! Objects inside other objects (routes, rules, records) often carry no tags. They are owned by the scope if the
//! object that contains them is; their task's names are determined by comparing them with the requested tasks.

use super::{Filter, Query};
use crate::graph::{Id, Input};
use crate::resource::Resource;
use crate::{Error, Result};

impl<'a> Query<'a> {
    /// The requested tasks, by name, with their specifications; empty if the query is for identifiers.
    ///
    /// # Errors
    /// `Internal` if a specification does not fit the kind.
    pub fn wanted_as<R: Resource>(&self) -> Result<Vec<(&'a str, R)>> {
        let Filter::Scope { wanted, .. } = self.filter else { return Ok(Vec::new()) };
        wanted
            .iter()
            .map(|task| {
                let spec = task.spec.decode().map_err(|error| {
                    Error::internal(format!("the specification of {}/{} is invalid", R::KIND, task.name))
                        .with_source(error)
                })?;
                Ok((task.name, spec))
            })
            .collect()
    }
}

/// Whether an input, known or not, is the identifier of the object `id`, which was created for `task`.
pub fn refers_to<R: Resource>(input: &Input<Id<R>>, id: &str, task: Option<&str>) -> bool {
    match input {
        Input::Known(known) => known.as_str() == id,
        Input::Output(output) => output.task.kind() == R::KIND && Some(output.task.name()) == task,
        Input::Concat(_) => false,
    }
}

//! What handlers of kinds without marks of their own go by: the tasks that want an object to exist.
//!
//! Objects inside other objects (routes, rules, records) often carry no tags. They are the scope's when what they
//! are in is; their tasks' names are found by what the wanted tasks say of themselves.

use super::{Filter, Query};
use crate::graph::{Id, Input};
use crate::resource::Resource;
use crate::{Error, Result};

impl<'a> Query<'a> {
    /// The wanted tasks, by name, with their specifications; none when identifiers are asked for.
    ///
    /// # Errors
    /// `Internal` when a specification is not one of the kind.
    pub fn wanted_as<R: Resource>(&self) -> Result<Vec<(&'a str, R)>> {
        let Filter::Scope { wanted, .. } = self.filter else { return Ok(Vec::new()) };
        wanted
            .iter()
            .map(|task| {
                let spec = task.spec.decode().map_err(|error| {
                    Error::internal(format!("the specification of {}/{} is none", R::KIND, task.name))
                        .with_source(error)
                })?;
                Ok((task.name, spec))
            })
            .collect()
    }
}

/// Whether an identifier, known or not yet, is that of the object `id`, which was made for `task`.
pub fn refers_to<R: Resource>(input: &Input<Id<R>>, id: &str, task: Option<&str>) -> bool {
    match input {
        Input::Known(known) => known.as_str() == id,
        Input::Output(output) => output.task.kind() == R::KIND && Some(output.task.name()) == task,
        Input::Concat(_) => false,
    }
}

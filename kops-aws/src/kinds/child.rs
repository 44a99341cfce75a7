//! Objects inside other objects, which carry no tags of their own: routes, associations, rules.
//!
//! They are the scope's when what they are in is, and are retained with it. Their tasks' names are found by what the wanted tasks say
//! of themselves; those that no task wants any more get a name made of their place.

use kops_core::cloud::{Filter, Object, Query};
use kops_core::graph::{Id, Input};
use kops_core::resource::Resource;
use kops_core::{Error, Result};

use crate::tags::{self, Tags};

/// An object inside one that carries these tags.
pub(crate) fn inside<S>(whole: &Tags, object: Object<S>) -> Object<S> {
    Object { retained: tags::is_retained(whole), ..object }
}

/// The wanted tasks, with their specifications.
pub(crate) fn wanted<'a, R: Resource>(query: &Query<'a>) -> Result<Vec<(&'a str, R)>> {
    let Filter::Scope { wanted, .. } = query.filter else { return Ok(Vec::new()) };
    wanted
        .iter()
        .map(|task| {
            let spec = R::deserialize(&**task.spec).map_err(|error| {
                Error::internal(format!("the specification of {}/{} is none", R::KIND, task.name))
                    .source(error)
            })?;
            Ok((task.name, spec))
        })
        .collect()
}

/// Whether an identifier, known or not yet, is that of an object that was made for `task`.
pub(crate) fn is<R: Resource>(input: &Input<Id<R>>, id: &str, task: Option<&str>) -> bool {
    match input {
        Input::Known(known) => known.as_str() == id,
        Input::Output(output) => output.task.kind() == R::KIND && Some(output.task.name()) == task,
        Input::Concat(_) => false,
    }
}

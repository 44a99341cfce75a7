//! Objects inside other objects, which carry no tags of their own: routes, associations, rules.
//!
//! They are the scope's when what they are in is, and are retained with it. Their tasks' names are found by what
//! the wanted tasks say of themselves; those that no task wants any more get a name made of their place.

use kops_core::cloud::Object;

use crate::tags::{self, Tags};

/// An object inside one that carries these tags.
pub(crate) fn inside<S>(whole: &Tags, object: Object<S>) -> Object<S> {
    object.retained(tags::is_retained(whole))
}

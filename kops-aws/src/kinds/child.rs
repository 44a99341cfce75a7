//! Objects inside other objects, which carry no tags of their own: routes, associations, rules.
//!
//! They are owned by the scope if the containing object is, and are retained with it. Their task names come
//! from the requested tasks; an object that no task requests any longer gets a name derived from its place.

use kops_core::cloud::Object;

use crate::tags::{self, Tags};

/// An object inside one that carries these tags.
pub(crate) fn inside<S>(whole: &Tags, object: Object<S>) -> Object<S> {
    object.retained(tags::is_retained(whole))
}

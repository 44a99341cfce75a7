//! Kinds whose objects have unique names in AWS: finding the holder of a name that a task requests.

use std::collections::HashSet;

use kops_core::cloud::{Object, Owner, Wanted};

/// The names that tasks request or share and that are not among those `known`. Looking them up takes a call
/// of its own, which a plan without new objects does not make.
pub(crate) fn missing<'a>(
    known: impl Iterator<Item = &'a str>,
    wanted: &[Wanted<'_>],
    shared: &[&str],
) -> Vec<String> {
    let known: HashSet<_> = known.collect();
    let names = wanted.iter().map(|wanted| wanted.name).chain(shared.iter().copied());
    names.filter(|name| !known.contains(name)).map(str::to_owned).collect()
}

/// Sets the task name of a foreign object to its own name, so that a task that requests the name sees that it
/// is taken.
pub(crate) fn show<S>(object: Object<S>, name: &str) -> Object<S> {
    match object.owner {
        Owner::Other => object.name(name.to_owned()),
        _ => object,
    }
}

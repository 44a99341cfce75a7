//! Kinds whose objects have names that AWS keeps unique: who holds a name that a task wants.

use std::collections::HashSet;

use kops_core::cloud::{Object, Owner, Wanted};

/// The names that tasks want or share and that are not among those `known`. Looking for them takes a call of
/// its own, which a plan without new objects does not make.
pub(crate) fn missing<'a>(
    known: impl Iterator<Item = &'a str>,
    wanted: &[Wanted<'_>],
    shared: &[&str],
) -> Vec<String> {
    let known: HashSet<_> = known.collect();
    let names = wanted.iter().map(|wanted| wanted.name).chain(shared.iter().copied());
    names.filter(|name| !known.contains(name)).map(str::to_owned).collect()
}

/// The object with its name as that of a task, if it is somebody else's: a task that wants the name cannot
/// have it.
pub(crate) fn show<S>(object: Object<S>, name: &str) -> Object<S> {
    match object.owner {
        Owner::Other => object.name(name.to_owned()),
        _ => object,
    }
}

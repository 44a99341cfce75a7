//! Step 1, the kinds.
//!
//! A kind is a plain serialisable struct. It is generic over a [`Stage`]: in a graph, a field declared `At<S,
//! T>` may be the output of another task, which is not known yet; in a handler it is a plain `T`. A reference
//! to another object is an `Id` of its kind: from it the engine derives the order of the tasks.

use std::collections::BTreeSet;

use kops_core::cloud::Scope;
use kops_core::graph::{Closed, Document, Id, Open, Secret, Setting, Stage};
use kops_core::resource::{At, RecordType, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A DNS zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Zone<S: Stage = Open> {
    /// Its name.
    pub name: String,
    /// The key that other name servers need for zone transfers. A [`Setting`] can be left unmanaged: agnostic
    /// zones have no keys, and a key that was set by hand is kept.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub transfer_key: Setting<Option<At<S, Id<TransferKey>>>>,
}

impl Resource for Zone {
    const KIND: &'static str = "Zone";
    type Resolved = Zone<Closed>;
}

/// An entry of a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Entry<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<Zone>>,
    /// The full name.
    pub name: String,
    /// The type.
    pub record_type: RecordType,
    /// The TTL, in seconds.
    pub ttl: u32,
    /// The values, as a set: their order does not matter.
    pub values: BTreeSet<At<S, String>>,
}

impl Resource for Entry {
    const KIND: &'static str = "Entry";
    type Resolved = Entry<Closed>;
}

/// A key for zone transfers. It has no agnostic kind: programs add it to the graph directly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferKey {
    /// The key itself, which never appears in a plan, event or error.
    pub secret: Secret,
}

impl Resource for TransferKey {
    const KIND: &'static str = "TransferKey";
    type Resolved = Self;
}

/// What the handler needs to know about each kind.
pub(crate) trait Filed: Resource {
    /// The fields that cannot be changed in place.
    const FIXED: &'static [&'static str];

    /// The identifier of the object, which is also its file name; `None` while it depends on an output that
    /// is not known yet.
    fn id(scope: &Scope, task: &str, spec: &Document) -> Option<String>;
}

impl Filed for Zone {
    const FIXED: &'static [&'static str] = &["name"];

    fn id(_: &Scope, _: &str, spec: &Document) -> Option<String> {
        text(spec, "name").map(str::to_owned)
    }
}

impl Filed for Entry {
    const FIXED: &'static [&'static str] = &["zone", "name", "record_type"];

    fn id(_: &Scope, _: &str, spec: &Document) -> Option<String> {
        // `get` returns nothing while a member is an output that is not known yet.
        Some(format!("{}_{}_{}", text(spec, "zone")?, text(spec, "name")?, text(spec, "record_type")?))
    }
}

impl Filed for TransferKey {
    const FIXED: &'static [&'static str] = &[];

    fn id(scope: &Scope, task: &str, _: &Document) -> Option<String> {
        Some(format!("{task}.{}", scope.name()))
    }
}

fn text<'a>(spec: &'a Document, member: &str) -> Option<&'a str> {
    spec.get(member).and_then(Value::as_str)
}

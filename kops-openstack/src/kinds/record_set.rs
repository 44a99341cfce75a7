//! Record sets.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Timing,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, RecordType, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::dns_zone::{self, DesignateZone};
use super::rest;
use crate::clients::{Call, Clients, Service, parse};
use crate::tags;

/// A DNS record set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RecordSet<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<DesignateZone>>,
    /// The full name, without the final dot.
    pub name: String,
    /// The type.
    pub record_type: RecordType,
    /// The TTL, in seconds.
    pub ttl: u32,
    /// Its values, in the form of the type.
    pub values: BTreeSet<At<S, String>>,
}

impl Resource for RecordSet {
    const KIND: &'static str = "RecordSet";
    type Resolved = RecordSet<Closed>;
}

#[derive(Clone, Debug, Deserialize)]
struct Found {
    id: String,
    zone_id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    ttl: Option<u32>,
    #[serde(default)]
    records: BTreeSet<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    action: String,
}

fn type_name(kind: RecordType) -> &'static str {
    match kind {
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
        RecordType::Cname => "CNAME",
        RecordType::Txt => "TXT",
    }
}

fn read_type(name: &str) -> Option<RecordType> {
    [RecordType::A, RecordType::Aaaa, RecordType::Cname, RecordType::Txt]
        .into_iter()
        .find(|kind| type_name(*kind) == name)
}

/// Text is quoted, names end with a dot.
fn write_value(kind: RecordType, value: &str) -> String {
    match kind {
        RecordType::Txt if !value.starts_with('"') => format!("\"{value}\""),
        RecordType::Cname if !value.ends_with('.') => format!("{value}."),
        _ => value.to_owned(),
    }
}

fn read_value(kind: RecordType, value: &str) -> String {
    match kind {
        RecordType::Txt => value.trim_matches('"').to_owned(),
        RecordType::Cname => value.trim_end_matches('.').to_owned(),
        _ => value.to_owned(),
    }
}

#[derive(Debug)]
pub(crate) struct RecordSets(pub(crate) Clients);

#[async_trait]
impl Handler for RecordSets {
    type Kind = RecordSet;

    /// A zone has at most one record set with a name and type.
    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        if ["ttl", "values"].contains(&field) { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing(&self) -> Timing {
        dns_zone::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<RecordSet<Closed>>>> {
        if !self.0.has(Service::Dns) {
            return Ok(Vec::new());
        }
        let wanted = query.wanted_as::<RecordSet>()?;
        let found = self.find(query, &wanted).await?;
        let objects = found.values().filter_map(|it| {
            let object = observed(query.scope, it)?;
            let is_wanted = |spec: &RecordSet| {
                spec.name == object.spec.name && excludes(spec.record_type, object.spec.record_type)
            };
            let asked_for = match query.filter {
                Filter::Ids(ids) => ids.contains(&object.id),
                Filter::Scope { .. } => {
                    let taken = wanted.iter().find(|(_, spec)| is_wanted(spec));
                    if let (None, Some((name, _))) = (&object.name, taken) {
                        return Some(object.name((*name).to_owned()));
                    }
                    object.name.is_some()
                }
            };
            asked_for.then_some(object)
        });
        Ok(objects.collect())
    }

    async fn create(&self, request: Create<'_, RecordSet<Closed>>) -> Result<Object<RecordSet<Closed>>> {
        let spec = request.spec;
        let body = json!({
            "name": format!("{}.", spec.name),
            "type": type_name(spec.record_type),
            "ttl": spec.ttl,
            "records": values(spec),
            "description": Mark::of_new(&request).text(),
        });
        let path = format!("zones/{}/recordsets", spec.zone.as_str());
        answer(
            request.scope,
            "POST dns/recordsets",
            self.0.send(request.cx, Call::post(Service::Dns, path, body)).await?,
        )
    }

    async fn update(&self, request: Update<'_, RecordSet<Closed>>) -> Result<Object<RecordSet<Closed>>> {
        let Update { scope, object, spec, cx, .. } = request;
        let body = json!({ "ttl": spec.ttl, "records": values(spec) });
        let (zone, id) = object.id.split_once('/').unwrap_or_default();
        let path = format!("zones/{zone}/recordsets/{id}");
        answer(scope, "PUT dns/recordsets", self.0.send(cx, Call::put(Service::Dns, path, body)).await?)
    }

    async fn delete(&self, request: Delete<'_, RecordSet<Closed>>) -> Result<Deletion> {
        let (zone, id) = request.object.id.split_once('/').unwrap_or_default();
        let call = Call::delete(Service::Dns, format!("zones/{zone}/recordsets/{id}"));
        rest::gone_is_fine(self.0.send(request.cx, call).await)?;
        Ok(Deletion::Pending)
    }
}

/// Whether only one of two record sets of a name can exist: those of one type, and a CNAME and any other (RFC 1034, 3.6.2).
fn excludes(one: RecordType, other: RecordType) -> bool {
    one == other || one == RecordType::Cname || other == RecordType::Cname
}

fn values(spec: &RecordSet<Closed>) -> Vec<String> {
    spec.values.iter().map(|value| write_value(spec.record_type, value)).collect()
}

/// The record set in a response.
fn answer(scope: &Scope, call: &str, answer: serde_json::Value) -> Result<Object<RecordSet<Closed>>> {
    let found: Found = parse(call, answer)?;
    observed(scope, &found)
        .ok_or_else(|| kops_core::Error::internal(format!("unexpected record set of type {}", found.kind)))
}

impl RecordSets {
    /// The record sets that may be relevant: those with the scope's mark, and those with requested names. As
    /// most names end with the scope's, these are two queries over all zones, and one more for each other
    /// name. For identifiers, those in their zones.
    async fn find(&self, query: &Query<'_>, wanted: &[(&str, RecordSet)]) -> Result<BTreeMap<String, Found>> {
        let mut calls: BTreeSet<(String, Option<(&str, String)>)> = BTreeSet::new();
        match query.filter {
            Filter::Ids(ids) => {
                for zone in ids.iter().filter_map(|id| id.split_once('/')).map(|(zone, _)| zone) {
                    calls.insert((format!("zones/{zone}/recordsets"), None));
                }
            }
            Filter::Scope { .. } => {
                let scope = query.scope.name();
                let all = || "recordsets".to_owned();
                calls.insert((all(), Some(("description", format!("{}*", Mark::beginning(query.scope))))));
                calls.insert((all(), Some(("name", format!("*{scope}.")))));
                let others = wanted.iter().map(|(_, spec)| &spec.name).filter(|name| !name.ends_with(scope));
                calls.extend(others.map(|name| (all(), Some(("name", format!("{name}."))))));
            }
        }
        let listings = calls.into_iter().map(|(path, pair)| async move {
            let query_pairs: Vec<_> = pair.into_iter().collect();
            let call = Call::get(Service::Dns, path).query(&query_pairs);
            match self.0.all::<Found>(query.cx, call, "recordsets").await {
                // The zone is gone, and its records with it.
                Err(error) if error.kind() == kops_core::ErrorKind::NotFound => Ok(Vec::new()),
                answer => answer,
            }
        });
        let found = try_join_all(listings).await?.into_iter().flatten();
        Ok(found.map(|it| (it.id.clone(), it)).collect())
    }
}

/// An object, if its type is known here.
fn observed(scope: &Scope, found: &Found) -> Option<Object<RecordSet<Closed>>> {
    let record_type = read_type(&found.kind)?;
    let spec = RecordSet {
        zone: Id::new(&found.zone_id),
        name: found.name.trim_end_matches('.').to_owned(),
        record_type,
        ttl: found.ttl.unwrap_or_default(),
        values: found.records.iter().map(|value| read_value(record_type, value)).collect(),
    };
    let mark = found.description.as_deref().and_then(|text| Mark::read(scope, text));
    let id = format!("{}/{}", found.zone_id, found.id);
    Some(tags::object(mark, id, spec).state(dns_zone::state(&found.status, &found.action)))
}

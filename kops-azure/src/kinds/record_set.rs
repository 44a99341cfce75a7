//! Records of DNS zones, public and private.
//!
//! They carry no tags, but metadata, which has the same content as tags of other kinds. The zones that are
//! searched are those that the scope owns, those that tasks name, and those that contain the scope's name:
//! records of a cluster are in one of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use azure_mgmt_dns::package_2018_05::models as public;
use azure_mgmt_privatedns::models as private;
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Owner,
    Query, Scope, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, RecordType, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::AzureDnsZone;
use super::arm::{self, Calls, calls};
use super::dns_zone::{is_private, zones};
use crate::clients::{Clients, pages, sent};
use crate::ids;
use crate::tags::{self, Tags};

/// The records with a name and type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AzureRecordSet<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<AzureDnsZone>>,
    /// The full name, without the final dot.
    pub name: String,
    /// The type.
    pub record_type: RecordType,
    /// The TTL, in seconds.
    pub ttl: u32,
    /// Its values, in the form of its type.
    pub values: BTreeSet<At<S, String>>,
}

impl Resource for AzureRecordSet {
    const KIND: &'static str = "AzureRecordSet";
    type Resolved = AzureRecordSet<Closed>;
}

const PUBLIC: Calls = calls!("Microsoft.Network/dnszones/recordsets");
const PRIVATE: Calls = calls!("Microsoft.Network/privateDnsZones/recordsets");
/// The condition that the resource must not exist.
const NONE: &str = "*";
/// The maximum length of a character string.
const PIECE: usize = 255;

fn type_name(record_type: RecordType) -> &'static str {
    match record_type {
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
        RecordType::Cname => "CNAME",
        RecordType::Txt => "TXT",
    }
}

/// A record set in a form common to both providers.
#[derive(Clone, Debug, Default)]
struct Records {
    id: String,
    name: String,
    metadata: Tags,
    ttl: u32,
    values: BTreeSet<String>,
}

/// The values of a model of either provider, which only differ in their types.
macro_rules! values {
    ($properties:expr) => {{
        let properties = $properties;
        let a = properties.a_records.iter().filter_map(|it| it.ipv4_address.clone());
        let aaaa = properties.aaaa_records.iter().filter_map(|it| it.ipv6_address.clone());
        let cname = properties.cname_record.iter().filter_map(|it| it.cname.clone());
        let txt = properties.txt_records.iter().map(|it| it.value.concat());
        a.chain(aaaa).chain(cname).chain(txt).collect()
    }};
}

/// The properties of a model of either provider.
macro_rules! properties {
    ($models:ident, $spec:expr, $metadata:expr) => {{
        let spec: &AzureRecordSet<Closed> = $spec;
        let mut properties = $models::RecordSetProperties::default();
        properties.ttl = Some(i64::from(spec.ttl));
        properties.metadata = Some(tags::write($metadata));
        for value in &spec.values {
            let value = value.clone();
            match spec.record_type {
                RecordType::A => properties.a_records.push($models::ARecord { ipv4_address: Some(value) }),
                RecordType::Aaaa => {
                    properties.aaaa_records.push($models::AaaaRecord { ipv6_address: Some(value) })
                }
                RecordType::Cname => {
                    properties.cname_record = Some($models::CnameRecord { cname: Some(value) })
                }
                RecordType::Txt => properties.txt_records.push($models::TxtRecord { value: pieces(&value) }),
            }
        }
        properties
    }};
}

fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(PIECE).map(|piece| piece.iter().collect()).collect()
}

impl Records {
    fn public(model: &public::RecordSet) -> Self {
        let properties = model.properties.clone().unwrap_or_default();
        Self {
            id: model.id.clone().unwrap_or_default(),
            name: model.name.clone().unwrap_or_default(),
            metadata: tags::read(properties.metadata.as_ref()),
            ttl: properties.ttl.and_then(|it| u32::try_from(it).ok()).unwrap_or_default(),
            values: values!(properties),
        }
    }

    fn private(model: &private::RecordSet) -> Self {
        let properties = model.properties.clone().unwrap_or_default();
        let base = &model.proxy_resource.resource;
        Self {
            id: model.id.clone().or(base.id.clone()).unwrap_or_default(),
            name: model.name.clone().or(base.name.clone()).unwrap_or_default(),
            metadata: tags::read(properties.metadata.as_ref()),
            ttl: properties.ttl.and_then(|it| u32::try_from(it).ok()).unwrap_or_default(),
            values: values!(properties),
        }
    }

    /// The object; `None` for types that are not supported.
    fn object(&self, scope: &Scope, own: &str) -> Option<Object<AzureRecordSet<Closed>>> {
        let id = ids::canonical(&self.id, own);
        // …/dnszones/<zone>/<type>/<name>
        let zone = ids::parent(&id);
        let kind = id[zone.len()..].trim_start_matches('/').split('/').next().unwrap_or_default();
        let types = [RecordType::A, RecordType::Aaaa, RecordType::Cname, RecordType::Txt];
        let record_type = types.into_iter().find(|it| type_name(*it).eq_ignore_ascii_case(kind))?;
        let domain = ids::name(zone);
        let name = if self.name == "@" { domain.to_owned() } else { format!("{}.{domain}", self.name) };
        let spec = AzureRecordSet {
            zone: Id::new(zone),
            name: name.clone(),
            record_type,
            ttl: self.ttl,
            values: self.values.clone(),
        };
        Some(tags::object(scope, &id, &name, &self.metadata, spec))
    }
}

/// The name of a record in its zone.
fn relative(name: &str, domain: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_suffix(&domain.to_ascii_lowercase()) {
        Some("") => "@".to_owned(),
        Some(rest) => rest.trim_end_matches('.').to_owned(),
        None => name,
    }
}

#[derive(Debug)]
pub(crate) struct RecordSets(pub(crate) Clients);

#[async_trait]
impl Handler for RecordSets {
    type Kind = AzureRecordSet;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "ttl" || field == "values" { Mutability::InPlace } else { Mutability::Replace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<AzureRecordSet<Closed>>>> {
        let mut cx = Context::default();
        let query = &arm::looking_anew(query, &mut cx);
        let own = self.0.group(query.scope);
        let wanted = query.wanted_as::<AzureRecordSet>()?;
        let zones: Vec<String> = match query.filter {
            Filter::Ids(ids) => {
                let mut zones: Vec<_> = ids.iter().map(|id| ids::parent(id).to_owned()).collect();
                zones.sort_unstable();
                zones.dedup();
                zones
            }
            Filter::Scope { .. } => {
                let zones = zones(&self.0, query.cx).await?;
                let concerns = |zone: &&super::dns_zone::Zone| {
                    let object = zone.object(&self.0, query.scope);
                    let of_scope = is_in(query.scope.name(), &zone.name);
                    let of_task = wanted.iter().any(|(_, spec)| is_in(&spec.name, &zone.name));
                    object.owner == Owner::Scope || of_scope || of_task
                };
                zones.iter().filter(concerns).map(|zone| ids::canonical(&zone.id, &own)).collect()
            }
        };
        let lists = zones.iter().map(|zone| self.records(query.cx, zone));
        let found = try_join_all(lists).await?;
        let objects = found.iter().flat_map(|records| records.iter());
        let objects = objects.filter_map(|records| records.object(query.scope, &own));
        Ok(match query.filter {
            Filter::Ids(ids) => {
                objects.filter(|object| ids.iter().any(|id| ids::same(id, &object.id))).collect()
            }
            Filter::Scope { shared, .. } => objects
                .filter_map(|mut object| {
                    if object.owner == Owner::Scope {
                        return Some(object);
                    }
                    let holds = |(_, spec): &&(&str, AzureRecordSet)| {
                        let here = spec
                            .zone
                            .known()
                            .is_none_or(|zone| ids::same(zone.as_str(), object.spec.zone.as_str()));
                        here && spec.name.eq_ignore_ascii_case(&object.spec.name)
                            && excludes(spec.record_type, object.spec.record_type)
                    };
                    if let Some((task, _)) = wanted.iter().find(holds) {
                        object.name = Some((*task).to_owned());
                        return Some(object);
                    }
                    shared.iter().any(|id| ids::same(id, &object.id)).then_some(object)
                })
                .collect(),
        })
    }

    async fn create(
        &self,
        request: Create<'_, AzureRecordSet<Closed>>,
    ) -> Result<Object<AzureRecordSet<Closed>>> {
        let metadata = tags::of_new(&request, &Tags::new());
        self.put(request.cx, request.scope, request.spec, &metadata, true).await.map_err(|error| {
            if error.kind() == ErrorKind::Conflict {
                arm::exists(&request.spec.name).with_call(PUBLIC.write).with_source(error)
            } else {
                error
            }
        })
    }

    async fn update(
        &self,
        request: Update<'_, AzureRecordSet<Closed>>,
    ) -> Result<Object<AzureRecordSet<Closed>>> {
        let metadata =
            tags::of(request.scope, &Mark::of(request.scope, request.name, request.object), &Tags::new());
        self.put(request.cx, request.scope, request.spec, &metadata, false).await
    }

    async fn delete(&self, request: Delete<'_, AzureRecordSet<Closed>>) -> Result<Deletion> {
        let id = &request.object.id;
        let zone = request.object.spec.zone.as_str();
        let (group, domain) = (ids::group(zone).unwrap_or_default(), ids::name(zone));
        let (name, kind) = (ids::name(id), type_name(request.object.spec.record_type));
        let (call, delete) = if is_private(zone) {
            let client = self.0.privatedns.record_sets_client();
            (PRIVATE.delete, sent(client.delete(group, domain, kind, name, &self.0.subscription).send()))
        } else {
            let client = self.0.dns.record_sets_client();
            (PUBLIC.delete, sent(client.delete(group, domain, name, kind, &self.0.subscription).send()))
        };
        arm::deleted(&self.0, request.cx, call, id, delete).await
    }
}

/// Whether only one of two records of a name can exist: those of one type, and a CNAME and any other.
/// <https://learn.microsoft.com/azure/dns/dns-zones-records#cname-records>
fn excludes(one: RecordType, other: RecordType) -> bool {
    one == other || one == RecordType::Cname || other == RecordType::Cname
}

/// Whether a name is in a domain.
fn is_in(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.to_ascii_lowercase(), domain.to_ascii_lowercase());
    name.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl RecordSets {
    async fn records(&self, cx: &Context, zone: &str) -> Result<Arc<Vec<Records>>> {
        let (group, name) = (ids::group(zone).unwrap_or_default(), ids::name(zone));
        cx.memo
            .get_or_try(&format!("records of {}", zone.to_ascii_lowercase()), async || {
                if is_private(zone) {
                    let list = self.0.privatedns.record_sets_client().list(group, name, &self.0.subscription);
                    let found =
                        self.0.list(cx, PRIVATE.read, pages(list.into_stream(), |page| page.value)).await?;
                    return Ok(found.iter().map(Records::private).collect());
                }
                let list =
                    self.0.dns.record_sets_client().list_by_dns_zone(group, name, &self.0.subscription);
                let found =
                    self.0.list(cx, PUBLIC.read, pages(list.into_stream(), |page| page.value)).await?;
                Ok(found.iter().map(Records::public).collect())
            })
            .await
    }

    async fn put(
        &self,
        cx: &Context,
        scope: &Scope,
        spec: &AzureRecordSet<Closed>,
        metadata: &Tags,
        fresh: bool,
    ) -> Result<Object<AzureRecordSet<Closed>>> {
        let zone = spec.zone.as_str();
        let (group, domain) = (ids::group(zone).unwrap_or_default(), ids::name(zone));
        let (name, kind) = (relative(&spec.name, domain), type_name(spec.record_type));
        let subscription = &self.0.subscription;
        let records = if is_private(zone) {
            let properties = Some(properties!(private, spec, metadata));
            let model = private::RecordSet { properties, ..private::RecordSet::default() };
            let client = self.0.privatedns.record_sets_client();
            let put = client.create_or_update(group, domain, kind, name, model, subscription);
            let put = if fresh { put.if_none_match(NONE) } else { put };
            Records::private(&self.0.fetch(cx, PRIVATE.write, sent(put.send())).await?)
        } else {
            let properties = Some(properties!(public, spec, metadata));
            let model = public::RecordSet { properties, ..public::RecordSet::default() };
            let client = self.0.dns.record_sets_client();
            let put = client.create_or_update(group, domain, name, kind, model, subscription);
            let put = if fresh { put.if_none_match(NONE) } else { put };
            Records::public(&self.0.fetch(cx, PUBLIC.write, sent(put.send())).await?)
        };
        let own = self.0.group(scope);
        records
            .object(scope, &own)
            .ok_or_else(|| kops_core::Error::internal("the answer shows a record of another type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_their_zone() {
        assert_eq!(relative("api.ha.example.com", "example.com"), "api.ha");
        assert_eq!(relative("example.com", "example.com"), "@");
        assert!(is_in("api.ha.example.com", "example.com") && !is_in("notexample.com", "example.com"));
    }

    #[test]
    fn texts_are_cut_into_pieces() {
        assert_eq!(pieces(&"x".repeat(300)).iter().map(String::len).collect::<Vec<_>>(), [255, 45]);
    }
}

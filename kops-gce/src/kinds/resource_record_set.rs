//! Records of Cloud DNS.
//!
//! **Ownership.** Records have no field for an owner. So each one has a companion, a TXT record, which is
//! written and deleted together with it in one change, an atomic operation of Cloud DNS:
//! `<hash>._kops.<scope>.<zone>`, or `<hash>._kops.<scope>` in a zone that contains the scope's name,
//! contains the [`Mark`] and the record it belongs to. A record without a companion is foreign and never
//! changed.
//!
//! **Finding.** The zones that contain the scope's name, and those of requested records, are listed as a
//! whole: the listing takes one name or none. A scope whose name is not a DNS name (it has no dot) is
//! searched for in every zone of the project, and one whose name is one may only use zones that contain it:
//! otherwise only the graph would know where its records are.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use google_cloud_dns_v1::model::{Change, ResourceRecordSet as Model};
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query,
    Scope, Update, Wanted, bare_domain, name_hash, pages,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, RecordType, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::ManagedZone;
use super::convert::{count, int, text};
use super::managed_zone;
use crate::clients::Clients;

/// A record set in a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ResourceRecordSet<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<ManagedZone>>,
    /// Its full name, without the final dot.
    pub name: String,
    /// Its type.
    pub record_type: RecordType,
    /// The TTL, in seconds.
    pub ttl: u32,
    /// Its values, in the form of its type; text without quotes.
    pub values: BTreeSet<At<S, String>>,
}

impl Resource for ResourceRecordSet {
    const KIND: &'static str = "ResourceRecordSet";
    type Resolved = ResourceRecordSet<Closed>;
}

pub(crate) struct ResourceRecordSets(pub(crate) Clients);

type Record = ResourceRecordSet<Closed>;
/// Name and type.
type Which = (String, String);

/// The TTL of a mark, in seconds; no resolver asks for one.
const MARK_TTL: i32 = 300;
/// The maximum length of a string in a TXT record, in bytes: RFC 1035, 3.3.
const LONGEST_STRING: usize = 255;

const CNAME: &str = "CNAME";

/// A zone to search.
struct Zone {
    id: String,
    domain: String,
}

impl ResourceRecordSets {
    async fn records(&self, zone: &str, cx: &Context) -> Result<BTreeMap<Which, Model>> {
        let clients = &self.0;
        let all = pages(async |token: Option<String>| {
            let mut request = clients.dns_records.list().set_project(&clients.project).set_managed_zone(zone);
            if let Some(token) = token {
                request = request.set_page_token(token);
            }
            let page = clients.call(cx, "dns.resourceRecordSets.list", request.send()).await?;
            Ok((page.rrsets, page.next_page_token))
        })
        .await?;
        Ok(all.into_iter().map(|record| (which(&record), record)).collect())
    }

    async fn zones(&self, scope: &Scope, wanted: &[Want], cx: &Context) -> Result<Vec<Zone>> {
        let everywhere = !scope.name().contains('.');
        let zones = managed_zone::all(&self.0, cx).await?;
        let zones = zones.iter().map(|zone| Zone {
            id: text(zone.name.as_deref()),
            domain: managed_zone::domain(zone).to_owned(),
        });
        Ok(zones
            .filter(|zone| {
                everywhere
                    || is_under(scope.name(), &zone.domain)
                    || wanted.iter().any(|want| is_under(&want.which.0, &zone.domain))
            })
            .collect())
    }

    async fn in_zone(&self, query: &Query<'_>, zone: &Zone, wanted: &[Want]) -> Result<Vec<Object<Record>>> {
        let mut records = self.records(&zone.id, query.cx).await?;
        let marks: Vec<_> = records.values().filter_map(|record| read_mark(query.scope, record)).collect();
        let mut objects = Vec::new();
        for (which, mark) in marks {
            // If only its mark is left, one without values.
            let record = records.remove(&which);
            if let Some(spec) = spec_of(zone, &which, record.as_ref()) {
                objects.push(mark.object(id_of(&zone.id, &which), spec));
            }
        }
        for want in wanted {
            if let Some(record) = records.get(&want.which)
                && let Some(spec) = spec_of(zone, &want.which, Some(record))
            {
                let object = Object::foreign(id_of(&zone.id, &want.which), spec);
                objects.push(object.name(want.task.clone()));
            } else if let Some(other) = records.keys().find(|other| excludes(other, &want.which))
                && let Some(spec) = spec_of(zone, &want.which, None)
            {
                let object = Object::foreign(id_of(&zone.id, other), spec);
                objects.push(object.name(want.task.clone()));
            }
        }
        Ok(objects)
    }

    /// The zone of a record; rejected if the record could not be found again there.
    async fn zone(&self, scope: &Scope, id: &Id<ManagedZone>, cx: &Context) -> Result<Zone> {
        let zones = managed_zone::all(&self.0, &cx.fresh()).await?;
        let zone = zones.iter().find(|zone| zone.name.as_deref() == Some(id.as_str()));
        let zone = zone.ok_or_else(|| Error::not_found(format!("there is no zone {id}")))?;
        let domain = managed_zone::domain(zone).to_owned();
        if scope.name().contains('.') && !is_under(scope.name(), &domain) {
            return Err(Error::invalid(format!("the zone {domain} does not contain {}", scope.name()))
                .with_hint(
                    "records could not be found again there: use a zone that contains the cluster's name",
                ));
        }
        Ok(Zone { id: id.as_str().to_owned(), domain })
    }

    async fn change(
        &self,
        cx: &Context,
        zone: &Zone,
        deletions: Vec<Model>,
        additions: Vec<Model>,
    ) -> Result<()> {
        let body = Change::new().set_deletions(deletions).set_additions(additions);
        let create = self.0.dns_changes.create().set_project(&self.0.project).set_managed_zone(&zone.id);
        self.0.call(cx, "dns.changes.create", create.set_body(body).send()).await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for ResourceRecordSets {
    type Kind = ResourceRecordSet;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "ttl" | "values" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Record>>> {
        let wanted = match query.filter {
            Filter::Scope { wanted, .. } => wants(wanted),
            Filter::Ids(_) => Vec::new(),
        };
        // The engine is waiting for a change, so an observation's memoised listing is of no use.
        let fresh = query.cx.fresh();
        let cx = if matches!(query.filter, Filter::Ids(_)) { &fresh } else { query.cx };
        let query = Query::new(query.scope, query.filter, cx);
        let zones = self.zones(query.scope, &wanted, cx).await?;
        let found = try_join_all(zones.iter().map(|zone| self.in_zone(&query, zone, &wanted))).await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        if let Filter::Ids(ids) = query.filter {
            found.retain(|object| ids.contains(&object.id));
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Record>) -> Result<Object<Record>> {
        let spec = request.spec;
        let zone = self.zone(request.scope, &spec.zone, request.cx).await?;
        let mark = Mark::of_new(&request);
        let additions = vec![written(spec)?, mark_record(&mark, spec, &zone)];
        self.change(request.cx, &zone, Vec::new(), additions).await?;
        Ok(mark.object(id_of(&zone.id, &which_of(spec)), spec.clone()))
    }

    /// A change specifies the content of what it removes, and is rejected if that has changed in the
    /// meantime.
    async fn update(&self, request: Update<'_, Record>) -> Result<Object<Record>> {
        let spec = request.spec;
        let zone = self.zone(request.scope, &spec.zone, request.cx).await?;
        let now = self.records(&zone.id, request.cx).await?;
        let mark = mark_record(&Mark::of(request.scope, request.name, request.object), spec, &zone);
        let mut additions = vec![written(spec)?];
        if !now.contains_key(&which(&mark)) {
            additions.push(mark);
        }
        let deletions = now.get(&which_of(spec)).cloned().into_iter().collect();
        self.change(request.cx, &zone, deletions, additions).await?;
        Ok(request.object.clone().spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Record>) -> Result<Deletion> {
        let spec = &request.object.spec;
        let zone = self.zone(request.scope, &spec.zone, request.cx).await?;
        let now = self.records(&zone.id, request.cx).await?;
        let mark = Mark::of(request.scope, "", request.object);
        // Without the mark it has become foreign, or is gone.
        let Some(mark) = now.get(&which(&mark_record(&mark, spec, &zone))) else { return Ok(Deletion::Done) };
        let deletions = now.get(&which_of(spec)).into_iter().chain([mark]).cloned().collect();
        self.change(request.cx, &zone, deletions, Vec::new()).await?;
        Ok(Deletion::Done)
    }
}

/// A task that requests a record set.
struct Want {
    task: String,
    which: Which,
}

fn wants(wanted: &[Wanted<'_>]) -> Vec<Want> {
    let want = |wanted: &Wanted<'_>| {
        let spec = wanted.spec.decode::<ResourceRecordSet>().ok()?;
        let which = (bare_domain(&spec.name), type_name(spec.record_type).to_owned());
        Some(Want { task: wanted.name.to_owned(), which })
    };
    wanted.iter().filter_map(want).collect()
}

/// Whether two records cannot have the same name: a CNAME tolerates no other.
/// <https://cloud.google.com/dns/docs/records-overview>
fn excludes(one: &Which, other: &Which) -> bool {
    one.0 == other.0 && one.1 != other.1 && (one.1 == CNAME || other.1 == CNAME)
}

fn type_name(record_type: RecordType) -> &'static str {
    match record_type {
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
        RecordType::Cname => CNAME,
        RecordType::Txt => "TXT",
    }
}

fn type_of(name: &str) -> Option<RecordType> {
    [RecordType::A, RecordType::Aaaa, RecordType::Cname, RecordType::Txt]
        .into_iter()
        .find(|it| type_name(*it) == name)
}

fn which(record: &Model) -> Which {
    (bare_domain(record.name.as_deref().unwrap_or_default()), text(record.r#type.as_deref()))
}

fn which_of(spec: &Record) -> Which {
    (bare_domain(&spec.name), type_name(spec.record_type).to_owned())
}

fn id_of(zone: &str, (name, kind): &Which) -> String {
    format!("{zone}/{name}/{kind}")
}

fn is_under(name: &str, domain: &str) -> bool {
    let (name, domain) = (bare_domain(name), bare_domain(domain));
    name == domain || name.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
}

fn spec_of(zone: &Zone, which: &Which, record: Option<&Model>) -> Option<Record> {
    let record_type = type_of(&which.1)?;
    let values = record.into_iter().flat_map(|record| &record.rrdatas);
    let read = |value: &String| match record_type {
        RecordType::Txt => unquoted(value),
        RecordType::Cname => bare_domain(value),
        RecordType::A | RecordType::Aaaa => value.clone(),
    };
    Some(Record {
        zone: Id::new(&zone.id),
        name: which.0.clone(),
        record_type,
        ttl: count(record.and_then(|record| record.ttl)),
        values: values.map(read).collect(),
    })
}

fn written(spec: &Record) -> Result<Model> {
    let write = |value: &String| match spec.record_type {
        RecordType::Txt => quoted(value),
        RecordType::Cname => format!("{}.", bare_domain(value)),
        RecordType::A | RecordType::Aaaa => value.clone(),
    };
    Ok(Model::new()
        .set_name(format!("{}.", spec.name))
        .set_type(type_name(spec.record_type))
        .set_ttl(int(spec.ttl)?)
        .set_rrdatas(spec.values.iter().map(write)))
}

/// The companion record that carries the mark of another.
fn mark_record(mark: &Mark, spec: &Record, zone: &Zone) -> Model {
    let (name, kind) = which_of(spec);
    let below = if is_under(&mark.scope, &zone.domain) {
        bare_domain(&mark.scope)
    } else {
        format!("{}.{}", bare_domain(&mark.scope), zone.domain)
    };
    let value = format!("{} type={kind} name={name}", mark.text());
    Model::new()
        .set_name(format!("{}._kops.{below}.", name_hash(&format!("{name} {kind}"))))
        .set_type("TXT")
        .set_ttl(MARK_TTL)
        .set_rrdatas([quoted(&value)])
}

/// Reads the mark of a record, if it is one of the scope's.
fn read_mark(scope: &Scope, record: &Model) -> Option<(Which, Mark)> {
    if record.r#type.as_deref() != Some("TXT") || !record.name.as_deref()?.contains("._kops.") {
        return None;
    }
    let value = unquoted(record.rrdatas.first()?);
    let mark = Mark::read(scope, &value)?;
    let word = |key: &str| value.split(' ').find_map(|word| word.strip_prefix(key)).map(str::to_owned);
    Some(((word("name=")?, word("type=")?), mark))
}

/// A text as records store it: quoted strings.
fn quoted(value: &str) -> String {
    let mut strings: Vec<String> = vec![String::new()];
    let mut length = 0;
    for c in value.chars() {
        if length + c.len_utf8() > LONGEST_STRING {
            strings.push(String::new());
            length = 0;
        }
        length += c.len_utf8();
        if let Some(string) = strings.last_mut() {
            if matches!(c, '"' | '\\') {
                string.push('\\');
            }
            string.push(c);
        }
    }
    let strings: Vec<_> = strings.iter().map(|string| format!("\"{string}\"")).collect();
    strings.join(" ")
}

/// The text of a record: its strings joined.
fn unquoted(value: &str) -> String {
    let (mut plain, mut inside, mut escaped) = (String::new(), false, false);
    for c in value.chars() {
        match c {
            _ if escaped => {
                plain.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => inside = !inside,
            ' ' if !inside => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        for value in ["", "a b", "say \"hi\" \\ there", &"x".repeat(600)] {
            assert_eq!(unquoted(&quoted(value)), value);
        }
        assert_eq!(unquoted("plain"), "plain");
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let scope = Scope::new("ha.example.com");
        let zone = Zone { id: "z".to_owned(), domain: "example.com".to_owned() };
        let spec = Record {
            zone: Id::new("z"),
            name: "api.ha.example.com".to_owned(),
            record_type: RecordType::A,
            ttl: 60,
            values: ["192.0.2.1".to_owned()].into(),
        };
        let mark = Mark::new(&Scope::new("ha.example.com"), "api");
        let record = mark_record(&mark, &spec, &zone);
        assert!(record.name.as_deref().unwrap().ends_with("._kops.ha.example.com."));
        assert_eq!(read_mark(&scope, &record), Some((which_of(&spec), mark)));
        assert_eq!(read_mark(&Scope::new("other"), &record), None);
        assert!(is_under("a.example.com", "example.com") && !is_under("badexample.com", "example.com"));
    }
}

//! Records of Route 53.
//!
//! **Ownership.** Records have no field for an owner. So each one has a companion, a TXT record, which is
//! written and deleted together with it in one change batch, an atomic operation of Route 53:
//! `<digest>._kops.<scope>` contains the [mark](crate::mark) and the record it belongs to. A record without a
//! companion is foreign and never changed.
//!
//! **Finding.** A cluster's name is a DNS name. Its records, and the marks of all records that it owns in the
//! zone, are at and below that name, where one listing finds them; the zones are those that contain the name.
//! So the name of a cluster is enough to find its records. A zone that does not contain the scope's name has
//! the marks below `_kops.<scope>.<zone>`. Such a zone can only be found by searching every zone of the
//! account; that is done for scopes whose name is not a DNS name (it has no dot), and a scope whose name is
//! one may only use zones that contain it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_route53::types::{AliasTarget, ChangeAction, ResourceRecord, ResourceRecordSet, RrType};
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope,
    Update, Wanted,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, RecordType, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::HostedZone;
use super::hosted_zone;
use super::record_text::{absolute, bare, is_under, mark_name, mark_root, read_values, write_values};
use crate::clients::Clients;
use kops_core::cloud::Mark;

/// A record set in a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RecordSet<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<HostedZone>>,
    /// Its full name, without the final dot.
    pub name: String,
    /// Its type.
    pub record_type: RecordType,
    /// Its value.
    pub target: RecordTarget<S>,
}

/// The value of a record set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum RecordTarget<S: Stage = Open> {
    /// Literal values.
    Values {
        /// The TTL in seconds.
        ttl: u32,
        /// In the form of the record's type; text without quotes.
        values: BTreeSet<At<S, String>>,
    },
    /// An alias of another name of AWS's.
    Alias {
        /// That name.
        dns_name: At<S, String>,
        /// The zone of that name.
        dns_zone: At<S, String>,
    },
}

impl Resource for RecordSet {
    const KIND: &'static str = "RecordSet";
    type Resolved = RecordSet<Closed>;
}

pub(crate) struct RecordSets(pub(crate) Clients);

type Record = RecordSet<Closed>;

/// Records per page, the maximum.
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html>
const PAGE: i32 = 300;
/// The TTL of a mark, in seconds; no resolver asks for one.
const MARK_TTL: i64 = 300;

impl RecordSets {
    /// The records at and below a name.
    async fn below(&self, cx: &Context, zone: &str, name: &str) -> Result<Vec<ResourceRecordSet>> {
        let mut found = Vec::new();
        let (mut next, mut next_type, mut next_set) = (Some(absolute(name)), None, None);
        loop {
            let request = self.0.route53.list_resource_record_sets().hosted_zone_id(zone).max_items(PAGE);
            let request = request
                .set_start_record_name(next.take())
                .set_start_record_type(next_type.take())
                .set_start_record_identifier(next_set.take());
            let page = self.0.call(cx, "route53:ListResourceRecordSets", request.send()).await?;
            for record in page.resource_record_sets {
                if !is_under(&bare(&record.name), name) {
                    return Ok(found);
                }
                found.push(record);
            }
            if !page.is_truncated {
                return Ok(found);
            }
            next = page.next_record_name;
            next_type = page.next_record_type;
            next_set = page.next_record_identifier;
        }
    }

    /// The records with a name, of any type: all types of a name follow each other.
    async fn named(&self, cx: &Context, zone: &str, name: &str) -> Result<Vec<ResourceRecordSet>> {
        let request = self.0.route53.list_resource_record_sets().hosted_zone_id(zone).max_items(PAGE);
        let request = request.start_record_name(absolute(name));
        let page = self.0.call(cx, "route53:ListResourceRecordSets", request.send()).await?;
        Ok(page.resource_record_sets.into_iter().filter(|record| bare(&record.name) == name).collect())
    }

    /// The records with a name and type: more than one if they are weighted, for example.
    async fn exactly(
        &self,
        cx: &Context,
        zone: &str,
        name: &str,
        kind: &RrType,
    ) -> Result<Vec<ResourceRecordSet>> {
        let request = self.0.route53.list_resource_record_sets().hosted_zone_id(zone).max_items(2);
        let request = request.start_record_name(absolute(name)).start_record_type(kind.clone());
        let page = self.0.call(cx, "route53:ListResourceRecordSets", request.send()).await?;
        let is_it = |record: &ResourceRecordSet| bare(&record.name) == name && record.r#type == *kind;
        Ok(page.resource_record_sets.into_iter().filter(is_it).collect())
    }

    /// The objects in a zone that the query asks for.
    async fn in_zone(&self, query: &Query<'_>, zone: &Zone, wanted: &[Want]) -> Result<Vec<Object<Record>>> {
        let scope = query.scope.name();
        let top = if is_under(scope, &zone.name) { scope.to_owned() } else { mark_root(scope, &zone.name) };
        let listed = self.below(query.cx, &zone.id, &top).await?;
        let mut records: BTreeMap<Which, ResourceRecordSet> = BTreeMap::new();
        let mut marks: BTreeMap<Which, Mark> = BTreeMap::new();
        for record in listed {
            if let Some((which, mark)) = read_mark(query.scope, &record) {
                marks.insert(which, mark);
            } else {
                records.insert(Which::of(&record), record);
            }
        }
        let wants: Vec<&Want> = wanted.iter().filter(|want| is_under(&want.which.name, &zone.name)).collect();
        // Records elsewhere in the zone are read one by one.
        let elsewhere = marks.keys().chain(wants.iter().map(|want| &want.which)).map(|which| &which.name);
        let elsewhere: BTreeSet<&String> = elsewhere.filter(|name| !is_under(name, &top)).collect();
        let found = elsewhere.iter().map(|name| self.named(query.cx, &zone.id, name));
        let found = try_join_all(found).await?;
        records.extend(found.into_iter().flatten().map(|record| (Which::of(&record), record)));

        let mut objects = Vec::new();
        for (which, mark) in &marks {
            let record = records.remove(which);
            objects.extend(
                object(zone, which, record.as_ref())
                    .map(|spec| mark.clone().object(which.id(&zone.id), spec)),
            );
        }
        // Foreign records matter only if a task requests their names.
        for want in wants {
            if let Some(record) = records.get(&want.which)
                && let Some(spec) = object(zone, &want.which, Some(record))
            {
                let object = Object::foreign(want.which.id(&zone.id), spec);
                objects.push(object.name(want.task.clone()));
            } else if let Some(other) = records.keys().find(|other| other.excludes(&want.which))
                && !marks.contains_key(other)
                && let Some(spec) = object(zone, &want.which, None)
            {
                let object = Object::foreign(other.id(&zone.id), spec);
                objects.push(object.name(want.task.clone()));
            }
        }
        Ok(objects)
    }

    /// The zones to search.
    async fn zones(&self, query: &Query<'_>, wanted: &[Want]) -> Result<Vec<Zone>> {
        let scope = query.scope.name();
        let zones = hosted_zone::all(&self.0, query.cx).await?;
        let zones = zones.iter().map(|zone| Zone {
            id: hosted_zone::id_of(zone).to_owned(),
            name: bare(hosted_zone::name_of(zone)),
        });
        let everywhere = !scope.contains('.');
        let matters = |zone: &Zone| {
            everywhere
                || is_under(scope, &zone.name)
                || wanted.iter().any(|want| is_under(&want.which.name, &zone.name))
        };
        Ok(zones.filter(matters).collect())
    }

    async fn change(
        &self,
        cx: &Context,
        zone: &str,
        changes: Vec<(ChangeAction, ResourceRecordSet)>,
    ) -> Result<()> {
        let change = |(action, record): (ChangeAction, ResourceRecordSet)| {
            aws_sdk_route53::types::Change::builder().action(action).resource_record_set(record).build()
        };
        let changes = changes.into_iter().map(change).collect::<Result<_, _>>().map_err(incomplete)?;
        let batch = aws_sdk_route53::types::ChangeBatch::builder().set_changes(Some(changes));
        let request = self.0.route53.change_resource_record_sets().hosted_zone_id(zone);
        let request = request.change_batch(batch.build().map_err(incomplete)?);
        self.0.call(cx, "route53:ChangeResourceRecordSets", request.send()).await?;
        Ok(())
    }

    /// Rejects a zone in which the record could not be found again.
    async fn check_zone(&self, scope: &Scope, spec: &Record, cx: &Context) -> Result<Zone> {
        let zones = hosted_zone::all(&self.0, &cx.fresh()).await?;
        let zone = zones.iter().find(|zone| hosted_zone::id_of(zone) == spec.zone.as_str());
        let zone = zone.ok_or_else(|| Error::not_found(format!("there is no zone {}", spec.zone)))?;
        let name = bare(hosted_zone::name_of(zone));
        if scope.name().contains('.') && !is_under(scope.name(), &name) {
            return Err(Error::invalid(format!("the zone {name} does not contain {}", scope.name()))
                .with_hint(
                    "records could not be found again there: use a zone that contains the cluster's name",
                ));
        }
        Ok(Zone { id: spec.zone.as_str().to_owned(), name })
    }
}

#[async_trait]
impl Handler for RecordSets {
    type Kind = RecordSet;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "target" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Record>>> {
        let fresh = query.cx.fresh();
        let (wanted, asked, query) = match query.filter {
            Filter::Scope { wanted, .. } => (wants(wanted), None, query.clone()),
            // The engine is waiting for a change, so an observation's memoised listing is of no use.
            Filter::Ids(ids) => (Vec::new(), Some(ids), Query::new(query.scope, query.filter, &fresh)),
        };
        let zones = self.zones(&query, &wanted).await?;
        let found = try_join_all(zones.iter().map(|zone| self.in_zone(&query, zone, &wanted))).await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        if let Some(ids) = asked {
            found.retain(|object| ids.contains(&object.id));
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Record>) -> Result<Object<Record>> {
        let spec = request.spec;
        let zone = self.check_zone(request.scope, spec, request.cx).await?;
        let mark = Mark::of_new(&request);
        let which = Which::of_spec(spec);
        let changes = vec![
            (ChangeAction::Create, record(spec)?),
            (ChangeAction::Upsert, mark_record(&mark, &which, &zone)?),
        ];
        self.change(request.cx, &zone.id, changes).await?;
        Ok(mark.object(which.id(&zone.id), spec.clone()))
    }

    async fn update(&self, request: Update<'_, Record>) -> Result<Object<Record>> {
        let spec = request.spec;
        let zone = self.check_zone(request.scope, spec, request.cx).await?;
        let mark = Mark::of(request.scope, request.name, request.object);
        let changes = vec![
            (ChangeAction::Upsert, record(spec)?),
            (ChangeAction::Upsert, mark_record(&mark, &Which::of_spec(spec), &zone)?),
        ];
        self.change(request.cx, &zone.id, changes).await?;
        Ok(request.object.clone().spec(spec.clone()))
    }

    /// A deletion must specify the record's content, which may have changed since it was observed.
    async fn delete(&self, request: Delete<'_, Record>) -> Result<Deletion> {
        let (spec, cx) = (&request.object.spec, request.cx);
        let zone = self.check_zone(request.scope, spec, cx).await?;
        let which = Which::of_spec(spec);
        let mark = mark_name(request.scope.name(), &zone.name, &which.name, which.kind.as_str());
        let record = self.exactly(cx, &zone.id, &which.name, &which.kind);
        let mark = self.exactly(cx, &zone.id, &mark, &RrType::Txt);
        let (record, mark) = futures_util::future::try_join(record, mark).await?;
        // Without the mark it has become foreign, or is gone.
        if mark.is_empty() {
            return Ok(Deletion::Done);
        }
        let changes = record.into_iter().chain(mark).map(|record| (ChangeAction::Delete, record)).collect();
        self.change(cx, &zone.id, changes).await?;
        Ok(Deletion::Done)
    }
}

fn incomplete(error: aws_sdk_route53::error::BuildError) -> Error {
    Error::internal("an incomplete change of records").with_source(error)
}

/// A zone, with its name normalised for comparison.
#[derive(Debug)]
struct Zone {
    id: String,
    name: String,
}

/// The key of a record set: its name and type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Which {
    name: String,
    kind: RrType,
}

impl Which {
    fn of(record: &ResourceRecordSet) -> Self {
        Self { name: bare(&record.name), kind: record.r#type.clone() }
    }

    fn of_spec(spec: &Record) -> Self {
        Self { name: bare(&spec.name), kind: rr_type(spec.record_type) }
    }

    /// Whether a record of this type and another cannot have the same name: a CNAME tolerates no other.
    /// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#CNAMEFormat>
    fn excludes(&self, other: &Self) -> bool {
        self.name == other.name
            && self.kind != other.kind
            && (self.kind == RrType::Cname || other.kind == RrType::Cname)
    }

    fn id(&self, zone: &str) -> String {
        format!("{zone}/{}/{}", self.name, self.kind)
    }
}

/// A task that requests a record set.
#[derive(Debug)]
struct Want {
    task: String,
    which: Which,
}

fn wants(wanted: &[Wanted<'_>]) -> Vec<Want> {
    let want = |wanted: &Wanted<'_>| {
        let spec = wanted.spec.decode::<RecordSet>().ok()?;
        let which = Which { name: bare(&spec.name), kind: rr_type(spec.record_type) };
        Some(Want { task: wanted.name.to_owned(), which })
    };
    wanted.iter().filter_map(want).collect()
}

fn rr_type(record_type: RecordType) -> RrType {
    match record_type {
        RecordType::A => RrType::A,
        RecordType::Aaaa => RrType::Aaaa,
        RecordType::Cname => RrType::Cname,
        RecordType::Txt => RrType::Txt,
    }
}

/// The specification of an existing record set; if only its mark is left, one without values.
fn object(zone: &Zone, which: &Which, record: Option<&ResourceRecordSet>) -> Option<Record> {
    let record_type = match which.kind {
        RrType::A => RecordType::A,
        RrType::Aaaa => RecordType::Aaaa,
        RrType::Cname => RecordType::Cname,
        RrType::Txt => RecordType::Txt,
        _ => return None,
    };
    let target = match record.and_then(|record| record.alias_target.as_ref()) {
        Some(alias) => {
            RecordTarget::Alias { dns_name: bare(&alias.dns_name), dns_zone: alias.hosted_zone_id.clone() }
        }
        None => RecordTarget::Values {
            ttl: record.and_then(|record| u32::try_from(record.ttl?).ok()).unwrap_or_default(),
            values: record
                .map(|record| read_values(record_type, record.resource_records()))
                .unwrap_or_default(),
        },
    };
    Some(RecordSet { zone: Id::new(&zone.id), name: which.name.clone(), record_type, target })
}

fn record(spec: &Record) -> Result<ResourceRecordSet> {
    let record = ResourceRecordSet::builder().name(absolute(&spec.name)).r#type(rr_type(spec.record_type));
    let record = match &spec.target {
        RecordTarget::Values { ttl, values } => {
            record.ttl(i64::from(*ttl)).set_resource_records(Some(write_values(spec.record_type, values)?))
        }
        RecordTarget::Alias { dns_name, dns_zone } => record.alias_target(
            AliasTarget::builder()
                .dns_name(absolute(dns_name))
                .hosted_zone_id(dns_zone)
                .evaluate_target_health(false)
                .build()
                .map_err(incomplete)?,
        ),
    };
    record.build().map_err(incomplete)
}

/// The companion record that carries the mark of another.
fn mark_record(mark: &Mark, which: &Which, zone: &Zone) -> Result<ResourceRecordSet> {
    let text = format!("{} type={} name={}", mark.text(), which.kind, which.name);
    let value: Vec<ResourceRecord> = write_values(RecordType::Txt, &BTreeSet::from([text]))?;
    ResourceRecordSet::builder()
        .name(absolute(&mark_name(&mark.scope, &zone.name, &which.name, which.kind.as_str())))
        .r#type(RrType::Txt)
        .ttl(MARK_TTL)
        .set_resource_records(Some(value))
        .build()
        .map_err(incomplete)
}

/// Reads the mark of a record, if it is one of the scope's.
fn read_mark(scope: &Scope, record: &ResourceRecordSet) -> Option<(Which, Mark)> {
    if record.r#type != RrType::Txt {
        return None;
    }
    let text = read_values(RecordType::Txt, record.resource_records()).into_iter().next()?;
    let mark = Mark::read(scope, &text)?;
    let word = |key: &str| text.split(' ').find_map(|word| word.strip_prefix(key));
    let which = Which { name: word("name=")?.to_owned(), kind: RrType::from(word("type=")?) };
    Some((which, mark))
}

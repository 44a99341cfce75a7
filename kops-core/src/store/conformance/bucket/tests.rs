//! The rules for a service in memory, which keeps them all or breaks one.

use std::collections::BTreeMap;

use super::*;
use crate::store::{
    Bucket, BucketError, Listing, Place, Range, RetryingStore, StoreOpener, StoreUrl, StoredObject, Version,
};

/// The flaw of a service, or of the store that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Transient failures are not retried.
    Impatient,
    /// A missing bucket is created.
    Obliging,
    /// Denials are passed on unchanged.
    Curt,
    /// Errors contain what was to be written.
    Talkative,
}

#[derive(Debug, Default)]
struct Service {
    buckets: BTreeMap<String, BTreeMap<String, StoredObject>>,
    mishaps: Vec<(Verb, Mishap)>,
    writes: usize,
    versions: usize,
    denied: bool,
}

#[derive(Clone, Debug)]
struct Memory {
    service: Arc<Mutex<Service>>,
    flaw: Flaw,
    endpoint: Option<String>,
}

#[derive(Clone, Debug)]
struct MemoryBucket {
    memory: Memory,
    place: Place,
}

struct Opener(Memory, Arc<dyn Clock>);

#[async_trait]
impl StoreOpener for Opener {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        let store = MemoryBucket { memory: self.0.clone(), place: Place::of(url, "account/container")? };
        if self.0.flaw == Flaw::Impatient {
            return Ok(Arc::new(store));
        }
        Ok(Arc::new(RetryingStore::new(store, self.1.clone())))
    }
}

impl Memory {
    fn new(flaw: Flaw) -> Self {
        Self { service: Arc::default(), flaw, endpoint: None }
    }
}

impl BucketFixture for Memory {
    fn stores(&self, clock: Arc<dyn Clock>, endpoint: Option<&str>) -> Stores {
        let there = Self { endpoint: endpoint.map(str::to_owned), ..self.clone() };
        Stores::new().with("test", Opener(there, clock))
    }

    fn make(&self) -> String {
        self.service.lock().unwrap().buckets.insert("state".to_owned(), BTreeMap::new());
        "test://account/state".to_owned()
    }

    fn missing(&self) -> (String, String) {
        ("test://account/nowhere".to_owned(), "make nowhere".to_owned())
    }

    fn put(&self, _: &str, object: &str) {
        let mut service = self.service.lock().unwrap();
        let nothing = StoredObject { bytes: vec![], version: Version::new("0") };
        service.buckets.get_mut("state").unwrap().insert(object.to_owned(), nothing);
    }

    fn fail(&self, _: &str, verb: Verb, how: Mishap) {
        self.service.lock().unwrap().mishaps.push((verb, how));
    }

    fn writes(&self) -> usize {
        self.service.lock().unwrap().writes
    }

    fn deny(&self) {
        self.service.lock().unwrap().denied = true;
    }
}

impl MemoryBucket {
    /// Carries out a call, unless it should fail.
    fn call<T>(
        &self,
        verb: Option<Verb>,
        work: impl FnOnce(&mut BTreeMap<String, StoredObject>, &mut usize) -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let passing = |kind, what: &str| Err(BucketError::Failed(Error::new(kind, what)));
        if let Some(endpoint) = &self.memory.endpoint {
            return passing(ErrorKind::Unavailable, &format!("no answer from {endpoint}"));
        }
        let mut service = self.memory.service.lock().unwrap();
        let Service { buckets, mishaps, writes, versions, denied } = &mut *service;
        *writes += usize::from(verb == Some(Verb::Put));
        let mishap = mishaps.iter().position(|(of, _)| Some(*of) == verb).map(|at| mishaps.remove(at).1);
        match mishap {
            Some(Mishap::Throttled) => return passing(ErrorKind::Throttled, "slow down"),
            Some(Mishap::Unavailable | Mishap::Dropped) => return passing(ErrorKind::Unavailable, "later"),
            Some(Mishap::Lost) | None => {}
        }
        if *denied {
            let refusal = Error::new(ErrorKind::Denied, "you may not");
            let curt = self.memory.flaw == Flaw::Curt;
            return Err(BucketError::Failed(if curt { refusal } else { self.place.denied(refusal, "much") }));
        }
        if self.memory.flaw == Flaw::Obliging {
            buckets.entry(self.place.bucket().to_owned()).or_default();
        }
        let Some(objects) = buckets.get_mut(self.place.bucket()) else {
            return Err(self.place.missing(&format!("make {}", self.place.bucket())).into());
        };
        let done = work(objects, versions);
        if mishap == Some(Mishap::Lost) { passing(ErrorKind::Unavailable, "broke off") } else { done }
    }
}

#[async_trait]
impl Bucket for MemoryBucket {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn get_object(&self, object: &str) -> Result<StoredObject, BucketError> {
        self.call(None, |objects, _| objects.get(object).cloned().ok_or(BucketError::NotFound))
    }

    async fn put_object(
        &self,
        object: &str,
        bytes: Vec<u8>,
        condition: &Precondition,
    ) -> Result<Version, BucketError> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let written = self.call(Some(Verb::Put), |objects, versions| {
            if !condition.holds(objects.get(object).map(|found| &found.version)) {
                return Err(BucketError::PreconditionFailed);
            }
            *versions += 1;
            let version = Version::new(versions.to_string());
            objects.insert(object.to_owned(), StoredObject { bytes, version: version.clone() });
            Ok(version)
        });
        match written {
            Err(BucketError::Failed(error)) if self.memory.flaw == Flaw::Talkative => {
                Err(error.with_source(text).into())
            }
            written => written,
        }
    }

    async fn delete_object(&self, object: &str, expected: Option<&Version>) -> Result<(), BucketError> {
        self.call(Some(Verb::Delete), |objects, _| {
            let found = objects.get(object).ok_or(BucketError::NotFound)?;
            if expected.is_some_and(|expected| *expected != found.version) {
                return Err(BucketError::PreconditionFailed);
            }
            objects.remove(object);
            Ok(())
        })
    }

    async fn list_objects(&self, range: Range<'_>) -> Result<Listing, BucketError> {
        self.call(None, |objects, _| {
            let mut listing = Listing::default();
            // In reverse: a store must not rely on an order.
            for (name, object) in objects.iter().rev() {
                let Some(rest) = name.strip_prefix(range.prefix) else { continue };
                match rest.split_once('/') {
                    Some((folder, _)) if range.folded => {
                        listing.folders.push(format!("{}{folder}/", range.prefix));
                    }
                    _ => listing.objects.push((name.clone(), object.version.clone())),
                }
            }
            Ok(listing)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_keeps_the_rules_passes() {
    run(|| Memory::new(Flaw::None)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_breaks_a_rule_is_told_which() {
    for (flaw, broken) in [
        (Flaw::Impatient, &["what-passes"] as &[_]),
        (Flaw::Obliging, &["missing"]),
        (Flaw::Curt, &["denied"]),
        (Flaw::Talkative, &["missing", "denied"]),
    ] {
        let error = run(|| Memory::new(flaw)).await.unwrap_err();
        let told: Vec<&str> =
            error.message().lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(told, broken, "{flaw:?}: {error}");
    }
}

//! The contract of [`StateStore`] as tests for any implementation.
//!
//! Each rule uses a separate prefix, so the store need not be empty, and deletes what it has written. A broken rule
//! is reported with what was observed; [`run`] continues with the others and reports all of them. The rules for a
//! store in a bucket are in [`mod@bucket`].
//!
//! ```
//! # use std::sync::Arc;
//! use kops_core::store::{MemoryStore, conformance};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! conformance::run(Arc::new(MemoryStore::new())).await?;
//! # Ok::<(), kops_core::Error>(()) }).unwrap();
//! ```

pub mod bucket;

use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};

use super::{Precondition, Prefix, StateStore, StateStoreExt as _, StoreKey, StoredObject, Version};
use crate::{Error, ErrorKind, Result};

/// Enough for a second page if a page has 1,000 keys.
const MANY: usize = 1_005;
const RACERS: usize = 16;

type Rule = fn(Arc<dyn StateStore>, Prefix) -> BoxFuture<'static, Result<()>>;

/// The rules, by name.
const RULES: [(&str, Rule); 11] = [
    ("nothing-there", |store, at| Box::pin(nothing_there(store, at))),
    ("read-what-was-written", |store, at| Box::pin(read_what_was_written(store, at))),
    ("absent", |store, at| Box::pin(absent(store, at))),
    ("match", |store, at| Box::pin(matching(store, at))),
    ("match-after-delete", |store, at| Box::pin(match_after_delete(store, at))),
    ("delete", |store, at| Box::pin(delete(store, at))),
    ("one-creator", |store, at| Box::pin(one_creator(store, at))),
    ("no-lost-update", |store, at| Box::pin(no_lost_update(store, at))),
    ("list", |store, at| Box::pin(list(store, at))),
    ("directories", |store, at| Box::pin(directories(store, at))),
    ("pages", |store, at| Box::pin(pages(store, at))),
];

/// Runs all rules.
///
/// # Errors
/// `Failed`, with a line for each broken rule.
pub async fn run(store: Arc<dyn StateStore>) -> Result<()> {
    run_except(store, &[]).await
}

/// Runs all rules except those named: for a service that does not support them, as documented by its store.
///
/// # Errors
/// `Failed`, with a line for each broken rule; `Invalid` if a name is not a rule.
pub async fn run_except(store: Arc<dyn StateStore>, without: &[&str]) -> Result<()> {
    if let Some(unknown) = without.iter().find(|name| !RULES.iter().any(|(rule, _)| rule == *name)) {
        return Err(Error::invalid(format!("there is no rule {unknown}")));
    }
    let mut broken = Vec::new();
    for (name, rule) in RULES.iter().filter(|(name, _)| !without.contains(name)) {
        let at = Prefix::new(format!("conformance/{name}"))?;
        let outcome = rule(store.clone(), at.clone()).await;
        let left = clear(&*store, &at).await;
        if let Err(error) = outcome.and(left) {
            broken.push(format!("{name}: {error}"));
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Failed,
        format!("{} breaks the contract\n{}", store.location(), broken.join("\n")),
    ))
}

async fn clear(store: &dyn StateStore, at: &Prefix) -> Result<()> {
    for entry in store.list(at, None).await? {
        store.delete(&entry.key, None).await?;
    }
    Ok(())
}

fn ensure(holds: bool, seen: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::new(ErrorKind::Failed, seen)) }
}

fn refused<T>(outcome: Result<T>, what: &str) -> Result<()> {
    match outcome {
        Ok(_) => ensure(false, format!("{what} succeeded")),
        Err(error) => ensure(
            error.kind() == ErrorKind::Conflict,
            format!("{what} failed with an error other than a conflict: {error}"),
        ),
    }
}

async fn content(store: &dyn StateStore, key: &StoreKey) -> Result<Option<Vec<u8>>> {
    Ok(store.get(key).await?.map(|object| object.bytes))
}

async fn nothing_there(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    ensure(store.get(&at.key("a")?).await?.is_none(), "there is an object that nobody wrote")?;
    store.put(&at.key("directory/a")?, b"x".to_vec(), Precondition::Any).await?;
    ensure(store.get(&at.key("directory")?).await?.is_none(), "a prefix of keys reads as an object")?;
    ensure(store.get(&at.key("directory/a/b")?).await?.is_none(), "there is an object below an object")?;
    ensure(store.list(&at.join("elsewhere")?, None).await?.is_empty(), "an empty prefix has objects")?;
    ensure(store.directories(&at.join("elsewhere")?).await?.is_empty(), "an empty prefix has directories")
}

async fn read_what_was_written(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    let all_bytes: Vec<u8> = (0..=u8::MAX).collect();
    for (name, bytes) in
        [("empty", vec![]), ("bytes", all_bytes), ("a name", b"x".to_vec()), ("ä+%41&", b"y".to_vec())]
    {
        let key = at.key(name)?;
        let version = store.put(&key, bytes.clone(), Precondition::Any).await?;
        let found = store.get(&key).await?;
        ensure(found == Some(StoredObject { bytes, version }), format!("`{name}` reads as {found:?}"))?;
        ensure(
            store.list(&at, None).await?.iter().any(|entry| entry.key == key),
            format!("`{name}` is not listed"),
        )?;
    }
    let key = at.key("bytes")?;
    let first = store.read(&key).await?.version;
    let second = store.put(&key, b"other".to_vec(), Precondition::Any).await?;
    ensure(first != second, "other content has the same version")?;
    let large = vec![b'x'; 300_000];
    store.put(&key, large.clone(), Precondition::Any).await?;
    ensure(content(&*store, &key).await? == Some(large), "300,000 bytes do not read back")
}

async fn absent(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    let key = at.key("a")?;
    store.put(&key, b"one".to_vec(), Precondition::Absent).await?;
    refused(store.put(&key, b"two".to_vec(), Precondition::Absent).await, "creating what exists")?;
    ensure(content(&*store, &key).await? == Some(b"one".to_vec()), "a refused creation changed the object")?;
    store.delete(&key, None).await?;
    store.put(&key, b"three".to_vec(), Precondition::Absent).await.map(drop)
}

async fn matching(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    let key = at.key("a")?;
    let one = store.put(&key, b"one".to_vec(), Precondition::Any).await?;
    let two = store.put(&key, b"two".to_vec(), Precondition::Match(one.clone())).await?;
    refused(
        store.put(&key, b"late".to_vec(), Precondition::Match(one.clone())).await,
        "a write at an old version",
    )?;
    refused(store.delete(&key, Some(&one)).await, "a deletion at an old version")?;
    ensure(content(&*store, &key).await? == Some(b"two".to_vec()), "a refused write changed the object")?;
    let listed = store.list(&at, None).await?;
    ensure(
        listed.iter().all(|entry| entry.version == two),
        "a list shows another version than the write returned",
    )?;
    store.put(&key, b"three".to_vec(), Precondition::Match(two)).await.map(drop)
}

async fn match_after_delete(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    let key = at.key("a")?;
    let version = store.put(&key, b"one".to_vec(), Precondition::Any).await?;
    store.delete(&key, None).await?;
    refused(
        store.put(&key, b"two".to_vec(), Precondition::Match(version.clone())).await,
        "a write to what is gone",
    )?;
    refused(store.delete(&key, Some(&version)).await, "a conditional deletion of what is gone")?;
    ensure(store.get(&key).await?.is_none(), "a refused write brought the object back")
}

async fn delete(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    let (key, sibling) = (at.key("a/b/c")?, at.key("a/d")?);
    store.delete(&key, None).await?;
    let version = store.put(&key, b"x".to_vec(), Precondition::Absent).await?;
    store.put(&sibling, b"y".to_vec(), Precondition::Absent).await?;
    store.delete(&key, Some(&version)).await?;
    ensure(store.get(&key).await?.is_none(), "a deleted object can be read")?;
    ensure(store.list(&at, None).await?.len() == 1, "a deleted object is listed, or its sibling is not")?;
    ensure(store.directories(&at.join("a")?).await?.is_empty(), "a directory without objects is listed")
}

/// Of many concurrent creations of the same object, one succeeds, and the object has its content.
async fn one_creator(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    for round in 0..5 {
        let key = at.key(&round.to_string())?;
        let racers = (0..RACERS).map(|racer| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                store.put(&key, racer.to_string().into_bytes(), Precondition::Absent).await
            })
        });
        let winners = winners(join_all(racers).await)?;
        ensure(winners.len() == 1, format!("{} of {RACERS} created the same object", winners.len()))?;
        let object = content(&*store, &key).await?;
        ensure(object == Some(winners[0].to_string().into_bytes()), "the object is not the winner's")?;
    }
    Ok(())
}

/// Concurrent increments of a counter are not lost.
async fn no_lost_update(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    let key = at.key("counter")?;
    store.put(&key, b"0".to_vec(), Precondition::Any).await?;
    let racers = (0..RACERS).map(|_| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move {
            loop {
                let object = store.read(&key).await?;
                let next = number(&object)? + 1;
                match store
                    .put(&key, next.to_string().into_bytes(), Precondition::Match(object.version))
                    .await
                {
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    outcome => return outcome,
                }
            }
        })
    });
    for racer in join_all(racers).await {
        racer.map_err(|error| Error::internal("a racer was aborted").with_source(error))??;
    }
    let counted = number(&store.read(&key).await?)?;
    ensure(counted == RACERS, format!("{RACERS} steps were counted as {counted}"))
}

fn number(object: &StoredObject) -> Result<usize> {
    let text = String::from_utf8_lossy(&object.bytes);
    text.parse().map_err(|_| Error::new(ErrorKind::Failed, "a number cannot be read back"))
}

type Raced = std::result::Result<Result<Version>, tokio::task::JoinError>;

fn winners(raced: Vec<Raced>) -> Result<Vec<usize>> {
    let mut winners = Vec::new();
    for (racer, outcome) in raced.into_iter().enumerate() {
        match outcome.map_err(|error| Error::internal("a racer was aborted").with_source(error))? {
            Ok(_) => winners.push(racer),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Ok(winners)
}

async fn list(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    // In the order of their bytes, which is not the order of their parts.
    let names = ["a", "a-b/c", "a.b", "b/a", "b/c/d", "bb/a", "z"];
    for name in names {
        store.put(&at.key(name)?, name.as_bytes().to_vec(), Precondition::Any).await?;
    }
    let found = |entries: Vec<super::Entry>| -> Vec<String> {
        entries.iter().map(|entry| at.relative(&entry.key).unwrap_or("(outside)").to_owned()).collect()
    };
    let all = found(store.list(&at, None).await?);
    ensure(all == names, format!("{names:?} are listed as {all:?}"))?;
    let under = found(store.list(&at.join("b")?, None).await?);
    ensure(under == ["b/a", "b/c/d"], format!("under `b/` are {under:?}"))?;
    let behind = found(store.list(&at, Some(&at.key("b/a")?)).await?);
    ensure(behind == ["b/c/d", "bb/a", "z"], format!("behind `b/a` are {behind:?}"))?;
    let behind = found(store.list(&at, Some(&at.key("b")?)).await?);
    ensure(
        behind == ["b/a", "b/c/d", "bb/a", "z"],
        format!("after `b`, which is not an object, are {behind:?}"),
    )?;
    let everything = store.list(&Prefix::root(), None).await?;
    ensure(
        everything.iter().filter(|entry| at.contains(&entry.key)).count() == names.len(),
        "the root lists less",
    )
}

async fn directories(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    for name in ["a/x", "a/y/z", "a.b/x", "c", "d/e/f"] {
        store.put(&at.key(name)?, b"x".to_vec(), Precondition::Any).await?;
    }
    let names = store.directories(&at).await?;
    ensure(names == ["a", "a.b", "d"], format!("`a`, `a.b` and `d` are listed as {names:?}"))?;
    let names = store.directories(&at.join("a")?).await?;
    ensure(names == ["y"], format!("under `a/` are {names:?}"))?;
    let top = store.directories(&Prefix::root()).await?;
    ensure(top.iter().any(|name| name == "conformance"), format!("the root has {top:?}"))
}

async fn pages(store: Arc<dyn StateStore>, at: Prefix) -> Result<()> {
    let keys: Vec<StoreKey> = (0..MANY).map(|n| at.key(&format!("{n:04}/x"))).collect::<Result<_>>()?;
    for some in keys.chunks(RACERS) {
        let writes = some.iter().map(|key| store.put(key, b"x".to_vec(), Precondition::Any));
        join_all(writes).await.into_iter().collect::<Result<Vec<_>>>()?;
    }
    let listed: Vec<StoreKey> = store.list(&at, None).await?.into_iter().map(|entry| entry.key).collect();
    ensure(listed == keys, format!("of {MANY} objects {} are listed, or in another order", listed.len()))?;
    let names = store.directories(&at).await?;
    ensure(names.len() == MANY, format!("of {MANY} directories {} are listed", names.len()))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::store::{Entry, MemoryStore};

    /// A store that ignores conditions, and lists one page only.
    #[derive(Debug)]
    struct Careless(MemoryStore);

    #[async_trait]
    impl StateStore for Careless {
        fn location(&self) -> String {
            "careless://".to_owned()
        }

        async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>> {
            self.0.get(key).await
        }

        async fn put(&self, key: &StoreKey, bytes: Vec<u8>, _: Precondition) -> Result<Version> {
            self.0.put(key, bytes, Precondition::Any).await
        }

        async fn delete(&self, key: &StoreKey, _: Option<&Version>) -> Result<()> {
            self.0.delete(key, None).await
        }

        async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>> {
            let mut entries = self.0.list(prefix, after).await?;
            entries.truncate(1_000);
            Ok(entries)
        }

        async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
            self.0.directories(prefix).await
        }
    }

    #[tokio::test]
    async fn a_store_that_breaks_rules_is_told_which() {
        let error = run(Arc::new(Careless(MemoryStore::new()))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        let broken: Vec<&str> =
            error.message().lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(broken, ["absent", "match", "match-after-delete", "one-creator", "pages"], "{error}");
        assert!(error.message().contains("absent: failed: creating what exists succeeded"), "{error}");
    }
}

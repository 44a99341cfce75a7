//! Snapshots of etcd in the state store: `backups/etcd/<cluster>/<time>.db`.

use std::fs::File;
use std::time::Duration;

use jiff::Timestamp;

use super::{Keep, Pass};
use crate::boot::control_plane::{client_url, etcd_tls};
use crate::bundle::{Backup, Etcd};
use crate::error::{Error, Result};
use crate::etcd::gateway::Gateway;
use crate::http::Http;
use crate::machine::WORK;

fn prefix(etcd: &Etcd) -> String {
    format!("backups/etcd/{}/", etcd.name)
}

/// Does what is due for the first cluster that needs it.
fn each(
    pass: &Pass<'_>,
    thing: fn(&Pass<'_>, &Etcd, Backup) -> Result<Option<String>>,
) -> Result<Option<String>> {
    for etcd in &pass.keep.bundle.etcd {
        if let Some(backup) = etcd.backup
            && let Some(done) = thing(pass, etcd, backup)?
        {
            return Ok(Some(done));
        }
    }
    Ok(None)
}

/// The time in a snapshot's key.
fn time(key: &str) -> Option<Timestamp> {
    key.rsplit('/').next()?.strip_suffix(".db")?.parse().ok()
}

/// Takes a snapshot if the newest one is too old: of this machine's member, to a file, and from there to the
/// store.
pub(super) fn take(pass: &Pass<'_>) -> Result<Option<String>> {
    each(pass, take_of)
}

fn take_of(pass: &Pass<'_>, etcd: &Etcd, backup: Backup) -> Result<Option<String>> {
    let (keep, now) = (pass.keep, pass.keep.clock.now());
    let own = keep.host.read(&last(etcd))?.and_then(|it| String::from_utf8(it).ok()?.parse().ok());
    // A store may list a new object late; without a memory of its own, the keeper would take one after the other.
    let own = own.filter(|it: &Timestamp| *it <= now);
    let listed = keep.world.store.list(&prefix(etcd))?;
    let newest = listed.iter().filter_map(|it| time(it)).chain(own).max();
    if newest.is_some_and(|it| it + Duration::from_secs(backup.every) > now) {
        return Ok(None);
    }
    let gateway = Gateway::new(Http::direct(&etcd_tls(keep.host)?)?);
    save(keep, etcd, now, &gateway, &client_url(etcd, None)).map(Some)
}

/// The file with the time of the last snapshot that this keeper took.
fn last(etcd: &Etcd) -> String {
    format!("{WORK}/snapshots/{}", etcd.name)
}

/// Takes a snapshot of the member at this URL, and notes when.
pub(super) fn save(
    keep: &Keep<'_>,
    etcd: &Etcd,
    now: Timestamp,
    gateway: &Gateway,
    url: &str,
) -> Result<String> {
    let path = format!("{WORK}/snapshot.db");
    let doing = "taking a snapshot of etcd";
    let full = keep.host.path(&path);
    keep.host.make_directory(WORK, 0o755)?;
    let mut file = File::create(&full).map_err(|e| Error::failed(doing, e.to_string()))?;
    let taken = gateway.snapshot(url, &mut file);
    drop(file);
    let key = format!("{}{}.db", prefix(etcd), now.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let uploaded = taken.and_then(|size| keep.world.store.upload(&key, &full).map(|()| size));
    keep.host.remove(&path)?;
    let size = uploaded?;
    keep.host.write(&last(etcd), now.to_string().as_bytes(), 0o644)?;
    Ok(format!("snapshot {key}, {} MB", size >> 20))
}

/// Deletes one snapshot that is too old. The newest one is kept regardless of its age.
pub(super) fn prune(pass: &Pass<'_>) -> Result<Option<String>> {
    each(pass, prune_of)
}

fn prune_of(pass: &Pass<'_>, etcd: &Etcd, backup: Backup) -> Result<Option<String>> {
    let store = &pass.keep.world.store;
    let keys = store.list(&prefix(etcd))?;
    match expired(&keys, pass.keep.clock.now(), backup.days) {
        None => Ok(None),
        Some(key) => {
            store.delete(key)?;
            Ok(Some(format!("snapshot {key} deleted after {} days", backup.days)))
        }
    }
}

/// The oldest snapshot if it is too old and not the newest one.
pub(super) fn expired(keys: &[String], now: Timestamp, days: u32) -> Option<&String> {
    let mut dated: Vec<_> = keys.iter().filter_map(|it| Some((time(it)?, it))).collect();
    dated.sort();
    dated.pop();
    let limit = Duration::from_hours(24 * u64::from(days));
    dated.first().filter(|(time, _)| *time + limit < now).map(|(_, key)| *key)
}

//! etcd members that are no longer specified: removed if they have not responded during two passes.

use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::Pass;
use crate::boot::control_plane::{client_url, etcd_tls};
use crate::bundle::Etcd;
use crate::error::Result;
use crate::etcd::gateway::Gateway;
use crate::etcd::runner::CHANGE;
use crate::etcd::strays::stray;
use crate::etcd::{Member, MemberId, SILENCE};
use crate::http::Http;
use crate::machine::WORK;
use crate::store::{Held, Leases};

/// The timeout for connecting to a member.
const CONNECT: Duration = Duration::from_secs(2);
/// The duration of the lease for one removal.
const LEASE: Duration = Duration::from_mins(2);

/// Removes one stray member of one cluster.
pub(super) fn remove(pass: &Pass<'_>) -> Result<Option<String>> {
    for etcd in &pass.keep.bundle.etcd {
        if let Some(done) = remove_of(pass, etcd)? {
            return Ok(Some(done));
        }
    }
    Ok(None)
}

fn remove_of(pass: &Pass<'_>, etcd: &Etcd) -> Result<Option<String>> {
    let (keep, seen) = (pass.keep, format!("{WORK}/stray-{}", etcd.name));
    if keep.host.read(&format!("{}/etcd/healthcheck-client.crt", crate::pki::DIRECTORY))?.is_none() {
        return Ok(None);
    }
    let gateway = Gateway::new(Http::direct(&etcd_tls(keep.host)?)?);
    let url = client_url(etcd, None);
    let quorum = gateway.members(&url, true)?;
    let answering: BTreeSet<MemberId> =
        quorum.members.iter().filter(|it| answers(it)).map(|it| it.id).collect();
    let Some(found) = stray(&quorum, &etcd.members, &answering) else {
        keep.host.remove(&seen)?;
        return Ok(None);
    };
    // `<id> <seconds>`: since when this member has not responded.
    let now = keep.clock.now().as_second();
    let text = String::from_utf8_lossy(&keep.host.read(&seen)?.unwrap_or_default()).into_owned();
    let since = text.strip_prefix(&format!("{} ", found.id)).and_then(|it| it.trim().parse::<i64>().ok());
    let Some(since) = since else {
        keep.host.write(&seen, format!("{} {now}", found.id).as_bytes(), 0o600)?;
        return Ok(None);
    };
    if u64::try_from(now - since).unwrap_or(0) < SILENCE.as_secs() {
        return Ok(None);
    }
    let leases = Leases { store: &*keep.world.store, holder: &keep.me.id };
    if leases.take(CHANGE, keep.clock.now(), LEASE)? != Held::Mine {
        return Ok(None);
    }
    let removed = gateway.remove(&url, found.id);
    leases.release(CHANGE, keep.clock.now())?;
    removed?;
    Ok(Some(format!("etcd member {} ({}) removed: it is no longer specified", found.name, found.id)))
}

fn answers(member: &Member) -> bool {
    let addresses = member.peer_urls.iter().filter_map(|it| it.split_once("://")).map(|(_, rest)| rest);
    let mut found = addresses.filter_map(|it| it.trim_end_matches('/').to_socket_addrs().ok()).flatten();
    found.any(|it| TcpStream::connect_timeout(&it, CONNECT).is_ok())
}

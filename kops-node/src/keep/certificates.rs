//! This machine's certificates: renewed before they expire, after which the static pods are restarted one by
//! one to load them.

use std::time::Duration;

use super::Keep;
use crate::bundle::Keep as Settings;
use crate::error::{Error, Result};
use crate::etcd::runner::CHANGE;
use crate::kubeadm::{Kubeadm, manifest_of};
use crate::machine::{Host, WORK};
use crate::pki::leaves;
use crate::store::{Held, Leases};

const MANIFESTS: &str = "/etc/kubernetes/manifests";
/// The pods that are restarted, those with the most dependencies first; etcd's follow.
const PODS: [&str; 3] = ["kube-scheduler.yaml", "kube-controller-manager.yaml", "kube-apiserver.yaml"];
/// How long a manifest is absent: the kubelet checks every 20 s (`fileCheckFrequency`).
const AWAY: Duration = Duration::from_secs(25);
/// The duration of the lease while one pod restarts.
const LEASE: Duration = Duration::from_mins(3);

/// Renews certificates that expire soon, or restarts the next pod that must load renewed ones: one control
/// plane at a time.
pub(super) fn keep(keep: &Keep<'_>, settings: Settings) -> Result<Option<String>> {
    bring_back(keep.host)?;
    let list = format!("{WORK}/restart");
    let waiting = keep.host.read(&list)?.unwrap_or_default();
    let waiting = String::from_utf8_lossy(&waiting).into_owned();
    let mut pods = waiting.lines();
    let Some(pod) = pods.next() else { return renew(keep, settings, &list) };
    let leases = Leases { store: &*keep.world.store, holder: &keep.me.id };
    if leases.take(CHANGE, keep.clock.now(), LEASE)? != Held::Mine {
        return Ok(None);
    }
    let (manifest, aside) = (format!("{MANIFESTS}/{pod}"), format!("{WORK}/restarting/{pod}"));
    if keep.host.read(&manifest)?.is_some() {
        keep.host.make_directory(&format!("{WORK}/restarting"), 0o700)?;
        keep.host.rename(&manifest, &aside)?;
        keep.clock.sleep(AWAY);
        keep.host.rename(&aside, &manifest)?;
    }
    let rest: Vec<_> = pods.collect();
    keep.host.write(&list, rest.join("\n").as_bytes(), 0o600)?;
    leases.release(CHANGE, keep.clock.now())?;
    Ok(Some(format!("{pod} restarted to load its new certificates")))
}

/// Brings back manifests that were absent when the machine failed. One that is there again was rendered by a
/// boot since then, or never went because the machine failed on the way: either way it is the one to keep.
fn bring_back(host: &dyn Host) -> Result<()> {
    let directory = format!("{WORK}/restarting");
    for pod in host.list(&directory)? {
        let (aside, manifest) = (format!("{directory}/{pod}"), format!("{MANIFESTS}/{pod}"));
        if host.read(&manifest)?.is_some() {
            host.remove(&aside)?;
        } else {
            host.rename(&aside, &manifest)?;
        }
    }
    Ok(())
}

fn renew(keep: &Keep<'_>, settings: Settings, list: &str) -> Result<Option<String>> {
    let Some((leaf, end)) = leaves::first_end(keep.host)? else { return Ok(None) };
    let before = Duration::from_hours(24 * u64::from(settings.renew_days));
    if end > keep.clock.now() + before {
        return Ok(None);
    }
    Kubeadm { host: keep.host, bundle: keep.bundle, me: keep.me }.renew()?;
    leaves::trust_all(keep.host)?;
    match leaves::first_end(keep.host)? {
        Some((_, renewed)) if renewed <= end => {
            Err(Error::failed(format!("renewing certificate {leaf}"), format!("it still expires at {end}")))
        }
        _ => {
            let etcd = keep.bundle.etcd.iter().map(|it| manifest_of(&it.name));
            let etcd = etcd.filter_map(|it| it.rsplit('/').next().map(str::to_owned));
            let pods: Vec<_> = PODS.map(str::to_owned).into_iter().chain(etcd).collect();
            keep.host.write(list, pods.join("\n").as_bytes(), 0o600)?;
            Ok(Some(format!("certificates renewed: {leaf} would have expired at {end}")))
        }
    }
}

//! A control plane: none is first, all do the same.

use std::time::Duration;

use serde_json::Value;

use super::{Boot, names, once};
use crate::bundle::{Bundle, Etcd, KubeadmFile, Mount};
use crate::cloud::Attached;
use crate::error::{Error, Result};
use crate::etcd::gateway::Gateway;
use crate::etcd::record::Record;
use crate::etcd::runner::{Environment, Runner};
use crate::etcd::{Member, Start};
use crate::http::{Http, Tls};
use crate::kube::Api;
use crate::kubeadm::documents::{data, host_of};
use crate::kubeadm::{Kubeadm, manifest_of};
use crate::machine::{self, Host, WORK, hosts};
use crate::pki::{self, DIRECTORY, leaves};
use crate::status::Reporter;

/// The address of the machine that was this member before.
const PREDECESSOR: &str = "/var/lib/kops/predecessor";
/// How long the API server may take: kubeadm's own limit is 4 min, images may have to be fetched.
const API: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(500);
/// How long etcd's pod may take to end.
const END: Duration = Duration::from_mins(2);

pub(super) fn boot(boot: &Boot<'_>, reporter: &mut Reporter<'_>) -> Result<()> {
    let Boot { host, bundle, world, me, .. } = *boot;
    let main = bundle.etcd.first().ok_or_else(|| Error::invalid("booting", "the bundle names no etcd"))?;
    reporter.event("etcd's volumes");
    let Attached { member, devices } = world.cloud.volume(&main.candidates, &main.volume, me)?;
    volume(host, main, &devices)?;
    for etcd in &bundle.etcd[1..] {
        let candidates = std::slice::from_ref(&member); // the same member in all clusters
        volume(host, etcd, &world.cloud.volume(candidates, &etcd.volume, me)?.devices)?;
    }
    reporter.event("keys");
    pki::install(host, &*world.store, &bundle.keysets)?;
    for file in &bundle.kubeadm.files {
        secret(boot, file)?;
    }
    let predecessor = record(boot, &member)?;
    let kubeadm = Kubeadm { host, bundle, me };
    let facts = kubeadm.write(&member)?;
    if leaves::refresh(host, &[&facts, &me.address])? {
        reporter.event("certificates are made anew: names, addresses or authorities have changed");
    }
    hosts::write(host, &names(bundle, &records(boot)?, &[]))?;
    kubeadm.certificates()?;
    leaves::forget_kubeconfigs(host)?;
    kubeadm.phase(&["kubeconfig", "all"], Some("cluster"))?;
    leaves::trust_all(host)?;
    reporter.event("kubelet");
    kubelet(host, bundle)?;
    kubeadm.phase(&["kubelet-start"], Some("cluster"))?;
    for etcd in &bundle.etcd {
        serve(boot, etcd, &member, predecessor.clone(), &kubeadm, reporter)?;
    }
    host.remove(PREDECESSOR)?;
    reporter.event("API server");
    kubeadm.phase(&["control-plane", "all"], Some("cluster"))?;
    kubeadm.phase(&["wait-control-plane"], None)?; // it takes no --config
    let api = Api::local(host, "/etc/kubernetes/super-admin.conf", bundle.api.port)?;
    finish(boot, &kubeadm, &api, reporter)
}

/// What is left once this machine's API server runs.
pub(super) fn finish(
    boot: &Boot<'_>,
    kubeadm: &Kubeadm<'_>,
    api: &Api,
    reporter: &mut Reporter<'_>,
) -> Result<()> {
    ready(boot, api)?;
    kubeadm.phase(&["kubelet-finalize", "all"], Some("cluster"))?;
    leaves::trust_all(boot.host)?;
    kubeadm.phase(&["mark-control-plane"], Some("cluster"))?;
    once::work(boot.bundle, kubeadm, api, &mut |it| reporter.event(it))?;
    // Its timer would let those who wait to join wait for another minute.
    boot.host.must(["systemctl", "--no-block", "start", "kops-keeper.service"]).map(drop)
}

/// Mounts the volume. Without a device it must be mounted already: an unmounted directory would pass for an empty disk.
fn volume(host: &dyn Host, etcd: &Etcd, devices: &[String]) -> Result<()> {
    let path = &etcd.volume.path;
    let present = devices.iter().find(|it| host.path(it).exists()).or(devices.first());
    let Some(device) = present else {
        return if machine::mounted(host, path)? {
            Ok(())
        } else {
            Err(Error::waiting("finding etcd's volume", format!("nothing is mounted at {path}")))
        };
    };
    let mount = Mount {
        device: device.clone(),
        path: path.clone(),
        filesystem: etcd.volume.format.clone(),
        format_options: Vec::new(),
        mount_options: Vec::new(),
    };
    machine::mount(host, &mount)
}

/// kOps' secrets are JSON: `{"Data": "<base64>"}`.
fn secret(boot: &Boot<'_>, file: &KubeadmFile) -> Result<()> {
    use base64::Engine as _;
    let doing = format!("installing secret {}", file.secret);
    let object = boot.world.store.read(&format!("secrets/{}", file.secret))?;
    let object = object.ok_or_else(|| Error::waiting(&doing, "it is not in the state store"))?;
    let wrong = || Error::invalid(&doing, "it is not in kOps' format");
    let document: Value = serde_json::from_slice(&object.bytes).map_err(|_| wrong())?;
    let text = document["Data"].as_str().ok_or_else(wrong)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| wrong())?;
    boot.host.write(&file.path, &bytes, 0o600).map(drop)
}

/// Writes where this member is now, and gives where it was before, if that was another machine.
fn record(boot: &Boot<'_>, member: &str) -> Result<Option<String>> {
    let (store, me) = (&*boot.world.store, boot.me);
    let old = Record::read(store, member)?;
    let (began, same) = match &old {
        Some(old) => (old.began.clone(), old.instance == me.id && old.address == me.address),
        None => (std::collections::BTreeMap::new(), false),
    };
    if !same {
        // Kept over a crash: the record will show this machine's own address from now on.
        let before = old.as_ref().filter(|it| it.instance != me.id && it.address != me.address);
        let text = before.map_or("", |it| it.address.as_str());
        boot.host.write(PREDECESSOR, text.as_bytes(), 0o600)?;
        let now =
            Record { instance: me.id.clone(), address: me.address.clone(), since: boot.clock.now(), began };
        now.write(store, member)?;
    }
    let text = boot.host.read(PREDECESSOR)?.unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(&text).into_owned()).filter(|it| !it.is_empty()))
}

fn records(boot: &Boot<'_>) -> Result<Vec<(String, Record)>> {
    let mut all = Vec::new();
    for peer in boot.bundle.etcd.first().iter().flat_map(|it| &it.members) {
        if let Some(record) = Record::read(&*boot.world.store, &peer.name)? {
            all.push((peer.name.clone(), record));
        }
    }
    Ok(all)
}

/// The kubelet waits for the volume, and does not start etcd from an old manifest over another disk.
fn kubelet(host: &dyn Host, bundle: &Bundle) -> Result<()> {
    let volumes: Vec<_> = bundle.etcd.iter().map(|it| it.volume.path.as_str()).collect();
    let text = format!(
        "[Unit]\nRequiresMountsFor={}\n[Service]\nExecStartPre=-{WORK}/kops-node guard\n",
        volumes.join(" ")
    );
    if host.write("/etc/systemd/system/kubelet.service.d/20-kops-etcd.conf", text.as_bytes(), 0o644)? {
        machine::reload(host)?;
    }
    host.must(["systemctl", "enable", "kubelet"]).map(drop)
}

/// etcd, until this member is a voter and the cluster is marked as begun.
fn serve(
    boot: &Boot<'_>,
    etcd: &Etcd,
    member: &str,
    predecessor: Option<String>,
    kubeadm: &Kubeadm<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<()> {
    let gateway = Gateway::new(Http::direct(&etcd_tls(boot.host)?)?);
    let runner = Runner {
        host: boot.host,
        store: &*boot.world.store,
        clock: boot.clock,
        gateway: &gateway,
        etcd,
        member,
        instance: &boot.me.id,
        data: data(etcd),
        predecessor,
    };
    runner.run(&mut Here { boot, etcd, member, kubeadm, reporter })
}

/// Who calls etcd: the health check's client, whom kubeadm makes for that.
pub(crate) fn etcd_tls(host: &dyn Host) -> Result<Tls> {
    let read = |name: &str| {
        let path = format!("{DIRECTORY}/etcd/{name}");
        host.read(&path)?.ok_or_else(|| Error::failed(format!("reading {path}"), "it is missing"))
    };
    let client = Some((read("healthcheck-client.crt")?, read("healthcheck-client.key")?));
    Ok(Tls { authorities: Some(read("ca.crt")?), client })
}

/// The URL of a member's client port.
pub(crate) fn client_url(etcd: &Etcd, member: Option<&str>) -> String {
    let peer = member.and_then(|name| etcd.members.iter().find(|it| it.name == name));
    let host = peer.map_or("127.0.0.1", |it| host_of(&it.url));
    format!("https://{host}:{}", etcd.client_port)
}

fn ready(boot: &Boot<'_>, api: &Api) -> Result<()> {
    let end = boot.clock.elapsed() + API;
    while !api.ready() {
        if boot.clock.elapsed() > end {
            return Err(Error::waiting("starting the API server", "it is not ready after ten minutes"));
        }
        boot.clock.sleep(PAUSE);
    }
    Ok(())
}

/// etcd on this machine.
struct Here<'a, 'r, 's> {
    boot: &'a Boot<'a>,
    etcd: &'a Etcd,
    member: &'a str,
    kubeadm: &'a Kubeadm<'a>,
    reporter: &'r mut Reporter<'s>,
}

impl Environment for Here<'_, '_, '_> {
    fn start(&mut self, start: &Start) -> Result<()> {
        self.kubeadm.etcd_manifest(self.etcd, self.member, start)
    }

    fn stop(&mut self) -> Result<()> {
        self.boot.host.remove(&manifest_of(&self.etcd.name))?;
        let end = self.boot.clock.elapsed() + END;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.etcd.client_port));
        while std::net::TcpStream::connect_timeout(&address, PAUSE).is_ok() {
            if self.boot.clock.elapsed() > end {
                return Err(Error::waiting("stopping etcd", "it still runs"));
            }
            self.boot.clock.sleep(PAUSE);
        }
        Ok(())
    }

    fn started(&mut self) -> Result<bool> {
        Ok(self.boot.host.read(&manifest_of(&self.etcd.name))?.is_some())
    }

    fn names(&mut self, records: &[(String, Record)]) -> Result<()> {
        if records.is_empty() {
            return Ok(()); // the store is away: what is written stays
        }
        hosts::write(self.boot.host, &names(self.boot.bundle, records, &[])).map(drop)
    }

    fn restore(&mut self, snapshot: &str) -> Result<()> {
        super::restore::run(self.boot, self.etcd, self.member, snapshot)
    }

    fn event(&mut self, what: &str) {
        self.reporter.event(what);
    }

    fn client_url(&self, member: Option<&str>) -> String {
        client_url(self.etcd, member)
    }

    fn peer_address(&self, member: &Member) -> Option<String> {
        let rest = member.peer_urls.first()?.split_once("://")?.1;
        Some(rest.trim_end_matches('/').to_owned())
    }
}

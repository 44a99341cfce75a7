//! A control plane: all do the same, none is the first.

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

/// The address of the machine that was previously this member.
const PREDECESSOR: &str = "/var/lib/kops/predecessor";
/// The timeout for starting the API server: kubeadm's own is 4 min, and images may have to be pulled.
const API: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(500);
/// The timeout for stopping etcd's pod.
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
        reporter.event("reissuing certificates: names, addresses or authorities have changed");
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
    reporter.flush(); // kubeadm waits for it for up to four minutes
    kubeadm.phase(&["control-plane", "all"], Some("cluster"))?;
    kubeadm.phase(&["wait-control-plane"], None)?; // it has no --config
    let api = Api::local(host, "/etc/kubernetes/super-admin.conf", bundle.api.port)?;
    finish(boot, &kubeadm, &api, reporter)
}

/// The remaining steps once this machine's API server runs.
pub(super) fn finish(
    boot: &Boot<'_>,
    kubeadm: &Kubeadm<'_>,
    api: &Api,
    reporter: &mut Reporter<'_>,
) -> Result<()> {
    ready(boot, api, reporter)?;
    kubeadm.phase(&["kubelet-finalize", "all"], Some("cluster"))?;
    leaves::trust_all(boot.host)?;
    kubeadm.phase(&["mark-control-plane"], Some("cluster"))?;
    once::work(boot.bundle, kubeadm, api, &mut |it| reporter.event(it))?;
    // With its timer alone, machines that wait to join would wait for another minute.
    boot.host.must(["systemctl", "--no-block", "start", "kops-keeper.service"]).map(drop)
}

/// Mounts the volume. Without a device it must be mounted already: an unmounted directory would be taken for
/// an empty disk.
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

/// Records the member's current address, and returns the previous one if that was another machine.
fn record(boot: &Boot<'_>, member: &str) -> Result<Option<String>> {
    let (store, me) = (&*boot.world.store, boot.me);
    let old = Record::read(store, member)?;
    let same = old.as_ref().is_some_and(|it| it.instance == me.id && it.address == me.address);
    if !same {
        // Survives a crash: from now on, the record contains this machine's own address.
        let before = old.as_ref().filter(|it| it.instance != me.id && it.address != me.address);
        let text = before.map_or("", |it| it.address.as_str());
        boot.host.write(PREDECESSOR, text.as_bytes(), 0o600)?;
        let now = Record {
            instance: me.id.clone(),
            address: me.address.clone(),
            since: boot.clock.now(),
            began: old.as_ref().map(|it| it.began.clone()).unwrap_or_default(),
            restored: old.as_ref().map(|it| it.restored.clone()).unwrap_or_default(),
            restoring: old.as_ref().map(|it| it.restoring.clone()).unwrap_or_default(),
        };
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

/// Makes the kubelet wait for the volume, and not start etcd from an old manifest on a different disk.
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

/// Runs etcd until this member is a voter and the cluster is marked as initialized.
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

/// The client certificate for calls to etcd: that of the health check, which kubeadm creates.
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

fn ready(boot: &Boot<'_>, api: &Api, reporter: &mut Reporter<'_>) -> Result<()> {
    let end = boot.clock.elapsed() + API;
    while !api.ready() {
        if boot.clock.elapsed() > end {
            return Err(Error::waiting("starting the API server", "it is not ready after ten minutes"));
        }
        reporter.tick();
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
            return Ok(()); // the store is not available: the file stays unchanged
        }
        hosts::write(self.boot.host, &names(self.boot.bundle, records, &[])).map(drop)
    }

    fn restore(&mut self, snapshot: &str) -> Result<()> {
        super::restore::run(self.boot, self.etcd, self.member, snapshot)
    }

    fn event(&mut self, what: &str) {
        self.reporter.event(what);
    }

    fn tick(&mut self) {
        self.reporter.tick();
    }

    fn client_url(&self, member: Option<&str>) -> String {
        client_url(self.etcd, member)
    }

    fn peer_address(&self, member: &Member) -> Option<String> {
        let rest = member.peer_urls.first()?.split_once("://")?.1;
        Some(rest.trim_end_matches('/').to_owned())
    }
}

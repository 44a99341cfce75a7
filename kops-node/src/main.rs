//! The program on machines: `boot` at every boot, `keep` every minute on control planes, `guard` before the kubelet,
//! `install` once.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's output: systemd takes it to the journal"
)]

use std::process::ExitCode;
use std::sync::Arc;

use kops_node::boot::{Boot, guard};
use kops_node::bundle::Bundle;
use kops_node::clock::{Clock, SystemClock};
use kops_node::error::{Error, Result};
use kops_node::hash::sha256;
use kops_node::keep::Keep;
use kops_node::machine::{self, Host, Real, WORK};
use kops_node::status::{self, Journal, Reporter, State, Status, redacted};
use kops_node::world::World;

const USAGE: &str = "\
usage: kops-node <verb>

  boot      make this machine a member of its cluster; returns when it is one
  keep      what the cluster needs while it runs, for about a minute (control planes)
  guard     before the kubelet: remove etcd's manifest if its data is not there
  install   write this program's units and start them
  check     read the bundle and say what it is for

The bundle is /var/lib/kops/bundle.json.";

/// Lines to the journal.
struct Lines;

impl Journal for Lines {
    fn line(&self, text: &str) {
        println!("{text}");
    }
}

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    let host = Real::new("/");
    let done = match verb.as_str() {
        "boot" => boot(&host),
        "keep" => keep(&host),
        "guard" => guard(&host).map(drop),
        "install" => bundle(&host).and_then(|(it, _)| machine::install(&host, it.role)),
        "check" => bundle(&host).map(|(it, hash)| println!("{} {} {hash}", it.cluster, it.group)),
        "--version" | "version" => {
            println!("kops-node {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{}", redacted(&e.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// The bundle, and its hash.
fn bundle(host: &dyn Host) -> Result<(Bundle, String)> {
    let path = format!("{WORK}/bundle.json");
    let doing = format!("reading {path}");
    let bytes =
        host.read(&path)?.ok_or_else(|| Error::failed(&doing, "it is missing: stage 0 puts it there"))?;
    let bundle = Bundle::parse(&bytes).map_err(|e| Error::invalid(doing, e.to_string()))?;
    Ok((bundle, sha256(&bytes)))
}

fn keep(host: &dyn Host) -> Result<()> {
    let (bundle, _) = bundle(host)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let world = World::open(&bundle, host, &clock)?;
    let me = world.cloud.identity()?;
    let keep = Keep { host, clock: &*clock, bundle: &bundle, world: &world, me: &me };
    keep.run(&mut |it| Lines.line(&redacted(it)))
}

fn boot(host: &dyn Host) -> Result<()> {
    let (bundle, hash) = bundle(host)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let world = World::open(&bundle, host, &clock)?;
    // The metadata service may take some seconds after power on; systemd retries.
    let me = world.cloud.identity()?;
    let mut reporter = Reporter {
        store: &*world.store,
        clock: &*clock,
        journal: &Lines,
        key: status::key(&bundle.group, &me.id),
        status: Status {
            node: me.node_name.clone(),
            state: State::Booting,
            since: clock.now(),
            kubernetes_version: bundle.kubernetes_version.clone(),
            bundle: hash,
            attempts: 0,
            events: Vec::new(),
        },
        written: None,
        unwritten: false,
    };
    Boot { host, clock: &*clock, bundle: &bundle, world: &world, me: &me }.run(&mut reporter);
    Ok(())
}

//! Units of systemd: the bundle's, users' hooks, this program's own.

use super::Host;
use crate::bundle::{Hook, Role, Unit};
use crate::error::Result;

const DIRECTORY: &str = "/etc/systemd/system";

/// Makes systemd reload changed units.
///
/// # Errors
/// If systemd rejects them.
pub fn reload(host: &dyn Host) -> Result<()> {
    host.must(["systemctl", "daemon-reload"]).map(drop)
}

pub(super) fn units(host: &dyn Host, units: &[Unit]) -> Result<()> {
    let mut changed = Vec::new();
    for unit in units {
        if let Some(text) = &unit.text
            && host.write(&format!("{DIRECTORY}/{}", unit.name), text.as_bytes(), 0o644)?
        {
            changed.push(unit.name.as_str());
        }
    }
    if !changed.is_empty() {
        reload(host)?;
    }
    for unit in units {
        if unit.mask {
            host.must(["systemctl", "mask", "--now", &unit.name])?;
        } else if unit.enable {
            host.must(["systemctl", "enable", &unit.name])?;
            let verb = if changed.contains(&unit.name.as_str()) { "restart" } else { "start" };
            host.must(["systemctl", "--no-block", verb, &unit.name])?;
        }
    }
    Ok(())
}

/// The hooks that were started since power-on, with their text: a boot may take many attempts.
const STARTED: &str = "/run/kops/hooks";

/// Starts users' hooks, each once after power-on and without waiting for it: a unit that must wait for a hook
/// declares that itself.
pub(super) fn hooks(host: &dyn Host, hooks: &[Hook]) -> Result<()> {
    for hook in hooks {
        let (path, started) = (format!("{DIRECTORY}/{}", hook.name), format!("{STARTED}/{}", hook.name));
        if hook.disabled {
            if host.read(&path)?.is_some() {
                host.must(["systemctl", "disable", "--now", &hook.name])?;
                host.remove(&path)?;
                host.remove(&started)?;
            }
            continue;
        }
        if host.write(&path, hook.text.as_bytes(), 0o644)? {
            reload(host)?;
        }
        host.must(["systemctl", "enable", &hook.name])?;
        if host.read(&started)?.as_deref() != Some(hook.text.as_bytes()) {
            host.must(["systemctl", "--no-block", "start", &hook.name])?;
            host.write(&started, hook.text.as_bytes(), 0o644)?;
        }
    }
    Ok(())
}

/// Writes this program's units and starts them: `kops-node.service`, which is restarted without limit, and on
/// control planes `kops-keeper.timer`.
///
/// # Errors
/// If they cannot be written or systemd rejects them.
pub fn install(host: &dyn Host, role: Role) -> Result<()> {
    host.write(&format!("{DIRECTORY}/kops-node.service"), BOOT.as_bytes(), 0o644)?;
    if role == Role::ControlPlane {
        host.write(&format!("{DIRECTORY}/kops-keeper.service"), KEEP.as_bytes(), 0o644)?;
        host.write(&format!("{DIRECTORY}/kops-keeper.timer"), TIMER.as_bytes(), 0o644)?;
    }
    reload(host)?;
    host.must(["systemctl", "enable", "kops-node.service"])?;
    host.must(["systemctl", "--no-block", "start", "kops-node.service"])?;
    if role == Role::ControlPlane {
        host.must(["systemctl", "enable", "--now", "kops-keeper.timer"])?;
    }
    Ok(())
}

/// The program itself retries with back-off, and reports; systemd only restarts it if it exits.
const BOOT: &str = "\
[Unit]
Description=Makes this machine a member of its Kubernetes cluster
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/var/lib/kops/kops-node boot
Restart=on-failure
RestartSec=30
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
";

const KEEP: &str = "\
[Unit]
Description=Keeps the Kubernetes cluster's names, tokens, certificates and snapshots
After=network-online.target
[Service]
Type=oneshot
ExecStart=/var/lib/kops/kops-node keep
TimeoutStartSec=600
";

const TIMER: &str = "\
[Unit]
Description=Every minute, the time that it works included
[Timer]
OnBootSec=30
OnUnitActiveSec=60
AccuracySec=1
[Install]
WantedBy=timers.target
";

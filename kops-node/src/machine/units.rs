//! Units of systemd: the bundle's, users' hooks, this program's own.

use super::Host;
use crate::bundle::{Hook, Role, Unit};
use crate::error::Result;

const DIRECTORY: &str = "/etc/systemd/system";

/// Tells systemd of changed units.
///
/// # Errors
/// When systemd does not take them.
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

/// A user's hook is started at every boot and not waited for: whatever must wait for it says so in its unit.
pub(super) fn hooks(host: &dyn Host, hooks: &[Hook]) -> Result<()> {
    for hook in hooks {
        let path = format!("{DIRECTORY}/{}", hook.name);
        if hook.disabled {
            if host.read(&path)?.is_some() {
                host.must(["systemctl", "disable", "--now", &hook.name])?;
                host.remove(&path)?;
            }
            continue;
        }
        if host.write(&path, hook.text.as_bytes(), 0o644)? {
            reload(host)?;
        }
        host.must(["systemctl", "enable", &hook.name])?;
        host.must(["systemctl", "--no-block", "start", &hook.name])?;
    }
    Ok(())
}

/// Writes this program's own units and starts them: `kops-node.service`, which is tried again for ever, and on control
/// planes `kops-keeper.timer`.
///
/// # Errors
/// When they cannot be written or systemd does not take them.
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

/// The program itself tries again, with back-off, and reports; systemd only sees to it that it lives.
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

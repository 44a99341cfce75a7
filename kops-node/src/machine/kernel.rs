//! Kernel modules, kernel parameters, swap.

use std::collections::BTreeMap;

use super::Host;
use crate::error::Result;

pub(super) fn modules(host: &dyn Host, modules: &[String]) -> Result<()> {
    if modules.is_empty() {
        return Ok(());
    }
    host.write("/etc/modules-load.d/kops.conf", lines(modules).as_bytes(), 0o644)?;
    for module in modules {
        // A module that is built in or already loaded is a success as well.
        host.must(["modprobe", module])?;
    }
    Ok(())
}

/// After the distribution's and users' files, as in kOps: the last one wins.
pub(super) fn sysctls(host: &dyn Host, parameters: &BTreeMap<String, String>) -> Result<()> {
    let file = "/etc/sysctl.d/99-kops.conf";
    if parameters.is_empty() {
        return host.remove(file).map(drop);
    }
    let text: Vec<_> = parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    host.write(file, lines(&text).as_bytes(), 0o644)?;
    // systemd has applied it at boot, except for parameters of modules that were just loaded.
    host.must(["sysctl", "-p", file]).map(drop)
}

/// Turns swap off now and after the next boot, whether fstab, units or the zram generator enable it.
pub(super) fn swap_off(host: &dyn Host) -> Result<()> {
    let active = host.read("/proc/swaps")?.unwrap_or_default();
    if String::from_utf8_lossy(&active).lines().count() > 1 {
        host.must(["swapoff", "-a"])?;
    }
    // An empty file is the documented way to disable the generator: zram-generator.conf(5).
    host.write("/etc/systemd/zram-generator.conf", b"", 0o644)?;
    let Some(fstab) = host.read("/etc/fstab")? else { return Ok(()) };
    let fstab = String::from_utf8_lossy(&fstab).into_owned();
    let kept: Vec<_> = fstab.lines().filter(|it| !is_swap(it)).map(str::to_owned).collect();
    if kept.len() < fstab.lines().count() {
        host.write("/etc/fstab", lines(&kept).as_bytes(), 0o644)?;
    }
    Ok(())
}

fn is_swap(line: &str) -> bool {
    !line.trim_start().starts_with('#') && line.split_whitespace().nth(2) == Some("swap")
}

fn lines(all: &[String]) -> String {
    all.iter().map(|it| [it.as_str(), "\n"].concat()).collect()
}

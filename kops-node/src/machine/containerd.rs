//! containerd: the configuration for its major version.

use super::{Command, Host};
use crate::bundle::Containerd;
use crate::error::{Error, Result};

const FILE: &str = "/etc/containerd/config.toml";

/// Writes the configuration for the version that is installed, and (re)starts containerd if it changed.
pub(super) fn configure(host: &dyn Host, containerd: &Containerd) -> Result<()> {
    let doing = "determining containerd's version";
    let output = host.run(&Command::new(["containerd", "--version"]))?;
    // containerd github.com/containerd/containerd v1.6.20~ds1 1.6.20~ds1-1+deb12u1
    // containerd github.com/containerd/containerd/v2 v2.2.3 …
    let major = output
        .stdout
        .split_whitespace()
        .nth(2)
        .and_then(|it| it.trim_start_matches('v').split('.').next())
        .and_then(|it| it.parse::<u32>().ok())
        .ok_or_else(|| Error::failed(doing, format!("its output is {:?}", output.stdout.trim())))?;
    let text = match major {
        1 => &containerd.config_v1,
        2 => &containerd.config_v2,
        other => {
            return Err(Error::failed(doing, format!("version {other} is not supported: use 1.6 to 2.x")));
        }
    };
    let changed = host.write(FILE, text.as_bytes(), 0o644)?;
    host.must(["systemctl", "enable", "containerd.service"])?;
    host.must(["systemctl", if changed { "restart" } else { "start" }, "containerd.service"]).map(drop)
}

//! The parts of a machine below Kubernetes: kernel, packages, files, mounts, units, containerd.
//!
//! Each part compares before it changes anything, so all of them run at every boot, and a prebuilt image
//! needs no network. Everything goes through [`Host`], and is tested in a directory.

mod containerd;
mod download;
mod files;
mod host;
pub mod hosts;
mod kernel;
mod mounts;
mod packages;
mod units;

use std::io::Read as _;

use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::http::{Http, Request};

pub use host::{Command, Host, Output, Real};
pub use mounts::{mount, mounted};
pub use units::{install, reload};

/// The maximum size of a repository's key, in bytes.
const LONGEST_KEY: u64 = 1 << 20;

/// The directory of the program's own files.
pub const WORK: &str = "/var/lib/kops";

/// Configures the machine as the bundle specifies. `event` is called before each part.
///
/// # Errors
/// The first part that fails, and why.
pub fn prepare(host: &dyn Host, http: &Http, bundle: &Bundle, event: &mut dyn FnMut(&str)) -> Result<()> {
    let machine = &bundle.machine;
    event("kernel");
    kernel::modules(host, &machine.modules)?;
    kernel::sysctls(host, &machine.sysctls)?;
    if machine.swap_off {
        kernel::swap_off(host)?;
    }
    event("packages");
    let fetch = |url: &str| {
        let mut key = Vec::new();
        let mut keep = |body: &mut dyn std::io::Read| {
            let read = body.take(LONGEST_KEY).read_to_end(&mut key);
            read.map(drop).map_err(|e| Error::failed(format!("fetching {url}"), e.to_string()))
        };
        http.download(&Request::new("GET", url), &mut keep)?;
        Ok(key)
    };
    packages::install(host, &machine.repositories, &machine.packages, &fetch)?;
    for download in &machine.downloads {
        event(&format!("download {}", download.path));
        download::fetch(host, http, download)?;
    }
    event("files");
    for file in &machine.files {
        files::write(host, file)?;
    }
    for it in &machine.mounts {
        event(&format!("mount {}", it.path));
        mounts::mount(host, it)?;
    }
    event("units");
    units::units(host, &machine.units)?;
    units::hooks(host, &machine.hooks)?;
    if !bundle.containerd.skip {
        event("containerd");
        containerd::configure(host, &bundle.containerd)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

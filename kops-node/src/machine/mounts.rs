//! Filesystems: formatted only when blank, mounted at every boot before the kubelet.

use super::{Command, Host};
use crate::bundle::Mount;
use crate::error::{Error, Result};

/// The advice for a disk with something else on it.
const WRONG: &str = "attach the right disk, or erase this one with wipefs if nothing on it is needed";

/// Whether something is mounted at this path.
///
/// # Errors
/// If the list of mounts cannot be read.
pub fn mounted(host: &dyn Host, path: &str) -> Result<bool> {
    let mounts = host.read("/proc/self/mounts")?.unwrap_or_default();
    let text = String::from_utf8_lossy(&mounts);
    Ok(text.lines().any(|line| line.split(' ').nth(1) == Some(path)))
}

/// Mounts a device, which is formatted if it is blank, that is, if nothing is recognised on it.
///
/// # Errors
/// `Waiting` until the device exists; `Invalid` if it has a different filesystem.
pub fn mount(host: &dyn Host, mount: &Mount) -> Result<()> {
    let Mount { device, path, filesystem, .. } = mount;
    if mounted(host, path)? {
        return Ok(());
    }
    let doing = format!("mounting {device} at {path}");
    if !host.path(device).exists() {
        return Err(Error::waiting(doing, "the device does not exist yet"));
    }
    // 2: nothing was recognised (blkid(8)). Without a clear result the device must not be formatted.
    let probe = host.run(&Command::new(["blkid", "-p", "-o", "value", "-s", "TYPE", device]))?;
    let filesystem = match (probe.status, probe.stdout.trim(), filesystem) {
        (Some(0), "", _) => {
            return Err(Error::invalid(
                doing,
                format!("it contains a partition table or unknown data: nothing was changed; {WRONG}"),
            ));
        }
        (Some(0), found, Some(wanted)) if found != wanted => {
            return Err(Error::invalid(
                doing,
                format!("it contains {found}, not {wanted}: nothing was changed; {WRONG}"),
            ));
        }
        (Some(0), found, _) => found.to_owned(),
        (Some(2), "", None) => {
            return Err(Error::invalid(doing, "it is blank, and formatting is not allowed"));
        }
        (Some(2), "", Some(filesystem)) => {
            let words =
                [format!("mkfs.{filesystem}")].into_iter().chain(mount.format_options.iter().cloned());
            host.must(words.chain([device.clone()]))?;
            filesystem.clone()
        }
        (_, _, _) => return Err(Error::failed(doing, format!("blkid: {}", probe.stderr.trim()))),
    };
    let unit = unit_name(path);
    let options =
        if mount.mount_options.is_empty() { "defaults".to_owned() } else { mount.mount_options.join(",") };
    let text = format!(
        "[Unit]\nBefore=kubelet.service\n[Mount]\nWhat={device}\nWhere={path}\nType={filesystem}\n\
         Options={options}\n[Install]\nWantedBy=multi-user.target\n"
    );
    host.write(&format!("/etc/systemd/system/{unit}"), text.as_bytes(), 0o644)?;
    host.make_directory(path, 0o755)?;
    host.must(["systemctl", "daemon-reload"])?;
    host.must(["systemctl", "enable", "--now", &unit]).map(drop)
}

/// The name that systemd requires for a path's mount unit (`systemd-escape --path --suffix=mount`).
fn unit_name(path: &str) -> String {
    use std::fmt::Write as _;
    let mut name = String::new();
    for (at, byte) in path.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'.') => {
                name.push(char::from(byte));
            }

            byte => {
                let _infallible = write!(name, "\\x{byte:02x}");
            }
        }
    }
    name + ".mount"
}

#[cfg(test)]
mod tests {
    #[test]
    fn units_are_named_as_systemd_demands() {
        assert_eq!(super::unit_name("/mnt/etcd-main"), "mnt-etcd\\x2dmain.mount");
        assert_eq!(super::unit_name("/.a/b.c"), "\\x2ea-b.c.mount");
    }
}

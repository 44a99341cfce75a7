//! The volumes of etcd's members, which the plan attaches: their ids are in the user data, because they are
//! known only once the volumes exist.

use std::path::PathBuf;

use crate::bundle::Volume;
use crate::cloud::Attached;
use crate::error::{Error, Result};
use crate::machine::{Host, WORK};

/// The volumes that this machine may have.
#[derive(Clone, Debug)]
pub struct Volumes {
    /// Mount point, member and id.
    known: Vec<[String; 3]>,
    /// The directory of devices by their volume's id.
    by_id: PathBuf,
}

/// The names of a device: QEMU passes 20 characters of the id to virtio and the whole id to SCSI, of which
/// udev keeps all or 20 characters.
const NAMES: [(&str, usize); 3] =
    [("virtio-", 20), ("scsi-0QEMU_QEMU_HARDDISK_", usize::MAX), ("scsi-0QEMU_QEMU_HARDDISK_", 20)];

impl Volumes {
    /// The volumes that stage 0 has stored, one per line; empty if the user data contains none.
    ///
    /// # Errors
    /// If the file cannot be read or parsed.
    pub fn read(host: &dyn Host) -> Result<Self> {
        let path = format!("{WORK}/volumes");
        let text = host.read(&path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let known = text.lines().filter(|it| !it.trim().is_empty()).map(|line| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            <[String; 3]>::try_from(words).map_err(|_| {
                Error::invalid(format!("reading {path}"), format!("{line:?} is not path, member and id"))
            })
        });
        Ok(Self { known: known.collect::<Result<_>>()?, by_id: host.path("/dev/disk/by-id") })
    }

    /// The attached volume of the first candidate that has one.
    ///
    /// # Errors
    /// `Waiting` while none is; `Invalid` if no candidate has any.
    pub fn attached(&self, candidates: &[String], volume: &Volume) -> Result<Attached> {
        let doing = format!("finding etcd's volume for {}", volume.path);
        let mut missing = Vec::new();
        for member in candidates {
            let known = self.known.iter().find(|[path, of, _]| *path == volume.path && of == member);
            let Some([_, _, id]) = known else { continue };
            let names = NAMES.map(|(bus, length)| format!("{bus}{}", id.get(..length).unwrap_or(id)));
            if let Some(name) = names.iter().find(|it| self.by_id.join(it).exists()) {
                let devices = vec![format!("/dev/disk/by-id/{name}")];
                return Ok(Attached { member: member.clone(), devices });
            }
            missing.push(id.as_str());
        }
        if missing.is_empty() {
            return Err(Error::invalid(
                doing,
                format!("the user data names none for {}", candidates.join(", ")),
            ));
        }
        Err(Error::waiting(doing, format!("{} is not attached to this machine", missing.join(", "))))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::machine::testing::TestHost;

    const MAIN: &str = "3d4f5c6a-1b2c-4d5e-8f90-a1b2c3d4e5f6";
    const OTHER: &str = "aaaaaaaa-1b2c-4d5e-8f90-a1b2c3d4e5f6";

    fn volume(path: &str) -> Volume {
        serde_json::from_value(serde_json::json!({"path": path})).unwrap()
    }

    fn all(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn a_machine_is_the_member_whose_volume_it_has() {
        let host = TestHost::quiet();
        host.put("/var/lib/kops/volumes", &format!("/mnt/etcd-main a {OTHER}\n/mnt/etcd-main b {MAIN}\n"));
        let volumes = Volumes::read(&host).unwrap();
        let main = volume("/mnt/etcd-main");
        let waiting = volumes.attached(&all(&["a", "b"]), &main).unwrap_err();
        assert_eq!(waiting.kind(), ErrorKind::Waiting);
        assert!(waiting.to_string().contains(OTHER) && waiting.to_string().contains(MAIN), "{waiting}");
        for name in
            ["virtio-3d4f5c6a-1b2c-4d5e-8", "scsi-0QEMU_QEMU_HARDDISK_3d4f5c6a-1b2c-4d5e-8f90-a1b2c3d4e5f6"]
        {
            let device = format!("/dev/disk/by-id/{name}");
            host.put(&device, "");
            let attached = volumes.attached(&all(&["a", "b"]), &main).unwrap();
            assert_eq!(
                (attached.member.as_str(), attached.devices.as_slice()),
                ("b", [device.clone()].as_slice())
            );
            host.remove(&device).unwrap();
        }
    }

    #[test]
    fn what_the_user_data_does_not_name_is_told() {
        let host = TestHost::quiet();
        assert!(Volumes::read(&host).unwrap().is_empty());
        host.put("/var/lib/kops/volumes", &format!("/mnt/etcd-main a {MAIN}\n"));
        let error =
            Volumes::read(&host).unwrap().attached(&all(&["a"]), &volume("/mnt/etcd-events")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("/mnt/etcd-events"), "{error}");
        host.put("/var/lib/kops/volumes", "/mnt/etcd-main a\n");
        assert!(Volumes::read(&host).unwrap_err().to_string().contains("path, member and id"));
    }
}

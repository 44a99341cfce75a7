use std::collections::BTreeMap;

use super::testing::{TestHost, fails, says};
use super::*;
use crate::bundle::{
    Archive, Containerd, Content, Download, File, Hook, Mount, Package, Repository, RepositoryFormat, Unit,
};
use crate::error::ErrorKind;
use crate::hash::sha256;
use crate::testing::{http, ok, serve};

#[test]
fn the_kernel_is_set_now_and_for_every_boot() {
    let host = TestHost::quiet();
    kernel::modules(&host, &["overlay".to_owned()]).unwrap();
    kernel::sysctls(&host, &BTreeMap::from([("net.ipv4.ip_forward".to_owned(), "1".to_owned())])).unwrap();
    assert_eq!(host.text("/etc/modules-load.d/kops.conf"), "overlay\n");
    assert_eq!(host.text("/etc/sysctl.d/99-kops.conf"), "net.ipv4.ip_forward = 1\n");
    assert_eq!(host.ran(), ["modprobe overlay", "sysctl -p /etc/sysctl.d/99-kops.conf"]);
    kernel::sysctls(&host, &BTreeMap::new()).unwrap();
    assert!(host.ran().is_empty() && host.read("/etc/sysctl.d/99-kops.conf").unwrap().is_none());
}

#[test]
fn swap_is_off_whoever_switches_it_on() {
    let host = TestHost::quiet();
    host.put("/proc/swaps", "Filename Type\n/dev/zram0 partition\n");
    host.put("/etc/fstab", "# swap\nUUID=1 / ext4 defaults 0 1\n/swapfile none swap sw 0 0\n");
    kernel::swap_off(&host).unwrap();
    assert_eq!(host.text("/etc/fstab"), "# swap\nUUID=1 / ext4 defaults 0 1\n");
    assert_eq!(host.ran(), ["swapoff -a"]);
}

fn kubelet() -> Package {
    Package {
        name: "kubelet".to_owned(),
        version: Some("1.34.4-".to_owned()),
        program: Some("kubelet".to_owned()),
        says: Some("v1.34.4".to_owned()),
    }
}

#[test]
fn a_prebuilt_image_needs_no_repository() {
    let host = TestHost::new(|it| (it == "kubelet --version").then(|| says("Kubernetes v1.34.4\n")));
    host.put("/usr/bin/kubelet", "");
    packages::install(&host, &[], &[kubelet()], &no_network).unwrap();
    assert_eq!(host.ran(), ["kubelet --version"]);
}

#[test]
fn every_program_is_asked_as_it_answers() {
    let host = TestHost::new(|it| match it {
        "kubeadm version" => {
            Some(says("kubeadm version: &version.Info{GitVersion:\"v1.34.4\", GitCommit:\"\"}\n"))
        }
        "kubectl version --client" => Some(says("Client Version: v1.34.4\nKustomize Version: v5.7.1\n")),
        "kubelet --version" => Some(says("Kubernetes v1.34.40\n")),
        _ => None,
    });
    let package = |name: &str| Package { name: name.to_owned(), program: Some(name.to_owned()), ..kubelet() };
    for name in ["kubeadm", "kubectl", "kubelet"] {
        host.put(&format!("/usr/bin/{name}"), "");
    }
    packages::install(&host, &[], &[package("kubeadm"), package("kubectl")], &no_network).unwrap();
    let error = packages::install(&host, &[], &[package("kubelet")], &no_network).unwrap_err().to_string();
    assert!(error.starts_with("installing kubelet: "), "v1.34.40 is another version: {error}");
}

#[test]
fn packages_are_installed_in_their_version_and_held() {
    let host = TestHost::new(|it| if it.starts_with("dpkg-query") { Some(fails(1, "no")) } else { None });
    host.put("/usr/bin/apt-get", "");
    let repository = Repository {
        name: "kubernetes".to_owned(),
        format: RepositoryFormat::Deb,
        url: "https://pkgs.k8s.io/core:/stable:/v1.34/deb/".to_owned(),
        key: "KEY".to_owned(),
    };
    packages::install(&host, std::slice::from_ref(&repository), &[kubelet()], &no_network).unwrap();
    let ran = host.ran();
    assert!(ran[1].ends_with(" update"), "{ran:?}");
    assert!(ran[2].ends_with("kubelet=1.34.4-*") && ran[2].contains("DPkg::Lock::Timeout"), "{ran:?}");
    assert_eq!(ran[3], "apt-mark hold kubelet");
    let list = host.text("/etc/apt/sources.list.d/kubernetes.list");
    assert!(list.starts_with("deb [signed-by=/etc/apt/keyrings/kubernetes.asc] https://pkgs"));
}

#[test]
fn a_repository_that_is_out_of_reach_is_named_unless_the_package_is_there_anyway() {
    let host = |installs: bool| {
        let host = TestHost::new(move |it| match it {
            it if it.starts_with("dpkg-query") => Some(fails(1, "no")),
            it if it.ends_with(" update") && it.contains("Error-Mode=any") => {
                Some(fails(100, "E: Failed to fetch https://pkgs.k8s.io/: No route to host"))
            }
            it if it.contains(" install ") && !installs => {
                Some(fails(100, "E: Unable to locate package kubelet"))
            }
            _ => None,
        });
        host.put("/usr/bin/apt-get", "");
        host
    };
    packages::install(&host(true), &[], &[kubelet()], &no_network).unwrap();
    let error = packages::install(&host(false), &[], &[kubelet()], &no_network).unwrap_err().to_string();
    assert!(error.contains("Unable to locate package") && error.ends_with("No route to host"), "{error}");
}

/// The project extends its key from time to time: it is fetched from where the packages are.
#[test]
fn a_repositorys_key_may_be_a_url() {
    let host = TestHost::new(|it| if it.starts_with("rpm -q") { Some(fails(1, "no")) } else { None });
    host.put("/usr/bin/dnf", "");
    let repository = |format| Repository {
        name: "kubernetes".to_owned(),
        format,
        url: "https://pkgs.k8s.io/core:/stable:/v1.34/rpm/".to_owned(),
        key: "https://pkgs.k8s.io/core:/stable:/v1.34/rpm/repodata/repomd.xml.key".to_owned(),
    };
    let fetch = |url: &str| Ok(url.replace("https://", "key of ").into_bytes());
    let both = [repository(RepositoryFormat::Deb), repository(RepositoryFormat::Rpm)];
    packages::install(&host, &both, &[kubelet()], &fetch).unwrap();
    let key = host.text("/etc/pki/rpm-gpg/kubernetes.asc");
    assert_eq!(key, "key of pkgs.k8s.io/core:/stable:/v1.34/rpm/repodata/repomd.xml.key");
    assert_eq!(host.read("/etc/apt/keyrings/kubernetes.asc").unwrap(), None);
}

fn no_network(url: &str) -> crate::error::Result<Vec<u8>> {
    panic!("{url} was fetched")
}

#[test]
fn a_distribution_without_packages_is_told_what_to_do() {
    let error = packages::install(&TestHost::quiet(), &[], &[kubelet()], &no_network).unwrap_err();
    assert_eq!(
        error.to_string(),
        "installing kubelet: this distribution has neither apt nor dnf: use an image that has the packages, or specify downloads"
    );
}

#[test]
fn a_download_is_used_only_with_the_right_hash_and_once() {
    let url = serve(|_| ok("program"));
    let host = TestHost::quiet();
    let mut download = Download {
        url: format!("{url}/tool"),
        sha256: sha256("other"),
        path: "/opt/bin/tool".to_owned(),
        mode: None,
        archive: None,
    };
    let error = download::fetch(&host, &http(), &download).unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("it was not used"), "{error}");
    assert_eq!(host.read("/opt/bin/tool").unwrap(), None);
    download.sha256 = sha256("program");
    download::fetch(&host, &http(), &download).unwrap();
    assert_eq!(host.text("/opt/bin/tool"), "program");
    download.url = "http://127.0.0.1:1/gone".to_owned();
    download::fetch(&host, &http(), &download).unwrap();
}

#[test]
fn an_archive_is_unpacked() {
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir(source.path().join("bin")).unwrap();
    std::fs::write(source.path().join("bin/ctr"), "x").unwrap();
    let archive = source.path().join("a.tar.gz");
    let tar = ["-czf", archive.to_str().unwrap(), "-C", source.path().to_str().unwrap(), "bin"];
    assert!(std::process::Command::new("tar").args(tar).status().unwrap().success());
    let bytes = std::fs::read(archive).unwrap();
    let (sha256, url) = (sha256(&bytes), serve(move |_| ok(bytes.clone())));
    let host = TestHost::quiet();
    let archive = Some(Archive { strip: 1 });
    let download = Download { url, sha256, path: "/usr/local/bin".to_owned(), mode: None, archive };
    download::fetch(&host, &http(), &download).unwrap();
    assert_eq!(host.text("/usr/local/bin/ctr"), "x");
}

#[test]
fn files_are_written_once_with_their_owner() {
    let host = TestHost::quiet();
    let file = File {
        path: "/srv/a".to_owned(),
        content: Content::Base64("aGVsbG8=".to_owned()),
        mode: Some("0440".to_owned()),
        owner: Some("etcd:etcd".to_owned()),
    };
    assert!(files::write(&host, &file).unwrap());
    assert!(!files::write(&host, &file).unwrap());
    assert_eq!(host.text("/srv/a"), "hello");
    assert_eq!(host.ran(), ["chown etcd:etcd /srv/a"]);
}

fn volume() -> Mount {
    Mount {
        device: "/dev/sdb".to_owned(),
        path: "/mnt/etcd-main".to_owned(),
        filesystem: Some("ext4".to_owned()),
        format_options: Vec::new(),
        mount_options: vec!["noatime".to_owned()],
    }
}

#[test]
fn only_a_blank_device_is_formatted() {
    let mounts = |host: &TestHost| {
        host.put("/dev/sdb", "");
        mount(host, &volume())
    };
    let blank = TestHost::new(|it| if it.starts_with("blkid") { Some(fails(2, "")) } else { None });
    mounts(&blank).unwrap();
    assert!(blank.ran().contains(&"mkfs.ext4 /dev/sdb".to_owned()));
    assert!(blank.text("/etc/systemd/system/mnt-etcd\\x2dmain.mount").contains("Options=noatime"));
    for (answer, kind) in [
        (says("xfs\n"), ErrorKind::Invalid),
        (says(""), ErrorKind::Invalid),
        (fails(4, "usage"), ErrorKind::Failed),
    ] {
        let other =
            TestHost::new(move |it| if it.starts_with("blkid") { Some(answer.clone()) } else { None });
        let error = mounts(&other).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(
            error.to_string().contains("attach the right disk"),
            kind == ErrorKind::Invalid,
            "{error}"
        );
        assert!(!other.ran().iter().any(|it| it.starts_with("mkfs")));
    }
    assert_eq!(mount(&TestHost::quiet(), &volume()).unwrap_err().kind(), ErrorKind::Waiting);
}

#[test]
fn a_blank_device_stays_blank_unless_formatting_is_allowed() {
    let host = TestHost::new(|it| if it.starts_with("blkid") { Some(fails(2, "")) } else { None });
    host.put("/dev/sdb", "");
    let error = mount(&host, &Mount { filesystem: None, ..volume() }).unwrap_err().to_string();
    assert!(error.ends_with("it is blank, and formatting is not allowed"), "{error}");
    assert!(!host.ran().iter().any(|it| it.starts_with("mkfs")));
}

#[test]
fn what_is_mounted_is_left_alone() {
    let host = TestHost::quiet();
    host.put("/proc/self/mounts", "/dev/sdb /mnt/etcd-main ext4 rw 0 0\n");
    mount(&host, &volume()).unwrap();
    assert!(host.ran().is_empty());
}

#[test]
fn containerd_gets_the_configuration_of_its_generation() {
    let settings =
        Containerd { config_v1: "version = 2".to_owned(), config_v2: "version = 3".to_owned(), skip: false };
    for (says_, wanted) in [
        ("containerd github.com/containerd/containerd v1.6.20~ds1 1.6.20~ds1-1", "version = 2"),
        ("containerd github.com/containerd/containerd/v2 v2.2.3 abc", "version = 3"),
    ] {
        let host =
            TestHost::new(move |it| if it.starts_with("containerd ") { Some(says(says_)) } else { None });
        containerd::configure(&host, &settings).unwrap();
        assert_eq!(host.text("/etc/containerd/config.toml"), wanted);
        assert!(host.ran().contains(&"systemctl restart containerd.service".to_owned()));
        containerd::configure(&host, &settings).unwrap();
        assert!(host.ran().contains(&"systemctl start containerd.service".to_owned()), "nothing changed");
    }
}

#[test]
fn units_and_hooks() {
    let host = TestHost::quiet();
    let unit = |text: Option<&str>, enable, mask| Unit {
        name: "ntp.service".to_owned(),
        text: text.map(str::to_owned),
        enable,
        mask,
    };
    units::units(&host, &[unit(Some("[Unit]"), true, false)]).unwrap();
    assert!(host.ran().contains(&"systemctl --no-block restart ntp.service".to_owned()));
    units::units(&host, &[unit(None, false, true)]).unwrap();
    assert_eq!(host.ran(), ["systemctl mask --now ntp.service"]);
    let hook = |disabled| Hook { name: "h.service".to_owned(), text: "[Unit]".to_owned(), disabled };
    for _ in 0..3 {
        units::hooks(&host, &[hook(false)]).unwrap();
    }
    let starts = host.ran().iter().filter(|it| it.contains("start h.service")).count();
    assert_eq!(starts, 1, "once, however many attempts a boot takes");
    units::hooks(&host, &[hook(true)]).unwrap();
    assert_eq!(host.ran().last().unwrap(), "systemctl disable --now h.service");
    assert_eq!(host.read("/etc/systemd/system/h.service").unwrap(), None);
}

//! Packages, with apt or dnf. Installed ones are skipped.

use super::{Command, Host};
use crate::bundle::{Package, Repository, RepositoryFormat};
use crate::error::{Error, Result};

/// How long apt waits for its lock, in seconds: unattended upgrades run at first boot.
const LOCK: &str = "DPkg::Lock::Timeout=600";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
}

/// Reads a URL: a repository's key.
pub(super) type Fetch<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>>;

pub(super) fn install(
    host: &dyn Host,
    repositories: &[Repository],
    packages: &[Package],
    fetch: Fetch<'_>,
) -> Result<()> {
    let mut missing = Vec::new();
    for package in packages {
        if !prebuilt(host, package)? {
            missing.push(package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let manager = if host.has("apt-get")? {
        Manager::Apt
    } else if host.has("dnf")? {
        Manager::Dnf
    } else {
        let names: Vec<_> = missing.iter().map(|it| it.name.as_str()).collect();
        return Err(Error::failed(
            format!("installing {}", names.join(", ")),
            "this distribution has neither apt nor dnf: use an image that has the packages, or specify downloads",
        ));
    };
    let mut wanted = Vec::new();
    for package in missing {
        if !installed(host, manager, package)? {
            wanted.push(package);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    for it in repositories {
        add(host, manager, it, fetch)?;
    }
    match manager {
        Manager::Apt => apt(host, &wanted),
        Manager::Dnf => dnf(host, &wanted),
    }
}

/// Whether the program of the package exists and reports the right version.
fn prebuilt(host: &dyn Host, package: &Package) -> Result<bool> {
    let (Some(program), Some(says)) = (&package.program, &package.says) else { return Ok(false) };
    if !host.has(program)? {
        return Ok(false);
    }
    let question: &[&str] = match program.as_str() {
        "kubeadm" => &["version"],
        "kubectl" => &["version", "--client"],
        _ => &["--version"],
    };
    let words = std::iter::once(program.as_str()).chain(question.iter().copied());
    Ok(names_version(&host.run(&Command::new(words))?.stdout, says))
}

/// Whether a text contains this version: v1.34.1 is not in `v1.34.10`.
fn names_version(text: &str, version: &str) -> bool {
    let digit = |it: Option<char>| it.is_some_and(|it| it.is_ascii_digit());
    text.match_indices(version).any(|(at, found)| {
        !digit(text[..at].chars().next_back()) && !digit(text[at + found.len()..].chars().next())
    })
}

/// Whether the package is installed in the required version.
fn installed(host: &dyn Host, manager: Manager, package: &Package) -> Result<bool> {
    let name = package.name.as_str();
    let output = host.run(&match manager {
        Manager::Apt => Command::new(["dpkg-query", "-W", "-f", "${Status} ${Version}", name]),
        Manager::Dnf => {
            Command::new(["rpm", "-q", "--qf", "install ok installed %{VERSION}-%{RELEASE}", name])
        }
    })?;
    let version = output.stdout.strip_prefix("install ok installed ").filter(|_| output.success());
    Ok(version
        .is_some_and(|it| package.version.as_ref().is_none_or(|wanted| it.starts_with(wanted.as_str()))))
}

fn add(host: &dyn Host, manager: Manager, repository: &Repository, fetch: Fetch<'_>) -> Result<()> {
    let Repository { name, url, key, .. } = repository;
    if !matches!(
        (manager, repository.format),
        (Manager::Apt, RepositoryFormat::Deb) | (Manager::Dnf, RepositoryFormat::Rpm)
    ) {
        return Ok(()); // the other package manager's
    }
    let key = if key.starts_with("https://") { fetch(key)? } else { key.clone().into_bytes() };
    match manager {
        Manager::Apt => {
            // apt reads armoured keys from files that end in .asc.
            let keyring = format!("/etc/apt/keyrings/{name}.asc");
            host.write(&keyring, &key, 0o644)?;
            let line = format!("deb [signed-by={keyring}] {url} /\n");
            host.write(&format!("/etc/apt/sources.list.d/{name}.list"), line.as_bytes(), 0o644)?;
        }
        Manager::Dnf => {
            let keyring = format!("/etc/pki/rpm-gpg/{name}.asc");
            host.write(&keyring, &key, 0o644)?;
            let text = format!(
                "[{name}]\nname={name}\nbaseurl={url}\nenabled=1\ngpgcheck=1\ngpgkey=file://{keyring}\n"
            );
            host.write(&format!("/etc/yum.repos.d/{name}.repo"), text.as_bytes(), 0o644)?;
        }
    }
    Ok(())
}

fn apt(host: &dyn Host, packages: &[&Package]) -> Result<()> {
    let quiet = |words: Vec<String>| Command::new(words).env("DEBIAN_FRONTEND", "noninteractive");
    let base = ["apt-get", "-q", "-y", "-o", LOCK].map(str::to_owned);
    // By default apt ignores lists that it cannot fetch, and then only reports that a package is unknown.
    let update = ["-o", "APT::Update::Error-Mode=any", "update"].map(str::to_owned);
    let updated = host.must_run(&quiet([&base[..], &update[..]].concat()));
    let mut words =
        [&base[..], &["install", "--no-install-recommends", "--allow-downgrades"].map(str::to_owned)]
            .concat();
    words.push("--allow-change-held-packages".to_owned());
    words.extend(packages.iter().map(|it| match &it.version {
        Some(version) => format!("{}={version}*", it.name),
        None => it.name.clone(),
    }));
    if let Err(e) = host.must_run(&quiet(words)) {
        // Only now: a failed update does not matter if the packages come from a repository that works.
        return Err(match updated {
            Ok(_) => e,
            Err(why) => {
                let names: Vec<_> = packages.iter().map(|it| it.name.as_str()).collect();
                let doing = format!("installing {}", names.join(", "));
                Error::failed(doing, format!("{e}; before that, the package lists were not updated: {why}"))
            }
        });
    }
    let pinned: Vec<_> =
        packages.iter().filter(|it| it.version.is_some()).map(|it| it.name.clone()).collect();
    if !pinned.is_empty() {
        // Only the cluster's upgrade may change them.
        host.must([vec!["apt-mark".to_owned(), "hold".to_owned()], pinned].concat())?;
    }
    Ok(())
}

fn dnf(host: &dyn Host, packages: &[&Package]) -> Result<()> {
    let names = packages.iter().map(|it| match &it.version {
        Some(version) => format!("{}-{version}*", it.name),
        None => it.name.clone(),
    });
    let words = ["dnf", "-q", "-y", "install", "--setopt=install_weak_deps=False"].map(str::to_owned);
    host.must(words.into_iter().chain(names)).map(drop)
}

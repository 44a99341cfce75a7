//! containerd's configuration, for both of its major versions. The machine decides which one it uses.

use kops_node::bundle::{Containerd, Content, Download, File};
use serde_json::{Map, Value};

use super::Told;
use super::cluster::{BundleCluster, flag, object_of, text, texts};
use super::setting::put;
use crate::cloud::Architecture;
use crate::spec::{InstanceGroup, Path, Problems};

/// The message for fields that require more than configuration.
const NOT_INSTALLED: &str = "kops does not install it";

/// containerd on a group's machines: its configuration, the files of its mirrors, and downloads in place of a package.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub(super) containerd: Containerd,
    pub(super) files: Vec<File>,
    pub(super) downloads: Vec<Download>,
    /// The version, if one is specified.
    pub(super) version: Option<String>,
    /// The socket.
    pub(super) socket: String,
}

/// The pause image, by default that of kubeadm of each minor version.
fn pause(minor: u64) -> &'static str {
    match minor {
        ..34 => "3.10",
        34 | 35 => "3.10.1",
        _ => "3.10.2",
    }
}

pub(super) fn render(
    cluster: &BundleCluster<'_>,
    group: &InstanceGroup,
    architecture: Architecture,
    told: &mut Told,
) -> Rendered {
    let at = Path::of("spec.containerd");
    let mut settings = object_of(cluster.cluster.spec.containerd.as_ref(), &at, &mut told.cluster);
    check(&Value::Object(settings.clone()), &at, &mut told.cluster);
    let own = object_of(group.spec.containerd.as_ref(), &at, &mut told.group);
    check(&Value::Object(own.clone()), &at, &mut told.group);
    settings.extend(own); // a group's setting replaces the cluster's
    let settings = Value::Object(settings);
    let problems = &mut told.group;
    let socket = text(&settings, "address", &at, problems).unwrap_or("/run/containerd/containerd.sock");
    let mut rendered = Rendered {
        socket: format!("unix://{socket}"),
        version: text(&settings, "version", &at, problems).map(|it| it.trim_start_matches('v').to_owned()),
        downloads: downloads(&settings, architecture, &at, problems),
        files: mirrors(cluster, &settings, &at, problems),
        ..Rendered::default()
    };
    rendered.containerd.skip = flag(&settings, "skipInstall", &at, problems) == Some(true);
    if let Some(whole) = text(&settings, "configOverride", &at, problems) {
        whole.clone_into(&mut rendered.containerd.config_v1);
        whole.clone_into(&mut rendered.containerd.config_v2);
        return rendered;
    }
    let sandbox = text(&settings, "sandboxImage", &at, problems)
        .map_or_else(|| format!("{}/pause:{}", cluster.registry(), pause(cluster.minor())), str::to_owned);
    rendered.containerd.config_v1 = config(false, &settings, &sandbox, &at, problems);
    rendered.containerd.config_v2 = config(true, &settings, &sandbox, &at, &mut Problems::new());
    rendered
}

/// The configuration of one major version.
fn config(v2: bool, settings: &Value, sandbox: &str, at: &Path, problems: &mut Problems) -> String {
    let mut config = Map::new();
    put(&mut config, "version", if v2 { 3 } else { 2 }.into());
    for (field, path) in
        [("root", "root"), ("state", "state"), ("address", "grpc.address"), ("logLevel", "debug.level")]
    {
        if let Some(value) = text(settings, field, at, problems) {
            put(&mut config, path, value.into());
        }
    }
    let plugin = |name: &str| {
        if v2 { format!("io.containerd.cri.v1.{name}") } else { "io.containerd.grpc.v1.cri".to_owned() }
    };
    let mut set = |plugin: &str, path: &str, value: Value| {
        // A plugin's name contains dots, so it is not a path.
        let plugins = config.entry("plugins").or_insert_with(|| Map::new().into());
        let entry = plugins.as_object_mut().map(|it| it.entry(plugin).or_insert_with(|| Map::new().into()));
        if let Some(Value::Object(entry)) = entry {
            put(entry, path, value);
        }
    };
    let (images, runtime) = (plugin("images"), plugin("runtime"));
    set(&images, if v2 { "pinned_images.sandbox" } else { "sandbox_image" }, sandbox.into());
    set(&images, "registry.config_path", "/etc/containerd/certs.d".into());
    set(&runtime, "containerd.runtimes.runc.runtime_type", "io.containerd.runc.v2".into());
    set(&runtime, "containerd.runtimes.runc.options.SystemdCgroup", true.into());
    if !v2 {
        set(&runtime, "cni.bin_dir", "/opt/cni/bin".into()); // the default since 2.0; 2.3 no longer knows the field
    }
    set(&runtime, "cni.conf_dir", "/etc/cni/net.d".into());
    if flag(settings, "selinuxEnabled", at, problems) == Some(true) {
        set(&runtime, "enable_selinux", true.into());
    }
    let nri = &settings["nri"];
    if flag(nri, "enabled", &at.key("nri"), problems) == Some(true) {
        set("io.containerd.nri.v1.nri", "disable", false.into());
        for (field, name) in [
            ("pluginRegistrationTimeout", "plugin_registration_timeout"),
            ("pluginRequestTimeout", "plugin_request_timeout"),
        ] {
            if let Some(timeout) = text(nri, field, &at.key("nri"), problems) {
                set("io.containerd.nri.v1.nri", name, timeout.into());
            }
        }
    }
    additions(&mut config, settings, at, problems);
    toml::to_string(&config).unwrap_or_default()
}

/// The user's settings, by dotted paths: `plugins."io.containerd.grpc.v1.cri".max_concurrent_downloads`.
fn additions(config: &mut Map<String, Value>, settings: &Value, at: &Path, problems: &mut Problems) {
    for (path, value) in settings["configAdditions"].as_object().into_iter().flatten() {
        // Parsed as a line of TOML: names with dots are in quotes.
        let parsed = toml::from_str::<Map<String, Value>>(&format!("{path} = {value}"));
        match parsed {
            Ok(parsed) => merge(config, parsed),
            Err(_) => problems.error(
                at.key("configAdditions").key(path),
                "is not a setting of containerd's configuration",
                "use a dotted path, with names that contain dots in double quotes, and a scalar value",
            ),
        }
    }
}

fn merge(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(value)) => merge(below, value),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// Mirrors in the user's order, in containerd's format of one directory for each registry.
fn mirrors(cluster: &BundleCluster<'_>, settings: &Value, at: &Path, problems: &mut Problems) -> Vec<File> {
    let at = at.key("registryMirrors");
    let mut files = Vec::new();
    // A registry proxy is a mirror for all registries without one of their own.
    let assets = super::cluster::settings(cluster.cluster.spec.assets.as_ref());
    if let Some(proxy) = text(&assets, "containerProxy", &Path::of("spec.assets"), problems)
        && settings["registryMirrors"]["*"].is_null()
    {
        let scheme = if proxy.contains("://") { "" } else { "https://" };
        files.push(hosts_file("_default", &host(&format!("{scheme}{proxy}"))));
    }
    for (name, _) in settings["registryMirrors"].as_object().into_iter().flatten() {
        let mirrors = texts(&settings["registryMirrors"], name, &at, problems);
        let mut hosts = String::new();
        if name != "*" {
            // Docker's registry has another host than its name.
            let server = if name == "docker.io" { "registry-1.docker.io" } else { name };
            hosts = format!("server = \"https://{server}\"\n");
        }
        for mirror in mirrors {
            if mirror.contains(['"', '\\', '\n']) || !mirror.starts_with("http") {
                problems.error(
                    at.key(name),
                    format!("{mirror:?} is not a URL"),
                    "use a URL such as https://mirror.example.com",
                );
                continue;
            }
            hosts.push_str(&host(&mirror));
        }
        files.push(hosts_file(if name == "*" { "_default" } else { name }, &hosts));
    }
    files
}

fn host(mirror: &str) -> String {
    format!("\n[host.\"{mirror}\"]\ncapabilities = [\"pull\", \"resolve\"]\n")
}

fn hosts_file(directory: &str, hosts: &str) -> File {
    File {
        path: format!("/etc/containerd/certs.d/{directory}/hosts.toml"),
        content: Content::Text(hosts.to_owned()),
        mode: None,
        owner: None,
    }
}

/// Archives instead of the distribution's package.
fn downloads(
    settings: &Value,
    architecture: Architecture,
    at: &Path,
    problems: &mut Problems,
) -> Vec<Download> {
    let (url, hash) = match architecture {
        Architecture::Amd64 => ("urlAmd64", "hashAmd64"),
        Architecture::Arm64 => ("urlArm64", "hashArm64"),
    };
    let mut downloads = Vec::new();
    let places = [
        (&settings["packages"], at.key("packages"), true),
        (&settings["runc"]["packages"], at.key("runc").key("packages"), false),
    ];
    for (packages, at, archive) in places {
        let (Some(url), hash) = (text(packages, url, &at, problems), text(packages, hash, &at, problems))
        else {
            continue;
        };
        let Some(sha256) = hash.filter(|it| it.len() == 64 && it.bytes().all(|it| it.is_ascii_hexdigit()))
        else {
            problems.error(at, format!("{url} has no SHA-256"), "specify its hash for this architecture");
            continue;
        };
        let place = if archive { "/usr/local" } else { "/usr/local/sbin/runc" };
        downloads.push(Download {
            url: url.to_owned(),
            sha256: sha256.to_lowercase(),
            path: place.to_owned(),
            mode: None,
            archive: archive.then_some(kops_node::bundle::Archive { strip: 0 }),
        });
    }
    downloads
}

/// Fields that require more than configuration, and unknown ones.
fn check(settings: &Value, at: &Path, problems: &mut Problems) {
    const READ: [&str; 15] = [
        "address",
        "configAdditions",
        "configOverride",
        "installCriCtl",
        "logLevel",
        "nri",
        "packages",
        "registryMirrors",
        "root",
        "runc",
        "sandboxImage",
        "selinuxEnabled",
        "skipInstall",
        "state",
        "version",
    ];
    for (field, value) in settings.as_object().into_iter().flatten() {
        let here = at.key(field);
        match field.as_str() {
            "installCriCtl" if *value == true => problems.warn(
                here,
                "it has no effect: crictl comes with kubeadm's packages",
                "remove it",
            ),
            "runc" if !value["version"].is_null() && value["packages"].is_null() => problems.warn(
                here.key("version"),
                "it has no effect: runc comes with containerd's package",
                "specify runc.packages, or remove it",
            ),
            it if READ.contains(&it) => {}
            "nvidiaGPU" | "gvisor" if value["enabled"] != true => {}
            "useECRCredentialsForMirrors" if *value == false => {}
            // The permissions are those of the machines' role.
            "useECRCredentialsForMirrors" => problems.warn(
                here,
                "machines on AWS may pull through the account's registry, but kops does not install the program that \
                 gets the credentials",
                "install it with packages, fileAssets and hooks",
            ),
            "nvidiaGPU" | "gvisor" | "installNerdCtl" => {
                problems.warn(
                    here,
                    format!("it has no effect: {NOT_INSTALLED}"),
                    "install it with packages, fileAssets and hooks",
                );
            }
            "registryMirrorAuths" => problems.error(
                here,
                "registry credentials do not belong in a specification",
                "create the secret dockerconfig",
            ),
            _ => problems.warn(here, "unknown field: it has no effect", "remove it, or correct its name"),
        }
    }
}

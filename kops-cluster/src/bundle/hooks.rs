//! Units that users run on their machines.

use kops_node::bundle::Hook;
use serde_json::Value;

use super::Told;
use super::cluster::{BundleCluster, flag, text, texts};
use super::roles;
use crate::spec::{InstanceGroup, Opaque, Path, Problems};

/// A machine's hooks: a group's hook replaces the cluster's hook of the same name.
pub(super) fn render(cluster: &BundleCluster<'_>, group: &InstanceGroup, told: &mut Told) -> Vec<Hook> {
    let own = read(group.spec.hooks.as_ref(), group, "kops-group-hook", &mut told.group);
    let mut hooks = read(cluster.cluster.spec.hooks.as_ref(), group, "kops-hook", &mut told.cluster);
    hooks.retain(|hook| !own.iter().any(|it| it.name == hook.name));
    hooks.extend(own);
    hooks
}

fn read(hooks: Option<&Opaque>, group: &InstanceGroup, prefix: &str, problems: &mut Problems) -> Vec<Hook> {
    let at = Path::of("spec.hooks");
    let Some(Opaque(value)) = hooks else { return Vec::new() };
    let Some(items) = value.as_array() else {
        problems.error(at, "is not a list", "use a list of hooks");
        return Vec::new();
    };
    let mut rendered = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let here = at.index(number);
        if !item.is_object() {
            problems.error(
                here,
                format!("{item} is not a hook"),
                "use a mapping with manifest or execContainer",
            );
            continue;
        }
        if !roles::has(item, group, &here, problems) {
            continue;
        }
        let name = match text(item, "name", &here, problems) {
            Some(name) if name.contains(['/', ' ']) => {
                problems.error(
                    here.key("name"),
                    format!("{name:?} is not a valid unit name"),
                    "use a name such as tune.service",
                );
                continue;
            }
            // A name with a suffix is the unit's full name: `logrotate.timer`.
            Some(name) if name.contains('.') => name.to_owned(),
            Some(name) => format!("{name}.service"),
            None => format!("{prefix}-{number}.service"),
        };
        let disabled = flag(item, "enabled", &here, problems) == Some(false)
            || flag(item, "disabled", &here, problems) == Some(true);
        if let Some(text) = unit(item, &name, &here, problems) {
            rendered.push(Hook { name, text, disabled });
        } else if disabled {
            // How kOps disables a unit of the image: a hook with only its name.
            rendered.push(Hook { name, text: String::new(), disabled });
        } else if item["manifest"].is_null() && item["execContainer"].is_null() {
            problems.warn(here, "it has no effect", "specify manifest or execContainer, or remove the hook");
        }
    }
    rendered
}

fn unit(item: &Value, name: &str, at: &Path, problems: &mut Problems) -> Option<String> {
    let requires = texts(item, "requires", at, problems);
    let before = texts(item, "before", at, problems);
    let manifest = text(item, "manifest", at, problems);
    let container = &item["execContainer"];
    let body = match (manifest, container.is_null()) {
        (Some(_), false) => {
            problems.error(
                at.clone(),
                "manifest and execContainer are mutually exclusive",
                "remove one of them",
            );
            return None;
        }
        (Some(manifest), true) if flag(item, "useRawManifest", at, problems) == Some(true) => {
            return Some(with_newline(manifest));
        }
        (Some(manifest), true) => manifest.to_owned(),
        (None, false) => container_body(container, name, &at.key("execContainer"), problems)?,
        (None, true) => return None,
    };
    let list = |key: &str, all: &[String]| all.iter().map(|it| format!("{key}={it}\n")).collect::<String>();
    let after = list("After", &requires);
    Some(format!(
        "[Unit]\nDescription={name}\n{}{after}{}[Service]\n{}[Install]\nWantedBy=multi-user.target\n",
        list("Requires", &requires),
        list("Before", &before),
        with_newline(&body),
    ))
}

/// A container that runs once, with the machine's root at `/rootfs`.
fn container_body(container: &Value, name: &str, at: &Path, problems: &mut Problems) -> Option<String> {
    let Some(image) = text(container, "image", at, problems) else {
        problems.error(at.key("image"), "is required", "specify the image to run");
        return None;
    };
    let image = full_name(image);
    let command = texts(container, "command", at, problems);
    let mounts = [("/", "/rootfs"), ("/var/run/dbus", "/var/run/dbus"), ("/run/systemd", "/run/systemd")]
        .map(|(from, to)| format!("--mount type=bind,src={from},dst={to},options=rbind:rw"))
        .join(" ");
    let environment = container["environment"].as_object().into_iter().flatten();
    let environment: String = environment
        .filter_map(|(key, value)| Some(format!(" --env {}", word(&format!("{key}={}", value.as_str()?)))))
        .collect();
    let command: String = command.iter().map(|it| format!(" {}", word(it))).collect();
    let id = name.trim_end_matches(".service");
    Some(format!(
        "Type=oneshot\nRemainAfterExit=yes\nExecStartPre=/usr/bin/env ctr -n k8s.io images pull {image}\n\
         ExecStart=/usr/bin/env ctr -n k8s.io run --rm --net-host --privileged {mounts}{environment} {image} {id}{command}\n"
    ))
}

/// An image with its registry and tag, which containerd requires.
fn full_name(image: &str) -> String {
    let path = if image.contains('/') { image.to_owned() } else { format!("docker.io/library/{image}") };
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { path } else { format!("{path}:latest") }
}

/// A word of a unit's command line.
fn word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

fn with_newline(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

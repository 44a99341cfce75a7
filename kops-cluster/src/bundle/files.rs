//! Files that users put on their machines.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use kops_node::bundle::{Content, File};
use serde_json::Value;

use super::Told;
use super::cluster::{BundleCluster, flag, settings, text};
use super::roles;
use crate::spec::{InstanceGroup, Opaque, Path, Problems};

/// The directory of files without a path, as in kOps.
const DIRECTORY: &str = "/srv/kubernetes/assets";

/// A machine's files: its group's, then the cluster's with other paths.
pub(super) fn render(cluster: &BundleCluster<'_>, group: &InstanceGroup, told: &mut Told) -> Vec<File> {
    let mut files = read(group.spec.file_assets.as_ref(), group, &mut told.group);
    for file in read(cluster.cluster.spec.file_assets.as_ref(), group, &mut told.cluster) {
        if !files.iter().any(|it| it.path == file.path) {
            files.push(file);
        }
    }
    files
}

/// The content of one of the cluster's files, for a component whose configuration must contain it.
pub(super) fn content_of(cluster: &BundleCluster<'_>, path: &str) -> Option<String> {
    let assets = settings(cluster.cluster.spec.file_assets.as_ref());
    let file = assets.as_array()?.iter().find(|it| place(it).as_deref() == Some(path))?;
    let content = file["content"].as_str()?;
    if file["isBase64"] == true { String::from_utf8(decode(content)?).ok() } else { Some(content.to_owned()) }
}

fn read(assets: Option<&Opaque>, group: &InstanceGroup, problems: &mut Problems) -> Vec<File> {
    let at = Path::of("spec.fileAssets");
    let Some(Opaque(value)) = assets else { return Vec::new() };
    let Some(items) = value.as_array() else {
        problems.error(at, "is not a list", "use a list of files");
        return Vec::new();
    };
    let mut files = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let here = at.index(number);
        if roles::has(item, group, &here, problems)
            && let Some(file) = one(item, &here, problems)
        {
            files.push(file);
        }
    }
    files
}

fn place(item: &Value) -> Option<String> {
    match (
        item["path"].as_str().filter(|it| !it.is_empty()),
        item["name"].as_str().filter(|it| !it.is_empty()),
    ) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Some(name)) => Some(format!("{DIRECTORY}/{name}")),
        (None, None) => None,
    }
}

fn one(item: &Value, at: &Path, problems: &mut Problems) -> Option<File> {
    let Some(path) = place(item) else {
        problems.error(at.key("name"), "is required", "name the file, or specify its path");
        return None;
    };
    if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
        problems.error(
            at.key("path"),
            format!("{path:?} is not an absolute path"),
            "use a path such as /etc/app.conf",
        );
        return None;
    }
    let content = text(item, "content", at, problems).unwrap_or_default();
    let content = if flag(item, "isBase64", at, problems) == Some(true) {
        let Some(bytes) = decode(content) else {
            problems.error(at.key("content"), "is not base64", "encode it, or remove isBase64");
            return None;
        };
        Content::Base64(STANDARD.encode(bytes))
    } else {
        Content::Text(content.to_owned())
    };
    let mode = text(item, "mode", at, problems).unwrap_or("0440");
    if u32::from_str_radix(mode, 8).is_err() {
        problems.error(at.key("mode"), format!("{mode:?} is not an octal mode"), "use a mode such as 0440");
        return None;
    }
    Some(File { path, content, mode: Some(mode.to_owned()), owner: None })
}

/// kOps reads base64 without padding; padding does not change the content.
fn decode(text: &str) -> Option<Vec<u8>> {
    let plain: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD_NO_PAD.decode(plain.trim_end_matches('=')).ok()
}

//! Multipart user data, in kOps' layout.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::text::Text;
use crate::spec::{Path, Problems, UserData};

/// The MIME types that cloud-init reads and kOps allows.
const KINDS: &[&str] = &[
    "text/x-include-once-url",
    "text/x-include-url",
    "text/cloud-config-archive",
    "text/upstart-job",
    "text/cloud-config",
    "text/part-handler",
    "text/x-shellscript",
    "text/cloud-boothook",
];

/// Appends the lists of a user's cloud-config to those of kops instead of replacing them.
const MERGE: &str = "Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n";

/// The line length of base64: RFC 2045, section 6.8.
const WIDTH: usize = 76;

/// Appends further parts to a script in ASCII. `compressed` parts are gzipped if cloud-init can determine
/// their type from their content.
pub(super) fn multipart(
    script: Option<Text>,
    more: &[UserData],
    compressed: bool,
    problems: &mut Problems,
) -> Text {
    let boundary = boundary(more);
    let mut text = Text::default();
    text.push(&format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n"));
    if let Some(script) = script {
        text.push(&header(&boundary, "kops.sh", "text/x-shellscript", "7bit"));
        text.push("\n");
        text.append(script);
        text.push("\n");
    }
    for (at, part) in more.iter().enumerate() {
        check(part, &Path::of("spec.additionalUserData").index(at), problems);
        if compressed && tells_its_type(part) {
            text.push(&header(&boundary, &part.name, "application/gzip", "base64"));
            text.push("\n");
            text.push_secret(&wrapped(&gzip(part.content.as_bytes())));
            text.push("\n");
            continue;
        }
        let encoding = if part.content.is_ascii() { "7bit" } else { "base64" };
        text.push(&header(&boundary, &part.name, &part.r#type, encoding));
        if part.r#type == "text/cloud-config" {
            text.push(MERGE);
        }
        text.push("\n");
        if part.content.is_ascii() {
            text.push_secret(&part.content);
        } else {
            text.push_secret(&wrapped(part.content.as_bytes()));
        }
        text.push("\n");
    }
    text.push(&format!("--{boundary}--\n"));
    text
}

fn header(boundary: &str, name: &str, kind: &str, encoding: &str) -> String {
    format!(
        "--{boundary}\nContent-Disposition: attachment; filename=\"{name}\"\n\
         Content-Transfer-Encoding: {encoding}\nContent-Type: {kind}\nMime-Version: 1.0\n"
    )
}

/// kOps' boundary, extended if a part contains it.
fn boundary(parts: &[UserData]) -> String {
    let mut boundary = "MIMEBOUNDARY".to_owned();
    while parts.iter().any(|part| part.content.contains(&boundary)) {
        boundary.push('X');
    }
    boundary
}

/// Whether cloud-init determines the type of a part from the beginning of its content, as it does after
/// decompression (`cloudinit/handlers/__init__.py`, `INCLUSION_TYPES_MAP`).
fn tells_its_type(part: &UserData) -> bool {
    let beginning = match part.r#type.as_str() {
        "text/x-include-once-url" => "#include-once",
        "text/x-include-url" => "#include",
        "text/cloud-config-archive" => "#cloud-config-archive",
        "text/cloud-config" => "#cloud-config",
        "text/part-handler" => "#part-handler",
        "text/x-shellscript" => "#!",
        "text/cloud-boothook" => "#cloud-boothook",
        _ => return false,
    };
    part.content.starts_with(beginning)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    // No time and no name in the header, so that the same content results in the same user data.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a vector does not fail.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
}

fn wrapped(content: &[u8]) -> String {
    let encoded = STANDARD.encode(content);
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / WIDTH + 1);
    for (at, c) in encoded.chars().enumerate() {
        if at > 0 && at % WIDTH == 0 {
            lines.push('\n');
        }
        lines.push(c);
    }
    lines
}

fn check(part: &UserData, path: &Path, problems: &mut Problems) {
    if !KINDS.contains(&part.r#type.as_str()) {
        problems.error(
            path.key("type"),
            format!("{:?} is not a user data type", part.r#type),
            format!("use one of {}", KINDS.join(", ")),
        );
    }
    let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    if part.name.is_empty() || !part.name.chars().all(plain) {
        problems.error(
            path.key("name"),
            format!("{:?} is not a valid file name", part.name),
            "use letters, digits, dots and dashes",
        );
    }
}

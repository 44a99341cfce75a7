//! Multipart user data, in kOps' layout.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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

/// Appends the lists of a user's cloud-config to ours instead of replacing them.
const MERGE: &str = "Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n";

/// The line length of base64: RFC 2045, section 6.8.
const WIDTH: usize = 76;

/// Appends further parts to the first, which is a cloud-config in ASCII.
pub(super) fn multipart(first: Option<(&str, Text)>, more: &[UserData], problems: &mut Problems) -> Text {
    let boundary = boundary(more);
    let mut text = Text::default();
    text.push(&format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n"));
    if let Some((name, content)) = first {
        text.push(&header(&boundary, name, "text/cloud-config", "7bit"));
        text.push("\n");
        text.append(content);
        text.push("\n");
    }
    for (at, part) in more.iter().enumerate() {
        check(part, &Path::of("spec.additionalUserData").index(at), problems);
        let encoding = if part.content.is_ascii() { "7bit" } else { "base64" };
        text.push(&header(&boundary, &part.name, &part.r#type, encoding));
        if part.r#type == "text/cloud-config" {
            text.push(MERGE);
        }
        text.push("\n");
        if part.content.is_ascii() {
            text.push_secret(&part.content);
        } else {
            text.push_secret(&wrapped(&part.content));
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

fn wrapped(content: &str) -> String {
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

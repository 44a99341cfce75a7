//! Files whose content is in the bundle.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Host;
use crate::bundle::{Content, File};
use crate::error::{Error, Result};

pub(super) fn write(host: &dyn Host, file: &File) -> Result<bool> {
    let wrong = |why: String| Error::invalid(format!("writing {}", file.path), why);
    let content = match &file.content {
        Content::Text(text) => text.clone().into_bytes(),
        Content::Base64(text) => STANDARD.decode(text).map_err(|e| wrong(e.to_string()))?,
    };
    let mode = file.mode().ok_or_else(|| wrong("its mode is not octal".to_owned()))?;
    let changed = host.write(&file.path, &content, mode)?;
    if let Some(owner) = &file.owner
        && changed
    {
        host.must(["chown", owner, &host.path(&file.path).to_string_lossy()])?;
    }
    Ok(changed)
}

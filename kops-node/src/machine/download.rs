//! Files that are downloaded and verified.

use std::fs::{self, File};
use std::io;

use super::{Host, WORK};
use crate::bundle::Download;
use crate::error::{Error, Result};
use crate::hash::sha256_of;
use crate::http::{Http, Request};

/// The timeout of a download: 200 MB at 1 MB/s.
const TIMEOUT: std::time::Duration = std::time::Duration::from_mins(4);

/// Downloads a file unless this machine has it already, verifies its hash before it is used, and moves it
/// into place.
pub(super) fn fetch(host: &dyn Host, http: &Http, download: &Download) -> Result<()> {
    let done = format!("{WORK}/downloads/{}", download.sha256);
    if host.read(&done)?.is_some_and(|it| it == download.path.as_bytes())
        && host.path(&download.path).exists()
    {
        return Ok(());
    }
    let partial = format!("{WORK}/downloads/partial");
    host.make_directory(&format!("{WORK}/downloads"), 0o755)?;
    let doing = format!("fetching {}", download.url);
    let failed = |e: io::Error| Error::failed(&doing, e.to_string());
    let mut into = File::create(host.path(&partial)).map_err(failed)?;
    let request = Request::new("GET", &download.url).timeout(TIMEOUT);
    http.download(&request, &mut |body| io::copy(body, &mut into).map(drop).map_err(failed))?;
    let mut file = File::open(host.path(&partial)).map_err(failed)?;
    let hash = sha256_of(&mut file).map_err(failed)?;
    if !hash.eq_ignore_ascii_case(&download.sha256) {
        host.remove(&partial)?;
        let why = format!("its SHA-256 is {hash}, not {}: it was not used", download.sha256);
        return Err(Error::invalid(&doing, why));
    }
    if let Some(archive) = &download.archive {
        host.make_directory(&download.path, 0o755)?;
        let (from, to) = (host.path(&partial), host.path(&download.path));
        let strip = format!("--strip-components={}", archive.strip);
        let words =
            ["tar", "-xzf", &from.to_string_lossy(), "-C", &to.to_string_lossy(), "--no-same-owner", &strip];
        host.must(words)?;
        host.remove(&partial)?;
    } else {
        let mode = download.mode.as_deref().and_then(|it| u32::from_str_radix(it, 8).ok()).unwrap_or(0o755);
        let place = host.path(&download.path);
        let set = || {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(host.path(&partial), fs::Permissions::from_mode(mode))?;
            fs::create_dir_all(place.parent().unwrap_or(&place))
        };
        set().map_err(failed)?;
        host.rename(&partial, &download.path)?;
    }
    host.write(&done, download.path.as_bytes(), 0o644)?;
    Ok(())
}

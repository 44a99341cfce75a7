//! `kops export kubeconfig`.

use std::fs;
use std::io::{ErrorKind as IoKind, Write as _};
use std::path::{Path, PathBuf};

use kops_cluster::ClusterFiles;
use kops_cluster::kubeconfig::{Kubeconfig, KubeconfigEntry};
use kops_cluster::registry::ClusterStore;
use kops_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

use super::access;
use crate::cli::{AccessFlags, ExportKubeconfig};
use crate::state::State;
use crate::{environment, output};

/// Writes how to reach clusters to a kubeconfig.
pub(super) async fn kubeconfig(state: &State, arguments: &ExportKubeconfig) -> Result<()> {
    let names = if arguments.all {
        state.registry().list().await?.into_iter().map(|listed| listed.name).collect()
    } else {
        vec![state.cluster_name(arguments.cluster.as_deref())?]
    };
    for name in &names {
        let store = state.registry().cluster(name)?;
        let files = ClusterFiles::from(state.read(&store).await?);
        write_entry(state, &store, &files, &arguments.access, arguments.kubeconfig.as_deref()).await?;
    }
    if names.is_empty() {
        output::note(format_args!("No clusters found in {}.", state.store().location()));
    }
    Ok(())
}

/// Writes the entry of a cluster to a kubeconfig, and reports it.
pub(super) async fn write_entry(
    state: &State,
    store: &ClusterStore,
    files: &ClusterFiles,
    flags: &AccessFlags,
    path: Option<&Path>,
) -> Result<()> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => environment::kubeconfig().ok_or_else(|| {
            Error::invalid("there is no home directory for a kubeconfig")
                .with_hint("use --kubeconfig or set KUBECONFIG")
        })?,
    };
    let entry = access::entry(state, store, files, flags).await?;
    let mut kubeconfig = read(&path)?.unwrap_or_default();
    kubeconfig.set(&entry);
    write(&path, &kubeconfig)?;
    tell(&entry, &path);
    Ok(())
}

fn tell(entry: &KubeconfigEntry, path: &Path) {
    output::note(format_args!("kops has set your kubectl context to {} in {}.", entry.name, path.display()));
    match &entry.credentials {
        Some(keypair) => {
            output::note(format_args!(
                "The credentials are valid until {}.",
                keypair.certificate().not_after()
            ));
        }
        None if entry.user.is_none() => {
            output::note(
                "Warning: no credentials were written; use --admin to create some, or --user for those of a user",
            );
        }
        None => {}
    }
}

/// Reads a kubeconfig, if the file exists.
pub(super) fn read(path: &Path) -> Result<Option<Kubeconfig>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "read", &error)),
    };
    let kubeconfig = Kubeconfig::parse(&text).map_err(|error| {
        let named = Error::new(error.kind(), format!("{}: {}", path.display(), error.message()));
        named.with_hint("correct the file, or use another one with --kubeconfig")
    })?;
    Ok(Some(kubeconfig))
}

/// Replaces the file at once: a reader gets the old one or the new one, and only its owner gets any.
fn write(path: &Path, kubeconfig: &Kubeconfig) -> Result<()> {
    // A link stays one.
    let path: PathBuf = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = (|| {
        fs::create_dir_all(directory)?;
        let mut file = NamedTempFile::new_in(directory)?; // mode 0600
        file.write_all(kubeconfig.to_yaml().map_err(std::io::Error::other)?.as_bytes())?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    })();
    written.map_err(|error: std::io::Error| failed(&path, "written", &error))
}

fn failed(path: &Path, verb: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{} cannot be {verb}: {error}", path.display()))
        .with_hint("use another file with --kubeconfig")
}

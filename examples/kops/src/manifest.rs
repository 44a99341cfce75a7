//! Files with specifications.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use kops_cluster::{AnyObject, Manifest, ManifestDocument, Mode, write_manifest};
use kops_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::cli::ManifestFormat;
use crate::output;

/// An object, and the file that contains it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) document: ManifestDocument,
}

/// Reads files, with `-` for standard input; problems of all files are reported at once.
pub(crate) fn read(files: &[PathBuf]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        match read_file(file) {
            Ok(found) => sources.extend(found),
            Err(error) => errors.push(error),
        }
    }
    match errors.len() {
        0 => Ok(sources),
        1 => Err(errors.remove(0)),
        _ => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(Error::new(errors[0].kind(), lines.join("\n")))
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<Source>> {
    let file = name(path);
    let text = text(path)?;
    parse(&text, &file)
}

/// Parses a text.
pub(crate) fn parse(text: &str, file: &str) -> Result<Vec<Source>> {
    let named = |error: Error| {
        let named = Error::new(error.kind(), format!("{file}: {}", error.message()));
        match error.hint() {
            Some(advice) => named.with_hint(advice),
            None => named,
        }
    };
    let manifest = Manifest::read(text, Mode::Strict).map_err(named)?;
    let warnings = manifest.problems.into_result().map_err(named)?;
    output::warn(&warnings);
    let source = |document| Source { file: file.to_owned(), document };
    Ok(manifest.documents.into_iter().map(source).collect())
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn text(path: &Path) -> Result<String> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Error::new(kind, format!("{} cannot be read: {error}", name(path)))
            .with_hint("use a file of YAML documents, or - for standard input")
    })
}

/// The objects of files by cluster, each cluster's in the order of the files.
pub(crate) fn by_cluster(
    sources: Vec<Source>,
    fallback: Option<&str>,
) -> Result<BTreeMap<String, Vec<Source>>> {
    let clusters: Vec<String> = sources
        .iter()
        .filter(|source| matches!(source.document.object, AnyObject::Cluster(_)))
        .map(|source| source.document.object.name().to_owned())
        .collect();
    // An object without a cluster belongs to the only cluster, if there is exactly one.
    let only = match clusters.as_slice() {
        [only] => Some(only.as_str()),
        [] => fallback,
        _ => None,
    };
    let mut found: BTreeMap<String, Vec<Source>> = BTreeMap::new();
    for source in sources {
        let object = &source.document.object;
        let cluster = match object {
            AnyObject::Cluster(cluster) => cluster.name().to_owned(),
            other => other.metadata().cluster().or(only).map(str::to_owned).ok_or_else(|| {
                Error::invalid(format!("{}: {} does not specify its cluster", source.file, object.title()))
                    .with_hint("set the label kops.k8s.io/cluster, or use --name")
            })?,
        };
        found.entry(cluster).or_default().push(source);
    }
    Ok(found)
}

/// Prints objects in a form that can be read again.
pub(crate) fn print(objects: &[AnyObject], format: ManifestFormat, single: bool) -> Result<()> {
    match format {
        ManifestFormat::Yaml => output::print(write_manifest(objects)?),
        ManifestFormat::Json => {
            let mut documents = objects.iter().map(AnyObject::to_document).collect::<Result<Vec<_>>>()?;
            match (single, documents.len()) {
                (true, 1) => output::print_json(&documents.remove(0)),
                _ => output::print_json(&Value::Array(documents)),
            }
        }
    }
}

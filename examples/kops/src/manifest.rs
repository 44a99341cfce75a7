//! Files with specifications.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use kops_cluster::{
    AdditionalObject, AnyObject, Manifest, ManifestDocument, Mode, Problem, ProblemKind, write_manifest,
};
use kops_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::cli::ManifestFormat;
use crate::output;

/// An object, and the file that contains it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) document: ManifestDocument,
    /// Fields that are not known. They are errors, unless the store has them already.
    pub(crate) unknown: Vec<Problem>,
}

/// An object of Kubernetes, and the file that contains it.
#[derive(Clone, Debug)]
pub(crate) struct Additional {
    pub(crate) file: String,
    pub(crate) object: AdditionalObject,
}

/// What files contain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) sources: Vec<Source>,
    pub(crate) additional: Vec<Additional>,
}

/// Reads files, with `-` for standard input; problems of all files are reported at once.
pub(crate) fn read(files: &[PathBuf]) -> Result<Given> {
    let mut given = Given::default();
    let mut errors = Vec::new();
    for file in files {
        match text(file).and_then(|text| parse(&text, &name(file))) {
            Ok(found) => {
                given.sources.extend(found.sources);
                given.additional.extend(found.additional);
            }
            Err(error) => errors.push(error),
        }
    }
    match errors.len() {
        0 => Ok(given),
        1 => Err(errors.remove(0)),
        _ => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(Error::new(errors[0].kind(), lines.join("\n")))
        }
    }
}

/// Parses a text.
pub(crate) fn parse(text: &str, file: &str) -> Result<Given> {
    let named = |error: Error| {
        let named = Error::new(error.kind(), format!("{file}: {}", error.message()));
        match error.hint() {
            Some(advice) => named.with_hint(advice),
            None => named,
        }
    };
    let manifest = Manifest::read(text, Mode::Strict).map_err(named)?;
    let is_unknown = |problem: &&Problem| problem.kind == ProblemKind::UnknownField;
    let unknown: Vec<Problem> = manifest.problems.errors().filter(is_unknown).cloned().collect();
    // Unknown fields alone are left for later: what the store holds already is no typing error.
    if manifest.problems.errors().count() > unknown.len() {
        return Err(named(manifest.problems.into()));
    }
    output::warn(manifest.problems.warnings());
    let source = |document: ManifestDocument| {
        // Two objects of one title cannot both be written, so that it does not matter which of them has the field.
        let title = document.object.title();
        let unknown = unknown.iter().filter(|problem| problem.object == title).cloned().collect();
        Source { file: file.to_owned(), document, unknown }
    };
    let additional = |object| Additional { file: file.to_owned(), object };
    Ok(Given {
        sources: manifest.documents.into_iter().map(source).collect(),
        additional: manifest.additional.into_iter().map(additional).collect(),
    })
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// The text of a file, with `-` for standard input.
pub(crate) fn text(path: &Path) -> Result<String> {
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
            .with_hint("use a file, or - for standard input")
    })
}

/// What files contain, by cluster, each cluster's in the order of the files.
pub(crate) fn by_cluster(given: Given, fallback: Option<&str>) -> Result<BTreeMap<String, Given>> {
    let clusters: Vec<String> = given
        .sources
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
    let of = |label: Option<&str>, file: &str, title: String| {
        label.or(only).map(str::to_owned).ok_or_else(|| {
            Error::invalid(format!("{file}: {title} does not specify its cluster"))
                .with_hint("set the label kops.k8s.io/cluster, or use --name")
        })
    };
    let mut found: BTreeMap<String, Given> = BTreeMap::new();
    for source in given.sources {
        let object = &source.document.object;
        let cluster = match object {
            AnyObject::Cluster(cluster) => cluster.name().to_owned(),
            other => of(other.metadata().cluster(), &source.file, object.title())?,
        };
        found.entry(cluster).or_default().sources.push(source);
    }
    for additional in given.additional {
        let object = &additional.object;
        let cluster = of(object.cluster(), &additional.file, object.title())?;
        found.entry(cluster).or_default().additional.push(additional);
    }
    Ok(found)
}

/// Prints objects in a form that can be read again.
pub(crate) fn print(
    objects: &[AnyObject],
    additional: &[AdditionalObject],
    format: ManifestFormat,
    single: bool,
) -> Result<()> {
    match format {
        ManifestFormat::Yaml if additional.is_empty() => output::print(write_manifest(objects)?),
        ManifestFormat::Yaml => output::print(format!(
            "{}\n---\n\n{}",
            write_manifest(objects)?,
            AdditionalObject::write_all(additional)?
        )),
        ManifestFormat::Json => {
            let mut documents = objects.iter().map(AnyObject::to_document).collect::<Result<Vec<_>>>()?;
            documents.extend(additional.iter().map(|object| object.document().clone()));
            match (single, documents.len()) {
                (true, 1) => output::print_json(&documents.remove(0)),
                _ => output::print_json(&Value::Array(documents)),
            }
        }
    }
}

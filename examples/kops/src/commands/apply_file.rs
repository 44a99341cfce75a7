//! `kops create -f`, `kops replace -f` and `kops delete -f`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kops_cluster::registry::{ClusterState, ClusterStore, Versioned};
use kops_cluster::{AnyObject, ClusterFiles};
use kops_core::{Error, ErrorKind, Result};

use super::edit::unknown_group;
use super::{delete_cluster, delete_group};
use crate::cli::{Consent, Manifest};
use crate::manifest::{self, Additional, Given, Source};
use crate::output;
use crate::specification::{self, check_change};
use crate::state::State;

/// How existing and missing objects are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// All objects must be new.
    Create,
    /// All objects must exist.
    Replace,
    /// Objects may exist or not.
    Put,
}

/// Writes specifications from files that the state store does not contain yet.
pub(super) async fn create(state: &State, files: &[PathBuf]) -> Result<()> {
    Box::pin(write(state, files, Mode::Create)).await
}

/// Replaces specifications in the state store with those from files.
pub(super) async fn replace(state: &State, arguments: &Manifest) -> Result<()> {
    let mode = if arguments.force { Mode::Put } else { Mode::Replace };
    Box::pin(write(state, &arguments.files, mode)).await
}

/// Deletes what files specify, like the commands for single objects. Everything is checked before the first deletion.
pub(super) async fn delete(state: &State, files: &[PathBuf], consent: Consent) -> Result<()> {
    let clusters = by_cluster(state, files)?;
    for (name, given) in &clusters {
        check_deletion(state, name, given).await?;
    }
    for (name, given) in clusters {
        // Deleting the cluster deletes everything that belongs to it.
        if brings_cluster(&given.sources) {
            delete_cluster::delete(state, &name, consent).await?;
            continue;
        }
        for source in given.sources {
            match source.document.object {
                AnyObject::InstanceGroup(group) => {
                    delete_group::delete(state, &name, group.name(), consent).await?;
                }
                AnyObject::SshCredential(key) if consent.yes => {
                    let store = state.registry().cluster(&name)?;
                    store.delete_ssh_key(&key.spec.public_key).await?;
                    output::print(format!("Deleted the SSH key of cluster {name} from the state store."))?;
                }
                AnyObject::SshCredential(_) => {
                    output::print(format!(
                        "The SSH key of cluster {name} would be deleted; run again with --yes."
                    ))?;
                }
                other => return Err(unserved(&source.file, &other)),
            }
        }
        delete_additional(state, &name, &given.additional, consent).await?;
    }
    Ok(())
}

/// Rejects deleting what does not exist or cannot be deleted.
async fn check_deletion(state: &State, name: &str, given: &Given) -> Result<()> {
    let store = state.registry().cluster(name)?;
    if brings_cluster(&given.sources) {
        // It may be gone already: deleting it finds out, and completes an earlier deletion.
        return Ok(());
    }
    let files = ClusterFiles::from(state.read(&store).await?);
    for source in &given.sources {
        match &source.document.object {
            AnyObject::InstanceGroup(group) => {
                if !files.instance_groups.iter().any(|other| other.name() == group.name()) {
                    return Err(unknown_group(&store, &files, group.name()));
                }
            }
            AnyObject::SshCredential(key) => key.validate().into_result().map(drop)?,
            other => return Err(unserved(&source.file, other)),
        }
    }
    for Additional { file, object } in &given.additional {
        if !files.additional_objects.iter().any(|other| other.is_same(object)) {
            let message = format!("{file}: {} is not kept with cluster {name}", object.title());
            return Err(Error::not_found(message).with_hint("nothing was deleted; remove it from the file"));
        }
    }
    Ok(())
}

/// Deletes objects of Kubernetes from those that are kept with a cluster.
async fn delete_additional(state: &State, name: &str, given: &[Additional], consent: Consent) -> Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let titles: Vec<String> = given.iter().map(|additional| additional.object.title()).collect();
    let titles = titles.join(", ");
    if !consent.yes {
        return output::print(format!(
            "{titles} would be deleted from what is kept with cluster {name}; run again with --yes."
        ));
    }
    let store = state.registry().cluster(name)?;
    let stored = state.read(&store).await?;
    let mut left = stored.additional.objects.clone();
    left.retain(|object| !given.iter().any(|additional| additional.object.is_same(object)));
    store.update_additional(&stored.additional, &left).await?;
    output::print(format!("Deleted {titles} from what is kept with cluster {name}."))
}

fn by_cluster(state: &State, files: &[PathBuf]) -> Result<BTreeMap<String, Given>> {
    manifest::by_cluster(manifest::read(files)?, state.cluster_name(None).ok().as_deref())
}

async fn write(state: &State, files: &[PathBuf], mode: Mode) -> Result<()> {
    // Everything is validated before anything is written.
    let mut changes = Vec::new();
    for (name, given) in by_cluster(state, files)? {
        changes.push(Change::prepare(state, state.registry().cluster(&name)?, given, mode).await?);
    }
    let mut written = Vec::new();
    for change in changes {
        let name = change.store.name().to_owned();
        change.write().await.map_err(|error| incomplete(error, &name, &written))?;
        written.push(name);
    }
    Ok(())
}

/// The error of a cluster that could not be written, with what has been written before it, and how to go on.
fn incomplete(error: Error, name: &str, written: &[String]) -> Error {
    if written.is_empty() {
        return error;
    }
    let message =
        format!("cluster {name}: {}; {} had been written before", error.message(), written.join(", "));
    let hint = error.hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
    Error::new(error.kind(), message).with_hint(format!("{hint}complete it with `kops replace --force -f`"))
}

/// What is to be written about one cluster.
struct Change {
    store: ClusterStore,
    before: Option<ClusterState>,
    after: ClusterFiles,
    /// The objects of the files, and whether each replaces an existing one.
    titles: Vec<(String, bool)>,
}

impl Change {
    async fn prepare(state: &State, store: ClusterStore, mut given: Given, mode: Mode) -> Result<Self> {
        let before = match state.read(&store).await {
            Ok(before) => Some(before),
            Err(error) if error.kind() == ErrorKind::NotFound && brings_cluster(&given.sources) => None,
            Err(error) => return Err(error),
        };
        let known = before.clone().map(ClusterFiles::from);
        let mut files = known.clone();
        // Objects of a cluster are added to it.
        given.sources.sort_by_key(|source| !matches!(source.document.object, AnyObject::Cluster(_)));
        reject_twins(&given)?;
        for source in &given.sources {
            check_mode(&source.file, &source.document.object, before.as_ref(), mode, &store)?;
            put(&mut files, source)?;
        }
        // If there is no cluster, reading it has failed already.
        let mut after = files.ok_or_else(|| Error::internal("nothing says what cluster is to be written"))?;
        let title = |source: &Source| {
            let object = &source.document.object;
            (object.title(), is_there(before.as_ref(), object))
        };
        let mut titles: Vec<(String, bool)> = given.sources.iter().map(title).collect();
        for Additional { file, object } in &given.additional {
            let exists = after.additional_objects.iter().any(|other| other.is_same(object));
            check_exists(file, &object.title(), exists, mode, &store)?;
            titles.push((object.title(), exists));
            after.put_additional(object.clone());
        }
        check_change(known.as_ref(), &after, &given)?;
        Ok(Self { store, before, after, titles })
    }

    /// Writes the objects, as one operation.
    async fn write(self) -> Result<()> {
        let Self { store, before, after, titles } = self;
        match before {
            Some(before) => store.replace_all(&before, &after).await?,
            None => store.create_all(&after).await?,
        };
        for (title, existed) in titles {
            let verb = if existed { "Replaced" } else { "Created" };
            output::print(format!("{verb} {title} in {}.", store.config_base()))?;
        }
        output::print(format!("Apply it with:  kops update cluster {} --yes", store.name()))
    }
}

fn brings_cluster(sources: &[Source]) -> bool {
    sources.iter().any(|source| matches!(source.document.object, AnyObject::Cluster(_)))
}

/// Whether an object replaces an existing one.
fn is_there(before: Option<&ClusterState>, object: &AnyObject) -> bool {
    before.is_some_and(|before| match object {
        AnyObject::Cluster(_) => true,
        AnyObject::InstanceGroup(group) => {
            before.instance_groups.iter().any(|base| base.name() == group.name())
        }
        // Machines accept one key: the new one replaces the previous ones.
        AnyObject::SshCredential(key) => {
            let key = key.spec.public_key.trim();
            before.ssh_keys.iter().any(|other| other.spec.public_key.trim() != key)
        }
        AnyObject::Keyset(_) => false,
    })
}

/// Rejects creating an existing object, and replacing one that is missing or newer than the file.
fn check_mode(
    file: &str,
    object: &AnyObject,
    before: Option<&ClusterState>,
    mode: Mode,
    store: &ClusterStore,
) -> Result<()> {
    let stored = match object {
        AnyObject::Cluster(_) => before.map(|before| before.cluster.generation()),
        AnyObject::InstanceGroup(group) => before.and_then(|before| {
            let mut groups = before.instance_groups.iter();
            groups.find(|base| base.name() == group.name()).map(Versioned::generation)
        }),
        AnyObject::SshCredential(_) => match mode {
            Mode::Create => before.filter(|before| !before.ssh_keys.is_empty()).map(|_| 0),
            Mode::Replace | Mode::Put => return Ok(()),
        },
        AnyObject::Keyset(_) => return Err(unserved(file, object)),
    };
    let title = object.title();
    check_exists(file, &title, stored.is_some(), mode, store)?;
    match (mode, stored) {
        (Mode::Replace | Mode::Put, Some(stored)) => {
            // A text that came from the store contains the generation that it is based on.
            match object.metadata().generation {
                Some(generation) if generation != stored => Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "{file}: {title} was changed in the meantime: the file is based on generation {generation}, \
                         but {} has generation {stored}",
                        store.config_base()
                    ),
                )
                .with_hint("nothing was written; get it again and retry the change, or remove metadata.generation from the file to overwrite the other change")),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Rejects creating what exists, and replacing what does not.
fn check_exists(file: &str, title: &str, exists: bool, mode: Mode, store: &ClusterStore) -> Result<()> {
    match (mode, exists) {
        (Mode::Create, true) => Err(Error::new(
            ErrorKind::AlreadyExists,
            format!("{file}: {title} already exists in {}", store.config_base()),
        )
        .with_hint("nothing was written; use `kops replace -f` to update it")),
        (Mode::Replace, false) => {
            Err(Error::not_found(format!("{file}: {title} does not exist in {}", store.config_base()))
                .with_hint("nothing was written; use `kops create -f`, or `kops replace --force -f`"))
        }
        _ => Ok(()),
    }
}

/// Rejects two documents of one object: which of them is meant is not known.
fn reject_twins(given: &Given) -> Result<()> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for source in &given.sources {
        let title = source.document.object.title();
        if let Some(other) = seen.insert(title.clone(), &source.file) {
            return Err(twins(other, &source.file, &title));
        }
    }
    for (at, Additional { file, object }) in given.additional.iter().enumerate() {
        if let Some(other) = given.additional[..at].iter().find(|other| other.object.is_same(object)) {
            return Err(twins(&other.file, file, &object.title()));
        }
    }
    Ok(())
}

fn twins(one: &str, other: &str, title: &str) -> Error {
    let files = if one == other { one.to_owned() } else { format!("{one} and {other}") };
    Error::invalid(format!("{files}: {title} is there twice"))
        .with_hint("nothing was written; keep one of the documents")
}

/// Adds an object to the resulting specification.
fn put(files: &mut Option<ClusterFiles>, source: &Source) -> Result<()> {
    match (&source.document.object, files.as_mut()) {
        (AnyObject::Cluster(cluster), Some(files)) => files.cluster = (**cluster).clone(),
        (AnyObject::Cluster(cluster), None) => {
            *files = Some(ClusterFiles::new((**cluster).clone(), [], []));
        }
        (AnyObject::InstanceGroup(group), Some(files)) => specification::put(files, (**group).clone()),
        (AnyObject::SshCredential(key), Some(files)) => files.ssh_keys = vec![(**key).clone()],
        // There is no cluster: reading it has failed already.
        (AnyObject::InstanceGroup(_) | AnyObject::SshCredential(_), None) => {}
        (other @ AnyObject::Keyset(_), _) => return Err(unserved(&source.file, other)),
    }
    Ok(())
}

fn unserved(file: &str, object: &AnyObject) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{file}: {} cannot be written from a file", object.title()))
        .with_hint("use documents of kind Cluster, InstanceGroup or SSHCredential")
}

//! `kops create -f`, `kops replace -f` and `kops delete -f`.

use std::path::PathBuf;

use kops_cluster::registry::{ClusterState, ClusterStore, Versioned};
use kops_cluster::{AnyObject, ClusterFiles};
use kops_core::{Error, ErrorKind, Result};

use super::{delete_cluster, delete_group};
use crate::cli::{Consent, Manifest};
use crate::manifest::{self, Source};
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
    write(state, files, Mode::Create).await
}

/// Replaces specifications in the state store with those from files.
pub(super) async fn replace(state: &State, arguments: &Manifest) -> Result<()> {
    write(state, &arguments.files, if arguments.force { Mode::Put } else { Mode::Replace }).await
}

/// Deletes what files specify, like the commands for single objects.
pub(super) async fn delete(state: &State, files: &[PathBuf], consent: Consent) -> Result<()> {
    for (name, sources) in by_cluster(state, files)? {
        // Deleting the cluster deletes everything that belongs to it.
        if sources.iter().any(|source| matches!(source.document.object, AnyObject::Cluster(_))) {
            delete_cluster::delete(state, &name, consent).await?;
            continue;
        }
        for source in sources {
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
    }
    Ok(())
}

fn by_cluster(state: &State, files: &[PathBuf]) -> Result<std::collections::BTreeMap<String, Vec<Source>>> {
    manifest::by_cluster(manifest::read(files)?, state.cluster_name(None).ok().as_deref())
}

async fn write(state: &State, files: &[PathBuf], mode: Mode) -> Result<()> {
    // Everything is validated before anything is written.
    let mut changes = Vec::new();
    for (name, sources) in by_cluster(state, files)? {
        changes.push(Change::prepare(state, state.registry().cluster(&name)?, sources, mode).await?);
    }
    for change in changes {
        change.write().await?;
    }
    Ok(())
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
    async fn prepare(
        state: &State,
        store: ClusterStore,
        mut sources: Vec<Source>,
        mode: Mode,
    ) -> Result<Self> {
        let before = match state.read(&store).await {
            Ok(before) => Some(before),
            Err(error) if error.kind() == ErrorKind::NotFound && brings_cluster(&sources) => None,
            Err(error) => return Err(error),
        };
        let known = before.clone().map(ClusterFiles::from);
        let mut files = known.clone();
        // Objects of a cluster are added to it.
        sources.sort_by_key(|source| !matches!(source.document.object, AnyObject::Cluster(_)));
        for source in &sources {
            check_mode(&source.file, &source.document.object, before.as_ref(), mode, &store)?;
            put(&mut files, source)?;
        }
        // If there is no cluster, reading it has failed already.
        let after = files.ok_or_else(|| Error::internal("nothing says what cluster is to be written"))?;
        check_change(known.as_ref(), &after, &sources)?;
        let title = |source: &Source| {
            let object = &source.document.object;
            (object.title(), is_there(before.as_ref(), object))
        };
        let titles = sources.iter().map(title).collect();
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
    match (mode, stored) {
        (Mode::Create, Some(_)) => Err(Error::new(
            ErrorKind::AlreadyExists,
            format!("{file}: {title} already exists in {}", store.config_base()),
        )
        .with_hint("nothing was written; use `kops replace -f` to update it")),
        (Mode::Replace, None) => {
            Err(Error::not_found(format!("{file}: {title} does not exist in {}", store.config_base()))
                .with_hint("nothing was written; use `kops create -f`, or `kops replace --force -f`"))
        }
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

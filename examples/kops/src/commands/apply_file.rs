//! `kops create -f`, `kops replace -f` and `kops delete -f`.

use std::path::PathBuf;

use kops_cluster::registry::{ClusterState, ClusterStore, Versioned};
use kops_cluster::{AnyObject, ClusterFiles, SshCredential};
use kops_core::{Error, ErrorKind, Result};

use super::{delete_cluster, delete_group};
use crate::cli::{Consent, Manifest};
use crate::manifest::{self, Source};
use crate::output;
use crate::specification::{self, check_change};
use crate::state::State;

/// What to do about objects that are there, or are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// All are new.
    Create,
    /// All are there.
    Replace,
    /// Either.
    Put,
}

/// Writes what files specify and the state store does not have yet.
pub(super) async fn create(state: &State, files: &[PathBuf]) -> Result<()> {
    write(state, files, Mode::Create).await
}

/// Writes what files specify in the place of what the state store has.
pub(super) async fn replace(state: &State, arguments: &Manifest) -> Result<()> {
    write(state, &arguments.files, if arguments.force { Mode::Put } else { Mode::Replace }).await
}

/// Deletes what files name, as the verbs for single objects do.
pub(super) async fn delete(state: &State, files: &[PathBuf], consent: Consent) -> Result<()> {
    for (name, sources) in by_cluster(state, files)? {
        // With the cluster goes all that belongs to it.
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
    // Everything is checked before anything is written.
    let mut changes = Vec::new();
    for (name, sources) in by_cluster(state, files)? {
        changes.push(Change::prepare(state.registry().cluster(&name)?, sources, mode).await?);
    }
    for change in changes {
        change.write().await?;
    }
    Ok(())
}

/// What shall be written about one cluster.
struct Change {
    store: ClusterStore,
    before: Option<ClusterState>,
    after: Vec<AnyObject>,
}

impl Change {
    async fn prepare(store: ClusterStore, mut sources: Vec<Source>, mode: Mode) -> Result<Self> {
        let before = match store.read().await {
            Ok(before) => Some(before),
            Err(error) if error.kind() == ErrorKind::NotFound && brings_cluster(&sources) => None,
            Err(error) => return Err(error),
        };
        let known = before.clone().map(ClusterFiles::from);
        let mut files = known.clone();
        // What belongs to a cluster is put into it.
        sources.sort_by_key(|source| !matches!(source.document.object, AnyObject::Cluster(_)));
        for source in &sources {
            check_mode(&source.file, &source.document.object, before.as_ref(), mode, &store)?;
            put(&mut files, source)?;
        }
        if let Some(files) = files {
            check_change(known.as_ref(), &files, &sources)?;
        }
        Ok(Self { store, before, after: sources.into_iter().map(|source| source.document.object).collect() })
    }

    /// Writes it; the cluster first, since it is what makes the others known.
    async fn write(self) -> Result<()> {
        let Self { store, before, after } = self;
        for object in after {
            let title = object.title();
            let existed = write_object(&store, before.as_ref(), object).await?;
            let verb = if existed { "Replaced" } else { "Created" };
            output::print(format!("{verb} {title} in {}.", store.config_base()))?;
        }
        output::print(format!("Apply it with:  kops update cluster {} --yes", store.name()))
    }
}

fn brings_cluster(sources: &[Source]) -> bool {
    sources.iter().any(|source| matches!(source.document.object, AnyObject::Cluster(_)))
}

/// Writes an object; says whether there was one in its place.
async fn write_object(
    store: &ClusterStore,
    before: Option<&ClusterState>,
    object: AnyObject,
) -> Result<bool> {
    match object {
        AnyObject::Cluster(cluster) => match before {
            Some(before) => store.update(&before.cluster, &cluster).await.map(|_| true),
            None => store.create(&cluster).await.map(|_| false),
        },
        AnyObject::InstanceGroup(group) => {
            let base = before.and_then(|before| {
                before.instance_groups.iter().find(|base| base.object.name() == group.name())
            });
            match base {
                Some(base) => store.update_instance_group(base, &group).await.map(|_| true),
                None => store.create_instance_group(&group).await.map(|_| false),
            }
        }
        AnyObject::SshCredential(key) => {
            let key = key.spec.public_key.trim();
            store.add_ssh_key(key).await?;
            // Machines take one key: the new one is in the place of those before it.
            let others = before.map(|before| before.ssh_keys.as_slice()).unwrap_or_default();
            let others: Vec<&SshCredential> =
                others.iter().filter(|other| other.spec.public_key.trim() != key).collect();
            for other in &others {
                store.delete_ssh_key(&other.spec.public_key).await?;
            }
            Ok(!others.is_empty())
        }
        AnyObject::Keyset(_) => Err(unserved("the file", &object)),
    }
}

/// Refuses to create what is there, and to replace what is not, or is newer than the file.
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
            groups.find(|base| base.object.name() == group.name()).map(Versioned::generation)
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
            format!("{file}: {title} is in {} already", store.config_base()),
        )
        .with_hint("nothing was written; use `kops replace -f` to change what is there")),
        (Mode::Replace, None) => {
            Err(Error::not_found(format!("{file}: {title} is not in {}", store.config_base()))
                .with_hint("nothing was written; use `kops create -f`, or `kops replace --force -f`"))
        }
        (Mode::Replace | Mode::Put, Some(stored)) => {
            // A text that was got from the store says which state it was made from.
            match object.metadata().generation {
                Some(generation) if generation != stored => Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "{file}: {title} was changed by somebody else: the file is made from generation {generation}, \
                         and {} has generation {stored}",
                        store.config_base()
                    ),
                )
                .with_hint("nothing was written; get it again and repeat the change, or take metadata.generation out of the file to overwrite the other change")),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Puts an object into the specification that will be.
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
        .with_hint("give documents of kind Cluster, InstanceGroup or SSHCredential")
}

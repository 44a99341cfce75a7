//! `kops get`.

use std::collections::BTreeSet;

use kops_cluster::{AdditionalObject, AnyObject, Cluster, ClusterFiles, InstanceGroup, populate};
use kops_core::{Error, Result};

use super::edit::unknown_group;
use super::{instances, keypairs, secrets};
use crate::cli::{Get, GetClusters, GetFormat, GetGroups, GetWhat, ManifestFormat};
use crate::output::Table;
use crate::specification::warn_of;
use crate::state::State;
use crate::{manifest, output};

/// Shows what is requested.
pub(super) async fn get(state: &State, arguments: Get) -> Result<()> {
    let format = arguments.format.output;
    match arguments.what {
        Some(GetWhat::Clusters(arguments)) => clusters(state, &arguments, format).await,
        Some(GetWhat::InstanceGroups(arguments)) => groups(state, &arguments, format).await,
        Some(GetWhat::Instances(arguments)) => {
            instances::get(state, arguments.cluster.as_deref(), format).await
        }
        Some(GetWhat::Keypairs(arguments)) => keypairs::get(state, &arguments, format).await,
        Some(GetWhat::Secrets(arguments)) => secrets::get(state, &arguments, format).await,
        Some(GetWhat::All(arguments)) => all(state, arguments.cluster.as_deref(), format).await,
        None => all(state, None, format).await,
    }
}

async fn clusters(state: &State, arguments: &GetClusters, format: GetFormat) -> Result<()> {
    // A cluster named by --name counts as requested.
    let mut names = arguments.names.clone();
    if names.is_empty() {
        names.extend(state.cluster_name(None).ok());
    }
    let mut clusters = Vec::new();
    if names.is_empty() {
        for listed in state.registry().list().await? {
            match listed.cluster {
                Ok(stored) => {
                    output::warn(&stored.warnings);
                    clusters.push(stored.into_inner());
                }
                // A cluster that cannot be read does not hide the others.
                Err(error) => output::note(format_args!("Warning: {error}")),
            }
        }
    } else {
        for name in &names {
            let store = state.registry().cluster(name)?;
            if arguments.full {
                clusters.push(state.read(&store).await?.cluster.into_inner());
            } else {
                clusters.push(store.cluster().await?.into_inner());
            }
        }
    }
    if arguments.full {
        clusters = clusters.iter().map(|cluster| populate(cluster, &[]).0).collect();
    }
    let single = names.len() == 1;
    match document_format(format) {
        Some(format) => {
            let objects: Vec<AnyObject> = clusters.into_iter().map(AnyObject::from).collect();
            manifest::print(&objects, &[], format, single)
        }
        None if clusters.is_empty() => {
            output::note(format_args!("No clusters found in {}.", state.store().location()));
            Ok(())
        }
        None => output::print(cluster_table(&clusters).to_string()),
    }
}

async fn groups(state: &State, arguments: &GetGroups, format: GetFormat) -> Result<()> {
    let store = state.cluster(None)?;
    let stored = state.read(&store).await?;
    warn_of(&stored);
    let files = ClusterFiles::from(stored);
    let mut groups = files.instance_groups.clone();
    for name in &arguments.groups {
        if !groups.iter().any(|group| group.name() == name) {
            return Err(unknown_group(&store, &files, name));
        }
    }
    if !arguments.groups.is_empty() {
        groups.retain(|group| arguments.groups.iter().any(|name| group.name() == name));
    }
    match document_format(format) {
        Some(format) => {
            let objects: Vec<AnyObject> = groups.into_iter().map(AnyObject::from).collect();
            manifest::print(&objects, &[], format, arguments.groups.len() == 1)
        }
        None => output::print(group_table(&files.cluster, &groups).to_string()),
    }
}

async fn all(state: &State, name: Option<&str>, format: GetFormat) -> Result<()> {
    let stored = state.cluster(name)?.read().await?;
    warn_of(&stored);
    let files = ClusterFiles::from(stored);
    let (cluster, groups, additional) = (files.cluster, files.instance_groups, files.additional_objects);
    if let Some(format) = document_format(format) {
        let groups = groups.into_iter().map(AnyObject::from);
        let objects: Vec<AnyObject> = std::iter::once(AnyObject::from(cluster)).chain(groups).collect();
        return manifest::print(&objects, &additional, format, false);
    }
    let clusters = cluster_table(std::slice::from_ref(&cluster));
    let mut text = format!("Cluster\n{clusters}\nInstance Groups\n{}", group_table(&cluster, &groups));
    if !additional.is_empty() {
        text += "\nAdditional Objects\n";
        text += &additional_table(&additional).to_string();
    }
    output::print(text)
}

/// The format of documents; `None` for a table.
fn document_format(format: GetFormat) -> Option<ManifestFormat> {
    match format {
        GetFormat::Table => None,
        GetFormat::Yaml => Some(ManifestFormat::Yaml),
        GetFormat::Json => Some(ManifestFormat::Json),
    }
}

fn cluster_table(clusters: &[Cluster]) -> Table {
    let mut table = Table::new(&["NAME", "CLOUD", "ZONES"]);
    for cluster in clusters {
        let cloud = cluster.spec.cloud_provider.as_ref().map_or("", |cloud| cloud.name());
        let subnets = &cluster.spec.networking.subnets;
        let zones: BTreeSet<&str> = subnets.iter().filter_map(|subnet| subnet.zone.as_deref()).collect();
        let zones: Vec<&str> = zones.into_iter().collect();
        table.row([cluster.name().to_owned(), cloud.to_owned(), zones.join(",")]);
    }
    table
}

fn group_table(cluster: &Cluster, groups: &[InstanceGroup]) -> Table {
    let mut table = Table::new(&["NAME", "ROLE", "MACHINETYPE", "MIN", "MAX", "ZONES"]);
    for group in groups {
        table.row([
            group.name().to_owned(),
            group.role().as_str().to_owned(),
            group.spec.machine_type.clone().unwrap_or_default(),
            group.spec.min_size.map(|size| size.to_string()).unwrap_or_default(),
            group.spec.max_size.map(|size| size.to_string()).unwrap_or_default(),
            zones(cluster, group).join(","),
        ]);
    }
    table
}

fn additional_table(objects: &[AdditionalObject]) -> Table {
    let mut table = Table::new(&["KIND", "NAMESPACE", "NAME"]);
    for object in objects {
        table.row([object.kind(), object.namespace(), object.name()].map(str::to_owned));
    }
    table
}

/// The zones of a group: its own if it has any, otherwise those of its subnets.
fn zones(cluster: &Cluster, group: &InstanceGroup) -> Vec<String> {
    if !group.spec.zones.is_empty() {
        return group.spec.zones.clone();
    }
    let subnets = &cluster.spec.networking.subnets;
    let of = |name: &String| subnets.iter().find(|subnet| subnet.name == *name)?.zone.clone();
    let zones: BTreeSet<String> = group.spec.subnets.iter().filter_map(of).collect();
    zones.into_iter().collect()
}

/// The error of a cloud that does not support listing machines.
pub(super) fn no_machines(cloud: &str) -> Error {
    Error::new(kops_core::ErrorKind::Unsupported, format!("listing machines is not supported on {cloud}"))
        .with_hint("use the cloud's own tools")
}

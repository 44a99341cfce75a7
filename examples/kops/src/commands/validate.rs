//! `kops validate cluster`.

use std::path::Path;

use jiff::SignedDuration;
use kops_cluster::health::{Health, Validator, WaitOptions};
use kops_cluster::kube::client::KubeClient;
use kops_cluster::kubeconfig::Kubeconfig;
use kops_cluster::registry::ClusterStore;
use kops_cluster::{ClusterFiles, InstanceGroup};
use kops_core::{Error, Result};

use super::{Outcome, access, export};
use crate::cli::{AccessFlags, GetFormat, ValidateCluster};
use crate::output::Table;
use crate::state::State;
use crate::{cloud, output};

/// How long credentials are valid that are created for the check, beyond its own time.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// Checks whether a cluster is healthy.
pub(super) async fn validate(state: &State, arguments: &ValidateCluster) -> Result<Outcome> {
    let store = state.cluster(arguments.cluster.as_deref())?;
    let files = ClusterFiles::from(state.read(&store).await?);
    let cloud = cloud::open(&files.cluster, state).await?;
    let kubeconfig = match &arguments.kubeconfig {
        Some(path) => existing(path, files.cluster.name())?,
        None => own(state, &store, &files, arguments).await?,
    };
    let kube = KubeClient::new(&kubeconfig)?;
    let wait = WaitOptions::at_most(arguments.wait.unsigned_abs())
        .interval(arguments.interval.unsigned_abs())
        .count(arguments.count);
    if arguments.output == GetFormat::Table {
        output::print(format!("Validating cluster {}\n", store.name()))?;
    }
    let mut last = None;
    let health = Validator::new(&files, &store, &*cloud, &kube)
        .wait(wait, |result| {
            // On the way only what changed is worth a line.
            let told = progress(result);
            if last.as_ref() != Some(&told) && !arguments.wait.is_zero() {
                output::note(&told);
                last = Some(told);
            }
        })
        .await?;
    show(&files, &health, arguments.output)?;
    Ok(if health.is_healthy() { Outcome::Done } else { Outcome::Pending })
}

/// The context of the cluster's name, or the current one, of a kubeconfig that is there.
fn existing(path: &Path, cluster: &str) -> Result<Kubeconfig> {
    let mut kubeconfig = export::read(path)?
        .ok_or_else(|| Error::not_found(format!("there is no file {}", path.display())))?;
    kubeconfig.use_context(cluster)?;
    kubeconfig.resolve(path.parent().unwrap_or(Path::new(".")));
    Ok(kubeconfig)
}

/// Credentials for the check alone, which no file gets.
async fn own(
    state: &State,
    store: &ClusterStore,
    files: &ClusterFiles,
    arguments: &ValidateCluster,
) -> Result<Kubeconfig> {
    let flags = AccessFlags {
        admin: Some(arguments.wait.saturating_add(LIFETIME)),
        user: None,
        internal: arguments.internal,
        api_server: arguments.api_server.clone(),
    };
    let mut kubeconfig = Kubeconfig::default();
    kubeconfig.set(&access::entry(state, store, files, &flags).await?);
    Ok(kubeconfig)
}

fn progress(result: &Result<Health>) -> String {
    match result {
        Ok(health) if health.is_healthy() => "the cluster is healthy".to_owned(),
        Ok(health) => {
            let first = &health.failures[0];
            let more = match health.failures.len() {
                1 => String::new(),
                many => format!(" (and {} more)", many - 1),
            };
            format!("not healthy yet: {} {}: {}{more}", first.kind, first.name, first.message)
        }
        Err(error) => format!("cannot check now: {error}"),
    }
}

fn show(files: &ClusterFiles, health: &Health, format: GetFormat) -> Result<()> {
    let document = || {
        serde_json::to_value(health)
            .map_err(|error| Error::internal("the result cannot be serialised").with_source(error))
    };
    match format {
        GetFormat::Json => output::print_json(&document()?),
        GetFormat::Yaml => output::print_yaml(&document()?),
        GetFormat::Table => output::print(text(files, health)),
    }
}

/// The result as kOps prints it.
fn text(files: &ClusterFiles, health: &Health) -> String {
    let mut groups = Table::new(&["NAME", "ROLE", "MACHINETYPE", "MIN", "MAX", "SUBNETS"]);
    for group in &files.instance_groups {
        groups.row(row(group));
    }
    let mut nodes = Table::new(&["NAME", "ROLE", "READY"]);
    for node in &health.nodes {
        nodes.row([node.name.clone(), node.role.clone(), node.status.clone()]);
    }
    let mut text = format!("INSTANCE GROUPS\n{groups}\nNODE STATUS\n{nodes}");
    if health.is_healthy() {
        return format!("{text}\nYour cluster {} is ready\n", files.cluster.name());
    }
    let mut failures = Table::new(&["KIND", "NAME", "MESSAGE"]);
    for failure in &health.failures {
        failures.row([failure.kind.to_owned(), failure.name.clone(), failure.message.clone()]);
    }
    text = format!("{text}\nVALIDATION ERRORS\n{failures}\nValidation Failed\n");
    text
}

fn row(group: &InstanceGroup) -> [String; 6] {
    let number = |it: Option<i32>| it.map(|it| it.to_string()).unwrap_or_default();
    [
        group.name().to_owned(),
        group.role().as_str().to_owned(),
        group.spec.machine_type.clone().unwrap_or_default(),
        number(group.spec.min_size),
        number(group.spec.max_size),
        group.spec.subnets.join(","),
    ]
}

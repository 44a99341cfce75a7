//! How a cluster's API is reached, and with which credentials.

use kops_cluster::kubeconfig::{ApiAddress, KubeconfigEntry, Server};
use kops_cluster::pki::{Client, KUBERNETES_CA};
use kops_cluster::registry::ClusterStore;
use kops_cluster::{Cluster, ClusterFiles};
use kops_core::clock::{Clock as _, SystemClock};
use kops_core::resource::LoadBalancer;
use kops_core::{Error, Result};

use crate::cli::AccessFlags;
use crate::environment;
use crate::state::State;
use crate::target::Target;

/// The group whose members may do anything, whatever roles say.
const ADMINISTRATORS: &str = "system:masters";

/// The entry of a cluster in a kubeconfig.
pub(super) async fn entry(
    state: &State,
    store: &ClusterStore,
    files: &ClusterFiles,
    flags: &AccessFlags,
) -> Result<KubeconfigEntry> {
    let cluster = &files.cluster;
    let authority = store.keyset(KUBERNETES_CA).await?;
    let host = match &flags.api_server {
        Some(given) => given.trim_start_matches("https://").trim_end_matches('/').to_owned(),
        None => host(state, store, files, flags.internal).await?,
    };
    let server = Server::at(cluster, &host, flags.admin.is_some());
    let mut entry = KubeconfigEntry::new(cluster.name(), server.url);
    entry.authorities = server.own_authority.then(|| authority.bundle());
    entry.tls_server_name = server.tls_server_name;
    entry.user.clone_from(&flags.user);
    if let Some(lifetime) = flags.admin {
        let user = environment::user().map_or_else(|| "kubecfg".to_owned(), |user| format!("kubecfg-{user}"));
        let client = Client::new(user).group(ADMINISTRATORS).lifetime(lifetime.unsigned_abs());
        entry.credentials = Some(authority.primary().sign(&client, SystemClock::new().now())?);
    }
    Ok(entry)
}

/// The host of the API; the cloud is asked only if the specification does not say it.
async fn host(state: &State, store: &ClusterStore, files: &ClusterFiles, internal: bool) -> Result<String> {
    let balancer = match ApiAddress::of(&files.cluster, internal)? {
        ApiAddress::Name(name) => return Ok(name),
        ApiAddress::Balancer(balancer) => balancer,
    };
    let target = Target::infrastructure(files, state, store).await?;
    let outputs = target.engine.outputs(&target.graph).await?;
    outputs.get(&balancer, LoadBalancer::DNS_NAME)?.ok_or_else(|| not_applied(&files.cluster))
}

fn not_applied(cluster: &Cluster) -> Error {
    let name = cluster.name();
    Error::not_found(format!("the load balancer of the API of {name} does not exist yet"))
        .with_hint(format!("create it with `kops update cluster {name} --yes`"))
}

//! `kops create cluster`.

use std::collections::BTreeMap;
use std::fs;
use std::str::FromStr;

use kops_cluster::bootstrap::NodeProgram;
use kops_cluster::registry::ClusterStore;
use kops_cluster::{
    AccessSource, AnyObject, ApiObject, CloudProvider, Cluster, ClusterFiles, NewCluster, Problems,
    SshCredential, SubnetSpec, new_cluster, set, unset,
};
use kops_core::clock::{Clock as _, SystemClock};
use kops_core::store::Operation;
use kops_core::{Error, ErrorKind, Result};

use super::update::{finish, show_text};
use crate::cli::{Changes, CreateCluster, Global};
use crate::manifest::Given;
use crate::operation::{self, operate};
use crate::specification::check_change;
use crate::state::State;
use crate::target::{Purpose, Target};
use crate::{cloud, environment, manifest, node_program, output};

/// Prints the specification for the flags.
pub(super) fn print(global: &Global, arguments: &CreateCluster) -> Result<()> {
    let named = arguments.cluster.clone().or_else(|| global.name.clone());
    let name = named.or_else(environment::cluster_name).unwrap_or_default();
    let base = global.state.as_ref().map(|url| format!("{}/{name}", url.trim_end_matches('/')));
    let files = make(&options(&name, base, arguments)?, arguments)?;
    let groups = files.instance_groups.into_iter().map(AnyObject::from);
    let keys = files.ssh_keys.into_iter().map(AnyObject::from);
    let objects: Vec<AnyObject> = std::iter::once(files.cluster.into()).chain(groups).chain(keys).collect();
    manifest::print(&objects, &[], arguments.output.unwrap_or_default(), false)
}

/// Creates a cluster: plans it, writes its specification, and applies the plan if requested.
///
/// The plan comes first: a specification that the cloud does not support is not written.
pub(super) async fn create(state: &State, arguments: &CreateCluster) -> Result<()> {
    let name = state.cluster_name(arguments.cluster.as_deref())?;
    let store = state.registry().cluster(&name)?;
    let mut options = options(&name, Some(store.config_base()), arguments)?;
    refuse_roles_of_service_accounts(&options)?;
    look_up_network(&mut options, arguments, state).await?;
    let mut files = make(&options, arguments)?;
    // It is part of the scope, so it must be set before planning.
    files.cluster.metadata.creation_timestamp = Some(now());
    let program = node_program::read(&arguments.machines)?;
    if arguments.consent.yes {
        let patience = arguments.consent.patience();
        let work = |operation| apply(operation, state, &store, program, &files);
        return operate(&store, "create cluster", patience, work).await;
    }
    refuse_existing(&store).await?;
    let target = Target::of_new(&files, state, &store, program, Purpose::Show).await?;
    let plan = target.engine.plan(&target.graph).await?;
    show_text(&plan, false, true)?;
    store.create_all(&files).await?;
    output::print(format!(
        "\nThe specification of {name} has been written to {base}; nothing has been created in the cloud yet.\n\
         Change it with:  kops edit cluster {name}   or   kops edit ig --name {name} {group}\n\
         Apply it with:   kops update cluster {name} --yes",
        base = store.config_base(),
        group = files.instance_groups.last().map_or("NAME", |group| group.name()),
    ))
}

async fn apply(
    operation: Operation,
    state: &State,
    store: &ClusterStore,
    program: NodeProgram,
    files: &ClusterFiles,
) -> Result<()> {
    refuse_existing(store).await?;
    let Target { engine, graph, needs } =
        Target::of_new(files, state, store, program, Purpose::Apply).await?;
    let plan = engine.plan_with(&graph, operation::options(&operation)).await?;
    show_text(&plan, false, true)?;
    store.create_all(files).await?;
    needs.store(store).await?;
    let report = operation::apply(&operation, &engine, &plan).await?;
    finish(store, files, report, true).await
}

async fn refuse_existing(store: &ClusterStore) -> Result<()> {
    match store.cluster().await {
        Ok(_) => Err(Error::new(
            ErrorKind::AlreadyExists,
            format!("cluster {} already exists in the state store", store.name()),
        )
        .with_hint(format!(
            "change it with `kops edit cluster {0}` and `kops update cluster {0}`, or choose another name",
            store.name()
        ))),
        // A missing store cannot be distinguished from a missing cluster here; the first write reports it.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// On AWS, an issuer that is published gives service accounts roles of their own, which nothing creates yet.
fn refuse_roles_of_service_accounts(options: &NewCluster) -> Result<()> {
    if options.discovery_store.is_none() || options.cloud != "aws" {
        return Ok(());
    }
    let message =
        "--discovery-store: roles of service accounts are not supported yet, and pods would run without them";
    Err(Error::new(ErrorKind::Unsupported, message)
        .with_hint("leave it out; --dry-run -o yaml prints the specification with it"))
}

/// Looks an existing network up whose range is not known, or whose identifier is not, but that of a subnet.
async fn look_up_network(options: &mut NewCluster, arguments: &CreateCluster, state: &State) -> Result<()> {
    let subnet = options.subnets.first().or_else(|| options.utility_subnets.first());
    let known = options.network_id.is_some() && options.network_cidr.is_some();
    let Some(id) = options.network_id.as_ref().or(subnet).filter(|_| !known).cloned() else { return Ok(()) };
    let Some(provider) = CloudProvider::by_name(&options.cloud) else { return Ok(()) };
    // All that connecting takes: the cloud with its settings, and a zone of the region.
    let mut cluster = Cluster::named(&options.name);
    cluster.spec.cloud_provider = Some(provider);
    if let Some(CloudProvider::Gce(gce)) = &mut cluster.spec.cloud_provider {
        gce.project.clone_from(&options.project);
    }
    let of_provider = arguments.provider.changes(&options.cloud)?;
    change(&mut cluster, &Changes { set: of_provider, unset: Vec::new() })?;
    let zones = options.zones.iter().cloned();
    let subnets = zones.map(|zone| SubnetSpec { zone: Some(zone), ..SubnetSpec::default() });
    cluster.spec.networking.subnets = subnets.collect();
    options.existing_network = cloud::open(&cluster, state).await?.existing_network(&id).await?;
    Ok(())
}

/// The specification for the flags.
fn make(options: &NewCluster, arguments: &CreateCluster) -> Result<ClusterFiles> {
    let name = &options.name;
    let (mut cluster, mut instance_groups) = new_cluster(options).map_err(|problems| as_flags(&problems))?;
    let (of_groups, of_cluster) = split(&arguments.changes);
    let of_provider = arguments.provider.changes(&options.cloud)?;
    change(&mut cluster, &Changes { set: of_provider, unset: Vec::new() })?;
    change(&mut cluster, &of_cluster)?;
    for group in &mut instance_groups {
        change(group, &of_groups)?;
    }
    let ssh_keys = match &arguments.ssh_public_key {
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| {
                Error::new(ErrorKind::Io, format!("--ssh-public-key {}: {error}", file.display()))
                    .with_hint("use a file such as ~/.ssh/id_ed25519.pub")
            })?;
            vec![ssh_credential(name, &text)]
        }
        None => Vec::new(),
    };
    let files = ClusterFiles::new(cluster, instance_groups, ssh_keys);
    check_change(None, &files, &Given::default())?;
    Ok(files)
}

fn ssh_credential(cluster: &str, text: &str) -> SshCredential {
    let mut credential = SshCredential::default();
    "admin".clone_into(&mut credential.metadata.name);
    let label = kops_cluster::CLUSTER_LABEL.to_owned();
    credential.metadata.labels.insert(label, cluster.to_owned());
    text.trim().clone_into(&mut credential.spec.public_key);
    credential
}

/// As in kOps, `--set` of `instancegroup.spec…` applies to every group, everything else to the cluster.
fn split(changes: &Changes) -> (Changes, Changes) {
    let of_group = |text: &&String| {
        let first = text.split(['.', '=']).next().unwrap_or_default();
        first.eq_ignore_ascii_case("instancegroup")
    };
    let part = |texts: &[String]| -> (Vec<String>, Vec<String>) {
        (
            texts.iter().filter(of_group).cloned().collect(),
            texts.iter().filter(|it| !of_group(it)).cloned().collect(),
        )
    };
    let ((set, other_set), (unset, other_unset)) = (part(&changes.set), part(&changes.unset));
    (Changes { set, unset }, Changes { set: other_set, unset: other_unset })
}

/// Applies `--set` and `--unset`.
pub(super) fn change<T: ApiObject>(object: &mut T, changes: &Changes) -> Result<()> {
    for text in &changes.set {
        let Some((path, value)) = text.split_once('=') else {
            return Err(Error::invalid(format!("--set {text}: no value"))
                .with_hint("use a form such as --set spec.kubernetesVersion=1.34.1"));
        };
        set(object, path.trim(), value)?;
    }
    changes.unset.iter().try_for_each(|path| unset(object, path.trim()))
}

fn options(name: &str, config_base: Option<String>, arguments: &CreateCluster) -> Result<NewCluster> {
    let dns = match (&arguments.dns, &arguments.dns_zone) {
        (Some(dns), _) => Some(dns.as_str()),
        (None, Some(_)) => Some("public"),
        (None, None) => None,
    };
    let mut new = NewCluster::new(name, arguments.cloud.clone().unwrap_or_default());
    new.zones.clone_from(&arguments.zones);
    new.control_plane_zones.clone_from(&arguments.control_plane_zones);
    new.control_plane_count = arguments.control_plane_count;
    new.control_plane_size.clone_from(&arguments.control_plane_size);
    new.control_plane_image.clone_from(&arguments.control_plane_image);
    new.control_plane_volume_size = arguments.control_plane_volume_size;
    new.control_plane_security_groups.clone_from(&arguments.control_plane_security_groups);
    new.node_count = arguments.node_count;
    new.node_size.clone_from(&arguments.node_size);
    new.node_image.clone_from(&arguments.node_image);
    new.node_volume_size = arguments.node_volume_size;
    new.node_security_groups.clone_from(&arguments.node_security_groups);
    new.image.clone_from(&arguments.image);
    new.bastion = arguments.bastion;
    new.api_load_balancer = word("api-loadbalancer-type", arguments.api_loadbalancer_type.as_deref())?;
    new.api_load_balancer_class =
        word("api-loadbalancer-class", arguments.api_loadbalancer_class.as_deref())?;
    new.dns_zone.clone_from(&arguments.dns_zone);
    new.network_id = arguments.network_id.clone().or_else(|| arguments.provider.os_network.clone());
    new.bastion_image.clone_from(&arguments.bastion_image);
    new.control_plane_tenancy.clone_from(&arguments.control_plane_tenancy);
    new.node_tenancy.clone_from(&arguments.node_tenancy);
    new.associate_public_ip = arguments.associate_public_ip;
    new.egress.clone_from(&arguments.egress);
    new.disable_subnet_tags = arguments.disable_subnet_tags;
    new.api_public_name.clone_from(&arguments.api_public_name);
    new.api_ssl_certificate.clone_from(&arguments.api_ssl_certificate);
    new.discovery_store.clone_from(&arguments.discovery_store);
    new.kubernetes_feature_gates.clone_from(&arguments.kubernetes_feature_gates);
    new.subnets.clone_from(&arguments.subnets);
    new.utility_subnets.clone_from(&arguments.utility_subnets);
    new.kubernetes_version.clone_from(&arguments.kubernetes_version);
    new.channel.clone_from(&arguments.channel);
    new.admin_access.clone_from(&arguments.admin_access);
    new.ssh_access.clone_from(&arguments.ssh_access);
    new.ssh_key_name.clone_from(&arguments.ssh_key_name);
    new.encrypt_etcd_storage = arguments.encrypt_etcd_storage;
    new.etcd_storage_type.clone_from(&arguments.etcd_storage_type);
    new.cloud_labels = labels(&arguments.cloud_labels)?;
    new.config_base = config_base;
    new.project.clone_from(&arguments.project);
    let cidr = |text: &String| match text.parse() {
        Ok(AccessSource::Cidr(cidr)) => Ok(cidr),
        other => {
            let fix = other.err().and_then(|error| error.hint().map(str::to_owned));
            Err(Error::invalid(format!("--network-cidr {text}: it is not a CIDR"))
                .with_hint(fix.unwrap_or_else(|| "use one such as 10.0.0.0/16".to_owned())))
        }
    };
    let mut cidrs = arguments.network_cidr.iter().map(cidr).collect::<Result<Vec<_>>>()?.into_iter();
    new.network_cidr = cidrs.next();
    new.additional_network_cidrs = cidrs.collect();
    if let Some(topology) = word("topology", Some(&arguments.topology))? {
        new.topology = topology;
    }
    if let Some(dns) = word("dns", dns)? {
        new.dns = dns;
    }
    if let Some(networking) = &arguments.networking {
        new.networking.clone_from(networking);
    }
    if !arguments.etcd_clusters.is_empty() {
        new.etcd_clusters.clone_from(&arguments.etcd_clusters);
    }
    Ok(new)
}

/// The value of a flag; kOps capitalises it in specifications, but not on the command line.
fn word<T: FromStr<Err = Error>>(flag: &str, text: Option<&str>) -> Result<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    let capital: String =
        text.chars().take(1).flat_map(char::to_uppercase).chain(text.chars().skip(1)).collect();
    match text.parse().or_else(|_: Error| capital.parse()) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let wrong = Error::invalid(format!("--{flag} {text}: {}", error.message()));
            Err(wrong.with_hint(error.hint().unwrap_or("see kops create cluster --help").to_lowercase()))
        }
    }
}

/// Labels as comma-separated values; quotes keep commas together.
fn labels(texts: &[String]) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for text in texts {
        let mut quoted = false;
        let parts = text.split(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let parts: Vec<String> = parts.map(|part| part.replace('"', "").trim().to_owned()).collect();
        if quoted {
            return Err(Error::invalid(format!("--cloud-labels {text}: a quote is not closed"))
                .with_hint("use a form such as 'owner=\"Ann, Ops\",team=a'"));
        }
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| {
                Error::invalid(format!("--cloud-labels {part}: no value"))
                    .with_hint("use key=value, and double quotes around values that contain commas")
            })?;
            labels.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    Ok(labels)
}

/// Problems of options, with the names of flags.
fn as_flags(problems: &Problems) -> Error {
    let told: Vec<String> = problems
        .errors()
        .map(|problem| match problem.path.to_string() {
            path if problem.object.is_empty() && !path.is_empty() => format!("--{problem}"),
            _ => problem.to_string(),
        })
        .collect();
    match told.as_slice() {
        [one] => Error::invalid(one.clone()),
        many => Error::invalid(format!("{} problems:\n  {}", many.len(), many.join("\n  "))),
    }
}

/// The time as Kubernetes writes it.
fn now() -> String {
    let mut text = SystemClock::new().now().to_string();
    if let Some(point) = text.find('.') {
        text.replace_range(point.., "Z");
    }
    text
}

//! Machines join the cluster by themselves: their user data is stage 0 of `kops-node`.

use kops_core::graph::{Input, Secret};
use kops_node::bundle::{BundleError, Groups};
use kops_node::stage0;

use super::text::Text;
use super::{BootCluster, BootMachine, NodeBootstrap, NodeProgram};
use super::{proxy, volumes};
use crate::bundle::{self, BundleCluster, StoreFiles, Told};
use crate::cloud::{Architecture, NodeFacts};
use crate::extensions::MachineRole;
use crate::pki::Keysets;
use crate::spec::{Cluster, InstanceGroupSpec, Path, Problems};

/// The maximum size of stage 0, in bytes: it shares the clouds' limits with what users add.
const LONGEST: usize = 5 << 10;

/// Machines join the cluster: each group's [bundle](crate::bundle) specifies its machines, and their user
/// data fetches it from the state store, with the program that applies it.
///
/// The user data holds the hashes of both and no secrets. Both files are among the graph's
/// [`StoreFiles`], to be uploaded before the plan is applied.
///
/// ```
/// use kops_cluster::bootstrap::{KopsNode, NodeProgram};
/// use kops_cluster::pki::Keysets;
/// use kops_cluster::cloud::Architecture;
///
/// let program = NodeProgram::new().with_hash(Architecture::Amd64, &"0".repeat(64))?;
/// let keysets = Keysets::new([("kubernetes-ca".to_owned(), vec!["1".to_owned()])]);
/// // Machines without internet access install packages from a mirror.
/// let bootstrap = KopsNode::new(program, keysets).packages("https://mirror.example.com/kubernetes");
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KopsNode {
    program: NodeProgram,
    keysets: Keysets,
    packages: Option<String>,
}

impl KopsNode {
    /// A bootstrap with this program, for a cluster with these keysets.
    pub fn new(program: NodeProgram, keysets: Keysets) -> Self {
        Self { program, keysets, packages: None }
    }

    /// Installs the Kubernetes packages from a mirror with the same layout as
    /// `https://pkgs.k8s.io/core:/stable:`.
    pub fn packages(mut self, url: impl Into<String>) -> Self {
        self.packages = Some(url.into());
        self
    }

    fn cluster<'a>(&'a self, cluster: &BootCluster<'a>, facts: &'a NodeFacts) -> BundleCluster<'a> {
        let all = BundleCluster::new(cluster.cluster, cluster.groups, facts, &self.keysets);
        match &self.packages {
            Some(url) => all.packages(url),
            None => all,
        }
    }

    /// The program for an architecture, as referenced by the user data.
    fn program(
        &self,
        architecture: Architecture,
        files: &mut StoreFiles,
        problems: &mut Problems,
    ) -> Option<stage0::Object> {
        let Some(binary) = self.program.binary(architecture) else {
            problems.error(
                Path::of("spec.machineType"),
                format!("its machines need the node program for {architecture}, which is not specified"),
                format!("add kops-node, built for linux/{architecture}, to the NodeProgram (--node-program)"),
            );
            return None;
        };
        let object = bundle::object(|sha256| format!("kops-node/{architecture}/{sha256}"), &binary.sha256);
        if let Some(content) = &binary.content {
            files.insert(&object.key, content.clone());
        }
        Some(object)
    }

    /// Stage 0, with the values that are not known yet between its parts.
    fn script(
        &self,
        machine: &BootMachine<'_>,
        files: &mut StoreFiles,
        problems: &mut Problems,
    ) -> Option<Text> {
        let facts = machine.of.facts.ok()?; // reported for the cluster
        let cluster = self.cluster(&machine.of, facts);
        let program = self.program(bundle::architecture(&cluster, machine.group), files, problems);
        let mut told = Told::default();
        let rendered = bundle::render(&cluster, machine.group, &mut told);
        problems.extend(told.group); // the cluster's are reported once, by `check`
        let bytes = encode(rendered.to_bytes(), problems)?;
        let role = if machine.role == MachineRole::ControlPlane { "control-plane" } else { "node" };
        let group = machine.group.name();
        let object = bundle::object(
            |sha256| format!("igconfig/{role}/{group}/{sha256}.json"),
            &bundle::sha256(&bytes),
        );
        files.insert(&object.key, bytes);
        if machine.role == MachineRole::ControlPlane {
            files.insert(Groups::KEY, encode(bundle::groups(&cluster).to_bytes(), problems)?);
        }
        let [head, tail] = stage0::parts(&facts.get, &program?, &object);
        let mut text = Text::default();
        text.push(&head);
        text.push(&proxy::lines(machine.of.cluster, &mut Problems::new()));
        if machine.endpoint.host.known() != Some(&machine.of.cluster.api_internal_name()) {
            // A host name or an address: it has no characters that are special to a shell within quotes.
            text.push("API='");
            text.push_input(&machine.endpoint.host);
            text.push("'\n");
        }
        text.append(volumes::lines(machine.volumes, &facts.volumes));
        text.push(&tail);
        if text.len() > LONGEST {
            problems.error(
                Path::root(),
                format!("the first part of its user data has {} bytes, more than {LONGEST}", text.len()),
                "shorten the URL of the state store or the egress proxy's excludes",
            );
        }
        Some(text)
    }
}

impl NodeBootstrap for KopsNode {
    fn check(&self, cluster: &BootCluster<'_>, problems: &mut Problems) {
        proxy::lines(cluster.cluster, problems);
        match cluster.facts {
            Ok(facts) => {
                if let Some((missing, fix)) = &facts.incomplete {
                    let message = format!("its machines do not form a cluster by themselves yet: {missing}");
                    problems.warn(Path::of("spec.cloudProvider"), message, fix);
                }
                bundle::check(&self.cluster(cluster, facts), problems);
            }
            Err(found) => problems.extend(found.clone()),
        }
    }

    fn user_data(
        &self,
        machine: &BootMachine<'_>,
        files: &mut StoreFiles,
        problems: &mut Problems,
    ) -> Option<Input<Secret>> {
        let spec = &machine.group.spec;
        let script = match machine.role {
            MachineRole::ControlPlane | MachineRole::Node => Some(self.script(machine, files, problems)?),
            MachineRole::Bastion => {
                idle_on_bastions(spec, problems);
                None
            }
        };
        super::with_additions(script, spec, problems)
    }

    fn answers_probes(&self, cluster: &Cluster) -> bool {
        bundle::answers_probes(cluster)
    }
}

/// A document's bytes. An error is reported, although no known input causes one.
fn encode(bytes: Result<Vec<u8>, BundleError>, problems: &mut Problems) -> Option<Vec<u8>> {
    let report = |error: BundleError| {
        problems.error(Path::root(), error.to_string(), "this is a bug in kops; please report it");
    };
    bytes.map_err(report).ok()
}

/// A bastion is a plain machine that only forwards SSH.
fn idle_on_bastions(spec: &InstanceGroupSpec, problems: &mut Problems) {
    for (field, set) in [
        ("containerd", spec.containerd.is_some()),
        ("fileAssets", spec.file_assets.is_some()),
        ("hooks", spec.hooks.is_some()),
        ("kubelet", spec.kubelet.is_some()),
        ("packages", !spec.packages.is_empty()),
        ("sysctlParameters", !spec.sysctl_parameters.is_empty()),
        ("volumeMounts", !spec.volume_mounts.is_empty()),
    ] {
        if set {
            problems.warn(
                Path::of("spec").key(field),
                "it has no effect on bastions, which boot an unmodified image",
                "remove it, or use additionalUserData",
            );
        }
    }
}

#[cfg(test)]
mod tests;

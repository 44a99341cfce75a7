//! A network for machines, and what their stage 0 reads.

use std::time::Duration;

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::graph::{GraphBuilder, Handle, Input, Part, Secret, TaskGraph};
use kops_core::resource::{Firewall, InstanceGroup, MachineOptions, Network, Subnet};
use kops_moto::{IMAGE, Moto, REGION};
use kops_node::stage0::{Get, Object, script};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::lab::{CLUSTER, ZONES};

/// How long a machine may take from its start until its user data has run, on a busy host.
pub(crate) const BOOT: Duration = Duration::from_mins(3);

/// Objects of the cluster's directory, relative to it.
pub(crate) const PROGRAM: &str = "igconfig/node/program";
pub(crate) const BUNDLE: &str = "igconfig/node/nodes/bundle.json";
pub(crate) const KEY: &str = "pki/private/kubernetes-ca/keyset.yaml";

/// What stands for the program: it tells that it has run, and with what.
const TEXT: &str = "#!/bin/sh\necho \"$1\" >/root/ran\n";

/// A network with one subnet that fits into the lab's, and a state store.
pub(crate) struct Ground {
    pub(crate) graph: GraphBuilder,
    pub(crate) network: Handle<Network>,
    pub(crate) subnet: Handle<Subnet>,
    pub(crate) firewall: Handle<Firewall>,
    pub(crate) bucket: String,
}

impl Ground {
    pub(crate) fn new(moto: &Moto) -> Self {
        let mut graph = TaskGraph::builder();
        let network = graph.add(CLUSTER, Network::new(["10.77.0.0/16".parse().unwrap()]));
        let subnet = Subnet::new(network.id(), "10.77.32.0/19".parse().unwrap()).zone(ZONES[0]);
        let subnet = graph.add(&format!("{}.{CLUSTER}", ZONES[0]), subnet);
        let firewall = Firewall::new(network.id(), "Security group for machines");
        let firewall = graph.add(&format!("machines.{CLUSTER}"), firewall);
        let bucket = moto.create_bucket("store");
        for (key, text) in [(PROGRAM, TEXT), (BUNDLE, "{}"), (KEY, "secret")] {
            let key = format!("{CLUSTER}/{key}");
            moto.boto("s3", "put_object", json!({ "Bucket": bucket, "Key": key, "Body": text }));
        }
        Self { graph, network, subnet, firewall, bucket }
    }

    /// A group of machines of a role, with stage 0 for its user data.
    pub(crate) fn group(
        &mut self,
        name: &str,
        role: MachineRole,
        size: u32,
        change: impl FnOnce(InstanceGroup) -> InstanceGroup,
    ) -> Handle<InstanceGroup> {
        let store = format!("s3://{}/{CLUSTER}", self.bucket);
        let identity = ClusterIdentity::of(role).state_store(Some(store)).identity().unwrap();
        let identity = self.graph.add(name, identity);
        let group = InstanceGroup::new([self.subnet.id()], IMAGE, "m5.large")
            .min(size)
            .max(size)
            .firewalls([self.firewall.id()])
            .identity(identity.id())
            .user_data(Input::secret([Part::Secret(Secret::new(self.stage0()))]))
            .options(MachineOptions::new().metadata_tokens_required(true).metadata_hop_limit(1));
        self.graph.add(name, change(group))
    }

    pub(crate) fn build(self) -> TaskGraph {
        self.graph.build().unwrap()
    }

    fn stage0(&self) -> String {
        let object = |key: &str, text: &str| Object { key: key.to_owned(), sha256: sha256(text) };
        let base = format!("https://{}.s3.{REGION}.amazonaws.com/{CLUSTER}", self.bucket);
        script(&Get::Aws { base, region: REGION.to_owned() }, &object(PROGRAM, TEXT), &object(BUNDLE, "{}"))
    }
}

fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// A command that reads an object of the cluster's directory as stage 0 does, and fails if it cannot.
pub(crate) fn read(bucket: &str, key: &str) -> String {
    // The function `get` is in the user data, which cloud-init keeps.
    format!(
        "sed '/^DIR=/,$d' /var/lib/cloud/instance/user-data.txt >/root/get.sh; . /root/get.sh
         BASE=https://{bucket}.s3.{REGION}.amazonaws.com/{CLUSTER}; get {key} /root/object && cat /root/object"
    )
}

//! A cloud with kinds of the tests' own, and an engine on it.

use std::sync::Arc;

use kops_core::cloud::{Mutability, Outputs, Scope};
use kops_core::graph::{At, Closed, Input, Open, Output, Resource, Secret, Setting, Stage, TaskGraph};
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, Network, RecordType};
use kops_core::store::Journal;
use kops_core::testing::{MemoryCloud, MemoryKind, World};
use kops_core::{Engine, Plan};
use serde::{Deserialize, Serialize};

/// A machine with an address that the cloud may change, and a password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Host<S: Stage = Open> {
    pub(crate) size: u32,
    pub(crate) zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<At<S, Secret>>,
    /// Not managed: the cloud chooses.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub(crate) address: Setting<String>,
}

impl Resource for Host {
    const KIND: &'static str = "Host";
    const OUTPUTS: &'static [&'static str] = &[Self::ADDRESS.name()];
    type Resolved = Host<Closed>;
}

impl Host {
    pub(crate) const ADDRESS: Output<Self, String> = Output::new("address");

    pub(crate) fn new(size: u32) -> Self {
        Self { size, zone: "a".to_owned(), password: None, address: Setting::Unmanaged }
    }
}

impl MemoryKind for Host {
    fn mutability(field: &str) -> Mutability {
        if field == "zone" { Mutability::Replace } else { Mutability::InPlace }
    }

    fn after_create(wanted: &Host<Closed>) -> Host<Closed> {
        Host { address: Setting::To("192.0.2.1".to_owned()), ..wanted.clone() }
    }

    fn merge(wanted: &mut Host<Closed>, before: &Host<Closed>) {
        if wanted.address.is_unmanaged() {
            wanted.address = before.address.clone();
        }
    }

    fn outputs(_: &World, _: u64, spec: &Host<Closed>) -> Outputs {
        let mut outputs = Outputs::default();
        if let Some(address) = spec.address.managed() {
            outputs.set(Self::ADDRESS, address.clone());
        }
        outputs
    }
}

pub(crate) fn cloud() -> MemoryCloud {
    MemoryCloud::builder().kind::<Host>().build()
}

pub(crate) fn engine(cloud: &MemoryCloud, scope: Scope) -> Engine {
    Engine::new(Arc::new(cloud.clone()), scope).journal(Arc::new(Journal::in_memory()))
}

/// Plans and applies.
pub(crate) async fn apply(engine: &Engine, graph: &TaskGraph) -> Plan {
    let plan = engine.plan(graph).await.unwrap();
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    plan
}

pub(crate) fn network() -> Network {
    Network::new(["10.0.0.0/16".parse().unwrap()])
}

/// A network and nothing else.
pub(crate) fn one_network() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("shop", network());
    graph.build().unwrap()
}

/// A host, and with `record` a record of its address.
pub(crate) fn host(host: Host, record: bool) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    let host = graph.add("web", host);
    let zone = graph.add("zone", DnsZone::new("shop.example"));
    if record {
        let address: Input<String> = host.get(Host::ADDRESS);
        let target = DnsTarget::Values([address].into());
        graph.add("www", DnsRecord::new(zone.id(), "www.shop.example", RecordType::A, target));
    }
    graph.build().unwrap()
}

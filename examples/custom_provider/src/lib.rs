//! An external provider: DNS zones as files in a directory.
//!
//! A provider has four parts, and this crate has each in a place of its own:
//!
//! 1. *Kinds*: the objects of the cloud ([`Zone`], [`Entry`], [`TransferKey`]), in `kinds.rs`.
//! 2. *Handlers*: listing, creating, updating and deleting objects of a kind, in `files.rs`.
//! 3. *Lowering*: converting agnostic kinds to the cloud's own, in `lower.rs`.
//! 4. The *cloud*, which combines them in one value: [`ZoneDirectory`], below.
//!
//! That is all: planning, ordering, retries and crash recovery are the engine's. `tests/conformance.rs`
//! checks that the provider keeps the contract, with the suite that every provider runs.
//!
//! ```
//! use std::sync::Arc;
//! use custom_provider::{Entry, Zone, ZoneDirectory};
//! use kops_core::cloud::Scope;
//! use kops_core::graph::{Setting, TaskGraph};
//! use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, RecordType};
//! use kops_core::Engine;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let directory = std::env::temp_dir().join(format!("zones-{}", std::process::id()));
//! let cloud = Arc::new(ZoneDirectory::new(&directory));
//! let engine = Engine::new(cloud, Scope::new("demo"));
//!
//! let mut graph = TaskGraph::builder();
//! let zone = graph.add("zone", DnsZone::new("example.com"));
//! let address = DnsTarget::values(["192.0.2.1"]);
//! graph.add("www", DnsRecord::new(zone.id(), "www.example.com", RecordType::A, address));
//! let graph = graph.build()?;
//!
//! engine.apply(&engine.plan(&graph).await?).await?.into_result()?;
//! assert!(engine.plan(&graph).await?.is_empty());
//! assert!(directory.join("Entry/example.com_www.example.com_A.json").exists());
//! # std::fs::remove_dir_all(&directory).unwrap();
//! # Ok::<(), kops_core::Error>(()) }).unwrap();
//! ```

mod files;
mod kinds;
mod lower;

use std::path::PathBuf;
use std::sync::Arc;

use kops_core::Result;
use kops_core::clock::{Clock, SystemClock};
use kops_core::cloud::{Capabilities, Class, Cloud, DynHandler, Scope};
use kops_core::graph::{Open, TaskGraph};
use kops_core::lower::{Native, passing};
use kops_core::resource::Resource as _;

use files::Files;
pub use kinds::{Entry, TransferKey, Zone};
use lower::{LOWERINGS, Site};

/// The cloud: a directory with a subdirectory for each kind, which contains a file for each object.
///
/// A provider is a plain value. Whatever it needs (a region, credentials, an endpoint) is passed here, or to
/// a builder.
#[derive(Debug)]
pub struct ZoneDirectory {
    handlers: Vec<Arc<dyn DynHandler>>,
    clock: Arc<dyn Clock>,
}

impl ZoneDirectory {
    /// The cloud in a directory, which is created on the first write.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        // A typed handler is a `DynHandler` automatically.
        let handlers: Vec<Arc<dyn DynHandler>> = vec![
            Arc::new(Files::<TransferKey>::new(&directory)),
            Arc::new(Files::<Zone>::new(&directory)),
            Arc::new(Files::<Entry>::new(&directory)),
        ];
        Self { handlers, clock: Arc::new(SystemClock::new()) }
    }
}

impl Cloud for ZoneDirectory {
    fn name(&self) -> &'static str {
        "zones"
    }

    fn location(&self) -> String {
        String::new()
    }

    fn capabilities(&self) -> Capabilities {
        // Everything else is not supported; `lower` reports it when it is requested.
        Capabilities::new().public_dns(true)
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        match kind {
            Zone::<Open>::KIND | Entry::<Open>::KIND => Some(Class::Dns),
            TransferKey::KIND => Some(Class::Identity),
            _ => None,
        }
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        LOWERINGS.lower(graph, scope, &Site, &passing(&self.handlers, own))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
}

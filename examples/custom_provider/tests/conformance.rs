//! Step 4: the provider keeps the contract.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use custom_provider::{TransferKey, Zone, ZoneDirectory};
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{Document, Key, Secret, Setting, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, Network, RecordType};
use kops_core::testing::conformance::{self, Edit, Fixture, Item};
use kops_core::{Error, Result};

const SECRET: &str = "correct horse battery staple";

struct Zones {
    directory: PathBuf,
    cloud: Arc<ZoneDirectory>,
}

/// A zone with two entries, and a zone of the provider's own kind with its key.
fn zones(scope: &Scope, ttl: u32, hosts: &[(&str, &str)], secret: &str) -> Result<TaskGraph> {
    let mut graph = TaskGraph::builder();
    let domain = format!("{}.example", scope.name());
    let zone = graph.add("public", DnsZone::new(domain.clone()));
    for (host, address) in hosts {
        graph.add(
            host,
            DnsRecord::new(
                zone.id(),
                format!("{host}.{domain}"),
                if address.contains(':') { RecordType::Aaaa } else { RecordType::A },
                DnsTarget::Values([(*address).into()].into()),
            )
            .ttl_seconds(ttl),
        );
    }
    let key = graph.add("partners", TransferKey { secret: Secret::new(secret) });
    let transfer_key = Setting::To(Some(key.id()));
    graph.add("partners", Zone { name: format!("partners.{domain}"), transfer_key });
    graph.build()
}

const HOSTS: &[(&str, &str)] = &[("www", "192.0.2.1"), ("mail", "192.0.2.2")];

#[async_trait]
impl Fixture for Zones {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.cloud.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        zones(scope, 300, HOSTS, SECRET)
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let six = &[("www", "2001:db8::1"), ("mail", "192.0.2.2")];
        Ok(vec![
            Edit::new("another time to live", zones(scope, 60, HOSTS, SECRET)?)
                .expect("Entry/www", Action::Update, &["ttl"])
                .expect("Entry/mail", Action::Update, &["ttl"]),
            Edit::new("another type", zones(scope, 300, six, SECRET)?).expect(
                "Entry/www",
                Action::Replace,
                &["record_type", "values"],
            ),
            Edit::new("one less", zones(scope, 300, &HOSTS[..1], SECRET)?).expect(
                "Entry/mail",
                Action::Delete,
                &[],
            ),
            Edit::new("another secret", zones(scope, 300, HOSTS, "another horse")?).expect(
                "TransferKey/partners",
                Action::Update,
                &["secret"],
            ),
        ])
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        let mut items = Vec::new();
        for kind in ["TransferKey", "Zone", "Entry"] {
            let Ok(files) = fs::read_dir(self.directory.join(kind)) else { continue };
            for file in files {
                let path = file.map_err(|error| Error::internal(error.to_string()))?.path();
                let content =
                    fs::read_to_string(&path).map_err(|error| Error::internal(error.to_string()))?;
                let content = Document::from(serde_json::Value::String(content));
                items.push(Item::new(kind, path.display().to_string(), content));
            }
        }
        Ok(Some(items))
    }

    async fn plant(&self) -> Result<bool> {
        self.write("planted.example").map(|()| true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        self.write(&format!("{}.example", scope.name()))?;
        Ok(Some(Key::new("Zone", "public")))
    }

    async fn uproot(&self) -> Result<()> {
        for item in self.inventory().await?.into_iter().flatten() {
            if item.content.to_string().contains("nobody") {
                fs::remove_file(item.id).map_err(|error| Error::internal(error.to_string()))?;
            }
        }
        Ok(())
    }

    fn unsupported(&self, _: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut graph = TaskGraph::builder();
        let network = graph.add("main", Network::default());
        Ok(Some((graph.build()?, network.key().clone())))
    }

    fn secret(&self) -> Option<&str> {
        Some(SECRET)
    }
}

impl Zones {
    /// A zone of nobody's.
    fn write(&self, name: &str) -> Result<()> {
        let directory = self.directory.join("Zone");
        let zone = serde_json::json!({
            "scope": "nobody", "task": "", "retained": false, "uses": [],
            "spec": {"name": name, "transfer_key": null},
        });
        let write = || {
            fs::create_dir_all(&directory)?;
            fs::write(directory.join(format!("{name}.json")), zone.to_string())
        };
        write().map_err(|error| Error::internal(error.to_string()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_provider_keeps_the_contract() {
    let directory = std::env::temp_dir().join(format!("kops-custom-provider-{}", std::process::id()));
    let cloud = Arc::new(ZoneDirectory::new(&directory));
    let report = conformance::run(&Zones { directory: directory.clone(), cloud }).await;
    // A directory has no regions and no pages, and reads of it are not counted.
    report.assert_held(&["elsewhere", "pages", "budget"]);
    fs::remove_dir_all(directory).unwrap();
}

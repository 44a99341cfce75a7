//! A kind of one's own keeps the contract of handlers, in two regions that share its service.

use std::sync::Arc;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{AccountWide, Class, Cloud, DynHandler, Scope, With};
use kops_core::graph::{Key, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::Resource as _;
use kops_core::testing::MemoryCloud;
use kops_core::testing::conformance::{self, Edit, Fixture, Item};

use crate::users::{DatabaseUser, Users};

struct Database {
    users: Users,
    here: Arc<dyn Cloud>,
    elsewhere: Arc<dyn Cloud>,
}

impl Database {
    fn new() -> Self {
        let users = Users::default();
        let cloud = |region: &str| -> Arc<dyn Cloud> {
            let handler: Arc<dyn DynHandler> = Arc::new(AccountWide::new(region, users.clone()));
            let cloud = With::new(MemoryCloud::new().in_region(region), [handler]).unwrap();
            Arc::new(cloud.class(<DatabaseUser>::KIND, Class::Data))
        };
        Self { here: cloud("here"), elsewhere: cloud("elsewhere"), users }
    }
}

/// The name of a user: the database is shared by all scopes, and names are unique there.
fn name(user: &str, scope: &Scope) -> String {
    format!("{user}.{}", scope.name())
}

/// Users with their hosts.
fn graph(scope: &Scope, users: &[(&str, &str)]) -> Result<TaskGraph> {
    let mut graph = TaskGraph::builder();
    for (user, host) in users {
        let spec: DatabaseUser = DatabaseUser { host: (*host).into(), from: "anywhere".into() };
        graph.add(&name(user, scope), spec);
    }
    graph.build()
}

#[async_trait]
impl Fixture for Database {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.here.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        graph(scope, &[("ada", "db")])
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let task = |user: &str| format!("DatabaseUser/{}", name(user, scope));
        Ok(vec![
            Edit::new("another host", graph(scope, &[("ada", "db-2")])?).expect(
                &task("ada"),
                Action::Update,
                &["host"],
            ),
            Edit::new("one more", graph(scope, &[("ada", "db"), ("bob", "db")])?).expect(
                &task("bob"),
                Action::Create,
                &[],
            ),
            Edit::new("one less", graph(scope, &[])?).expect(&task("ada"), Action::Delete, &[]),
        ])
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(Some(self.users.items()))
    }

    async fn plant(&self) -> Result<bool> {
        self.users.plant("planted");
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        let name = name("ada", scope);
        self.users.plant(&name);
        Ok(Some(Key::new(<DatabaseUser>::KIND, &name)))
    }

    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        Some(self.elsewhere.clone())
    }

    async fn uproot(&self) -> Result<()> {
        self.users.uproot();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_kind_keeps_the_contract() {
    let report = conformance::run(&Database::new()).await;
    // It has neither pages nor requests to count nor secrets, and supports everything.
    report.assert_held(&["pages", "budget", "unsupported", "secrets"]);
}

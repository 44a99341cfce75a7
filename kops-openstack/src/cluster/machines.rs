//! What a cluster's machines have to know of OpenStack.

use kops_cluster::cloud::{EtcdVolumes, NodeFacts, state_store, unreadable};
use kops_cluster::{Cluster, Path, Problems};
use kops_node::bundle::{self, Store};
use kops_node::stage0::Get;

use super::identity::Directory;
use crate::clients::Service;
use crate::lower::Site;
use crate::temp_url::SLOT;

/// The facts of machines: they read Swift with URLs that are signed when a server is created, or another
/// store without a credential; volumes of etcd are attached by the plan.
pub(super) fn facts(site: &Site, cluster: &Cluster) -> Result<NodeFacts, Problems> {
    let base = state_store(cluster)?;
    let cloud = bundle::Cloud::OpenStack(bundle::OpenStack {
        auth_url: site.url_of(Service::Identity).unwrap_or_default().to_owned(),
        region: site.region.clone(),
        metadata: None,
    });
    let facts = match Directory::of(base) {
        Ok(Some(directory)) => {
            let swift = site.url_of(Service::ObjectStore).ok_or_else(|| {
                wrong("this cloud has no object store", "use a state store https://, or another cloud")
            })?;
            let store = Store { url: base.to_owned(), endpoint: None, region: None };
            Ok(NodeFacts::new(cloud, store, swift_urls(swift, &directory)))
        }
        Ok(None) => NodeFacts::of_plain_store(cloud, base)
            .map(|it| {
                it.incomplete(
                    "control planes have no credential to see who may join",
                    "use a state store in Swift (swift://), or list machines in control/machines of the state store",
                )
            })
            .ok_or_else(|| unreadable(base, "OpenStack", "swift://, file:// or https://")),
        Err(error) => Err(wrong(error.message(), "use swift://container/prefix")),
    };
    Ok(facts?.volumes(EtcdVolumes::Attached))
}

/// URLs below a directory, with a slot for each signature.
fn swift_urls(swift: &str, Directory { container, prefix }: &Directory) -> Get {
    Get::OpenStack {
        base: format!("{swift}/{container}/{prefix}").trim_end_matches('/').to_owned(),
        query: format!("{SLOT}{{method}} {{seconds}} {prefix}{{prefix}}>"),
    }
}

fn wrong(message: &str, fix: &str) -> Problems {
    let mut problems = Problems::new();
    problems.error(Path::of("spec.configStore.base"), message, fix);
    problems
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::clients::Endpoint;

    pub(in crate::cluster) fn site() -> Site {
        let at = |service, kind, url: &str| Endpoint { service, kind, url: url.parse().unwrap() };
        Site {
            external_network: String::new(),
            name_servers: Vec::new(),
            region: "here".to_owned(),
            services: vec![
                at(Service::Identity, "identity", "https://keystone.example.com/v3"),
                at(Service::Compute, "compute", "https://nova.example.com/v2.1"),
                at(Service::ObjectStore, "object-store", "https://swift.example.com/v1/AUTH_0"),
            ],
        }
    }

    fn of(base: &str) -> Result<NodeFacts, Problems> {
        let mut cluster = Cluster::named("ha.example.com");
        cluster.spec.config_store.base = Some(base.to_owned());
        facts(&site(), &cluster)
    }

    #[test]
    fn machines_read_swift_by_urls_that_are_signed_later() {
        let facts = of("swift://state/ha.example.com/").unwrap();
        assert_eq!(facts.incomplete, None);
        let Get::OpenStack { base, query } = &facts.get else { panic!("{:?}", facts.get) };
        assert_eq!(base, "https://swift.example.com/v1/AUTH_0/state/ha.example.com");
        assert_eq!(query, "<kops-signed {method} {seconds} ha.example.com/{prefix}>");
        let bundle::Cloud::OpenStack(cloud) = &facts.cloud else { panic!("{:?}", facts.cloud) };
        assert_eq!(
            (cloud.auth_url.as_str(), cloud.region.as_str()),
            ("https://keystone.example.com/v3", "here")
        );
    }

    #[test]
    fn with_a_plain_store_operators_say_who_may_join() {
        let (missing, _) = of("https://state.example.com/ha.example.com").unwrap().incomplete.unwrap();
        assert!(missing.contains("no credential to see who may join"), "{missing}");
    }

    #[test]
    fn stores_that_machines_cannot_read_are_refused() {
        assert!(
            of("s3://state/ha.example.com")
                .unwrap_err()
                .to_string()
                .contains("cannot read a state store s3://")
        );
        assert!(of("swift:///x").unwrap_err().to_string().contains("has no container"));
        let mut cluster = Cluster::named("ha.example.com");
        cluster.spec.config_store.base = Some("swift://state".to_owned());
        let nowhere = Site { services: Vec::new(), ..site() };
        let error = facts(&nowhere, &cluster).unwrap_err().to_string();
        assert!(error.contains("spec.configStore.base") && error.contains("no object store"), "{error}");
    }
}

//! The context of a command, built from the bundle.

use std::sync::Arc;

use crate::bundle::{Bundle, Cloud as Settings, Store as Place};
use crate::clock::Clock;
use crate::cloud::aws::{Ec2, Imds, S3};
use crate::cloud::azure::{self, Blob, ScaleSets};
use crate::cloud::gce::{self, CloudStorage, Compute};
use crate::cloud::openstack::{self, Access, Keystone, Nova, Swift, TempUrls, Volumes};
use crate::cloud::{Cloud, NoCloud};
use crate::error::{Error, Result};
use crate::http::{Http, Tls};
use crate::machine::{Host, WORK};
use crate::store::{Directory, Server, Store};

/// The cloud and the state store of a bundle.
#[derive(Clone, Debug)]
pub struct World {
    /// The cloud.
    pub cloud: Arc<dyn Cloud>,
    /// The state store.
    pub store: Arc<dyn Store>,
    /// The client for external services.
    pub http: Http,
}

impl World {
    /// Opens what the bundle names.
    ///
    /// # Errors
    /// If its store and its cloud do not go together, or a URL makes no sense.
    pub fn open(bundle: &Bundle, host: &dyn Host, clock: &Arc<dyn Clock>) -> Result<Self> {
        let (http, direct) = (Http::new(&Tls::default())?, Http::direct(&Tls::default())?);
        let place = &bundle.store;
        let (scheme, path) = split(place)?;
        let plain: Option<Arc<dyn Store>> = match scheme {
            "file" => Some(Arc::new(Directory::new(format!("/{}", path.trim_start_matches('/'))))),
            "http" | "https" => Some(Arc::new(Server::new(http.clone(), &place.url))),
            _ => None,
        };
        // The cloud, and its own store if the URL names it.
        let (cloud, own): (Arc<dyn Cloud>, Option<Arc<dyn Store>>) = match &bundle.cloud {
            Settings::None {} => {
                let store = plain.clone().ok_or_else(|| mismatch(place))?;
                (Arc::new(NoCloud::new(store, clock.clone())), None)
            }
            Settings::Aws(settings) => {
                let imds = Imds::new(direct, settings.metadata.as_deref(), clock.clone());
                let ec2 = Ec2::new(http.clone(), imds.clone(), clock.clone(), settings);
                let region = place.region.as_deref().unwrap_or(&settings.region);
                let at = path.split_once('/').unwrap_or((path, ""));
                let endpoint = place.endpoint.as_deref();
                let own = (scheme == "s3")
                    .then(|| S3::new(http.clone(), imds, clock.clone(), region, at, endpoint));
                (Arc::new(ec2), own.map(|it| Arc::new(it) as Arc<dyn Store>))
            }
            Settings::Gce(settings) => {
                let metadata = gce::Metadata::new(direct, settings.metadata.as_deref(), clock.clone());
                let compute = Compute::new(http.clone(), metadata.clone(), clock.clone(), settings);
                let at = path.split_once('/').unwrap_or((path, ""));
                let own = (scheme == "gs")
                    .then(|| CloudStorage::new(http.clone(), metadata, at, place.endpoint.as_deref()));
                (Arc::new(compute), own.map(|it| Arc::new(it) as Arc<dyn Store>))
            }
            Settings::Azure(settings) => {
                let base = settings.metadata.as_deref();
                let metadata = azure::Metadata::new(direct, base, settings.client_id.clone(), clock);
                let sets = ScaleSets::new(http.clone(), metadata.clone(), clock.clone(), settings);
                let mut parts = path.splitn(3, '/').map(str::to_owned);
                let [account, container, prefix] = [(); 3].map(|()| parts.next().unwrap_or_default());
                let at = (account.as_str(), container.as_str(), prefix.as_str());
                let own = (scheme == "azureblob")
                    .then(|| Blob::new(http.clone(), metadata, at, place.endpoint.as_deref()));
                (Arc::new(sets), own.map(|it| Arc::new(it) as Arc<dyn Store>))
            }
            Settings::OpenStack(settings) => {
                let metadata = openstack::Metadata::new(direct, settings.metadata.as_deref());
                let at = path.split_once('/').unwrap_or((path, ""));
                let endpoint = place.endpoint.as_deref();
                let volumes = Volumes::read(host)?;
                let nova = |keystone| Nova::new(http.clone(), metadata, keystone, volumes, clock.clone());
                if let Some(store) = &plain {
                    let listed = NoCloud::new(store.clone(), clock.clone());
                    (Arc::new(nova(None).listed(listed)), None)
                } else if scheme == "swift" {
                    let access = Access::read(host)?.ok_or_else(|| {
                        Error::failed("opening the state store", format!("{WORK}/openstack.json is missing"))
                    })?;
                    let access = access.complete(bundle.role, &http, host)?;
                    let (keystone, own): (_, Arc<dyn Store>) = match access.credential {
                        Some(it) => {
                            let (url, region) = (&settings.auth_url, &settings.region);
                            let keystone = Keystone::new(http.clone(), url, region, it, clock.clone());
                            (
                                Some(keystone.clone()),
                                Arc::new(Swift::new(http.clone(), keystone, at, endpoint)),
                            )
                        }
                        None => (None, Arc::new(TempUrls::new(http.clone(), access.urls))),
                    };
                    (Arc::new(nova(keystone)), Some(own))
                } else {
                    return Err(mismatch(place));
                }
            }
        };
        let store = plain.or(own).ok_or_else(|| mismatch(place))?;
        Ok(Self { cloud, store, http })
    }
}

fn split(place: &Place) -> Result<(&str, &str)> {
    place
        .url
        .split_once("://")
        .ok_or_else(|| Error::invalid("opening the state store", "its URL has no scheme"))
}

fn mismatch(place: &Place) -> Error {
    let scheme = place.url.split("://").next().unwrap_or_default();
    Error::invalid("opening the state store", format!("{scheme}:// is not a store of this cloud"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kubeadm::tests::bundle;
    use crate::machine::testing::TestHost;
    use crate::testing::TestClock;

    fn open(cloud: Value, url: &str) -> Result<World> {
        let mut bundle = bundle();
        bundle.cloud = serde_json::from_value(cloud).unwrap();
        url.clone_into(&mut bundle.store.url);
        let host = TestHost::quiet();
        if url.starts_with("swift://") {
            host.put("/var/lib/kops/openstack.json", r#"{"credential": {"id": "c", "secret": "s"}}"#);
        }
        let clock: Arc<dyn Clock> = Arc::new(TestClock::real());
        World::open(&bundle, &host, &clock)
    }

    #[test]
    fn each_cloud_has_its_store_and_takes_plain_ones() {
        let clouds = [
            (json!({"aws": {"region": "r"}}), "s3://b/c"),
            (json!({"gce": {"project": "p"}}), "gs://b/c"),
            (json!({"azure": {"subscription": "s", "resourceGroup": "g"}}), "azureblob://a/b/c"),
            (json!({"openstack": {"authUrl": "https://k/v3", "region": "r"}}), "swift://b/c"),
        ];
        for (cloud, url) in clouds {
            open(cloud.clone(), url).unwrap();
            open(cloud.clone(), "file:///srv/state").unwrap();
            open(cloud.clone(), "https://store.example.com/c").unwrap();
            let error = open(cloud, "ftp://b/c").unwrap_err().to_string();
            assert_eq!(error, "opening the state store: ftp:// is not a store of this cloud");
        }
        assert!(open(json!({"none": {}}), "s3://b/c").is_err());
    }
}

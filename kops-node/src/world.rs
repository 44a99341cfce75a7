//! All that a verb of the program works with, made from the bundle.

use std::sync::Arc;

use crate::bundle::{Bundle, Cloud as Settings, Store as Place};
use crate::clock::Clock;
use crate::cloud::aws::{Ec2, Imds, S3};
use crate::cloud::{Cloud, NoCloud};
use crate::error::{Error, Result};
use crate::http::{Http, Tls};
use crate::store::{Directory, Server, Store};

/// The cloud and the state store of a bundle.
#[derive(Clone, Debug)]
pub struct World {
    /// The cloud.
    pub cloud: Arc<dyn Cloud>,
    /// The state store.
    pub store: Arc<dyn Store>,
    /// For services of the outside.
    pub http: Http,
}

impl World {
    /// What the bundle names.
    ///
    /// # Errors
    /// When its store and its cloud do not go together, or a URL makes no sense.
    pub fn open(bundle: &Bundle, clock: &Arc<dyn Clock>) -> Result<Self> {
        let (http, direct) = (Http::new(&Tls::default())?, Http::direct(&Tls::default())?);
        let place = &bundle.store;
        let (scheme, path) = split(place)?;
        let plain: Option<Arc<dyn Store>> = match scheme {
            "file" => Some(Arc::new(Directory::new(format!("/{}", path.trim_start_matches('/'))))),
            "http" | "https" => Some(Arc::new(Server::new(http.clone(), &place.url))),
            _ => None,
        };
        match &bundle.cloud {
            Settings::None {} => {
                let store = plain.ok_or_else(|| mismatch(place))?;
                Ok(Self { cloud: Arc::new(NoCloud::new()), store, http })
            }
            Settings::Aws(settings) => {
                let imds = Imds::new(direct, settings.metadata.as_deref(), clock.clone());
                let ec2 = Ec2::new(http.clone(), imds.clone(), clock.clone(), settings);
                let store = match (plain, scheme) {
                    (Some(plain), _) => plain,
                    (None, "s3") => {
                        let region = place.region.as_deref().unwrap_or(&settings.region);
                        let at = path.split_once('/').unwrap_or((path, ""));
                        let endpoint = place.endpoint.as_deref();
                        Arc::new(S3::new(http.clone(), imds, clock.clone(), region, at, endpoint))
                    }
                    _ => return Err(mismatch(place)),
                };
                Ok(Self { cloud: Arc::new(ec2), store, http })
            }
            Settings::Gce(_) | Settings::Azure(_) | Settings::OpenStack(_) => Err(Error::invalid(
                "opening the bundle",
                "this build of kops-node knows AWS and machines without a cloud only",
            )),
        }
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

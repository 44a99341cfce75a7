//! EC2: the cluster's machines, and this machine's own volume.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Imds, Signable, sign};
use crate::bundle::{Aws, Volume};
use crate::clock::Clock;
use crate::cloud::xml::Element;
use crate::cloud::{Attached, Cloud, Identity, addresses, age, planned};
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::http::{Http, Request};
use crate::joining;
use crate::store::escape_query;

/// The version of EC2's API.
const VERSION: &str = "2016-11-15";
/// The devices that volumes are attached as, like kOps: instance stores and the root come before them.
const DEVICES: std::ops::RangeInclusive<char> = 'u'..='z';
/// How often, and with what pause, to check whether a volume has been attached.
const LOOKS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(2);

/// EC2 with this machine's identity.
#[derive(Clone, Debug)]
pub struct Ec2 {
    http: Http,
    imds: Imds,
    clock: Arc<dyn Clock>,
    region: String,
    endpoint: String,
}

impl Ec2 {
    /// EC2 of the region, or at a custom endpoint.
    pub fn new(http: Http, imds: Imds, clock: Arc<dyn Clock>, settings: &Aws) -> Self {
        let region = settings.region.clone();
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let own = settings.ec2_endpoint.as_ref().map(|it| it.trim_end_matches('/').to_owned());
        let endpoint = own.unwrap_or_else(|| format!("https://ec2.{region}.{suffix}"));
        Self { http, imds, clock, region, endpoint }
    }

    fn call(&self, action: &str, parameters: &[(String, String)]) -> Result<Element> {
        let mut form = format!("Action={action}&Version={VERSION}");
        for (name, value) in parameters {
            form = format!("{form}&{}={}", escape_query(name), escape_query(value));
        }
        let host = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, host)| host);
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let signable = Signable {
            method: "POST",
            host,
            path: "/",
            query: Vec::new(),
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body_sha256: &sha256(&form),
        };
        let signed = sign(&signable, &self.imds.credentials()?, &self.region, "ec2", self.clock.now());
        let url = format!("{}/", self.endpoint);
        let mut request = Request::new("POST", &url).body(form.as_bytes());
        request.headers = signable.headers.into_iter().chain(signed).collect();
        Element::parse(&self.http.send(&request)?.success(&format!("ec2:{action}"))?)
    }

    /// All pages of a listing.
    fn pages(&self, action: &str, filters: &[(String, Vec<String>)]) -> Result<Vec<Element>> {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let mut parameters = vec![("MaxResults".to_owned(), "500".to_owned())];
            for (at, (name, values)) in (1..).zip(filters) {
                parameters.push((format!("Filter.{at}.Name"), name.clone()));
                for (n, value) in (1..).zip(values) {
                    parameters.push((format!("Filter.{at}.Value.{n}"), value.clone()));
                }
            }
            if !token.is_empty() {
                parameters.push(("NextToken".to_owned(), token.clone()));
            }
            let page = self.call(action, &parameters)?;
            page.at("nextToken").clone_into(&mut token);
            pages.push(page);
            if token.is_empty() {
                return Ok(pages);
            }
        }
    }

    /// A member's volume: its id, its state, and where it is attached.
    fn find(&self, tags: &BTreeMap<String, String>, zone: Option<&str>) -> Result<Option<Element>> {
        let mut filters: Vec<_> =
            tags.iter().map(|(key, value)| (format!("tag:{key}"), vec![value.clone()])).collect();
        if let Some(zone) = zone {
            filters.push(("availability-zone".to_owned(), vec![zone.to_owned()]));
        }
        let pages = self.pages("DescribeVolumes", &filters)?;
        Ok(pages.iter().flat_map(|it| it.items("volumeSet")).next().cloned())
    }

    /// Attaches a free volume at the first free device. EC2 itself rejects one that is attached elsewhere.
    fn attach(&self, id: &str, me: &Identity) -> Result<()> {
        let mut refused = None;
        for letter in DEVICES {
            let parameters = [
                ("VolumeId".to_owned(), id.to_owned()),
                ("InstanceId".to_owned(), me.id.clone()),
                ("Device".to_owned(), format!("/dev/xvd{letter}")),
            ];
            match self.call("AttachVolume", &parameters) {
                Ok(_) => return Ok(()),
                Err(e) if e.to_string().contains("already in use") => refused = Some(e),
                Err(e) => return Err(e),
            }
        }
        Err(refused.unwrap_or_else(|| Error::failed("attaching etcd's volume", "no device is free")))
    }
}

impl Cloud for Ec2 {
    fn identity(&self) -> Result<Identity> {
        self.imds.identity()
    }

    fn volume(&self, candidates: &[String], volume: &Volume, me: &Identity) -> Result<Attached> {
        if volume.tags.is_empty() {
            return planned(candidates, volume);
        }
        let doing = "attaching etcd's volume";
        let mut last =
            Error::waiting(doing, format!("there is no volume for {} in this zone", candidates.join(", ")));
        for member in candidates {
            let Some(tags) = volume.tags.get(member) else { continue };
            for _ in 0..LOOKS {
                let Some(found) = self.find(tags, me.zone.as_deref())? else { break };
                let id = found.at("volumeId");
                let attachment = found.items("attachmentSet").find(|it| !it.at("instanceId").is_empty());
                let holder = attachment.map(|it| it.at("instanceId"));
                match (holder, found.at("status")) {
                    (Some(holder), "in-use") if holder == me.id => {
                        // NVMe shows the volume's id; on older machines the device has the name that it was
                        // attached with.
                        let serial = id.replace('-', "");
                        let nvme = format!("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{serial}");
                        let xen = attachment.map(|it| it.at("device").to_owned());
                        let devices = std::iter::once(nvme).chain(xen).collect();
                        return Ok(Attached { member: member.clone(), devices });
                    }
                    (Some(holder), _) if holder != me.id => {
                        last = Error::waiting(doing, format!("{id} is still attached to {holder}"));
                        break;
                    }
                    (None, "available") => self.attach(id, me)?,
                    (_, state) => last = Error::waiting(doing, format!("{id} is {state}")),
                }
                self.clock.sleep(PAUSE);
            }
        }
        Err(last)
    }

    fn machines(&self, cluster: &str) -> Result<Vec<joining::Machine>> {
        let filters = [
            ("tag:KubernetesCluster".to_owned(), vec![cluster.to_owned()]),
            ("instance-state-name".to_owned(), vec!["pending".to_owned(), "running".to_owned()]),
        ];
        let pages = self.pages("DescribeInstances", &filters)?;
        let instances =
            pages.iter().flat_map(|it| it.items("reservationSet")).flat_map(|it| it.items("instancesSet"));
        let now = self.clock.now();
        let machine = |it: &Element| {
            let tag = |key: &str| {
                it.items("tagSet").find(|tag| tag.at("key") == key).map_or("", |tag| tag.at("value"))
            };
            joining::Machine {
                node_name: it.at("instanceId").to_owned(),
                group: tag("kops.k8s.io/instancegroup").to_owned(),
                addresses: addresses([it.at("privateIpAddress"), it.at("ipAddress")]),
                age: age(it.at("launchTime"), now),
            }
        };
        Ok(instances.map(machine).collect())
    }
}

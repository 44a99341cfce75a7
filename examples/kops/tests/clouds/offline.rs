//! The clouds, connected with credentials that nobody looks at: lowering and planning ahead need no network.

use std::sync::Arc;

use kops_aws::{AwsBuilder, S3Stores};
use kops_azure::{AzureBuilder, BlobStores};
use kops_cluster::ClusterCloud;
use kops_core::Result;
use kops_core::clock::SystemClock;
use kops_core::store::{StateStore, Stores};
use kops_core::testing::MemoryCloud;
use kops_gce::{GceBuilder, GcsStores};
use kops_openstack::{OpenstackBuilder, SwiftStores};

use crate::keystone;

/// A cloud, and what things are called there.
pub(crate) struct Offline {
    /// What people call it.
    pub(crate) title: &'static str,
    pub(crate) cloud: Arc<dyn ClusterCloud>,
    /// A state store of the cloud's.
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) zones: [&'static str; 3],
    pub(crate) network: &'static str,
    pub(crate) subnet: &'static str,
}

/// All of them.
pub(crate) async fn all() -> Result<Vec<Offline>> {
    let clock = || Arc::new(SystemClock::new());
    let aws = AwsBuilder::new().region("eu-central-1").static_credentials("AKIA", "secret", None);
    let gce = GceBuilder::new().project("project").region("europe-west3").anonymous().install_ring();
    let openstack = OpenstackBuilder::new()
        .password(&keystone::start(), "ada", "secret", "project")
        .external_network("public");
    let subscription = "00000000-0000-0000-0000-000000000000";
    let azure = AzureBuilder::new().subscription(subscription).location("westeurope").token("token");
    let stores = Stores::new()
        .with("s3", S3Stores::new(aws.clone(), clock()))
        .with("gs", GcsStores::new(gce.clone(), clock()))
        .with("swift", SwiftStores::new(openstack.clone(), clock()))
        .with("azureblob", BlobStores::new(azure.clone(), clock()));
    Ok(vec![
        Offline {
            title: "AWS",
            cloud: Arc::new(aws.build().await?),
            store: stores.open("s3://bucket/clusters").await?,
            zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
            network: "vpc-0123456789abcdef0",
            subnet: "subnet-0123456789abcdef0",
        },
        Offline {
            title: "GCE",
            cloud: Arc::new(gce.build().await?),
            store: stores.open("gs://bucket/clusters").await?,
            zones: ["europe-west3-a", "europe-west3-b", "europe-west3-c"],
            network: "network",
            subnet: "subnet",
        },
        Offline {
            title: "OpenStack",
            cloud: Arc::new(openstack.build().await?),
            store: stores.open("swift://container/clusters").await?,
            zones: ["nova-1", "nova-2", "nova-3"],
            network: "c2ad1c44-5c3e-4b57-9a3f-3a1f1f0c9f11",
            subnet: "5d9b4f0e-6a7b-4a3b-8d0e-1c2d3e4f5a6b",
        },
        Offline {
            title: "Azure",
            cloud: Arc::new(azure.build().await?),
            store: stores.open("azureblob://account/container/clusters").await?,
            zones: ["westeurope-1", "westeurope-2", "westeurope-3"],
            network: "network",
            subnet: "subnet",
        },
        Offline {
            title: "in-memory",
            cloud: Arc::new(MemoryCloud::new()),
            store: stores.open("file:///clusters").await?,
            zones: ["zone-1a", "zone-1b", "zone-1c"],
            network: "network",
            subnet: "subnet",
        },
    ])
}

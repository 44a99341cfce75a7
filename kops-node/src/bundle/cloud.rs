//! The cloud and the state store, as a machine sees them.

use serde::{Deserialize, Serialize};

/// The cloud that the machine is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Cloud {
    /// Amazon Web Services.
    Aws(Aws),
    /// Google Cloud.
    Gce(Gce),
    /// Azure.
    Azure(Azure),
    /// OpenStack.
    #[serde(rename = "openstack")]
    OpenStack(OpenStack),
    /// None that the program could ask: the machine's name and address are those it has.
    None {},
}

/// Amazon Web Services. Credentials are the instance profile's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// The region, for example `eu-central-1`.
    pub region: String,
    /// Another address of EC2 than the region's, for private endpoints and tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ec2_endpoint: Option<String>,
    /// Another address of the metadata service than `http://169.254.169.254`, for tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

/// Google Cloud. Credentials are the machine's service account's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gce {
    /// The project.
    pub project: String,
    /// Another address of Compute Engine than `https://compute.googleapis.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_endpoint: Option<String>,
    /// Another address of the metadata service than `http://169.254.169.254`, for tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

/// Azure. Credentials are the scale set's managed identity's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Azure {
    /// The subscription.
    pub subscription: String,
    /// The cluster's resource group.
    pub resource_group: String,
    /// The client id of the managed identity, when the machine has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Another address of the resource manager than `https://management.azure.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_endpoint: Option<String>,
    /// Another address of the metadata service than `http://169.254.169.254`, for tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

/// OpenStack, which gives machines no identity: control planes read an application credential from a file that stage 0
/// has written, nodes read single objects by URLs that carry a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenStack {
    /// Keystone's address, for example `https://keystone.example.com/v3`.
    pub auth_url: String,
    /// The region.
    pub region: String,
    /// Another address of the metadata service than `http://169.254.169.254`, for tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

/// The state store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Store {
    /// The cluster's directory in it: `s3://<bucket>/<path>`, `gs://<bucket>/<path>`,
    /// `azureblob://<account>/<container>/<path>`, `swift://<container>/<path>`, `https://<host>/<path>` for a server
    /// that knows GET, PUT and `If-None-Match`, or `file:///<path>`.
    pub url: String,
    /// Another address of the service than the public one, for private endpoints and tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The bucket's region; S3 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

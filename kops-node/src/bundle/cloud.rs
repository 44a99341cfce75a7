//! The cloud and the state store, as seen by a machine.

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
    /// None that the program can query: name and address are taken from the machine.
    None {},
}

/// Amazon Web Services. Credentials are the instance profile's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// The region, for example `eu-central-1`.
    pub region: String,
    /// A custom address of EC2, for private endpoints and tests.
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

/// OpenStack, where machines have no identity: nodes read the state store with signed URLs, control planes
/// with an application credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenStack {
    /// Keystone's address, for example `https://keystone.example.com/v3`.
    pub auth_url: String,
    /// The region; empty if there is only one.
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
    /// `azureblob://<account>/<container>/<path>`, `swift://<container>/<path>`, `https://<host>/<path>` for
    /// a server that supports GET, PUT and `If-None-Match`, or `file:///<path>`.
    pub url: String,
    /// A custom address of the service, for private endpoints and tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The bucket's region; S3 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

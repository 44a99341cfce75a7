//! The cloud permissions of machines and service accounts.

use crate::spec::schema::spec;

spec! {
    /// The cloud permissions of machines and service accounts.
    pub struct Iam {
        /// Whether machines keep the broad permissions of very old versions.
        legacy: Option<bool> => "legacy",
        /// Whether machines may read the cloud's container registry.
        allow_container_registry: Option<bool> => "allowContainerRegistry",
        /// The permissions boundary of every role.
        permissions_boundary: Option<String> => "permissionsBoundary",
        /// Whether the cluster's own service accounts have roles of their own.
        use_service_account_external_permissions: Option<bool> => "useServiceAccountExternalPermissions",
        /// Permissions of additional service accounts.
        service_account_external_permissions: Vec<ServiceAccountPermission> => "serviceAccountExternalPermissions",
    }
}

spec! {
    /// The permissions of a service account.
    pub struct ServiceAccountPermission {
        /// The account.
        name: String => "name",
        /// Its namespace.
        namespace: String => "namespace",
        /// Its permissions on AWS.
        aws: Option<AwsPermissions> => "aws",
    }
}

spec! {
    /// Permissions on AWS.
    pub struct AwsPermissions {
        /// Existing policies.
        policy_arns: Vec<String> => "policyARNs",
        /// A policy in JSON.
        inline_policy: Option<String> => "inlinePolicy",
    }
}

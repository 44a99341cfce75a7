//! What machines and service accounts may do in the cloud.

use crate::spec::schema::spec;

spec! {
    /// What machines and service accounts may do in the cloud.
    pub struct Iam {
        /// Whether machines keep the wide rights of very old versions.
        legacy: Option<bool> => "legacy",
        /// Whether machines may read the cloud's container registry.
        allow_container_registry: Option<bool> => "allowContainerRegistry",
        /// The policy that bounds every role.
        permissions_boundary: Option<String> => "permissionsBoundary",
        /// Whether the cluster's own service accounts have roles of their own.
        use_service_account_external_permissions: Option<bool> => "useServiceAccountExternalPermissions",
        /// Roles for further service accounts.
        service_account_external_permissions: Vec<ServiceAccountPermission> => "serviceAccountExternalPermissions",
    }
}

spec! {
    /// The rights of a service account.
    pub struct ServiceAccountPermission {
        /// The account.
        name: String => "name",
        /// Its namespace.
        namespace: String => "namespace",
        /// Its rights on AWS.
        aws: Option<AwsPermissions> => "aws",
    }
}

spec! {
    /// Rights on AWS.
    pub struct AwsPermissions {
        /// Existing policies.
        policy_arns: Vec<String> => "policyARNs",
        /// A policy in JSON.
        inline_policy: Option<String> => "inlinePolicy",
    }
}

//! How the Kubernetes API is reached.

use super::AccessSource;
use crate::spec::schema::{choice, spec};

spec! {
    /// How the Kubernetes API is reached: by DNS records of the control-plane machines, or by a load balancer.
    pub struct Api {
        /// The API's name resolves to the control-plane machines.
        dns: Option<ApiDns> => "dns",
        /// A load balancer stands in front of the control-plane machines.
        load_balancer: Option<ApiLoadBalancer> => "loadBalancer",
        /// The name of the API for users.
        public_name: Option<String> => "publicName",
        /// Further names in the API's certificate.
        additional_sans: Vec<String> => "additionalSANs",
        /// Who may reach the API.
        access: Vec<AccessSource> => "access",
    }
}

spec! {
    /// The API by DNS; there is nothing to set.
    pub struct ApiDns {
    }
}

spec! {
    /// The load balancer in front of the API.
    pub struct ApiLoadBalancer {
        /// Whether it can be reached from outside.
        r#type: Option<LoadBalancerType> => "type",
        /// Which of AWS' load balancers it is.
        class: Option<LoadBalancerClass> => "class",
        /// How long an idle connection lasts, in seconds.
        idle_timeout_seconds: Option<i64> => "idleTimeoutSeconds",
        /// Whether each of its addresses serves the machines of all zones.
        cross_zone_load_balancing: Option<bool> => "crossZoneLoadBalancing",
        /// The subnets it stands in; all that fit unless it says otherwise.
        subnets: Vec<LoadBalancerSubnet> => "subnets",
        /// A security group of somebody else's to use instead of an own one.
        security_group_override: Option<String> => "securityGroupOverride",
        /// Further security groups.
        additional_security_groups: Vec<String> => "additionalSecurityGroups",
        /// Whether machines of the cluster use it too.
        use_for_internal_api: Option<bool> => "useForInternalApi",
        /// The ARN of a certificate for a second listener.
        ssl_certificate: Option<String> => "sslCertificate",
        /// The TLS policy of that listener.
        ssl_policy: Option<String> => "sslPolicy",
        /// Where it writes its access log.
        access_log: Option<AccessLog> => "accessLog",
    }
}

impl ApiLoadBalancer {
    /// Whether it can be reached from outside; it can unless it says otherwise.
    pub fn is_public(&self) -> bool {
        self.r#type != Some(LoadBalancerType::Internal)
    }
}

choice! {
    /// Whether a load balancer can be reached from outside.
    pub enum LoadBalancerType {
        /// From the internet.
        Public => "Public",
        /// From the network only.
        Internal => "Internal",
    }
}

choice! {
    /// Which of AWS' load balancers.
    pub enum LoadBalancerClass {
        /// The classic one.
        Classic => "Classic",
        /// The network load balancer.
        Network => "Network",
    }
}

spec! {
    /// A subnet for the load balancer.
    pub struct LoadBalancerSubnet {
        /// The name of a subnet of the cluster.
        name: String => "name",
        /// The address in it, for an internal network load balancer.
        private_ipv4_address: Option<String> => "privateIPv4Address",
        /// The elastic address in it, for a public network load balancer.
        allocation_id: Option<String> => "allocationId",
    }
}

spec! {
    /// Where a load balancer writes its access log.
    pub struct AccessLog {
        /// How often, in minutes; classic load balancers only.
        interval: Option<i64> => "interval",
        /// The bucket.
        bucket: Option<String> => "bucket",
        /// The prefix in the bucket.
        bucket_prefix: Option<String> => "bucketPrefix",
    }
}

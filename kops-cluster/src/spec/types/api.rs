//! How clients reach the Kubernetes API.

use super::AccessSource;
use crate::spec::schema::{choice, spec};

spec! {
    /// How clients reach the Kubernetes API: by DNS records of the control-plane machines, or through a load
    /// balancer.
    pub struct Api {
        /// The API's name resolves to the control-plane machines.
        dns: Option<ApiDns> => "dns",
        /// The API is reached through a load balancer in front of the control-plane machines.
        load_balancer: Option<ApiLoadBalancer> => "loadBalancer",
        /// The DNS name of the API for users.
        public_name: Option<String> => "publicName",
        /// Additional subject alternative names in the API's certificate.
        additional_sans: Vec<String> => "additionalSANs",
        /// The sources that may reach the API.
        access: Vec<AccessSource> => "access",
    }
}

spec! {
    /// Access to the API by DNS; there are no settings.
    pub struct ApiDns {
    }
}

spec! {
    /// The load balancer in front of the API.
    pub struct ApiLoadBalancer {
        /// Whether it is public or internal.
        r#type: Option<LoadBalancerType> => "type",
        /// The class of load balancer (AWS).
        class: Option<LoadBalancerClass> => "class",
        /// The idle timeout of connections, in seconds.
        idle_timeout_seconds: Option<i64> => "idleTimeoutSeconds",
        /// Whether each of its addresses serves machines of all zones.
        cross_zone_load_balancing: Option<bool> => "crossZoneLoadBalancing",
        /// The subnets it is placed in; by default all that fit.
        subnets: Vec<LoadBalancerSubnet> => "subnets",
        /// An existing security group to use instead of creating one.
        security_group_override: Option<String> => "securityGroupOverride",
        /// Additional security groups.
        additional_security_groups: Vec<String> => "additionalSecurityGroups",
        /// Whether machines of the cluster use it as well.
        use_for_internal_api: Option<bool> => "useForInternalApi",
        /// The ARN of a certificate for a second listener.
        ssl_certificate: Option<String> => "sslCertificate",
        /// The TLS policy of that listener.
        ssl_policy: Option<String> => "sslPolicy",
        /// The destination of its access log.
        access_log: Option<AccessLog> => "accessLog",
    }
}

impl ApiLoadBalancer {
    /// Whether it is public, which is the default.
    pub fn is_public(&self) -> bool {
        self.r#type != Some(LoadBalancerType::Internal)
    }
}

choice! {
    /// The reachability of a load balancer.
    pub enum LoadBalancerType {
        /// Reachable from the internet.
        Public => "Public",
        /// Reachable from the network only.
        Internal => "Internal",
    }
}

choice! {
    /// The class of load balancer (AWS).
    pub enum LoadBalancerClass {
        /// A classic load balancer.
        Classic => "Classic",
        /// A network load balancer.
        Network => "Network",
    }
}

spec! {
    /// A subnet of the load balancer.
    pub struct LoadBalancerSubnet {
        /// The name of a subnet of the cluster.
        name: String => "name",
        /// Its private address in the subnet, for an internal network load balancer.
        private_ipv4_address: Option<String> => "privateIPv4Address",
        /// Its elastic IP address in the subnet, for a public network load balancer.
        allocation_id: Option<String> => "allocationId",
    }
}

spec! {
    /// The destination of a load balancer's access log.
    pub struct AccessLog {
        /// The publishing interval, in minutes; classic load balancers only.
        interval: Option<i64> => "interval",
        /// The bucket.
        bucket: Option<String> => "bucket",
        /// The prefix in the bucket.
        bucket_prefix: Option<String> => "bucketPrefix",
    }
}

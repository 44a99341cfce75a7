//! The SDK's clients, and the one way in which calls are made.

use std::future::Future;

use aws_config::SdkConfig;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use kops_core::Result;

use crate::error;

/// A client for every service in use. They share one HTTP client and one cache of credentials.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "the kinds that use the rest are on their way")]
pub(crate) struct Clients {
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    endpoint: Option<String>,
}

impl Clients {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        let endpoint = config.endpoint_url().map(str::to_owned);
        // Buckets are host names at AWS (`bucket.s3.region.amazonaws.com`); an endpoint of one's own is one host.
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(endpoint.is_some()).build();
        Self {
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            route53: aws_sdk_route53::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sts: aws_sdk_sts::Client::new(config),
            endpoint,
        }
    }

    /// Makes a call, named as `service:Operation`, and explains its failure.
    ///
    /// ```ignore
    /// let made = clients.call("ec2:CreateVpc", clients.ec2.create_vpc().cidr_block(cidr).send()).await?;
    /// ```
    pub(crate) async fn call<T, E>(
        &self,
        name: &str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        request.await.map_err(|error| error::from_sdk(name, self.endpoint.as_deref(), error))
    }
}

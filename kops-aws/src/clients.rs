//! The SDK's clients, and the only way to make calls.

use std::future::Future;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use kops_core::clock::Clock;
use kops_core::cloud::{Actions, Context, Limiter};
use kops_core::{ErrorKind, Result};

use crate::{actions, error, limits};

/// A client for every service in use. They share one HTTP client and one credentials cache.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) acm: aws_sdk_acm::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) elb_classic: aws_sdk_elasticloadbalancing::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) kms: aws_sdk_kms::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) clock: Arc<dyn Clock>,
    endpoint: Option<String>,
    limiter: Limiter,
}

impl Clients {
    pub(crate) fn new(config: &SdkConfig, clock: Arc<dyn Clock>) -> Self {
        let endpoint = config.endpoint_url().map(str::to_owned);
        // At AWS, buckets are host names (`bucket.s3.region.amazonaws.com`); a custom endpoint is a single
        // host.
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(endpoint.is_some()).build();
        Self {
            acm: aws_sdk_acm::Client::new(config),
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
            elb_classic: aws_sdk_elasticloadbalancing::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            kms: aws_sdk_kms::Client::new(config),
            route53: aws_sdk_route53::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sts: aws_sdk_sts::Client::new(config),
            clock: clock.clone(),
            endpoint,
            limiter: Limiter::new(clock, limits::buckets(), limits::SLOTS),
        }
    }

    /// The endpoint that replaces all of AWS, if set.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Makes a call, named as `service:Action`, once the rate limits admit it, and converts its error.
    /// [`Limiter::run`] documents when it is cancelled.
    ///
    /// ```text
    /// let request = clients.ec2.create_vpc().cidr_block(cidr).send();
    /// let made = clients.call(cx, "ec2:CreateVpc", request).await?;
    /// ```
    pub(crate) fn call<T, E>(
        &self,
        cx: &Context,
        name: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Send,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        debug_assert!(
            Actions::names(actions::ALL).contains(error::permission(name)),
            "{name}: see actions.rs"
        );
        // The SDK's futures take some 15 KiB each, too much to be part of the futures of whole listings.
        let request = Box::pin(request);
        async move {
            let explained = async {
                request.await.map_err(|error| error::from_sdk(name, self.endpoint.as_deref(), error))
            };
            let (bucket, read_only) = (limits::bucket_of(name), actions::read_only(name));
            self.limiter.run(bucket, read_only, cx, explained).await.map_err(|error| match error.kind() {
                ErrorKind::Cancelled => error.with_call(name),
                _ => error,
            })
        }
    }
}

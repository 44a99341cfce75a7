//! [`kops_core`] on Amazon Web Services.
//!
//! [`Aws::builder`] connects. The rest of this page describes properties of AWS's API on which the kinds of
//! this crate depend, in one place rather than in each of them.
//!
//! # Which calls can be repeated
//!
//! After a lost answer a creating call is repeated, so something must prevent a second object. What a call
//! offers is in the [API's model](https://github.com/aws/aws-sdk-rust/tree/main/aws-models):
//!
//! | calls | what prevents a second object |
//! |---|---|
//! | CreateRouteTable, CreateEgressOnlyInternetGateway, CreateNatGateway, CreateVolume, RunInstances, CreateLaunchTemplateVersion | a client token: a repeated token returns the same object for [at least 24 hours](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html); up to 64 ASCII characters |
//! | CreateSecurityGroup (in its VPC), ImportKeyPair, CreateLaunchTemplate (token as well), CreateAutoScalingGroup, PutLifecycleHook, CreateLoadBalancer, CreateTargetGroup, CreateRole, PutRolePolicy, CreateInstanceProfile | a name that is unique in the account. CreateLoadBalancer and CreateTargetGroup answer an identical request with the existing object |
//! | CreateListener (port), CreateRoute (destination), AssociateRouteTable (subnet), AttachInternetGateway, AssociateDhcpOptions, AddRoleToInstanceProfile, security group rules, record sets (UPSERT) | the place it takes in another object |
//! | CreateVpc, CreateSubnet, CreateDhcpOptions, CreateInternetGateway, AllocateAddress | only the tags set by the call: look for them first |
//!
//! # What listings omit
//!
//! | listing | omits | available from |
//! |---|---|---|
//! | DescribeVpcs | DNS support, DNS host names | DescribeVpcAttribute, one call for each VPC and attribute |
//! | DescribeKeyPairs | the public key | the same, with `IncludePublicKey` |
//! | DescribeLaunchTemplates | the content | DescribeLaunchTemplateVersions with `$Latest` and no template: one listing of all |
//! | DescribeInstances | user data | DescribeInstanceAttribute, one call each |
//! | DescribeAutoScalingGroups | lifecycle hooks | DescribeLifecycleHooks, one call for each group |
//! | DescribeLoadBalancers, DescribeTargetGroups, DescribeListeners | tags | DescribeTags, [20 objects a call](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html) |
//! | DescribeLoadBalancers, DescribeTargetGroups | attributes | Describe…Attributes, one call each |
//! | ListRoles, ListInstanceProfiles | tags; roles also their policies | GetRole, GetInstanceProfile, GetRolePolicy, one call each |
//! | ListHostedZones | tags, the networks of a private zone | GetHostedZone, one call each |
//!
//! ELB, IAM and Route 53 listings do not filter by tag. ELB's are filtered by name here; IAM's by path, so
//! roles and instance profiles of a cluster have a path of their own; zones are looked up by name.
//! DescribeAddresses and DescribeKeyPairs are not paginated; all others are. DescribeNatGateways lists
//! deleted gateways for about an hour.
//!
//! # Routes to NAT gateways wait until the gateway is ready
//!
//! The API reference does not say whether CreateRoute may name a NAT gateway that is still `pending`. Reports
//! differ: right after creation it is rejected (`InvalidNatGatewayID.NotFound`), seconds later it was
//! [accepted](https://github.com/boto/boto3/issues/779) for a gateway that never got further than `pending`;
//! kOps [waits](https://github.com/kubernetes/kops/pull/944) after repeated rejections. Waiting costs the
//! critical path one call (a quarter of a second after some 95 seconds), because nothing behind the route can
//! reach the internet earlier anyway; and if the gateway fails, the gateway itself is reported rather than
//! its route. So the edge waits for *ready*.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod actions;
mod builder;
mod clients;
mod cloud;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
pub mod extensions;
mod iam_policy;
pub mod kinds;
mod limits;
mod lower;
mod machines;
mod names;
mod permissions;
mod policy;
mod store;
mod tags;

pub use builder::AwsBuilder;
pub use cloud::Aws;
#[cfg(feature = "cluster")]
pub use cluster::AwsDialect;
pub use iam_policy::Policy;
pub use store::{S3Store, S3Stores};

// The crate whose types occur in this crate's API, in the version it uses.
#[doc(no_inline)]
pub use aws_credential_types;

/// The README's programs, which are compiled and run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

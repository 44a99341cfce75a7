//! VPCs.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    self, AttributeBooleanValue, ResourceType, VpcAttributeName, VpcCidrBlockStateCode,
};
use futures_util::future::{try_join, try_join_all};
use ipnet::IpNet;
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner,
    Query, Scope, State, Update,
};
use kops_core::graph::Setting;
use kops_core::resource::{Output, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A virtual private cloud.
///
/// AWS creates a main route table, a network ACL and a default security group with it; they are left
/// unmanaged and are deleted with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    /// The primary CIDR; additional ones are [`VpcCidrBlock`](super::VpcCidrBlock)s.
    pub cidr: IpNet,
    /// Whether AWS assigns a public IPv6 CIDR.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub ipv6: Setting<bool>,
    /// Whether AWS's name server resolves names in the network.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub dns_support: Setting<bool>,
    /// Whether machines with public addresses get public names; needs `dns_support`.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub dns_hostnames: Setting<bool>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Vpc {
    /// The public IPv6 CIDR, once AWS has assigned one.
    pub const IPV6_CIDR: Output<Self, IpNet> = Output::new("ipv6_cidr");

    /// Its IPv4 CIDRs, the primary one first.
    pub const CIDRS: Output<Self, Vec<IpNet>> = Output::new("cidrs");

    /// A network with AWS's defaults.
    pub fn new(cidr: IpNet) -> Self {
        Self {
            cidr,
            ipv6: Setting::Unmanaged,
            dns_support: Setting::Unmanaged,
            dns_hostnames: Setting::Unmanaged,
            tags: Tags::new(),
        }
    }
}

impl Resource for Vpc {
    const KIND: &'static str = "Vpc";
    const OUTPUTS: &'static [&'static str] = &[Self::IPV6_CIDR.name(), Self::CIDRS.name()];
    type Resolved = Self;
}

#[derive(Debug)]
pub(crate) struct Vpcs(pub(crate) Clients);

#[async_trait]
impl Handler for Vpcs {
    type Kind = Vpc;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        // Everything in the network would have to be replaced with it.
        if field == "cidr" { Mutability::Immutable } else { Mutability::InPlace }
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        const RANGE: &[&str] = &[Vpc::IPV6_CIDR.name()];
        if changed.contains("ipv6") { RANGE } else { &[] }
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        owned(&self.0, &listing::ahead(scope, cx)).await.map(drop)
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Vpc>>> {
        let found = match query.filter {
            Filter::Scope { shared, .. } => {
                let owned = owned(&self.0, query);
                let shared = listing::find(listing::any_of("vpc-id", shared), |filter| {
                    listing::vpcs(&self.0, query.cx, filter)
                });
                let (owned, shared) = try_join(owned, shared).await?;
                owned.iter().cloned().chain(shared).collect()
            }
            Filter::Ids(ids) => {
                let filters = listing::any_of("vpc-id", ids);
                listing::find(filters, |filter| listing::vpcs(&self.0, query.cx, filter)).await?
            }
        };
        let objects = found.iter().map(|vpc| observed(query.scope, vpc)).collect::<Result<_>>()?;
        try_join_all(listing::each_once(objects).into_iter().map(|vpc| self.with_attributes(vpc, query.cx)))
            .await
    }

    async fn create(&self, request: Create<'_, Vpc>) -> Result<Object<Vpc>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let call = self.0.ec2.create_vpc().cidr_block(spec.cidr.to_string());
        let call = call.amazon_provided_ipv6_cidr_block(spec.ipv6 == Setting::To(true));
        let call = call.tag_specifications(tags::specification(ResourceType::Vpc, &tags));
        let made = self.0.call(request.cx, "ec2:CreateVpc", call.send()).await?;
        let mut vpc = made.vpc.ok_or_else(|| listing::unanswered("ec2:CreateVpc"))?;
        vpc.tags = Some(tags::ec2(&tags));
        let mut object = observed(request.scope, &vpc)?;
        // The defaults of a VPC that is not the account's default one.
        // https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
        object.spec.dns_support = true.into();
        object.spec.dns_hostnames = false.into();
        Ok(object)
    }

    async fn update(&self, request: Update<'_, Vpc>) -> Result<Object<Vpc>> {
        let Update { object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        if changed.contains("dns_support")
            && let Some(&on) = spec.dns_support.managed()
        {
            let value = AttributeBooleanValue::builder().value(on).build();
            let call = self.0.ec2.modify_vpc_attribute().vpc_id(&object.id).enable_dns_support(value);
            self.0.call(cx, "ec2:ModifyVpcAttribute", call.send()).await?;
            now.spec.dns_support = on.into();
        }
        // After `dns_support`, on which it depends.
        if changed.contains("dns_hostnames")
            && let Some(&on) = spec.dns_hostnames.managed()
        {
            let value = AttributeBooleanValue::builder().value(on).build();
            let call = self.0.ec2.modify_vpc_attribute().vpc_id(&object.id).enable_dns_hostnames(value);
            self.0.call(cx, "ec2:ModifyVpcAttribute", call.send()).await?;
            now.spec.dns_hostnames = on.into();
        }
        if changed.contains("ipv6")
            && let Some(&on) = spec.ipv6.managed()
        {
            self.set_ipv6(&object.id, on, cx).await?;
            now.spec.ipv6 = on.into();
        }
        if changed.contains("tags") {
            tags::set(&self.0, cx, &object.id, &spec.tags).await?;
            now.spec.tags.extend(spec.tags.clone());
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Vpc>) -> Result<Object<Vpc>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Vpc>) -> Result<Deletion> {
        let call = self.0.ec2.delete_vpc().vpc_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteVpc", call.send()).await?;
        Ok(Deletion::Done)
    }
}

impl Vpcs {
    /// Adds the fields that the listing omits, for the scope's own VPCs: others are not compared.
    async fn with_attributes(&self, mut object: Object<Vpc>, cx: &Context) -> Result<Object<Vpc>> {
        if object.owner != Owner::Scope {
            return Ok(object);
        }
        let ask = |attribute| {
            let call = self.0.ec2.describe_vpc_attribute().vpc_id(&object.id).attribute(attribute);
            self.0.call(cx, "ec2:DescribeVpcAttribute", call.send())
        };
        let answers =
            try_join(ask(VpcAttributeName::EnableDnsSupport), ask(VpcAttributeName::EnableDnsHostnames))
                .await;
        let (support, hostnames) = match answers {
            // Deleted after it was listed; the next listing will omit it.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(object.state(State::Gone)),
            answers => answers?,
        };
        let on = |value: Option<AttributeBooleanValue>| {
            Setting::To(value.and_then(|it| it.value).unwrap_or(false))
        };
        object.spec.dns_support = on(support.enable_dns_support);
        object.spec.dns_hostnames = on(hostnames.enable_dns_hostnames);
        Ok(object)
    }

    async fn set_ipv6(&self, id: &str, on: bool, cx: &Context) -> Result<()> {
        let filters = listing::any_of("vpc-id", &[id]);
        let found = listing::find(filters, |filter| listing::vpcs(&self.0, cx, filter)).await?;
        let blocks: Vec<_> = found.iter().flat_map(ipv6_blocks).collect();
        if on && blocks.is_empty() {
            let call = self.0.ec2.associate_vpc_cidr_block().vpc_id(id).amazon_provided_ipv6_cidr_block(true);
            self.0.call(cx, "ec2:AssociateVpcCidrBlock", call.send()).await?;
        }
        if !on {
            for block in blocks {
                let call = self.0.ec2.disassociate_vpc_cidr_block();
                let call = call.set_association_id(block.association_id.clone());
                self.0.call(cx, "ec2:DisassociateVpcCidrBlock", call.send()).await?;
            }
        }
        Ok(())
    }
}

/// The VPCs that the scope may own; other kinds read them from the same response.
pub(super) async fn owned(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<types::Vpc>>> {
    listing::of_scope(query, "ec2:DescribeVpcs", |filter| listing::vpcs(clients, query.cx, filter)).await
}

/// The identifiers of the scope's own VPCs.
pub(super) async fn ids(clients: &Clients, query: &Query<'_>) -> Result<BTreeSet<String>> {
    let vpcs = owned(clients, query).await?;
    let own = vpcs.iter().filter(|vpc| tags::task(query.scope, &tags::read(vpc.tags())).is_some());
    Ok(own.filter_map(|vpc| vpc.vpc_id.clone()).collect())
}

fn ipv6_blocks(vpc: &types::Vpc) -> impl Iterator<Item = &types::VpcIpv6CidrBlockAssociation> {
    vpc.ipv6_cidr_block_association_set().iter().filter(|block| {
        let state = block.ipv6_cidr_block_state().and_then(|it| it.state());
        matches!(state, Some(VpcCidrBlockStateCode::Associated | VpcCidrBlockStateCode::Associating))
    })
}

/// The IPv4 CIDRs, the primary one first.
pub(crate) fn ipv4_blocks(vpc: &types::Vpc) -> Result<Vec<IpNet>> {
    let associated = vpc.cidr_block_association_set().iter().filter(|block| {
        let state = block.cidr_block_state().and_then(|it| it.state());
        matches!(state, Some(VpcCidrBlockStateCode::Associated | VpcCidrBlockStateCode::Associating))
    });
    let primary = listing::cidr(vpc.cidr_block())?;
    let mut cidrs = vec![primary];
    for block in associated {
        let cidr = listing::cidr(block.cidr_block())?;
        if cidr != primary {
            cidrs.push(cidr);
        }
    }
    Ok(cidrs)
}

fn observed(scope: &Scope, vpc: &types::Vpc) -> Result<Object<Vpc>> {
    let tags = tags::read(vpc.tags());
    let block = ipv6_blocks(vpc).next();
    let spec = Vpc {
        cidr: listing::cidr(vpc.cidr_block())?,
        ipv6: block.is_some().into(),
        dns_support: Setting::Unmanaged,
        dns_hostnames: Setting::Unmanaged,
        tags: tags::further(&tags),
    };
    // A VPC that is `pending` can be used already.
    let mut object = tags::object(scope, vpc.vpc_id().unwrap_or_default(), &tags, spec);
    object.outputs.set(Vpc::CIDRS, ipv4_blocks(vpc)?);
    if let Some(cidr) = block.and_then(|it| it.ipv6_cidr_block()) {
        object.outputs.set(Vpc::IPV6_CIDR, listing::cidr(Some(cidr))?);
    }
    Ok(object)
}

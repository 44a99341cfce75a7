//! Internet gateways.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, AttachmentStatus, ResourceType};
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Query, Scope, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{Vpc, listing};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A VPC's internet gateway. A VPC has at most one, so the VPC's identifier selects it too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ec2InternetGateway<S: Stage = Open> {
    /// The VPC it is attached to. A new gateway is not attached: attaching it is an update.
    pub vpc: Option<At<S, Id<Vpc>>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for Ec2InternetGateway {
    const KIND: &'static str = "Ec2InternetGateway";
    type Resolved = Ec2InternetGateway<Closed>;
}

#[derive(Debug)]
pub(crate) struct InternetGateways(pub(crate) Clients);

#[async_trait]
impl Handler for InternetGateways {
    type Kind = Ec2InternetGateway;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn delete_after(&self) -> &'static [&'static str] {
        // AWS keeps a gateway attached while the VPC has public addresses in use.
        &["ElasticIp", "Ec2NatGateway", "Ec2Instance", "AutoScalingGroup", "NetworkLoadBalancer"]
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Ec2InternetGateway<Closed>>>> {
        let filters = match query.filter {
            Filter::Scope { shared, .. } => {
                // A gateway is selected by its own identifier or by its VPC's.
                let (vpcs, gateways): (Vec<_>, Vec<_>) =
                    shared.iter().copied().partition(|selector| selector.starts_with("vpc-"));
                let mut filters = vec![tags::filter(query.scope)];
                filters.extend(listing::any_of("attachment.vpc-id", &vpcs));
                filters.extend(listing::any_of("internet-gateway-id", &gateways));
                filters
            }
            Filter::Ids(ids) => listing::any_of("internet-gateway-id", ids),
        };
        let found =
            listing::find(filters, |filter| listing::internet_gateways(&self.0, query.cx, filter)).await?;
        Ok(listing::each_once(found.iter().map(|gateway| observed(query.scope, gateway)).collect()))
    }

    async fn create(
        &self,
        request: Create<'_, Ec2InternetGateway<Closed>>,
    ) -> Result<Object<Ec2InternetGateway<Closed>>> {
        let tags = tags::of_new(&request, &request.spec.tags);
        let call = self.0.ec2.create_internet_gateway();
        let call = call.tag_specifications(tags::specification(ResourceType::InternetGateway, &tags));
        let made = self.0.call(request.cx, "ec2:CreateInternetGateway", call.send()).await?;
        let gateway = made.internet_gateway;
        let mut gateway = gateway.ok_or_else(|| listing::unanswered("ec2:CreateInternetGateway"))?;
        gateway.tags = Some(tags::ec2(&tags));
        Ok(observed(request.scope, &gateway))
    }

    async fn update(
        &self,
        request: Update<'_, Ec2InternetGateway<Closed>>,
    ) -> Result<Object<Ec2InternetGateway<Closed>>> {
        let Update { object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        if changed.contains("vpc") {
            if let Some(vpc) = &object.spec.vpc {
                self.detach(&object.id, vpc, cx).await?;
            }
            if let Some(vpc) = &spec.vpc {
                self.attach(&object.id, vpc, cx).await?;
            }
            now.spec.vpc.clone_from(&spec.vpc);
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

    async fn adopt(
        &self,
        request: Adopt<'_, Ec2InternetGateway<Closed>>,
    ) -> Result<Object<Ec2InternetGateway<Closed>>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Ec2InternetGateway<Closed>>) -> Result<Deletion> {
        let Delete { object, cx, .. } = request;
        if let Some(vpc) = &object.spec.vpc {
            self.detach(&object.id, vpc, cx).await?;
        }
        let call = self.0.ec2.delete_internet_gateway().internet_gateway_id(&object.id);
        self.0.call(cx, "ec2:DeleteInternetGateway", call.send()).await?;
        Ok(Deletion::Done)
    }
}

impl InternetGateways {
    async fn attach(&self, gateway: &str, vpc: &Id<Vpc>, cx: &Context) -> Result<()> {
        let call = self.0.ec2.attach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc.as_str());
        match self.0.call(cx, "ec2:AttachInternetGateway", call.send()).await {
            // A repeated call, unless the gateway is attached to another VPC.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.is_attached(gateway, vpc, cx).await? { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    }

    async fn detach(&self, gateway: &str, vpc: &Id<Vpc>, cx: &Context) -> Result<()> {
        let call = self.0.ec2.detach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc.as_str());
        match self.0.call(cx, "ec2:DetachInternetGateway", call.send()).await {
            // AWS answers a repeated call with `Gateway.NotAttached`.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => {
                if self.is_attached(gateway, vpc, cx).await? { Err(error) } else { Ok(()) }
            }
            answer => answer.map(drop),
        }
    }

    async fn is_attached(&self, gateway: &str, vpc: &Id<Vpc>, cx: &Context) -> Result<bool> {
        let filters = listing::any_of("internet-gateway-id", &[gateway]);
        let found = listing::find(filters, |filter| listing::internet_gateways(&self.0, cx, filter)).await?;
        Ok(found.iter().any(|gateway| attached_to(gateway) == Some(vpc.as_str())))
    }
}

fn attached_to(gateway: &types::InternetGateway) -> Option<&str> {
    let leaving = [AttachmentStatus::Detaching, AttachmentStatus::Detached];
    let attachment = gateway
        .attachments()
        .iter()
        .find(|attachment| !attachment.state().is_some_and(|state| leaving.contains(state)))?;
    attachment.vpc_id()
}

fn observed(scope: &Scope, gateway: &types::InternetGateway) -> Object<Ec2InternetGateway<Closed>> {
    let tags = tags::read(gateway.tags());
    let vpc = attached_to(gateway);
    let spec = Ec2InternetGateway { vpc: vpc.map(Id::new), tags: tags::further(&tags) };
    let object = tags::object(scope, gateway.internet_gateway_id().unwrap_or_default(), &tags, spec);
    match vpc {
        Some(vpc) => object.alias(vpc),
        None => object,
    }
}

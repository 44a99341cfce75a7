//! Launch templates: the configuration of a group's machines.
//!
//! A template has immutable versions. A change therefore creates a new version and makes it the default;
//! groups specify a version explicitly, so the number of the newest one is an output, and one that an update
//! changes. If a run ends between the two calls, the newest version is not the default: that is drift like
//! any other, and the next run repairs it.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, Filter as By, ResourceType};
use futures_util::future::{try_join, try_join_all};
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Query, Scope, Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Secret, Stage};
use kops_core::resource::{At, Output, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::launch_template_data::{read, request};
use super::{Image, InstanceProfile, InstanceType, KeyPair, SecurityGroup, listing, named};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// The configuration of machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct LaunchTemplate<S: Stage = Open> {
    /// The image.
    pub image: At<S, Id<Image>>,
    /// The machine type.
    pub instance_type: At<S, Id<InstanceType>>,
    /// The key pair that may log in.
    pub key_pair: Option<At<S, Id<KeyPair>>>,
    /// The instance profile, which grants their cloud permissions.
    pub instance_profile: Option<At<S, Id<InstanceProfile>>>,
    /// The security groups of each.
    pub security_groups: BTreeSet<At<S, Id<SecurityGroup>>>,
    /// The user data, which runs on first boot, as plain text.
    pub user_data: Option<At<S, Secret>>,
    /// Their disks.
    pub block_devices: BTreeSet<BlockDevice<S>>,
    /// Whether they get a public address; the subnet decides if `None`.
    pub public_ip: Option<bool>,
    /// Whether the metadata service requires session tokens.
    pub metadata_tokens_required: bool,
    /// The maximum number of network hops of metadata responses; one if `None`.
    pub metadata_hop_limit: Option<u32>,
    /// Whether metrics are collected every minute instead of every five.
    pub detailed_monitoring: bool,
    /// Spot options; on-demand if `None`.
    pub spot: Option<SpotMarket>,
    /// Their tenancy.
    pub tenancy: Option<String>,
    /// Their burst credits.
    pub cpu_credits: Option<String>,
    /// Whether they are EBS-optimised.
    pub ebs_optimized: bool,
    /// All tags of machines and their disks.
    pub machine_tags: BTreeSet<MachineTag>,
    /// Whether the newest version is the default.
    pub latest_is_default: bool,
    /// Tags of the template itself, in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct BlockDevice<S: Stage = Open> {
    /// The device name; for the root volume, the one that the image specifies.
    pub device: At<S, String>,
    /// Size in GiB.
    pub size: u32,
    /// The volume type; EC2's default if `None`.
    pub volume_type: Option<String>,
    /// Provisioned I/O operations per second.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB/s.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key it is encrypted with.
    pub kms_key: Option<String>,
    /// Whether it is deleted with the machine.
    pub delete_on_termination: bool,
}

/// Spot options of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotMarket {
    /// The maximum price in US dollars per hour; the on-demand price if `None`.
    pub max_price: Option<String>,
    /// What happens to an interrupted machine; it is terminated if `None`.
    pub interruption_behavior: Option<String>,
}

/// A tag of a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MachineTag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl LaunchTemplate {
    /// The number of the newest version, as text.
    pub const LATEST_VERSION: Output<Self, String> = Output::new("latest_version");
}

impl Resource for LaunchTemplate {
    const KIND: &'static str = "LaunchTemplate";
    const OUTPUTS: &'static [&'static str] = &[Self::LATEST_VERSION.name()];
    type Resolved = LaunchTemplate<Closed>;
}

pub(crate) struct LaunchTemplates(pub(crate) Clients);

type Versions = HashMap<String, types::LaunchTemplateVersion>;

impl LaunchTemplates {
    async fn describe(&self, query: &Query<'_>, filters: Vec<By>) -> Result<Vec<types::LaunchTemplate>> {
        let describe = |by: By| {
            pages(move |token| {
                let request = self.0.ec2.describe_launch_templates().filters(by.clone());
                let request = request.max_results(200).set_next_token(token);
                async move {
                    let page = self.0.call(query.cx, "ec2:DescribeLaunchTemplates", request.send()).await?;
                    Ok((page.launch_templates.unwrap_or_default(), page.next_token))
                }
            })
        };
        Ok(try_join_all(filters.into_iter().map(describe)).await?.into_iter().flatten().collect())
    }

    /// The newest version of every template of the account: naming the templates would take a call for each.
    async fn newest(&self, query: &Query<'_>) -> Result<Versions> {
        let versions = pages(|token| {
            let request = self.0.ec2.describe_launch_template_versions().versions("$Latest");
            let request = request.max_results(200).set_next_token(token);
            async move {
                let page =
                    self.0.call(query.cx, "ec2:DescribeLaunchTemplateVersions", request.send()).await?;
                Ok((page.launch_template_versions.unwrap_or_default(), page.next_token))
            }
        });
        let by_id =
            |version: types::LaunchTemplateVersion| Some((version.launch_template_id.clone()?, version));
        Ok(versions.await?.into_iter().filter_map(by_id).collect())
    }

    async fn make_default(
        &self,
        request: &Update<'_, LaunchTemplate<Closed>>,
        version: String,
    ) -> Result<()> {
        let modify = self.0.ec2.modify_launch_template().launch_template_id(&request.object.id);
        let modify = modify.default_version(version);
        self.0.call(request.cx, "ec2:ModifyLaunchTemplate", modify.send()).await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for LaunchTemplates {
    type Kind = LaunchTemplate;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        const VERSION: &[&str] = &[LaunchTemplate::LATEST_VERSION.name()];
        if changed.iter().any(|member| is_of_version(member)) { VERSION } else { &[] }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<LaunchTemplate<Closed>>>> {
        let (templates, versions) = match query.filter {
            Filter::Ids(ids) => {
                let filters = listing::any_of("launch-template-id", ids);
                try_join(self.describe(query, filters), self.newest(query)).await?
            }
            Filter::Scope { wanted, shared, .. } => {
                let ours = self.describe(query, vec![tags::filter(query.scope)]);
                let (mut templates, versions) = try_join(ours, self.newest(query)).await?;
                let known = templates.iter().filter_map(|it| it.launch_template_name.as_deref());
                let names = named::missing(known, wanted, shared);
                templates
                    .extend(self.describe(query, listing::any_of("launch-template-name", &names)).await?);
                (templates, versions)
            }
        };
        Ok(templates.iter().filter_map(|template| object(query.scope, template, &versions)).collect())
    }

    async fn create(
        &self,
        request: Create<'_, LaunchTemplate<Closed>>,
    ) -> Result<Object<LaunchTemplate<Closed>>> {
        let tags = tags::of_new(&request, &request.spec.tags);
        let create = self
            .0
            .ec2
            .create_launch_template()
            .client_token(request.token)
            .launch_template_name(request.name)
            .launch_template_data(request_data(request.spec)?)
            .tag_specifications(tags::specification(ResourceType::LaunchTemplate, &tags));
        let made = self.0.call(request.cx, "ec2:CreateLaunchTemplate", create.send()).await?;
        let id = made.launch_template.and_then(|template| template.launch_template_id);
        let id = id.ok_or_else(|| Error::internal("the response contains no launch template"))?;
        let version = LaunchTemplate::LATEST_VERSION;
        Ok(Object::owned(id, request.name, request.spec.clone()).output(version, "1".to_owned()))
    }

    async fn update(
        &self,
        request: Update<'_, LaunchTemplate<Closed>>,
    ) -> Result<Object<LaunchTemplate<Closed>>> {
        let Update { object, spec, changed, cx, .. } = &request;
        if changed.contains("tags") {
            tags::set(&self.0, cx, &object.id, &spec.tags).await?;
        }
        let latest =
            || object.outputs.value(LaunchTemplate::LATEST_VERSION.name()).and_then(|it| it.as_str());
        let mut version = latest().unwrap_or_default().to_owned();
        if changed.iter().any(|member| is_of_version(member)) {
            let create = self
                .0
                .ec2
                .create_launch_template_version()
                .client_token(request.token)
                .launch_template_id(&object.id)
                .launch_template_data(request_data(spec)?);
            let made = self.0.call(cx, "ec2:CreateLaunchTemplateVersion", create.send()).await?;
            let number = made.launch_template_version.and_then(|version| version.version_number);
            version = number.ok_or_else(|| Error::internal("the response contains no version"))?.to_string();
            self.make_default(&request, version.clone()).await?;
        } else if changed.contains("latest_is_default") {
            self.make_default(&request, version.clone()).await?;
        }
        let object = (*object).clone().spec((*spec).clone());
        Ok(object.output(LaunchTemplate::LATEST_VERSION, version))
    }

    async fn delete(&self, request: Delete<'_, LaunchTemplate<Closed>>) -> Result<Deletion> {
        let delete = self.0.ec2.delete_launch_template().launch_template_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteLaunchTemplate", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

/// Whether a field is part of the template's versions.
fn is_of_version(member: &str) -> bool {
    !["tags", "latest_is_default"].contains(&member)
}

fn request_data(spec: &LaunchTemplate<Closed>) -> Result<types::RequestLaunchTemplateData> {
    if !spec.latest_is_default {
        return Err(Error::invalid(
            "latest_is_default only reports drift; it must not be false in a specification",
        ));
    }
    request(spec)
}

fn object(
    scope: &Scope,
    template: &types::LaunchTemplate,
    versions: &Versions,
) -> Option<Object<LaunchTemplate<Closed>>> {
    let id = template.launch_template_id.as_deref()?;
    let name = template.launch_template_name.as_deref()?;
    let tags = tags::read(template.tags());
    let newest = versions.get(id);
    let mut spec = read(newest.and_then(|version| version.launch_template_data.as_ref()));
    spec.latest_is_default = template.default_version_number == template.latest_version_number;
    spec.tags = tags::further(&tags);
    let version = newest.and_then(|version| version.version_number).or(template.latest_version_number);
    let object = tags::object(scope, id, &tags, spec).alias(name);
    let object = object.output(LaunchTemplate::LATEST_VERSION, version.unwrap_or_default().to_string());
    Some(named::show(object, name))
}

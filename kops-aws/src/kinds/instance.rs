//! Single machines.
//!
//! Machines of groups carry the cluster's tags as well; a machine is a task's object only if it has a task
//! tag.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    self, BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceAttributeName, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification,
    InstanceStateName, MonitoringState, ResourceType, RunInstancesMonitoringEnabled, VolumeType,
};
use futures_util::future::{try_join, try_join_all, try_join3};
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Outputs, Owner,
    Query, State, Timing, Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Secret, Setting, Stage};
use kops_core::resource::{At, Output, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::convert::{count, int};
use super::launch_template_data::{decode, encode};
use super::{
    Ec2Subnet, ElasticIp, Image, InstanceProfile, InstanceType, KeyPair, SecurityGroup, TargetGroup,
    instance_targets, listing,
};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ec2Instance<S: Stage = Open> {
    /// The subnet.
    pub subnet: At<S, Id<Ec2Subnet>>,
    /// The image.
    pub image: At<S, Id<Image>>,
    /// The machine type.
    pub instance_type: At<S, Id<InstanceType>>,
    /// The security groups.
    pub security_groups: BTreeSet<At<S, Id<SecurityGroup>>>,
    /// The instance profile, which grants its cloud permissions.
    pub instance_profile: Option<At<S, Id<InstanceProfile>>>,
    /// The key pair that may log in.
    pub key_pair: Option<At<S, Id<KeyPair>>>,
    /// The user data, which runs on first boot, as plain text.
    pub user_data: Option<At<S, Secret>>,
    /// The device of its root volume, as specified by the image.
    pub root_device: At<S, String>,
    /// Its root volume.
    pub root_disk: RootDisk,
    /// Whether AWS assigns a public address to it on launch. A machine with an `address` loses it.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub public_ip: Setting<bool>,
    /// The elastic IP address that is associated with it.
    #[serde(default)]
    pub address: Option<At<S, Id<ElasticIp>>>,
    /// The target groups that it is in.
    #[serde(default)]
    pub target_groups: BTreeSet<At<S, Id<TargetGroup>>>,
    /// Whether the metadata service requires session tokens.
    pub metadata_tokens_required: bool,
    /// The maximum number of network hops of metadata responses.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub metadata_hop_limit: Setting<u32>,
    /// Whether metrics are collected every minute instead of every five.
    pub detailed_monitoring: bool,
    /// Tags in addition to the ownership tags; its disks get them too.
    #[serde(default)]
    pub tags: Tags,
}

/// A machine's root volume. It is deleted with the machine unless `keep` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootDisk {
    /// Size in GiB.
    pub size: u32,
    /// The volume type.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub volume_type: Setting<String>,
    /// Provisioned I/O operations per second.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub iops: Setting<u32>,
    /// Provisioned throughput in MiB/s.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub throughput: Setting<u32>,
    /// Whether it is encrypted; an account may encrypt all disks by default.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub encrypted: Setting<bool>,
    /// The key it is encrypted with, by ARN.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub kms_key: Setting<String>,
    /// Whether it outlives the machine.
    pub keep: bool,
}

impl Ec2Instance {
    /// The address inside the network.
    pub const PRIVATE_IP: Output<Self, String> = Output::new("private_ip");
    /// The public address, if it has one.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for Ec2Instance {
    const KIND: &'static str = "Ec2Instance";
    const OUTPUTS: &'static [&'static str] = &[Self::PRIVATE_IP.name(), Self::PUBLIC_IP.name()];
    type Resolved = Ec2Instance<Closed>;
}

pub(crate) struct Instances(pub(crate) Clients);

type Machine = Ec2Instance<Closed>;

/// Fields that the listing of machines omits.
#[derive(Default)]
struct Details {
    user_data: Option<Secret>,
    root: Option<types::Volume>,
}

/// The name of the filter by identifier.
const ID: &str = "instance-id";

impl Instances {
    async fn describe(&self, query: &Query<'_>) -> Result<Vec<types::Instance>> {
        let describe = |by: Vec<types::Filter>| {
            pages(move |token| {
                let request = self.0.ec2.describe_instances().set_filters(Some(by.clone()));
                let request = request.max_results(1000).set_next_token(token);
                async move {
                    let page = self.0.call(query.cx, "ec2:DescribeInstances", request.send()).await?;
                    let reservations = page.reservations.unwrap_or_default().into_iter();
                    let instances = reservations.flat_map(|it| it.instances.unwrap_or_default());
                    Ok((instances.collect(), page.next_token))
                }
            })
        };
        let by_id = |ids: Vec<types::Filter>| ids.into_iter().map(|filter| vec![filter]);
        let filters: Vec<_> = match query.filter {
            // Excludes the machines of groups, of which there can be thousands.
            Filter::Scope { shared, .. } => {
                std::iter::once(vec![tags::filter(query.scope), tags::filter_tasks()])
                    .chain(by_id(listing::any_of(ID, shared)))
                    .collect()
            }
            Filter::Ids(ids) => by_id(listing::any_of(ID, ids)).collect(),
        };
        Ok(try_join_all(filters.into_iter().map(describe)).await?.into_iter().flatten().collect())
    }

    async fn details(&self, query: &Query<'_>, instances: &[&types::Instance]) -> Result<Vec<Details>> {
        let user_data = instances.iter().map(|instance| self.user_data(query, instance));
        let (user_data, mut roots) = try_join(try_join_all(user_data), self.roots(query, instances)).await?;
        let root = |instance: &types::Instance| roots.remove(root_volume(instance)?);
        let roots: Vec<_> = instances.iter().copied().map(root).collect();
        Ok(user_data.into_iter().zip(roots).map(|(user_data, root)| Details { user_data, root }).collect())
    }

    async fn user_data(&self, query: &Query<'_>, instance: &types::Instance) -> Result<Option<Secret>> {
        let request = self.0.ec2.describe_instance_attribute().set_instance_id(instance.instance_id.clone());
        let request = request.attribute(InstanceAttributeName::UserData);
        let answer = self.0.call(query.cx, "ec2:DescribeInstanceAttribute", request.send()).await?;
        Ok(answer.user_data.and_then(|it| it.value).map(|encoded| decode(&encoded)))
    }

    async fn roots(
        &self,
        query: &Query<'_>,
        instances: &[&types::Instance],
    ) -> Result<HashMap<String, types::Volume>> {
        let ids: Vec<_> = instances.iter().filter_map(|instance| root_volume(instance)).collect();
        let describe = async |by: types::Filter| {
            let request = self.0.ec2.describe_volumes().filters(by);
            self.0.call(query.cx, "ec2:DescribeVolumes", request.send()).await
        };
        let answers = try_join_all(listing::any_of("volume-id", &ids).into_iter().map(describe)).await?;
        let volumes = answers.into_iter().flat_map(|answer| answer.volumes.unwrap_or_default());
        Ok(volumes.filter_map(|volume| Some((volume.volume_id.clone()?, volume))).collect())
    }

    async fn set_security_groups(&self, request: &Update<'_, Machine>) -> Result<()> {
        let groups = request.spec.security_groups.iter().map(ToString::to_string).collect();
        let modify = self.0.ec2.modify_instance_attribute().instance_id(&request.object.id);
        let modify = modify.set_groups(Some(groups));
        self.0.call(request.cx, "ec2:ModifyInstanceAttribute", modify.send()).await?;
        Ok(())
    }

    /// The elastic IP addresses of machines, by the machine's identifier; asked for only if one has a public address.
    async fn addresses(
        &self,
        query: &Query<'_>,
        instances: &[&types::Instance],
    ) -> Result<HashMap<String, Id<ElasticIp>>> {
        let public = instances.iter().filter(|instance| instance.public_ip_address.is_some());
        let ids: Vec<_> = public.filter_map(|instance| instance.instance_id.as_deref()).collect();
        let filters = listing::any_of(ID, &ids);
        let found = listing::find(filters, |filter| listing::addresses(&self.0, query.cx, filter)).await?;
        Ok(found.into_iter().filter_map(|it| Some((it.instance_id?, Id::new(it.allocation_id?)))).collect())
    }

    async fn set_address(&self, request: &Update<'_, Machine>) -> Result<()> {
        let Update { object, spec, cx, .. } = request;
        if let Some(address) = &spec.address {
            // An address that another machine still has is not taken away from it.
            let associate = self.0.ec2.associate_address().allocation_id(address.as_str());
            let associate = associate.instance_id(&object.id).allow_reassociation(false);
            self.0.call(cx, "ec2:AssociateAddress", associate.send()).await?;
            return Ok(());
        }
        let filters = listing::any_of(ID, &[&object.id]);
        for address in listing::find(filters, |filter| listing::addresses(&self.0, cx, filter)).await? {
            let disassociate = self.0.ec2.disassociate_address().set_association_id(address.association_id);
            self.0.call(cx, "ec2:DisassociateAddress", disassociate.send()).await?;
        }
        Ok(())
    }

    async fn set_monitoring(&self, request: &Update<'_, Machine>) -> Result<()> {
        let id = &request.object.id;
        if request.spec.detailed_monitoring {
            let monitor = self.0.ec2.monitor_instances().instance_ids(id);
            self.0.call(request.cx, "ec2:MonitorInstances", monitor.send()).await?;
        } else {
            let unmonitor = self.0.ec2.unmonitor_instances().instance_ids(id);
            self.0.call(request.cx, "ec2:UnmonitorInstances", unmonitor.send()).await?;
        }
        Ok(())
    }

    async fn set_metadata(&self, request: &Update<'_, Machine>) -> Result<()> {
        let spec = request.spec;
        let modify = self
            .0
            .ec2
            .modify_instance_metadata_options()
            .instance_id(&request.object.id)
            .http_tokens(tokens(spec))
            .set_http_put_response_hop_limit(
                spec.metadata_hop_limit.managed().copied().map(int).transpose()?,
            );
        self.0.call(request.cx, "ec2:ModifyInstanceMetadataOptions", modify.send()).await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for Instances {
    type Kind = Ec2Instance;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Token
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            "security_groups"
            | "detailed_monitoring"
            | "metadata_tokens_required"
            | "metadata_hop_limit"
            | "address"
            | "target_groups"
            | "tags" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        const IP: &[&str] = &[Ec2Instance::PUBLIC_IP.name()];
        if changed.contains("address") { IP } else { &[] }
    }

    fn timing(&self) -> Timing {
        Timing::new()
            .call(Duration::from_secs(1))
            .settle(Duration::from_secs(20))
            .vanish(Duration::from_secs(40))
            .poll(Duration::from_secs(5))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Machine>>> {
        let instances = self.describe(query).await?;
        // Terminated machines are shown for an hour: a machine that is created again must not be matched with
        // one.
        let (ended, there): (Vec<_>, Vec<_>) = instances.iter().partition(|it| state(it) == State::Gone);
        let (details, mut addresses, mut targets) = try_join3(
            self.details(query, &there),
            self.addresses(query, &there),
            instance_targets::of(&self.0, query, &there),
        )
        .await?;
        let ended = ended.into_iter().map(|instance| (instance, Details::default()));
        let objects = there.into_iter().zip(details).chain(ended).filter_map(|(instance, details)| {
            let id = instance.instance_id.as_deref()?;
            let tags = tags::read(instance.tags());
            let mut spec = spec(instance, &tags, details);
            spec.address = addresses.remove(id);
            spec.public_ip = Setting::To(instance.public_ip_address.is_some() && spec.address.is_none());
            spec.target_groups = targets.remove(id).unwrap_or_default();
            let mut object = tags::object(query.scope, id, &tags, spec);
            if !tags::says_task(&tags) {
                object = object.owner(Owner::Other).name(None);
            }
            Some(with_outputs(object, instance))
        });
        Ok(listing::each_once(objects.collect()))
    }

    async fn create(&self, request: Create<'_, Machine>) -> Result<Object<Machine>> {
        let spec = request.spec;
        let mut tags = tags::of_new(&request, &spec.tags);
        if !spec.target_groups.is_empty() {
            tags.extend(instance_targets::mark());
        }
        // The address of its own follows once it runs.
        let public_ip = spec.address.as_ref().map(|_| false).or(spec.public_ip.managed().copied());
        let groups = spec.security_groups.iter().map(ToString::to_string).collect();
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .subnet_id(spec.subnet.as_str())
            .delete_on_termination(true)
            .set_associate_public_ip_address(public_ip)
            .set_groups(Some(groups))
            .build();
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_tokens(tokens(spec))
            .set_http_put_response_hop_limit(spec.metadata_hop_limit.managed().copied().map(int).transpose()?)
            .build();
        let profile = spec
            .instance_profile
            .as_ref()
            .map(|profile| IamInstanceProfileSpecification::builder().name(profile.as_str()).build());
        let run = self
            .0
            .ec2
            .run_instances()
            .client_token(request.token)
            .min_count(1)
            .max_count(1)
            .image_id(spec.image.as_str())
            .instance_type(types::InstanceType::from(spec.instance_type.as_str()))
            .set_key_name(spec.key_pair.as_ref().map(ToString::to_string))
            .set_iam_instance_profile(profile)
            .set_user_data(spec.user_data.as_ref().map(encode).transpose()?)
            .network_interfaces(interface)
            .block_device_mappings(root_mapping(spec)?)
            .metadata_options(metadata)
            .monitoring(RunInstancesMonitoringEnabled::builder().enabled(spec.detailed_monitoring).build())
            .tag_specifications(tags::specification(ResourceType::Instance, &tags))
            .tag_specifications(tags::specification(ResourceType::Volume, &tags::without_task(&tags)));
        let made = self.0.call(request.cx, "ec2:RunInstances", run.send()).await?;
        let instance = made.instances.unwrap_or_default().into_iter().next();
        let instance = instance.ok_or_else(|| Error::internal("the response contains no machine"))?;
        let id = instance.instance_id.clone().unwrap_or_default();
        let spec = Ec2Instance { address: None, target_groups: BTreeSet::new(), ..spec.clone() };
        Ok(with_outputs(Object::owned(id, request.name, spec), &instance))
    }

    async fn update(&self, request: Update<'_, Machine>) -> Result<Object<Machine>> {
        let changed = |member: &str| request.changed.contains(member);
        if changed("tags") {
            tags::set(&self.0, request.cx, &request.object.id, &request.spec.tags).await?;
        }
        if changed("security_groups") {
            self.set_security_groups(&request).await?;
        }
        if changed("detailed_monitoring") {
            self.set_monitoring(&request).await?;
        }
        if changed("metadata_tokens_required") || changed("metadata_hop_limit") {
            self.set_metadata(&request).await?;
        }
        if changed("target_groups") {
            instance_targets::set(&self.0, &request).await?;
        }
        let object = request.object.clone().spec(request.spec.clone());
        if changed("address") {
            self.set_address(&request).await?;
            // Its public address is another one from now on.
            return Ok(object.outputs(Outputs::default()).state(State::Pending));
        }
        Ok(object)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Machine>) -> Result<Object<Machine>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Machine>) -> Result<Deletion> {
        let terminate = self.0.ec2.terminate_instances().instance_ids(&request.object.id);
        self.0.call(request.cx, "ec2:TerminateInstances", terminate.send()).await?;
        Ok(Deletion::Pending)
    }
}

fn tokens(spec: &Machine) -> HttpTokensState {
    if spec.metadata_tokens_required { HttpTokensState::Required } else { HttpTokensState::Optional }
}

fn root_mapping(spec: &Machine) -> Result<BlockDeviceMapping> {
    let disk = &spec.root_disk;
    let ebs = EbsBlockDevice::builder()
        .volume_size(int(disk.size)?)
        .set_volume_type(disk.volume_type.managed().map(|it| VolumeType::from(it.as_str())))
        .set_iops(disk.iops.managed().copied().map(int).transpose()?)
        .set_throughput(disk.throughput.managed().copied().map(int).transpose()?)
        .set_encrypted(disk.encrypted.managed().copied())
        .set_kms_key_id(disk.kms_key.managed().cloned())
        .delete_on_termination(!disk.keep)
        .build();
    Ok(BlockDeviceMapping::builder().device_name(&spec.root_device).ebs(ebs).build())
}

/// The root volume.
fn root_volume(instance: &types::Instance) -> Option<&str> {
    root(instance)?.volume_id.as_deref()
}

fn root(instance: &types::Instance) -> Option<&types::EbsInstanceBlockDevice> {
    let is_root = |it: &&types::InstanceBlockDeviceMapping| it.device_name == instance.root_device_name;
    instance.block_device_mappings().iter().find(is_root)?.ebs.as_ref()
}

fn state(instance: &types::Instance) -> State {
    match instance.state.as_ref().and_then(|state| state.name.as_ref()) {
        Some(InstanceStateName::Pending) => State::Pending,
        Some(InstanceStateName::ShuttingDown) => State::Deleting,
        Some(InstanceStateName::Terminated) => State::Gone,
        // Stopped by someone, who may start it again.
        _ => State::Ready,
    }
}

fn with_outputs(object: Object<Machine>, instance: &types::Instance) -> Object<Machine> {
    let mut object = object.state(state(instance));
    if let Some(address) = &instance.private_ip_address {
        object = object.output(Ec2Instance::PRIVATE_IP, address.clone());
    }
    if let Some(address) = &instance.public_ip_address {
        object = object.output(Ec2Instance::PUBLIC_IP, address.clone());
    }
    object
}

fn spec(instance: &types::Instance, tags: &Tags, details: Details) -> Machine {
    let metadata = instance.metadata_options.as_ref();
    let profile = instance.iam_instance_profile.as_ref().and_then(|it| it.arn.as_deref());
    let disk = details.root.as_ref();
    let number = |number: Option<i32>| number.map_or(Setting::Unmanaged, |it| Setting::To(count(Some(it))));
    let setting = |text: Option<String>| text.map_or(Setting::Unmanaged, Setting::To);
    Ec2Instance {
        subnet: Id::new(instance.subnet_id.clone().unwrap_or_default()),
        image: Id::new(instance.image_id.clone().unwrap_or_default()),
        instance_type: Id::new(instance.instance_type.as_ref().map(ToString::to_string).unwrap_or_default()),
        security_groups: instance
            .security_groups()
            .iter()
            .filter_map(|it| it.group_id.as_deref())
            .map(Id::new)
            .collect(),
        instance_profile: profile.and_then(|arn| arn.rsplit('/').next()).map(Id::new),
        key_pair: instance.key_name.as_deref().map(Id::new),
        user_data: details.user_data,
        root_device: instance.root_device_name.clone().unwrap_or_default(),
        root_disk: RootDisk {
            size: count(disk.and_then(|disk| disk.size)),
            volume_type: setting(disk.and_then(|disk| disk.volume_type.as_ref()).map(ToString::to_string)),
            iops: number(disk.and_then(|disk| disk.iops)),
            throughput: number(disk.and_then(|disk| disk.throughput)),
            encrypted: Setting::To(disk.and_then(|disk| disk.encrypted).unwrap_or_default()),
            kms_key: setting(disk.and_then(|disk| disk.kms_key_id.clone())),
            keep: root(instance).and_then(|root| root.delete_on_termination) == Some(false),
        },
        public_ip: Setting::Unmanaged,
        address: None,
        target_groups: BTreeSet::new(),
        metadata_tokens_required: metadata
            .is_some_and(|it| it.http_tokens == Some(HttpTokensState::Required)),
        metadata_hop_limit: number(metadata.and_then(|it| it.http_put_response_hop_limit)),
        detailed_monitoring: matches!(
            instance.monitoring.as_ref().and_then(|it| it.state.as_ref()),
            Some(MonitoringState::Enabled | MonitoringState::Pending)
        ),
        tags: tags::further(tags),
    }
}

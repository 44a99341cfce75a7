//! Conversion of launch template data to and from EC2's form.
//!
//! EC2 stores the data as given and adds nothing, so that it can be compared as it is.

use aws_sdk_ec2::types::{
    self, InstanceInterruptionBehavior, LaunchTemplateBlockDeviceMapping,
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMarketOptions, LaunchTemplateInstanceMarketOptionsRequest,
    LaunchTemplateInstanceMetadataEndpointState, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, LaunchTemplatePlacementRequest,
    LaunchTemplateSpotMarketOptionsRequest, LaunchTemplateTagSpecificationRequest,
    LaunchTemplatesMonitoringRequest, MarketType, RequestLaunchTemplateData, ResourceType,
    ResponseLaunchTemplateData, VolumeType,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kops_core::graph::{Closed, Id, Secret};
use kops_core::{Error, Result};

use super::convert::{count, int};
use super::launch_template::{BlockDevice, LaunchTemplate, MachineTag, SpotMarket};
use crate::tags::Tags;

/// EC2's limit, before encoding.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html>
pub(crate) const MOST_USER_DATA: usize = 16 * 1024;

/// Encodes user data in the API's form.
pub(crate) fn encode(user_data: &Secret) -> Result<String> {
    let text = user_data.expose();
    if text.len() > MOST_USER_DATA {
        return Err(Error::invalid(format!(
            "the user data has {} bytes; EC2 allows {MOST_USER_DATA}",
            text.len()
        ))
        .with_hint("compress it, or download the larger part from elsewhere"));
    }
    Ok(BASE64_STANDARD.encode(text))
}

/// Decodes user data from the API's form. What is not text is not ours, and only has to differ.
pub(crate) fn decode(encoded: &str) -> Secret {
    let bytes = BASE64_STANDARD.decode(encoded).unwrap_or_default();
    Secret::new(String::from_utf8_lossy(&bytes))
}

/// The data to store in EC2.
pub(crate) fn request(spec: &LaunchTemplate<Closed>) -> Result<RequestLaunchTemplateData> {
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
        .http_tokens(if spec.metadata_tokens_required {
            LaunchTemplateHttpTokensState::Required
        } else {
            LaunchTemplateHttpTokensState::Optional
        })
        .set_http_put_response_hop_limit(spec.metadata_hop_limit.map(int).transpose()?)
        .build();
    let groups = spec.security_groups.iter().map(ToString::to_string).collect();
    // The public address is a setting of the network interface, and then so are the security groups.
    let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .device_index(0)
        .delete_on_termination(true)
        .set_associate_public_ip_address(spec.public_ip)
        .set_groups(Some(groups))
        .build();
    let mut data = RequestLaunchTemplateData::builder()
        .image_id(spec.image.as_str())
        .instance_type(types::InstanceType::from(spec.instance_type.as_str()))
        .set_key_name(spec.key_pair.as_ref().map(ToString::to_string))
        .network_interfaces(interface)
        .metadata_options(metadata)
        .monitoring(LaunchTemplatesMonitoringRequest::builder().enabled(spec.detailed_monitoring).build())
        .set_block_device_mappings(Some(spec.block_devices.iter().map(disk).collect::<Result<_>>()?))
        .set_user_data(spec.user_data.as_ref().map(encode).transpose()?)
        .set_tag_specifications(tag_specifications(spec))
        .set_instance_market_options(spec.spot.as_ref().map(market))
        .set_ebs_optimized(spec.ebs_optimized.then_some(true));
    if let Some(profile) = &spec.instance_profile {
        let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(profile.as_str());
        data = data.iam_instance_profile(profile.build());
    }
    if let Some(tenancy) = &spec.tenancy {
        let tenancy = types::Tenancy::from(tenancy.as_str());
        data = data.placement(LaunchTemplatePlacementRequest::builder().tenancy(tenancy).build());
    }
    if let Some(credits) = &spec.cpu_credits {
        data = data.credit_specification(
            types::CreditSpecificationRequest::builder().cpu_credits(credits.as_str()).build(),
        );
    }
    Ok(data.build())
}

fn disk(disk: &BlockDevice<Closed>) -> Result<LaunchTemplateBlockDeviceMappingRequest> {
    let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(int(disk.size)?)
        .set_volume_type(disk.volume_type.as_deref().map(VolumeType::from))
        .set_iops(disk.iops.map(int).transpose()?)
        .set_throughput(disk.throughput.map(int).transpose()?)
        .encrypted(disk.encrypted)
        .set_kms_key_id(disk.kms_key.clone())
        .delete_on_termination(disk.delete_on_termination)
        .build();
    Ok(LaunchTemplateBlockDeviceMappingRequest::builder().device_name(&disk.device).ebs(ebs).build())
}

fn tag_specifications(spec: &LaunchTemplate<Closed>) -> Option<Vec<LaunchTemplateTagSpecificationRequest>> {
    let tags: Vec<_> = spec
        .machine_tags
        .iter()
        .map(|tag| types::Tag::builder().key(&tag.key).value(&tag.value).build())
        .collect();
    let of = |kind: ResourceType| {
        LaunchTemplateTagSpecificationRequest::builder()
            .resource_type(kind)
            .set_tags(Some(tags.clone()))
            .build()
    };
    // EC2 rejects an empty list.
    (!tags.is_empty()).then(|| {
        // Interfaces too: permissions to change them ask for the cluster's tag.
        [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface].map(of).to_vec()
    })
}

fn market(spot: &SpotMarket) -> LaunchTemplateInstanceMarketOptionsRequest {
    let behavior = spot.interruption_behavior.as_deref().map(InstanceInterruptionBehavior::from);
    let options = LaunchTemplateSpotMarketOptionsRequest::builder()
        .set_max_price(spot.max_price.clone())
        .set_instance_interruption_behavior(behavior)
        .build();
    LaunchTemplateInstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(options)
        .build()
}

/// The data stored in EC2. Tags of the template itself and its default version are not part of it.
pub(crate) fn read(data: Option<&ResponseLaunchTemplateData>) -> LaunchTemplate<Closed> {
    let interface = data.and_then(|data| data.network_interfaces().first());
    let metadata = data.and_then(|data| data.metadata_options.as_ref());
    let own_groups = interface.map(|it| it.groups()).unwrap_or_default();
    let groups = data.map(|data| data.security_group_ids()).unwrap_or_default();
    let text = |of: fn(&ResponseLaunchTemplateData) -> Option<String>| data.and_then(of);
    LaunchTemplate {
        image: Id::new(text(|data| data.image_id.clone()).unwrap_or_default()),
        instance_type: Id::new(
            text(|data| data.instance_type.as_ref().map(ToString::to_string)).unwrap_or_default(),
        ),
        key_pair: text(|data| data.key_name.clone()).map(Id::new),
        instance_profile: text(|data| data.iam_instance_profile.as_ref()?.name.clone()).map(Id::new),
        security_groups: own_groups.iter().chain(groups).map(Id::new).collect(),
        user_data: data.and_then(|data| data.user_data.as_deref()).map(decode),
        block_devices: data
            .into_iter()
            .flat_map(|data| data.block_device_mappings())
            .filter_map(read_disk)
            .collect(),
        public_ip: interface.and_then(|it| it.associate_public_ip_address),
        metadata_tokens_required: metadata
            .is_some_and(|it| it.http_tokens == Some(LaunchTemplateHttpTokensState::Required)),
        metadata_hop_limit: metadata.and_then(|it| it.http_put_response_hop_limit).map(|it| count(Some(it))),
        detailed_monitoring: data
            .and_then(|data| data.monitoring.as_ref())
            .and_then(|it| it.enabled)
            .unwrap_or_default(),
        spot: data.and_then(|data| data.instance_market_options.as_ref()).and_then(read_market),
        tenancy: text(|data| data.placement.as_ref()?.tenancy.as_ref().map(ToString::to_string)),
        cpu_credits: text(|data| data.credit_specification.as_ref()?.cpu_credits.clone()),
        ebs_optimized: data.and_then(|data| data.ebs_optimized).unwrap_or_default(),
        machine_tags: data
            .into_iter()
            .flat_map(|data| data.tag_specifications())
            .filter(|it| it.resource_type == Some(ResourceType::Instance))
            .flat_map(|it| it.tags())
            .filter_map(|tag| {
                Some(MachineTag { key: tag.key.clone()?, value: tag.value.clone().unwrap_or_default() })
            })
            .collect(),
        latest_is_default: true,
        tags: Tags::new(),
    }
}

fn read_disk(mapping: &LaunchTemplateBlockDeviceMapping) -> Option<BlockDevice<Closed>> {
    let ebs = mapping.ebs.as_ref()?;
    Some(BlockDevice {
        device: mapping.device_name.clone()?,
        size: count(ebs.volume_size),
        volume_type: ebs.volume_type.as_ref().map(ToString::to_string),
        iops: ebs.iops.map(|iops| count(Some(iops))),
        throughput: ebs.throughput.map(|throughput| count(Some(throughput))),
        encrypted: ebs.encrypted.unwrap_or_default(),
        kms_key: ebs.kms_key_id.clone(),
        // EC2's own default.
        delete_on_termination: ebs.delete_on_termination.unwrap_or(true),
    })
}

fn read_market(options: &LaunchTemplateInstanceMarketOptions) -> Option<SpotMarket> {
    if options.market_type != Some(MarketType::Spot) {
        return None;
    }
    let spot = options.spot_options.as_ref();
    Some(SpotMarket {
        max_price: spot.and_then(|spot| spot.max_price.clone()),
        interruption_behavior: spot
            .and_then(|spot| spot.instance_interruption_behavior.as_ref())
            .map(ToString::to_string),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_comes_back_as_it_went() {
        let text = Secret::new("#!/bin/sh\necho ünïcode\n");
        assert_eq!(decode(&encode(&text).unwrap()), text);
    }

    #[test]
    fn user_data_that_is_too_long_is_refused_without_being_told() {
        let error = encode(&Secret::new("hunter2".repeat(3000))).unwrap_err().to_string();
        assert!(error.contains("21000 bytes") && !error.contains("hunter2"), "{error}");
    }
}

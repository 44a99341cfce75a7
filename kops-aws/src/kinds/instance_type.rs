//! Machine types.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, InstanceTypeInfo, MemoryInfo, ProcessorInfo, VCpuInfo};
use kops_core::Result;
use kops_core::cloud::{Object, Query};
use kops_core::resource::{Output, Resource};
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use kops_core::cloud::Lookup;

/// A machine type; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceType {
    /// The number of vCPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u64,
    /// The processor architectures: `x86_64`, `arm64`.
    pub architectures: BTreeSet<String>,
}

impl InstanceType {
    /// The processor architectures.
    pub const ARCHITECTURES: Output<Self, BTreeSet<String>> = Output::new("architectures");
}

impl Resource for InstanceType {
    const KIND: &'static str = "InstanceType";
    const OUTPUTS: &'static [&'static str] = &[Self::ARCHITECTURES.name()];
    type Resolved = Self;
}

pub(crate) struct InstanceTypes(pub(crate) Clients);

#[async_trait]
impl Lookup for InstanceTypes {
    type Kind = InstanceType;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<InstanceType>>> {
        let filters = listing::any_of("instance-type", selectors);
        let found = listing::find(filters, |filter| self.describe(filter, query)).await?;
        Ok(found.iter().map(observed).collect())
    }
}

impl InstanceTypes {
    async fn describe(&self, filter: Filter, query: &Query<'_>) -> Result<Vec<InstanceTypeInfo>> {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let call = self.0.ec2.describe_instance_types().filters(filter.clone());
            let call = call.max_results(100).set_next_token(token);
            let page = self.0.call(query.cx, "ec2:DescribeInstanceTypes", call.send()).await?;
            all.extend(page.instance_types.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(all);
            }
        }
    }
}

fn observed(info: &InstanceTypeInfo) -> Object<InstanceType> {
    let cpus = info.v_cpu_info().and_then(VCpuInfo::default_v_cpus).unwrap_or_default();
    let memory = info.memory_info().and_then(MemoryInfo::size_in_mib).unwrap_or_default();
    let architectures = info.processor_info().map(ProcessorInfo::supported_architectures);
    let architectures = architectures.unwrap_or_default().iter().map(ToString::to_string);
    let spec = InstanceType {
        cpus: u32::try_from(cpus).unwrap_or_default(),
        memory: u64::try_from(memory).unwrap_or_default(),
        architectures: architectures.collect(),
    };
    let name = info.instance_type().map(ToString::to_string);
    let architectures = spec.architectures.clone();
    Object::foreign(name.unwrap_or_default(), spec).output(InstanceType::ARCHITECTURES, architectures)
}

//! What a specification says in OpenStack's words.

use kops_cluster::cloud::{Dialect, Purpose, extend};
use kops_cluster::{CloudProvider, Cluster, InstanceGroup, Path, Problems};
use kops_core::resource::{self, LoadBalancer};

use crate::extensions::{OpenstackInstanceGroup, OpenstackLoadBalancer};
use crate::kinds::{AddressPair, ServerGroup};

/// Puts what a specification says in OpenStack's words into [`extensions`](crate::extensions) of the tasks.
///
/// A group says it by annotations, as in kOps:
///
/// | `openstack.kops.io/…` | means |
/// |---|---|
/// | `osVolumeBoot` | `false`: machines boot from their flavor's disk; `true`, and without it: from a volume |
/// | `osVolumeSize` | the size of that volume in GiB, in place of the one of `rootVolume` |
/// | `serverGroupAffinity` | `anti-affinity`, `soft-anti-affinity`, `affinity` or `soft-affinity` |
/// | `allowedAddressPair/NAME` | an address or a range, and a MAC after a comma if need be, that machines may send from |
///
/// What `cloudProvider.openstack` says of the router and its name servers is the connection's: see
/// [`OpenstackBuilder`](crate::OpenstackBuilder).
///
/// ```
/// use kops_cluster::cloud::Dialect;
/// use kops_openstack::OpenstackDialect;
///
/// assert!(OpenstackDialect.group_fields().is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenstackDialect;

/// What annotations for OpenStack begin with.
const PREFIX: &str = "openstack.kops.io/";

impl Dialect for OpenstackDialect {
    fn instance_group(
        &self,
        _: &Cluster,
        group: &InstanceGroup,
        task: &mut resource::InstanceGroup,
        problems: &mut Problems,
    ) {
        let mut extension = OpenstackInstanceGroup::default();
        let annotations = group.metadata.annotations.iter();
        let ours =
            annotations.filter_map(|(key, value)| Some((key, key.strip_prefix(PREFIX)?, value.trim())));
        // By name, so the size comes after what it is overruled by.
        for (key, name, value) in ours {
            if let Err((why, fix)) = annotation(name, value, task, &mut extension) {
                problems.error(Path::of("metadata.annotations").key(key), why, fix);
            }
        }
        extend(&mut task.extensions, &extension, problems);
    }

    fn load_balancer(&self, cluster: &Cluster, _: Purpose, task: &mut LoadBalancer, problems: &mut Problems) {
        let settings = cluster.spec.cloud_provider.as_ref().and_then(CloudProvider::openstack);
        let settings = settings.and_then(|settings| settings.loadbalancer.as_ref());
        let extension = OpenstackLoadBalancer {
            provider: settings.and_then(|settings| settings.provider.clone()),
            flavor: settings.and_then(|settings| settings.flavor_id.clone()),
        };
        extend(&mut task.extensions, &extension, problems);
    }
}

/// Does what an annotation says; or else what is wrong with it, and what to do.
fn annotation(
    name: &str,
    value: &str,
    task: &mut resource::InstanceGroup,
    extension: &mut OpenstackInstanceGroup,
) -> Result<(), (String, String)> {
    let wrong = |fix: &str| (format!("{value:?} cannot be understood"), fix.to_owned());
    match name {
        "osVolumeBoot" => match value {
            "true" => {}
            // What else is said of the volume is refused when lowering, rather than dropped.
            "false" => task.root_disk.size_gib = 0,
            _ => return Err(wrong("write true or false")),
        },
        "osVolumeSize" => match value.parse() {
            // Without a volume there is none to be of a size.
            Ok(size) if size > 0 && task.root_disk.size_gib > 0 => task.root_disk.size_gib = size,
            Ok(size) if size > 0 => {}
            _ => return Err(wrong("write a number of GiB")),
        },
        "serverGroupAffinity" if ServerGroup::POLICIES.contains(&value) => {
            extension.server_group_policy = Some(value.to_owned());
        }
        "serverGroupAffinity" => {
            return Err(wrong(&format!("write one of {}", ServerGroup::POLICIES.join(", "))));
        }
        "serverGroupName" => {
            let why = "instance groups cannot share a server group: each has one of its own";
            return Err((why.to_owned(), "leave it out".to_owned()));
        }
        _ if name.starts_with("allowedAddressPair/") => {
            let pair = value.parse::<AddressPair>().map_err(|error| {
                let why = error.message().to_owned();
                (why, "write 192.0.2.0/24, or 192.0.2.1,fa:16:3e:00:00:01".to_owned())
            })?;
            extension.allowed_address_pairs.insert(pair);
        }
        _ => {
            let why = format!("there is no such annotation: {PREFIX}{name}");
            return Err((why, "check how it is spelt, or leave it out".to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(annotations: &[(&str, &str)]) -> (resource::InstanceGroup, OpenstackInstanceGroup, Problems) {
        let mut group = InstanceGroup::default();
        let annotations =
            annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        group.metadata.annotations = annotations.collect();
        let mut task = resource::InstanceGroup::new([], "image", "large");
        task.root_disk.size_gib = 64;
        let mut problems = Problems::new();
        OpenstackDialect.instance_group(&Cluster::default(), &group, &mut task, &mut problems);
        let extension = task.extensions.get().unwrap().unwrap_or_default();
        (task, extension, problems)
    }

    #[test]
    fn annotations_mean_what_they_mean_to_kops() {
        let (task, extension, problems) = told(&[
            ("osVolumeBoot", "true"),
            ("osVolumeSize", "20"),
            ("serverGroupAffinity", "anti-affinity"),
            ("allowedAddressPair/0", "192.168.0.0/16,fa:16:3e:0b:00:01"),
            ("allowedAddressPair/1", "10.123.0.0"),
        ]);
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(task.root_disk.size_gib, 20);
        assert_eq!(extension.server_group_policy.as_deref(), Some("anti-affinity"));
        let pairs: Vec<_> = extension.allowed_address_pairs.iter().map(ToString::to_string).collect();
        assert_eq!(pairs, ["10.123.0.0", "192.168.0.0/16,fa:16:3e:0b:00:01"]);

        let (task, extension, _) = told(&[("osVolumeBoot", "false"), ("osVolumeSize", "20")]);
        assert_eq!((task.root_disk.size_gib, extension), (0, OpenstackInstanceGroup::default()));
        let mut others = InstanceGroup::default();
        others.metadata.annotations.insert("example.com/osVolumeBoot".to_owned(), "maybe".to_owned());
        let mut problems = Problems::new();
        let mut task = resource::InstanceGroup::new([], "image", "large");
        OpenstackDialect.instance_group(&Cluster::default(), &others, &mut task, &mut problems);
        assert!(problems.is_empty(), "{problems}");
    }

    #[test]
    fn what_cannot_be_understood_is_refused_where_it_stands() {
        for (name, value) in [
            ("osVolumeBoot", "yes"),
            ("osVolumeSize", "0"),
            ("osVolumeSize", "20GB"),
            ("serverGroupAffinity", "apart"),
            ("serverGroupName", "masters"),
            ("allowedAddressPair/0", "everywhere"),
            ("allowedAddressPair/0", "10.0.0.1,mac"),
            ("osVolumeBoost", "true"),
        ] {
            let (_, _, problems) = told(&[(name, value)]);
            assert!(problems.has_errors(), "{name} {value}");
            assert!(problems.to_string().contains(name), "{problems}");
        }
    }
}

//! The OpenStack-specific settings of a specification.

use kops_cluster::cloud::{Dialect, Purpose, extend};
use kops_cluster::{CloudProvider, Cluster, InstanceGroup, Path, Problems};
use kops_core::resource::{self, LoadBalancer};

use crate::extensions::{OpenstackInstanceGroup, OpenstackLoadBalancer};
use crate::kinds::{AddressPair, ServerGroup};

/// Translates OpenStack-specific settings of a specification to [`extensions`](crate::extensions) of the
/// tasks.
///
/// In groups, they are annotations, as in kOps:
///
/// | `openstack.kops.io/…` | meaning |
/// |---|---|
/// | `osVolumeBoot` | `false`: machines boot from their flavor's disk; `true`, and without it: from a volume |
/// | `osVolumeSize` | the size of that volume in GiB, in place of the one of `rootVolume` |
/// | `serverGroupAffinity` | `anti-affinity`, `soft-anti-affinity`, `affinity` or `soft-affinity` |
/// | `allowedAddressPair/NAME` | an address or CIDR that machines may send from, optionally followed by a comma and a MAC address |
///
/// Router and name servers in `cloudProvider.openstack` are settings of the connection: see
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

/// The prefix of annotations for OpenStack.
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
        // Sorted by name, so the size comes after the setting that overrides it.
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

/// Applies an annotation; the error is a message and a fix.
fn annotation(
    name: &str,
    value: &str,
    task: &mut resource::InstanceGroup,
    extension: &mut OpenstackInstanceGroup,
) -> Result<(), (String, String)> {
    let wrong = |fix: &str| (format!("{value:?} is not a valid value"), fix.to_owned());
    match name {
        "osVolumeBoot" => match value {
            "true" => {}
            // Other settings of the volume are rejected by lowering, rather than ignored.
            "false" => task.root_disk.size_gib = 0,
            _ => return Err(wrong("use true or false")),
        },
        "osVolumeSize" => match value.parse() {
            // Without a volume, the size has no meaning.
            Ok(size) if size > 0 && task.root_disk.size_gib > 0 => task.root_disk.size_gib = size,
            Ok(size) if size > 0 => {}
            _ => return Err(wrong("use a number of GiB")),
        },
        "serverGroupAffinity" if ServerGroup::POLICIES.contains(&value) => {
            extension.server_group_policy = Some(value.to_owned());
        }
        "serverGroupAffinity" => {
            return Err(wrong(&format!("use one of {}", ServerGroup::POLICIES.join(", "))));
        }
        "serverGroupName" => {
            let why = "instance groups cannot share a server group: each has one of its own";
            return Err((why.to_owned(), "remove it".to_owned()));
        }
        _ if name.starts_with("allowedAddressPair/") => {
            let pair = value.parse::<AddressPair>().map_err(|error| {
                let why = error.message().to_owned();
                (why, "use the form 192.0.2.0/24, or 192.0.2.1,fa:16:3e:00:00:01".to_owned())
            })?;
            extension.allowed_address_pairs.insert(pair);
        }
        _ => {
            let why = format!("unknown annotation {PREFIX}{name}");
            return Err((why, "check its spelling, or remove it".to_owned()));
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

//! AWS's limits that are known before anything is created: of tags, user data, disks, rules and names.
//!
//! They are checked for native tasks, so that they hold for tasks of every origin. Limits that an account can raise are
//! not checked: only AWS knows them.

use std::collections::BTreeSet;

use kops_core::cloud::{Native, Scope};
use kops_core::graph::{Input, OutputRef, Part, Secret, Task};
use kops_core::resource::Resource;
use kops_core::{Error, Result};

use crate::kinds::{
    AutoScalingGroup, BlockDevice, EbsVolume, Ec2Instance, IamRole, KeyPair, LaunchTemplate, MOST_USER_DATA,
    NetworkLoadBalancer, SecurityGroup, SecurityGroupRules,
};
use crate::tags::{self, Tags};

/// Tags on one object. <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
const MOST_TAGS: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
/// The characters that tags may contain besides letters, digits and spaces, in all services.
const TAG_CHARACTERS: &str = "_.:/=+-@";

/// The rules of the groups of one network interface; the limit that no account can raise.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
const MOST_RULES: usize = 1000;

/// The length of an output that is not known yet: that of the longest DNS name.
const LONGEST_OUTPUT: usize = 255;

/// The longest names of objects that are called as their tasks.
const LONGEST_NAMES: &[(&str, usize)] = &[
    (<LaunchTemplate>::KIND, 128),
    (<AutoScalingGroup>::KIND, 255),
    (<KeyPair>::KIND, 255),
    (<SecurityGroup>::KIND, 255),
];

/// Rejects what AWS would reject once other objects have been created.
///
/// # Errors
/// Everything at once, each with its task.
pub(super) fn check(native: &Native, scope: &Scope, region: &str) -> Result<()> {
    let mut problems: Vec<Error> = labels(scope);
    let mut crowded: Vec<(usize, Error)> = Vec::new();
    for task in native.graph().tasks().filter(|task| !task.is_shared()) {
        let origin = native.origin(&task.key).unwrap_or(&task.key);
        let found = of_task(task, region)?;
        problems.extend(found.into_iter().map(|error| error.with_task(origin)));
        crowded.extend(tags_of(task, scope)?.and_then(|tags| {
            let (count, error) = too_many(&tags, scope)?;
            Some((count, error.with_task(origin)))
        }));
    }
    // The same labels are on all objects, so the object with the most tags stands for all of them.
    problems.extend(crowded.into_iter().max_by_key(|(count, _)| *count).map(|(_, error)| error));
    if problems.is_empty() { Ok(()) } else { Err(Error::from_many(problems)) }
}

/// The problems of the labels of all objects, each once.
fn labels(scope: &Scope) -> Vec<Error> {
    scope
        .extra_labels()
        .iter()
        .filter_map(|(key, value)| tag(key, value).or_else(|| letters(key, value)))
        .collect()
}

fn of_task(task: &Task, region: &str) -> Result<Vec<Error>> {
    let mut found: Vec<Error> = Vec::new();
    match task.key.kind() {
        <LaunchTemplate>::KIND => {
            let spec: LaunchTemplate = task.spec_as()?;
            found.extend(spec.user_data.as_ref().and_then(|it| user_data(it, region)));
            found.extend(spec.block_devices.iter().filter_map(of_block_device));
        }
        <Ec2Instance>::KIND => {
            let spec: Ec2Instance = task.spec_as()?;
            found.extend(spec.user_data.as_ref().and_then(|it| user_data(it, region)));
            let root = &spec.root_disk;
            let kind = root.volume_type.managed().map(String::as_str);
            found.extend(disk(kind, root.size, root.iops.managed(), root.throughput.managed()));
        }
        EbsVolume::KIND => {
            let spec: EbsVolume = task.spec_as()?;
            let (iops, throughput) = (spec.iops.managed(), spec.throughput.managed());
            found.extend(disk(Some(&spec.volume_type), spec.size, iops, throughput));
        }
        <SecurityGroupRules>::KIND => {
            let count = task.spec_as::<SecurityGroupRules>()?.rules.len();
            found.extend((count > MOST_RULES).then(|| {
                Error::invalid(format!("it has {count} rules, but a security group has {MOST_RULES} at most"))
                    .with_hint("combine CIDRs, or use a prefix list")
            }));
        }
        _ => {}
    }
    let longest =
        LONGEST_NAMES.iter().find(|(kind, _)| *kind == task.key.kind()).map(|(_, longest)| *longest);
    let name = task.key.name();
    if let Some(longest) = longest.filter(|longest| name.chars().count() > *longest) {
        let length = name.chars().count();
        let message = format!("the name {name:?} has {length} characters, but AWS takes {longest}");
        found.push(Error::invalid(message).with_hint("use a shorter name"));
    }
    Ok(found)
}

/// All tags of a task's object, or of its machines; `None` for kinds without tags.
fn tags_of(task: &Task, scope: &Scope) -> Result<Option<Tags>> {
    let kind = task.key.kind();
    if kind == <LaunchTemplate>::KIND {
        let machines = task.spec_as::<LaunchTemplate>()?.machine_tags;
        return Ok(Some(machines.into_iter().map(|tag| (tag.key, tag.value)).collect()));
    }
    let further = match task.spec.get("tags") {
        Some(tags) => serde_json::from_value(tags.clone()).unwrap_or_default(),
        None if [<IamRole>::KIND, <KeyPair>::KIND].contains(&kind) => Tags::new(),
        None => return Ok(None),
    };
    let mut all = tags::marks(scope, task.key.name(), true);
    all.extend(scope.extra_labels().clone());
    all.extend(further);
    Ok(Some(all))
}

/// The number of tags if they are too many, or the first that is not a tag, and why.
fn too_many(all: &Tags, scope: &Scope) -> Option<(usize, Error)> {
    let own = all.keys().filter(|key| !scope.extra_labels().contains_key(*key)).count();
    let labels = all.len() - own;
    if all.len() > MOST_TAGS {
        let message = format!(
            "it would have {} tags, but AWS takes {MOST_TAGS}: {own} of them are its own, which leaves {} for labels",
            all.len(),
            MOST_TAGS.saturating_sub(own)
        );
        let hint = format!("remove some of the {labels} labels");
        return Some((all.len(), Error::invalid(message).with_hint(hint)));
    }
    let mut further = all.iter().filter(|(key, _)| !scope.extra_labels().contains_key(*key));
    further.find_map(|(key, value)| tag(key, value)).map(|error| (0, error))
}

/// Why AWS does not take a tag.
fn tag(key: &str, value: &str) -> Option<Error> {
    let (of_key, of_value) = (key.chars().count(), value.chars().count());
    let (message, hint) = if key.is_empty() {
        ("the key of a tag is empty".to_owned(), "specify a key".to_owned())
    } else if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        (format!("the tag {key:?} begins with aws:, which AWS reserves"), "use another key".to_owned())
    } else if of_key > LONGEST_KEY {
        (
            format!("the key {key:?} has {of_key} characters, but AWS takes {LONGEST_KEY}"),
            "use a shorter key".to_owned(),
        )
    } else if of_value > LONGEST_VALUE {
        (
            format!("the value of the tag {key:?} has {of_value} characters, but AWS takes {LONGEST_VALUE}"),
            "use a shorter value".to_owned(),
        )
    } else {
        return None;
    };
    Some(Error::invalid(message).with_hint(hint))
}

/// Why services other than EC2 do not take the letters of a tag. EC2 takes any, such as the commas in those of etcd's
/// volumes, so only labels are asked, which go to the objects of all services:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>.
fn letters(key: &str, value: &str) -> Option<Error> {
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || TAG_CHARACTERS.contains(c);
    let strange = key.chars().chain(value.chars()).find(|c| !fits(*c))?;
    let message = format!("the tag {key:?} contains {strange:?}, which AWS does not take");
    Some(Error::invalid(message).with_hint(format!("use letters, digits, spaces and {TAG_CHARACTERS}")))
}

/// Why EC2 does not take user data; what is not known yet is counted with the longest that it can be.
fn user_data(data: &Input<Secret>, region: &str) -> Option<Error> {
    let bytes = match data {
        Input::Known(text) => text.expose().len(),
        Input::Output(output) => longest(output, region),
        Input::Concat(parts) => parts.iter().map(|part| part_length(part, region)).sum(),
    };
    (bytes > MOST_USER_DATA).then(|| {
        Error::invalid(format!("user_data has {bytes} bytes, but EC2 takes {MOST_USER_DATA}")).with_hint(
            "shorten what the group adds to it (additionalUserData of a cluster), or download the rest",
        )
    })
}

fn part_length(part: &Part, region: &str) -> usize {
    match part {
        Part::Text(text) => text.len(),
        Part::Secret(text) => text.expose().len(),
        Part::Output { output } => longest(output, region),
    }
}

fn longest(output: &OutputRef, region: &str) -> usize {
    let is_name = output.output == NetworkLoadBalancer::DNS_NAME.name();
    if output.task.kind() == <NetworkLoadBalancer>::KIND && is_name {
        // `<name>-<sixteen digits>.elb.<region>.amazonaws.com.cn`
        return 32 + 1 + 16 + ".elb.".len() + region.len() + ".amazonaws.com.cn".len();
    }
    LONGEST_OUTPUT
}

fn of_block_device(device: &BlockDevice) -> Option<Error> {
    let kind = device.volume_type.as_deref();
    disk(kind, device.size, device.iops.as_ref(), device.throughput.as_ref())
}

/// Why EC2 does not take a disk. <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html>
fn disk(kind: Option<&str>, size: u32, iops: Option<&u32>, throughput: Option<&u32>) -> Option<Error> {
    let kind = kind?;
    let (sizes, operations, has_throughput): (_, Option<(_, bool)>, _) = match kind {
        "gp3" => (1..=65_536, Some((3_000..=80_000, false)), true),
        "io1" => (4..=16_384, Some((100..=64_000, true)), false),
        "io2" => (4..=65_536, Some((100..=256_000, true)), false),
        "gp2" => (1..=16_384, None, false),
        "st1" | "sc1" => (125..=16_384, None, false),
        "standard" => (1..=1_024, None, false),
        // One that is newer than this program.
        _ => return None,
    };
    let says = |message: String, hint: String| Some(Error::invalid(message).with_hint(hint));
    if !sizes.contains(&size) {
        let hint = format!("use {} to {} GiB", sizes.start(), sizes.end());
        return says(format!("a disk of type {kind} cannot have {size} GiB"), hint);
    }
    match (operations, iops) {
        (Some((range, true)), None) => {
            let hint = format!("specify {} to {}", range.start(), range.end());
            return says(format!("a disk of type {kind} needs its I/O operations per second"), hint);
        }
        (Some((range, _)), Some(iops)) if !range.contains(iops) => {
            let hint = format!("specify {} to {}", range.start(), range.end());
            return says(format!("a disk of type {kind} cannot have {iops} I/O operations per second"), hint);
        }
        (None, Some(_)) => {
            let hint = "remove them, or use gp3, io1 or io2".to_owned();
            return says(format!("the I/O operations of a disk of type {kind} cannot be specified"), hint);
        }
        _ => {}
    }
    if throughput.is_some() && !has_throughput {
        let hint = "remove it, or use gp3".to_owned();
        return says(format!("the throughput of a disk of type {kind} cannot be specified"), hint);
    }
    None
}

/// The zones of several subnets of one load balancer: it has one in each zone at most.
pub(super) fn one_in_each_zone<'z>(zones: impl IntoIterator<Item = &'z str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for zone in zones {
        if !seen.insert(zone) {
            return Err(Error::invalid(format!("two subnets of the load balancer are in {zone}"))
                .with_hint("use one subnet in each zone"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kops_core::graph::Handle;

    use super::*;

    #[test]
    fn tags_are_what_aws_takes() {
        for (key, value) in [("team", "a"), ("k8s.io/role/node", "1"), ("Größe", "sehr groß"), ("e", "")] {
            assert!(tag(key, value).is_none(), "{key}");
        }
        let long = "x".repeat(LONGEST_KEY + 1);
        let longer = "x".repeat(LONGEST_VALUE + 1);
        for (key, value) in [("", "a"), ("AWS:x", "a"), ("aws:", ""), (&long, "a"), ("a", &longer)] {
            assert!(tag(key, value).is_some(), "{key}: {value}");
        }
        for (key, value) in [("a", "b;c"), ("a#", "b")] {
            assert!(tag(key, value).is_none() && letters(key, value).is_some(), "{key}: {value}");
        }
        assert!(tag("k8s.io/etcd/main", "a/a,b,c").is_none(), "kOps' own");
        assert!(tag("awsome", "a").is_none());
    }

    #[test]
    fn disks_are_what_ec2_takes() {
        let no = |kind, size, iops: Option<u32>, throughput: Option<u32>| {
            disk(Some(kind), size, iops.as_ref(), throughput.as_ref()).map(|error| error.to_string())
        };
        assert!(no("io1", 200, None, None).unwrap().contains("specify 100 to 64000"));
        assert!(no("io2", 200, None, None).is_some());
        assert!(no("gp2", 200, Some(3000), None).is_some());
        assert!(no("io1", 200, Some(100), Some(125)).is_some());
        assert!(no("st1", 100, None, None).unwrap().contains("125 to 16384 GiB"));
        assert!(no("gp3", 8, Some(100), None).is_some());
        for fits in
            [no("io1", 200, Some(100), None), no("gp3", 8, None, None), no("gp3", 8, Some(3000), Some(125))]
        {
            assert_eq!(fits, None);
        }
    }

    #[test]
    fn what_is_not_known_of_user_data_counts_as_long_as_it_can_be() {
        let balancer = Handle::<NetworkLoadBalancer>::named("api");
        let Input::Output(name) = balancer.get(NetworkLoadBalancer::DNS_NAME) else { panic!("it is known") };
        let with = |bytes: usize| {
            let text = Part::Text("x".repeat(bytes));
            user_data(&Input::Concat(vec![text, Part::Output { output: name.clone() }]), "eu-central-1")
        };
        let name = 32 + 1 + 16 + 5 + 12 + 17;
        assert!(with(MOST_USER_DATA - name).is_none());
        let error = with(MOST_USER_DATA - name + 1).unwrap().to_string();
        assert!(error.contains("user_data has 16385 bytes, but EC2 takes 16384"), "{error}");
        assert!(user_data(&Input::Known(Secret::new("x".repeat(22_708))), "eu-central-1").is_some());
    }
}

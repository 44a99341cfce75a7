//! Allocation of a network's addresses to its subnets.
//!
//! As kOps does for new clusters: the network is divided into equal blocks, whose number is the smallest
//! power of two that is enough for every public, private and dual-stack subnet plus, if there are utility
//! subnets, one block that they share. The utility block comes first and is divided into eight (or more, for
//! more zones). Blocks are assigned to subnets in the order of their zones. Subnets with addresses keep them,
//! and no subnet gets addresses that overlap those. A network that is too small for this is divided as finely as
//! necessary.

use ipnet::IpNet;

use crate::spec::types::{SubnetSpec, SubnetType};

/// The minimum number of blocks that the utility block is divided into.
const UTILITY_BLOCKS: usize = 8;

/// Assigns CIDRs to the subnets that have none; to none of them if there is not enough room for all.
///
/// Existing subnets are left alone, and so are private subnets with IPv6 only.
///
/// ```
/// use kops_cluster::{SubnetSpec, SubnetType, defaults::assign_cidrs};
///
/// let subnet = |name: &str, r#type| SubnetSpec { name: name.into(), r#type: Some(r#type), ..SubnetSpec::default() };
/// let mut subnets = [subnet("a", SubnetType::Private), subnet("utility-a", SubnetType::Utility)];
/// assign_cidrs("172.20.0.0/16".parse().unwrap(), &mut subnets, 28);
/// let cidrs: Vec<String> = subnets.iter().filter_map(|subnet| Some(subnet.cidr?.to_string())).collect();
/// assert_eq!(cidrs, ["172.20.128.0/17", "172.20.0.0/20"]);
/// ```
pub fn assign_cidrs(network: IpNet, subnets: &mut [SubnetSpec], longest_prefix: u8) {
    assign_cidrs_beside(network, &[], subnets, longest_prefix);
}

/// [`assign_cidrs`] in a network in which other ranges are taken.
pub(crate) fn assign_cidrs_beside(
    network: IpNet,
    others: &[IpNet],
    subnets: &mut [SubnetSpec],
    longest_prefix: u8,
) {
    let taken = subnets.iter().filter_map(|subnet| subnet.cidr).chain(others.iter().copied());
    let taken: Vec<IpNet> = taken.collect();
    let mut big = Vec::new();
    let mut little = Vec::new();
    for (at, subnet) in subnets.iter().enumerate().filter(|(_, subnet)| wants_cidr(subnet)) {
        if subnet.r#type == Some(SubnetType::Utility) { little.push(at) } else { big.push(at) }
    }
    let needed = big.len() + usize::from(!little.is_empty());
    if needed == 0 {
        return;
    }
    let blocks = evenly(network, &taken, big.len(), little.len(), longest_prefix);
    let blocks = blocks.or_else(|| tightly(network, &taken, big.len(), little.len(), longest_prefix));
    let Some((large, small)) = blocks else { return };
    for (wanting, blocks) in [(big, large), (little, small)] {
        let mut wanting = wanting;
        wanting.sort_by(|a, b| subnets[*a].zone.cmp(&subnets[*b].zone));
        for (at, block) in wanting.into_iter().zip(blocks) {
            subnets[at].cidr = Some(block);
        }
    }
}

/// Blocks for `big` subnets and `little` utility subnets: equal ones, one of which the utility subnets share.
fn evenly(
    network: IpNet,
    taken: &[IpNet],
    big: usize,
    little: usize,
    longest_prefix: u8,
) -> Option<(Vec<IpNet>, Vec<IpNet>)> {
    let needed = big + usize::from(little > 0);
    let mut parts = needed.next_power_of_two();
    // Blocks that are already in use may require a finer division.
    let mut blocks = loop {
        let free = without(cut(network, parts, longest_prefix)?, taken);
        if free.len() >= needed {
            break free.into_iter();
        }
        parts *= 2;
    };
    let small = match little {
        0 => Vec::new(),
        little => cut(blocks.next()?, little.next_power_of_two().max(UTILITY_BLOCKS), longest_prefix)?,
    };
    Some((blocks.collect(), small))
}

/// Blocks in a network that is too small for the usual division: as large as possible, first those of the machines,
/// then those of the utility subnets in what is left.
fn tightly(
    network: IpNet,
    taken: &[IpNet],
    big: usize,
    little: usize,
    longest_prefix: u8,
) -> Option<(Vec<IpNet>, Vec<IpNet>)> {
    let prefixes = network.prefix_len()..=longest_prefix.min(network.max_prefix_len());
    prefixes.clone().find_map(|prefix| {
        let mut large = without(network.trunc().subnets(prefix).ok()?.collect(), taken);
        if large.len() < big {
            return None;
        }
        large.truncate(big);
        let taken = [taken, large.as_slice()].concat();
        let small = prefixes.clone().filter(|smaller| *smaller >= prefix).find_map(|smaller| {
            let small = without(network.trunc().subnets(smaller).ok()?.collect(), &taken);
            (small.len() >= little).then_some(small)
        })?;
        Some((large, small))
    })
}

/// The blocks that overlap none of those taken.
fn without(blocks: Vec<IpNet>, taken: &[IpNet]) -> Vec<IpNet> {
    blocks.into_iter().filter(|block| !taken.iter().any(|other| overlap(block, other))).collect()
}

/// The prefix of the smallest network that has room for the subnets without CIDRs; `None` if there is none.
pub(crate) fn longest_network_prefix(subnets: &[SubnetSpec], longest_prefix: u8) -> Option<u8> {
    let count = subnets.iter().filter(|subnet| wants_cidr(subnet)).count().next_power_of_two();
    longest_prefix.checked_sub(u8::try_from(count.trailing_zeros()).ok()?)
}

/// Whether a subnet is to be created, and its CIDR to be allocated.
pub(crate) fn wants_cidr(subnet: &SubnetSpec) -> bool {
    let ipv6_only = subnet.r#type == Some(SubnetType::Private) && subnet.ipv6_cidr.is_some();
    subnet.cidr.is_none() && !subnet.is_shared() && !ipv6_only
}

/// Divides a range into `parts` (a power of two) equal blocks; `None` if they would be too small.
fn cut(range: IpNet, parts: usize, longest_prefix: u8) -> Option<Vec<IpNet>> {
    let prefix = u8::try_from(u32::from(range.prefix_len()) + parts.trailing_zeros()).ok()?;
    if prefix > longest_prefix.min(range.max_prefix_len()) {
        return None;
    }
    range.trunc().subnets(prefix).ok().map(Iterator::collect)
}

/// Whether two ranges have an address in common.
pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(zone: &str, r#type: SubnetType, cidr: Option<&str>) -> SubnetSpec {
        SubnetSpec {
            name: format!("{type}-{zone}"),
            zone: Some(zone.to_owned()),
            r#type: Some(r#type),
            cidr: cidr.map(|cidr| cidr.parse().unwrap()),
            ..SubnetSpec::default()
        }
    }

    fn assigned(network: &str, mut subnets: Vec<SubnetSpec>) -> Vec<String> {
        assign_cidrs(network.parse().unwrap(), &mut subnets, 28);
        subnets.iter().map(|subnet| subnet.cidr.map(|cidr| cidr.to_string()).unwrap_or_default()).collect()
    }

    #[test]
    fn blocks_are_as_large_as_they_can_be() {
        use SubnetType::{Private, Public, Utility};
        let public = |zones: &[&str]| zones.iter().map(|zone| subnet(zone, Public, None)).collect::<Vec<_>>();
        assert_eq!(assigned("172.20.0.0/16", public(&["a"])), ["172.20.0.0/16"]);
        assert_eq!(assigned("172.20.0.0/16", public(&["a", "b"])), ["172.20.0.0/17", "172.20.128.0/17"]);
        assert_eq!(
            assigned("172.20.0.0/16", public(&["c", "a", "b"])),
            ["172.20.128.0/18", "172.20.0.0/18", "172.20.64.0/18"]
        );
        let mut private: Vec<SubnetSpec> =
            ["a", "b", "c"].iter().map(|zone| subnet(zone, Private, None)).collect();
        private.extend(["a", "b", "c"].iter().map(|zone| subnet(zone, Utility, None)));
        assert_eq!(
            assigned("10.0.0.0/16", private),
            ["10.0.64.0/18", "10.0.128.0/18", "10.0.192.0/18", "10.0.0.0/21", "10.0.8.0/21", "10.0.16.0/21"]
        );
    }

    #[test]
    fn what_is_taken_stays_taken() {
        use SubnetType::{Private, Public};
        let subnets = vec![subnet("a", Public, Some("10.0.0.0/9")), subnet("b", Public, None)];
        assert_eq!(assigned("10.0.0.0/8", subnets), ["10.0.0.0/9", "10.128.0.0/9"]);
        let mut existing = subnet("a", Private, None);
        existing.id = Some("subnet-1".to_owned());
        let mut ipv6 = subnet("b", Private, None);
        ipv6.ipv6_cidr = Some("/64#0".to_owned());
        assert_eq!(assigned("10.0.0.0/8", vec![existing, ipv6]), ["", ""]);
    }

    #[test]
    fn a_network_without_room_gives_nobody_addresses() {
        let subnets =
            || ["a", "b", "c"].iter().map(|zone| subnet(zone, SubnetType::Public, None)).collect::<Vec<_>>();
        assert_eq!(assigned("10.0.0.0/27", subnets()), ["", "", ""]);
        assert_eq!(assigned("10.0.0.0/26", subnets()), ["10.0.0.0/28", "10.0.0.16/28", "10.0.0.32/28"]);
    }

    #[test]
    fn a_small_network_is_used_to_the_last_block() {
        use SubnetType::{Private, Utility};
        let zones = |count: usize| {
            let of = |kind| ["a", "b", "c"][..count].iter().map(move |zone| subnet(zone, kind, None));
            of(Private).chain(of(Utility)).collect::<Vec<_>>()
        };
        assert_eq!(
            assigned("192.168.168.0/24", zones(3)),
            [
                "192.168.168.0/26",
                "192.168.168.64/26",
                "192.168.168.128/26",
                "192.168.168.192/28",
                "192.168.168.208/28",
                "192.168.168.224/28"
            ]
        );
        assert_eq!(assigned("192.168.168.0/27", zones(1)), ["192.168.168.0/28", "192.168.168.16/28"]);
        assert_eq!(assigned("192.168.168.0/28", zones(1)), ["", ""]);
        assert_eq!(longest_network_prefix(&zones(1), 28), Some(27));
        // Whatever the number of zones, the smallest network that is named has room, and half of it has not.
        for count in 1..=3 {
            let prefix = longest_network_prefix(&zones(count), 28).unwrap();
            let all = |prefix| assigned(&format!("10.0.0.0/{prefix}"), zones(count));
            assert!(all(prefix).iter().all(|cidr| !cidr.is_empty()), "{count}: /{prefix}");
            assert!(all(prefix + 1).iter().all(String::is_empty), "{count}: /{}", prefix + 1);
        }
    }

    #[test]
    fn whatever_the_layout_blocks_lie_in_the_network_and_never_overlap() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut laid_out = 0;
        for _ in 0..2_000 {
            let network: IpNet = format!("10.{}.0.0/{}", random.u8(..), random.u8(16..=22)).parse().unwrap();
            let network = network.trunc();
            let mut subnets: Vec<SubnetSpec> = Vec::new();
            for at in 0..random.usize(1..=14) {
                let kind = *random.choice(SubnetType::ALL).unwrap();
                let mut new = subnet(&format!("z{}", random.u8(..6)), kind, None);
                new.name = format!("s{at}");
                if random.u8(..5) == 0 {
                    let block =
                        network.subnets(network.prefix_len() + 4).unwrap().nth(random.usize(..16)).unwrap();
                    // Two subnets of the user's that overlap are not ours to repair.
                    if !subnets.iter().filter_map(|other| other.cidr).any(|other| overlap(&other, &block)) {
                        new.cidr = Some(block);
                    }
                }
                subnets.push(new);
            }
            let before = subnets.clone();
            assign_cidrs(network, &mut subnets, 28);
            let all = subnets.iter().all(|subnet| subnet.cidr.is_some());
            assert!(all || subnets == before, "all or nothing: {subnets:#?}");
            laid_out += usize::from(all);
            for (at, one) in subnets.iter().enumerate() {
                assert!(before[at].cidr.is_none() || before[at].cidr == one.cidr);
                let Some(cidr) = one.cidr else { continue };
                assert!(network.contains(&cidr) && cidr.prefix_len() <= 28 && cidr == cidr.trunc());
                for other in subnets[at + 1..].iter().filter_map(|other| other.cidr) {
                    assert!(!overlap(&cidr, &other), "{cidr} and {other} of {network}");
                }
            }
        }
        assert!(laid_out > 1_500, "most layouts have room: {laid_out}");
    }
}

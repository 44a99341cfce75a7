"""Security groups in force: what a machine lets in is what the inbound rules of its groups say.

A packet filter in each machine's network namespace, made of the rules. A rule that names a group is about the network
interfaces in it, whatever address a packet has: on the lab's switch, a sender is known by the interface's own
hardware address. So what a pod sends comes from its machine, as on AWS.

What comes through a balancer is judged by the balancer (`Firewalls`), since only it knows the client. Outbound rules
are not in force.
"""

import dataclasses
import ipaddress

PROTOCOLS = {"icmp": "icmp", "tcp": "tcp", "udp": "udp"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """An inbound rule: a protocol (`-1` is all), ports, and a CIDR or a group."""

    protocol: str
    first: int | None
    last: int | None
    cidr: str | None
    group: str | None

    def admits(self, address, groups, port):
        """Whether TCP from this address, or from an interface in these groups, may come to a port."""
        if self.protocol not in ("-1", "tcp") or (self.protocol == "tcp" and not self.first <= port <= self.last):
            return False
        if self.cidr is not None:
            return ipaddress.ip_address(address) in ipaddress.ip_network(self.cidr)
        return self.group in groups

    def match(self, members):
        """The rule as a match of nftables; nothing if it cannot match. `members` are the interfaces of each group."""
        if self.cidr is not None:
            source = f"ip saddr {self.cidr}"
        elif interfaces := members.get(self.group):
            source = f"ether saddr {{ {', '.join(sorted(interfaces))} }}"
        else:
            return None
        if self.protocol == "-1":
            return source
        if self.protocol in ("tcp", "udp"):
            return f"{source} {self.protocol} dport {self.first}-{self.last}"
        return f"{source} meta l4proto {PROTOCOLS.get(self.protocol, self.protocol)}"


def read(groups):
    """The inbound rules of moto's groups."""
    return tuple(
        Rule(
            protocol=rule.ip_protocol,
            first=rule.from_port,
            last=rule.to_port,
            cidr=rule.cidr_ipv4,
            group=rule.source_group.get("GroupId"),
        )
        for group in groups
        for rule in group.ingress_rules
        # The lab has no addresses of version 6.
        if rule.cidr_ipv4 or rule.source_group
    )


@dataclasses.dataclass(frozen=True)
class Firewalls:
    """The rules of everybody, for those who let connections through."""

    # Of each target, by its identifier.
    rules: dict
    # The groups of the interface that has an address: machines' and balancers'.
    groups: dict
    # Of each balancer, by its address; none for one without groups, which lets everything in.
    balancers: dict

    def lets_in(self, balancer, client):
        """Whether a balancer lets in a client that wants to come to one of its ports."""
        rules = self.balancers.get(balancer[0])
        if rules is None:
            return True
        return any(rule.admits(client, self.groups.get(client, ()), balancer[1]) for rule in rules)

    def reaches(self, balancer, client, target, port):
        """Whether a target lets in what a balancer passes on to a port of it. It sees the client's address, if the
        balancer keeps that, and the balancer's groups, but not the client's."""
        return any(rule.admits(client, self.groups.get(balancer, ()), port) for rule in self.rules.get(target, ()))


def table(rules, members, balancers):
    """The packet filter of a machine, for `nft -f`: replaces the one that is there in one go."""
    matches = sorted({match for rule in rules if (match := rule.match(members))})
    # The balancers have judged whom they let through.
    trusted = [f"ip saddr {{ {', '.join(sorted(balancers))} }}"] if balancers else []
    accepted = "".join(f"    {match} accept\n" for match in [*trusted, *matches])
    return f"""add table inet ec2
delete table inet ec2
table inet ec2 {{
  chain inbound {{
    type filter hook prerouting priority -150; policy drop;
    iifname != "eth0" accept
    ct state established,related accept
{accepted}  }}
}}
"""

"""What moto says of load balancers, target groups and security groups, as the lab's network needs it."""

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

from repairs import replace

from . import balancers, firewalls


class Wiring:
    """The balancers' addresses, and everything that is read from moto about the network."""

    def __init__(self, view, lab):
        self.view, self.lab = view, lab
        # By the balancer's ARN.
        self.addresses = {}

    def follow(self):
        """Gives addresses to new balancers, and takes those of deleted ones away."""
        balancers = self.view.elbv2.load_balancers
        for arn, balancer in balancers.items():
            if arn not in self.addresses:
                address = balancer.subnets[0].get_available_subnet_ip(instance=balancer)
                self.lab.link("addr", "add", f"{address}/32", "dev", "kl0")
                self.addresses[arn] = address
        for arn in set(self.addresses) - set(balancers):
            self.lab.link("addr", "del", f"{self.addresses.pop(arn)}/32", "dev", "kl0")

    def names(self, instances):
        """The addresses of machines, balancers and records of hosted zones, by their names in lower case."""
        names = {it.hostname: [it.address] for it in instances.values() if it.address}
        for arn, address in self.addresses.items():
            names[self.view.elbv2.load_balancers[arn].dns_name.lower()] = [address]
        for zone in self.view.route53.zones.values():
            for record in zone.rrsets:
                if record.type == "A":
                    name = record.name.lower().rstrip(".")
                    alias = (record.alias_target or {}).get("DNSName", "").lower().rstrip(".")
                    names[name] = names.get(alias.removeprefix("dualstack."), []) if alias else list(record.records)
        return names

    def listeners(self):
        found = []
        for arn, address in self.addresses.items():
            for listener in self.view.elbv2.load_balancers[arn].listeners.values():
                for action in listener.default_actions:
                    group = action.data.get("TargetGroupArn")
                    if group in self.view.elbv2.target_groups:
                        found.append(balancers.Listener(address, int(listener.port), group))
        return found

    def groups(self, instances):
        return [self.group(group, instances) for group in self.view.elbv2.target_groups.values()]

    def group(self, group, instances):
        targets = []
        for target in group.targets.values():
            # An instance, or an address.
            known = instances.get(target["Id"])
            address = known.address if known else target["Id"]
            if address:
                targets.append((target["Id"], address, int(target["Port"] or group.port)))
        check = balancers.Check(
            protocol=group.health_check_protocol or "TCP",
            port=str(group.health_check_port or "traffic-port"),
            path=group.health_check_path or "/",
            interval=float(group.health_check_interval_seconds),
            timeout=float(group.health_check_timeout_seconds),
            healthy=int(group.healthy_threshold_count),
            unhealthy=int(group.unhealthy_threshold_count),
        )
        # The default for instances; for addresses it is the other way around.
        keeps = group.attributes.get("preserve_client_ip.enabled", str(group.target_type != "ip").lower()) == "true"
        return balancers.Group(group.arn, check, keeps, tuple(sorted(targets)))

    def firewalls(self, instances):
        """Who is in which groups, and their rules."""
        rules = {identifier: it.rules for identifier, it in instances.items()}
        groups = {it.address: it.groups for it in instances.values() if it.address}
        of_balancers = {}
        for arn, address in self.addresses.items():
            groups[address] = tuple(self.view.elbv2.load_balancers[arn].security_groups or ())
            found = map(self.view.ec2.get_security_group_from_id, groups[address])
            if groups[address]:
                of_balancers[address] = firewalls.read(group for group in found if group is not None)
        return firewalls.Firewalls(rules, groups, of_balancers)


# The balancers of the one account that has machines.
CHECKED = {}
REASONS = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
}


@replace(FakeTargetGroup, "health_for")
def health_as_checked(original, self, target, ec2_backend):
    """moto takes every registered target for healthy."""
    status = original(self, target, ec2_backend)
    checked = CHECKED.get(self.arn)
    if status.status != "healthy" or checked is None:
        return status
    state = checked.health_of(self.arn, target["Id"]) or "initial"
    return FakeHealthStatus(status.instance_id, status.port, self.health_check_port, state, *REASONS.get(state, ()))

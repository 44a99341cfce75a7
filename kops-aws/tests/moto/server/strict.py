"""Where moto 5.2.5 accepts what AWS refuses, it refuses it here, with AWS's own code: whatever a plan lets through that
the service would not take has to fail in a test, too."""

import base64

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.elb.models import elb_backends
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import AvailabilityZone, ELBv2Backend, FakeLoadBalancer, elbv2_backends
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend

from repairs import replace

# ---------------------------------------------------------------- what is in use


def balancers(self):
    """The load balancers of an account and region, of all generations."""
    for backends in (elb_backends, elbv2_backends):
        yield from backends[self.account_id][self.region_name].load_balancers.values()


def subnets_of(balancer):
    return {getattr(subnet, "id", subnet) for subnet in balancer.subnets}


@replace(NatGateway, "__init__")
def interfaces_of_gateways_say_whose_they_are(original, self, *args, **kwargs):
    """moto makes an interface like any other."""
    original(self, *args, **kwargs)
    self._eni.description = f"Interface for NAT Gateway {self.id}"
    self._eni.interface_type = "nat_gateway"
    self._eni.requester_managed = True


@replace(SubnetBackend, "delete_subnet")
def subnets_in_use(original, self, subnet_id):
    """moto deletes a subnet with interfaces and load balancers in it."""
    interfaces = any(eni.subnet.id == subnet_id for eni in self.enis.values())
    if interfaces or any(subnet_id in subnets_of(balancer) for balancer in balancers(self)):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return original(self, subnet_id)


@replace(SecurityGroupBackend, "delete_security_group")
def groups_in_use(original, self, name=None, group_id=None):
    """moto deletes a security group that interfaces, load balancers and rules of others refer to."""

    def refers(group):
        rules = [*group.ingress_rules, *group.egress_rules]
        return any((rule.source_group or {}).get("GroupId") == group_id for rule in rules)

    others = [group for groups in self.groups.values() for key, group in groups.items() if key != group_id]
    interfaces = any(group_id == group.id for eni in self.enis.values() for group in eni.group_set)
    used = group_id in {group for balancer in balancers(self) for group in balancer.security_groups or []}
    if group_id and (interfaces or used or any(refers(group) for group in others)):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return original(self, name, group_id)


@replace(VPCBackend, "delete_vpc")
def networks_in_use(original, self, vpc_id):
    """moto deletes a VPC with security groups of its own, and with an internet gateway attached."""
    groups = any(group.name != "default" for group in self.groups.get(vpc_id, {}).values())
    gateways = any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in self.internet_gateways.values())
    if groups or gateways:
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(self, vpc_id)


# ---------------------------------------------------------------- zones

# moto has no zones at the edge.
EDGE = {
    zone.name: zone
    for zone in (
        Zone("us-east-1-atl-1a", "us-east-1", "use1-atl1-az1", "local-zone"),
        Zone("us-east-1-wl1-bos-wlz-1", "us-east-1", "use1-wl1-bos-wlz1", "wavelength-zone"),
    )
}
RegionsAndZonesBackend.zones["us-east-1"].extend(EDGE.values())


@replace(RegionsAndZonesBackend, "describe_availability_zones")
def zones_at_the_edge_are_asked_for(original, self, filters=None, zone_names=None, zone_ids=None):
    """Nobody gets one who does not choose it: there are no default subnets there."""
    found = original(self, filters, zone_names, zone_ids)
    return [zone for zone in found if filters or zone_names or zone_ids or zone.name not in EDGE]


def refuse_edge(zones):
    if any(zone in EDGE for zone in zones):
        raise ELBClientError(
            "InvalidConfigurationRequest", "Network load balancers do not support subnets in Local Zones."
        )


@replace(ELBv2Backend, "create_load_balancer")
def balancers_at_the_edge(original, self, **settings):
    """moto makes network load balancers in all zones."""
    subnets = [*(settings.get("subnet_ids") or [])]
    subnets += [mapping["SubnetId"] for mapping in settings.get("subnet_mappings") or []]
    if settings.get("loadbalancer_type") == "network":
        refuse_edge([self.ec2_backend.get_subnet(subnet).availability_zone for subnet in subnets])
    return original(self, **settings)


# ---------------------------------------------------------------- addresses of load balancers

ADDRESSES = ("AllocationId", "PrivateIPv4Address")


def addresses_of(mapping):
    return {key: mapping[key] for key in ADDRESSES if mapping.get(key)}


def zones_with_addresses(self):
    """moto forgets the addresses that a load balancer was given."""
    zones = [AvailabilityZone(subnet) for subnet in self.subnets]
    for zone in zones:
        addresses = getattr(self, "addresses", {}).get(zone.subnet_id)
        zone.load_balancer_addresses = [addresses] if addresses else []
    return zones


FakeLoadBalancer.availability_zones = property(zones_with_addresses)


@replace(ELBv2Backend, "create_load_balancer")
def addresses_of_new_balancers(original, self, **settings):
    balancer = original(self, **settings)
    if not hasattr(balancer, "addresses"):
        mappings = settings.get("subnet_mappings") or []
        balancer.addresses = {mapping["SubnetId"]: addresses_of(mapping) for mapping in mappings}
    return balancer


@replace(ELBv2Backend, "set_subnets")
def zones_are_left_before_they_are_entered_again(original, self, arn, subnets, subnet_mappings):
    """moto exchanges subnet and address of a zone in one call, and wants two zones of all types. AWS: a zone of a
    network load balancer is removed, and then added again. What moto checks itself is checked here, too."""
    balancer = self.load_balancers.get(arn)
    if balancer is None or balancer.type != "network":
        return original(self, arn, subnets, subnet_mappings)
    mappings = [*({"SubnetId": subnet} for subnet in subnets), *subnet_mappings]
    wanted = {mapping["SubnetId"]: addresses_of(mapping) for mapping in mappings}
    if not wanted:
        raise ELBClientError("ValidationError", "At least one subnet must be specified")
    found = [self.ec2_backend.get_subnet(subnet) for subnet in wanted]
    zones = [subnet.availability_zone for subnet in found]
    if len({*zones}) < len(zones):
        raise ELBClientError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    refuse_edge(zones)
    there = {subnet.availability_zone: subnet.id for subnet in balancer.subnets}
    for subnet in found:
        former = there.get(subnet.availability_zone)
        if former and (former != subnet.id or balancer.addresses.get(former, {}) != wanted[subnet.id]):
            raise ELBClientError(
                "InvalidConfigurationRequest",
                "You cannot specify an additional subnet from an Availability Zone that is already associated with "
                f"the load balancer. The Availability Zone '{subnet.availability_zone}' corresponding to the new "
                f"subnet '{subnet.id}' is already associated with the load balancer.",
            )
    balancer.subnets, balancer.addresses = found, wanted
    return balancer.availability_zones


# ---------------------------------------------------------------- machines and disks


def require_iops(kind, iops):
    if kind in ("io1", "io2") and not iops:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter iops")
    if kind in ("gp2", "st1", "sc1", "standard") and iops:
        raise EC2ClientError(
            "InvalidParameterCombination", f"The parameter iops is not supported for {kind} volumes."
        )


@replace(EBSBackend, "create_volume")
def volumes_with_provisioned_operations(original, self, *args, **kwargs):
    """moto makes io1 volumes without operations per second."""
    require_iops(kwargs.get("volume_type"), kwargs.get("iops"))
    return original(self, *args, **kwargs)


def check_template(data):
    for mapping in data.get("BlockDeviceMappings") or []:
        disk = mapping.get("Ebs") or {}
        require_iops(disk.get("VolumeType"), disk.get("Iops"))
    encoded = data.get("UserData") or ""
    if len(base64.b64decode(str(encoded) + "==", validate=False)) > 16384:
        raise EC2ClientError("InvalidParameterValue", "User data is limited to 16384 bytes")


@replace(LaunchTemplateBackend, "create_launch_template")
def templates_that_no_machine_can_have(original, self, name, description, template_data, tag_spec):
    """moto keeps whatever it is given. AWS says it when the first machine starts, and a group with such a template is
    never made."""
    check_template(template_data)
    return original(self, name, description, template_data, tag_spec)


@replace(LaunchTemplate, "create_version")
def versions_that_no_machine_can_have(original, self, data, description):
    """Every change of a group is a further version of its template, which moto takes as it takes the first. (The first
    is checked above, too: here its tags are made already, and nobody would remove them.)"""
    check_template(data)
    return original(self, data, description)


@replace(InstanceBackend, "run_instances")
def machines_and_images_of_two_kinds(original, self, image_id, *args, **kwargs):
    """moto starts ARM machines with images for x86-64."""
    kind = INSTANCE_TYPES.get(kwargs.get("instance_type"), {})
    runs = kind.get("ProcessorInfo", {}).get("SupportedArchitectures")
    image = self.amis.get(image_id)
    if runs and image is not None and image.architecture not in runs:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{','.join(runs)}' of the specified instance type does not match the architecture "
            f"'{image.architecture}' of the specified AMI.",
        )
    return original(self, image_id, *args, **kwargs)


# ---------------------------------------------------------------- records


@replace(Route53Backend, "change_resource_record_sets")
def records_beside_an_alias(original, self, zoneid, change_list):
    """moto keeps a CNAME beside records of other types."""

    def key(record):
        return (record["Name"].rstrip(".") + ".", record["Type"])

    zone = self.get_hosted_zone(zoneid)
    there = {(record.name, record.type) for record in zone.get_record_sets(None, None)}
    there -= {key(change["ResourceRecordSet"]) for change in change_list if change["Action"] == "DELETE"}
    for change in change_list:
        name, kind = key(change["ResourceRecordSet"])
        others = {other for at, other in there if at == name and other != kind}
        if change["Action"] != "DELETE" and others and "CNAME" in {kind, *others}:
            raise Route53ClientError(
                "InvalidChangeBatch",
                f"RRSet of type {kind} with DNS name {name} is not permitted as it conflicts with other records with "
                f"the same DNS name in zone {zone.name}",
            )
    return original(self, zoneid, change_list)

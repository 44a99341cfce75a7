"""Where moto 5.2.5 differs from AWS in what kops-aws relies on, it is put right here, each with its reason.

The provider is never bent to fit the emulator.
"""

from moto.autoscaling import models as autoscaling
from moto.autoscaling.exceptions import ValidationError
from moto.ec2.models.dhcp_options import DHCPOptionsSetBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.dhcp_options import DHCPOptions
from moto.ec2.responses.key_pairs import KeyPairs
from moto.ec2.responses.subnets import Subnets
from moto.route53.responses import Route53


def replace(owner, name):
    """Replaces a method by one that gets the original as its first argument."""

    def decorate(function):
        original = getattr(owner, name)

        def replacement(*args, **kwargs):
            return function(original, *args, **kwargs)

        setattr(owner, name, replacement)
        return function

    return decorate


@replace(autoscaling.AutoScalingBackend, "describe_warm_pool")
def warm_pool_of_a_missing_group(original, self, group_name):
    """moto: 500 (IndexError). AWS: ValidationError."""
    if not self.describe_auto_scaling_groups([group_name]):
        raise ValidationError(f"AutoScalingGroup name not found - no such group: {group_name}")
    return original(self, group_name)


@replace(autoscaling.FakeAutoScalingGroup, "replace_autoscaling_group_instances")
def replace_members_without_a_template(original, self, *args, **kwargs):
    """moto: TerminateInstances of a member whose launch template is gone answers 500, because replacing it at
    once fails. AWS: the instance ends; the group fails to start another on its own time."""
    try:
        return original(self, *args, **kwargs)
    except IndexError:
        return None


@replace(Subnets, "modify_subnet_attribute")
def hostname_type_on_launch(original, self):
    """moto drops PrivateDnsHostnameTypeOnLaunch."""
    kind = self._get_param("PrivateDnsHostnameTypeOnLaunch")
    if kind:
        subnet = self.ec2_backend.get_subnet(self._get_param("SubnetId"))
        subnet.private_dns_name_options_on_launch["HostnameType"] = kind
    return original(self)


@replace(SubnetBackend, "delete_subnet")
def subnet_takes_its_route_table_association_along(original, self, subnet_id):
    """moto leaves the association behind, and then never lets the route table be deleted."""
    deleted = original(self, subnet_id)
    for table in self.route_tables.values():
        for key, association in list(table._associations.items()):
            if getattr(association, "subnet_id", association) == subnet_id:
                del table._associations[key]
    return deleted


@replace(VPCBackend, "delete_vpc")
def vpc_leaves_its_dhcp_options(original, self, vpc_id):
    """moto deletes the VPC's DHCP options with it; AWS keeps them."""
    vpc = self.get_vpc(vpc_id)
    options = getattr(vpc, "dhcp_options", None)
    if options is None:
        return original(self, vpc_id)
    vpc.dhcp_options, options.vpc = None, None
    try:
        return original(self, vpc_id)
    except Exception:
        vpc.dhcp_options, options.vpc = options, vpc
        raise


@replace(DHCPOptions, "create_dhcp_options")
def dhcp_options_take_tags(original, self):
    """moto drops the tags of the creating call."""
    answer = original(self)
    tags = self._parse_tag_specification().get("dhcp-options", {})
    answer.result["DhcpOptions"].add_tags(tags)
    return answer


@replace(DHCPOptionsSetBackend, "associate_dhcp_options")
def other_dhcp_options_free_the_former(original, self, dhcp_options, vpc):
    """moto goes on taking the VPC's former options for used."""
    self.disassociate_dhcp_options(vpc)
    return original(self, dhcp_options, vpc)


@replace(VPCBackend, "delete_vpc")
def vpc_takes_its_default_acl_along(original, self, vpc_id):
    """moto leaves the default network ACL behind."""
    deleted = original(self, vpc_id)
    for key, acl in list(self.network_acls.items()):
        if acl.vpc_id == vpc_id:
            del self.network_acls[key]
    return deleted


@replace(NatGatewayBackend, "delete_nat_gateway")
def nat_gateway_takes_its_interface_along(original, self, nat_gateway_id):
    """moto leaves the network interface behind, and the address associated with it."""
    gateway = original(self, nat_gateway_id)
    for address in self.addresses:
        if address.eni is gateway._eni:
            self.disassociate_address(association_id=address.association_id)
    self.enis.pop(gateway._eni.id, None)
    return gateway


@replace(SecurityGroupRule, "__init__")
def protocols_without_ports(original, self, backend, protocol, group_id, from_port, to_port, *args, **kwargs):
    """moto: a rule for a protocol that knows no ports (IP in IP) and gives none is answered with 500."""
    ports = [-1 if port is None else port for port in (from_port, to_port)]
    original(self, backend, protocol, group_id, *ports, *args, **kwargs)


@replace(SecurityGroupRule, "__eq__")
def descriptions_do_not_tell_rules_apart(original, self, other):
    """moto compares the description of a rule's group, so that revoking needs it. AWS: it does not."""

    def group(rule):
        return {key: value for key, value in rule.source_group.items() if key != "Description"}

    mine, theirs = self.source_group, other.source_group
    self.source_group, other.source_group = group(self), group(other)
    try:
        return original(self, other)
    finally:
        self.source_group, other.source_group = mine, theirs


@replace(SubnetBackend, "delete_subnet")
def subnet_leaves_its_acl(original, self, subnet_id):
    """moto goes on showing the subnet in its network ACL."""
    deleted = original(self, subnet_id)
    for acl in self.network_acls.values():
        for key, association in list(acl._associations.items()):
            if association.subnet_id == subnet_id:
                del acl._associations[key]
    return deleted


@replace(KeyPairs, "delete_key_pair")
def delete_key_pair_by_id(original, self):
    """moto ignores KeyPairId."""
    wanted = self._get_param("KeyPairId")
    if wanted and not self._get_param("KeyName"):
        for name, pair in list(self.ec2_backend.key_pairs.items()):
            if pair.id == wanted:
                del self.ec2_backend.key_pairs[name]
    return original(self)


@replace(Route53, "_get_bool_param")
def zone_with_a_network_is_private(original, self, name, *args, **kwargs):
    """moto: a zone created with a VPC but without HostedZoneConfig is public. AWS: private."""
    if name == "HostedZoneConfig.PrivateZone" and self._get_param("VPC.VPCId"):
        return True
    return original(self, name, *args, **kwargs)

"""Virtual networks, security groups, route tables, gateways, addresses."""

import copy

import addresses
from errors import bad_request, missing
from inline import Owner, Part, removed
from kinds import KINDS, Kind, kind
from state import public_address

NETWORK = "Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/subnets"
NSG = f"{NETWORK}/networkSecurityGroups"
ASG = f"{NETWORK}/applicationSecurityGroups"
ROUTES = f"{NETWORK}/routeTables"
NAT = f"{NETWORK}/natGateways"
ADDRESS = f"{NETWORK}/publicIPAddresses"
PREFIX = f"{NETWORK}/publicIPPrefixes"


class Net(Kind):
    has_etag = True

    def guid(self, ctx, resource, body, old):
        known = (old or {}).get("properties", {}).get("resourceGuid")
        body.setdefault("properties", {})["resourceGuid"] = known or ctx.sub.new_guid(resource.id)


class NetOwner(Owner):
    has_etag = True
    guid = Net.guid


def users(sub, target, but_not=()):
    """Ids of who refers to a resource, e.g. IP configurations of a subnet."""
    return sorted({owner for owner, member in sub.references(target) if member not in but_not})


def in_use(code, what, resource_id, by):
    return bad_request(code, f"{what} {resource_id} cannot be deleted because it is in use by the following resources: {', '.join(by)}.")


# ---------------------------------------------------------------- virtual networks


@kind
class VirtualNetwork(NetOwner):
    type = f"{NETWORK}/virtualNetworks"
    parts = {"subnets": SUBNET, "virtualNetworkPeerings": f"{NETWORK}/virtualNetworks/virtualNetworkPeerings"}
    name_pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}[A-Za-z0-9_]$"

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        if "subnets" not in properties and old and ctx.sub.settings.keep_subnets:
            properties["subnets"] = copy.deepcopy(old["properties"].get("subnets", []))
        super().prepare(ctx, resource, body, old)
        self.guid(ctx, resource, body, old)
        space = properties.get("addressSpace", {}).get("addressPrefixes")
        if not space:
            raise missing("properties.addressSpace.addressPrefixes")
        ranges = [addresses.network(prefix, resource.id) for prefix in space]
        for index, one in enumerate(ranges):
            if any(one.version == other.version and one.overlaps(other) for other in ranges[:index]):
                raise bad_request(
                    "VnetAddressSpaceOverlapsWithAlreadyExistingAddressSpace",
                    f"Address prefixes of virtual network {resource.name} overlap: {one}.",
                )
        properties.setdefault("enableDdosProtection", False)
        taken = []
        for subnet in properties["subnets"]:
            self.prepare_subnet(ctx, resource, body, subnet, ranges, taken)
        for part in removed("subnets", body, old):
            check_subnet_unused(ctx.sub, part)
        for before in (old or {}).get("properties", {}).get("subnets", []):
            after = next((it for it in properties["subnets"] if it["name"] == before["name"]), None)
            if after and addresses.prefixes(after) != addresses.prefixes(before) and subnet_users(ctx.sub, before):
                raise bad_request(
                    "InUsePrefixCannotBeDeleted",
                    f"IpPrefix {', '.join(addresses.prefixes(before))} on Subnet {before['name']} has active allocations and "
                    "cannot be deleted.",
                )

    def prepare_subnet(self, ctx, resource, body, subnet, ranges, taken):
        properties = subnet["properties"]
        if not properties.get("addressPrefix") and not properties.get("addressPrefixes"):
            raise bad_request(
                "InvalidRequestFormat", f"Subnet '{subnet['name']}' has neither an addressPrefix nor addressPrefixes."
            )
        for prefix in addresses.prefixes(subnet):
            parsed = addresses.network(prefix, subnet["id"])
            if not addresses.inside(parsed, ranges):
                raise bad_request(
                    "NetcfgInvalidSubnet", f"Subnet '{subnet['name']}' is not valid in virtual network '{resource.name}'."
                )
            if parsed.version == 4 and parsed.prefixlen > 29:
                raise bad_request("NetcfgInvalidSubnet", f"Subnet '{subnet['name']}' is too small: /29 is the smallest.")
            for other, name in taken:
                if other.version == parsed.version and other.overlaps(parsed):
                    raise bad_request(
                        "NetcfgSubnetRangesOverlap",
                        f"Subnet '{subnet['name']}' is not valid because its IP address range overlaps with that of an "
                        f"existing subnet '{name}' in virtual network '{resource.name}'.",
                    )
            taken.append((parsed, subnet["name"]))
        for member, target in (("networkSecurityGroup", NSG), ("routeTable", ROUTES), ("natGateway", NAT)):
            if reference := properties.get(member):
                found = ctx.resolve(reference, target, subnet["id"])
                ctx.same_region(body.get("location"), found, subnet["id"])
                properties[member] = {"id": reference["id"]}
        properties.setdefault("privateEndpointNetworkPolicies", "Disabled")
        properties.setdefault("privateLinkServiceNetworkPolicies", "Enabled")
        properties.setdefault("delegations", [])

    def check_delete(self, ctx, resource):
        for subnet in resource.properties.get("subnets", []):
            check_subnet_unused(ctx.sub, subnet)

    def complete(self, sub, resource, body):
        for subnet in body["properties"]["subnets"]:
            if by := subnet_users(sub, subnet):
                subnet["properties"]["ipConfigurations"] = [{"id": it} for it in by]


def subnet_users(sub, subnet):
    return users(sub, subnet["id"])


def check_subnet_unused(sub, subnet):
    if by := subnet_users(sub, subnet):
        raise bad_request(
            "InUseSubnetCannotBeDeleted",
            f"Subnet {subnet['name']} is in use by {', '.join(by[:5])} and cannot be deleted. In order to delete the subnet, "
            "delete all the resources within the subnet. See aka.ms/deletesubnet.",
        )


@kind
class Subnet(Part):
    type = SUBNET
    owner = KINDS[VirtualNetwork.type.lower()]
    member = "subnets"


# ---------------------------------------------------------------- security groups


@kind
class SecurityGroup(NetOwner):
    type = NSG
    parts = {"securityRules": f"{NSG}/securityRules"}

    def prepare(self, ctx, resource, body, old):
        super().prepare(ctx, resource, body, old)
        self.guid(ctx, resource, body, old)
        taken = {}
        for rule in body["properties"]["securityRules"]:
            self.prepare_rule(ctx, body, rule)
            key = rule["properties"]["direction"], rule["properties"]["priority"]
            if key in taken:
                raise bad_request(
                    "SecurityRuleConflict",
                    f"Security rule {rule['name']} conflicts with rule {taken[key]}. Rules cannot have the same Priority and "
                    "Direction.",
                )
            taken[key] = rule["name"]

    def prepare_rule(self, ctx, body, rule):
        properties, name = rule["properties"], rule["name"]
        for member in ("protocol", "access", "direction", "priority"):
            if member not in properties:
                raise bad_request(
                    "SecurityRuleParameterMissing" if member != "priority" else "SecurityRuleInvalidPriority",
                    f"Security rule {name} has no {member}.",
                )
        if not 100 <= properties["priority"] <= 4096:
            raise bad_request(
                "SecurityRuleInvalidPriority",
                f"Security rule has invalid Priority. Value provided: {properties['priority']}. Allowed range 100-4096.",
            )
        for side in ("source", "destination"):
            ports = properties.get(f"{side}PortRange"), properties.get(f"{side}PortRanges")
            if not ports[0] and not ports[1]:
                raise bad_request("SecurityRuleInvalidPortRange", f"Security rule {name} has no {side} port range.")
            if ports[0] and ports[1]:
                raise bad_request("SecurityRuleParameterContainsMultipleValues", f"Security rule {name}: {side}PortRange(s)?")
            for port in ports[1] or [ports[0]]:
                _check_ports(name, port, several=bool(ports[1]))
            self.prepare_addresses(ctx, body, rule, side)
        properties.setdefault("sourcePortRanges", [])
        properties.setdefault("destinationPortRanges", [])
        properties.setdefault("sourceAddressPrefixes", [])
        properties.setdefault("destinationAddressPrefixes", [])

    def prepare_addresses(self, ctx, body, rule, side):
        properties, name = rule["properties"], rule["name"]
        one, several = properties.get(f"{side}AddressPrefix"), properties.get(f"{side}AddressPrefixes")
        groups = properties.get(f"{side}ApplicationSecurityGroups")
        given = [it for it in (one, several, groups) if it]
        if len(given) != 1:
            raise bad_request(
                "SecurityRuleParameterContainsUnsupportedValue" if given else "SecurityRuleInvalidAddressPrefix",
                f"Security rule {name} must have exactly one of {side}AddressPrefix, {side}AddressPrefixes and "
                f"{side}ApplicationSecurityGroups.",
            )
        for prefix in several or ([one] if one else []):
            if prefix == "*" or prefix[0].isalpha() and "/" not in prefix and ":" not in prefix:
                # A service tag: VirtualNetwork, AzureLoadBalancer, Internet, Storage.WestEurope.
                if several and prefix in ("*", "VirtualNetwork", "AzureLoadBalancer", "Internet"):
                    raise bad_request(
                        "SecurityRuleParameterContainsUnsupportedValue",
                        f"Security rule {name}: {side}AddressPrefixes cannot have '{prefix}'.",
                    )
                continue
            if "/" in prefix:
                addresses.network(prefix, rule["id"])
            else:
                addresses.network(prefix + ("/128" if ":" in prefix else "/32"), rule["id"])
        for group in groups or []:
            ctx.same_region(body.get("location"), ctx.resolve(group, ASG, rule["id"]), rule["id"])
        if groups:
            properties[f"{side}ApplicationSecurityGroups"] = [{"id": group["id"]} for group in groups]

    def check_delete(self, ctx, resource):
        if by := users(ctx.sub, resource.id):
            raise in_use("InUseNetworkSecurityGroupCannotBeDeleted", "Network security group", resource.id, by)

    def complete(self, sub, resource, body):
        properties = body["properties"]
        properties["defaultSecurityRules"] = _default_rules(resource.id)
        by = users(sub, resource.id)
        subnets = [{"id": it} for it in by if "/subnets/" in it.lower()]
        others = [{"id": it} for it in by if "/networkinterfaces/" in it.lower() and "/subnets/" not in it.lower()]
        if subnets:
            properties["subnets"] = subnets
        if others:
            properties["networkInterfaces"] = others


def _check_ports(rule, text, several):
    if text == "*" and not several:
        return
    first, _, last = text.partition("-")
    try:
        low, high = int(first), int(last or first)
    except ValueError:
        low, high = 1, 0
    if not 0 <= low <= high <= 65535:
        raise bad_request("SecurityRuleInvalidPortRange", f"Security rule has invalid Port range. Value provided: {text} ({rule}).")


def _default_rules(group):
    rules = [
        ("AllowVnetInBound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000, "Inbound"),
        ("AllowAzureLoadBalancerInBound", "AzureLoadBalancer", "*", "Allow", 65001, "Inbound"),
        ("DenyAllInBound", "*", "*", "Deny", 65500, "Inbound"),
        ("AllowVnetOutBound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000, "Outbound"),
        ("AllowInternetOutBound", "*", "Internet", "Allow", 65001, "Outbound"),
        ("DenyAllOutBound", "*", "*", "Deny", 65500, "Outbound"),
    ]
    return [
        {
            "name": name,
            "id": f"{group}/defaultSecurityRules/{name}",
            "type": f"{NSG}/defaultSecurityRules",
            "properties": {
                "provisioningState": "Succeeded",
                "protocol": "*",
                "sourcePortRange": "*",
                "destinationPortRange": "*",
                "sourceAddressPrefix": source,
                "destinationAddressPrefix": destination,
                "access": access,
                "priority": priority,
                "direction": direction,
            },
        }
        for name, source, destination, access, priority, direction in rules
    ]


@kind
class SecurityRule(Part):
    type = f"{NSG}/securityRules"
    owner = KINDS[NSG.lower()]
    member = "securityRules"


@kind
class ApplicationSecurityGroup(Net):
    type = ASG

    def prepare(self, ctx, resource, body, old):
        self.guid(ctx, resource, body, old)

    def check_delete(self, ctx, resource):
        if by := users(ctx.sub, resource.id):
            raise in_use("InUseApplicationSecurityGroupCannotBeDeleted", "Application security group", resource.id, by)


# ---------------------------------------------------------------- routes


@kind
class RouteTable(NetOwner):
    type = ROUTES
    parts = {"routes": f"{ROUTES}/routes"}

    def prepare(self, ctx, resource, body, old):
        super().prepare(ctx, resource, body, old)
        self.guid(ctx, resource, body, old)
        properties = body["properties"]
        properties.setdefault("disableBgpRoutePropagation", False)
        taken = {}
        for route in properties["routes"]:
            inner = route["properties"]
            if "nextHopType" not in inner:
                raise missing("properties.nextHopType")
            if not inner.get("addressPrefix"):
                raise missing("properties.addressPrefix")
            if inner["addressPrefix"][0].isdigit() or ":" in inner["addressPrefix"]:
                addresses.network(inner["addressPrefix"], route["id"])
            if (inner["nextHopType"] == "VirtualAppliance") != bool(inner.get("nextHopIpAddress")):
                raise bad_request(
                    "RouteNextHopIpAddressInvalid",
                    f"Route {route['name']}: a next hop address goes with VirtualAppliance and with nothing else.",
                )
            inner["hasBgpOverride"] = False
            if inner["addressPrefix"] in taken:
                raise bad_request(
                    "RouteConflict", f"Route {route['name']} conflicts with route {taken[inner['addressPrefix']]}: same prefix."
                )
            taken[inner["addressPrefix"]] = route["name"]

    def check_delete(self, ctx, resource):
        if by := users(ctx.sub, resource.id):
            raise in_use("InUseRouteTableCannotBeDeleted", "Route table", resource.id, by)

    def complete(self, sub, resource, body):
        if by := users(sub, resource.id):
            body["properties"]["subnets"] = [{"id": it} for it in by]


@kind
class Route(Part):
    type = f"{ROUTES}/routes"
    owner = KINDS[ROUTES.lower()]
    member = "routes"


# ---------------------------------------------------------------- gateways and addresses


@kind
class NatGateway(Net):
    type = NAT

    def prepare(self, ctx, resource, body, old):
        self.guid(ctx, resource, body, old)
        properties = body["properties"]
        if body.setdefault("sku", {}).setdefault("name", "Standard") != "Standard":
            raise bad_request("InvalidRequestFormat", f"Nat gateway {resource.name} has the wrong SKU.")
        if not 4 <= properties.setdefault("idleTimeoutInMinutes", 4) <= 120:
            raise bad_request("NatGatewayIdleTimeoutInvalid", "idleTimeoutInMinutes goes from 4 to 120.")
        if len(body.get("zones", [])) > 1:
            raise bad_request("ResourceZonesInvalid", f"Nat gateway {resource.name} can have one zone at most.")
        for reference in properties.get("publicIpAddresses", []):
            found = ctx.resolve(reference, ADDRESS, resource.id)
            ctx.same_region(body["location"], found, resource.id)
            if found.body["sku"]["name"] != "Standard":
                raise bad_request(
                    "NatGatewayCannotUseBasicSkuPublicIp",
                    f"Nat gateway {resource.id} cannot use the public IP address {found.id} of another SKU than Standard.",
                )
            if found.properties["publicIPAddressVersion"] != "IPv4":
                raise bad_request("NatGatewayCannotUseIPv6PublicIp", f"{found.id} is no IPv4 address.")
            check_address_free(ctx.sub, found, resource.id)
        for reference in properties.get("publicIpPrefixes", []):
            ctx.resolve(reference, PREFIX, resource.id)

    def check_delete(self, ctx, resource):
        if by := users(ctx.sub, resource.id):
            raise bad_request(
                "CannotDeleteNatGatewayAssociatedToSubnet",
                f"NAT Gateway {resource.id} is still configured on {len(by)} subnets. Remove NAT Gateway from all referenced "
                "subnets and then delete NAT Gateway.",
            )

    def complete(self, sub, resource, body):
        if by := users(sub, resource.id):
            body["properties"]["subnets"] = [{"id": it} for it in by]


def check_address_free(sub, address, by):
    """A public address belongs to one IP configuration or gateway."""
    others = [it for it in users(sub, address.id) if it.lower() != by.lower()]
    if others:
        raise bad_request(
            "PublicIPAddressInUse",
            f"Resource {by} is referencing public IP address {address.id} that is already allocated to resource {others[0]}.",
        )


@kind
class PublicAddress(Net):
    type = ADDRESS

    def prepare(self, ctx, resource, body, old):
        self.guid(ctx, resource, body, old)
        properties = body["properties"]
        sku = body.setdefault("sku", {})
        sku.setdefault("name", "Basic")
        sku.setdefault("tier", "Regional")
        standard = sku["name"] == "Standard"
        properties.setdefault("publicIPAddressVersion", "IPv4")
        properties.setdefault("publicIPAllocationMethod", "Dynamic")
        properties.setdefault("idleTimeoutInMinutes", 4)
        properties.setdefault("ipTags", [])
        if standard and properties["publicIPAllocationMethod"] != "Static":
            raise bad_request(
                "StandardSkuPublicIPAddressesMustBeStatic",
                f"Standard sku publicIp {resource.id} must have AllocationMethod set to Static.",
            )
        if not standard and body.get("zones"):
            raise bad_request(
                "ZonesNotAllowedForBasicPublicIp", f"Basic sku public IP address {resource.id} cannot have zones."
            )
        properties.pop("ipAddress", None)
        if old:
            before = old["properties"]
            if old["sku"]["name"] != sku["name"]:
                raise bad_request("PublicIPSkuCannotBeChanged", f"The SKU of {resource.id} cannot be changed.")
            if before["publicIPAddressVersion"] != properties["publicIPAddressVersion"]:
                raise bad_request("PublicIPAddressVersionCannotBeChanged", f"The IP version of {resource.id} cannot be changed.")
            if old.get("zones", []) != body.get("zones", []):
                raise bad_request(
                    "ResourceAvailabilityZonesCannotBeModified", f"Resource {resource.id} has an existing availability zone constraint."
                )
            if "ipAddress" in before:
                properties["ipAddress"] = before["ipAddress"]
        elif properties["publicIPAllocationMethod"] == "Static":
            properties["ipAddress"] = public_address(properties["publicIPAddressVersion"])
        if label := properties.get("dnsSettings", {}).get("domainNameLabel"):
            properties["dnsSettings"]["fqdn"] = f"{label}.{body['location']}.cloudapp.azure.com"

    def check_delete(self, ctx, resource):
        if by := users(ctx.sub, resource.id):
            raise bad_request(
                "PublicIPAddressCannotBeDeleted",
                f"Public IP address {resource.id} can not be deleted since it is still allocated to resource {by[0]}. In order "
                "to delete the public IP, disassociate/detach the Public IP address from the resource. To learn how to do "
                "this, see aka.ms/deletepublicip.",
            )

    def complete(self, sub, resource, body):
        for owner in users(sub, resource.id):
            if "/natgateways/" in owner.lower():
                body["properties"]["natGateway"] = {"id": owner}
            else:
                body["properties"]["ipConfiguration"] = {"id": owner}


@kind
class PublicPrefix(Net):
    type = PREFIX

    def prepare(self, ctx, resource, body, old):
        self.guid(ctx, resource, body, old)
        body.setdefault("sku", {}).setdefault("name", "Standard")
        length = body["properties"].setdefault("prefixLength", 28)
        body["properties"]["ipPrefix"] = (old or {}).get("properties", {}).get("ipPrefix") or f"198.19.0.0/{length}"

    def check_delete(self, ctx, resource):
        if by := users(ctx.sub, resource.id):
            raise in_use("PublicIPPrefixInUse", "Public IP prefix", resource.id, by)

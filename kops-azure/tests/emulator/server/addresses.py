"""Address ranges: parsing the way Azure complains, and giving out private addresses of subnets."""

import ipaddress

from errors import bad_request

# Azure keeps the first four addresses of a subnet and the last one.
RESERVED = 4


def network(prefix, what):
    try:
        return ipaddress.ip_network(prefix)
    except ValueError:
        pass
    try:
        right = ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        raise bad_request("InvalidAddressPrefixFormat", f"Address prefix {prefix} of {what} is not formatted correctly.") from None
    raise bad_request(
        "InvalidCIDRNotation",
        f"The address prefix {prefix} in resource {what} has an invalid CIDR notation. For the given prefix length, the "
        f"address prefix should be {right}.",
    )


def inside(inner, outers):
    return any(inner.version == outer.version and inner.subnet_of(outer) for outer in outers)


def prefixes(subnet):
    """The prefixes of a subnet's document."""
    properties = subnet["properties"]
    return properties.get("addressPrefixes") or [properties["addressPrefix"]]


def used(sub, subnet_id):
    """The private addresses that are taken in a subnet."""
    taken = set()
    for owner, _ in sub.references(subnet_id):
        part = find_part(sub, owner)
        address = (part or {}).get("properties", {}).get("privateIPAddress")
        if address:
            taken.add(address)
    return taken


def find_part(sub, owner):
    parts = owner.split("/")
    resource = sub.find("/".join(parts[:-2]))
    if resource is None:
        return None
    for members in resource.properties.values():
        for part in members if isinstance(members, list) else []:
            if isinstance(part, dict) and part.get("id") == owner:
                return part
    return None


def allocate(sub, subnet, wanted=None, version="IPv4", more=(), taken=None):
    """A free address of a subnet, or the wanted one if it is free.

    `more` are taken besides; `taken` are all that are, for who knows them already.
    """
    if taken is None:
        taken = used(sub, subnet["id"]) | set(more)
    ranges = [network(prefix, subnet["id"]) for prefix in prefixes(subnet)]
    ranges = [it for it in ranges if it.version == (6 if version == "IPv6" else 4)]
    if wanted:
        try:
            address = ipaddress.ip_address(wanted)
        except ValueError:
            raise bad_request("InvalidIPAddressFormat", f"'{wanted}' is not an IP address.") from None
        if not any(address in it for it in ranges):
            raise bad_request(
                "PrivateIPAddressNotInSubnet", f"Private static IP address {wanted} does not belong to the range of subnet {subnet['id']}."
            )
        if any(int(address) - int(it.network_address) < RESERVED for it in ranges if address in it):
            raise bad_request(
                "PrivateIPAddressInReservedRange",
                f"Private static IP address {wanted} falls within reserved IP range of subnet {subnet['id']}.",
            )
        if wanted in taken:
            raise bad_request(
                "PrivateIPAddressIsAllocated", f"IP configuration uses the private IP address {wanted} which is already allocated."
            )
        return wanted
    for it in ranges:
        for offset in range(RESERVED, it.num_addresses - 1):
            address = str(it.network_address + offset)
            if address not in taken:
                return address
    raise bad_request(
        "SubnetIsFull", f"Subnet {subnet['name']} with address prefix {', '.join(prefixes(subnet))} does not have enough capacity."
    )

"""Addresses: which are free, which are given, who uses them."""

import ipaddress

from errors import bad_value, invalid, not_found
from urls import parse


def free_internal(project, subnetwork):
    """The next free address of a subnetwork; the first four and the last are Google's."""
    network = ipaddress.ip_network(subnetwork.body["ipCidrRange"])
    used = used_internal(project)
    first = subnetwork.notes.get("next", 2)
    size = network.num_addresses
    for step in range(size):
        offset = 2 + (first - 2 + step) % max(1, size - 4)
        address = str(network[offset])
        if (subnetwork.body["network"], address) not in used:
            subnetwork.notes["next"] = offset + 1
            return address
    raise invalid(f"IP space of '{subnetwork.key.path}' is exhausted.")


def used_internal(project):
    """(network, address) of all internal addresses."""
    used = set()
    for item in project.of("instances"):
        for interface in item.body.get("networkInterfaces", []):
            used.add((interface.get("network"), interface.get("networkIP")))
    for item in project.of("forwardingRules"):
        if item.body.get("network"):
            used.add((item.body["network"], item.body.get("IPAddress")))
    for item in project.of("addresses"):
        if item.body.get("addressType") == "INTERNAL":
            used.add((item.notes.get("network"), item.body.get("address")))
    return used


def new_external(project):
    """An address of the block that is for documentation, never routed: nothing can go astray."""
    number = next(project.external)
    return (
        str(ipaddress.ip_address("203.0.113.0") + number % 246 + 5)
        if number < 240
        else str(ipaddress.ip_address("198.18.0.0") + number)
    )


def subnetwork_of(project, url, field):
    key = parse(url, project.name, field)
    item = project.world.item(key)
    if item is None:
        raise not_found(key.path)
    return item


def assign(project, item):
    """Completes a new reserved address."""
    body = item.body
    body.setdefault("addressType", "INTERNAL" if body.get("subnetwork") else "EXTERNAL")
    body.setdefault("ipVersion", "IPV4")
    is_global = item.key.location == "global"
    if body["addressType"] == "EXTERNAL":
        if body.get("subnetwork") or body.get("network"):
            raise invalid("Invalid value for field 'resource.subnetwork': it is for INTERNAL addresses only.")
        if body.get("address"):
            raise bad_value("resource.address", body["address"], "External addresses cannot be chosen.")
        body["networkTier"] = body.get("networkTier", "PREMIUM")
        if body["ipVersion"] == "IPV4":
            # Global addresses have no version unless one is asked for; regional ones neither.
            body.pop("ipVersion")
        body["address"] = new_external(project)
        return
    body["networkTier"] = "PREMIUM"
    body.setdefault("purpose", "GCE_ENDPOINT" if not is_global else "VPC_PEERING")
    if is_global:
        if not body.get("network"):
            raise invalid("Invalid value for field 'resource.network': a global internal address needs a network.")
        item.notes["network"] = body["network"]
        body.setdefault("address", "10.255.0.0")
        return
    if not body.get("subnetwork"):
        raise invalid("Invalid value for field 'resource.subnetwork': a regional internal address needs a subnetwork.")
    subnetwork = subnetwork_of(project, body["subnetwork"], "resource.subnetwork")
    if subnetwork.key.location != item.key.location:
        raise bad_value("resource.subnetwork", body["subnetwork"], "It must be in the region of the address.")
    item.notes["network"] = subnetwork.body["network"]
    body["address"] = take_internal(project, subnetwork, body.get("address"), "resource.address")


def take_internal(project, subnetwork, wanted, field):
    """A free address of a subnetwork: the wanted one, or any."""
    if not wanted:
        return free_internal(project, subnetwork)
    try:
        inside = ipaddress.ip_address(wanted) in ipaddress.ip_network(subnetwork.body["ipCidrRange"])
    except ValueError:
        raise bad_value(field, wanted, "Must be a valid IP address.") from None
    if not inside:
        raise bad_value(field, wanted, f"Requested IP address is outside the subnetwork '{subnetwork.key.path}'.")
    if (subnetwork.body["network"], wanted) in used_internal(project):
        raise bad_value(field, wanted, "Specified IP address is already in use.")
    return wanted


def reserved(project, location, text, internal):
    """The reserved address that a literal or a URL names, if one does."""
    for item in project.of("addresses"):
        if (item.body["addressType"] == "INTERNAL") != internal or (internal and item.key.location != location):
            continue
        if text in (item.body.get("address"), item.key.link):
            return item
    return None


def sync_users(project):
    """Writes into every reserved address who uses it."""
    users = {}
    for item in project.of("forwardingRules"):
        users.setdefault((item.body.get("IPAddress"), item.body.get("network")), []).append(item.key.link)
    for item in project.of("instances"):
        for interface in item.body.get("networkInterfaces", []):
            users.setdefault((interface.get("networkIP"), interface.get("network")), []).append(item.key.link)
            for access in interface.get("accessConfigs", []):
                users.setdefault((access.get("natIP"), None), []).append(item.key.link)
    routers = [item for item in project.of("routers") if item.ready]
    for item in project.of("addresses"):
        found = list(users.get((item.body["address"], item.notes.get("network")), []))
        for router in routers:
            if any(item.key.link in nat.get("natIps", []) for nat in router.body.get("nats", [])):
                found.append(router.key.link)
        if found:
            item.body["users"] = found
            if item.ready:
                item.body["status"] = "IN_USE"
        else:
            item.body.pop("users", None)
            if item.ready:
                item.body["status"] = "RESERVED"

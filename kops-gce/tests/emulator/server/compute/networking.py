"""Networks, subnetworks, firewalls, routes, routers with their NATs, addresses."""

import hashlib
import ipaddress

from compute import addressing
from compute.kind import Kind, need, ref
from errors import bad_value, in_use, invalid
from state import Item, now
from urls import parse, strip


class Networks(Kind):
    collection, label, kind = "networks", "network", "compute#network"
    immutable = ("name", "autoCreateSubnetworks", "IPv4Range")
    late_use = True

    def prepare(self, call, item):
        body = item.body
        if "IPv4Range" in body:
            raise invalid("Legacy networks can no longer be created.")
        if "autoCreateSubnetworks" not in body:
            # The API would make a legacy network, which it no longer does.
            raise bad_value(
                "resource.IPv4Range", "", "IPv4Range must be set for legacy networks: set autoCreateSubnetworks."
            )
        body.setdefault("routingConfig", {}).setdefault("routingMode", "REGIONAL")
        body["routingConfig"].setdefault("bgpBestPathSelectionMode", "LEGACY")
        mtu = body.get("mtu", 1460)
        if not 1300 <= mtu <= 8896:
            raise bad_value("resource.mtu", mtu, "Must be between 1300 and 8896.")
        body["networkFirewallPolicyEnforcementOrder"] = body.get(
            "networkFirewallPolicyEnforcementOrder", "AFTER_CLASSIC_FIREWALL"
        )
        body["selfLinkWithId"] = body["selfLink"].rsplit("/", 1)[0] + "/" + body["id"]

    def made(self, project, item):
        add_route(project, item.key.link, "0.0.0.0/0", gateway=True)

    def view(self, project, item):
        subnets = [
            other.body["selfLink"]
            for other in project.of("subnetworks")
            if other.ready and other.body["network"] == item.key.link
        ]
        return {**item.body, "subnetworks": sorted(subnets)} if subnets else item.body

    def gone(self, project, item):
        drop_routes(project, lambda route: route["network"] == item.key.link)


class Subnetworks(Kind):
    collection, label, kind = "subnetworks", "subnetwork", "compute#subnetwork"
    refs = (ref("network", "networks"),)
    immutable = ("name", "network", "region", "ipCidrRange")
    has_fingerprint = True
    needs_fingerprint = ("patch",)

    def prepare(self, call, item):
        body = item.body
        need(body, "network", "ipCidrRange")
        body.setdefault("purpose", "PRIVATE")
        body.setdefault("stackType", "IPV4_ONLY")
        body.setdefault("privateIpGoogleAccess", False)
        body["privateIpv6GoogleAccess"] = body.get("privateIpv6GoogleAccess", "DISABLE_GOOGLE_ACCESS")
        body["allowSubnetCidrRoutesOverlap"] = body.get("allowSubnetCidrRoutesOverlap", False)
        body["enableFlowLogs"] = body.get("enableFlowLogs", False)
        network = call.project.items[parse(body["network"], call.project.name, "resource.network")]
        if network.body.get("autoCreateSubnetworks") and item.key.name == network.key.name:
            raise invalid("Cannot create a subnetwork of an auto network's own name.")
        body["ipCidrRange"] = check_cidr(body["ipCidrRange"], "resource.ipCidrRange", longest=29)
        self.check_ranges(call.project, item, body)
        body["gatewayAddress"] = str(ipaddress.ip_network(body["ipCidrRange"])[1])

    def check_ranges(self, project, item, body):
        """No range may overlap another one of the network, primary or secondary."""
        taken = []
        for other in project.of("subnetworks"):
            if other is not item and other.key != item.key and other.body["network"] == body["network"]:
                taken += [(ip, other.key.path) for ip in ranges(other.body)]
        names = set()
        for secondary in body.get("secondaryIpRanges", []):
            if not secondary.get("rangeName") or not secondary.get("ipCidrRange"):
                raise invalid("Invalid value for field 'resource.secondaryIpRanges': a range needs a name and a CIDR.")
            if secondary["rangeName"] in names:
                raise invalid(f"Duplicate secondary range name '{secondary['rangeName']}'.")
            names.add(secondary["rangeName"])
            check_cidr(secondary["ipCidrRange"], "resource.secondaryIpRanges[].ipCidrRange", longest=29)
        for range_ in ranges(body):
            for other, owner in taken:
                if range_.overlaps(other):
                    raise invalid(
                        f"Invalid IPCidrRange: {range_} conflicts with existing subnetwork '{owner}' ({other})."
                    )
            taken.append((range_, item.key.path))

    def check_change(self, call, item, body):
        self.check_ranges(call.project, item, body)
        for name in secondary_names(item.body) - secondary_names(body):
            for other in call.project.of("instances"):
                for interface in other.body.get("networkInterfaces", []):
                    if interface.get("subnetwork") == item.key.link and any(
                        alias.get("subnetworkRangeName") == name for alias in interface.get("aliasIpRanges", [])
                    ):
                        raise invalid(f"Secondary range '{name}' is in use by '{other.key.path}'.")

    def made(self, project, item):
        add_route(project, item.body["network"], item.body["ipCidrRange"], subnetwork=item.key.link)

    def gone(self, project, item):
        drop_routes(project, lambda route: route.get("description", "").endswith(f"to the subnetwork {item.key.link}."))

    def do_expand_ip_cidr_range(self, call):
        item = self.item(call)
        self.check_free(item)
        need(call.body, "ipCidrRange")
        wider = check_cidr(call.body["ipCidrRange"], "resource.ipCidrRange", longest=29)
        if not ipaddress.ip_network(item.body["ipCidrRange"]).subnet_of(ipaddress.ip_network(wider)):
            raise bad_value("resource.ipCidrRange", wider, "Must contain the current range.")
        change = {"ipCidrRange": wider, "gatewayAddress": str(ipaddress.ip_network(wider)[1])}
        self.check_ranges(call.project, item, {**item.body, **change})
        return self.start_change(call, "expandIpCidrRange", item, lambda: item.body.update(change))

    def do_set_private_ip_google_access(self, call):
        item = self.item(call)
        self.check_free(item)
        value = call.body.get("privateIpGoogleAccess", False)
        return self.start_change(
            call, "setPrivateIpGoogleAccess", item, lambda: item.body.update(privateIpGoogleAccess=value)
        )

    def do_list_usable(self, call):
        return self.do_list(call)


class Firewalls(Kind):
    collection, label, kind = "firewalls", "firewall", "compute#firewall"
    refs = (ref("network", "networks", settled=False),)
    immutable = ("name", "network", "direction")

    def prepare(self, call, item):
        body = item.body
        need(body, "network")
        body.setdefault("direction", "INGRESS")
        body.setdefault("priority", 1000)
        body.setdefault("disabled", False)
        body.setdefault("logConfig", {}).setdefault("enable", False)
        if body["direction"] == "INGRESS" and not any(
            body.get(it) for it in ("sourceRanges", "sourceTags", "sourceServiceAccounts")
        ):
            body["sourceRanges"] = ["0.0.0.0/0"]
        if body["direction"] == "EGRESS" and not body.get("destinationRanges"):
            body["destinationRanges"] = ["0.0.0.0/0"]
        self.check(body)

    def check_change(self, call, item, body):
        for field, value in (
            ("priority", 1000),
            ("disabled", False),
            ("direction", "INGRESS"),
            ("logConfig", {"enable": False}),
        ):
            body.setdefault(field, value)
        self.check(body)

    def check(self, body):
        allowed, denied = body.get("allowed"), body.get("denied")
        if bool(allowed) == bool(denied):
            raise invalid(
                "Invalid value for field 'resource.allowed': exactly one of allowed and denied must be given."
            )
        for rule in allowed or denied:
            protocol = rule.get("IPProtocol", "")
            if protocol not in ("tcp", "udp", "icmp", "esp", "ah", "ipip", "sctp", "all") and not (
                protocol.isdigit() and 0 <= int(protocol) <= 255
            ):
                raise bad_value("resource.allowed[].IPProtocol", protocol, "Must be a protocol's name or number.")
            if rule.get("ports") and protocol not in ("tcp", "udp", "sctp", "6", "17", "132"):
                raise bad_value("resource.allowed[].ports", rule["ports"], f"Ports are not allowed with '{protocol}'.")
            for port in rule.get("ports", []):
                low, _, high = port.partition("-")
                if not (low.isdigit() and (high or low).isdigit() and int(low) <= int(high or low) <= 65535):
                    raise bad_value("resource.allowed[].ports", port, "Must be a port or a range of ports.")
        if not 0 <= body["priority"] <= 65535:
            raise bad_value("resource.priority", body["priority"], "Must be between 0 and 65535.")
        ingress = body["direction"] == "INGRESS"
        if not ingress and (body.get("sourceRanges") or body.get("sourceTags")) and not body.get("destinationRanges"):
            raise invalid("Invalid value for field 'resource.sourceRanges': sources are for INGRESS only.")
        for field in ("sourceRanges", "destinationRanges"):
            families = set()
            for range_ in body.get(field, []):
                families.add(ipaddress.ip_network(check_cidr(range_, f"resource.{field}", host=True)).version)
            if len(families) > 1:
                raise invalid(f"Invalid value for field 'resource.{field}': IPv4 and IPv6 ranges cannot be mixed.")
        if body.get("sourceServiceAccounts") and (body.get("sourceTags") or body.get("targetTags")):
            raise invalid("Service accounts and tags cannot be mixed in a firewall rule.")
        for tag in [*body.get("sourceTags", []), *body.get("targetTags", [])]:
            check_tag(tag)


class Routes(Kind):
    collection, label, kind = "routes", "route", "compute#route"
    refs = (ref("network", "networks", settled=False), ref("nextHopInstance", "instances"))

    def prepare(self, call, item):
        check_cidr(item.body["destRange"], "resource.destRange")
        hops = [field for field in item.body if field.startswith("nextHop")]
        if len(hops) != 1:
            raise invalid("Invalid value for field 'resource.nextHop': exactly one next hop must be given.")
        item.body["routeType"] = "STATIC"
        item.body["routeStatus"] = "ACTIVE"

    def targets(self, item):
        # A network's own routes go with it.
        return () if item.notes.get("default") else super().targets(item)

    def check_delete(self, call, item):
        if item.notes.get("default") and "nextHopNetwork" in item.body:
            raise invalid("The local route cannot be deleted.")


class Routers(Kind):
    collection, label, kind = "routers", "router", "compute#router"
    refs = (
        ref("network", "networks"),
        ref("nats[].natIps[]", "addresses"),
        ref("nats[].drainNatIps[]", "addresses"),
        ref("nats[].subnetworks[].name", "subnetworks"),
    )
    immutable = ("name", "network", "region")

    def prepare(self, call, item):
        need(item.body, "network")
        self.check(call, item, item.body)

    def check_change(self, call, item, body):
        self.check(call, item, body)

    def check(self, call, item, body):
        names = set()
        for index, nat in enumerate(body.get("nats", [])):
            where = f"nats[{index}]"
            need(nat, "name")
            if nat["name"] in names:
                raise invalid(f"Invalid value for field 'resource.nats': Duplicate NAT name '{nat['name']}'.")
            names.add(nat["name"])
            nat.setdefault("type", "PUBLIC")
            if not nat.get("sourceSubnetworkIpRangesToNat"):
                raise bad_value(f"resource.{where}.sourceSubnetworkIpRangesToNat", "", "It must be given.")
            if nat["type"] == "PUBLIC" and not nat.get("natIpAllocateOption"):
                raise bad_value(f"resource.{where}.natIpAllocateOption", "", "It must be given.")
            manual = nat.get("natIpAllocateOption") == "MANUAL_ONLY"
            if manual != bool(nat.get("natIps")):
                raise bad_value(
                    f"resource.{where}.natIps", nat.get("natIps"), "They are for MANUAL_ONLY, which needs them."
                )
            listed = nat["sourceSubnetworkIpRangesToNat"] == "LIST_OF_SUBNETWORKS"
            if listed != bool(nat.get("subnetworks")):
                raise bad_value(
                    f"resource.{where}.subnetworks", "", "They are for LIST_OF_SUBNETWORKS, which needs them."
                )
            for field, value in (
                ("enableEndpointIndependentMapping", False),
                ("endpointTypes", ["ENDPOINT_TYPE_VM"]),
                ("autoNetworkTier", "PREMIUM"),
            ):
                nat.setdefault(field, value)
            for other in call.project.of("routers", item.key.location):
                if other is item or other.body["network"] != body["network"]:
                    continue
                for theirs in other.body.get("nats", []):
                    if not listed or theirs["sourceSubnetworkIpRangesToNat"] != "LIST_OF_SUBNETWORKS":
                        raise bad_value(
                            f"resource.{where}.sourceSubnetworkIpRangesToNat",
                            nat["sourceSubnetworkIpRangesToNat"],
                            f"The subnetworks are already covered by NAT '{theirs['name']}' of '{other.key.path}'.",
                        )

    def made(self, project, item):
        addressing.sync_users(project)

    def changed(self, project, item, before):
        addressing.sync_users(project)

    def gone(self, project, item):
        addressing.sync_users(project)

    def do_get_router_status(self, call):
        item = self.item(call)
        nats = []
        for nat in item.body.get("nats", []):
            automatic = nat.get("natIpAllocateOption") != "MANUAL_ONLY"
            nats.append({
                "name": nat["name"],
                "autoAllocatedNatIps": ["34.76.0.1"] if automatic else [],
                "userAllocatedNatIpResources": nat.get("natIps", []),
                "minExtraNatIpsNeeded": 0,
                "numVmEndpointsWithNatMappings": 0,
            })  # fmt: skip
        return {"kind": "compute#routerStatusResponse", "result": {"network": item.body["network"], "natStatus": nats}}


class Addresses(Kind):
    collection, label, kind = "addresses", "address", "compute#address"
    refs = (ref("network", "networks"), ref("subnetwork", "subnetworks", settled=False, abroad=True))
    has_labels = late_labels = True
    early_status, ready_status = "RESERVING", "RESERVED"

    def prepare(self, call, item):
        addressing.assign(call.project, item)

    def check_delete(self, call, item):
        # Users hold it by its number, not by a URL.
        for user in item.body.get("users", []):
            raise in_use(self.label, item.key.path, strip(user))

    def finish(self, project, item):
        super().finish(project, item)
        addressing.sync_users(project)


# ---------------------------------------------------------------- helpers


def ranges(body):
    texts = [body["ipCidrRange"], *(it["ipCidrRange"] for it in body.get("secondaryIpRanges", []))]
    return [ipaddress.ip_network(text) for text in texts]


def secondary_names(body):
    return {it["rangeName"] for it in body.get("secondaryIpRanges", [])}


def check_cidr(text, field, longest=128, host=False):
    try:
        # Firewalls take a lone address for a network of its own; networks must not have host bits set.
        network = ipaddress.ip_network(text)
    except ValueError:
        raise bad_value(field, text, f"Must be a CIDR address range. Invalid CIDR range: {text}.") from None
    if "/" not in text and not host:
        raise bad_value(field, text, "Must be a CIDR address range.")
    if network.version == 4 and network.prefixlen > longest:
        raise bad_value(field, text, f"The range must be at least a /{longest}.")
    return str(network)


def check_tag(tag):
    import re

    if not re.fullmatch(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?", tag):
        raise bad_value("resource.tags.items", tag, "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'")


def add_route(project, network, destination, gateway=False, subnetwork=None):
    """The routes that come with a network and with each subnetwork."""
    name = "default-route-" + hashlib.sha256(f"{network} {destination}".encode()).hexdigest()[:16]
    key = project.key("global", "routes", name)
    if gateway:
        text = "Default route to the Internet."
        hop = {"nextHopGateway": project.key("global", "gateways", "default-internet-gateway").link}
    else:
        text = f"Default local route to the subnetwork {subnetwork}."
        hop = {"nextHopNetwork": network}
    item = Item(key, {
        "kind": "compute#route",
        "id": project.new_id(),
        "creationTimestamp": now(),
        "name": name,
        "description": text,
        "network": network,
        "destRange": destination,
        "priority": 1000 if gateway else 0,
        **hop,
        "selfLink": key.link,
    })  # fmt: skip
    item.ready = True
    item.notes["default"] = True
    project.items[key] = item


def drop_routes(project, test):
    for item in project.of("routes"):
        if item.notes.get("default") and test(item.body):
            del project.items[item.key]

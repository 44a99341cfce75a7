"""Load balancing: health checks, backend services, target pools, forwarding rules."""

from compute import addressing
from compute.kind import Kind, need, one_of, ref
from errors import ApiError, bad_value, invalid, not_found
from urls import parse

PROTOCOLS = {
    "TCP": "tcpHealthCheck",
    "SSL": "sslHealthCheck",
    "HTTP": "httpHealthCheck",
    "HTTPS": "httpsHealthCheck",
    "HTTP2": "http2HealthCheck",
    "GRPC": "grpcHealthCheck",
}
DEFAULT_PORTS = {"TCP": 80, "SSL": 443, "HTTP": 80, "HTTPS": 443, "HTTP2": 443}


def check_probe(body):
    """What probes of all kinds have."""
    for field, value in (
        ("checkIntervalSec", 5),
        ("timeoutSec", 5),
        ("healthyThreshold", 2),
        ("unhealthyThreshold", 2),
    ):
        body.setdefault(field, value)
        if not 1 <= body[field] <= (300 if field.endswith("Sec") else 10):
            raise bad_value(f"resource.{field}", body[field], "Out of range.")
    if body["timeoutSec"] > body["checkIntervalSec"]:
        raise bad_value("resource.timeoutSec", body["timeoutSec"], "Must not be greater than checkIntervalSec.")


class HealthChecks(Kind):
    collection, label, kind = "healthChecks", "health_check", "compute#healthCheck"
    immutable = ("name", "region")

    def prepare(self, call, item):
        self.check(item.body)

    def check_change(self, call, item, body):
        if "type" not in body:
            body["type"] = item.body["type"]
        for kind, field in PROTOCOLS.items():
            if kind != body["type"]:
                body.pop(field, None)
        self.check(body)

    def check(self, body):
        check_probe(body)
        kind = body.get("type")
        if kind not in PROTOCOLS:
            raise bad_value("resource.type", kind or "", "Must be one of " + ", ".join(PROTOCOLS))
        for other, field in PROTOCOLS.items():
            if other != kind and field in body:
                raise invalid(f"Invalid value for field 'resource.{field}': it is not for type {kind}.")
        probe = body.setdefault(PROTOCOLS[kind], {})
        probe.setdefault("proxyHeader", "NONE")
        if probe.get("portSpecification") not in ("USE_SERVING_PORT", "USE_NAMED_PORT"):
            probe.setdefault("port", DEFAULT_PORTS.get(kind, 80))
        if kind.startswith("HTTP"):
            probe.setdefault("requestPath", "/")


class HttpHealthChecks(Kind):
    collection, label, kind = "httpHealthChecks", "http_health_check", "compute#httpHealthCheck"

    def prepare(self, call, item):
        self.check_change(call, item, item.body)

    def check_change(self, call, item, body):
        check_probe(body)
        body.setdefault("port", 80)
        body.setdefault("requestPath", "/")


class BackendServices(Kind):
    collection, label, kind = "backendServices", "backend_service", "compute#backendService"
    refs = (
        ref("healthChecks[]", "healthChecks", "httpHealthChecks", "httpsHealthChecks", settled=False),
        ref("backends[].group", "instanceGroups", "networkEndpointGroups", settled=False, whole=True),
        ref("network", "networks", settled=False),
    )
    immutable = ("name", "region", "loadBalancingScheme", "network")
    has_fingerprint = True
    needs_fingerprint = ("update",)

    def prepare(self, call, item):
        self.complete(item, item.body)
        self.check(call, item, item.body)

    def check_change(self, call, item, body):
        # A PUT may leave out what has a default.
        self.complete(item, body)
        self.check(call, item, body)

    def complete(self, item, body):
        body.setdefault("loadBalancingScheme", "EXTERNAL")
        passthrough = item.key.location != "global" and body["loadBalancingScheme"] in ("INTERNAL", "EXTERNAL")
        body.setdefault("protocol", "TCP" if passthrough else "HTTP")
        for field, value in (("timeoutSec", 30), ("sessionAffinity", "NONE"), ("affinityCookieTtlSec", 0)):
            body.setdefault(field, value)
        body["connectionDraining"] = {"drainingTimeoutSec": 0, **body.get("connectionDraining", {})}
        if not passthrough:
            body.setdefault("portName", "http")
            body.setdefault("port", 80)

    def check(self, call, item, body):
        internal = body["loadBalancingScheme"].startswith("INTERNAL")
        region = item.key.place
        if region and not body.get("healthChecks"):
            raise bad_value("resource.healthChecks", "", "At least one health check is needed.")
        if len(body.get("healthChecks", [])) > 1:
            raise bad_value("resource.healthChecks", body["healthChecks"], "At most one health check can be given.")
        seen = set()
        for backend in body.get("backends", []):
            need(backend, "group")
            group = parse(backend["group"], call.project.name, "resource.backends[].group")
            if group in seen:
                raise bad_value("resource.backends[].group", backend["group"], "Duplicate backend group.")
            seen.add(group)
            if region and not group.place.startswith(region):
                raise bad_value(
                    "resource.backends[].group", backend["group"], "It must be in the region of the service."
                )
            if internal and body["loadBalancingScheme"] == "INTERNAL":
                mode = backend.setdefault("balancingMode", "CONNECTION")
                if mode != "CONNECTION":
                    raise bad_value(
                        "resource.backends[].balancingMode",
                        mode,
                        "Balancing mode must be CONNECTION for an internal load balancer.",
                    )
                body_network = network_of_group(call.project, group)
                for other in seen - {group}:
                    if None not in (
                        body_network,
                        network_of_group(call.project, other),
                    ) and body_network != network_of_group(call.project, other):
                        raise bad_value(
                            "resource.backends[].group", backend["group"], "All groups must be in the same network."
                        )
            else:
                backend.setdefault("balancingMode", "CONNECTION" if region else "UTILIZATION")

    def do_get_health(self, call):
        item = self.item(call)
        group = parse(call.body.get("group", ""), call.project.name, "resource.group")
        if not any(backend["group"] == group.link for backend in item.body.get("backends", [])):
            raise invalid(f"'{group.path}' is not a backend of '{item.key.path}'.")
        owner = call.project.find(group)
        states = [
            {"instance": link, "ipAddress": address_of(call.project, link), "port": 80, "healthState": "HEALTHY"}
            for link in sorted(owner.notes.get("members", {}))
        ]
        answer = {"kind": "compute#backendServiceGroupHealth"}
        return {**answer, "healthStatus": states} if states else answer

    def do_list_usable(self, call):
        return self.do_list(call)


class TargetPools(Kind):
    collection, label, kind = "targetPools", "target_pool", "compute#targetPool"
    refs = (ref("healthChecks[]", "httpHealthChecks"), ref("instances[]", "instances", holds=False, settled=False))
    immutable = ("name", "region")

    def prepare(self, call, item):
        item.body.setdefault("sessionAffinity", "NONE")
        if len(item.body.get("healthChecks", [])) > 1:
            raise invalid("Invalid value for field 'resource.healthChecks': at most one health check.")

    def _alter(self, call, operation, field, key, add):
        item = self.item(call)
        self.check_free(item)
        links = []
        for index, entry in enumerate(call.body.get(field, [])):
            target = parse(entry.get(key, ""), call.project.name, f"resource.{field}[{index}]")
            if add and call.project.find(target) is None:
                raise not_found(target.path)
            links.append(target.link)

        def apply():
            before = item.body.get(field, [])
            after = [it for it in before if it not in links] + (links if add else [])
            if after:
                item.body[field] = after
            else:
                item.body.pop(field, None)

        return self.start_change(call, operation, item, apply)

    def do_add_instance(self, call):
        return self._alter(call, "addInstance", "instances", "instance", True)

    def do_remove_instance(self, call):
        return self._alter(call, "removeInstance", "instances", "instance", False)

    def do_add_health_check(self, call):
        if self.item(call).body.get("healthChecks"):
            raise invalid("A target pool can have only one health check.")
        return self._alter(call, "addHealthCheck", "healthChecks", "healthCheck", True)

    def do_remove_health_check(self, call):
        return self._alter(call, "removeHealthCheck", "healthChecks", "healthCheck", False)

    def do_get_health(self, call):
        item = self.item(call)
        link = parse(call.body.get("instance", ""), call.project.name, "resource.instance").link
        if link not in item.body.get("instances", []):
            raise invalid(f"'{link}' is not in the target pool.")
        state = {"instance": link, "ipAddress": item.body.get("IPAddress", ""), "healthState": "HEALTHY"}
        return {"kind": "compute#targetPoolInstanceHealth", "healthStatus": [state]}


class TargetTcpProxies(Kind):
    collection, label, kind = "targetTcpProxies", "target_tcp_proxy", "compute#targetTcpProxy"
    refs = (ref("service", "backendServices", settled=False),)

    def prepare(self, call, item):
        need(item.body, "service")
        item.body["proxyHeader"] = item.body.get("proxyHeader", "NONE")


class ForwardingRules(Kind):
    collection, label, kind = "forwardingRules", "forwarding_rule", "compute#forwardingRule"
    refs = (
        ref("target", "targetPools", "targetInstances", "targetTcpProxies", "targetHttpProxies", "targetHttpsProxies"),
        ref("backendService", "backendServices", settled=False),
        ref("network", "networks", settled=False, abroad=True),
        ref("subnetwork", "subnetworks", settled=False, abroad=True),
    )
    immutable = (
        "name", "region", "target", "backendService", "IPProtocol", "IPAddress", "loadBalancingScheme", "ports", "portRange",
        "network", "subnetwork",
    )  # fmt: skip
    has_labels = late_labels = True
    has_fingerprint = True

    def prepare(self, call, item):
        body, project = item.body, call.project
        body.setdefault("loadBalancingScheme", "EXTERNAL")
        body.setdefault("IPProtocol", "TCP")
        internal = body["loadBalancingScheme"].startswith("INTERNAL")
        what = one_of(body, "target", "backendService")
        if what is None:
            raise invalid("Invalid value for field 'resource.target': a target or a backend service must be given.")
        if internal and what == "target" and item.key.place and "targetPools" in body["target"]:
            raise bad_value("resource.target", body["target"], "An internal forwarding rule needs a backend service.")
        one_of(body, "ports", "portRange")
        if body.get("allPorts") and (body.get("ports") or body.get("portRange")):
            raise invalid("Invalid value for field 'resource.allPorts': ports cannot be given along with it.")
        if len(body.get("ports", [])) > 5:
            raise bad_value("resource.ports", body["ports"], "At most five ports can be given; set allPorts.")
        if internal and not (body.get("ports") or body.get("allPorts")) and item.key.place:
            raise invalid(
                "Invalid value for field 'resource.ports': an internal forwarding rule needs ports or allPorts."
            )
        if body.get("portRange") and "-" not in body["portRange"]:
            body["portRange"] = f"{body['portRange']}-{body['portRange']}"
        body["networkTier"] = body.get("networkTier", "PREMIUM")
        if what == "backendService":
            service = project.items[parse(body["backendService"], project.name, "resource.backendService")]
            scheme = service.body["loadBalancingScheme"]
            if scheme != body["loadBalancingScheme"]:
                raise bad_value(
                    "resource.loadBalancingScheme", body["loadBalancingScheme"], f"The backend service's is {scheme}."
                )
            if (
                body["IPProtocol"] not in (service.body["protocol"], "L3_DEFAULT")
                and service.body["protocol"] != "UNSPECIFIED"
            ):
                raise bad_value(
                    "resource.IPProtocol",
                    body["IPProtocol"],
                    f"The backend service's protocol is {service.body['protocol']}.",
                )
            if service.key.location != item.key.location:
                raise bad_value("resource.backendService", body["backendService"], "It must be in the rule's region.")
        if internal:
            self.give_internal(project, item)
        else:
            if body.get("network") or body.get("subnetwork"):
                raise invalid("Invalid value for field 'resource.network': it is for internal load balancing only.")
            self.give_external(project, item)
        if internal:
            body.setdefault("allowGlobalAccess", False)
        self.check_alone(project, item)

    def check_alone(self, project, item):
        """Rules may share an address, but no port of it."""
        body = item.body
        for other in project.of(self.collection):
            theirs = other.body
            if any(theirs.get(field) != body.get(field) for field in ("IPAddress", "network", "IPProtocol")):
                continue
            if overlap(body, theirs):
                message = "Specified IP address is in-use and would result in a conflict."
                raise bad_value("resource.IPAddress", body["IPAddress"], message)

    def give_internal(self, project, item):
        body = item.body
        if not body.get("subnetwork"):
            network = body.get("network") and project.world.item(parse(body["network"], project.name, "resource.network"))
            if not network or not network.body.get("autoCreateSubnetworks"):
                raise invalid(
                    "Invalid value for field 'resource.subnetwork': Subnetwork should be specified for custom subnetmode network"
                )
        subnetwork = addressing.subnetwork_of(project, body["subnetwork"], "resource.subnetwork")
        if item.key.place and subnetwork.key.location != item.key.location:
            raise bad_value("resource.subnetwork", body["subnetwork"], "It must be in the rule's region.")
        if body.setdefault("network", subnetwork.body["network"]) != subnetwork.body["network"]:
            raise bad_value("resource.network", body["network"], "It is not the subnetwork's.")
        wanted = self.normal(project, body.get("IPAddress"))
        held = wanted and addressing.reserved(project, item.key.location, wanted, internal=True)
        if held and held.notes.get("network") == body["network"]:
            self.check_held(held, item)
            body["IPAddress"] = held.body["address"]
        else:
            if wanted and wanted.startswith("http"):
                raise not_found(wanted.partition("/v1/")[2])
            body["IPAddress"] = addressing.take_internal(project, subnetwork, wanted, "resource.IPAddress")

    def give_external(self, project, item):
        body = item.body
        wanted = self.normal(project, body.get("IPAddress"))
        if not wanted:
            body["IPAddress"] = addressing.new_external(project)
            return
        held = addressing.reserved(project, item.key.location, wanted, internal=False)
        if held is None or held.key.location != item.key.location:
            if wanted.startswith("http"):
                raise not_found(wanted.partition("/v1/")[2])
            raise bad_value(
                "resource.IPAddress",
                wanted,
                "Specified IP address is not allocated to the project or does not belong to the specified scope.",
            )
        self.check_held(held, item)
        body["IPAddress"] = held.body["address"]

    def check_held(self, held, item):
        if not held.ready or held.deleting:
            raise ApiError(400, f"The resource '{held.key.path}' is not ready", "resourceNotReady")
        # Rules may share an external address for different ports and protocols; an internal one only when it says so.
        users = [user for user in held.body.get("users", []) if user != item.key.link]
        shared = held.body.get("purpose") == "SHARED_LOADBALANCER_VIP" or held.body["addressType"] == "EXTERNAL"
        if users and (not shared or not all("/forwardingRules/" in user for user in users)):
            raise bad_value("resource.IPAddress", held.body["address"], "Specified IP address is already in use.")

    def normal(self, project, value):
        """A literal address as it is, a URL in full."""
        if value and "/" in value:
            return parse(value, project.name, "resource.IPAddress").link
        return value

    def made(self, project, item):
        addressing.sync_users(project)

    def gone(self, project, item):
        addressing.sync_users(project)

    def do_set_target(self, call):
        item = self.item(call)
        self.check_free(item)
        given = dict(call.body)
        self.resolve(call.project, given)
        return self.start_change(call, "SetTarget", item, lambda: item.body.update(target=given["target"]))


def overlap(one, other):
    """Whether two rules have a port in common. One without ports has all."""

    def ports(body):
        texts = body.get("ports") or ([body["portRange"]] if body.get("portRange") else ["0-65535"])
        for text in texts:
            low, _, high = text.partition("-")
            yield int(low), int(high or low)

    return any(low <= top and bottom <= high for low, high in ports(one) for bottom, top in ports(other))


def network_of_group(project, key):
    item = project.find(key)
    return item.body.get("network") if item else None


def address_of(project, link):
    item = project.find(parse(link, project.name, "instance"))
    return item.body["networkInterfaces"][0]["networkIP"] if item else ""

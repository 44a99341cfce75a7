"""Load balancers and network interfaces."""

import addresses
from errors import bad_request, missing, not_found
from inline import Part, removed
from kinds import KINDS, Answer, action, kind
from network import ADDRESS, ASG, NETWORK, NSG, PREFIX, SUBNET, NetOwner, check_address_free, users

BALANCER = f"{NETWORK}/loadBalancers"
POOL = f"{BALANCER}/backendAddressPools"
INTERFACE = f"{NETWORK}/networkInterfaces"
SET_INTERFACE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces"


@kind
class LoadBalancer(NetOwner):
    type = BALANCER
    parts = {
        "frontendIPConfigurations": f"{BALANCER}/frontendIPConfigurations",
        "backendAddressPools": POOL,
        "probes": f"{BALANCER}/probes",
        "loadBalancingRules": f"{BALANCER}/loadBalancingRules",
        "inboundNatRules": f"{BALANCER}/inboundNatRules",
        "inboundNatPools": f"{BALANCER}/inboundNatPools",
        "outboundRules": f"{BALANCER}/outboundRules",
    }

    def prepare(self, ctx, resource, body, old):
        super().prepare(ctx, resource, body, old)
        self.guid(ctx, resource, body, old)
        sku = body.setdefault("sku", {})
        sku.setdefault("name", "Basic")
        sku.setdefault("tier", "Regional")
        if old and old["sku"]["name"] != sku["name"]:
            raise bad_request("LoadBalancerSkuCannotBeChanged", f"The SKU of load balancer {resource.id} cannot be changed.")
        properties = body["properties"]
        for frontend in properties["frontendIPConfigurations"]:
            self.prepare_frontend(ctx, body, frontend, old)
        for probe in properties["probes"]:
            self.prepare_probe(probe)
        taken = {}
        for rule in properties["loadBalancingRules"]:
            self.prepare_rule(resource, properties, rule, taken)
        for rule in properties["outboundRules"]:
            inner = rule["properties"]
            for frontend in inner.get("frontendIPConfigurations", []):
                own(resource, properties, frontend, "frontendIPConfigurations", rule)
            if "backendAddressPool" not in inner:
                raise missing("properties.backendAddressPool")
            own(resource, properties, inner["backendAddressPool"], "backendAddressPools", rule)
        for rule in properties["inboundNatRules"] + properties["inboundNatPools"]:
            if reference := rule["properties"].get("frontendIPConfiguration"):
                own(resource, properties, reference, "frontendIPConfigurations", rule)
        for pool in properties["backendAddressPools"]:
            pool["properties"].setdefault("loadBalancerBackendAddresses", [])
        self.check_removed(ctx, resource, body, old)

    def prepare_frontend(self, ctx, body, frontend, old):
        properties = frontend["properties"]
        given = [member for member in ("subnet", "publicIPAddress", "publicIPPrefix") if properties.get(member)]
        if len(given) != 1:
            raise bad_request(
                "LoadBalancerFrontendIPConfigInvalid" if given else "LoadBalancerFrontendIPConfigMissing",
                f"Frontend IP configuration {frontend['id']} must have either a subnet or a public IP address.",
            )
        if given == ["subnet"]:
            subnet = ctx.resolve(properties["subnet"], SUBNET, frontend["id"])
            before = addresses.find_part(ctx.sub, frontend["id"])
            method = properties.setdefault("privateIPAllocationMethod", "Dynamic")
            properties.setdefault("privateIPAddressVersion", "IPv4")
            wanted = properties.get("privateIPAddress") if method == "Static" else None
            if method == "Static" and not wanted:
                raise bad_request("PrivateIPAddressMissing", f"{frontend['id']} is Static and has no privateIPAddress.")
            assign(ctx, properties, subnet, before, wanted)
        elif given == ["publicIPAddress"]:
            found = ctx.resolve(properties["publicIPAddress"], ADDRESS, frontend["id"])
            ctx.same_region(body["location"], found, frontend["id"])
            if found.body["sku"]["name"] != body["sku"]["name"]:
                raise bad_request(
                    "LoadBalancerAndPublicIPSkuMismatch",
                    f"The SKU {body['sku']['name']} of the load balancer of {frontend['id']} does not match the SKU "
                    f"{found.body['sku']['name']} of the public IP address {found.id}.",
                )
            check_address_free(ctx.sub, found, frontend["id"])
            if frontend.get("zones"):
                raise bad_request("LoadBalancerFrontendZonesInvalid", f"{frontend['id']}: the zones are the public address's.")
            properties.setdefault("privateIPAllocationMethod", "Dynamic")
        else:
            ctx.resolve(properties["publicIPPrefix"], PREFIX, frontend["id"])

    def prepare_probe(self, probe):
        properties = probe["properties"]
        for member in ("protocol", "port"):
            if member not in properties:
                raise missing(f"probes.{probe['name']}.properties.{member}")
        if not 1 <= properties["port"] <= 65535:
            raise bad_request("ProbePortInvalid", f"Probe {probe['name']} has the port {properties['port']}.")
        if (properties["protocol"] in ("Http", "Https")) != bool(properties.get("requestPath")):
            raise bad_request("ProbeRequestPathInvalid", f"Probe {probe['name']}: a requestPath goes with Http(s) only.")
        properties.setdefault("intervalInSeconds", 15)
        properties.setdefault("numberOfProbes", 2)
        if properties["intervalInSeconds"] < 5:
            raise bad_request("ProbeIntervalInvalid", f"Probe {probe['name']}: intervalInSeconds is 5 at least.")
        properties.setdefault("probeThreshold", 1)

    def prepare_rule(self, resource, properties, rule, taken):
        inner = rule["properties"]
        for member in ("protocol", "frontendPort", "frontendIPConfiguration"):
            if member not in inner:
                raise missing(f"loadBalancingRules.{rule['name']}.properties.{member}")
        frontend = own(resource, properties, inner["frontendIPConfiguration"], "frontendIPConfigurations", rule)
        pools = inner.get("backendAddressPools") or ([inner["backendAddressPool"]] if inner.get("backendAddressPool") else [])
        for pool in pools:
            own(resource, properties, pool, "backendAddressPools", rule)
        if pools:
            inner["backendAddressPool"] = dict(pools[0])
            inner["backendAddressPools"] = [dict(pool) for pool in pools]
        if inner.get("probe"):
            own(resource, properties, inner["probe"], "probes", rule)
        inner.setdefault("backendPort", inner["frontendPort"])
        inner.setdefault("idleTimeoutInMinutes", 4)
        inner.setdefault("enableFloatingIP", False)
        inner.setdefault("enableTcpReset", False)
        inner.setdefault("disableOutboundSnat", False)
        inner.setdefault("loadDistribution", "Default")
        if inner["protocol"] == "All" and (inner["frontendPort"] or inner["backendPort"]):
            raise bad_request("RuleProtocolAllPortInvalid", f"Rule {rule['name']}: protocol All needs ports 0.")
        for key, code in (
            (("front", frontend["id"], inner["frontendPort"], inner["protocol"]), "RulesUseSameFrontendPortAndProtocol"),
            (
                ("back", *sorted(pool["id"] for pool in pools), inner["backendPort"], inner["protocol"]),
                "RulesUseSameBackendPortProtocolAndPool",
            ),
        ):
            if key in taken and not inner["enableFloatingIP"]:
                raise bad_request(code, f"Load balancing rules {taken[key]} and {rule['name']} use the same ports.")
            taken[key] = rule["name"]

    def check_removed(self, ctx, resource, body, old):
        for member in ("backendAddressPools", "inboundNatPools", "probes", "frontendIPConfigurations"):
            for part in removed(member, body, old):
                by = [it for it in users(ctx.sub, part["id"]) if not it.lower().startswith(resource.key + "/")]
                if by and any("/virtualmachinescalesets/" in it.lower() for it in by):
                    word = member[:-1]
                    raise bad_request(
                        "LoadBalancerInUseByVirtualMachineScaleSet",
                        f"Cannot remove {word} {part['name']} from load balancer since it is in use by virtual machine scale set {by[0]}.",
                    )
                if by:
                    raise bad_request("InUseBackendAddressPoolCannotBeDeleted", f"{part['id']} is in use by {', '.join(by)}.")

    def check_delete(self, ctx, resource):
        for member in self.parts:
            for part in resource.properties.get(member, []):
                for by in users(ctx.sub, part["id"]):
                    if "/virtualmachinescalesets/" in by.lower():
                        raise bad_request(
                            "LoadBalancerInUseByVirtualMachineScaleSet",
                            f"Cannot delete load balancer {resource.id} since its child resources {part['name']} are in use by "
                            f"virtual machine scale set {by}.",
                        )

    def deleted(self, sub, resource):
        # Interfaces of plain machines lose their membership with the balancer.
        for interface in sub.of_type(INTERFACE):
            for configuration in interface.properties.get("ipConfigurations", []):
                pools = configuration["properties"].get("loadBalancerBackendAddressPools")
                if not pools:
                    continue
                configuration["properties"]["loadBalancerBackendAddressPools"] = [
                    pool for pool in pools if not pool["id"].lower().startswith(resource.key + "/")
                ]

    def complete(self, sub, resource, body):
        properties = body["properties"]
        for pool in properties["backendAddressPools"]:
            by = users(sub, pool["id"])
            interfaces = [it for it in by if "/ipconfigurations/" in it.lower()]
            if interfaces:
                pool["properties"]["backendIPConfigurations"] = [{"id": it} for it in interfaces]
            backlink(sub, pool, "/loadBalancingRules/", "loadBalancingRules")
            backlink(sub, pool, "/outboundRules/", "outboundRules")
        for frontend in properties["frontendIPConfigurations"]:
            backlink(sub, frontend, "/loadBalancingRules/", "loadBalancingRules")
            backlink(sub, frontend, "/outboundRules/", "outboundRules")
        for probe in properties["probes"]:
            backlink(sub, probe, "/loadBalancingRules/", "loadBalancingRules")


def backlink(sub, part, word, member):
    found = [{"id": it} for it in users(sub, part["id"]) if word.lower() in it.lower()]
    if found:
        part["properties"][member] = found


def own(resource, properties, reference, member, by):
    """A part of the same balancer, by id; the id is put into canonical spelling."""
    for part in properties[member]:
        if part["id"].lower() == reference.get("id", "").lower():
            reference["id"] = part["id"]
            return part
    raise bad_request(
        "InvalidResourceReference",
        f"Resource {reference.get('id')} referenced by resource {by['id']} was not found. Please make sure that the referenced "
        "resource exists, and that both resources are in the same region.",
    )


def assign(ctx, properties, subnet, before, wanted, more=()):
    """The private address of an IP configuration: what it had, what it wants, or a free one."""
    had = (before or {}).get("properties", {})
    same = had.get("subnet", {}).get("id", "").lower() == subnet["id"].lower()
    if same and had.get("privateIPAddress") and wanted in (None, had["privateIPAddress"]):
        properties["privateIPAddress"] = had["privateIPAddress"]
        return
    properties["privateIPAddress"] = addresses.allocate(
        ctx.sub, subnet, wanted, properties.get("privateIPAddressVersion", "IPv4"), more
    )


class BalancerPart(Part):
    owner = KINDS[BALANCER.lower()]


@kind
class Pool(BalancerPart):
    type = POOL
    member = "backendAddressPools"


@kind
class NatRule(BalancerPart):
    type = f"{BALANCER}/inboundNatRules"
    member = "inboundNatRules"


@kind
class Frontend(BalancerPart):
    type = f"{BALANCER}/frontendIPConfigurations"
    member = "frontendIPConfigurations"


@kind
class Probe(BalancerPart):
    type = f"{BALANCER}/probes"
    member = "probes"


@kind
class Rule(BalancerPart):
    type = f"{BALANCER}/loadBalancingRules"
    member = "loadBalancingRules"


@kind
class OutboundRule(BalancerPart):
    type = f"{BALANCER}/outboundRules"
    member = "outboundRules"


# ---------------------------------------------------------------- network interfaces


@kind
class Interface(NetOwner):
    type = INTERFACE
    parts = {"ipConfigurations": f"{INTERFACE}/ipConfigurations"}

    def prepare(self, ctx, resource, body, old):
        super().prepare(ctx, resource, body, old)
        self.guid(ctx, resource, body, old)
        properties = body["properties"]
        if not properties["ipConfigurations"]:
            raise bad_request("NetworkInterfaceMustHaveIpConfiguration", f"{resource.id} must have one or more IP configurations.")
        if reference := properties.get("networkSecurityGroup"):
            ctx.same_region(body["location"], ctx.resolve(reference, NSG, resource.id), resource.id)
            properties["networkSecurityGroup"] = {"id": reference["id"]}
        properties.setdefault("enableAcceleratedNetworking", False)
        properties.setdefault("enableIPForwarding", False)
        properties.setdefault("dnsSettings", {}).setdefault("dnsServers", [])
        properties["nicType"] = "Standard"
        if old:
            for member in ("macAddress", "primary", "virtualMachine"):
                if member in old["properties"]:
                    properties[member] = old["properties"][member]
        given = []
        for index, configuration in enumerate(properties["ipConfigurations"]):
            inner = configuration["properties"]
            inner.setdefault("primary", index == 0)
            prepare_configuration(ctx, body["location"], configuration, given)
            given.append(inner["privateIPAddress"])

    def check_delete(self, ctx, resource):
        machine = resource.properties.get("virtualMachine")
        if machine:
            raise bad_request(
                "NicInUse",
                f"Network Interface {resource.id} is used by existing resource {machine['id']}. In order to delete the network "
                "interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
            )


def prepare_configuration(ctx, region, configuration, given):
    """Checks the references of an IP configuration and gives it an address."""
    inner, by = configuration["properties"], configuration["id"]
    if not inner.get("subnet"):
        raise missing("properties.ipConfigurations.properties.subnet")
    subnet = ctx.resolve(inner["subnet"], SUBNET, by)
    method = inner.setdefault("privateIPAllocationMethod", "Dynamic")
    inner.setdefault("privateIPAddressVersion", "IPv4")
    for pool in inner.get("loadBalancerBackendAddressPools", []):
        ctx.resolve(pool, POOL, by)
    for group in inner.get("applicationSecurityGroups", []):
        ctx.same_region(region, ctx.resolve(group, ASG, by), by)
    if "applicationSecurityGroups" in inner:
        inner["applicationSecurityGroups"] = [{"id": group["id"]} for group in inner["applicationSecurityGroups"]]
    if reference := inner.get("publicIPAddress"):
        found = ctx.resolve(reference, ADDRESS, by)
        check_address_free(ctx.sub, found, by)
        inner["publicIPAddress"] = {"id": reference["id"]}
    wanted = inner.get("privateIPAddress") if method == "Static" else None
    assign(ctx, inner, subnet, addresses.find_part(ctx.sub, by), wanted, given)


# Interfaces of the instances of scale sets are read only here: they come with the instances, see `instances.py`.


def show_set_interface(sub, interface):
    return KINDS[INTERFACE.lower()].view(sub, interface)


def set_path(ctx):
    return (
        f"/subscriptions/{ctx.sub.id}/resourceGroups/{ctx.params['resourceGroupName']}/providers/Microsoft.Compute/"
        f"virtualMachineScaleSets/{ctx.params['virtualMachineScaleSetName']}"
    )


@action("networkInterfaces.listVirtualMachineScaleSetNetworkInterfaces")
def list_of_set(ctx):
    found = ctx.sub.find(set_path(ctx))
    if found is None:
        raise not_found(set_path(ctx))
    return ctx.page([show_set_interface(ctx.sub, it) for it in ctx.sub.below(found.id, SET_INTERFACE)])


@action("networkInterfaces.listVirtualMachineScaleSetVMNetworkInterfaces")
def list_of_instance(ctx):
    path = f"{set_path(ctx)}/virtualMachines/{ctx.params['virtualmachineIndex']}"
    found = ctx.sub.find(path)
    if found is None:
        raise not_found(path)
    return ctx.page([show_set_interface(ctx.sub, it) for it in ctx.sub.below(found.id, SET_INTERFACE)])


@action("networkInterfaces.getVirtualMachineScaleSetNetworkInterface")
def get_of_instance(ctx):
    path = (
        f"{set_path(ctx)}/virtualMachines/{ctx.params['virtualmachineIndex']}/networkInterfaces/"
        f"{ctx.params['networkInterfaceName']}"
    )
    found = ctx.sub.find(path)
    if found is None:
        raise not_found(path)
    return Answer(200, show_set_interface(ctx.sub, found))

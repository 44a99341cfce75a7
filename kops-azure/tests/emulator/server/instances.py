"""Instances of scale sets.

With the Uniform orchestration an instance is a child of its set, numbered; its interfaces are children of it, and
its system disk is a disk of the group. With the Flexible one it is a machine like any other, with an interface and a
disk of its own, that names its set.
"""

import copy
import zlib

import disks
import profiles
from addresses import allocate, used
from balancers import INTERFACE, SET_INTERFACE
from errors import ArmError, bad_request, conflict, not_found
from kinds import KINDS, Answer, Kind, action, kind, now_text
from machines import MACHINE, SET, change_power, instance_view, place_disks, release
from network import ADDRESS
from state import Resource, public_address

INSTANCE = f"{SET}/virtualMachines"
SET_ADDRESS = f"{SET_INTERFACE}/ipConfigurations/publicIPAddresses"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def flexible(owner):
    return owner.properties["orchestrationMode"] == "Flexible"


def of(sub, owner):
    """The instances of a set, oldest first."""
    if owner.properties.get("orchestrationMode") == "Flexible":
        return [
            it
            for it in sub.of_type(MACHINE)
            if it.properties.get("virtualMachineScaleSet", {}).get("id", "").lower() == owner.key
        ]
    return sub.below(owner.id, INSTANCE)


def index(instance):
    return instance.meta.get("index", instance.name)


def owner_of(sub, instance):
    if instance.type == INSTANCE:
        return sub.find(instance.id.rsplit("/", 2)[0])
    return sub.find(instance.properties.get("virtualMachineScaleSet", {}).get("id", ""))


# ---------------------------------------------------------------- up and down


def scale(ctx, owner, capacity):
    """Makes or takes away instances; they are complete when the set's operation is."""
    active = [it for it in of(ctx.sub, owner) if it.state != "Deleting"]
    for _ in range(capacity - len(active)):
        make(ctx, owner)
    if capacity < len(active):
        for instance in victims(owner, active, len(active) - capacity):
            instance.state = "Deleting"


def victims(owner, active, count):
    """Who goes first: by the set's rules, never what is protected; by default from the fullest zone, newest first."""
    rules = owner.properties.get("scaleInPolicy", {}).get("rules", ["Default"])
    free = [it for it in active if not it.properties.get("protectionPolicy", {}).get("protectFromScaleIn")]
    chosen = []
    while free and len(chosen) < count:
        zones = {}
        for it in free:
            zones.setdefault(tuple(it.body.get("zones", [])), []).append(it)
        fullest = max(zones.values(), key=len)
        pick = fullest[0] if "OldestVM" in rules else fullest[-1]
        chosen.append(pick)
        free.remove(pick)
    return chosen


def make(ctx, owner):
    sub = ctx.sub
    number = owner.meta.get("next", 0)
    owner.meta["next"] = number + 1
    profile = copy.deepcopy(owner.properties["virtualMachineProfile"])
    system = profile["osProfile"]
    prefix = system.pop("computerNamePrefix")
    body = {"location": owner.body["location"], "tags": dict(owner.tags)}
    zone = next_zone(sub, owner)
    if zone:
        body["zones"] = [zone]
    storage = profile["storageProfile"]
    properties = {
        "hardwareProfile": {"vmSize": owner.body["sku"]["name"]},
        "storageProfile": storage,
        "osProfile": system,
        "vmId": sub.new_guid(owner.id, str(number)),
        "timeCreated": now_text(),
        "provisioningState": "Creating",
    }
    body["properties"] = properties
    if flexible(owner):
        suffix = f"{zlib.crc32(properties['vmId'].encode()):08x}"
        name = f"{owner.name}_{suffix}"
        system["computerName"] = f"{prefix}{suffix[:6].upper()}"
        properties["virtualMachineScaleSet"] = {"id": owner.id}
        instance = Resource(f"{owner.id.split('/providers/')[0]}/providers/{MACHINE}/{name}", MACHINE, name, body)
        instance.meta["of_set"] = True
    else:
        name = f"{owner.name}_{number}"
        system["computerName"] = prefix + base36(number)
        properties["protectionPolicy"] = {}
        body["sku"] = {"name": owner.body["sku"]["name"], "tier": "Standard"}
        body["instanceId"] = str(number)
        instance = Resource(f"{owner.id}/virtualMachines/{number}", INSTANCE, name, body)
        instance.meta["index"] = str(number)
    instance.meta.update({"model": owner.meta.get("model", 1), "size": owner.body["sku"]["name"], "power": "running"})
    if owner.body.get("identity"):
        body["identity"] = copy.deepcopy(owner.body["identity"])
    sub.add(instance)
    make_interfaces(ctx, owner, instance, profile["networkProfile"])
    storage["osDisk"].setdefault("deleteOption", "Delete")
    for disk in storage["dataDisks"]:
        disk.setdefault("deleteOption", "Delete")
    place_disks(ctx, instance)
    return instance


def next_zone(sub, owner):
    """The zone with the fewest instances."""
    zones = owner.body.get("zones")
    if not zones:
        return None
    counts = {zone: 0 for zone in zones}
    for it in of(sub, owner):
        if it.state != "Deleting":
            counts[it.body["zones"][0]] = counts.get(it.body["zones"][0], 0) + 1
    return min(zones, key=lambda zone: counts[zone])


def base36(number):
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text


def make_interfaces(ctx, owner, instance, network):
    """The interfaces of an instance, by the set's configurations."""
    references = []
    for place, configuration in enumerate(copy.deepcopy(network["networkInterfaceConfigurations"])):
        inner = configuration["properties"]
        if flexible(owner):
            name = f"{configuration['name']}-{instance.name.rpartition('_')[2]}"
            path = f"{owner.id.split('/providers/')[0]}/providers/{INTERFACE}/{name}"
            kind_name = INTERFACE
        else:
            name = configuration["name"]
            path = f"{instance.id}/networkInterfaces/{name}"
            kind_name = SET_INTERFACE
        body = {
            "location": instance.body["location"],
            "properties": {
                "provisioningState": "Succeeded",
                "resourceGuid": ctx.sub.new_guid(path),
                "primary": inner.get("primary", False),
                "macAddress": "00-0D-3A-%02X-%02X-%02X" % tuple(zlib.crc32(path.encode()).to_bytes(4, "big")[1:]),
                "virtualMachine": {"id": instance.id},
                "ipConfigurations": [],
                **{key: inner[key] for key in ("enableAcceleratedNetworking", "enableIPForwarding", "dnsSettings", "networkSecurityGroup") if key in inner},
            },
        }
        interface = Resource(path, kind_name, name, body)
        ctx.sub.add(interface)
        for address in inner["ipConfigurations"]:
            body["properties"]["ipConfigurations"].append(make_address(ctx, instance, path, address))
            ctx.sub.touch()
        references.append({"id": path, "properties": {"primary": inner.get("primary", place == 0), "deleteOption": "Delete"}})
    instance.properties["networkProfile"] = {"networkInterfaces": references}
    if not flexible(owner):
        instance.properties["networkProfileConfiguration"] = {"networkInterfaceConfigurations": network["networkInterfaceConfigurations"]}


def make_address(ctx, instance, interface, address):
    deep = address["properties"]
    subnet = ctx.part(deep["subnet"]["id"])[1]
    path = f"{interface}/ipConfigurations/{address['name']}"
    taken = ctx.taken.setdefault(subnet["id"], None)
    if taken is None:
        taken = ctx.taken[subnet["id"]] = used(ctx.sub, subnet["id"])
    given = allocate(ctx.sub, subnet, None, deep["privateIPAddressVersion"], taken=taken)
    taken.add(given)
    kept = {
        "provisioningState": "Succeeded",
        "privateIPAllocationMethod": "Dynamic",
        "primary": deep.get("primary", False),
        "privateIPAddressVersion": deep["privateIPAddressVersion"],
        "subnet": {"id": subnet["id"]},
        "privateIPAddress": given,
    }
    kept.update(memberships(deep))
    if public := deep.get("publicIPAddressConfiguration"):
        target = f"{path}/publicIPAddresses/{public['name']}"
        kind_name = SET_ADDRESS
        if instance.type == MACHINE:
            target = f"{instance.id.split('/providers/')[0]}/providers/{ADDRESS}/{public['name']}-{instance.name.rpartition('_')[2]}"
            kind_name = ADDRESS
        body = {
            "location": instance.body["location"],
            "sku": {"name": "Standard", "tier": "Regional"},
            "properties": {
                "provisioningState": "Succeeded",
                "ipAddress": public_address(),
                "publicIPAddressVersion": "IPv4",
                "publicIPAllocationMethod": "Static",
                "idleTimeoutInMinutes": 4,
            },
        }
        ctx.sub.add(Resource(target, kind_name, target.rpartition("/")[2], body))
        kept["publicIPAddress"] = {"id": target}
    return {"name": address["name"], "id": path, "type": f"{INTERFACE}/ipConfigurations", "etag": 'W/"1"', "properties": kept}


def memberships(deep):
    """The balancers and groups that an IP configuration is in."""
    return {
        member: [{"id": it["id"]} for it in deep[member]]
        for member in ("loadBalancerBackendAddressPools", "applicationSecurityGroups")
        if deep.get(member)
    }


def settle(sub, owner):
    """When a set's operation has succeeded."""
    for instance in of(sub, owner):
        if instance.state == "Deleting":
            drop(sub, instance)
        else:
            # What failed before was tried again.
            instance.state = "Succeeded"


def drop(sub, instance):
    """An instance is gone, with its interfaces, addresses and disks."""
    if sub.find(instance.id) is not instance:
        return
    public = [
        it["properties"]["publicIPAddress"]["id"]
        for reference in instance.properties["networkProfile"]["networkInterfaces"]
        if (interface := sub.find(reference["id"])) is not None
        for it in interface.properties["ipConfigurations"]
        if it["properties"].get("publicIPAddress")
    ]
    sub.remove(instance)
    release(sub, instance)
    for path in public:
        if found := sub.find(path):
            sub.remove(found)


def begin_drop(ctx, owner, members):
    for instance in members:
        if instance.properties.get("protectionPolicy", {}).get("protectFromScaleSetActions"):
            raise conflict(
                "OperationNotAllowed",
                f"Operation 'delete' is not allowed on the instance {index(instance)}: it is protected from scale set actions.",
            )
        instance.state = "Deleting"

    def finish():
        for instance in members:
            if ctx.sub.find(instance.id) is instance:
                drop(ctx.sub, instance)
                if "sku" in owner.body:
                    owner.body["sku"]["capacity"] = max(0, owner.body["sku"]["capacity"] - 1)

    def fail():
        for instance in members:
            instance.state = "Failed"

    ctx.sub.touch()
    return Answer(202, None, ctx.begin(owner, owner.body["location"], finish, fail, hold=False))


# ---------------------------------------------------------------- upgrade


def upgrade(sub, owner, members):
    """Applies the latest model."""
    profile = owner.properties.get("virtualMachineProfile")
    for instance in members if profile else []:
        if instance.meta.get("model") == owner.meta.get("model"):
            continue
        instance.meta["model"] = owner.meta.get("model")
        instance.meta["size"] = owner.body["sku"]["name"]
        instance.properties["hardwareProfile"] = {"vmSize": owner.body["sku"]["name"]}
        if "sku" in instance.body:
            instance.body["sku"] = {"name": owner.body["sku"]["name"], "tier": "Standard"}
        instance.properties["storageProfile"]["imageReference"] = copy.deepcopy(profile["storageProfile"].get("imageReference"))
        name = instance.properties["osProfile"]["computerName"]
        system = copy.deepcopy(profile["osProfile"])
        system.pop("computerNamePrefix", None)
        instance.properties["osProfile"] = {**system, "computerName": name}
        instance.body["tags"] = dict(owner.tags)
        upgrade_interfaces(sub, instance, profile["networkProfile"]["networkInterfaceConfigurations"])
    sub.touch()


def upgrade_interfaces(sub, instance, configurations):
    """Memberships follow the model; addresses stay, as an upgrade keeps the subnet."""
    interfaces = [sub.find(it["id"]) for it in instance.properties["networkProfile"]["networkInterfaces"]]
    for interface, configuration in zip(interfaces, configurations):
        if interface is None:
            continue
        inner = configuration["properties"]
        interface.properties.pop("networkSecurityGroup", None)
        if inner.get("networkSecurityGroup"):
            interface.properties["networkSecurityGroup"] = {"id": inner["networkSecurityGroup"]["id"]}
        for address, wanted in zip(interface.properties["ipConfigurations"], inner["ipConfigurations"]):
            for member in ("loadBalancerBackendAddressPools", "applicationSecurityGroups"):
                address["properties"].pop(member, None)
            address["properties"].update(memberships(wanted["properties"]))
    if "networkProfileConfiguration" in instance.properties:
        instance.properties["networkProfileConfiguration"] = {"networkInterfaceConfigurations": copy.deepcopy(configurations)}


def begin_upgrade(ctx, owner, members, reimage):
    for instance in members:
        instance.state = "Updating"

    def finish():
        live = [it for it in members if ctx.sub.find(it.id) is it and it.state != "Deleting"]
        if not reimage:
            upgrade(ctx.sub, owner, live)
        for instance in live:
            instance.state = "Succeeded"
            instance.meta["power"] = "running"

    def fail():
        for instance in members:
            instance.state = "Failed"

    return Answer(202, None, ctx.begin(owner, owner.body["location"], finish, fail, hold=False))


# ---------------------------------------------------------------- one instance


@kind
class Instance(Kind):
    type = INSTANCE
    creating = "Creating"
    region = False
    exclusive = False

    def view(self, sub, resource, expand=()):
        owner = owner_of(sub, resource)
        body = super().view(sub, resource, expand)
        profiles.without_secrets(body, expand)
        body["instanceId"] = index(resource)
        body["properties"]["latestModelApplied"] = resource.meta.get("model") == (owner.meta.get("model") if owner else None)
        body["properties"]["modelDefinitionApplied"] = "VirtualMachineScaleSet"
        if "instanceview" in expand:
            body["properties"]["instanceView"] = instance_view(resource)
        return body


def found_instance(ctx):
    """The instance of a path, of either orchestration."""
    name = ctx.params.get("vmScaleSetName") or ctx.params.get("virtualMachineScaleSetName")
    path = f"/subscriptions/{ctx.sub.id}/resourceGroups/{ctx.params['resourceGroupName']}/providers/{SET}/{name}"
    owner = ctx.sub.find(path)
    if owner is None:
        raise not_found(path)
    for instance in of(ctx.sub, owner):
        if index(instance).lower() == ctx.params["instanceId"].lower():
            return owner, instance
    raise ArmError(
        404, "NotFound", f"The entity was not found: the instance {ctx.params['instanceId']} of the scale set {owner.name} is not there."
    )


def shown(sub, instance, expand=()):
    body = KINDS[INSTANCE.lower()].view(sub, instance, expand)
    if instance.type == MACHINE:
        # A machine of its own, shown as the set's: under another model.
        body["type"] = INSTANCE
        body["properties"].pop("virtualMachineScaleSet")
    return body


@action("virtualMachineScaleSetVMs.list")
def list_instances(ctx):
    path = f"/subscriptions/{ctx.sub.id}/resourceGroups/{ctx.params['resourceGroupName']}/providers/{SET}/{ctx.params['virtualMachineScaleSetName']}"
    owner = ctx.sub.find(path)
    if owner is None:
        raise not_found(path)
    if ctx.query.get("$filter") or ctx.query.get("$select"):
        raise ArmError(501, "NotModelled", "The emulator does not filter or select instances.")
    found = [it for it in of(ctx.sub, owner) if not ctx.lagging(it)]
    return ctx.page([shown(ctx.sub, it, ctx.expand()) for it in found])


@action("virtualMachineScaleSetVMs.get")
def get_instance(ctx):
    return Answer(200, shown(ctx.sub, found_instance(ctx)[1], ctx.expand()))


@action("virtualMachineScaleSetVMs.getInstanceView")
def get_view(ctx):
    return Answer(200, instance_view(found_instance(ctx)[1]))


@action("virtualMachineScaleSetVMs.delete")
def delete_instance(ctx):
    try:
        owner, instance = found_instance(ctx)
    except ArmError as error:
        if error.code == "NotFound":
            return Answer(204)
        raise
    return begin_drop(ctx, owner, [instance])


@action("virtualMachineScaleSetVMs.update")
def put_instance(ctx):
    owner, instance = found_instance(ctx)
    given = ctx.body.get("properties", {})
    old = copy.deepcopy(instance.body)
    data = given.get("storageProfile", {}).get("dataDisks")
    if data is not None:
        for disk in data:
            reference = disk.get("managedDisk", {}).get("id")
            found = ctx.sub.find(reference or "")
            if reference and found is None:
                raise ArmError(404, "ResourceNotFound", f"Disk {reference.rpartition('/')[2]} is not found.")
            if found:
                disks.check_attach(ctx, found, instance, instance.body.get("zones"))
        instance.properties["storageProfile"]["dataDisks"] = data
        place_disks(ctx, instance, old)
    if "protectionPolicy" in given:
        instance.properties["protectionPolicy"] = given["protectionPolicy"]
    if "tags" in ctx.body:
        instance.body["tags"] = ctx.body["tags"]
    instance.state = "Updating"

    def finish():
        if instance.state == "Updating":
            instance.state = "Succeeded"

    def fail():
        instance.state = "Failed"

    ctx.sub.touch()
    headers = ctx.begin(instance, instance.body["location"], finish, fail, location=False, hold=False)
    return Answer(200, shown(ctx.sub, instance), headers)


@action("virtualMachineScaleSetVMs.deallocate")
def deallocate(ctx):
    return change_power(ctx, found_instance(ctx)[1], "deallocated")


@action("virtualMachineScaleSetVMs.powerOff")
def power_off(ctx):
    return change_power(ctx, found_instance(ctx)[1], "stopped")


@action("virtualMachineScaleSetVMs.start", "virtualMachineScaleSetVMs.restart", "virtualMachineScaleSetVMs.redeploy")
def start(ctx):
    return change_power(ctx, found_instance(ctx)[1], "running")


@action("virtualMachineScaleSetVMs.reimage", "virtualMachineScaleSetVMs.reimageAll")
def reimage(ctx):
    owner, instance = found_instance(ctx)
    return begin_upgrade(ctx, owner, [instance], reimage=True)


@action("virtualMachines.attachDetachDataDisks", "virtualMachineScaleSetVMs.attachDetachDataDisks")
def attach_detach(ctx):
    if "instanceId" in ctx.params:
        instance = found_instance(ctx)[1]
    else:
        instance = ctx.sub.find(ctx.item_path)
        if instance is None:
            raise not_found(ctx.item_path)
    data = instance.properties["storageProfile"]["dataDisks"]
    for request in ctx.body.get("dataDisksToDetach", []):
        match = [it for it in data if it["managedDisk"].get("id", "").lower() == request.get("diskId", "").lower()]
        if not match:
            raise bad_request("BadRequest", f"The disk '{request.get('diskId')}' is not attached.")
        data.remove(match[0])
        disks.detach(ctx.sub.find(match[0]["managedDisk"]["id"]))
    for request in ctx.body.get("dataDisksToAttach", []):
        found = ctx.sub.find(request.get("diskId", ""))
        if found is None:
            raise ArmError(404, "ResourceNotFound", f"Disk {request.get('diskId')} is not found.")
        disks.check_attach(ctx, found, instance, instance.body.get("zones"))
        taken = {it["lun"] for it in data}
        lun = request.get("lun", next(number for number in range(64) if number not in taken))
        if lun in taken:
            raise conflict("AttachDiskLunInUse", f"The LUN {lun} is in use.")
        disks.attach(found, instance)
        data.append(
            {
                "lun": lun,
                "name": found.name,
                "createOption": "Attach",
                "caching": request.get("caching", "None"),
                "managedDisk": {"id": found.id, "storageAccountType": found.body["sku"]["name"]},
                "diskSizeGB": found.properties["diskSizeGB"],
            }
        )
    ctx.sub.touch()
    headers = ctx.begin(instance, instance.body["location"], lambda: None, hold=False)
    return Answer(202, None, headers)


@action("publicIPAddresses.listVirtualMachineScaleSetPublicIPAddresses")
def list_addresses(ctx):
    path = f"/subscriptions/{ctx.sub.id}/resourceGroups/{ctx.params['resourceGroupName']}/providers/{SET}/{ctx.params['virtualMachineScaleSetName']}"
    owner = ctx.sub.find(path)
    if owner is None:
        raise not_found(path)
    return ctx.page([KINDS[ADDRESS.lower()].view(ctx.sub, it) for it in ctx.sub.below(owner.id, SET_ADDRESS)])

"""Virtual machines, and what machines of all kinds share: disks, power, instance view."""

import zlib

import catalogue
import disks
import profiles
from balancers import INTERFACE
from disks import COMPUTE, DISK
from errors import ArmError, bad_request, conflict, not_found
from identities import gone, prepare_identity, store_identity
from kinds import KINDS, Answer, Kind, action, kind, now_text
from state import Resource

MACHINE = f"{COMPUTE}/virtualMachines"
SET = f"{COMPUTE}/virtualMachineScaleSets"


@kind
class Machine(Kind):
    type = MACHINE
    creating = "Creating"
    patch_long = True
    # A later change of a machine waits for the earlier one; nobody is refused.
    exclusive = False
    name_pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}[A-Za-z0-9_]$|^[A-Za-z0-9]$"

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        hardware = properties.setdefault("hardwareProfile", {})
        if not hardware.get("vmSize"):
            raise profiles.invalid("hardwareProfile.vmSize", "Required parameter 'hardwareProfile.vmSize' is missing (null).")
        hardware["vmSize"] = catalogue.size(hardware["vmSize"], body["location"])
        catalogue.check_zones(body.get("zones"), body["location"], resource.name)
        catalogue.check_quota(ctx.sub, body["location"], hardware["vmSize"], 0 if old else 1)
        prepare_identity(ctx, resource, body, old)
        system = properties.get("osProfile")
        if old and "osProfile" in old["properties"]:
            before = old["properties"]["osProfile"]
            system = properties["osProfile"] = {**before, **(system or {})}
            for member in ("adminUsername", "computerName", "customData"):
                if system.get(member) != before.get(member):
                    raise conflict("PropertyChangeNotAllowed", f"Changing property 'osProfile.{member}' is not allowed.", f"osProfile.{member}")
        if system is None:
            raise profiles.invalid("osProfile", "Required parameter 'osProfile' is missing (null).")
        if not system.get("computerName"):
            raise profiles.invalid("osProfile.computerName", "Required parameter 'osProfile.computerName' is missing (null).")
        profiles.check_system(system)
        storage = properties.setdefault("storageProfile", {})
        profiles.check_storage(ctx, body, storage, hardware["vmSize"], resource.id)
        self.prepare_disks(ctx, resource, body, old)
        self.prepare_interfaces(ctx, resource, body)
        set_reference = properties.get("virtualMachineScaleSet")
        if set_reference:
            found = ctx.sub.find(set_reference.get("id", ""))
            if found is None or found.type != SET:
                raise ArmError(404, "ResourceNotFound", f"The scale set '{set_reference.get('id')}' was not found.")
            set_reference["id"] = found.id
        if old:
            for member in ("vmId", "timeCreated"):
                properties[member] = old["properties"][member]
            if old.get("zones", []) != body.get("zones", []):
                raise conflict("PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.", "zones")
        else:
            properties["vmId"] = ctx.sub.new_guid(resource.id, "vm")
            properties["timeCreated"] = now_text()

    def prepare_disks(self, ctx, resource, body, old):
        storage = body["properties"]["storageProfile"]
        for disk in storage["dataDisks"]:
            managed = disk.get("managedDisk", {})
            if managed.get("id"):
                found = ctx.sub.find(managed["id"])
                if found is None or found.type != DISK:
                    raise ArmError(404, "ResourceNotFound", f"Disk {managed['id'].rpartition('/')[2]} is not found.")
                managed["id"] = found.id
                disks.check_attach(ctx, found, resource, body.get("zones"))
            elif disk.get("createOption") == "Attach":
                raise profiles.invalid("dataDisk.managedDisk.id", "Required parameter 'dataDisk.managedDisk.id' is missing (null).")

    def prepare_interfaces(self, ctx, resource, body):
        network = body["properties"].setdefault("networkProfile", {})
        references = network.get("networkInterfaces")
        if network.get("networkInterfaceConfigurations"):
            raise ArmError(501, "NotModelled", "The emulator does not make interfaces with single machines; make them first.")
        if not references:
            raise bad_request("NetworkInterfaceMissing", "A virtual machine must have at least one network interface.", "networkProfile")
        for reference in references:
            found = ctx.resolve(reference, INTERFACE, resource.id)
            ctx.same_region(body["location"], found, resource.id)
            owner = found.properties.get("virtualMachine")
            if owner and owner["id"].lower() != resource.key:
                raise bad_request(
                    "NicInUse", f"Network Interface {found.id} is used by existing resource {owner['id']}."
                )

    def stored(self, ctx, resource, old):
        resource.meta["size"] = resource.properties["hardwareProfile"]["vmSize"]
        resource.meta.setdefault("power", "running")
        store_identity(ctx.sub, resource, old)
        interfaces = [it["id"] for it in resource.properties["networkProfile"]["networkInterfaces"]]
        for index, reference in enumerate(interfaces):
            interface = ctx.sub.find(reference)
            interface.properties["virtualMachine"] = {"id": resource.id}
            interface.properties["primary"] = index == 0
            interface.properties["macAddress"] = f"00-0D-3A-{zlib.crc32(resource.id.encode()) % 256:02X}-00-{index:02X}"
        for reference in (old or {}).get("properties", {}).get("networkProfile", {}).get("networkInterfaces", []):
            if reference["id"] not in interfaces and (interface := ctx.sub.find(reference["id"])):
                interface.properties.pop("virtualMachine", None)
        place_disks(ctx, resource, old)

    def deleted(self, sub, resource):
        release(sub, resource)
        set_reference = resource.properties.get("virtualMachineScaleSet")
        owner = sub.find(set_reference["id"]) if set_reference else None
        if owner is not None and owner.body.get("sku") and resource.meta.get("of_set"):
            owner.body["sku"]["capacity"] = max(0, owner.body["sku"].get("capacity", 0) - 1)
        sub.touch()

    def view(self, sub, resource, expand=()):
        body = super().view(sub, resource, expand)
        profiles.without_secrets(body, expand)
        if "instanceview" in expand:
            body["properties"]["instanceView"] = instance_view(resource)
        return body

    def list(self, ctx):
        found = [it for it in self.members(ctx) if not ctx.lagging(it)]
        if text := ctx.query.get("$filter"):
            wanted = text.rpartition("eq")[2].strip().strip("'").lower()
            if not text.replace(" ", "").lower().startswith("'virtualmachinescaleset/id'eq"):
                raise bad_request("InvalidParameter", f"The filter '{text}' is not supported.")
            found = [it for it in found if it.properties.get("virtualMachineScaleSet", {}).get("id", "").lower() == wanted]
        return ctx.page([self.view(ctx.sub, it, ctx.expand()) for it in found])


def place_disks(ctx, machine, old=None):
    """Makes the disks that a machine brings along, attaches those that it names and detaches those it no longer does."""
    storage = machine.properties["storageProfile"]
    before = {it.get("managedDisk", {}).get("id", "").lower() for it in (old or {}).get("properties", {}).get("storageProfile", {}).get("dataDisks", [])}
    group = machine.id.split("/providers/")[0]
    system = storage["osDisk"]
    if not system.get("managedDisk", {}).get("id") and not system.get("diffDiskSettings"):
        name = system.get("name") or f"{machine.name}_OsDisk_1_{ctx.sub.new_guid(machine.id, 'os').replace('-', '')}"
        system["name"] = name
        system["managedDisk"]["id"] = make_disk(ctx, machine, group, name, system, "FromImage")
    for disk in storage["dataDisks"]:
        managed = disk.setdefault("managedDisk", {})
        if managed.get("id"):
            found = ctx.sub.find(managed["id"])
            disks.attach(found, machine)
            disk.setdefault("name", found.name)
            disk.setdefault("diskSizeGB", found.properties["diskSizeGB"])
            before.discard(found.key)
        else:
            managed.setdefault("storageAccountType", "Standard_LRS")
            name = disk.get("name") or f"{machine.name}_disk{disk['lun'] + 2}_{ctx.sub.new_guid(machine.id, 'data').replace('-', '')}"
            disk["name"] = name
            managed["id"] = make_disk(ctx, machine, group, name, disk, "Empty")
    for key in before:
        if found := ctx.sub.find(key):
            disks.detach(found)
    ctx.sub.touch()


def make_disk(ctx, machine, group, name, disk, option):
    body = {
        "location": machine.body["location"],
        "managedBy": machine.id,
        "sku": {"name": disk["managedDisk"].get("storageAccountType", "Standard_LRS")},
        "tags": dict(machine.tags),
        "properties": {
            "creationData": {"createOption": option},
            "diskSizeGB": disk.get("diskSizeGB", 30),
            "diskState": "Attached",
            "provisioningState": "Succeeded",
            "timeCreated": now_text(),
            "uniqueId": ctx.sub.new_guid(name),
            "osType": "Linux" if option == "FromImage" else None,
        },
    }
    body["properties"] = {key: value for key, value in body["properties"].items() if value is not None}
    if machine.body.get("zones"):
        body["zones"] = list(machine.body["zones"])
    made = Resource(f"{group}/providers/{DISK}/{name}", DISK, name, body)
    ctx.sub.add(made)
    return made.id


def release(sub, machine):
    """What happens to disks and interfaces when a machine is gone."""
    storage = machine.properties.get("storageProfile", {})
    for disk in [storage.get("osDisk", {}), *storage.get("dataDisks", [])]:
        found = sub.find(disk.get("managedDisk", {}).get("id") or "")
        if found is None:
            continue
        # A disk of one's own outlives the machine unless it says otherwise; see `instances.py` for scale sets.
        if disk.get("deleteOption") == "Delete":
            sub.remove(found)
        else:
            disks.detach(found)
    for reference in machine.properties.get("networkProfile", {}).get("networkInterfaces", []):
        interface = sub.find(reference["id"])
        if interface is None:
            continue
        if reference.get("properties", {}).get("deleteOption") == "Delete":
            sub.remove(interface)
        else:
            for member in ("virtualMachine", "macAddress", "primary"):
                interface.properties.pop(member, None)
    gone(sub, machine)


# ---------------------------------------------------------------- power and view

POWER = {"running": "VM running", "stopped": "VM stopped", "deallocated": "VM deallocated", "starting": "VM starting"}


def instance_view(machine):
    state = machine.state
    power = machine.meta.get("power", "running")
    word = {"Succeeded": "succeeded", "Creating": "creating", "Updating": "updating", "Deleting": "deleting"}.get(state, "failed")
    view = {
        "statuses": [
            {
                "code": f"ProvisioningState/{word}",
                "level": "Error" if word == "failed" else "Info",
                "displayStatus": f"Provisioning {word}",
                "time": now_text(),
            }
        ],
        "disks": [],
    }
    if state != "Creating":
        view["statuses"].append({"code": f"PowerState/{power}", "level": "Info", "displayStatus": POWER[power]})
    if power == "running" and state == "Succeeded":
        view["vmAgent"] = {
            "vmAgentVersion": "2.11.1.12",
            "statuses": [{"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready", "message": "Guest Agent is running"}],
        }
    if health := machine.meta.get("health"):
        view["vmHealth"] = {"status": {"code": f"HealthState/{health}", "level": "Info", "displayStatus": health}}
    return view


def change_power(ctx, resource, power):
    """Starts, stops or frees a machine; the answer is 202."""
    return power_all(ctx, [resource], power)


def power_all(ctx, machines, power, owner=None):
    for machine in machines:
        machine.state = "Updating"

    def finish():
        for machine in machines:
            if ctx.sub.find(machine.id) is machine and machine.state != "Deleting":
                machine.state = "Succeeded"
                machine.meta["power"] = power

    def fail():
        for machine in machines:
            machine.state = "Failed"

    region = (owner or machines[0]).body["location"]
    headers = ctx.begin(owner or machines[0], region, finish, fail, location=True, hold=False)
    return Answer(202, None, headers)


def named(ctx):
    path = ctx.item_path
    found = ctx.sub.find(path)
    if found is None:
        raise not_found(path)
    return found


@action("virtualMachines.deallocate")
def deallocate(ctx):
    return change_power(ctx, named(ctx), "deallocated")


@action("virtualMachines.powerOff")
def power_off(ctx):
    return change_power(ctx, named(ctx), "stopped")


@action("virtualMachines.start", "virtualMachines.restart", "virtualMachines.redeploy", "virtualMachines.reimage", "virtualMachines.reapply")
def start(ctx):
    return change_power(ctx, named(ctx), "running")


@action("virtualMachines.instanceView")
def view_instance(ctx):
    return Answer(200, {**instance_view(named(ctx)), "computerName": named(ctx).properties["osProfile"]["computerName"]})


@action("virtualMachines.listByLocation")
def by_location(ctx):
    region = ctx.params["location"].lower()
    found = [it for it in ctx.sub.of_type(MACHINE) if it.body["location"] == region]
    return ctx.page([KINDS[MACHINE.lower()].view(ctx.sub, it) for it in found])

"""Virtual machine scale sets.

A change of the model (`virtualMachineProfile`, size) makes a new version of it. With the upgrade policy `Manual`
instances keep theirs, and say `latestModelApplied: false`, until `manualupgrade`; with `Automatic` and `Rolling`
they have the latest when the change is complete. A change while another is under way takes its place: the earlier
operation ends `Canceled`, as preempted.
"""

import copy
import json

import catalogue
import instances
import profiles
from errors import ArmError, bad_request, conflict, not_found
from identities import gone, prepare_identity, store_identity
from kinds import KINDS, Answer, Kind, action, kind, now_text
from machines import SET, instance_view, power_all

# A set's names and computers' names: the prefix and six characters more.
LONGEST_PREFIX = 58
# What can only be set when a set is made.
CREATE_TIME = (
    "osProfile.adminUsername",
    "osProfile.computerNamePrefix",
    "priority",
    "storageProfile.imageReference.publisher",
    "storageProfile.imageReference.offer",
    "storageProfile.osDisk.managedDisk.storageAccountType",
)
MOST_INSTANCES = {"Uniform": 1000, "Flexible": 1000}


@kind
class ScaleSet(Kind):
    type = SET
    creating = "Creating"
    patch_long = True
    exclusive = False
    name_pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}[A-Za-z0-9_]$|^[A-Za-z0-9]$"

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        before = (old or {}).get("properties", {})
        mode = properties.setdefault("orchestrationMode", before.get("orchestrationMode", "Uniform"))
        if old and before["orchestrationMode"] != mode:
            raise conflict("PropertyChangeNotAllowed", "Changing property 'orchestrationMode' is not allowed.", "orchestrationMode")
        region = body["location"]
        catalogue.check_zones(body.get("zones"), region, resource.name)
        if old and not set(old.get("zones", [])) <= set(body.get("zones", [])):
            raise conflict("PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.", "zones")
        prepare_identity(ctx, resource, body, old)
        profile = properties.get("virtualMachineProfile")
        if profile is None and mode == "Uniform":
            raise profiles.invalid("virtualMachineProfile", "Required parameter 'virtualMachineProfile' is missing (null).")
        self.prepare_policy(properties, mode)
        if mode == "Uniform":
            properties.setdefault("overprovision", True)
            properties.setdefault("singlePlacementGroup", not body.get("zones") and properties.get("platformFaultDomainCount") != 1)
        else:
            if "platformFaultDomainCount" not in properties:
                raise profiles.invalid(
                    "platformFaultDomainCount", "Required parameter 'platformFaultDomainCount' is missing (null): Flexible sets need it."
                )
            properties.setdefault("singlePlacementGroup", False)
        if body.get("zones") and properties.get("platformFaultDomainCount") not in (None, 1, 5):
            raise bad_request("BadRequest", "A set in zones has platformFaultDomainCount 1 (or 5).")
        if old and "platformFaultDomainCount" in before and before["platformFaultDomainCount"] != properties.get("platformFaultDomainCount"):
            raise conflict("PropertyChangeNotAllowed", "Changing property 'platformFaultDomainCount' is not allowed.")
        if profile is not None:
            self.prepare_profile(ctx, resource, body, profile, before.get("virtualMachineProfile"), mode)
        properties["uniqueId"] = before.get("uniqueId") or ctx.sub.new_guid(resource.id, "set")
        properties["timeCreated"] = before.get("timeCreated") or now_text()

    def prepare_policy(self, properties, mode):
        policy = properties.setdefault("upgradePolicy", {})
        if mode == "Uniform":
            if not policy.get("mode"):
                raise profiles.invalid("upgradePolicy.mode", "Required parameter 'upgradePolicy.mode' is missing (null).")
        else:
            policy.setdefault("mode", "Manual")

    def prepare_profile(self, ctx, resource, body, profile, before, mode):
        sku = body.setdefault("sku", {})
        if not sku.get("name") or sku.get("capacity") is None:
            raise profiles.invalid("sku", "Required parameters 'sku.name' and 'sku.capacity' are missing (null).")
        if not 0 <= sku["capacity"] <= MOST_INSTANCES[mode]:
            raise profiles.invalid("sku.capacity", f"The capacity {sku['capacity']} is out of range.")
        if body["properties"].get("singlePlacementGroup") and sku["capacity"] > 100:
            raise bad_request("OperationNotAllowed", "A set with singlePlacementGroup has 100 instances at most.")
        sku["name"] = catalogue.size(sku["name"], body["location"], "sku.name")
        sku.setdefault("tier", "Standard")
        system = profile.get("osProfile")
        if system is None:
            raise profiles.invalid("osProfile", "Required parameter 'osProfile' is missing (null).")
        if before and "osProfile" in before:
            profiles.keep_secrets(system, before["osProfile"])
        if "userData" not in profile and before and "userData" in before:
            profile["userData"] = before["userData"]
        if data := profile.get("userData"):
            profiles.check_base64(data, "userData", profiles.MOST_CUSTOM_DATA)
        prefix = system.get("computerNamePrefix")
        if not prefix:
            raise profiles.invalid("osProfile.computerNamePrefix", "Required parameter 'osProfile.computerNamePrefix' is missing (null).")
        if len(prefix) > LONGEST_PREFIX or any(char in prefix for char in "~!@#$%^&*()=+_[]{}\\|;:.'\",<>/? "):
            raise profiles.invalid("osProfile.computerNamePrefix", f"The computer name prefix '{prefix}' is not valid.")
        profiles.check_system(system)
        profiles.check_storage(ctx, body, profile.setdefault("storageProfile", {}), sku["name"], resource.id)
        if "deleteOption" not in profile["storageProfile"]["osDisk"] and mode == "Flexible":
            profile["storageProfile"]["osDisk"]["deleteOption"] = "Delete"
        profiles.check_configurations(ctx, body, profile.setdefault("networkProfile", {}), resource.id, mode == "Flexible")
        if before:
            for path in CREATE_TIME:
                if reach(before, path) != reach(profile, path):
                    raise conflict("PropertyChangeNotAllowed", f"Changing property '{path}' is not allowed.", path)
        have = len(instances.of(ctx.sub, resource))
        catalogue.check_quota(ctx.sub, body["location"], sku["name"], max(0, sku["capacity"] - have))

    def free(self, ctx, resource):
        """A later change takes the place of an earlier one."""
        super().free(ctx, resource)
        if resource.pending:
            resource.pending.cancel("OperationPreempted", "The operation execution has been preempted by a more recent operation.")
            resource.pending = None

    def stored(self, ctx, resource, old):
        if model_of(resource.body) != model_of(old or {}):
            resource.meta["model"] = resource.meta.get("model", 0) + 1
        store_identity(ctx.sub, resource, old)
        if "virtualMachineProfile" in resource.properties:
            try:
                instances.scale(ctx, resource, resource.body["sku"]["capacity"])
            except ArmError as error:
                # A full subnet shows while machines are made: the operation fails, the set stays.
                ctx.lro_error = error.content()

    def finished(self, sub, resource, old):
        instances.settle(sub, resource)
        if resource.properties["upgradePolicy"]["mode"] in ("Automatic", "Rolling"):
            instances.upgrade(sub, resource, instances.of(sub, resource))

    def failed(self, sub, resource):
        for instance in instances.of(sub, resource):
            if instance.state in ("Creating", "Updating", "Deleting"):
                instance.state = "Failed"

    def deleting(self, ctx, resource):
        for instance in instances.of(ctx.sub, resource):
            instance.state = "Deleting"

    def begin_delete(self, ctx, resource):
        members = instances.of(ctx.sub, resource)

        def finish():
            for instance in members:
                instances.drop(ctx.sub, instance)
            ctx.sub.remove(resource)
            self.deleted(ctx.sub, resource)

        def fail():
            resource.state = "Failed"

        return ctx.begin(resource, resource.body["location"], finish, fail)

    def deleted(self, sub, resource):
        gone(sub, resource)

    def view(self, sub, resource, expand=()):
        body = super().view(sub, resource, expand)
        profiles.without_secrets(body, expand)
        body["etag"] = f'"{resource.etag}"'
        return body


def reach(value, path):
    for step in path.split("."):
        value = (value or {}).get(step)
    return value


def model_of(body):
    """What makes instances old when it changes."""
    profile = copy.deepcopy(body.get("properties", {}).get("virtualMachineProfile"))
    return json.dumps([profile, body.get("sku", {}).get("name")], sort_keys=True)


def set_of(ctx):
    name = ctx.params.get("vmScaleSetName") or ctx.params.get("virtualMachineScaleSetName")
    path = f"/subscriptions/{ctx.sub.id}/resourceGroups/{ctx.params['resourceGroupName']}/providers/{SET}/{name}"
    found = ctx.sub.find(path)
    if found is None:
        raise not_found(path)
    return found


def chosen(ctx, found, required=False):
    """The instances that a body names; all when it names none."""
    wanted = ctx.body.get("instanceIds")
    members = instances.of(ctx.sub, found)
    if not wanted and required:
        raise profiles.invalid("instanceIds", "Required parameter 'instanceIds' is missing (null).")
    if not wanted or wanted == ["*"]:
        return members
    known = {instances.index(it).lower(): it for it in members}
    for name in wanted:
        if name.lower() not in known:
            raise bad_request("InvalidParameter", f"The provided instanceId {name} is not an active Virtual Machine Scale Set VM instanceId.", "instanceIds")
    return [known[name.lower()] for name in wanted]


# ---------------------------------------------------------------- actions


@action("virtualMachineScaleSets.deallocate")
def deallocate(ctx):
    found = set_of(ctx)
    return power_all(ctx, chosen(ctx, found), "deallocated", found)


@action("virtualMachineScaleSets.powerOff")
def power_off(ctx):
    found = set_of(ctx)
    return power_all(ctx, chosen(ctx, found), "stopped", found)


@action("virtualMachineScaleSets.start", "virtualMachineScaleSets.restart", "virtualMachineScaleSets.redeploy")
def start(ctx):
    found = set_of(ctx)
    return power_all(ctx, chosen(ctx, found), "running", found)


@action("virtualMachineScaleSets.updateInstances")
def upgrade(ctx):
    found = set_of(ctx)
    members = chosen(ctx, found, required=True)
    return instances.begin_upgrade(ctx, found, members, reimage=False)


@action("virtualMachineScaleSets.reimage", "virtualMachineScaleSets.reimageAll")
def reimage(ctx):
    found = set_of(ctx)
    return instances.begin_upgrade(ctx, found, chosen(ctx, found), reimage=True)


@action("virtualMachineScaleSets.deleteInstances")
def delete_instances(ctx):
    found = set_of(ctx)
    return instances.begin_drop(ctx, found, chosen(ctx, found, required=True))


@action("virtualMachineScaleSets.getInstanceView")
def view_set(ctx):
    found = set_of(ctx)
    counts = {}
    for instance in instances.of(ctx.sub, found):
        for status in instance_view(instance)["statuses"]:
            counts[status["code"]] = counts.get(status["code"], 0) + 1
    return Answer(
        200,
        {
            "virtualMachine": {"statusesSummary": [{"code": code, "count": count} for code, count in sorted(counts.items())]},
            "statuses": [
                {
                    "code": f"ProvisioningState/{found.state.lower()}",
                    "level": "Info",
                    "displayStatus": f"Provisioning {found.state.lower()}",
                    "time": now_text(),
                }
            ],
        },
    )


@action("virtualMachineScaleSets.listSkus")
def list_skus(ctx):
    found = set_of(ctx)
    if "sku" not in found.body:
        # A Flexible set without a profile of its own: machines join it one by one.
        return ctx.page([])
    entry = {
        "resourceType": SET,
        "sku": {"name": found.body["sku"]["name"], "tier": "Standard"},
        "capacity": {"minimum": 0, "maximum": 1000, "defaultCapacity": 1, "scaleType": "Automatic"},
    }
    return ctx.page([entry])


@action("virtualMachineScaleSets.listByLocation")
def by_location(ctx):
    region = ctx.params["location"].lower()
    found = [it for it in ctx.sub.of_type(SET) if it.body["location"] == region]
    return ctx.page([KINDS[SET.lower()].view(ctx.sub, it) for it in found])




# ---------------------------------------------------------------- rolling upgrades


@action("virtualMachineScaleSetRollingUpgrades.startOSUpgrade")
def start_rolling(ctx):
    found = set_of(ctx)
    if found.properties["upgradePolicy"]["mode"] == "Manual" and found.properties["orchestrationMode"] == "Uniform":
        raise conflict("OperationNotAllowed", "Rolling upgrades need the upgrade policy Rolling or Automatic.")
    found.meta["rolling"] = now_text()
    return instances.begin_upgrade(ctx, found, instances.of(ctx.sub, found), reimage=False)


@action("virtualMachineScaleSetRollingUpgrades.getLatest")
def latest_rolling(ctx):
    found = set_of(ctx)
    if "rolling" not in found.meta:
        raise not_found(f"{found.id}/rollingUpgrades/latest")
    states = [it.state for it in instances.of(ctx.sub, found)]
    progress = {
        "successfulInstanceCount": states.count("Succeeded"),
        "failedInstanceCount": states.count("Failed"),
        "inProgressInstanceCount": states.count("Updating"),
        "pendingInstanceCount": 0,
    }
    status = "RollingForward" if "Updating" in states else "Faulted" if "Failed" in states else "Completed"
    return Answer(
        200,
        {
            "id": f"{found.id}/rollingUpgrades/latest",
            "name": "latest",
            "type": f"{SET}/rollingUpgrades",
            "location": found.body["location"],
            "properties": {"runningStatus": {"code": status, "startTime": found.meta["rolling"]}, "progress": progress},
        },
    )

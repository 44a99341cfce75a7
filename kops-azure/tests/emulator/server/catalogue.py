"""What can be bought: machine sizes, marketplace images, quotas. The data are ours, the shape is Azure's."""

import json
import os
import re

from errors import ArmError, bad_request
from kinds import REGIONS, Answer, action

HERE = os.path.dirname(os.path.abspath(__file__))


def _read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return json.load(file)


SIZES = _read("sizes.json")
IMAGES = _read("images.json")
SIZE = {
    name: {"family": family, "cpus": cpus, "memory": memory, **{key: data[key] for key in ("gpus", "architecture", "disks")}}
    for family, data in SIZES["families"].items()
    for name, (cpus, memory) in data["sizes"].items()
}
CANONICAL_SIZE = {name.lower(): name for name in SIZE}


def zones_of(region):
    return [] if region in SIZES["without_zones"] else ["1", "2", "3"]


def size(name, region, member="hardwareProfile.vmSize"):
    """A size by name, in whatever case."""
    found = CANONICAL_SIZE.get((name or "").lower())
    if found is None:
        raise bad_request(
            "InvalidParameter",
            f"The value {name} provided for the VM size is not valid. The valid sizes in the current region are: "
            f"{','.join(sorted(SIZE)[:8])}…",
            member,
        )
    return found


def check_zones(zones, region, name):
    known = zones_of(region)
    for zone in zones or []:
        if zone not in known:
            raise bad_request(
                "InvalidAvailabilityZone" if known else "LocationNotSupportAvailabilityZones",
                f"The zone(s) '{zone}' for resource '{name}' is not supported. The supported zones for location '{region}' are "
                f"'{','.join(known)}'",
                "zones",
            )


# ---------------------------------------------------------------- sizes


@action("resourceSkus.list")
def list_skus(ctx):
    regions = REGIONS[:12]
    if text := ctx.query.get("$filter"):
        match = re.fullmatch(r"\s*location\s+eq\s+'([^']*)'\s*", text)
        if not match:
            raise bad_request("InvalidParameter", f"The filter '{text}' is not supported; only 'location eq' is.")
        regions = [region for region in REGIONS if region == match[1].replace(" ", "").lower()]
    found = []
    for region in regions:
        found += [machine_sku(name, it, region) for name, it in SIZE.items()]
        found += [disk_sku(name, region) for name in ("Standard_LRS", "StandardSSD_LRS", "Premium_LRS", "UltraSSD_LRS", "Premium_ZRS")]
    return ctx.page(found, size=1000)


def machine_sku(name, it, region):
    capabilities = {
        "vCPUs": it["cpus"],
        "MemoryGB": it["memory"],
        "MaxDataDiskCount": max(2, it["cpus"] * it["disks"] // 2),
        "MaxResourceVolumeMB": it["memory"] * 2048,
        "CpuArchitectureType": it["architecture"],
        "GPUs": it["gpus"] * max(1, it["cpus"] // 4) if it["gpus"] else 0,
        "HyperVGenerations": "V1,V2" if it["architecture"] == "x64" else "V2",
        "PremiumIO": True,
        "AcceleratedNetworkingEnabled": it["cpus"] > 1,
        "MaxNetworkInterfaces": max(2, it["cpus"] // 2),
        "EphemeralOSDiskSupported": "s" in name.split("_")[1],
        "LowPriorityCapable": True,
        "EncryptionAtHostSupported": True,
    }
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "tier": "Standard",
        "size": name.partition("_")[2],
        "family": it["family"],
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones_of(region), "zoneDetails": []}],
        "capabilities": [{"name": key, "value": str(value)} for key, value in capabilities.items()],
        "restrictions": [],
    }


def disk_sku(name, region):
    return {
        "resourceType": "disks",
        "name": name,
        "tier": name.split("_")[0],
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones_of(region), "zoneDetails": []}],
        "capabilities": [],
        "restrictions": [],
    }


@action("virtualMachineSizes.list")
def list_sizes(ctx):
    value = [
        {
            "name": name,
            "numberOfCores": it["cpus"],
            "osDiskSizeInMB": 1_047_552,
            "resourceDiskSizeInMB": int(it["memory"] * 2048),
            "memoryInMB": int(it["memory"] * 1024),
            "maxDataDiskCount": max(2, it["cpus"] * it["disks"] // 2),
        }
        for name, it in SIZE.items()
    ]
    return Answer(200, {"value": value})


# ---------------------------------------------------------------- quotas


def cores_in_use(sub, region, but=None):
    used = {}
    for machine in [*sub.of_type("Microsoft.Compute/virtualMachines"), *sub.of_type("Microsoft.Compute/virtualMachineScaleSets/virtualMachines")]:
        if machine.body.get("location") == region and machine is not but:
            it = SIZE.get(machine.meta.get("size"))
            if it:
                used[it["family"]] = used.get(it["family"], 0) + it["cpus"]
    return used


def check_quota(sub, region, name, count):
    """Refuses when so many machines more of a size are too many."""
    need = SIZE[name]["cpus"] * count
    used = sum(cores_in_use(sub, region).values())
    if need > 0 and used + need > sub.settings.core_limit:
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Additional details - "
            f"Deployment Model: Resource Manager, Location: {region}, Current Limit: {sub.settings.core_limit}, Current Usage: "
            f"{used}, Additional Required: {need}, (Minimum) New Limit Required: {used + need}.",
        )


@action("usageOperations.list")
def list_usages(ctx):
    region = ctx.params["location"].lower()
    used = cores_in_use(ctx.sub, region)
    limit = ctx.sub.settings.core_limit

    def entry(value, text, current, most):
        return {"unit": "Count", "currentValue": current, "limit": most, "name": {"value": value, "localizedValue": text}}

    sets = [it for it in ctx.sub.of_type("Microsoft.Compute/virtualMachineScaleSets") if it.body["location"] == region]
    machines = sum(it.body.get("location") == region for it in ctx.sub.of_type("Microsoft.Compute/virtualMachines"))
    value = [
        entry("cores", "Total Regional vCPUs", sum(used.values()), limit),
        entry("virtualMachines", "Virtual Machines", machines, 25_000),
        entry("virtualMachineScaleSets", "Virtual Machine Scale Sets", len(sets), 2500),
    ]
    value += [entry(family, f"{family} vCPUs", used.get(family, 0), limit) for family in SIZES["families"]]
    return ctx.page(value, size=1000)


# ---------------------------------------------------------------- images


def lookup(table, name):
    for key, value in table.items():
        if key.lower() == name.lower():
            return key, value
    return None, None


def image_missing(publisher, offer, sku, version):
    return ArmError(
        404,
        "PlatformImageNotFound",
        f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that all fields in the storage "
        "profile are correct. For more details about storage profile information, please refer to "
        "https://aka.ms/storageprofile",
        "imageReference",
    )


def platform_image(reference):
    """The data of a marketplace image and its exact version."""
    names = [reference.get(member) for member in ("publisher", "offer", "sku", "version")]
    if not all(names):
        raise bad_request("InvalidParameter", "The imageReference has to have publisher, offer, sku and version, or an id.", "imageReference")
    publisher, offer, sku, version = names
    _, offers = lookup(IMAGES, publisher)
    _, skus = lookup(offers or {}, offer)
    _, data = lookup(skus or {}, sku)
    if data is None or (version != "latest" and version not in data["versions"]):
        raise image_missing(*names)
    return data, data["versions"][-1] if version == "latest" else version


def listed(ctx, names, *more):
    region = ctx.params["location"].lower()
    base = f"/Subscriptions/{ctx.sub.id}/Providers/Microsoft.Compute/Locations/{region}/Publishers"
    path = "".join(more)
    return Answer(200, [{"location": region, "name": name, "id": f"{base}{path}/{name}"} for name in names])


def offers_of(ctx):
    publisher, offers = lookup(IMAGES, ctx.params["publisherName"])
    if publisher is None:
        raise ArmError(404, "NotFound", f"Artifact: VMImage was not found: {ctx.params['publisherName']}.")
    return publisher, offers


def skus_of(ctx):
    publisher, offers = offers_of(ctx)
    offer, skus = lookup(offers, ctx.params["offer"])
    if offer is None:
        raise ArmError(404, "NotFound", f"Artifact: VMImage was not found: {ctx.params['offer']}.")
    return publisher, offer, skus


def data_of(ctx):
    publisher, offer, skus = skus_of(ctx)
    sku, data = lookup(skus, ctx.params["skus"])
    if sku is None:
        raise ArmError(404, "NotFound", f"Artifact: VMImage was not found: {ctx.params['skus']}.")
    return publisher, offer, sku, data


@action("virtualMachineImages.listPublishers")
def list_publishers(ctx):
    return listed(ctx, IMAGES)


@action("virtualMachineImages.listOffers")
def list_offers(ctx):
    publisher, offers = offers_of(ctx)
    return listed(ctx, offers, f"/{publisher}/ArtifactTypes/VMImage/Offers")


@action("virtualMachineImages.listSkus")
def list_image_skus(ctx):
    publisher, offer, skus = skus_of(ctx)
    return listed(ctx, skus, f"/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus")


def image_properties(data):
    return {
        "osDiskImage": {"operatingSystem": "Linux"},
        "dataDiskImages": [],
        "hyperVGeneration": data["generation"],
        "architecture": data["architecture"],
        "features": [{"name": "IsAcceleratedNetworkSupported", "value": "True"}],
    }


@action("virtualMachineImages.list")
def list_images(ctx):
    publisher, offer, sku, data = data_of(ctx)
    versions = list(data["versions"])
    order = ctx.query.get("$orderby", "name asc").lower()
    if order.endswith("desc"):
        versions.reverse()
    if "$top" in ctx.query:
        versions = versions[: int(ctx.query["$top"])]
    answer = listed(ctx, versions, f"/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions")
    if "properties" in ctx.expand():
        for image in answer.body:
            image["properties"] = image_properties(data)
    return answer


@action("virtualMachineImages.get")
def get_image(ctx):
    publisher, offer, sku, data = data_of(ctx)
    version = ctx.params["version"]
    if version == "latest":
        version = data["versions"][-1]
    if version not in data["versions"]:
        raise image_missing(publisher, offer, sku, version)
    region = ctx.params["location"].lower()
    return Answer(
        200,
        {
            "location": region,
            "name": version,
            "id": f"/Subscriptions/{ctx.sub.id}/Providers/Microsoft.Compute/Locations/{region}/Publishers/{publisher}/ArtifactTypes/"
            f"VMImage/Offers/{offer}/Skus/{sku}/Versions/{version}",
            "properties": image_properties(data),
        },
    )

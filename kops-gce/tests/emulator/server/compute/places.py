"""The catalogue as resources: zones, regions, machine types, disk types, images."""

import paging
from compute.catalogue import (
    ACCELERATED,
    DISK_TYPES,
    LOCATIONS,
    MACHINE_IDS,
    MACHINES,
    REGIONS,
    TIME,
    ZONES,
    image,
    images,
    machine_is_in,
    place,
)  # fmt: skip
from compute.kind import Kind
from errors import not_found
from urls import Key, region_of_zone


class Fixed(Kind):
    """A kind whose items are computed."""

    def all(self, call):
        """(location, body) of every item."""

    def do_get(self, call):
        for location, body in self.all(call):
            if location == call.location and call.name in (body["name"], body["id"]):
                return body
        raise not_found(call.project.key(call.location, self.collection, call.name).path)

    def do_list(self, call):
        bodies = [body for location, body in self.all(call) if location == call.location]
        return paging.page(call, bodies, f"projects/{call.project.name}/{call.location}/{self.collection}")

    def do_aggregated_list(self, call):
        return paging.aggregated(call, list(self.all(call)), self.collection, LOCATIONS)


class Zones(Fixed):
    collection, label, kind = "zones", "zone", "compute#zone"

    def all(self, call):
        project = call.project.name
        for index, zone in enumerate(ZONES):
            yield (
                "global",
                {
                    "kind": self.kind,
                    "id": str(2_000 + index),
                    "creationTimestamp": TIME,
                    "name": zone,
                    "description": zone,
                    "status": "UP",
                    "region": place(project, "regions", region_of_zone(zone)),
                    "selfLink": place(project, "zones", zone),
                    "availableCpuPlatforms": ["Intel Broadwell", "Intel Cascade Lake", "Intel Ice Lake", "AMD Milan"],
                },
            )


class Regions(Fixed):
    collection, label, kind = "regions", "region", "compute#region"

    def all(self, call):
        project = call.project.name
        for index, (region, letters) in enumerate(REGIONS.items()):
            yield (
                "global",
                {
                    "kind": self.kind,
                    "id": str(1_000 + index),
                    "creationTimestamp": TIME,
                    "name": region,
                    "description": region,
                    "status": "UP",
                    "zones": [place(project, "zones", f"{region}-{letter}") for letter in letters],
                    "quotas": [
                        {"metric": "CPUS", "limit": 2400.0, "usage": 0.0},
                        {"metric": "IN_USE_ADDRESSES", "limit": 230.0, "usage": 0.0},
                        {"metric": "INSTANCES", "limit": 6000.0, "usage": 0.0},
                    ],
                    "selfLink": place(project, "regions", region),
                },
            )


class MachineTypes(Fixed):
    collection, label, kind = "machineTypes", "machine_type", "compute#machineType"

    def all(self, call):
        zones = [call.location.partition("/")[2]] if call.location != "global" else ZONES
        for zone in zones:
            for name, (cpus, memory, shared, architecture) in MACHINES.items():
                if machine_is_in(name, zone):
                    yield (
                        f"zones/{zone}",
                        {
                            "kind": self.kind,
                            "id": MACHINE_IDS[name],
                            "creationTimestamp": TIME,
                            "name": name,
                            "description": f"{cpus} vCPUs {memory / 1024:g} GB RAM",
                            "guestCpus": cpus,
                            "memoryMb": memory,
                            "imageSpaceGb": 0,
                            "maximumPersistentDisks": 16 if shared else 128,
                            "maximumPersistentDisksSizeGb": "3072" if shared else "263168",
                            **accelerators(name),
                            "isSharedCpu": shared,
                            "architecture": architecture,
                            "zone": zone,
                            "selfLink": call.project.key(f"zones/{zone}", "machineTypes", name).link,
                        },
                    )


def accelerators(name):
    """Those that come with a machine type."""
    if name not in ACCELERATED:
        return {}
    kind, count = ACCELERATED[name]
    return {"accelerators": [{"guestAcceleratorType": kind, "guestAcceleratorCount": count}]}


class DiskTypes(Fixed):
    collection, label, kind = "diskTypes", "disk_type", "compute#diskType"

    def all(self, call):
        zones = [call.location.partition("/")[2]] if call.location.startswith("zones/") else ZONES
        for zone in zones:
            for index, name in enumerate(DISK_TYPES):
                yield (
                    f"zones/{zone}",
                    {
                        "kind": self.kind,
                        "id": str(30_000 + index),
                        "creationTimestamp": TIME,
                        "name": name,
                        "description": name,
                        "validDiskSize": "10GB-65536GB",
                        "defaultDiskSizeGb": "100",
                        "zone": place(call.project.name, "zones", zone),
                        "selfLink": call.project.key(f"zones/{zone}", "diskTypes", name).link,
                    },
                )


class Images(Fixed):
    collection, label, kind = "images", "image", "compute#image"

    def all(self, call):
        for body in images(call.project.name):
            yield "global", body

    def do_get_from_family(self, call):
        key = Key(call.project.name, "global", "images", "family/" + call.path["family"])
        found = image(key)
        if found is None:
            raise not_found(key.path)
        return found

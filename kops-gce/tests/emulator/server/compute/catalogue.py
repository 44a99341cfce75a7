"""What Google has and nobody makes: regions, zones, machine types, disk types, public images. As data; see places.py.

A small part of the real catalogue, with its real numbers as far as they matter.
"""

import functools

from urls import Key, region_of_zone

REGIONS = {
    "asia-east1": "abc",
    "europe-north1": "abc",
    "europe-west1": "bcd",
    "europe-west3": "abc",
    "europe-west4": "abc",
    "us-central1": "abcf",
    "us-east1": "bcd",
    "us-west1": "abc",
}
ZONES = [f"{region}-{letter}" for region, letters in REGIONS.items() for letter in letters]
PLACES = {"regions": set(REGIONS), "zones": set(ZONES)}
LOCATIONS = ["global", *(f"regions/{region}" for region in REGIONS), *(f"zones/{zone}" for zone in ZONES)]

TIME = "2024-01-01T00:00:00.000-08:00"

# name -> (vCPUs, MiB, whether they are shared, architecture)
MACHINES = {
    "e2-micro": (2, 1024, True, "X86_64"),
    "e2-small": (2, 2048, True, "X86_64"),
    "e2-medium": (2, 4096, True, "X86_64"),
    "f1-micro": (1, 614, True, "X86_64"),
    "g1-small": (1, 1740, True, "X86_64"),
}
for _family, _sizes, _kinds, _arch in (
    ("e2", (2, 4, 8, 16, 32), {"standard": 4, "highmem": 8, "highcpu": 1}, "X86_64"),
    ("n1", (1, 2, 4, 8, 16, 32, 64, 96), {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9}, "X86_64"),
    ("n2", (2, 4, 8, 16, 32, 48, 64, 80, 96, 128), {"standard": 4, "highmem": 8, "highcpu": 1}, "X86_64"),
    ("n2d", (2, 4, 8, 16, 32, 48, 64, 80, 96), {"standard": 4, "highmem": 8, "highcpu": 1}, "X86_64"),
    ("c3", (4, 8, 22, 44, 88, 176), {"standard": 4, "highmem": 8, "highcpu": 2}, "X86_64"),
    ("c2", (4, 8, 16, 30, 60), {"standard": 4}, "X86_64"),
    ("t2d", (1, 2, 4, 8, 16, 32), {"standard": 4}, "X86_64"),
    ("t2a", (1, 2, 4, 8, 16, 32, 48), {"standard": 4}, "ARM64"),
    ("c4a", (1, 2, 4, 8, 16, 32, 48), {"standard": 4, "highmem": 8, "highcpu": 2}, "ARM64"),
):
    for _kind, _gib in _kinds.items():
        for _cpus in _sizes:
            if not (_family == "e2" and _cpus == 32 and _kind == "highmem") and not (_kind == "highcpu" and _cpus == 1):
                MACHINES[f"{_family}-{_kind}-{_cpus}"] = (_cpus, int(_gib * _cpus * 1024), False, _arch)
# Types that come with accelerators: name -> (accelerator, number).
ACCELERATED = {"g2-standard-4": ("nvidia-l4", 1), "g2-standard-24": ("nvidia-l4", 2), "a2-highgpu-1g": ("nvidia-tesla-a100", 1)}
MACHINES |= {
    "g2-standard-4": (4, 16 * 1024, False, "X86_64"),
    "g2-standard-24": (24, 96 * 1024, False, "X86_64"),
    "a2-highgpu-1g": (12, 85 * 1024, False, "X86_64"),
    "c3-standard-192-metal": (192, 768 * 1024, False, "X86_64"),
}
# Machines of these families are not everywhere.
SCARCE = {"t2a": {"us-central1", "europe-west4"}, "c4a": {"us-central1", "us-east1", "europe-west1", "europe-west4"}}
MACHINE_IDS = {name: str(10_000 + index) for index, name in enumerate(MACHINES)}

DISK_TYPES = ("pd-standard", "pd-balanced", "pd-ssd", "pd-extreme", "hyperdisk-balanced", "local-ssd")

# (project, family, name, architecture, GB)
IMAGES = [
    ("ubuntu-os-cloud", "ubuntu-2204-lts", "ubuntu-2204-jammy-v20261015", "X86_64", 10),
    ("ubuntu-os-cloud", "ubuntu-2204-lts-arm64", "ubuntu-2204-jammy-arm64-v20261015", "ARM64", 10),
    ("ubuntu-os-cloud", "ubuntu-2404-lts-amd64", "ubuntu-2404-noble-amd64-v20260901", "X86_64", 10),
    ("ubuntu-os-cloud", "ubuntu-2404-lts-amd64", "ubuntu-2404-noble-amd64-v20261015", "X86_64", 10),
    ("ubuntu-os-cloud", "ubuntu-2404-lts-arm64", "ubuntu-2404-noble-arm64-v20261015", "ARM64", 10),
    ("ubuntu-os-cloud", "ubuntu-minimal-2404-lts-amd64", "ubuntu-minimal-2404-noble-amd64-v20261015", "X86_64", 10),
    ("debian-cloud", "debian-12", "debian-12-bookworm-v20261010", "X86_64", 10),
    ("debian-cloud", "debian-12-arm64", "debian-12-bookworm-arm64-v20261010", "ARM64", 10),
    ("debian-cloud", "debian-13", "debian-13-trixie-v20261010", "X86_64", 10),
    ("cos-cloud", "cos-stable", "cos-stable-125-19216-104-12", "X86_64", 10),
    ("cos-cloud", "cos-arm64-stable", "cos-arm64-stable-125-19216-104-12", "ARM64", 10),
    ("rocky-linux-cloud", "rocky-linux-9", "rocky-linux-9-v20261012", "X86_64", 20),
    ("rhel-cloud", "rhel-9", "rhel-9-v20261012", "X86_64", 20),
]
IMAGE_PROJECTS = {image[0] for image in IMAGES}


def machine_is_in(name, zone):
    family = name.split("-")[0]
    return name in MACHINES and region_of_zone(zone) in SCARCE.get(family, REGIONS)


def has(key):
    """Whether the catalogue has what a key names."""
    if key.collection == "machineTypes":
        return key.place in PLACES["zones"] and machine_is_in(key.name, key.place)
    if key.collection == "diskTypes":
        return key.place in PLACES["zones"] | PLACES["regions"] and key.name in DISK_TYPES
    if key.collection == "images":
        return image(key) is not None
    if key.collection == "gateways":
        return key.name == "default-internet-gateway"
    return key.collection in ("licenses", "acceleratorTypes")


def image(key):
    """The public image that a key names, by its own name or as `family/F`."""
    if key.name.startswith("family/"):
        found = [it for it in images(key.project) if it["family"] == key.name.removeprefix("family/")]
        return found[-1] if found else None
    return next((it for it in images(key.project) if it["name"] == key.name), None)


@functools.cache
def images(project):
    result = []
    for index, (owner, family, name, architecture, size) in enumerate(IMAGES):
        if owner == project:
            result.append({
                "kind": "compute#image",
                "id": str(4_000_000_000_000_000_000 + index),
                "creationTimestamp": f"2026-{index % 9 + 1:02}-01T00:00:00.000-07:00",
                "name": name,
                "family": family,
                "description": name,
                "sourceType": "RAW",
                "status": "READY",
                "archiveSizeBytes": str(size * 100_000_000),
                "diskSizeGb": str(size),
                "architecture": architecture,
                "selfLink": Key(owner, "global", "images", name).link,
                "labelFingerprint": "42WmSpB8rSM=",
                "storageLocations": ["us", "eu"],
                "guestOsFeatures": [{"type": "VIRTIO_SCSI_MULTIQUEUE"}, {"type": "UEFI_COMPATIBLE"}, {"type": "GVNIC"}],
            })  # fmt: skip
    return result


def place(project, scope, name):
    return f"https://www.googleapis.com/compute/v1/projects/{project}/{scope}/{name}"

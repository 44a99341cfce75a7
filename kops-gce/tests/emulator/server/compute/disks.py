"""Disks."""

import math

from compute import catalogue
from compute.kind import Kind, need, ref
from errors import bad_value, in_use, invalid
from state import now
from urls import Key, parse, strip


class Disks(Kind):
    collection, label, kind = "disks", "disk", "compute#disk"
    refs = (ref("type", "diskTypes", invalid=True), ref("sourceImage", "images"), ref("sourceSnapshot", "snapshots"))
    immutable = ("name", "zone", "type", "sourceImage")
    has_labels = True
    early_status, ready_status = "CREATING", "READY"

    def prepare(self, call, item):
        body = item.body
        image = getattr(call, "query", {}).get("sourceImage")
        if image:
            body["sourceImage"] = parse(image, call.project.name, "sourceImage").link
            self.resolve(call.project, body)
        complete(call.project.name, item.key.location, body)

    def targets(self, item):
        # Images may go while their disks stay.
        return ()

    def check_delete(self, call, item):
        for user in item.body.get("users", []):
            raise in_use(self.label, item.key.path, strip(user))

    def do_resize(self, call):
        item = self.item(call)
        self.check_free(item)
        need(call.body, "sizeGb")
        if int(call.body["sizeGb"]) < int(item.body["sizeGb"]):
            raise bad_value("sizeGb", call.body["sizeGb"], "Disks can only grow.")
        return self.start_change(call, "resizeDisk", item, lambda: item.body.update(sizeGb=call.body["sizeGb"]))

    def do_update(self, call):
        """Disks are updated by PATCH and name what changes in `paths` or `updateMask`."""
        return self.do_patch(call)

    def check_change(self, call, item, body):
        if int(body["sizeGb"]) < int(item.body["sizeGb"]):
            raise bad_value("resource.sizeGb", body["sizeGb"], "Disks can only grow.")


def complete(project, location, body):
    """What Google adds to a new disk."""
    if not body.get("type"):
        body["type"] = Key(project, location, "diskTypes", "pd-standard").link
    if parse(body["type"], project, "resource.type").location != location:
        raise bad_value("resource.type", body["type"], "It must be a disk type of the disk's zone.")
    smallest = 10
    if body.get("sourceImage"):
        key = parse(body["sourceImage"], project, "resource.sourceImage")
        image = catalogue.image(key)
        # A family stands for its newest image.
        body["sourceImage"] = image["selfLink"]
        body["sourceImageId"] = image["id"]
        body["architecture"] = image["architecture"]
        body["guestOsFeatures"] = image["guestOsFeatures"]
        smallest = int(image["diskSizeGb"])
    size = int(body.setdefault("sizeGb", str(smallest if body.get("sourceImage") else 500)))
    if body.get("sourceImage") and size < smallest:
        raise bad_value(
            "resource.sizeGb", size, f"Requested disk size cannot be smaller than the image size ({smallest} GB)"
        )
    if not 1 <= size <= 65536:
        raise bad_value("resource.sizeGb", size, "Disk size must be between 1 GB and 65536 GB.")
    if body["type"].endswith("/pd-extreme") or "/hyperdisk" in body["type"]:
        body.setdefault("provisionedIops", str(max(3000, math.ceil(size / 10) * 10)))
    elif body.get("provisionedIops"):
        raise invalid("Invalid value for field 'resource.provisionedIops': not for this disk type.")
    key = body.get("diskEncryptionKey", {})
    if key.get("kmsKeyName") and "/cryptoKeyVersions/" not in key["kmsKeyName"]:
        # Reads give the version that the disk is encrypted with.
        key["kmsKeyName"] += "/cryptoKeyVersions/1"
    body["physicalBlockSizeBytes"] = body.get("physicalBlockSizeBytes", "4096")
    body["enableConfidentialCompute"] = body.get("enableConfidentialCompute", False)


def attach(project, disk, instance_link):
    disk.body.setdefault("users", []).append(instance_link)
    disk.body["lastAttachTimestamp"] = now()


def detach(disk, instance_link):
    users = [user for user in disk.body.get("users", []) if user != instance_link]
    if users:
        disk.body["users"] = users
    else:
        disk.body.pop("users", None)
    disk.body["lastDetachTimestamp"] = now()

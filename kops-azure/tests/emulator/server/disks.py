"""Disks, images of one's own, SSH keys."""

import base64
import struct

import catalogue
from errors import ArmError, bad_request, conflict
from kinds import Kind, kind, now_text

COMPUTE = "Microsoft.Compute"
DISK = f"{COMPUTE}/disks"
IMAGE = f"{COMPUTE}/images"
KEY = f"{COMPUTE}/sshPublicKeys"
# What a disk of a tier of the Premium kind gives: smallest size, IOPS, MB/s.
TIERS = [("P4", 32, 120, 25), ("P6", 64, 240, 50), ("P10", 128, 500, 100), ("P15", 256, 1100, 125), ("P20", 512, 2300, 150), ("P30", 1024, 5000, 200), ("P40", 2048, 7500, 250), ("P50", 4096, 7500, 250)]  # fmt: skip


@kind
class Disk(Kind):
    type = DISK
    put_answers = (202, 202)
    put_location = True
    patch_long = True
    name_pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$"

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        data = properties.get("creationData")
        if not data:
            raise bad_request("InvalidParameter", "Required parameter 'disk.creationData' is missing (null).", "disk.creationData")
        option = data["createOption"]
        if option == "Empty" and not properties.get("diskSizeGB"):
            raise bad_request("InvalidParameter", "Required parameter 'disk.diskSizeGB' is missing (null).", "disk.diskSizeGB")
        if not 1 <= properties.get("diskSizeGB", 1) <= 65_536:
            raise bad_request("InvalidParameter", "Value of parameter 'disk.diskSizeGB' is out of range.", "disk.diskSizeGB")
        if option == "Copy" and ctx.sub.find(data.get("sourceResourceId", "")) is None:
            raise ArmError(404, "ResourceNotFound", f"The source '{data.get('sourceResourceId')}' was not found.")
        catalogue.check_zones(body.get("zones"), body["location"], resource.name)
        if len(body.get("zones", [])) > 1:
            raise bad_request("InvalidParameter", "A disk has one zone at most.", "zones")
        body.setdefault("sku", {}).setdefault("name", "Standard_LRS")
        body["sku"]["tier"] = body["sku"]["name"].split("_")[0].removesuffix("SSD").removesuffix("V2") or "Standard"
        properties.setdefault("diskSizeGB", 30)
        properties.setdefault("encryption", {"type": "EncryptionAtRestWithPlatformKey"})
        properties.setdefault("networkAccessPolicy", "AllowAll")
        properties.setdefault("publicNetworkAccess", "Enabled")
        self.speed(body, properties, old)
        if old:
            self.keep(resource, body, old)
        else:
            properties.update({"timeCreated": now_text(), "diskState": "Unattached", "uniqueId": ctx.sub.new_guid(resource.id)})
        properties["diskSizeBytes"] = int(properties["diskSizeGB"]) * 1 << 30

    def speed(self, body, properties, old):
        name = body["sku"]["name"]
        free = name in ("UltraSSD_LRS", "PremiumV2_LRS")
        before = (old or {}).get("properties", {})
        if not free:
            # Set by size and kind; what a client sends is refused unless it is what it got.
            for member in ("diskIOPSReadWrite", "diskMBpsReadWrite"):
                if member in properties and before.get(member) != properties[member]:
                    raise bad_request(
                        "InvalidParameter", f"Parameter 'disk.{member}' is not allowed for a disk of the kind '{name}'.", f"disk.{member}"
                    )
            tier = next((it for it in TIERS if properties["diskSizeGB"] <= it[1]), TIERS[-1])
            premium = name.startswith("Premium")
            properties["diskIOPSReadWrite"] = tier[2] if premium else 500
            properties["diskMBpsReadWrite"] = tier[3] if premium else 60
            if premium:
                properties.setdefault("tier", tier[0])
        else:
            properties.setdefault("diskIOPSReadWrite", 3000)
            properties.setdefault("diskMBpsReadWrite", 125)

    def keep(self, resource, body, old):
        before, now = old["properties"], body["properties"]
        for member in ("timeCreated", "diskState", "uniqueId"):
            now[member] = before[member]
        for member in ("managedBy", "managedByExtended"):
            if member in old:
                body[member] = old[member]
        if now["diskSizeGB"] < before["diskSizeGB"]:
            raise bad_request("InvalidParameter", "Disk size reduction is not supported. Current size is larger.", "disk.diskSizeGB")
        for path, one, other in (
            ("disk.creationData", before["creationData"], now["creationData"]),
            ("zones", old.get("zones", []), body.get("zones", [])),
        ):
            if one != other:
                raise conflict("PropertyChangeNotAllowed", f"Changing property '{path}' is not allowed.", path)

    def check_delete(self, ctx, resource):
        if owner := resource.body.get("managedBy"):
            raise conflict("OperationNotAllowed", f"Disk {resource.name} is attached to VM {owner}.")

    def free(self, ctx, resource):
        if resource.pending and ctx.sub.settings.exclusive:
            raise conflict(
                "ConflictingConcurrentWriteNotAllowed",
                f"There is a concurrent write operation on the disk '{resource.name}'. Retry when it has ended.",
            )
        super().free(ctx, resource)


def check_attach(ctx, disk, machine, zones):
    """Refuses to attach what is no disk, another's, elsewhere or under change."""
    if disk.type != DISK:
        raise ArmError(404, "ResourceNotFound", f"'{disk.id}' is not a disk.")
    owner = disk.body.get("managedBy")
    if owner and owner.lower() != machine.key:
        raise conflict(
            "ConflictingUserInput",
            f"Disk '{disk.id}' cannot be attached as the disk is already owned by VM '{owner}'.",
        )
    if disk.state not in ("Succeeded",) and ctx.sub.settings.exclusive:
        raise conflict("OperationNotAllowed", f"The disk '{disk.id}' is in the state '{disk.state}'.")
    own = disk.body.get("zones", [])
    if own and own != (zones or []):
        raise bad_request(
            "BadRequest", f"The disk '{disk.name}' of zone {own[0]} cannot be attached to '{machine.name}' of another zone."
        )


def attach(disk, machine):
    disk.body["managedBy"] = machine.id
    disk.properties["diskState"] = "Attached"


def detach(disk):
    disk.body.pop("managedBy", None)
    disk.properties["diskState"] = "Unattached"


@kind
class Image(Kind):
    type = IMAGE
    creating = "Creating"
    put_location = True
    patch_long = True

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        if not properties.get("storageProfile") and not properties.get("sourceVirtualMachine"):
            raise bad_request("InvalidParameter", "An image has a storageProfile or a sourceVirtualMachine.", "storageProfile")
        properties.setdefault("hyperVGeneration", "V1")


@kind
class SshKey(Kind):
    type = KEY
    put_long = delete_long = False
    has_state = False

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        if key := properties.get("publicKey"):
            check_key(key, "properties.publicKey")
        elif old and "publicKey" in old["properties"]:
            properties["publicKey"] = old["properties"]["publicKey"]


def check_key(text, path):
    """`ssh-rsa` of 2048 bits or more, or `ssh-ed25519`, in OpenSSH's format."""
    words = text.split()
    try:
        data = base64.b64decode(words[1], validate=True)
        (length,) = struct.unpack(">I", data[:4])
        kind = data[4 : 4 + length].decode()
        if kind != words[0]:
            raise ValueError
        if kind == "ssh-rsa":
            start = 4 + length
            (exponent,) = struct.unpack(">I", data[start : start + 4])
            start += 4 + exponent
            (modulus,) = struct.unpack(">I", data[start : start + 4])
            if (modulus - 1) * 8 < 2048:
                raise ValueError
        elif kind != "ssh-ed25519":
            raise ValueError
    except (IndexError, ValueError, struct.error):
        raise bad_request(
            "InvalidParameter",
            f"The value of parameter {path} is invalid: Azure takes SSH2 RSA public keys of 2048 bits or more, and ed25519, in OpenSSH format.",
            path,
        ) from None

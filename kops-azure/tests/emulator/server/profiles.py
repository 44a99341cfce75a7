"""The profiles of machines and of scale sets: system, storage, network. Checked alike for both."""

import base64
import binascii
import re

import catalogue
import disks
from balancers import POOL
from errors import ArmError, bad_request
from network import ASG, NSG, SUBNET

MOST_CUSTOM_DATA = 65_535
# What Azure takes and never gives back.
SECRETS = ("customData", "adminPassword", "secrets")
USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,63}")
FORBIDDEN_USERS = {"admin", "administrator", "root", "guest", "user", "test", "console", "sys"}


def invalid(path, text):
    return bad_request("InvalidParameter", text, path)


def check_base64(text, path, most):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(path, f"Custom data in '{path}' must be in Base64 encoding.") from None
    if len(data) > most:
        raise invalid(path, f"Custom data in '{path}' is too long: {len(data)} bytes, {most} at most.")


def check_system(profile, path="osProfile"):
    """User, keys, custom data."""
    name = profile.get("adminUsername")
    if not name:
        raise invalid(f"{path}.adminUsername", f"Required parameter '{path}.adminUsername' is missing (null).")
    if not USER_NAME.fullmatch(name) or name in FORBIDDEN_USERS:
        raise invalid(f"{path}.adminUsername", f"The Admin Username specified is not allowed: '{name}'.")
    linux = profile.setdefault("linuxConfiguration", {})
    keys = linux.get("ssh", {}).get("publicKeys", [])
    if not profile.get("adminPassword"):
        if not keys:
            raise invalid("linuxConfiguration.ssh.publicKeys", "Authentication using either SSH or by user name and password must be enabled.")
        if not linux.get("disablePasswordAuthentication"):
            raise invalid(f"{path}.adminPassword", "Required parameter 'adminPassword' is missing (null): set disablePasswordAuthentication.")
    for key in keys:
        wanted = f"/home/{name}/.ssh/authorized_keys"
        if key.get("path") != wanted:
            raise invalid(
                "linuxConfiguration.ssh.publicKeys.path",
                f"Destination path for SSH public keys is currently limited to its default value {wanted}.",
            )
        disks.check_key(key.get("keyData", ""), "linuxConfiguration.ssh.publicKeys.keyData")
    linux.setdefault("provisionVMAgent", True)
    linux.setdefault("patchSettings", {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"})
    profile.setdefault("allowExtensionOperations", True)
    if data := profile.get("customData"):
        check_base64(data, f"{path}.customData", MOST_CUSTOM_DATA)


def check_storage(ctx, body, profile, size, by):
    """Image and disks."""
    reference = profile.get("imageReference")
    system = profile.setdefault("osDisk", {})
    system.setdefault("createOption", "FromImage")
    if reference is None and system["createOption"] == "FromImage":
        raise invalid("imageReference", "Required parameter 'imageReference' is missing (null).")
    if reference:
        if reference.get("id"):
            check_own_image(ctx, reference, by)
        elif not reference.get("sharedGalleryImageId") and not reference.get("communityGalleryImageId"):
            data, exact = catalogue.platform_image(reference)
            reference["exactVersion"] = exact
            if data["architecture"] != catalogue.SIZE[size]["architecture"]:
                raise bad_request(
                    "BadRequest",
                    f"Cannot create a VM of size '{size}' because this VM size only supports a CPU Architecture of "
                    f"'{catalogue.SIZE[size]['architecture']}', but an image or disk with CPU Architecture '{data['architecture']}' was given.",
                )
    system.setdefault("osType", "Linux")
    if system["createOption"] == "FromImage":
        system.setdefault("diskSizeGB", 30)
    if system["diskSizeGB"] < 30 if "diskSizeGB" in system else False:
        raise invalid("osDisk.diskSizeGB", "The specified disk size is smaller than the size of the image: 30.")
    system.setdefault("caching", "ReadWrite")
    system.setdefault("managedDisk", {}).setdefault("storageAccountType", "Standard_LRS")
    luns = set()
    for index, disk in enumerate(profile.setdefault("dataDisks", [])):
        if disk.get("lun") in luns or disk.get("lun") is None:
            raise invalid(f"dataDisks[{index}].lun", f"A disk at LUN {disk.get('lun')} already exists or has none.")
        luns.add(disk["lun"])
        disk.setdefault("caching", "None")
    most = max(2, catalogue.SIZE[size]["cpus"] * catalogue.SIZE[size]["disks"] // 2)
    if len(luns) > most:
        raise bad_request("OperationNotAllowed", f"The maximum number of data disks allowed to be attached to a VM of this size is {most}.")


def check_own_image(ctx, reference, by):
    if "/galleries/" in reference["id"].lower():
        return
    found = ctx.sub.find(reference["id"])
    if found is None:
        raise ArmError(404, "NotFound", f"The Image '{reference['id']}' cannot be found in the region of '{by}'.", "imageReference")
    reference["id"] = found.id


def check_configurations(ctx, body, profile, by, flexible):
    """The network of a scale set: configurations of interfaces that instances will get."""
    configurations = profile.get("networkInterfaceConfigurations")
    if not configurations:
        raise invalid("networkInterfaceConfigurations", "Required parameter 'networkInterfaceConfigurations' is missing (null).")
    if flexible and not profile.get("networkApiVersion"):
        raise invalid(
            "networkProfile.networkApiVersion",
            "Required parameter 'networkProfile.networkApiVersion' is missing: scale sets of the Flexible orchestration need it.",
        )
    for configuration in configurations:
        inner = configuration.setdefault("properties", {})
        if len(configurations) == 1:
            inner.setdefault("primary", True)
        inner.setdefault("enableAcceleratedNetworking", False)
        inner.setdefault("enableIPForwarding", False)
        inner.setdefault("dnsSettings", {}).setdefault("dnsServers", [])
        inner.setdefault("disableTcpStateTracking", False)
        if reference := inner.get("networkSecurityGroup"):
            ctx.same_region(body["location"], ctx.resolve(reference, NSG, by), by)
        addresses = inner.get("ipConfigurations")
        if not addresses:
            raise invalid("ipConfigurations", f"The interface configuration '{configuration.get('name')}' has no ipConfigurations.")
        for address in addresses:
            deep = address.setdefault("properties", {})
            if len(addresses) == 1:
                deep.setdefault("primary", True)
            deep.setdefault("privateIPAddressVersion", "IPv4")
            if not deep.get("subnet"):
                raise invalid("subnet", f"The IP configuration '{address.get('name')}' has no subnet.")
            ctx.resolve(deep["subnet"], SUBNET, by)
            for pool in deep.get("loadBalancerBackendAddressPools", []):
                ctx.resolve(pool, POOL, by)
            for group in deep.get("applicationSecurityGroups", []):
                ctx.same_region(body["location"], ctx.resolve(group, ASG, by), by)
    if sum(bool(it["properties"].get("primary")) for it in configurations) != 1:
        raise invalid("networkInterfaceConfigurations.primary", "Exactly one interface configuration must be primary.")
    networks = {
        deep["properties"]["subnet"]["id"].lower().split("/subnets/")[0]
        for it in configurations
        for deep in it["properties"]["ipConfigurations"]
    }
    if len(networks) > 1:
        raise invalid("networkInterfaceConfigurations", "All interfaces must be in one virtual network.")


def without_secrets(body, expand=()):
    """A document as it is shown."""
    for holder in (body.get("properties", {}), body.get("properties", {}).get("virtualMachineProfile", {})):
        system = holder.get("osProfile")
        if isinstance(system, dict):
            for member in SECRETS[:2]:
                system.pop(member, None)
            system.setdefault("secrets", [])
        if "userdata" not in expand:
            holder.pop("userData", None)


def keep_secrets(new, old):
    """What was not sent again stays as it was: nobody can send back what is never shown."""
    for member in SECRETS[:2]:
        if member not in new and member in old:
            new[member] = old[member]

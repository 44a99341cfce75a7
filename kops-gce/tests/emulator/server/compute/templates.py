"""Instance templates, global and regional. They never change."""

import copy

from compute import catalogue
from compute.kind import Kind, ref
from errors import bad_value, invalid, required
from state import fingerprint
from urls import Key, parse

NETWORK_REFS = (
    ref("networkInterfaces[].network", "networks", invalid=True, settled=False, abroad=True),
    ref("networkInterfaces[].subnetwork", "subnetworks", invalid=True, settled=False, abroad=True),
)


class InstanceTemplates(Kind):
    collection, label, kind = "instanceTemplates", "instance_template", "compute#instanceTemplate"
    late_use = True
    refs = (
        ref("properties.networkInterfaces[].network", "networks", invalid=True, settled=False, holds=False, abroad=True),
        ref(
            "properties.networkInterfaces[].subnetwork",
            "subnetworks", invalid=True, settled=False, holds=False, abroad=True,
        ),
        ref("properties.disks[].initializeParams.sourceImage", "images", abroad=True),
    )

    def prepare(self, call, item):
        body = item.body
        properties = body.get("properties")
        if not properties:
            raise required("resource.properties")
        machine = properties.get("machineType")
        if not machine:
            raise required("resource.properties.machineType")
        if "/" in machine:
            raise bad_value("resource.properties.machineType", machine, "Machine type must be a name, not a URL.")
        if machine not in catalogue.MACHINES and not machine.startswith(
            ("custom-", "n2-custom-", "e2-custom-", "n2d-custom-")
        ):
            raise bad_value("resource.properties.machineType", machine, "The referenced machine type does not exist.")
        self.complete_disks(call.project, properties)
        complete_interfaces(call.project, properties, "resource.properties")
        complete_common(properties)
        properties.setdefault("canIpForward", False)

    def complete_disks(self, project, properties):
        disks = properties.get("disks")
        if not disks:
            raise invalid("Invalid value for field 'resource.properties.disks': at least one disk is needed.")
        check_boot(disks, "resource.properties.disks")
        for index, disk in enumerate(disks):
            complete_attached(disk, index)
            where = f"resource.properties.disks[{index}]"
            if disk.get("type") == "SCRATCH":
                continue
            parameters = disk.get("initializeParams")
            if bool(parameters) == bool(disk.get("source")):
                raise invalid(
                    f"Invalid value for field '{where}': exactly one of source and initializeParams must be given."
                )
            if not parameters:
                continue
            kind = parameters.setdefault("diskType", "pd-standard")
            if "/" in kind:
                raise bad_value(f"{where}.initializeParams.diskType", kind, "Disk type must be a name, not a URL.")
            if kind not in catalogue.DISK_TYPES:
                raise bad_value(f"{where}.initializeParams.diskType", kind, "The referenced disk type does not exist.")
            if disk["boot"] and not parameters.get("sourceImage"):
                raise bad_value(f"{where}.initializeParams.sourceImage", "", "A boot disk needs an image.")
            image = parameters.get("sourceImage") and catalogue.image(
                parse(parameters["sourceImage"], project.name, where)
            )
            if image and int(parameters.get("diskSizeGb", image["diskSizeGb"])) < int(image["diskSizeGb"]):
                raise bad_value(
                    f"{where}.initializeParams.diskSizeGb", parameters["diskSizeGb"], "It is smaller than the image."
                )


def check_boot(disks, field):
    if not disks[0].get("boot") or any(disk.get("boot") for disk in disks[1:]):
        raise invalid(f"Invalid value for field '{field}': Boot disk must be specified, as the first one.")
    names = [disk["deviceName"] for disk in disks if disk.get("deviceName")]
    if len(names) != len(set(names)):
        raise invalid(f"Invalid value for field '{field}': Duplicate device name.")


def complete_attached(disk, index):
    disk["kind"] = "compute#attachedDisk"
    disk["index"] = index
    disk.setdefault("type", "PERSISTENT")
    disk.setdefault("mode", "READ_WRITE")
    disk.setdefault("boot", False)
    disk.setdefault("autoDelete", False)


def complete_interfaces(project, body, where):
    """Networks of subnetworks and the other way round, and what Google adds."""
    interfaces = body.get("networkInterfaces")
    if not interfaces:
        raise invalid(f"Invalid value for field '{where}.networkInterfaces': at least one network interface is needed.")
    for index, interface in enumerate(interfaces):
        place = f"{where}.networkInterfaces[{index}]"
        interface["kind"] = "compute#networkInterface"
        interface["name"] = f"nic{index}"
        interface["stackType"] = interface.get("stackType", "IPV4_ONLY")
        if interface.get("subnetwork"):
            subnetwork = project.world.item(parse(interface["subnetwork"], project.name, place))
            if interface.setdefault("network", subnetwork.body["network"]) != subnetwork.body["network"]:
                raise bad_value(
                    f"{place}.subnetwork", interface["subnetwork"], "It is not a subnetwork of the network."
                )
            secondary = {it["rangeName"] for it in subnetwork.body.get("secondaryIpRanges", [])}
            for alias in interface.get("aliasIpRanges", []):
                if alias.get("subnetworkRangeName", next(iter(secondary), None)) not in secondary:
                    raise bad_value(f"{place}.aliasIpRanges", alias, "The subnetwork has no such secondary range.")
                if not alias.get("ipCidrRange"):
                    raise required(f"{place}.aliasIpRanges[].ipCidrRange")
        elif interface.get("network"):
            network = project.world.item(parse(interface["network"], project.name, place))
            if not network.body.get("autoCreateSubnetworks"):
                raise bad_value(
                    f"{place}.subnetwork", "", "Subnetwork should be specified for custom subnetmode network"
                )
        else:
            interface["network"] = Key(project.name, "global", "networks", "default").link
            if project.find(Key(project.name, "global", "networks", "default")) is None:
                raise bad_value(
                    f"{place}.network", interface["network"], "The referenced network resource cannot be found."
                )
        for access in interface.get("accessConfigs", []):
            access["kind"] = "compute#accessConfig"
            access.setdefault("type", "ONE_TO_ONE_NAT")
            access.setdefault("name", "External NAT")
            access["networkTier"] = access.get("networkTier", "PREMIUM")


def complete_common(body):
    """What templates and instances have alike."""
    from compute.networking import check_tag

    metadata = body.setdefault("metadata", {})
    check_metadata(metadata)
    metadata["kind"] = "compute#metadata"
    metadata["fingerprint"] = fingerprint(metadata.get("items"))
    for tag in body.get("tags", {}).get("items", []):
        check_tag(tag)
    scheduling = body.setdefault("scheduling", {})
    spot = scheduling.get("provisioningModel") == "SPOT" or scheduling.get("preemptible", False)
    scheduling.setdefault("preemptible", spot)
    scheduling["provisioningModel"] = scheduling.get("provisioningModel", "STANDARD")
    scheduling.setdefault("automaticRestart", not spot)
    scheduling.setdefault("onHostMaintenance", "TERMINATE" if spot else "MIGRATE")
    if spot and scheduling["automaticRestart"]:
        raise invalid(
            "Invalid value for field 'scheduling.automaticRestart': it must be false for preemptible instances."
        )
    if spot and scheduling["onHostMaintenance"] == "MIGRATE":
        raise invalid(
            "Invalid value for field 'scheduling.onHostMaintenance': it must be TERMINATE for preemptible instances."
        )
    if len(body.get("serviceAccounts", [])) > 1:
        raise invalid("Invalid value for field 'serviceAccounts': at most one service account is supported.")


def check_metadata(metadata):
    """Limits that user data runs into."""
    names, total = set(), 0
    for index, entry in enumerate(metadata.get("items", [])):
        key, value = entry.get("key"), entry.get("value")
        if not key:
            raise required(f"resource.metadata.items[{index}].key")
        if key in names:
            raise bad_value("resource.metadata.items", key, "Metadata has duplicate key.")
        names.add(key)
        size = len((value or "").encode())
        if size > 256 * 1024:
            raise bad_value(
                f"resource.metadata.items[{index}].value",
                f"{size} bytes",
                "Value is too large: maximum size 262144 bytes.",
            )
        total += size + len(key)
    if total > 512 * 1024:
        raise bad_value("resource.metadata", f"{total} bytes", "Metadata is too large: maximum size 524288 bytes.")


def instance_body(template, name, zone, project):
    """A member's body: what the template says, with names made URLs of the zone."""
    body = copy.deepcopy(template.body["properties"])
    body["name"] = name
    body["machineType"] = Key(project.name, zone, "machineTypes", body["machineType"]).link
    for disk in body["disks"]:
        parameters = disk.get("initializeParams")
        if parameters and parameters.get("diskType"):
            parameters["diskType"] = Key(project.name, zone, "diskTypes", parameters["diskType"]).link
    return body

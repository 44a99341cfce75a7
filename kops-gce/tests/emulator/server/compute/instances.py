"""Instances, with the disks that come and go with them."""

import copy
import time

import iam
import operations
from compute import addressing, disks
from compute.catalogue import ACCELERATED, machine_is_in
from compute.kind import Kind, merge, ref
from compute.templates import (
    NETWORK_REFS,
    check_boot,
    check_metadata,
    complete_attached,
    complete_common,
    complete_interfaces,
)  # fmt: skip
from errors import ApiError, bad_value, condition_not_met, invalid, not_found, not_ready
from state import fingerprint, now
from urls import parse


def can_move(body, machine):
    """Whether an instance can move to another host: not with accelerators, its own or its type's, nor bare metal."""
    return not (body.get("guestAccelerators") or machine in ACCELERATED or machine.endswith("-metal"))


class Instances(Kind):
    collection, label, kind = "instances", "instance", "compute#instance"
    refs = (
        *NETWORK_REFS,
        ref("machineType", "machineTypes", invalid=True),
        ref("disks[].source", "disks", "regionDisks"),
    )
    immutable = ("name", "zone")
    has_labels = True
    has_fingerprint = True
    early_status, ready_status = "PROVISIONING", "RUNNING"
    # The API's own update restarts instances as needed, which is not modelled.
    do_update = None

    # ------------------------------------------------------------ making

    def prepare(self, call, item):
        body, project = item.body, call.project
        where = "resource"
        if not body.get("machineType"):
            raise bad_value(f"{where}.machineType", "", "It must be given.")
        machine = parse(body["machineType"], project.name, f"{where}.machineType")
        if machine.location != item.key.location or not machine_is_in(machine.name, machine.place):
            raise bad_value(
                f"{where}.machineType", body["machineType"], "It must be a machine type of the instance's zone."
            )
        if not body.get("disks"):
            raise invalid("Invalid value for field 'resource.disks': No disks are specified.")
        check_boot(body["disks"], f"{where}.disks")
        complete_interfaces(project, body, where)
        complete_common(body)
        # A template is taken with it; its instances are not.
        if body["scheduling"]["onHostMaintenance"] == "MIGRATE" and not can_move(body, machine.name):
            raise ApiError(400, "Instances with guest accelerators do not support live migration.", "badRequest")
        tags = body.setdefault("tags", {})
        tags["fingerprint"] = fingerprint(tags.get("items"))
        for field, value in (("canIpForward", False), ("deletionProtection", False), ("startRestricted", False)):
            body.setdefault(field, value)
        body["cpuPlatform"] = "Unknown CPU Platform"
        # Addresses of an instance that comes to nothing are free again, as they are found by looking at instances.
        for index, interface in enumerate(body["networkInterfaces"]):
            self.give_address(project, item, interface, f"{where}.networkInterfaces[{index}]")
        self.make_disks(call, item)

    def give_address(self, project, item, interface, where):
        if interface.get("subnetwork"):
            subnetwork = addressing.subnetwork_of(project, interface["subnetwork"], f"{where}.subnetwork")
            if not (item.key.place or "").startswith(subnetwork.key.place):
                raise bad_value(
                    f"{where}.subnetwork", interface["subnetwork"], "It must be in the region of the instance."
                )
            wanted = interface.get("networkIP")
            if wanted and "/" in wanted:
                wanted = parse(wanted, project.name, f"{where}.networkIP").link
            held = wanted and addressing.reserved(project, subnetwork.key.location, wanted, internal=True)
            if held:
                if held.body.get("users"):
                    raise bad_value(f"{where}.networkIP", wanted, "Specified IP address is already in use.")
                interface["networkIP"] = held.body["address"]
            else:
                interface["networkIP"] = addressing.take_internal(project, subnetwork, wanted, f"{where}.networkIP")
        else:
            interface.setdefault("networkIP", f"10.128.0.{next(project.external) % 250 + 2}")
        for access in interface.get("accessConfigs", []):
            if access.get("natIP"):
                held = addressing.reserved(project, None, access["natIP"], internal=False)
                if held is None:
                    raise bad_value(f"{where}.accessConfigs.natIP", access["natIP"], "The address is not reserved.")
            else:
                access["natIP"] = addressing.new_external(project)
        interface["fingerprint"] = fingerprint(interface)

    def make_disks(self, call, item):
        """New disks for `initializeParams`, and those that exist taken."""
        project, body = call.project, item.body
        kind, made = disks.Disks(), []
        try:
            for index, disk in enumerate(body["disks"]):
                complete_attached(disk, index)
                parameters = disk.pop("initializeParams", None)
                if disk["type"] == "SCRATCH":
                    continue
                if parameters is not None:
                    name = parameters.get("diskName") or (body["name"] if index == 0 else f"{body['name']}-{index}")
                    wanted = {
                        "name": name,
                        "type": parameters.get("diskType"),
                        "sourceImage": parameters.get("sourceImage"),
                        "sizeGb": parameters.get("diskSizeGb"),
                        "labels": parameters.get("labels"),
                        "description": parameters.get("description"),
                        "provisionedIops": parameters.get("provisionedIops"),
                        "provisionedThroughput": parameters.get("provisionedThroughput"),
                        "diskEncryptionKey": copy.deepcopy(disk.get("diskEncryptionKey")),
                    }
                    wanted = {key: value for key, value in wanted.items() if value}
                    made.append(kind.reserve(Inner(project, item.key.location), wanted))
                    disk["source"] = made[-1].key.link
                elif not disk.get("source"):
                    raise invalid(
                        f"Invalid value for field 'resource.disks[{index}]': a source or initializeParams is needed."
                    )
                source = project.items[parse(disk["source"], project.name, f"resource.disks[{index}].source")]
                if source.key.location != item.key.location:
                    raise bad_value(
                        f"resource.disks[{index}].source", disk["source"], "It must be in the instance's zone."
                    )
                if source.body.get("users"):
                    raise ApiError(
                        400,
                        f"The disk resource '{source.key.path}' is already being used by '{source.body['users'][0]}'",
                        "resourceInUseByAnotherResource",
                    )
                disk.setdefault("deviceName", f"persistent-disk-{index}")
                disk["diskSizeGb"] = source.body["sizeGb"]
                for field in ("architecture", "guestOsFeatures", "diskEncryptionKey"):
                    if field in source.body:
                        disk[field] = copy.deepcopy(source.body[field])
        except ApiError:
            for disk in made:
                del project.items[disk.key]
            raise
        item.notes["made"] = [disk.key for disk in made]
        for disk in body["disks"]:
            if disk.get("source"):
                disks.attach(project, project.items[parse(disk["source"], project.name, "")], item.key.link)

    def do_insert(self, call):
        body = copy.deepcopy(call.body)
        template = call.query.get("sourceInstanceTemplate")
        if template:
            from compute.templates import instance_body

            key = parse(template, call.project.name, "sourceInstanceTemplate")
            source = call.project.find(key)
            if source is None:
                raise not_found(key.path)
            body = merge(instance_body(source, body.get("name"), call.location, call.project), body)
        item = self.reserve(call, body)

        def apply():
            # Not the call but its operation fails.
            check_accounts(call.project, body)
            self.finish(call.project, item)

        return operations.start(call, "insert", item, apply, undo=lambda: self.remove(call.project, item))

    def finish(self, project, item):
        boot = project.settings.boot_seconds
        super().finish(project, item)
        item.body["cpuPlatform"] = "Intel Broadwell"
        item.body["lastStartTimestamp"] = now()
        for key in item.notes.get("made", []):
            if key in project.items:
                disks.Disks().finish(project, project.items[key])
        if boot > 0:
            item.body["status"] = "STAGING"
            item.notes["boots"] = time.monotonic() + boot
            project.at(boot, lambda: self.set_status(project, item, "RUNNING"))
        addressing.sync_users(project)

    def set_status(self, project, item, status):
        if project.items.get(item.key) is item and not item.deleting:
            item.body["status"] = status

    # ------------------------------------------------------------ deleting

    def check_delete(self, call, item):
        if item.body.get("deletionProtection"):
            message = (
                "Invalid resource usage: 'Resource cannot be deleted if it is protected against deletion: "
                f"{item.key.path}'."
            )
            raise ApiError(400, message, "invalidResourceUsage")

    def start_delete(self, call, item, kind="delete"):
        before = item.body["status"]
        body = super().start_delete(call, item, kind)
        if call.project.items.get(item.key) is item:
            item.body["status"] = "STOPPING" if item.deleting else before
        return body

    def remove(self, project, item):
        """The instance and its disks go; a manager brings it back."""
        project.items.pop(item.key, None)
        for disk in item.body.get("disks", []):
            source = disk.get("source") and project.items.get(parse(disk["source"], project.name, ""))
            if not source:
                continue
            disks.detach(source, item.key.link)
            # What never came to be goes as well.
            if disk.get("autoDelete") or not source.ready:
                del project.items[source.key]
        link = item.key.link
        for group in project.of("instanceGroups"):
            group.notes.get("members", {}).pop(link, None)
        for pool in project.of("targetPools"):
            if link in pool.body.get("instances", []):
                pool.body["instances"] = [it for it in pool.body["instances"] if it != link]
        addressing.sync_users(project)
        manager = item.notes.get("manager")
        if manager is not None:
            manager.lost(item)

    # ------------------------------------------------------------ changing

    def _set(self, call, operation, apply, blocking=True):
        item = self.item(call)
        if blocking:
            self.check_free(item)
        elif not item.ready or item.deleting:
            raise not_ready(item.key.path)
        return self.start_change(call, operation, item, lambda: apply(item), blocking=blocking)

    def do_set_metadata(self, call):
        current = self.item(call).body["metadata"]["fingerprint"]
        if call.body.get("fingerprint") != current:
            raise condition_not_met()
        check_metadata(call.body)
        value = {"kind": "compute#metadata", **call.body, "fingerprint": fingerprint(call.body.get("items"))}
        return self._set(call, "setMetadata", lambda item: item.body.update(metadata=value), blocking=False)

    def do_set_tags(self, call):
        from compute.networking import check_tag

        current = self.item(call).body["tags"]["fingerprint"]
        if call.body.get("fingerprint") != current:
            raise condition_not_met()
        for tag in call.body.get("items", []):
            check_tag(tag)
        value = {**call.body, "fingerprint": fingerprint(call.body.get("items"))}
        return self._set(call, "setTags", lambda item: item.body.update(tags=value), blocking=False)

    def do_set_deletion_protection(self, call):
        value = call.query.get("deletionProtection", True)
        return self._set(call, "setDeletionProtection", lambda item: item.body.update(deletionProtection=value))

    def do_set_machine_type(self, call):
        item = self.item(call)
        if item.body["status"] != "TERMINATED":
            raise ApiError(400, "Machine type can be changed only when the instance is stopped.", "resourceNotReady")
        key = parse(call.body.get("machineType", ""), call.project.name, "resource.machineType")
        if not machine_is_in(key.name, item.key.place) or key.location != item.key.location:
            raise bad_value("resource.machineType", call.body.get("machineType"), "It does not exist in the zone.")
        return self._set(call, "setMachineType", lambda item: item.body.update(machineType=key.link))

    def do_set_service_account(self, call):
        value = [call.body] if call.body.get("email") else []
        return self._set(call, "setServiceAccount", lambda item: item.body.update(serviceAccounts=value))

    def _interface(self, item, call):
        name = call.query["networkInterface"]
        for interface in item.body["networkInterfaces"]:
            if interface["name"] == name:
                return interface
        raise bad_value("networkInterface", name, "The instance has no such network interface.")

    def do_add_access_config(self, call):
        item = self.item(call)
        interface, access = self._interface(item, call), copy.deepcopy(call.body)
        if interface.get("accessConfigs"):
            raise bad_value("accessConfigs", access.get("name"), "At most one access config currently supported.")
        access = {"kind": "compute#accessConfig", "name": "external-nat", "type": "ONE_TO_ONE_NAT", **access}
        if access.get("natIP"):
            held = addressing.reserved(call.project, None, access["natIP"], internal=False)
            if held is None or held.body.get("users"):
                raise bad_value("resource.natIP", access["natIP"], "The address is not reserved, or in use.")
        else:
            access["natIP"] = addressing.new_external(call.project)

        def apply(item):
            interface["accessConfigs"] = [access]
            addressing.sync_users(call.project)

        return self._set(call, "addAccessConfig", apply)

    def do_delete_access_config(self, call):
        item = self.item(call)
        interface, name = self._interface(item, call), call.query["accessConfig"]
        if not any(access.get("name") == name for access in interface.get("accessConfigs", [])):
            raise bad_value("accessConfig", name, "The network interface has no such access config.")

        def apply(item):
            interface["accessConfigs"] = []
            addressing.sync_users(call.project)

        return self._set(call, "deleteAccessConfig", apply)

    def do_set_scheduling(self, call):
        return self._set(call, "setScheduling", lambda item: item.body["scheduling"].update(call.body))

    def _power(self, call, operation, meanwhile, finally_):
        item = self.item(call)
        self.check_free(item)
        item.body["status"] = meanwhile
        return self.start_change(call, operation, item, lambda: item.body.update(status=finally_))

    def do_start(self, call):
        return self._power(call, "start", "STAGING", "RUNNING")

    def do_stop(self, call):
        return self._power(call, "stop", "STOPPING", "TERMINATED")

    def do_reset(self, call):
        return self._power(call, "reset", "RUNNING", "RUNNING")

    def do_suspend(self, call):
        return self._power(call, "suspend", "SUSPENDING", "SUSPENDED")

    def do_resume(self, call):
        return self._power(call, "resume", "STAGING", "RUNNING")

    def do_attach_disk(self, call):
        disk = copy.deepcopy(call.body)
        self.resolve(call.project, {"disks": [disk]})
        item = self.item(call)
        source = call.project.items[parse(disk.get("source", ""), call.project.name, "resource.source")]
        if source.key.location != item.key.location:
            raise bad_value("resource.source", disk["source"], "It must be in the instance's zone.")
        for user in source.body.get("users", []):
            raise ApiError(
                400,
                f"The disk resource '{source.key.path}' is already being used by '{user}'",
                "resourceInUseByAnotherResource",
            )

        def apply(item):
            complete_attached(disk, len(item.body["disks"]))
            disk["source"] = source.key.link
            disk.setdefault("deviceName", f"persistent-disk-{disk['index']}")
            disk["diskSizeGb"] = source.body["sizeGb"]
            item.body["disks"].append(disk)
            disks.attach(call.project, source, item.key.link)

        return self._set(call, "attachDisk", apply)

    def do_detach_disk(self, call):
        name = call.query["deviceName"]
        item = self.item(call)
        found = [disk for disk in item.body["disks"] if disk.get("deviceName") == name]
        if not found:
            raise bad_value("deviceName", name, "No attached disk found with device name.")

        def apply(item):
            item.body["disks"] = [disk for disk in item.body["disks"] if disk is not found[0]]
            source = call.project.items.get(parse(found[0]["source"], call.project.name, ""))
            if source:
                disks.detach(source, item.key.link)

        return self._set(call, "detachDisk", apply)

    def do_get_serial_port_output(self, call):
        item = self.item(call)
        text = item.notes.get("serial", "")
        begin = int(call.query.get("start") or 0)
        return {
            "kind": "compute#serialPortOutput",
            "contents": text[begin:],
            "start": str(begin),
            "next": str(len(text)),
            "selfLink": item.key.link + "/serialPort",
        }


def check_accounts(project, body):
    for account in body.get("serviceAccounts", []):
        if not iam.may_be_used(project, account.get("email", "default")):
            message = (
                f"The user does not have access to service account '{account['email']}'. User: 'user@example.com'. "
                "Ask a project owner to grant you the iam.serviceAccountUser role on the service account"
            )
            raise ApiError(400, message, "SERVICE_ACCOUNT_ACCESS_DENIED")


class Inner:
    """Stands in for a call where the emulator itself makes something."""

    def __init__(self, project, location):
        self.project = project
        self.location = location
        self.query = {}
        self.rule = None
        self.token = None

    def operation_seconds(self):
        return self.project.settings.operation_seconds

"""Instance groups: unmanaged ones, and those that belong to a manager."""

import paging
from compute.kind import Kind, ref
from errors import ApiError, bad_value, condition_not_met, invalid, not_found
from state import fingerprint
from urls import parse


class InstanceGroups(Kind):
    collection, label, kind = "instanceGroups", "instance_group", "compute#instanceGroup"
    refs = (ref("network", "networks", settled=False), ref("subnetwork", "subnetworks", settled=False))

    def prepare(self, call, item):
        item.notes["members"] = {}
        item.body["fingerprint"] = fingerprint(item.body.get("namedPorts"))

    def view(self, project, item):
        return {**item.body, "size": len(item.notes["members"])}

    def check_delete(self, call, item):
        if item.notes.get("manager"):
            message = f"The instance_group resource '{item.key.path}' is already being used by '{item.notes['manager'].key.path}'"
            raise ApiError(400, message, "resourceInUseByAnotherResource")

    def _members(self, call, operation, add):
        item = self.item(call)
        self.check_free(item)
        if item.notes.get("manager"):
            raise invalid("Membership of a managed instance group is its manager's affair.")
        links = []
        for index, entry in enumerate(call.body.get("instances", [])):
            key = parse(entry.get("instance", ""), call.project.name, f"resource.instances[{index}].instance")
            instance = call.project.find(key)
            if instance is None:
                raise not_found(key.path)
            if key.location != item.key.location:
                raise bad_value("resource.instances", key.path, "It must be in the group's zone.")
            if add == (key.link in item.notes["members"]):
                reason = "memberAlreadyExists" if add else "memberNotFound"
                raise ApiError(400, f"Instance '{key.path}' is {'already' if add else 'not'} a member.", reason)
            network = instance.body["networkInterfaces"][0].get("network")
            if add and item.body.setdefault("network", network) != network:
                raise bad_value("resource.instances", key.path, "It is in another network than the group.")
            links.append((key.link, instance.body["networkInterfaces"][0].get("subnetwork")))

        def apply():
            for link, subnetwork in links:
                if add:
                    item.notes["members"][link] = True
                    if subnetwork:
                        item.body["subnetwork"] = subnetwork
                else:
                    item.notes["members"].pop(link, None)

        return self.start_change(call, operation, item, apply)

    def do_add_instances(self, call):
        return self._members(call, "addInstances", True)

    def do_remove_instances(self, call):
        return self._members(call, "removeInstances", False)

    def do_list_instances(self, call):
        item = self.item(call)
        members = []
        for link in sorted(item.notes["members"]):
            instance = call.project.find(parse(link, call.project.name, ""))
            if instance is None:
                continue
            status = instance.body["status"]
            if call.body.get("instanceState") != "RUNNING" or status == "RUNNING":
                members.append({"instance": link, "status": status, "namedPorts": item.body.get("namedPorts", [])})
        return paging.page(call, members, item.key.path + "/listInstances")

    def do_set_named_ports(self, call):
        item = self.item(call)
        self.check_free(item)
        if call.body.get("fingerprint") not in (None, "", item.body["fingerprint"]):
            raise condition_not_met()
        ports = call.body.get("namedPorts", [])

        def apply():
            item.body["namedPorts"] = ports
            item.body["fingerprint"] = fingerprint(ports)

        return self.start_change(call, "setNamedPorts", item, apply)

"""The project itself, and its operations."""

import time

import operations
import paging
from compute.catalogue import LOCATIONS, TIME
from compute.kind import Kind
from compute.templates import check_metadata
from errors import bad_value, condition_not_met, not_found
from state import fingerprint
from urls import ROOT


class Projects(Kind):
    collection, label, kind = "projects", "project", "compute#project"

    def do_get(self, call):
        project = call.project
        return {
            "kind": self.kind,
            "id": project.number,
            "creationTimestamp": TIME,
            "name": project.name,
            "commonInstanceMetadata": project.metadata,
            "quotas": [
                {"metric": "NETWORKS", "limit": 150.0, "usage": float(len(project.of("networks")))},
                {"metric": "FIREWALLS", "limit": 1500.0, "usage": float(len(project.of("firewalls")))},
                {"metric": "ROUTERS", "limit": 200.0, "usage": float(len(project.of("routers")))},
            ],
            "selfLink": f"{ROOT}projects/{project.name}",
            "defaultServiceAccount": f"{project.number}-compute@developer.gserviceaccount.com",
            "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
            "defaultNetworkTier": "PREMIUM",
            "vmDnsSetting": "ZONAL_ONLY",
        }

    def do_get_xpn_host(self, call):
        """The host project of a shared VPC; nothing if there is none."""
        host = call.project.host
        if host is None:
            return {"kind": self.kind}
        return {"kind": self.kind, "name": host.name, "id": host.number, "selfLink": f"{ROOT}projects/{host.name}"}

    def do_enable_xpn_resource(self, call):
        """Attaches a service project to this one."""
        resource = call.body.get("xpnResource", {})
        if resource.get("type") != "PROJECT" or not resource.get("id"):
            raise bad_value("projectsEnableXpnResourceRequest.xpnResource", resource, "It must be a project.")
        service = call.project.world.project(resource["id"])

        def apply():
            service.host = call.project

        return operations.start(call, "compute.projects.enableXpnResource", None, apply)

    def do_set_common_instance_metadata(self, call):
        if call.body.get("fingerprint") != call.project.metadata["fingerprint"]:
            raise condition_not_met()
        check_metadata(call.body)
        value = {"kind": "compute#metadata", **call.body, "fingerprint": fingerprint(call.body.get("items"))}

        def apply():
            call.project.metadata = value

        return operations.start(call, "compute.projects.setCommonInstanceMetadata", None, apply)


class Operations(Kind):
    collection, label, kind = "operations", "operation", "compute#operation"

    def operation(self, call):
        found = call.project.operations.get((call.location, call.name))
        if found is None:
            for other in call.project.operations.values():
                if other.location == call.location and other.id == call.name:
                    return other
            raise not_found(call.project.key(call.location, "operations", call.name).path)
        return found

    def do_get(self, call):
        return self.operation(call).body()

    def do_wait(self, call):
        """Answers when the operation is done, or after two minutes."""
        operation = self.operation(call)
        if operation.end_time is None and time.monotonic() < call.arrived + 120:
            raise Later
        return operation.body()

    def do_list(self, call):
        found = [it for it in call.project.operations.values() if it.location == call.location]
        bodies = [it.body() for it in found]
        return paging.page(call, bodies, f"projects/{call.project.name}/{call.location}/operations")

    def do_aggregated_list(self, call):
        pairs = [(it.location, it.body()) for it in call.project.operations.values()]
        return paging.aggregated(call, pairs, "operations", LOCATIONS)

    def do_delete(self, call):
        operation = self.operation(call)
        del call.project.operations[(operation.location, operation.name)]
        return None


class Later(Exception):
    """The answer has to wait for something that is still to happen."""

"""Which permission a method needs, and what it says when it is missing."""

import re

from discovery import READING
from errors import ApiError, canonical

VERBS = {
    # Of projects, the host of a shared VPC is part of reading one.
    "getXpnHost": "get",
    "insert": "create",
    "aggregatedList": "list",
    "patch": "update",
    "wait": "get",
    "listUsable": "list",
    "getFromFamily": "getFromFamily",
}

# Methods need permissions on what they refer to, too.
FURTHER = {
    "compute.firewalls.insert": ["compute.networks.updatePolicy"],
    "compute.firewalls.patch": ["compute.networks.updatePolicy"],
    "compute.firewalls.update": ["compute.networks.updatePolicy"],
    "compute.firewalls.delete": ["compute.networks.updatePolicy"],
    "compute.subnetworks.insert": ["compute.networks.updatePolicy"],
    "compute.routers.insert": ["compute.networks.updatePolicy"],
    "compute.instances.insert": ["compute.disks.create", "compute.subnetworks.use", "compute.instances.setMetadata"],
    "compute.instanceGroupManagers.insert": [
        "compute.instanceGroups.create",
        "compute.instanceTemplates.useReadOnly",
        "compute.instances.create",
    ],
    "compute.forwardingRules.insert": ["compute.addresses.use"],
    "compute.regionBackendServices.insert": ["compute.instanceGroups.use", "compute.regionHealthChecks.useReadOnly"],
    "compute.instanceTemplates.insert": ["iam.serviceAccounts.actAs"],
    "dns.changes.create": ["dns.resourceRecordSets.create", "dns.resourceRecordSets.delete"],
}
# Methods that never need one.
FREE = re.compile(r".*\.testIamPermissions")
ONE_KIND = {
    "regionInstanceGroupManagers": "instanceGroupManagers",
    "regionInstanceTemplates": "instanceTemplates",
    "regionInstanceGroups": "instanceGroups",
}


def permission(method):
    """`compute.networks.create` of `compute.networks.insert`."""
    service, *collections, verb = method.split(".")
    if service == "cloudresourcemanager":
        service = "resourcemanager"
    collection = collections[-1]
    if service == "compute":
        collection = ONE_KIND.get(collection, collection)
        plain = ("insert", "delete", "get", "list", "aggregatedList")
        if collection == "instanceGroupManagers" and verb not in plain:
            # Its many verbs are two permissions.
            verb = "get" if READING.search(method) or verb == "listErrors" else "update"
    if service == "storage":
        if collection == "xml":
            verb = {"put": "insert", "head": "get"}.get(verb, verb)
            collection = "objects"
        if verb in ("getIamPolicy", "setIamPolicy"):
            return f"storage.buckets.{verb}"
        if collection in ("bucketAccessControls", "defaultObjectAccessControls"):
            return "storage.buckets." + ("getIamPolicy" if verb in ("get", "list") else "setIamPolicy")
        if collection == "objectAccessControls":
            return "storage.objects." + ("getIamPolicy" if verb in ("get", "list") else "setIamPolicy")
    if service == "iam" and verb == "patch":
        verb = "update"
    return f"{service}.{collection}.{VERBS.get(verb, verb)}"


def permissions(call):
    """All that a call needs."""
    method = call.method.id
    needed = permission(method)
    if method in ("compute.addresses.insert", "compute.addresses.delete") and is_internal(call):
        return [needed + "Internal", *(["compute.subnetworks.use"] if method.endswith("insert") else [])]
    return [needed, *FURTHER.get(method, ())]


def is_internal(call):
    """Whether it is about an internal address, for which there are permissions of their own."""
    if call.method.name == "insert":
        return b'"INTERNAL"' in call.request.body
    key = call.project.key(f"regions/{call.path['region']}", "addresses", call.path["address"])
    item = call.project.items.get(key)
    return item is not None and item.body["addressType"] == "INTERNAL"


def check(call):
    """The error that a missing permission makes."""
    method = call.method.id
    if FREE.fullmatch(method) or not call.caller.faults.denied:
        return None
    for needed in permissions(call):
        if call.caller.faults.is_denied(needed, call.token):
            return error(call, needed)
    return None


def error(call, needed):
    if call.method.service == "compute":
        path = re.sub(r"^.*?/(?=projects/)", "", call.request.path)
        return ApiError(403, f"Required '{needed}' permission for '{path}'", "forbidden")
    if call.method.service == "storage":
        who = call.token or "anonymous"
        what = "object" if ".objects." in needed else "bucket"
        message = (
            f"{who} does not have {needed} access to the Google Cloud Storage {what}. Permission '{needed}' denied on "
            "resource (or it may not exist)."
        )
        return ApiError(403, message, "forbidden")
    if call.method.service == "dns":
        return ApiError(403, "Forbidden", "forbidden", "PERMISSION_DENIED")
    details = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": f"{call.method.service}.googleapis.com",
        "metadata": {"permission": needed, "resource": f"projects/{call.project.name}"},
    }
    message = f"Permission '{needed}' denied on resource (or it may not exist)."
    return canonical(403, message, "forbidden", "PERMISSION_DENIED", [details])

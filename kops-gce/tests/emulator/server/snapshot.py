"""Everything a project holds, object for object: `{kind: {name: description}}`.

Descriptions are whole: comparing two snapshots finds a changed attribute of an object that nobody should have
touched. Only what moves by itself is left out (`VOLATILE`); `normalised` also leaves out what differs between two
objects that were made alike (`GIVEN`).
"""

import hashlib

import iam

VOLATILE = {
    # An instance starts, an operation is under way.
    "status",
    "statusMessage",
    "currentActions",
    "lastStartTimestamp",
    "lastStopTimestamp",
    "lastAttachTimestamp",
    "lastDetachTimestamp",
    "cpuPlatform",
}
GIVEN = {
    "id",
    "creationTimestamp",
    "fingerprint",
    "labelFingerprint",
    "etag",
    "selfLinkWithId",
    "generation",
    "metageneration",
    "timeCreated",
    "updated",
    "timeStorageClassUpdated",
    "creationTime",
    "uniqueId",
    "oauth2ClientId",
    "effectiveTime",
    "projectNumber",
    "sourceImageId",
    "mediaLink",
}


def take(project, normalised):
    from compute import KINDS

    dropped = VOLATILE | (GIVEN if normalised else set())
    objects = {}

    def add(kind, name, description):
        objects.setdefault(kind, {})[name] = _plain(description, dropped)

    for key, item in project.items.items():
        if item.shown:
            # `zones/Z/instances/N` as `Z/N`, `global/networks/N` as `N`.
            name = f"{key.place}/{key.name}" if key.place else key.name
            add(key.collection, name, KINDS[key.collection].view(project, item))
    for index, entry in enumerate(project.metadata.get("items", [])):
        add("projectMetadata", entry.get("key", str(index)), entry)
    for zone in project.zones.values():
        add("managedZones", zone.body["name"], zone.body)
        for (name, kind), record in zone.records.items():
            add("resourceRecordSets", f"{zone.body['name']} {name} {kind}", record)
    for account in project.accounts.values():
        add("serviceAccounts", account.email, account.body(project))
        _policy(add, "serviceAccountBindings", account.email, account.policy)
    _policy(add, "projectBindings", project.name, iam.project_policy(project))
    for name, bucket in project.buckets.items():
        add("buckets", name, bucket.body)
        _policy(add, "bucketBindings", name, bucket.policy)
        for entity, entry in bucket.acl.items():
            add("bucketAcl", f"{name} {entity}", entry)
        for entity, entry in bucket.default_acl.items():
            add("defaultObjectAcl", f"{name} {entity}", entry)
        for path, stored in bucket.objects.items():
            content = {**stored.body, "sha256": hashlib.sha256(stored.content).hexdigest()}
            add("objects", f"{name}/{path}", content)
            for entity, entry in (stored.acl or {}).items():
                add("objectAcl", f"{name}/{path} {entity}", entry)
    return {kind: dict(sorted(entries.items())) for kind, entries in sorted(objects.items())}


def _policy(add, kind, owner, policy):
    for binding in policy.bindings:
        condition = binding.get("condition")
        for member in binding["members"]:
            name = f"{owner} {binding['role']} {member}" + (f" if {condition}" if condition else "")
            add(kind, name, {"condition": condition} if condition else {})


def _plain(value, dropped):
    if isinstance(value, dict):
        return {key: _plain(item, dropped) for key, item in value.items() if key not in dropped}
    if isinstance(value, list):
        return [_plain(item, dropped) for item in value]
    return value

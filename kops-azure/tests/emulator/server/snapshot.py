"""Everything a subscription holds, object for object: `{kind: {id: document}}`.

Documents are whole: comparing two snapshots finds a changed attribute of an object that nobody should have touched.
Parts inside of documents (subnets, rules) are seen with their owners. Only what moves by itself is left out.
"""

# States come and go with operations; etags change with any touch, even one that changes nothing.
VOLATILE = {"etag", "provisioningState", "ETag"}


def take(sub):
    with sub.lock:
        sub.settle()
        objects = {}
        for resource in sub.resources.values():
            kind = resource.type.partition("/")[2]
            objects.setdefault(kind, {})[resource.id] = plain(resource.body)
        for assignment in sub.role_assignments.values():
            objects.setdefault("roleAssignments", {})[assignment["id"]] = plain(assignment)
        for definition in sub.role_definitions.values():
            objects.setdefault("roleDefinitions", {})[definition["id"]] = plain(definition)
        return objects


def plain(value):
    """Without what moves by itself."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value

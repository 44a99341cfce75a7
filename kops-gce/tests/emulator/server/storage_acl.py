"""Who may read and write buckets and objects: policies and access control lists."""

from errors import ApiError, invalid, required
from iam import check_member, set_policy

ENTITY = ("user-", "group-", "domain-", "project-", "allUsers", "allAuthenticatedUsers")
ROLES = {"bucket": ("OWNER", "WRITER", "READER"), "object": ("OWNER", "READER")}


def begin(call, bucket):
    """What a new bucket grants: Google's predefined lists and the roles that go with them."""
    number = call.project.number
    bucket.acl, bucket.default_acl = {}, {}
    for role, group in (("OWNER", "owners"), ("OWNER", "editors"), ("READER", "viewers")):
        entity = f"project-{group}-{number}"
        bucket.acl[entity] = entry("bucket", bucket.body["name"], entity, role)
        bucket.default_acl[entity] = entry("object", bucket.body["name"], entity, role, default=True)
    owner, viewer = f"projectOwner:{call.project.name}", f"projectViewer:{call.project.name}"
    bucket.policy.bindings = [
        {"role": "roles/storage.legacyBucketOwner", "members": [f"projectEditor:{call.project.name}", owner]},
        {"role": "roles/storage.legacyBucketReader", "members": [viewer]},
    ]


def begin_object(call, bucket, stored, given):
    if bucket.body["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]:
        if given.get("acl") or call.query.get("predefinedAcl"):
            raise uniform_refuses()
        stored.acl = None
        return
    stored.acl = {
        entity: entry("object", bucket.body["name"], entity, it["role"], stored.body["name"])
        for entity, it in bucket.default_acl.items()
    }
    if given.get("acl"):
        replace(call, stored, given["acl"])


def replace(call, stored, entries):
    if stored.acl is None:
        raise uniform_refuses()
    stored.acl = {
        it["entity"]: entry("object", stored.body["bucket"], it["entity"], it["role"], stored.body["name"])
        for it in entries or []
    }


def uniform_refuses():
    message = "Cannot use ACL API to update bucket policy when uniform bucket-level access is enabled. Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access"
    return ApiError(400, message, "invalid")


def entry(kind, bucket, entity, role, name=None, default=False):
    body = {
        "kind": f"storage#{kind}AccessControl",
        "bucket": bucket,
        "entity": entity,
        "role": role,
        "etag": "CAE=",
    }
    if not default:
        body["id"] = "/".join(filter(None, [bucket, name, entity]))
    if name:
        body["object"] = name
    if entity.startswith("user-"):
        body["email"] = entity.removeprefix("user-")
    if entity.startswith("project-"):
        _, team, number = entity.split("-", 2)
        body["projectTeam"] = {"projectNumber": number, "team": team}
    return body


class List:
    """The calls about one of the three kinds of lists."""

    def __init__(self, kind, which):
        self.kind = kind
        self.which = which

    def entries(self, call):
        from storage import bucket_of, object_of

        bucket = bucket_of(call)
        if bucket.body["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]:
            raise uniform_refuses()
        if self.which == "object":
            return object_of(call)[1].acl
        return bucket.acl if self.which == "bucket" else bucket.default_acl

    def list(self, call):
        return {"kind": f"storage#{self.kind}AccessControls", "items": list(self.entries(call).values())}

    def get(self, call):
        entries = self.entries(call)
        if call.path["entity"] not in entries:
            raise ApiError(404, f"The specified ACL entry does not exist: {call.path['entity']}", "notFound")
        return entries[call.path["entity"]]

    def set(self, call):
        entries = self.entries(call)
        entity = call.path.get("entity") or call.body.get("entity")
        role = call.body.get("role")
        if call.method.name != "insert":
            role = role or self.get(call)["role"]
        if not entity:
            raise required("entity")
        if not entity.startswith(ENTITY):
            raise invalid(f"Unknown entity: {entity}")
        if role not in ROLES[self.kind]:
            raise invalid(f"Invalid role: {role}")
        if entity.startswith("user-") and entity.endswith(".iam.gserviceaccount.com"):
            # Unlike policies, lists say it in Storage's own words.
            try:
                check_member(call.project, "serviceAccount:" + entity.removeprefix("user-"))
            except ApiError:
                raise ApiError(400, f"Unknown user: {entity.removeprefix('user-')}", "invalid") from None
        name = call.path.get("object") if self.which == "object" else None
        entries[entity] = entry(self.kind, call.path["bucket"], entity, role, name, default=self.which == "default")
        return entries[entity]

    def delete(self, call):
        self.get(call)
        del self.entries(call)[call.path["entity"]]
        return None


def get_policy(call):
    from storage import bucket_of

    bucket = bucket_of(call)
    body = bucket.policy.body(call.query.get("optionsRequestedPolicyVersion"))
    return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket.body['name']}", **body}


def put_policy(call):
    from storage import bucket_of

    given = {key: value for key, value in call.body.items() if key in ("bindings", "etag", "version")}
    bucket = bucket_of(call)
    if given.get("etag") and given["etag"] != bucket.policy.etag:
        raise ApiError(412, "At least one of the pre-conditions you specified did not hold.", "conditionNotMet")
    call.body = {"policy": given}
    answer = set_policy(call, bucket.policy)
    return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket.body['name']}", **answer}


def test(call):
    from storage import bucket_of

    bucket_of(call)
    allowed = [it for it in call.query.get("permissions", []) if not call.caller.faults.is_denied(it, call.token)]
    return {"kind": "storage#testIamPermissionsResponse", "permissions": allowed}


HANDLERS = {
    "storage.buckets.getIamPolicy": get_policy,
    "storage.buckets.setIamPolicy": put_policy,
    "storage.buckets.testIamPermissions": test,
}
for _collection, _list in (
    ("bucketAccessControls", List("bucket", "bucket")),
    ("defaultObjectAccessControls", List("object", "default")),
    ("objectAccessControls", List("object", "object")),
):
    for _name, _handler in (
        ("list", _list.list), ("get", _list.get), ("delete", _list.delete),
        ("insert", _list.set), ("patch", _list.set), ("update", _list.set),
    ):  # fmt: skip
        HANDLERS[f"storage.{_collection}.{_name}"] = _handler

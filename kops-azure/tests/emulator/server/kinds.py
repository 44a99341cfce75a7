"""What all kinds of resources have in common: create or replace, read, change, delete, list.

A kind says what differs: `prepare` (references, defaults, checks), `finished`, `check_delete`, `view`. Kinds are
found by their type in `KINDS`; operations that are none of the five are functions in `ACTIONS`.
"""

import copy
import datetime
import re
import time
import uuid

import ids
from errors import ArmError, bad_request, conflict, group_not_found, not_found
from state import Resource

KINDS = {}
ACTIONS = {}

REGIONS = [
    "eastus", "eastus2", "westus", "westus2", "westus3", "centralus", "northcentralus", "southcentralus",
    "canadacentral", "brazilsouth", "northeurope", "westeurope", "uksouth", "francecentral", "germanywestcentral",
    "swedencentral", "switzerlandnorth", "norwayeast", "southeastasia", "eastasia", "japaneast", "koreacentral",
    "australiaeast", "centralindia", "southafricanorth", "uaenorth",
]  # fmt: skip
TAG_NAME = re.compile(r"[<>%&\\?/\x00-\x1f]")
RESOURCE_NAME = r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$"


def kind(cls):
    """Registers a kind."""
    KINDS[cls.type.lower()] = cls()
    return cls


def action(*names):
    """Registers the function of operations: `virtualMachineScaleSets.deallocate`."""

    def register(function):
        for name in names:
            ACTIONS[name] = function
        return function

    return register


class Answer:
    def __init__(self, status, body=None, headers=None):
        self.status = status
        self.body = body
        self.headers = headers or {}


class Kind:
    type = None
    # Network resources are `Updating` from the start, compute's are `Creating` first.
    creating = "Updating"
    updating = "Updating"
    has_state = True
    put_long = True
    delete_long = True
    # Whether the answer to a PUT that takes time has a body; private DNS answers 202 with none.
    put_answers = (201, 200)
    put_body = True
    # Whether the answer to a PUT has `Location` beside `Azure-AsyncOperation`.
    put_location = False
    patch_long = False
    delete_location = True
    # Refuses a change while another is under way.
    exclusive = True
    region = True
    only_region = None
    name_pattern = RESOURCE_NAME
    has_etag = False
    top_name_in_body = True

    # ------------------------------------------------------------ to be said by kinds

    def prepare(self, ctx, resource, body, old):
        """Checks a new document and completes it. `old` is the document before, or `None`."""

    def stored(self, ctx, resource, old):
        """After the document was kept, before the answer."""

    def finished(self, sub, resource, old):
        """When the operation has succeeded."""

    def failed(self, sub, resource):
        """When it has failed."""

    def check_delete(self, ctx, resource):
        """Refuses when the resource is in use."""

    def deleting(self, ctx, resource):
        """When a deletion begins."""

    def deleted(self, sub, resource):
        """When it is gone."""

    def complete(self, sub, resource, body):
        """Adds to an answer what is computed: who uses it."""

    # ------------------------------------------------------------ answers

    def view(self, sub, resource, expand=()):
        body = copy.deepcopy(resource.body)
        self.complete(sub, resource, body)
        body = {"name": resource.name, "id": resource.id, "type": resource.type, **body}
        if self.has_etag:
            body["etag"] = f'W/"{resource.etag}"'
        return body

    # ------------------------------------------------------------ identity

    def id_of(self, ctx):
        """The canonical id that a request names; its group and parent must be there."""
        path = ids.parse(ctx.item_path)
        if path is None:
            raise ArmError(404, "NotFound", f"'{ctx.item_path}' is not a resource id.")
        base = f"/subscriptions/{ctx.sub.id}"
        if path.group is not None:
            group = ctx.sub.group(path.group)
            if group is None:
                raise group_not_found(path.group)
            base = group.id
        namespace, *words = self.type.split("/")
        base += f"/providers/{namespace}"
        for depth, (word, (_, name)) in enumerate(zip(words, path.pairs)):
            candidate = f"{base}/{word}/{name}"
            known = ctx.sub.find(candidate)
            if known is None and depth < len(words) - 1:
                if self.parent_optional(ctx, candidate):
                    base = candidate
                    continue
                raise self.parent_missing(ctx, path, candidate)
            base = known.id if known else candidate
        return base

    def parent_optional(self, ctx, candidate):
        return False

    def parent_missing(self, ctx, path, candidate):
        if ctx.method == "PUT":
            return ArmError(
                404,
                "ParentResourceNotFound",
                f"Failed to perform 'write' on resource(s) of type '{self.type.partition('/')[2]}', because the parent "
                f"resource '{candidate}' could not be found.",
            )
        return not_found(candidate)

    def existing(self, ctx):
        resource_id = self.id_of(ctx)
        resource = ctx.sub.find(resource_id)
        if resource is None or ctx.hidden(resource):
            raise not_found(resource_id)
        return resource

    # ------------------------------------------------------------ operations

    def get(self, ctx):
        resource = self.existing(ctx)
        return Answer(200, self.view(ctx.sub, resource, ctx.expand()), self.etag_header(resource))

    def head(self, ctx):
        resource_id = self.id_of(ctx)
        return Answer(204 if ctx.sub.find(resource_id) else 404)

    def put(self, ctx):
        resource_id = self.id_of(ctx)
        group_open(ctx, resource_id)
        resource = ctx.sub.find(resource_id)
        name = resource_id.rpartition("/")[2]
        if resource is None and not re.match(self.name_pattern, name):
            raise bad_request(
                "InvalidResourceName",
                f"Resource name {name} is invalid. The name can be up to 80 characters long. It must begin with a word "
                "character, and it must end with a word character or with '_'. The name may contain word characters or "
                "'.', '-', '_'.",
            )
        self.preconditions(ctx, resource)
        if resource:
            self.free(ctx, resource)
        body = ctx.body
        for member in ("id", "name", "type", "etag"):
            body.pop(member, None)
        check_tags(body)
        self.check_region(ctx, body, resource)
        old = resource.body if resource else None
        fresh = resource is None
        if fresh:
            resource = Resource(resource_id, self.type, name, {})
        self.prepare(ctx, resource, body, old)
        resource.body = body
        resource.etag = str(uuid.uuid4())
        if fresh:
            ctx.sub.add(resource)
        ctx.sub.touch()
        self.stored(ctx, resource, old)
        return self.accepted(ctx, resource, old, self.put_answers[0 if fresh else 1])

    def accepted(self, ctx, resource, old, status):
        """Answers a change that was begun, and begins the operation that completes it."""
        if not self.put_long:
            if self.has_state:
                resource.state = "Succeeded"
            self.finished(ctx.sub, resource, old)
            return Answer(status, self.view(ctx.sub, resource), self.etag_header(resource))
        resource.state = self.creating if old is None else self.updating

        def finish():
            if ctx.sub.find(resource.id) is not resource:
                # Its group went away in the meantime.
                return
            resource.state = "Succeeded"
            self.children_state(resource, "Succeeded")
            self.finished(ctx.sub, resource, old)

        def fail():
            resource.state = "Failed"
            self.children_state(resource, "Failed")
            self.failed(ctx.sub, resource)
            ctx.sub.touch()

        headers = ctx.begin(resource, self.region_of(ctx.sub, resource), finish, fail, location=self.put_location)
        headers.update(self.etag_header(resource))
        return Answer(status, self.view(ctx.sub, resource) if self.put_body else None, headers)

    def children_state(self, resource, state):
        """Parts inside of the document share its fate; see `inline.py`."""

    def patch(self, ctx):
        resource = self.existing(ctx)
        self.preconditions(ctx, resource)
        self.free(ctx, resource)
        check_tags(ctx.body)
        old = copy.deepcopy(resource.body)
        body = merge(resource.body, ctx.body)
        for member in ("id", "name", "type", "etag"):
            body.pop(member, None)
        if set(ctx.body) - {"tags"}:
            self.prepare(ctx, resource, body, old)
        resource.body = body
        resource.etag = str(uuid.uuid4())
        ctx.sub.touch()
        if not self.patch_long:
            if set(ctx.body) - {"tags"}:
                self.finished(ctx.sub, resource, old)
            return Answer(200, self.view(ctx.sub, resource), self.etag_header(resource))
        self.stored(ctx, resource, old)
        return self.accepted(ctx, resource, old, 200)

    def delete(self, ctx):
        resource_id = self.id_of(ctx)
        resource = ctx.sub.find(resource_id)
        if resource is None:
            return Answer(204)
        self.preconditions(ctx, resource)
        # A part that is being deleted keeps its whole busy, too, which is not the whole's own deletion.
        if resource.pending and resource.pending.name.endswith(".delete") and resource.state in (None, "Deleting"):
            return Answer(202, None, ctx.operation_headers(resource.pending, self.delete_location))
        self.free(ctx, resource)
        self.check_delete(ctx, resource)
        self.deleting(ctx, resource)
        if not self.delete_long:
            ctx.sub.remove(resource)
            self.deleted(ctx.sub, resource)
            return Answer(200)
        if self.has_state:
            resource.state = "Deleting"
        return Answer(202, None, self.begin_delete(ctx, resource))

    def begin_delete(self, ctx, resource):
        def finish():
            ctx.sub.remove(resource)
            self.deleted(ctx.sub, resource)

        def fail():
            resource.state = "Failed"
            ctx.sub.touch()

        region = self.region_of(ctx.sub, resource)
        return ctx.begin(resource, region, finish, fail, location=self.delete_location, keep_body=False)

    def list(self, ctx):
        found = [it for it in self.members(ctx) if not ctx.lagging(it)]
        return ctx.page([self.view(ctx.sub, it) for it in found])

    def members(self, ctx):
        """What a list is of: the subscription's, a group's or a parent's."""
        group = ctx.params.get("resourceGroupName")
        if group is not None and ctx.sub.group(group) is None:
            raise group_not_found(group)
        words = self.type.split("/")
        if len(words) > 2:
            parent = ctx.parent_path
            known = ctx.sub.find(parent)
            if known is None:
                raise not_found(parent)
            return ctx.sub.below(known.id, self.type)
        return ctx.sub.of_type(self.type, group)

    # ------------------------------------------------------------ checks

    def preconditions(self, ctx, resource):
        """`If-Match` and `If-None-Match`, where the operation knows them.

        The network provider keeps to `If-Match` though its schema has no such header: Kubernetes' cloud provider relies
        on it, https://github.com/kubernetes-sigs/cloud-provider-azure/issues/9729 shows the refusal.
        """
        knows = "if-match" in ctx.operation.headers or self.type.startswith("Microsoft.Network/") and self.has_etag
        wanted = ctx.header("If-Match") if knows else None
        unwanted = ctx.header("If-None-Match") if "if-none-match" in ctx.operation.headers else None
        if unwanted == "*" and resource is not None:
            raise precondition_failed(resource)
        if wanted and (resource is None or (wanted != "*" and wanted.removeprefix("W/").strip('"') != resource.etag)):
            raise precondition_failed(resource)

    def free(self, ctx, resource):
        """Refuses when another operation is under way."""
        group_open(ctx, resource.id)
        if resource.pending and not self.exclusive and resource.pending.name.endswith(".delete"):
            raise conflict(
                "OperationNotAllowed", f"Operation is not allowed: the resource '{resource.name}' is marked for deletion."
            )
        if resource.pending and self.exclusive and ctx.sub.settings.exclusive:
            operation = resource.pending
            raise conflict(
                "AnotherOperationInProgress",
                "Another operation on this or dependent resource is in progress. To retrieve status of the operation use "
                f"uri: {ctx.base}{operation.status_path()}?api-version={ctx.version}.",
            )

    def check_region(self, ctx, body, resource):
        if not self.region:
            return
        region = body.get("location")
        if not region:
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        body["location"] = region = ids.location(region)
        if self.only_region or region not in REGIONS:
            if region != self.only_region:
                raise bad_request(
                    "LocationNotAvailableForResourceType",
                    f"The provided location '{region}' is not available for resource type '{self.type}'. List of available "
                    f"regions for the resource type is '{self.only_region or ','.join(REGIONS)}'.",
                )
        if resource and resource.body.get("location") != region:
            raise conflict(
                "InvalidResourceLocation",
                f"The resource '{resource.name}' already exists in location '{resource.body.get('location')}' in resource "
                f"group '{resource.group}'. A resource with the same name cannot be created in location '{region}'. Please "
                "select a new resource name.",
            )

    def region_of(self, sub, resource):
        return resource.body.get("location") or "global"

    def etag_header(self, resource):
        return {"ETag": f'W/"{resource.etag}"'} if self.has_etag else {}


def group_open(ctx, resource_id):
    path = ids.parse(resource_id)
    if path and path.group and path.pairs:
        group = ctx.sub.group(path.group)
        if group is not None and group.state == "Deleting":
            raise conflict(
                "ResourceGroupBeingDeleted",
                f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation.",
            )


def precondition_failed(resource):
    return ArmError(
        412,
        "PreconditionFailed",
        "The condition of If-Match or If-None-Match was not met: the resource "
        + ("does not exist." if resource is None else f"has the etag '{resource.etag}'."),
    )


def check_tags(body, member="tags"):
    tags = body.get(member)
    if tags is None:
        return
    if len(tags) > 50:
        raise bad_request("TooManyTags", f"The number of tags, {len(tags)}, is over the limit of 50.")
    if len({name.lower() for name in tags}) != len(tags):
        raise bad_request("InvalidTags", "The names of tags differ in case only; they are compared without regard to it.")
    for name, value in tags.items():
        if TAG_NAME.search(name):
            raise bad_request(
                "InvalidTagNameCharacters",
                f"The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
            )
        if not name or len(name) > 512 or len(value) > 256:
            raise bad_request("InvalidTagName", f"The tag '{name[:80]}' is empty or too long (512, value 256).")


def merge(old, new):
    """A PATCH: objects merge, lists, tags and plain values are replaced."""
    merged = copy.deepcopy(old)
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict) and name != "tags":
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = copy.deepcopy(value)
    return merged


def now_text():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def born_recently(resource, seconds):
    return seconds > 0 and time.monotonic() - resource.created < seconds

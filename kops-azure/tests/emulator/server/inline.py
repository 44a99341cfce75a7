"""Parts that live inside of their owner's document and can be changed both with it and alone.

Subnets of a virtual network, rules of a security group, routes of a table, the parts of a load balancer. A change of
one part is a change of the owner: it is checked by the owner's `prepare`, and the owner refuses another one while it
is under way. Parts that a change leaves alone stay `Succeeded`.
"""

import copy
import re
import uuid

from errors import ArmError, bad_request, group_not_found, missing, not_found
from kinds import Answer, Kind

VOLATILE = {"provisioningState"}


class Owner(Kind):
    """A kind whose document has parts."""

    # Member of `properties` to the type of its parts.
    parts = {}

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        for member, part_type in self.parts.items():
            identify(resource.id, member, part_type, properties, (old or {}).get("properties", {}))

    def children_state(self, resource, state):
        for member in self.parts:
            for part in resource.properties.get(member, []):
                if part["properties"].get("provisioningState") != "Succeeded":
                    part["properties"]["provisioningState"] = state


def identify(owner, member, part_type, properties, before):
    """Gives parts their ids, etags and states."""
    parts = properties.setdefault(member, [])
    known = {part["name"].lower(): part for part in before.get(member, [])}
    seen = set()
    for index, part in enumerate(parts):
        name = part.get("name")
        if not name and part.get("id"):
            name = part["id"].rpartition("/")[2]
        if not name:
            raise missing(f"properties.{member}[{index}].name")
        if name.lower() in seen:
            raise bad_request("InvalidRequestFormat", f"Cannot parse the request: '{name}' occurs twice in '{member}'.")
        seen.add(name.lower())
        old = known.get(name.lower())
        part["name"] = old["name"] if old else name
        part["id"] = f"{owner}/{member}/{part['name']}"
        part["type"] = part_type
        part.setdefault("properties", {})
        if old and same(part, old):
            part["etag"] = old.get("etag")
            part["properties"]["provisioningState"] = old["properties"].get("provisioningState", "Succeeded")
        else:
            part["etag"] = f'W/"{uuid.uuid4()}"'
            part["properties"]["provisioningState"] = "Updating"


def same(part, other):
    """Whether a part is what it was, as far as a client has a say in it."""
    return _said(part) == _said(other)


def _said(part):
    properties = {
        key: value for key, value in part.get("properties", {}).items() if key not in VOLATILE and value not in (None, [], {})
    }
    rest = {key: value for key, value in part.items() if key not in ("properties", "etag", "type", "id")}
    return {**rest, "properties": _lowered(properties)}


def _lowered(value):
    if isinstance(value, dict):
        return {key: _lowered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    return value.lower() if isinstance(value, str) and value.startswith("/subscriptions/") else value


class Part(Kind):
    """A part, as a resource of its own."""

    owner = None
    member = None
    region = False

    def owner_of(self, ctx, path):
        """The owner of a part's path, and the part's name."""
        parts = path.strip("/").split("/")
        owner_path, name = "/" + "/".join(parts[:-2]), parts[-1]
        return self.found_owner(ctx, owner_path), name

    def found_owner(self, ctx, path):
        group = path.split("/")[4]
        if ctx.sub.group(group) is None:
            raise group_not_found(group)
        owner = ctx.sub.find(path)
        if owner is None:
            raise not_found(path)
        return owner

    def part_of(self, owner, name):
        for part in owner.properties.get(self.member, []):
            if part["name"].lower() == name.lower():
                return part
        return None

    def show(self, ctx, owner, name):
        """The part as the owner shows it."""
        shown = self.owner.view(ctx.sub, owner)
        for part in shown["properties"].get(self.member, []):
            if part["name"].lower() == name.lower():
                return part
        raise not_found(f"{owner.id}/{self.member}/{name}")

    def get(self, ctx):
        owner, name = self.owner_of(ctx, ctx.item_path)
        part = self.part_of(owner, name)
        if part is None:
            raise ArmError(404, "NotFound", f"Resource {owner.id}/{self.member}/{name} not found.")
        return Answer(200, self.show(ctx, owner, name), {"ETag": part["etag"]})

    def head(self, ctx):
        owner, name = self.owner_of(ctx, ctx.item_path)
        return Answer(404 if self.part_of(owner, name) is None else 204)

    def list(self, ctx):
        owner = self.found_owner(ctx, ctx.parent_path)
        return ctx.page(self.owner.view(ctx.sub, owner)["properties"].get(self.member, []))

    def put(self, ctx):
        owner, name = self.owner_of(ctx, ctx.item_path)
        if not re.match(self.name_pattern, name):
            raise bad_request("InvalidResourceName", f"Resource name {name} is invalid.")
        self.owner.free(ctx, owner)
        body = copy.deepcopy(owner.body)
        parts = body["properties"].setdefault(self.member, [])
        old = self.part_of(owner, name)
        part = ctx.body
        part["name"] = old["name"] if old else name
        for member in ("id", "etag", "type"):
            part.pop(member, None)
        if old:
            parts[[it["name"] for it in parts].index(old["name"])] = part
        else:
            parts.append(part)
        return self.change(ctx, owner, body, name, 200 if old else 201)

    def delete(self, ctx):
        owner, name = self.owner_of(ctx, ctx.item_path)
        if self.part_of(owner, name) is None:
            return Answer(204)
        self.owner.free(ctx, owner)
        body = copy.deepcopy(owner.body)
        part = self.part_of(owner, name)
        body["properties"][self.member] = [
            it for it in body["properties"][self.member] if it["name"].lower() != name.lower()
        ]
        # The owner checks that the part is not in use; until the end it is still there, under deletion.
        scratch = copy.deepcopy(body)
        self.owner.prepare(ctx, owner, scratch, owner.body)
        part["properties"]["provisioningState"] = "Deleting"
        owner.state = "Updating"

        def finish():
            owner.properties[self.member] = [
                it for it in owner.properties[self.member] if it["name"].lower() != name.lower()
            ]
            owner.state = "Succeeded"
            owner.etag = str(uuid.uuid4())

        def fail():
            part["properties"]["provisioningState"] = owner.state = "Failed"

        headers = ctx.begin(owner, self.owner.region_of(ctx.sub, owner), finish, fail)
        ctx.sub.touch()
        return Answer(202, None, headers)

    def change(self, ctx, owner, body, name, status):
        old = owner.body
        self.owner.prepare(ctx, owner, body, old)
        owner.body = body
        owner.etag = str(uuid.uuid4())
        ctx.sub.touch()
        self.owner.stored(ctx, owner, old)
        answer = self.owner.accepted(ctx, owner, old, status)
        return Answer(status, self.show(ctx, owner, name), {**answer.headers, "ETag": self.part_of(owner, name)["etag"]})


def removed(member, body, old):
    """The parts that a new document no longer has."""
    kept = {part["name"].lower() for part in body["properties"].get(member, [])}
    return [part for part in (old or {}).get("properties", {}).get(member, []) if part["name"].lower() not in kept]

"""What all kinds of compute resources have in common: insert, get, list, aggregatedList, delete, patch, update,
setLabels; references that must exist, and that keep what they refer to from being deleted; fingerprints.
"""

import copy
import dataclasses
import time

import operations
import paging
from compute import catalogue
from compute.walk import rewrite, values
from errors import already_exists, bad_value, condition_not_met, in_use, invalid, not_found, not_ready, required
from state import Item, fingerprint, now
from urls import parse, place_link

# The documents give a limit for few kinds only (firewalls); the API has it for all.
DESCRIPTION = 2048


@dataclasses.dataclass(frozen=True)
class Ref:
    """A field that names other resources: `network`, `backends[].group`."""

    field: str
    collections: tuple
    # Whether the other resource cannot be deleted meanwhile.
    holds: bool = True
    # Whether a missing target is the request's mistake (400) rather than 404.
    invalid: bool = False
    # Whether the other must not be under change either.
    settled: bool = True
    # Whether only a URL from https:// on is taken.
    whole: bool = False
    # Whether it may be in another project, as with a shared VPC.
    abroad: bool = False


def ref(field, *collections, **rest):
    return Ref(field, collections, **rest)


class Kind:
    collection = None
    # As messages call it: `network`, `instance_template`.
    label = None
    # `compute#network`
    kind = None
    refs = ()
    # Fields that a change must leave as they are.
    immutable = ("name",)
    # Whether it shows while it is being made, and with which status; and its status when ready.
    early_status = None
    ready_status = None
    has_labels = False
    # Whether `insert` ignores labels: they "can only be added or modified by the setLabels method".
    late_labels = False
    # Whether the resource as a whole has a fingerprint; and whether each change must bring it.
    has_fingerprint = False
    needs_fingerprint = ()
    # Whether a deletion is accepted while something uses the resource, and its operation fails then.
    late_use = False
    # Fields that count for the fingerprint: all but these.
    not_fingerprinted = (
        "fingerprint",
        "labelFingerprint",
        "labels",
        "selfLink",
        "id",
        "creationTimestamp",
        "status",
        "users",
    )

    # ------------------------------------------------------------ hooks

    def prepare(self, call, item):
        """Checks and completes a new item's body."""

    def made(self, project, item):
        """When the operation that makes it is done."""

    def check_change(self, call, item, body):
        """Checks and completes a changed body."""

    def changed(self, project, item, before):
        """When a change is done."""

    def check_delete(self, call, item):
        """What refuses a deletion, besides being referred to."""

    def gone(self, project, item):
        """When it is deleted."""

    def view(self, project, item):
        """As reads see it."""
        return item.body

    # ------------------------------------------------------------ reading

    def item(self, call, name=None):
        key = call.project.key(call.location, self.collection, name or call.name)
        item = call.project.find(key)
        if item is None:
            # Resources can also be named by their number.
            for other in call.project.of(self.collection, call.location):
                if other.shown and other.body.get("id") == key.name:
                    return other
            raise not_found(key.path)
        return item

    def do_get(self, call):
        return self.view(call.project, self.item(call))

    def listed(self, call, location=None):
        """Items as listings see them: not yet what is too young."""
        youngest = time.monotonic() - call.project.settings.list_delay
        found = [item for item in call.project.of(self.collection, location) if item.shown and item.made <= youngest]
        return sorted(found, key=lambda item: (item.key.location, item.key.name))

    def do_list(self, call):
        bodies = [self.view(call.project, item) for item in self.listed(call, call.location)]
        return paging.page(call, bodies, f"projects/{call.project.name}/{call.location}/{self.collection}")

    def do_aggregated_list(self, call):
        pairs = [(item.key.location, self.view(call.project, item)) for item in self.listed(call)]
        return paging.aggregated(call, pairs, self.collection, catalogue.LOCATIONS)

    # ------------------------------------------------------------ making

    def do_insert(self, call):
        item = self.reserve(call, call.body)
        return operations.start(
            call,
            "insert",
            item,
            lambda: self.finish(call.project, item),
            undo=lambda: call.project.items.pop(item.key, None),
        )

    def reserve(self, call, body, location=None):
        """A new item, its name taken, not ready yet."""
        project = call.project
        name = body.get("name")
        if not name:
            raise required("resource.name")
        key = project.key(location or call.location, self.collection, name)
        if key in project.items:
            raise already_exists(key.path)
        item = Item(key, copy.deepcopy(body))
        if len(item.body.get("description", "")) > DESCRIPTION:
            raise bad_value(
                "resource.description", item.body["description"], f"Must have at most {DESCRIPTION} characters."
            )
        if self.late_labels:
            item.body.pop("labels", None)
        item.body.update(self.identity(project, key))
        self.resolve(project, item.body)
        self.prepare(call, item)
        if self.has_labels:
            if not item.body.get("labels"):
                item.body.pop("labels", None)
            item.body["labelFingerprint"] = fingerprint(item.body.get("labels"))
        self.stamp(item)
        if self.early_status:
            item.early = True
            item.body["status"] = self.early_status
        elif self.ready_status:
            item.body["status"] = self.ready_status
        project.items[key] = item
        return item

    def identity(self, project, key):
        body = {"kind": self.kind, "id": project.new_id(), "creationTimestamp": now(), "selfLink": key.link}
        if key.place:
            scope = key.location.partition("/")[0][:-1]
            body[scope] = place_link(project.name, key.location)
        return body

    def finish(self, project, item):
        item.ready = True
        # Listings are late by the time since it is there, not since it was asked for.
        item.made = time.monotonic()
        if self.ready_status:
            item.body["status"] = self.ready_status
        self.made(project, item)

    def stamp(self, item):
        if self.has_fingerprint:
            content = {key: value for key, value in item.body.items() if key not in self.not_fingerprinted}
            item.body["fingerprint"] = fingerprint(content)

    # ------------------------------------------------------------ references

    def resolve(self, project, body):
        """Writes references as full URLs; refuses those that lead nowhere."""
        for reference in self.refs:
            rewrite(
                body, reference.field, lambda url, where, it=reference: resolve(project, it, url, f"resource.{where}")
            )

    def targets(self, item):
        """The keys that an item refers to and holds."""
        for reference in self.refs:
            if reference.holds:
                for url in values(item.body, reference.field):
                    if isinstance(url, str) and "/" in url:
                        yield parse(url, item.key.project, reference.field)

    # ------------------------------------------------------------ changing

    def do_patch(self, call):
        return self.change(call, "patch", merge)

    def do_update(self, call):
        return self.change(call, "update", self.replace)

    def replace(self, before, body):
        """A PUT: what is not given goes, except what only the service writes and what cannot change."""
        kept = {
            key: before[key]
            for key in (
                "kind",
                "id",
                "creationTimestamp",
                "selfLink",
                "region",
                "zone",
                "status",
                "fingerprint",
                "labelFingerprint",
                *self.immutable,
            )
            if key in before
        }
        return {**kept, **copy.deepcopy(body)}

    def change(self, call, operation, combine):
        item = self.item(call)
        self.check_free(item)
        given = dict(call.body)
        self.check_fingerprint(item, given, needed=call.method.name in self.needs_fingerprint)
        given.pop("fingerprint", None)
        given.pop("labelFingerprint", None)
        self.resolve(call.project, given)
        for field in self.immutable:
            if given.get(field) is not None and given[field] != item.body.get(field):
                raise bad_value(f"resource.{field}", given[field], "The field cannot be changed.")

        def changed():
            body = combine(copy.deepcopy(item.body), given)
            self.check_change(call, item, body)
            return body

        # What is wrong with it is said at once. What it starts from is what is there at its end: labels and sizes
        # have calls of their own, which may come in between.
        changed()

        def apply():
            item.body = changed()

        return self.start_change(call, operation, item, apply)

    def start_change(self, call, operation, item, apply, blocking=True):
        def work():
            before = copy.deepcopy(item.body)
            apply()
            self.stamp(item)
            self.changed(call.project, item, before)

        return operations.start(call, operation, item, work, blocking=blocking)

    def check_free(self, item):
        if not item.ready or item.busy is not None or item.deleting:
            raise not_ready(item.key.path)

    def check_fingerprint(self, item, given, needed):
        if not self.has_fingerprint:
            return
        value = given.get("fingerprint")
        if value in (None, ""):
            if needed:
                raise condition_not_met("Required fingerprint is missing.")
        elif value != item.body.get("fingerprint"):
            raise condition_not_met()

    def do_set_labels(self, call):
        if not self.has_labels:
            raise not_found(call.method.id)
        item = self.item(call)
        if not item.ready or item.deleting:
            raise not_ready(item.key.path)
        if call.body.get("labelFingerprint") != item.body["labelFingerprint"]:
            raise condition_not_met("Labels fingerprint either invalid or resource labels have changed")
        labels = call.body.get("labels", {})

        def apply():
            if labels:
                item.body["labels"] = labels
            else:
                item.body.pop("labels", None)
            item.body["labelFingerprint"] = fingerprint(labels)

        return self.start_change(call, "setLabels", item, apply, blocking=False)

    def do_test_iam_permissions(self, call):
        asked = call.body.get("permissions", [])
        return {"permissions": [it for it in asked if not call.caller.faults.is_denied(it, call.token)]}

    # ------------------------------------------------------------ deleting

    def do_delete(self, call):
        item = self.item(call)
        self.check_free(item)
        if not self.late_use:
            self.check_use(call.project, item)
        self.check_delete(call, item)
        return self.start_delete(call, item)

    def check_use(self, project, item):
        user = holder(project, item)
        if user is not None:
            raise in_use(self.label, item.key.path, user)

    def start_delete(self, call, item, kind="delete"):
        item.deleting = True

        def apply():
            if self.late_use:
                self.check_use(call.project, item)
            self.remove(call.project, item)

        def undo():
            item.deleting = False

        return operations.start(call, kind, item, apply, undo=undo)

    def remove(self, project, item):
        project.items.pop(item.key, None)
        self.gone(project, item)


def resolve(project, reference, url, field):
    """The full URL of a reference, checked."""
    if reference.whole and not url.startswith("https://"):
        raise bad_value(field, url, "The URL is malformed. It must be fully qualified: partial URLs are not supported.")
    key = parse(url, project.name, field)
    if key.collection not in reference.collections:
        raise bad_value(
            field, url, "The URL is malformed. Must be a URL of one of: " + ", ".join(reference.collections)
        )
    if catalogue.has(key):
        return key.link
    if key.project not in (project.name, project.number) and not reference.abroad:
        raise bad_value(field, url, "Cross project referencing is not allowed for this resource.")
    home = project.world.projects.get(key.project)
    item = home.items.get(key) if home else None
    if item is None:
        if reference.invalid:
            raise bad_value(field, url, "The referenced resource cannot be found.")
        raise not_found(key.path)
    if not item.ready or item.deleting or (reference.settled and item.busy is not None):
        raise not_ready(key.path)
    return key.link


def holder(project, item):
    """The path of what refers to an item and so keeps it, if anything does."""
    from compute import KINDS

    # Service projects of a shared VPC use what is the host's.
    services = (it for it in project.world.projects.values() if it.host is project)
    for home in (project, *services):
        for other in home.items.values():
            if other is not item and item.key in KINDS.get(other.key.collection).targets(other):
                return other.key.path
    return None


def merge(before, patch):
    """JSON merge patch: objects are merged, `null` clears, all else is replaced."""
    result = dict(before)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict) and key != "labels":
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def need(body, *fields):
    for field in fields:
        if body.get(field) in (None, "", []):
            raise required(f"resource.{field}")


def one_of(body, *fields):
    given = [field for field in fields if body.get(field)]
    if len(given) > 1:
        raise invalid(f"Invalid value for field 'resource.{given[1]}': it cannot be given along with '{given[0]}'.")
    return given[0] if given else None

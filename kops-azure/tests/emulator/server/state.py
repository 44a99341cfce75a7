"""What a subscription holds.

Everything lives in one dictionary by lowered id, resource groups included: Azure compares ids without regard to
case and answers in the spelling of the creation. Children that Azure keeps inside of their parent's document
(subnets, security rules, routes, parts of load balancers) live there here too; see `inline.py`.

Time passes only when somebody looks: `Subscription.settle` completes the long-running operations that are due.
"""

import copy
import hashlib
import heapq
import ipaddress
import itertools
import threading
import time
import uuid

import calls
import faults
import settings

GROUP_TYPE = "Microsoft.Resources/resourceGroups"
# Addresses that are handed out as public ones, of the range for benchmarks: never routed.
_PUBLIC = itertools.count(int(ipaddress.ip_address("198.18.0.4")))
_PUBLIC6 = itertools.count(int(ipaddress.ip_address("2001:2::4")))


def public_address(version="IPv4"):
    return str(ipaddress.ip_address(next(_PUBLIC if version == "IPv4" else _PUBLIC6)))


class Resource:
    """One resource: its document, and what the emulator knows about it besides."""

    def __init__(self, resource_id, kind, name, body):
        self.id = resource_id
        self.type = kind
        self.name = name
        self.body = body
        self.etag = str(uuid.uuid4())
        self.created = time.monotonic()
        # The long-running operation under way, if any.
        self.pending = None
        self.meta = {}

    @property
    def key(self):
        return self.id.lower()

    @property
    def group(self):
        return self.key.split("/")[4]

    @property
    def properties(self):
        return self.body.setdefault("properties", {})

    @property
    def state(self):
        return self.properties.get("provisioningState", "Succeeded")

    @state.setter
    def state(self, state):
        self.properties["provisioningState"] = state

    @property
    def tags(self):
        return self.body.get("tags") or {}


class Subscription:
    """All of one subscription. Whoever reads or writes it holds `lock`."""

    def __init__(self, subscription_id, tenant):
        self.id = subscription_id
        self.tenant = tenant
        self.lock = threading.RLock()
        self.faults = faults.Faults()
        self.log = calls.Log()
        self.settings = settings.Settings()
        self.resources = {}
        self.operations = {}
        self.due = []
        # Object ids of the directory, with the time of their birth; see `authorization.py`.
        self.principals = {}
        self.role_definitions = {}
        self.role_assignments = {}
        self.tags = {}
        # Raised by every change; what is derived from the whole is kept until then.
        self.version = 0
        self._references = (None, {})
        self.counter = itertools.count(1)

    # ------------------------------------------------------------ resources

    def find(self, resource_id):
        return self.resources.get(resource_id.lower())

    def add(self, resource):
        self.resources[resource.key] = resource
        self.touch()

    def remove(self, resource):
        """Removes a resource and everything below it."""
        below = resource.key + "/"
        for key in [key for key in self.resources if key == resource.key or key.startswith(below)]:
            del self.resources[key]
        for key in [key for key, it in self.role_assignments.items() if (it["scope"].lower() + "/").startswith(below)]:
            del self.role_assignments[key]
        self.touch()

    def touch(self):
        self.version += 1

    def group(self, name):
        return self.find(f"/subscriptions/{self.id}/resourceGroups/{name}")

    def of_type(self, kind, group=None):
        kind = kind.lower()
        return [
            it
            for it in self.resources.values()
            if it.type.lower() == kind and (group is None or it.group == group.lower())
        ]

    def below(self, resource_id, kind):
        prefix = resource_id.lower() + "/"
        kind = kind.lower()
        return [it for key, it in self.resources.items() if key.startswith(prefix) and it.type.lower() == kind]

    def new_guid(self, *words):
        """A GUID that is the same in every run, so that a test that fails can be repeated."""
        text = "/".join([self.id, str(next(self.counter)), *words])
        return str(uuid.UUID(hashlib.md5(text.encode()).hexdigest()))

    # ------------------------------------------------------------ references

    def references(self, target):
        """Who names an id: `[(id of the referring resource or child, member)]`, e.g. a NIC's IP configuration."""
        version, table = self._references
        if version != self.version:
            table = {}
            for resource in self.resources.values():
                _collect(resource, table)
            self._references = (self.version, table)
        return table.get(target.lower(), [])

    # ------------------------------------------------------------ operations

    def start(self, operation, seconds):
        self.operations[operation.id] = operation
        operation.due = time.monotonic() + seconds
        heapq.heappush(self.due, (operation.due, next(self.counter), operation))

    def settle(self, everything=False):
        """Completes what is due, in order; `everything` lets all of the time pass."""
        now = time.monotonic()
        while self.due and (everything or self.due[0][0] <= now):
            operation = heapq.heappop(self.due)[2]
            if operation.status == "InProgress":
                operation.complete()
                self.touch()

    def snapshot_body(self, resource):
        return copy.deepcopy(resource.body)


def _collect(resource, table):
    own = resource.key
    stack = [(resource.body, resource.id, "")]
    while stack:
        value, owner, member = stack.pop()
        if isinstance(value, list):
            stack += [(item, owner, member) for item in value]
        elif isinstance(value, dict):
            found = value.get("id")
            if isinstance(found, str) and found.startswith("/"):
                # A part of this resource has a name; what has an id alone points at something.
                if found.lower().startswith(own + "/") and "name" in value:
                    owner = found
                else:
                    table.setdefault(found.lower(), []).append((owner, member))
            stack += [(item, owner, key) for key, item in value.items()]

"""What the emulator keeps: projects, and in each its objects, its pending events and its settings."""

import base64
import datetime
import hashlib
import heapq
import itertools
import json
import threading
import time

from faults import Faults
from urls import Key

EMPTY_FINGERPRINT = "42WmSpB8rSM="


class World:
    """All projects. One lock guards everything in them."""

    def __init__(self):
        self.lock = threading.RLock()
        self.projects = {}
        # Buckets share one namespace: name -> Project.
        self.buckets = {}
        self.numbers = itertools.count(100_000_000_001)

    def project(self, name):
        with self.lock:
            if name.isdigit():
                for project in self.projects.values():
                    if project.number == name:
                        return project
            if name not in self.projects:
                self.projects[name] = Project(name, str(next(self.numbers)), self)
            return self.projects[name]

    def item(self, key):
        """What a key names, in whichever project; None if it is not there."""
        home = self.projects.get(key.project)
        return home and home.find(key)

    def forget(self, name):
        with self.lock:
            self.projects.pop(name, None)
            for bucket in [key for key, owner in self.buckets.items() if owner.name == name]:
                del self.buckets[bucket]


class Settings:
    """What a test can turn."""

    def __init__(self):
        # Every answer takes this much longer, in seconds.
        self.latency = 0.0
        # From the call until the operation is done, in seconds; and by method, [(regular expression, seconds)].
        self.operation_seconds = 0.02
        self.operation_seconds_of = []
        # A listing does not show what was made less than this long ago.
        self.list_delay = 0.0
        # Nor does a policy take a service account made less than this long ago.
        self.account_delay = 0.0
        # How many objects a page has at most.
        self.page_size = 500
        # How long an instance takes until it runs, after its operation.
        self.boot_seconds = 0.0


class Item:
    """One compute resource."""

    def __init__(self, key, body):
        self.key = key
        self.body = body
        # Whether it is there: False until the operation that makes it is done.
        self.ready = False
        # Whether reads show it although it is not ready.
        self.early = False
        # The operation that changes or deletes it right now.
        self.busy = None
        self.deleting = False
        self.made = time.monotonic()
        # What the emulator itself remembers of it.
        self.notes = {}

    @property
    def shown(self):
        return self.ready or self.early


class Project:
    def __init__(self, name, number, world):
        self.name = name
        self.number = number
        self.world = world
        self.settings = Settings()
        self.faults = Faults()
        self.log = CallLog()
        # Compute: Key -> Item; operations: (location, name) -> Operation.
        self.items = {}
        self.operations = {}
        self.requests = {}
        # The host project of the shared VPC that it is attached to.
        self.host = None
        self.metadata = {"kind": "compute#metadata", "fingerprint": EMPTY_FINGERPRINT}
        self.ids = itertools.count(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))
        self.external = itertools.count(10)
        # DNS, IAM, Storage, Resource Manager keep theirs here.
        self.zones = {}
        self.accounts = {}
        self.policy = None
        self.buckets = {}
        self._events = []
        self._order = itertools.count()

    # ------------------------------------------------------------ time

    def at(self, delay, action):
        """Does something later; lazily: when somebody looks the next time."""
        heapq.heappush(self._events, (time.monotonic() + delay, next(self._order), action))

    def advance(self):
        """Does what is due, including what becomes due by it."""
        while self._events and self._events[0][0] <= time.monotonic():
            heapq.heappop(self._events)[2]()

    def settle(self):
        """Does all that is to come, and what comes of that, as if the time had passed."""
        # What fails for ever is tried again for ever; that is not waited for.
        for _ in range(100_000):
            if not self._events:
                return
            heapq.heappop(self._events)[2]()
        raise RuntimeError("something goes on for ever")

    def next_event(self):
        """When something happens next, on the monotonic clock."""
        return self._events[0][0] if self._events else None

    # ------------------------------------------------------------ items

    def find(self, key):
        """The item, as reads see it."""
        item = self.items.get(key)
        return item if item is not None and item.shown else None

    def of(self, collection, location=None):
        return [
            item
            for key, item in self.items.items()
            if key.collection == collection and (location is None or key.location == location)
        ]

    def key(self, location, collection, name):
        return Key(self.name, location, collection, name)

    def new_id(self):
        # Nineteen digits, as Google's: clients must not read them into 53 bits.
        return str(1_000_000_000_000_000_000 + next(self.ids) % 8_000_000_000_000_000_000)


class CallLog:
    """The calls of a project, and how many were under way at once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.forget()

    def forget(self):
        with self.lock:
            self.calls = []
            self.in_flight = 0
            self.most_in_flight = 0

    def begin(self):
        with self.lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self, call):
        with self.lock:
            # A call that was under way when the log was cleared does not count below zero.
            self.in_flight = max(0, self.in_flight - 1)
            self.calls.append(call)

    def show(self):
        with self.lock:
            return {"calls": list(self.calls), "most_in_flight": self.most_in_flight}


def fingerprint(content):
    """Like Google's: eight bytes that follow from the content."""
    if content in (None, {}, [], {"items": []}):
        return EMPTY_FINGERPRINT
    text = json.dumps(content, sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def now():
    """Compute writes Pacific time; the offset stays the same here all the year."""
    zone = datetime.timezone(datetime.timedelta(hours=-7))
    return datetime.datetime.now(zone).isoformat(timespec="milliseconds")


def utc_now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

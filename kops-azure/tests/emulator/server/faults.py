"""Failures on order: which request fails, how often, and whether its work was done.

A rule matches the operation (`virtualNetworks.createOrUpdate`, shell wildcards allowed) and, if it names one, the
path of the resource; it lets the first `skip` matches pass, then hits every `every`th one, `times` times. What it
does:

* `fail`: answers with an error; nothing was done.
* `drop`: closes the connection; nothing was done.
* `lose`: does the work, then closes the connection, or answers `status` if the rule has one: the client cannot know.
* `hold`: does the work, then keeps the answer back until it is released, so that a client can be killed between
  the work and the answer.
* `lro`: accepts the call; the long-running operation that it starts fails in the end.
* `stall`: accepts the call; the long-running operation that it starts takes `seconds`.
"""

import dataclasses
import fnmatch
import threading
import time

# A held answer is given up after this long, so that a test that fails to release it ends at all.
LONGEST_HOLD_SECONDS = 120
WHAT = {"fail", "drop", "lose", "hold", "lro", "stall"}


@dataclasses.dataclass
class Rule:
    action: str
    what: str
    code: str = "InternalServerError"
    status: int | None = None
    message: str = "injected by the test"
    # The request's path, lowered: `*/subnets/nodes*`.
    resource: str | None = None
    # Of an answer that fails: {"Retry-After": "2"}.
    headers: dict = dataclasses.field(default_factory=dict)
    # The whole body, instead of one with `code` and `message`.
    body: object = None
    # Before the answer.
    delay: float = 0.0
    seconds: float = 3600.0
    skip: int = 0
    every: int = 1
    times: int | None = None
    seen: int = 0
    hits: int = 0

    def __post_init__(self):
        if self.what not in WHAT:
            raise ValueError(f"a fault is one of {sorted(WHAT)}, not {self.what!r}")

    def hit(self, action, path):
        """Counts a request; whether the rule strikes."""
        if not fnmatch.fnmatchcase(action, self.action):
            return False
        if self.resource and not fnmatch.fnmatchcase(path.lower(), self.resource.lower()):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip - 1) % self.every:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules of one subscription."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        with self.lock:
            self.rules = []
            self.denied = []
            self.released = threading.Event()
            self.held = 0

    def add(self, **rule):
        with self.lock:
            self.rules.append(Rule(**rule))

    def deny(self, patterns, token=None, scope=None):
        """Takes the permission for these operations or actions away from all tokens or one, anywhere or below a scope.

        Patterns are operations (`virtualNetworks.*`) or Azure's actions (`Microsoft.Network/*/write`). An empty
        list gives all back.
        """
        with self.lock:
            if not patterns:
                self.denied = []
            self.denied += [(pattern, token, scope) for pattern in patterns]

    def is_denied(self, operation, action, token, path):
        with self.lock:
            return any(
                _covers(pattern, operation, action)
                and (only is None or only == token)
                and (scope is None or path.lower().startswith(scope.lower()))
                for pattern, only, scope in self.denied
            )

    def denied_actions(self, operations):
        """The denied operations as Azure's actions, for the list of permissions."""
        with self.lock:
            patterns = [pattern for pattern, _, _ in self.denied]
        found = {pattern for pattern in patterns if "/" in pattern}
        for operation in operations:
            if any(fnmatch.fnmatchcase(operation.name, pattern) for pattern in patterns):
                found.add(operation.action())
        return sorted(found)

    def strike(self, action, path):
        """The rule that hits this request, if any."""
        with self.lock:
            # Every rule counts every request, so that two rules do not shift each other's numbers.
            return next(iter([rule for rule in self.rules if rule.hit(action, path)]), None)

    def hold(self):
        """Waits until the answer may go out."""
        with self.lock:
            self.held += 1
            released = self.released
        released.wait(LONGEST_HOLD_SECONDS)

    def release(self):
        with self.lock:
            self.released.set()
            self.released = threading.Event()
            self.held = 0


def _covers(pattern, operation, action):
    return fnmatch.fnmatchcase(operation, pattern) or fnmatch.fnmatchcase(action.lower(), pattern.lower())


class Buckets:
    """Azure's token buckets of a subscription."""

    def __init__(self, settings):
        self.lock = threading.Lock()
        self.levels = {kind: float(size) for kind, (size, _) in settings.items()}
        self.settings = settings
        self.looked = time.monotonic()

    def take(self, kind):
        """Tokens left after taking one, or the seconds until there is one, negative."""
        with self.lock:
            now = time.monotonic()
            for name, (size, refill) in self.settings.items():
                self.levels[name] = min(size, self.levels[name] + (now - self.looked) * refill)
            self.looked = now
            if self.levels[kind] < 1:
                return -(1 - self.levels[kind]) / self.settings[kind][1]
            self.levels[kind] -= 1
            return int(self.levels[kind])

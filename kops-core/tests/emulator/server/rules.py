"""Failures on order: which call fails, how often, and whether its work was done.

A rule matches actions as the vendor names them (`ec2:CreateVpc`, `compute.networks.insert`; shell wildcards allowed),
of all calls or of those only that may change something (`mutations`); it lets the first `skip` matches pass, then
hits every `every`th one, `times` times. What it does:

* `fail`: answers with an error; nothing was done.
* `throttle`, `unavailable`: the same, in the words that the service has for it.
* `drop`: closes the connection; nothing was done.
* `lose`: does the work, then closes the connection: the client cannot know.
* `hold`: does the work, then keeps the answer back until it is released, so that a client can be killed between the
  work and the answer. A failing call is answered at once, and the next one held in its stead.
* `operation`: accepts the call; the long-running operation that it starts ends with the error `code`.
* `slow`: accepts the call; the long-running operation that it starts takes `milliseconds`.
"""

import dataclasses
import fnmatch
import threading

# A held answer is given up after this long, so that a test that fails to release it ends at all.
LONGEST_HOLD_SECONDS = 120

WHAT = ("fail", "throttle", "unavailable", "drop", "lose", "hold", "operation", "slow")


@dataclasses.dataclass(kw_only=True)
class Rule:
    what: str
    action: str = "*"
    mutations: bool = False
    code: str | None = None
    status: int | None = None
    message: str = "injected by the test"
    milliseconds: float = 0.0
    skip: int = 0
    every: int = 1
    times: int | None = None
    seen: int = 0
    hits: int = 0

    def __post_init__(self):
        if self.what not in WHAT:
            raise ValueError(f"a fault is one of {WHAT}, not {self.what!r}")

    def matches(self, action, path):
        return fnmatch.fnmatchcase(action, self.action)

    def hit(self, action, path, mutation):
        """Counts a call; whether the rule strikes."""
        if (self.mutations and not mutation) or not self.matches(action, path):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip - 1) % self.every:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    @property
    def refuses(self):
        return self.what in ("fail", "throttle", "unavailable")


class Faults:
    """The rules of one tenant."""

    rule = Rule

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
            self.rules.append(self.rule(**rule))

    def strike(self, action, path, mutation):
        """The rule that hits this call, if any."""
        with self.lock:
            # Every rule counts every call, so that two rules do not shift each other's numbers.
            return next(iter([rule for rule in self.rules if rule.hit(action, path, mutation)]), None)

    def hold(self, rule, succeeded):
        """Waits until the answer may go out; that of a call that failed may at once, and the rule hits another."""
        with self.lock:
            if not succeeded:
                rule.hits -= 1
                return
            self.held += 1
            released = self.released
        released.wait(LONGEST_HOLD_SECONDS)

    def release(self):
        with self.lock:
            self.released.set()
            self.released = threading.Event()
            self.held = 0

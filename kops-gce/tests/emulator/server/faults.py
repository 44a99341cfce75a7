"""Failures on order: which call fails, how, how often, and whether its work was done.

A rule matches method ids (`action`: shell wildcards, e.g. `compute.*.insert`; or `method`: a regular expression)
and, if given, the request's path (`path`: a regular expression). It lets the first `skip` matches pass, then hits
every `every`th one, `times` times. What it does:

* `fail`: answers with an error; nothing was done.
* `drop`: closes the connection; nothing was done.
* `lose`: does the work, then closes the connection, or, if `status` is given, answers with that error.
* `hold`: does the work, then keeps the answer back until it is released, so that a client can be killed
  between the work and the answer. Failing calls are answered at once.
* `operation`: accepts the call; its operation ends with the error `code` (`QUOTA_EXCEEDED` …), nothing done.
* `slow`: the operation, if the call makes one, takes `milliseconds`; any other answer is late by as much.
"""

import dataclasses
import fnmatch
import re
import threading

from errors import STATUS, ApiError

# A held answer is given up after this long, so that a test that fails to release it ends at all.
LONGEST_HOLD_SECONDS = 120

WHAT = ("fail", "drop", "lose", "hold", "operation", "slow")


@dataclasses.dataclass
class Rule:
    what: str
    action: str | None = None
    method: str | None = None
    path: str | None = None
    # The reason that an error names, or the code of an operation's error.
    code: str | None = None
    status: int | None = None
    message: str = "injected by the test"
    # A body of one's own, in place of code and message; and headers such as Retry-After.
    body: dict | None = None
    headers: dict | None = None
    milliseconds: float = 0
    skip: int = 0
    every: int = 1
    times: int | None = None
    seen: int = 0
    hits: int = 0

    def __post_init__(self):
        if self.what not in WHAT:
            raise ValueError(f"a fault is one of {WHAT}, not {self.what}")

    def hit(self, method, path):
        """Counts a call; whether the rule strikes."""
        if self.action is not None and not fnmatch.fnmatchcase(method, self.action):
            return False
        if self.method is not None and not re.fullmatch(self.method, method):
            return False
        if self.path is not None and not re.search(self.path, path):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip - 1) % self.every:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    def error(self):
        status = self.status or 500
        error = ApiError(status, self.message, self.code or "backendError", STATUS.get(status))
        if self.body is not None:
            error.body = lambda: self.body
        return error


@dataclasses.dataclass
class Denial:
    pattern: str
    # None: whoever calls.
    token: str | None


class Faults:
    """The rules of one project."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        with self.lock:
            self.rules = []
            self.denials = []
            self.released = threading.Event()
            self.held = 0

    def add(self, **rule):
        with self.lock:
            self.rules.append(Rule(**rule))

    def show(self):
        with self.lock:
            return [dataclasses.asdict(rule) for rule in self.rules]

    def deny(self, patterns, token=None):
        """Takes permissions (`compute.networks.create`, `compute.*`) away from a bearer token, or from all."""
        with self.lock:
            self.denials = [denial for denial in self.denials if denial.token != token]
            self.denials += [Denial(pattern, token) for pattern in patterns]

    def is_denied(self, permission, token):
        return any(
            denial.token in (None, token) and fnmatch.fnmatchcase(permission, denial.pattern) for denial in self.denials
        )

    def strike(self, method, path):
        """The rule that hits this call, if any."""
        with self.lock:
            # Every rule counts every call, so that two rules do not shift each other's numbers.
            return next(iter([rule for rule in self.rules if rule.hit(method, path)]), None)

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

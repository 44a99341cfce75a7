"""Failures on order in Azure's words, and permissions that are taken away; see `rules.py`.

Beyond what all emulators know, a rule may match the path of the resource (`resource`), may give the whole `body` and
`headers` of an error, and may `delay` any answer; and `lose` with a `status` answers with that error.
"""

import dataclasses
import fnmatch
import os
import sys
import threading
import time

# What all emulators have in common.
sys.path.append(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 4, "kops-core/tests/emulator/server")
)
import rules  # noqa: E402


@dataclasses.dataclass(kw_only=True)
class Rule(rules.Rule):
    # The request's path, lowered: `*/subnets/nodes*`.
    resource: str | None = None
    # Of an answer that fails: {"Retry-After": "2"}.
    headers: dict = dataclasses.field(default_factory=dict)
    # The whole body, instead of one with `code` and `message`.
    body: object = None
    # Before the answer, in seconds.
    delay: float = 0.0

    def matches(self, action, path):
        if self.resource and not fnmatch.fnmatchcase(path.lower(), self.resource.lower()):
            return False
        return super().matches(action, path)

    def error(self):
        """HTTP status and body."""
        code, status = {"throttle": ("TooManyRequests", 429)}.get(self.what, ("InternalServerError", 500))
        body = {"error": {"code": self.code or code, "message": self.message}} if self.body is None else self.body
        return self.status or status, body


class Faults(rules.Faults):
    """The rules of one subscription."""

    rule = Rule

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

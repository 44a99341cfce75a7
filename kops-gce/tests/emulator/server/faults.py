"""Failures on order in Google's words, and permissions that are taken away; see `rules.py`.

Beyond what all emulators know, a rule may match methods by a regular expression (`method`) and the request's path
(`path`, likewise), may give the whole `body` and `headers` of an error; and `lose` with a `status` answers with that
error. `slow` without an operation delays the answer.
"""

import dataclasses
import fnmatch
import os
import re
import sys

from errors import STATUS, ApiError

# What all emulators have in common.
sys.path.append(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 4, "kops-core/tests/emulator/server")
)
import rules  # noqa: E402


@dataclasses.dataclass(kw_only=True)
class Rule(rules.Rule):
    method: str | None = None
    path: str | None = None
    # A body of one's own, in place of code and message; and headers such as Retry-After.
    body: dict | None = None
    headers: dict | None = None

    def matches(self, action, path):
        if self.method is not None and not re.fullmatch(self.method, action):
            return False
        if self.path is not None and not re.search(self.path, path):
            return False
        return super().matches(action, path)

    def error(self, service):
        reason, status = {
            # Storage says it with a status of its own.
            "throttle": ("rateLimitExceeded", 429 if service == "storage" else 403),
            "unavailable": ("backendError", 503),
        }.get(self.what, ("backendError", 500))
        status = self.status or status
        error = ApiError(status, self.message, self.code or reason, STATUS.get(status))
        if self.body is not None:
            error.body = lambda: self.body
        return error


@dataclasses.dataclass
class Denial:
    pattern: str
    # None: whoever calls.
    token: str | None


class Faults(rules.Faults):
    """The rules of one project."""

    rule = Rule

    def show(self):
        with self.lock:
            return [dataclasses.asdict(rule) for rule in self.rules]

    def deny(self, patterns, token=None):
        """Takes permissions (`compute.networks.create`, `compute.*`) away from a bearer token, or from all."""
        with self.lock:
            self.denied = [denial for denial in self.denied if denial.token != token]
            self.denied += [Denial(pattern, token) for pattern in patterns]

    def is_denied(self, permission, token):
        return any(
            denial.token in (None, token) and fnmatch.fnmatchcase(permission, denial.pattern) for denial in self.denied
        )

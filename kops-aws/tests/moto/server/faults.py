"""Failures on order: which request fails, how often, and whether its work was done.

A rule matches `service:Action` (shell wildcards allowed), lets the first `skip` matches pass, then hits every
`every`th one, `times` times. What it does:

* `fail`: answers with an error; nothing was done.
* `drop`: closes the connection; nothing was done.
* `lose`: does the work, then closes the connection: the client cannot know.
* `hold`: does the work, then keeps the answer back until it is released, so that a client can be killed
  between the work and the answer.
"""

import dataclasses
import fnmatch
import threading
import uuid
from xml.sax.saxutils import escape

# A held answer is given up after this long, so that a test that fails to release it ends at all.
LONGEST_HOLD_SECONDS = 120


@dataclasses.dataclass
class Rule:
    action: str
    what: str
    code: str = "InternalError"
    status: int = 500
    message: str = "injected by the test"
    skip: int = 0
    every: int = 1
    times: int | None = None
    seen: int = 0
    hits: int = 0

    def hit(self, action):
        """Counts a request; whether the rule strikes."""
        if not fnmatch.fnmatchcase(action, self.action):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip - 1) % self.every:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules of one account."""

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

    def deny(self, patterns):
        """Takes the permission for these actions away from the account's credentials."""
        with self.lock:
            self.denied = list(patterns)

    def is_denied(self, action):
        return any(fnmatch.fnmatchcase(action, pattern) for pattern in self.denied)

    def strike(self, action):
        """The rule that hits this request, if any."""
        with self.lock:
            # Every rule counts every request, so that two rules do not shift each other's numbers.
            return next(iter([rule for rule in self.rules if rule.hit(action)]), None)

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


def error_document(service, code, message):
    """An error in the service's own wire format."""
    code, message, request = escape(code), escape(message), uuid.uuid4()
    if service == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request}</RequestID></Response>"
        )
    elif service == "s3":
        text = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request}</RequestId></Error>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request}</RequestId></ErrorResponse>"
        )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()

"""Failures on order in AWS's words, and permissions that are taken away; see `rules.py`."""

import dataclasses
import fnmatch
import os
import sys
import uuid
from xml.sax.saxutils import escape

# What all emulators have in common.
sys.path.append(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 4, "kops-core/tests/emulator/server")
)
import rules  # noqa: E402

# How services say that there are too many calls; all others as the last.
THROTTLED = {"ec2": ("RequestLimitExceeded", 503), "s3": ("SlowDown", 503)}
OTHERS_THROTTLED = ("Throttling", 400)


@dataclasses.dataclass(kw_only=True)
class Rule(rules.Rule):
    def __post_init__(self):
        super().__post_init__()
        if self.what in ("operation", "slow"):
            raise ValueError("AWS has no long-running operations")

    def error(self, service):
        """Code, HTTP status and message."""
        code, status = {
            "throttle": THROTTLED.get(service, OTHERS_THROTTLED),
            "unavailable": ("InternalError", 500),
        }.get(self.what, ("InternalError", 500))
        return self.code or code, self.status or status, self.message


class Faults(rules.Faults):
    """The rules of one account."""

    rule = Rule

    def deny(self, patterns):
        """Takes the permission for these actions away from the account's credentials."""
        with self.lock:
            self.denied = list(patterns)

    def is_denied(self, action):
        return any(fnmatch.fnmatchcase(action, pattern) for pattern in self.denied)


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

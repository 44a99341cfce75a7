"""Compute's operations: every change is one, and is carried out when it ends.

A method checks its request at once, so what is wrong with it is the call's own error. What it does happens when
the operation is done: until then a new object is reserved but not there, and an object under change or deletion
refuses further changes. An operation that a fault makes fail does nothing.
"""

import time
import uuid

from errors import PHRASE, ApiError
from state import now
from urls import ROOT, place_link

# Operations are kept much longer by Google (14 days); tests list few.
PROGRESS = {"PENDING": 0, "RUNNING": 0, "DONE": 100}


class Operation:
    def __init__(self, project, location, kind, target, seconds):
        self.project = project
        self.location = location
        self.name = f"operation-{int(time.time() * 1000)}-{uuid.uuid4().hex[:13]}-{uuid.uuid4().hex[:8]}"
        self.id = project.new_id()
        self.kind = kind
        self.target_link = target.body.get("selfLink", target.key.link) if target else None
        self.target_id = target.body.get("id") if target else None
        self.started = time.monotonic()
        self.seconds = seconds
        self.insert_time = now()
        self.end_time = None
        self.start_time = None
        self.error = None
        self.client_id = None
        self.user = "user@example.com"
        self.extra = {}

    @property
    def status(self):
        if self.end_time is not None:
            return "DONE"
        # The first third waits in line.
        return "PENDING" if time.monotonic() - self.started < self.seconds / 3 else "RUNNING"

    @property
    def path(self):
        return f"projects/{self.project.name}/{self.location}/operations/{self.name}"

    def body(self):
        status = self.status
        body = {
            "kind": "compute#operation",
            "id": self.id,
            "name": self.name,
            "operationType": self.kind,
            "status": status,
            "user": self.user,
            "progress": PROGRESS[status],
            "insertTime": self.insert_time,
            "selfLink": ROOT + self.path,
            **self.extra,
        }
        if self.target_link:
            body["targetLink"] = self.target_link
        if self.target_id:
            body["targetId"] = self.target_id
        if self.client_id:
            body["clientOperationId"] = self.client_id
        if status != "PENDING":
            body["startTime"] = self.start_time or self.insert_time
        if self.location != "global":
            scope, _, _ = self.location.partition("/")
            body[scope[:-1]] = place_link(self.project.name, self.location)
        if self.end_time:
            body["endTime"] = self.end_time
        if self.error:
            body["error"] = {"errors": [{"code": self.error[0], "message": self.error[2]}]}
            body["httpErrorStatusCode"] = self.error[1]
            body["httpErrorMessage"] = PHRASE.get(self.error[1], "ERROR")
        return body

    def end(self, error=None):
        self.error = error
        self.start_time = self.start_time or self.insert_time
        self.end_time = now()


def start(call, kind, target, apply, undo=None, location=None, blocking=True, request_id=None):
    """Starts an operation on an item; answers with its body.

    `apply()` does the work at the end; `undo()` takes back what was done at the start, if it ends with an error.
    """
    project = call.project
    rule = call.rule
    seconds = call.operation_seconds()
    operation = Operation(project, location or call.location, kind, target, seconds)
    operation.client_id = call.query.get("clientOperationId")
    if target is not None and blocking:
        target.busy = operation
    project.operations[(operation.location, operation.name)] = operation
    request = request_id or call.query.get("requestId")
    if request:
        project.requests[request] = operation

    def finish():
        error = None
        if rule is not None and rule.what == "operation":
            error = (rule.code or "INTERNAL_ERROR", rule.status or 503, rule.message)
        else:
            try:
                apply()
            except ApiError as problem:
                error = (_screaming(problem.reason), problem.code, problem.message)
        if target is not None and target.busy is operation:
            target.busy = None
        if error is not None and undo is not None:
            undo()
        operation.end(error)

    if seconds <= 0:
        finish()
    else:
        project.at(seconds, finish)
    return operation.body()


def repeated(call):
    """The answer of an earlier call with the same request id, if there was one.

    However that ended, and whatever became of the object since. Google forgets request ids some day, this does not.
    """
    request = call.query.get("requestId")
    operation = call.project.requests.get(request) if request else None
    return operation.body() if operation else None


def _screaming(reason):
    """`resourceNotReady` -> `RESOURCE_NOT_READY`, as operations write codes."""
    if reason.isupper():
        return reason
    return "".join("_" + letter if letter.isupper() else letter.upper() for letter in reason)

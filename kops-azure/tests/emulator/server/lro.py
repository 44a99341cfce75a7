"""Long-running operations: `Azure-AsyncOperation` and `Location`.

A change that takes time answers at once and names one or two addresses to ask. The first says
`{"status": "InProgress" | "Succeeded" | "Failed" | "Canceled", "error"?}` with status 200, whatever the outcome;
the second answers 202 until the end and then what the operation gives.
"""

import datetime
import traceback
import uuid

from errors import ArmError


class Lro:
    def __init__(self, subscription, name, resource, region, namespace, finish, fail=None, error=None):
        self.id = str(uuid.uuid4())
        self.subscription = subscription
        self.name = name
        self.resource = resource
        self.region = region
        self.namespace = namespace
        self.finish = finish
        self.failed = fail
        self.error = error
        self.status = "InProgress"
        self.started = datetime.datetime.now(datetime.timezone.utc)
        self.ended = None
        self.due = 0.0
        # What `Location` gives in the end: a function of the request, or None for "no content".
        self.result = None

    def complete(self):
        self.ended = datetime.datetime.now(datetime.timezone.utc)
        if self.resource is not None and self.resource.pending is self:
            self.resource.pending = None
        if self.error is None:
            try:
                self.finish()
            except ArmError as error:
                self.error = error.content()
            except Exception:
                # A fault of the emulator itself: loud, and the operation does not hang.
                traceback.print_exc()
                self.error = {"code": "EmulatorFault", "message": traceback.format_exc()}
        if self.error is None:
            self.status = "Succeeded"
        else:
            self.status = "Failed"
            if self.failed:
                self.failed()

    def cancel(self, code, message):
        """Ends it in favour of a later one."""
        self.status = "Canceled"
        self.error = {"code": code, "message": message}
        self.ended = datetime.datetime.now(datetime.timezone.utc)

    def show(self):
        """The answer at `Azure-AsyncOperation`."""
        body = {
            "name": self.id,
            "status": self.status,
            "startTime": self.started.isoformat(),
        }
        if self.ended:
            body["endTime"] = self.ended.isoformat()
        if self.error:
            body["error"] = self.error
        return body

    def status_path(self):
        if self.namespace.lower() == "microsoft.resources":
            return f"/subscriptions/{self.subscription.id}/operationresults/{self.id}"
        return (
            f"/subscriptions/{self.subscription.id}/providers/{self.namespace}/locations/{self.region}"
            f"/operations/{self.id}"
        )

    def result_path(self):
        if self.namespace.lower() == "microsoft.resources":
            return self.status_path()
        return self.status_path().replace("/operations/", "/operationResults/")

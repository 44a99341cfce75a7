"""One request on its way through a kind."""

import time
import urllib.parse

import ids
from errors import ArmError, bad_request
from kinds import Answer, born_recently
from lro import Lro


class Context:
    def __init__(self, sub, operation, params, method, path, query, headers, body, base):
        self.sub = sub
        self.operation = operation
        self.params = params
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.base = base
        self.version = query.get("api-version", "")
        # The fault that strikes this call, if it is one that lets the work begin.
        self.fault = None
        # Private addresses in use by subnet, counted once for requests that hand out many.
        self.taken = {}
        # Why the operation that is begun will fail, if the work itself found out.
        self.lro_error = None

    # ------------------------------------------------------------ the request

    @property
    def item_path(self):
        """The id of the resource that is meant: of an action, the path without its last word."""
        path = "/" + "/".join(part for part in self.path.split("/") if part)
        if self.operation.is_item:
            return path
        return path.rpartition("/")[0]

    @property
    def parent_path(self):
        """Of a list of children, the id of their parent."""
        path = "/" + "/".join(part for part in self.path.split("/") if part)
        return path.rpartition("/")[0]

    def header(self, name):
        return self.headers.get(name.lower())

    def expand(self):
        return [it.strip().lower() for it in self.query.get("$expand", "").split(",") if it.strip()]

    def hidden(self, resource):
        """Whether a read does not see it yet."""
        return self.method == "GET" and born_recently(resource, self.sub.settings.read_lag)

    def lagging(self, resource):
        return born_recently(resource, self.sub.settings.list_lag)

    # ------------------------------------------------------------ references

    def resolve(self, reference, kind, by):
        """The resource (or the inline part) that `{"id": …}` names, its id put into canonical spelling.

        `by` is the id of the resource that refers to it.
        """
        text = reference.get("id")
        if not text:
            raise bad_request("InvalidRequestFormat", f"A reference of {by} to a {kind} has no id.")
        path = ids.parse(text)
        if path is None or path.type.lower() != kind.lower():
            raise bad_request(
                "LinkedInvalidPropertyId",
                f"Property id '{text}' at path '{kind}' is invalid. Expect fully qualified resource Id that start with "
                "'/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.",
            )
        if path.subscription.lower() != self.sub.id.lower():
            raise ArmError(
                403,
                "LinkedAuthorizationFailed",
                f"The client has permission to perform action on scope '{by}', however the current tenant is not "
                f"authorized to access linked subscription '{path.subscription}'.",
            )
        found = self.sub.find(text)
        part = None
        if found is None:
            found, part = self.part(text)
        if found is None:
            raise bad_request(
                "InvalidResourceReference",
                f"Resource {text} referenced by resource {by} was not found. Please make sure that the referenced resource "
                "exists, and that both resources are in the same region.",
            )
        reference["id"] = part["id"] if part else found.id
        # The part of a resource may be settled while the whole is under change for the sake of another part.
        state = part.get("properties", {}).get("provisioningState", "Succeeded") if part else found.state
        if state != "Succeeded" and self.sub.settings.exclusive:
            message = (
                f"Cannot proceed with operation because resource {reference['id']} used by resource {by} is not in Succeeded "
                f"state. Resource is in {state} state."
            )
            detail = {"code": "ReferencedResourceNotProvisioned", "message": message}
            raise ArmError(429, "RetryableError", "A retryable error occurred.", details=[detail])
        return part if part is not None else found

    def part(self, text):
        """A part of a resource that is kept inside of it: subnet, backend pool, security rule."""
        parts = text.strip("/").split("/")
        if len(parts) < 10:
            return None, None
        owner = self.sub.find("/" + "/".join(parts[:-2]))
        if owner is None:
            return None, None
        for members in owner.properties.values():
            if isinstance(members, list):
                for part in members:
                    if isinstance(part, dict) and str(part.get("id", "")).lower() == text.lower():
                        return owner, part
        return None, None

    def same_region(self, resource, found, by):
        if found.body.get("location") != resource:
            raise bad_request(
                "InvalidResourceReference",
                f"Resource {found.id} referenced by resource {by} was not found. Please make sure that the referenced "
                "resource exists, and that both resources are in the same region.",
            )

    # ------------------------------------------------------------ answers

    def page(self, items, size=None):
        """A list's page, with the address of the next."""
        size = size or self.sub.settings.page_size
        start = int(self.query.get("$skiptoken", self.query.get("$skipToken", "0")) or 0)
        if "$top" in self.query:
            size = min(size, int(self.query["$top"]))
        body = {"value": items[start : start + size]}
        if start + size < len(items) and "$top" not in self.query:
            query = {key: value for key, value in self.query.items() if key.lower() != "$skiptoken"}
            query["$skiptoken"] = str(start + size)
            body["nextLink"] = f"{self.base}{urllib.parse.quote(self.path)}?{urllib.parse.urlencode(query)}"
        return Answer(200, body)

    # ------------------------------------------------------------ long-running operations

    def begin(self, resource, region, finish, fail=None, location=True, keep_body=True, result=None, hold=True):
        """Starts a long-running operation and gives the headers that tell of it."""
        error = self.lro_error
        seconds = self.sub.settings.seconds(self.operation.name)
        if self.fault and self.fault.what == "operation":
            error = {"code": self.fault.code, "message": self.fault.message}
        if self.fault and self.fault.what == "slow":
            seconds = self.fault.milliseconds / 1000
        namespace = self.operation.type.split("/")[0]
        operation = Lro(self.sub, self.operation.name, resource, region, namespace, finish, fail, error)
        operation.location_headers = location
        operation.result = result
        operation.version = self.version
        if resource is not None and hold:
            resource.pending = operation
        self.sub.start(operation, seconds)
        return self.operation_headers(operation, location)

    def operation_headers(self, operation, location=True):
        query = f"?api-version={getattr(operation, 'version', self.version)}"
        headers = {"Retry-After": str(self.retry_after(operation))}
        if operation.namespace.lower() != "microsoft.resources":
            headers["Azure-AsyncOperation"] = f"{self.base}{operation.status_path()}{query}"
        if location:
            headers["Location"] = f"{self.base}{operation.result_path()}{query}"
        return headers

    def retry_after(self, operation):
        if self.sub.settings.retry_after is not None:
            return self.sub.settings.retry_after
        return max(0, min(10, int(operation.due - time.monotonic())))

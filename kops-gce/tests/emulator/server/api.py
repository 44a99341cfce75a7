"""One request from end to end: route, log, latency, permissions, faults, checks, work, answer."""

import json
import re
import time
import traceback
import urllib.parse

import compute
import dns
import fields
import iam
import permissions
import schema
import storage
import storage_xml
from compute.projects import Later
from errors import ApiError, malformed, unknown_path


class Lost(Exception):
    """The connection is to be closed without an answer."""


class Request:
    def __init__(self, verb, target, headers, body, home=None):
        # The project whose own port it came in by; None for the common port.
        self.home = home
        parts = urllib.parse.urlsplit(target)
        self.verb = verb
        # Still percent-encoded: the name of an object may have slashes in it.
        self.path = parts.path
        self.query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        self.headers = headers
        self.body = body

    @property
    def token(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else None


class Response:
    def __init__(self, status, content, headers=None):
        self.status = status
        self.headers = {"Content-Type": "application/json; charset=UTF-8", **(headers or {})}
        if isinstance(content, bytes):
            self.body = content
        else:
            self.body = b"" if content is None else json.dumps(content).encode()


class Call:
    """A request that has a method: what handlers get."""

    def __init__(self, world, project, method, path, request, upload):
        self.world = world
        self.project = project
        # Whose log, faults and permissions count: those of the project that calls, which may be another than the
        # one that is called, e.g. for public images.
        self.caller = world.project(request.home) if request.home else project
        self.method = method
        self.path = path
        self.request = request
        self.upload = upload
        self.token = request.token
        self.query = {}
        self.body = {}
        self.rule = None
        # Whether it is a test's own call: those of the harness leave no trace and take no time.
        self.observed = True
        self.arrived = time.monotonic()
        self.location = None
        self.collection = None
        self.name = None

    def operation_seconds(self):
        settings = self.project.settings
        if not self.observed:
            return 0
        if self.rule is not None and self.rule.what == "slow":
            return self.rule.milliseconds / 1000
        for pattern, seconds in settings.operation_seconds_of:
            if re.fullmatch(pattern, self.method.id):
                return seconds
        return settings.operation_seconds


SERVICES = {
    "compute": compute.handle,
    "dns": dns.handle,
    "iam": iam.handle,
    "cloudresourcemanager": iam.handle,
    "storage": storage.handle,
}


class Api:
    def __init__(self, world, routes):
        self.world = world
        self.routes = routes
        # For the emulator's own tests: whether answers must fit the documents, too.
        self.strict = False

    def answer(self, request, observed=True):
        """The response. Without `observed`, nothing but the work: no log, no faults."""
        found = self.routes.find(request.verb, request.path)
        if found is None:
            return self.unrouted(request, observed)
        method, path, upload = found
        project = self.project_of(method, path, request)
        call = Call(self.world, project, method, path, request, upload)
        call.observed = observed
        return self.observe(call) if observed else self.work(call)

    def unrouted(self, request, observed):
        found = storage_xml.route(request.verb, request.path, request.query)
        if found is not None:
            method, path = found
            call = Call(
                self.world, storage.owner_of(self.world, path.get("bucket"), request), method, path, request, False
            )
            return self.observe(call) if observed else self.work(call)
        error = unknown_path(request.verb, request.path)
        name = re.search(r"/projects/([^/:]+)", request.path)
        if name or request.home:
            project = self.world.project(request.home or urllib.parse.unquote(name[1]))
            project.log.begin()
            project.log.end(entry(f"{request.verb} {request.path}", 404, "notFound", True, time.monotonic()))
        return failure(error)

    def project_of(self, method, path, request):
        if method.service == "storage":
            return storage.owner_of(self.world, path.get("bucket"), request, method)
        if "project" in path:
            return self.world.project(path["project"])
        name = path.get("name") or path.get("resource") or path.get("projectId") or ""
        if "/serviceAccounts/" in name:
            return iam.project_of(self.world, name)
        name = name.removeprefix("projects/").split("/")[0]
        return self.world.project(name or "-")

    def observe(self, call):
        log, started = call.caller.log, time.monotonic()
        log.begin()
        status, code = 0, None
        try:
            if call.caller.settings.latency:
                time.sleep(call.caller.settings.latency)
            response = self.struck(call)
            status = response.status
            if status >= 400:
                code = reason_of(response.body)
            return response
        finally:
            log.end(entry(call.method.id, status, code, call.method.mutates, started, call.request.path))

    def struck(self, call):
        """The answer after permissions and faults."""
        denied = permissions.check(call)
        if denied is not None:
            return failure(denied)
        rule = call.rule = call.caller.faults.strike(call.method.id, call.request.path, call.method.mutates)
        if rule is None or rule.what == "operation":
            return self.work(call)
        if rule.what == "slow":
            if call.method.response != "Operation" or not call.method.mutates:
                time.sleep(rule.milliseconds / 1000)
            return self.work(call)
        if rule.refuses:
            return failure(rule.error(call.method.id.partition(".")[0]), rule.headers)
        if rule.what == "drop":
            raise Lost
        response = self.work(call)
        if rule.what == "lose":
            if rule.status:
                return failure(rule.error(call.method.id.partition(".")[0]), rule.headers)
            raise Lost
        call.caller.faults.hold(rule, response.status < 400)
        return response

    def work(self, call):
        try:
            self.check(call)
            while True:
                with self.world.lock:
                    call.project.advance()
                    try:
                        result = SERVICES[call.method.service](call)
                    except Later:
                        wake = call.project.next_event()
                    else:
                        if not isinstance(result, Response):
                            misfits = self.strict and schema.misfits(call.method, result)
                            if misfits:
                                raise AssertionError(f"{call.method.id}: {misfits}")
                            # Written while the lock is held: what is in it may change at once after.
                            result = Response(204 if result is None else 200, self.partial(call, result))
                        return result
                pause = 0.05 if wake is None else min(0.05, max(0.001, wake - time.monotonic()))
                time.sleep(pause)
        except ApiError as error:
            return storage_xml.failure(error) if call.method.id.startswith("storage.xml.") else failure(error)
        except Exception as error:  # a mistake of the emulator's own: the test shall see it, and not wait
            traceback.print_exc()
            return failure(ApiError(500, f"the emulator failed: {error!r}", "internalError"))

    def check(self, call):
        method, request = call.method, call.request
        if isinstance(method, storage_xml.XmlMethod):
            return
        schema.path(method, call.path)
        call.query = schema.query(method, request.query)
        call.media = None
        if call.upload or not request.body:
            if method.request and not call.upload:
                call.body = schema.body(method, None)
            return
        kind = request.headers.get("Content-Type", "application/json")
        if "json" not in kind and method.request:
            raise malformed(f"The content type {kind} is not supported: send application/json.")
        try:
            content = json.loads(request.body)
        except ValueError as error:
            raise malformed(f"Invalid JSON payload received. {error}") from None
        call.body = schema.body(method, content)

    def partial(self, call, result):
        wanted = call.request.query.get("fields") or call.request.query.get("$fields")
        return fields.select(result, wanted[0]) if wanted and wanted[0] and result is not None else result


def entry(action, status, code, mutates, started, path=""):
    return {
        "action": action,
        "status": status,
        "code": code,
        "mutation": mutates,
        "path": path,
        "start": round(started, 4),
        "seconds": round(time.monotonic() - started, 4),
    }


def failure(error, headers=None):
    return Response(error.code, error.body(), headers)


def reason_of(body):
    try:
        return json.loads(body)["error"]["errors"][0]["reason"]
    except (ValueError, KeyError, IndexError, TypeError):
        found = re.search(rb"<Code>([^<]*)</Code>", body)
        return found[1].decode() if found else None

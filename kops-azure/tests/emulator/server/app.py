"""From a request to its answer: who asks, what for, may they, does a fault strike, and the work."""

import json
import re
import threading
import time
import urllib.parse

import groups
from context import Context
from errors import ArmError, Lost, bad_request
from faults import Buckets
from kinds import ACTIONS, KINDS, Answer
from router import Router
from state import Subscription
from tokens import Tokens, unauthorized
from validate import AnswerValidator, Validator, check_text

# Kinds and actions register themselves by being imported.
import authorization  # noqa: F401  isort: skip
import balancers  # noqa: F401  isort: skip
import catalogue  # noqa: F401  isort: skip
import disks  # noqa: F401  isort: skip
import dns  # noqa: F401  isort: skip
import identities  # noqa: F401  isort: skip
import instances  # noqa: F401  isort: skip
import machines  # noqa: F401  isort: skip
import network  # noqa: F401  isort: skip
import scale_sets  # noqa: F401  isort: skip

TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"
# Calls with this token are neither logged nor delayed nor failed: the harness's own.
UNOBSERVED = "unobserved"
# ARM's own odata parameters that any list takes.
COMMON_QUERY = {"api-version", "$skiptoken"}


class App:
    def __init__(self, schema, check_answers=False):
        self.answer_validators = None
        if check_answers:
            self.answer_validators = {name: AnswerValidator(content["models"]) for name, content in schema.items()}
        self.router = Router(schema)
        self.validators = {name: Validator(content["models"]) for name, content in schema.items()}
        self.tokens = Tokens(TENANT)
        self.subscriptions = {}
        self.lock = threading.Lock()

    def subscription(self, subscription_id):
        with self.lock:
            key = subscription_id.lower()
            if key not in self.subscriptions:
                self.subscriptions[key] = Subscription(subscription_id, TENANT)
            return self.subscriptions[key]

    def handle(self, method, target, headers, body):
        """Answers a request: status, headers, body as bytes. Raises `Lost` to close the connection."""
        path, _, text = target.partition("?")
        path = urllib.parse.unquote(path)
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        if (answer := self.tokens.endpoint(method, path, query, headers, body)) is not None:
            return finish(answer)
        parts = [part for part in path.split("/") if part]
        places = [index for index, part in enumerate(parts[:-1]) if part.lower() == "subscriptions"]
        if not places:
            return self.without_subscription(path, headers)
        sub = self.subscription(parts[places[0] + 1])
        token = self.tokens.bearer(headers)
        base = f"http://{headers.get('host', '127.0.0.1')}"
        request = Request(method, path, query, headers, body, base, token)
        if token == UNOBSERVED:
            return finish(self.answer(sub, request, None, None))
        return self.observed(sub, request)

    def without_subscription(self, path, headers):
        self.tokens.check(headers)
        if path.strip("/").lower() == "subscriptions":
            with self.lock:
                known = [groups.subscription(it) for it in self.subscriptions.values()]
            return finish(Answer(200, {"value": known}))
        return finish(error_answer(ArmError(404, "NotFound", f"No HTTP resource was found that matches '{path}'.")))

    # ------------------------------------------------------------ around the work

    def observed(self, sub, request):
        """A test's request: log, latency, faults."""
        request.name, request.operation, request.params, refused = self.identify(sub, request)
        started = sub.log.begin()
        status, code = 0, None
        try:
            if sub.settings.latency:
                time.sleep(sub.settings.latency)
            answer = self.struck(sub, request, refused)
            status = answer.status
            if status >= 400:
                code = answer.headers.get("x-ms-error-code")
            if status >= 400 and isinstance(answer.body, dict):
                code = (answer.body.get("error") or {}).get("code")
            return finish(answer)
        finally:
            sub.log.end(
                started,
                {
                    "action": request.name,
                    "method": request.method,
                    "path": request.path,
                    "mutation": request.mutates,
                    "status": status,
                    "code": code,
                },
            )

    def identify(self, sub, request):
        """The name of a request, its operation and parameters, or why there is none."""
        if (name := special(request.path)) is not None:
            return name, None, {}, None
        try:
            operation, params = self.router.match(request.method, request.path, request.query.get("api-version"))
        except ArmError as error:
            return f"{request.method.lower()}.unknown", None, {}, error
        return operation.name, operation, params, None

    def struck(self, sub, request, refused):
        """The answer after throttling and faults."""
        remaining = {}
        if sub.settings.throttle:
            kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(request.method, "writes")
            if kind in sub.settings.throttle:
                left = self.buckets(sub).take(kind)
                if left < 0:
                    return throttled(-left)
                remaining = {f"x-ms-ratelimit-remaining-subscription-{kind}": str(left)}
        rule = sub.faults.strike(request.name, request.path, request.mutates)
        if rule is None:
            answer = self.answer(sub, request, refused, None)
        else:
            answer = self.with_fault(sub, request, refused, rule)
        answer.headers.update(remaining)
        return answer

    def with_fault(self, sub, request, refused, rule):
        time.sleep(rule.delay)
        if rule.refuses:
            return injected(rule)
        if rule.what == "drop":
            raise Lost
        answer = self.answer(sub, request, refused, rule)
        if rule.what == "lose":
            if rule.status:
                return injected(rule)
            raise Lost
        if rule.what == "hold":
            sub.faults.hold(rule, answer.status < 300)
        return answer

    def buckets(self, sub):
        with sub.lock:
            if getattr(sub, "buckets", None) is None or sub.buckets.settings is not sub.settings.throttle:
                sub.buckets = Buckets(sub.settings.throttle)
            return sub.buckets

    # ------------------------------------------------------------ the work

    def answer(self, sub, request, refused, rule):
        try:
            if request.token != UNOBSERVED:
                self.tokens.check(request.headers)
            elif request.operation is None:
                request.name, request.operation, request.params, refused = self.identify(sub, request)
            if refused:
                raise refused
            with sub.lock:
                sub.settle()
                if request.operation is None:
                    return self.special(sub, request)
                return self.work(sub, request, rule)
        except ArmError as error:
            return error_answer(error)

    def work(self, sub, request, rule):
        operation = request.operation
        if request.token != UNOBSERVED and sub.faults.is_denied(
            operation.name, operation.action(), request.token, request.path
        ):
            client = self.tokens.client(request.token)
            raise ArmError(
                403,
                "AuthorizationFailed",
                f"The client '{client}' with object id '{client}' does not have authorization to perform action "
                f"'{operation.action()}' over scope '{request.path}' or the scope is invalid. If access was recently "
                "granted, please refresh your credentials.",
            )
        run = self.handler(operation, request.method)
        query = self.check_query(operation, request.query)
        for name, node in operation.url.items():
            if name in request.params and name != "scope":
                check_text(node, request.params[name], name, "InvalidParameter")
        body = self.check_body(operation, request.body)
        context = Context(
            sub, operation, request.params, request.method, request.path, query, request.headers, body, request.base
        )
        context.fault = rule
        context.all_operations = self.router.operations
        answer = run(context)
        if self.answer_validators is not None and request.method == operation.method:
            self.check_answer(operation, answer)
        if sub.settings.odd_case and operation.package == "compute":
            answer.body = shout(answer.body)
        return answer

    def check_answer(self, operation, answer):
        """Whether an answer is what the vendor's models say; a fault of the emulator otherwise."""
        status = str(answer.status)
        if status not in operation.answers:
            if answer.status < 400:
                raise RuntimeError(f"{operation.name} answers {sorted(operation.answers)}, not {status}")
            return
        node = operation.answers[status]
        if node is None or answer.body is None:
            return
        try:
            self.answer_validators[operation.package].clean(node, answer.body)
        except ArmError as error:
            raise RuntimeError(f"{operation.name} answers with a wrong body: {error}") from error

    def handler(self, operation, method):
        """The function that does an operation."""
        if method == "HEAD" and operation.method == "GET" and operation.type.lower() in KINDS:
            return KINDS[operation.type.lower()].head
        if function := ACTIONS.get(operation.name):
            return function
        found = KINDS.get(operation.type.lower())
        if operation.group == "resourceGroups":
            found = KINDS["microsoft.resources/resourcegroups"]
        name = {"PUT": "put", "PATCH": "patch", "DELETE": "delete", "HEAD": "head"}.get(operation.method)
        if operation.method == "GET":
            name = "get" if operation.is_item else "list"
        if found is None or name is None:
            raise ArmError(
                501, "NotModelled", f"The emulator knows {operation.name} ({operation.path}) but does not model it."
            )
        return getattr(found, name)

    def check_query(self, operation, query):
        for name, value in query.items():
            node = operation.query.get(name)
            if node is None:
                if name.lower() not in COMMON_QUERY:
                    raise bad_request(
                        "InvalidQueryParameter", f"{operation.name} has no query parameter '{name}'; it has {sorted(operation.query)}."
                    )
            elif node.get("enum") and value.lower() not in [str(it).lower() for it in node["enum"]] and node["t"] != "array":
                raise bad_request("InvalidParameter", f"The value '{value}' of '{name}' is not allowed: {node['enum']}.")
        for name, node in operation.query.items():
            if node.get("req") and name not in query:
                raise bad_request("InvalidParameter", f"Query parameter '{name}' is missing.")
        return query

    def check_body(self, operation, body):
        if operation.body is None:
            if body and body.strip() not in (b"", b"{}", b"null"):
                raise bad_request("InvalidRequestContent", f"{operation.name} takes no body.")
            return {}
        if not body or not body.strip():
            if operation.body.get("req"):
                raise bad_request(
                    "MissingRequestBody", "The request body is missing: content with 'application/json' is expected."
                )
            return {}
        try:
            value = json.loads(body)
        except ValueError as error:
            raise bad_request(
                "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{error}'."
            ) from None
        return self.validators[operation.package].clean(operation.body, value)

    # ------------------------------------------------------------ what no table has

    def special(self, sub, request):
        """Operations under way, subscriptions and locations."""
        parts = [part for part in request.path.split("/") if part]
        if request.name == "operations.status" or request.name == "operations.result":
            return self.poll(sub, request, parts[-1])
        if request.method != "GET":
            raise ArmError(405, "MethodNotAllowed", f"'{request.path}' is only for GET.")
        if "api-version" not in request.query:
            raise bad_request("MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")
        if request.name == "subscriptions.listLocations":
            return Answer(200, {"value": groups.locations(sub)})
        return Answer(200, groups.subscription(sub))

    def poll(self, sub, request, operation_id):
        operation = sub.operations.get(operation_id)
        if operation is None:
            raise ArmError(404, "OperationNotFound", f"The operation '{operation_id}' was not found.")
        ends = {}
        if operation.status == "InProgress":
            left = max(0, min(10, int(operation.due - time.monotonic())))
            ends = {"Retry-After": str(left if sub.settings.retry_after is None else sub.settings.retry_after)}
        if request.name == "operations.status":
            return Answer(200, operation.show(), ends)
        if operation.status == "InProgress":
            return Answer(202, None, {**ends, "Location": f"{request.base}{operation.result_path()}?api-version={operation.version}"})
        if operation.error:
            return Answer(operation.error.get("status", 409), {"error": operation.error})
        result = operation.result() if operation.result else None
        if result is None:
            return Answer(200 if operation.namespace.lower() == "microsoft.resources" else 204)
        return Answer(200, result)


class Request:
    def __init__(self, method, path, query, headers, body, base, token):
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.base = base
        self.token = token
        self.name = self.operation = None
        self.params = {}

    @property
    def mutates(self):
        """Whether the request may change anything."""
        return self.operation.mutates() if self.operation else self.method not in ("GET", "HEAD")


GROUP = re.compile(r"(/subscriptions/[^/]+/resourceGroups/)([^/]+)")


def shout(value):
    """Ids with the group's name in capitals, as Azure's compute gives them now and then."""
    if isinstance(value, dict):
        return {key: shout(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shout(item) for item in value]
    if isinstance(value, str):
        return GROUP.sub(lambda found: found[1] + found[2].upper(), value)
    return value


def special(path):
    """The name of a request that the tables do not have."""
    parts = [part.lower() for part in path.split("/") if part]
    if len(parts) == 2:
        return "subscriptions.get"
    if len(parts) == 3 and parts[2] == "locations":
        return "subscriptions.listLocations"
    if len(parts) == 4 and parts[2] == "operationresults":
        return "operations.result"
    if len(parts) == 8 and parts[4] == "locations":
        return {"operations": "operations.status", "operationresults": "operations.result"}.get(parts[6])
    return None


def injected(rule):
    status, body = rule.error()
    return Answer(status, body, dict(rule.headers))


def throttled(seconds):
    return Answer(
        429,
        {
            "error": {
                "code": "TooManyRequests",
                "message": "The request is being throttled as the limit of requests of the subscription has been reached.",
            }
        },
        {"Retry-After": str(int(seconds) + 1)},
    )


def error_answer(error):
    if error.status == 401:
        return unauthorized(error)
    return Answer(error.status, error.body(), dict(error.headers))


def finish(answer):
    """An answer as bytes."""
    headers = dict(answer.headers)
    if answer.body is None:
        return answer.status, headers, b""
    if isinstance(answer.body, bytes):
        return answer.status, headers, answer.body
    headers.setdefault("Content-Type", "application/json; charset=utf-8")
    return answer.status, headers, json.dumps(answer.body).encode()

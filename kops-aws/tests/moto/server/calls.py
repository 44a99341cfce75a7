"""What a request asks for: `service:Action`, the way IAM and kops-aws write it.

Query services (EC2, IAM, ELB, Auto Scaling, STS) name the action in their form body, JSON services (Certificate
Manager, KMS) in a header. REST services (S3, Route 53) do not, so the request is matched against botocore's own
description of every operation.
"""

import dataclasses
import functools
import re
import urllib.parse

import botocore.session

# What the names of actions that change nothing begin with.
READING = ("Describe", "List", "Get", "Head", "Simulate")

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


@dataclasses.dataclass(frozen=True)
class Request:
    """One request as far as the harness looks into it."""

    access_key: str
    region: str
    service: str
    action: str
    form: dict
    query: dict

    @property
    def name(self):
        return f"{self.service}:{self.action}"

    @property
    def mutates(self):
        """Whether the request may change anything."""
        return not self.action.startswith(READING)

    def parameter(self, name):
        return self.form.get(name, [None])[0]


def identify(environ, body):
    """Reads a WSGI request; `None` when it is not signed."""
    found = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if not found:
        return None
    access_key, region, service = found.groups()
    form = {}
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        form = urllib.parse.parse_qs(body.decode("latin1"), keep_blank_values=True)
    if "Action" in form:
        action = form["Action"][0]
    elif target := environ.get("HTTP_X_AMZ_TARGET"):
        # `TrentService.DescribeKey`
        action = target.rpartition(".")[2]
    else:
        action = _rest_action(service, environ)
    query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return Request(access_key, region, service, action, form, query)


def _rest_action(service, environ):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].strip("/")
    query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for operation in _rest_operations(service):
        if operation.matches(method, path, query, environ):
            return operation.name
    return f"{method} /{path}"


@dataclasses.dataclass(frozen=True)
class _RestOperation:
    name: str
    method: str
    path: re.Pattern
    query: dict
    headers: list

    def matches(self, method, path, query, environ):
        return (
            method == self.method
            and self.path.fullmatch(path)
            and all(key in query and (not value or query[key] == [value]) for key, value in self.query.items())
            and all(header in environ for header in self.headers)
        )


@functools.cache
def _rest_operations(service):
    """All operations of a service, those that ask for more first: CopyObject is a PutObject with a header."""
    model = botocore.session.get_session().get_service_model(service)
    operations = [_rest_operation(model.operation_model(name)) for name in model.operation_names]
    return sorted(operations, key=lambda it: -(len(it.query) + len(it.headers)))


def _rest_operation(model):
    path, _, query = model.http["requestUri"].partition("?")
    pattern = ""
    for piece in re.split(r"(\{[^}]+\})", path.strip("/")):
        if piece.endswith("+}"):
            pattern += ".+"
        elif piece.startswith("{"):
            pattern += "[^/]+"
        else:
            pattern += re.escape(piece)
    keys = dict(part.partition("=")[::2] for part in query.split("&") if part)
    # `x-id` only tells an operation's name to proxies; not every client sends it.
    keys.pop("x-id", None)
    headers = []
    shape = model.input_shape
    for member in shape.required_members if shape else []:
        place = shape.members[member].serialization
        if place.get("location") == "querystring":
            keys.setdefault(place["name"], "")
        elif place.get("location") == "header":
            headers.append("HTTP_" + place["name"].upper().replace("-", "_"))
    return _RestOperation(model.name, model.http["method"], re.compile(pattern), keys, headers)

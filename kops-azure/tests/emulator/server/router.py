"""Which operation a request is, by the vendor's tables: path, verb and API version."""

import re

from errors import ArmError, bad_request

# Two packages call a group alike; the private one's is renamed.
RENAMED = {("privatedns", "recordSets"): "privateRecordSets"}
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-\w+)?")


class Operation:
    """One operation of the tables."""

    def __init__(self, package, data, models):
        self.package = package
        self.models = models
        self.group = RENAMED.get((package, data["group"]), data["group"])
        self.verb = data["name"]
        self.name = f"{self.group}.{self.verb}"
        self.method = data["method"]
        self.path = data["path"]
        self.versions = data["versions"]
        self.query = data["query"]
        self.url = data["url"]
        self.headers = {name.lower() for name in data["headers"]}
        self.body = data.get("body")
        self.answers = data["answers"]
        self.long = data.get("long")
        self.parts = [part for part in self.path.split("/") if part]
        self.is_item = self.parts[-1].startswith("{")
        self.type = self.resource_type()
        self.open = self.parts[0].startswith("{")

    def resource_type(self):
        """`Microsoft.Network/virtualNetworks/subnets`; for a POST without its last word."""
        places = [index for index, part in enumerate(self.parts) if part == "providers"]
        if not places or places[-1] == len(self.parts) - 1:
            return f"Microsoft.Resources/{self.group}"
        tail = self.parts[places[-1] + 1 :]
        words = tail[1::2]
        if self.method == "POST" and len(tail) % 2 == 0 and len(words) > 1:
            words = words[:-1]
        return "/".join([tail[0], *words])

    def action(self):
        """What a role must allow: `Microsoft.Network/virtualNetworks/write`."""
        kind = self.type
        if self.group == "resourceGroups":
            kind = "Microsoft.Resources/subscriptions/resourceGroups"
        word = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}.get(self.method)
        if word is None:
            word = f"{self.parts[-1]}/action"
        return f"{kind}/{word}"

    def mutates(self):
        return self.method in ("PUT", "PATCH", "DELETE", "POST") and not self.verb.startswith(("list", "get", "check"))


class Router:
    def __init__(self, schema):
        self.operations = []
        for package, content in schema.items():
            for data in content["operations"]:
                self.operations.append(Operation(package, data, content["models"]))
        self.fixed = {}
        self.scoped = {}
        self.types = {}
        self.providers = {}
        for operation in self.operations:
            self.index(operation)

    def index(self, operation):
        parts = [part.lower() for part in operation.parts]
        if operation.open and len(parts) > 1:
            tail = parts[parts.index("providers") :]
            self.scoped.setdefault((len(tail), *_words(tail)), []).append((operation, tail))
        elif not operation.open:
            self.fixed.setdefault((len(parts), *_words(parts)), []).append((operation, parts))
        if "/" in operation.type and "{" not in operation.type:
            self.types.setdefault(operation.type.lower(), set()).update(operation.versions)
            self.providers.setdefault(operation.type.split("/")[0].lower(), operation.type.split("/")[0])

    def match(self, method, path, version):
        """The operation and its path parameters, or an error that ARM would give."""
        parts = [part for part in path.split("/") if part]
        candidates = self.candidates(parts)
        if not candidates:
            raise self.unknown(parts, version)
        if version is None:
            raise bad_request(
                "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests."
            )
        if not VERSION.fullmatch(version):
            raise bad_request("InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
        known = [it for it in candidates if version in it[0].versions]
        if not known:
            versions = sorted({it for operation, _ in candidates for it in operation.versions})
            raise bad_request(
                "NoRegisteredProviderFound",
                f"No registered resource provider found for API version '{version}' for type "
                f"'{candidates[0][0].type.partition('/')[2]}'. The supported api-versions are '{', '.join(versions)}'.",
            )
        for operation, parameters in known:
            if operation.method == method:
                return operation, parameters
        if method == "HEAD":
            # ARM answers for any resource whether it is there, whatever its provider's tables say.
            for operation, parameters in known:
                if operation.method == "GET" and operation.is_item:
                    return operation, parameters
        allowed = sorted({operation.method for operation, _ in known})
        raise ArmError(
            405,
            "MethodNotAllowed",
            f"The requested resource does not support http method '{method}'.",
            headers={"Allow": ", ".join(allowed)},
        )

    def candidates(self, parts):
        lower = [part.lower() for part in parts]
        found = _matching(self.fixed.get((len(lower), *_words(lower)), []), lower, parts)
        places = [index for index, part in enumerate(lower) if part == "providers"]
        if not found and places:
            start = places[-1]
            tail = lower[start:]
            found = _matching(self.scoped.get((len(tail), *_words(tail)), []), tail, parts[start:])
            scope = "/" + "/".join(parts[:start]) if start else "/"
            for _, parameters in found:
                parameters["scope"] = scope
        # Words are dearer than parameters: `…/virtualMachines/{id}` is not `…/{recordType}/{name}`.
        found.sort(key=lambda it: sum(part.startswith("{") for part in it[0].parts))
        if found:
            best = sum(part.startswith("{") for part in found[0][0].parts)
            found = [it for it in found if sum(part.startswith("{") for part in it[0].parts) == best]
        return found

    def unknown(self, parts, version):
        lower = [part.lower() for part in parts]
        places = [index for index, part in enumerate(lower) if part == "providers"]
        if not places or len(parts) <= places[-1] + 2:
            return ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '/{'/'.join(parts)}'.")
        namespace = parts[places[-1] + 1]
        if namespace.lower() not in self.providers:
            return ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
        kind = "/".join(parts[places[-1] + 2 :: 2])
        return ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version '{version}'.",
        )


def _words(parts):
    """Provider and first type word: what paths of one length differ in most."""
    places = [index for index, part in enumerate(parts) if part == "providers"]
    if not places:
        return None, None
    tail = parts[places[-1] + 1 : places[-1] + 3]
    return tuple((tail + [None, None])[:2])


def _matching(entries, lower, parts):
    found = []
    for operation, template in entries:
        parameters = {}
        for pattern, low, part in zip(template, lower, parts):
            if pattern[0] == "{":
                parameters[pattern[1:-1]] = part
            elif pattern != low:
                break
        else:
            # Templates were lowered to compare; the names of parameters were not meant.
            names = {name.lower(): name for name in re.findall(r"\{(\w+)\}", operation.path)}
            found.append((operation, {names[name]: value for name, value in parameters.items()}))
    return found

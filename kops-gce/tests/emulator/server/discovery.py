"""Google's discovery documents: which methods there are, on which paths, with which parameters and bodies.

The documents come with the Python package `google-api-python-client`; only its data files are read.
"""

import importlib.util
import json
import os
import re
import urllib.parse

DOCUMENTS = {
    "compute": ["compute.v1"],
    "dns": ["dns.v1"],
    "storage": ["storage.v1"],
    "iam": ["iam.v1"],
    "cloudresourcemanager": ["cloudresourcemanager.v1", "cloudresourcemanager.v3"],
}

# Every Google API takes these; the documents list most but not all of them.
COMMON_PARAMETERS = {
    "$alt", "$apiVersion", "$fields", "$key", "$prettyPrint", "$quotaUser", "$userProject", "$xgafv", "$httpHeaders",
    "$unique", "$trace", "$.xgafv", "alt", "access_token", "callback", "fields", "key", "oauth_token", "prettyPrint",
    "quotaUser", "upload_id", "uploadType", "upload_protocol", "userIp", "userProject", "trace",
}  # fmt: skip

# Calls by POST that only look.
READING = re.compile(
    r"\.(listManagedInstances|listInstances|listPerInstanceConfigs|getIamPolicy|testIamPermissions|wait|getHealth"
    r"|preview|getAncestry|queryTestablePermissions)$"
)


class Document:
    """One API at one version."""

    def __init__(self, service, content):
        self.service = service
        self.schemas = content["schemas"]
        self.parameters = content.get("parameters", {})
        self.base = urllib.parse.urlsplit(content["rootUrl"]).path.rstrip("/") + "/" + content["servicePath"]
        self.methods = []
        self._collect(content)

    def _collect(self, resource):
        for description in resource.get("methods", {}).values():
            self.methods.append(Method(self, description))
        for nested in resource.get("resources", {}).values():
            self._collect(nested)


class Method:
    """One method: `compute.networks.insert`."""

    def __init__(self, document, description):
        self.document = document
        self.service = document.service
        self.id = description["id"]
        self.verb = description["httpMethod"]
        self.name = self.id.rsplit(".", 1)[1]
        self.path = document.base + description["path"]
        self.parameters = description.get("parameters", {})
        self.request = description.get("request", {}).get("$ref")
        self.response = description.get("response", {}).get("$ref")
        self.mutates = self.verb != "GET" and not READING.search(self.id)
        uploads = description.get("mediaUpload", {}).get("protocols", {})
        self.upload_path = uploads.get("simple", {}).get("path")
        self.downloads = description.get("supportsMediaDownload", False)

    def patterns(self):
        """(regular expression, whether it is the path of an upload), for every path of the method."""
        yield self._pattern(self.path), False
        if self.upload_path:
            yield self._pattern(self.upload_path), True

    def _pattern(self, path):
        pattern, literals = "", 0
        for piece in re.split(r"(\{[^}]+\})", path):
            if piece.startswith("{"):
                name = piece[1:-1].lstrip("+")
                group = _group(name)
                if piece[1] == "+":
                    # Such a parameter spans segments: its own pattern says which.
                    own = self.parameters[name].get("pattern", "^.+$")
                    pattern += f"(?P<{group}>{own.removeprefix('^').removesuffix('$')})"
                else:
                    pattern += f"(?P<{group}>[^/]+?)"
            else:
                pattern += re.escape(piece)
                literals += len(piece)
        return Pattern(self, re.compile(pattern), literals, "{+" in path, path.count("/"))


class Pattern:
    def __init__(self, method, expression, literals, spans, slashes):
        self.method = method
        self.expression = expression
        self.literals = literals
        self.spans = spans
        self.slashes = slashes


def _group(name):
    # Group names are stricter than parameter names.
    return "p_" + name.replace(".", "_dot_").replace("-", "_dash_")


def _parameter(group):
    return group[2:].replace("_dot_", ".").replace("_dash_", "-")


class Routes:
    """From a request's verb and path to its method."""

    def __init__(self, documents):
        self.methods = {}
        # By verb and number of slashes, so that a request is matched against a few dozen patterns, not 1,500.
        self.fixed = {}
        self.spanning = {}
        for document in documents:
            for method in document.methods:
                self.methods.setdefault(method.id, method)
                for pattern, upload in method.patterns():
                    entry = (pattern, upload)
                    if pattern.spans:
                        self.spanning.setdefault(method.verb, []).append(entry)
                    else:
                        self.fixed.setdefault((method.verb, pattern.slashes), []).append(entry)
        # `projects/{project}/zones/{zone}` and `b/{bucket}/iam` against `b/{bucket}/{x}`: more literals win.
        for entries in [*self.fixed.values(), *self.spanning.values()]:
            entries.sort(key=lambda entry: -entry[0].literals)

    def find(self, verb, path):
        """(method, path parameters, whether it uploads) for a path that is still percent-encoded, or None."""
        services = set(DOCUMENTS)
        found = self._match(verb, path, services)
        if found is None:
            # http://host:port/compute/… : a client that takes one address per service.
            _, prefix, rest = path.split("/", 2) if path.count("/") >= 2 else ("", "", "")
            if prefix in services:
                found = self._match(verb, "/" + rest, {prefix})
            # The client of Storage and of DNS may be given the address with the version in it.
            if found is None and prefix in services:
                found = self._match(verb, f"/{prefix}/v1/{rest}", {prefix})
        return found

    def verbs(self, path):
        return [verb for verb in ("GET", "POST", "PUT", "PATCH", "DELETE") if self.find(verb, path)]

    def _match(self, verb, path, services):
        for entries in (self.fixed.get((verb, path.count("/")), []), self.spanning.get(verb, [])):
            for pattern, upload in entries:
                if pattern.method.service not in services:
                    continue
                match = pattern.expression.fullmatch(path)
                # An escaped ':' or '@' must match the pattern of a spanning parameter, too.
                if match is None and pattern.spans and "%" in path:
                    match = pattern.expression.fullmatch(urllib.parse.unquote(path))
                if match is not None:
                    values = {_parameter(key): urllib.parse.unquote(value) for key, value in match.groupdict().items()}
                    return pattern.method, values, upload
        return None


def load():
    """All routes; takes about a third of a second."""
    return Routes([Document(service, _read(name)) for service, names in DOCUMENTS.items() for name in names])


def _read(name):
    # Finding the package without importing it keeps the start short, and its dependencies out.
    package = importlib.util.find_spec("googleapiclient")
    if package is None:
        raise SystemExit("google-api-python-client is not installed: see requirements.txt")
    folder = os.path.join(os.path.dirname(package.origin), "discovery_cache", "documents")
    with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as file:
        return json.load(file)

"""What Azure's APIs take and give, made from the vendor's own operation tables and models.

The result is plain data, kept as JSON in the cache:

* `operations`: `{group, name, method, path, versions, body, answers, query, headers, long}`; `long` says that the vendor's
  client polls it, and by which header it learns the result (`azure-async-operation`, `location` or `""`).
* `models`: a node per class. A node is `{t, ro?, req?, …}` with `t` one of `object` (`props`, `open`, `variants`),
  `array` (`of`), `map` (`of`), `model` (`name`), `string` (`enum`, `pattern`, `min`, `max`), `number`, `integer`,
  `boolean`, `any`.

The tables flatten `properties.x`; here the nesting is as on the wire.
"""

import hashlib
import json
import os
import re

import literals
import packages

# Raised when this file changes what it makes.
FORMAT = 4

# What a later API version added, where the tables are those of an earlier one. The Rust crate sends private DNS
# as of 2024-06-01, which no release with tables has; its models have these two properties more.
ADDITIONS = {
    "privatedns": {
        "versions": {"2020-06-01": ["2024-06-01"]},
        "models": {
            "VirtualNetworkLink": {"resolutionPolicy": {"t": "string", "enum": ["Default", "NxDomainRedirect"]}},
            "PrivateZone": {"internalId": {"t": "string", "ro": True}},
        },
    }
}


def load(cache):
    """The schema, from the cache or made anew."""
    manifest = packages.manifest()
    identity = json.dumps([FORMAT, manifest, ADDITIONS], sort_keys=True)
    path = os.path.join(cache, f"schema-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    schema = {}
    for package in manifest["packages"]:
        short = package["name"].rpartition("-")[2]
        schema[short] = _package(packages.sources(package, cache), ADDITIONS.get(short, {}))
    packages.write(path, json.dumps(schema).encode())
    return schema


def _package(files, additions):
    mappers = literals.constants(files["models/mappers.ts"])
    parameters = literals.constants(files["models/parameters.ts"])
    enums = _Enums(files["models/index.ts"])
    models = _Models(mappers, enums)
    made = {name: models.node(name) for name, mapper in mappers.items() if mapper.get("type", {}).get("name") == "Composite"}
    for name, extra in additions.get("models", {}).items():
        made[name]["props"]["properties"]["props"].update(extra)
    operations = []
    for path, text in files.items():
        if path.startswith("operations/") and not path.endswith("index.ts"):
            group = path[len("operations/") : -len(".ts")]
            operations += _operations(group, text, parameters, models, additions.get("versions", {}))
    return {"operations": operations, "models": made}


class _Enums:
    """Allowed values: the tables have those of closed enumerations only, the declarations have all."""

    def __init__(self, text):
        self.values = {}
        for name, body in re.findall(r"export enum Known(\w+) \{(.*?)\n\}", text, re.S):
            self.values[name] = re.findall(r'=\s*"((?:[^"\\]|\\.)*)"', body)
        self.fields = {}
        for name, body in re.findall(r"export interface (\w+)[^{]*\{(.*?)\n\}", text, re.S):
            for field, kind in re.findall(r'^  (?:readonly )?"?([\w$.@-]+)"?\??: ([^;]+);', body, re.M):
                self.fields[name, field] = kind.strip()

    def of(self, model, field):
        kind = self.fields.get((model, field), "")
        return self.values.get(kind.removesuffix("[]"))


class _Models:
    def __init__(self, mappers, enums):
        self.mappers = mappers
        self.enums = enums
        self.variants = {}
        for name, target in mappers.get("discriminators", {}).items():
            base, _, value = name.partition(".")
            self.variants.setdefault(base, {})[value] = str(target)

    def node(self, name):
        """The node of a class, its bases' members included."""
        mapper = self.mappers[name]["type"]
        node = {"t": "object", "props": {}}
        if "additionalProperties" in mapper:
            node["open"] = True
        for owner, field, member in self.members(name):
            child = self.value(member, owner, field)
            self.place(node, _split(member.get("serializedName", field)), child)
        marker = mapper.get("polymorphicDiscriminator")
        # Only a base itself tells by which member its variants differ.
        if name in self.variants and isinstance(marker, dict):
            node["variants"] = {"by": marker["serializedName"], "of": self.variants[name]}
        return node

    def members(self, name):
        properties = self.mappers[name]["type"].get("modelProperties", {})
        found = []
        for base in properties.get("...", []):
            found += self.members(base.split(".")[0])
        return found + [(name, field, member) for field, member in properties.items() if field != "..."]

    def place(self, node, path, child):
        """Puts a member where it is on the wire, making the objects between."""
        for step in path[:-1]:
            node = node["props"].setdefault(step, {"t": "object", "props": {}, "implicit": True})
        node["props"][path[-1]] = child

    def value(self, mapper, owner=None, field=None):
        node = self.typed(mapper.get("type", {"name": "any"}), owner, field)
        if mapper.get("readOnly"):
            node["ro"] = True
        if mapper.get("required"):
            node["req"] = True
        if mapper.get("isConstant"):
            node["enum"] = [mapper["defaultValue"]]
        limits = mapper.get("constraints", {})
        for theirs, ours in LIMITS.items():
            if theirs in limits:
                node[ours] = limits[theirs]
        return node

    def typed(self, kind, owner, field):
        name = kind["name"]
        if name == "Composite":
            return {"t": "model", "name": str(kind["className"])}
        if name == "Sequence":
            return {"t": "array", "of": self.value(kind["element"], owner, field)}
        if name == "Dictionary":
            return {"t": "map", "of": self.value(kind["value"])}
        if name == "Enum":
            return {"t": "string", "enum": kind["allowedValues"]}
        if name in ("String", "Uuid", "DateTime", "Date", "TimeSpan", "ByteArray", "Base64Url", "DateTimeRfc1123"):
            node = {"t": "string"}
            if allowed := self.enums.of(owner, field):
                # Azure compares the values of open enumerations without regard to case.
                node["enum"] = allowed
            if name in ("Uuid", "DateTime", "ByteArray"):
                node["format"] = name
            return node
        if name in ("Number", "Boolean"):
            return {"t": name.lower()}
        return {"t": "any"}


LIMITS = {
    "Pattern": "pattern",
    "MinLength": "shortest",
    "MaxLength": "longest",
    "InclusiveMinimum": "least",
    "InclusiveMaximum": "most",
    "MinItems": "fewest",
    "UniqueItems": "unique",
}


def _split(name):
    """`properties.a` is nested, `odata\\.type` is not."""
    return [part.replace("\0", ".") for part in name.replace("\\.", "\0").split(".")]


def _operations(group, text, parameters, models, later):
    found = []
    for constant, spec in literals.constants(text).items():
        if not constant.endswith("OperationSpec") or spec["path"] == "{nextLink}":
            continue
        name = constant[: -len("OperationSpec")]
        arguments = {kind: [_parameter(parameters, models, ref) for ref in spec.get(kind, [])] for kind in KINDS}
        versions = [it["default"] for it in arguments["queryParameters"] if it["name"] == "api-version" and "default" in it]
        operation = {
            # `tagsOperations` is called so only because `tags` was taken.
            "group": group.removesuffix("Operations") if group == "tagsOperations" else group,
            "name": name,
            "method": spec["httpMethod"],
            "path": spec["path"],
            "versions": sorted({it for version in versions for it in [version, *later.get(version, [])]}),
            "query": {it["name"]: it["node"] for it in arguments["queryParameters"] if it["name"] != "api-version"},
            "url": {it["name"]: it["node"] for it in arguments["urlParameters"]},
            "headers": sorted(it["name"] for it in arguments["headerParameters"]),
            "answers": {status: _answer(models, it) for status, it in spec["responses"].items() if status.isdigit()},
        }
        if "requestBody" in spec:
            operation["body"] = _parameter(parameters, models, spec["requestBody"])["node"]
        if (long := _long(text, name)) is not None:
            operation["long"] = long
        found.append(operation)
    return found


KINDS = ["queryParameters", "urlParameters", "headerParameters"]


def _parameter(parameters, models, ref):
    parameter = parameters[ref.split(".")[-1]]
    mapper = parameter["mapper"]
    if isinstance(mapper, literals.Ref):
        # A body: `mapper: DiskMapper`, imported from the models.
        optional = isinstance(parameter.get("parameterPath"), list)
        node = {"t": "model", "name": mapper.removesuffix("Mapper")}
        return {"name": "body", "node": node if optional else {**node, "req": True}}
    found = {"name": mapper.get("serializedName", "body"), "node": models.value(mapper)}
    if "defaultValue" in mapper:
        found["default"] = mapper["defaultValue"]
    return found


def _answer(models, response):
    """The node of a body, `None` for none."""
    mapper = response.get("bodyMapper")
    if mapper is None:
        return None
    if isinstance(mapper, literals.Ref):
        return {"t": "model", "name": mapper.split(".")[-1]}
    return models.value(mapper)


def _long(text, name):
    """How the vendor's client polls an operation; `None` when it does not."""
    begin = f"  async begin{name[0].upper()}{name[1:]}("
    _, found, rest = text.partition(begin)
    if not found:
        return None
    body = rest.split("\n  async ")[0].split("\n  /**")[0]
    config = re.search(r'resourceLocationConfig: "([^"]+)"', body)
    return config.group(1) if config else ""

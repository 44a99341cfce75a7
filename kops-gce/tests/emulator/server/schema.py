"""Whether a request fits the method's description, and its parameters and body as the service would read them.

As Google's front end does: unknown names, wrong types and unknown enum values are refused; numbers may come as
strings and 64-bit integers become strings; fields that only the service writes are accepted and ignored; `null`
means absent, except that it clears a field in a PATCH.
"""

import base64
import binascii
import functools
import re

from discovery import COMMON_PARAMETERS
from errors import bad_value, malformed, required

INT_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
OUTPUT_ONLY = re.compile(r"\s*(Output only\.|\[Output[ -]Only\])", re.IGNORECASE)

# Fields that the documents call output-only while the API reads them.
WRITABLE = {
    # Group members and the like are sent back as they were read.
    ("Policy", "etag"),
    ("Metadata", "fingerprint"),
    ("Tags", "fingerprint"),
}

LABEL_KEY = re.compile(r"[a-z\u00df-\uffff][-_a-z0-9\u00df-\uffff]{0,62}")
LABEL_VALUE = re.compile(r"[-_a-z0-9\u00df-\uffff]{0,63}")


def query(method, values):
    """The query parameters, typed. `values`: name -> list of strings."""
    result = {}
    for name, given in values.items():
        description = method.parameters.get(name)
        if description is None or description.get("location") == "path":
            if name in COMMON_PARAMETERS or name in method.document.parameters:
                continue
            raise malformed(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                f"Field '{name}' could not be found in request message."
            )
        if description.get("repeated"):
            result[name] = [_parameter(name, description, value) for value in given]
        elif len(given) > 1:
            raise malformed(f"Invalid value for parameter '{name}': it may be given only once.")
        elif given[0] != "" or description["type"] == "string":
            result[name] = _parameter(name, description, given[0])
    for name, description in method.parameters.items():
        if description.get("required") and description["location"] == "query" and result.get(name) in (None, ""):
            raise required(name)
    return result


def path(method, values):
    """Checks the parameters of the path."""
    for name, value in values.items():
        description = method.parameters.get(name, {})
        pattern = description.get("pattern")
        # The documents forget that resources can also be named by number.
        if pattern and not value.isdigit() and not _compiled(pattern).fullmatch(value):
            raise bad_value(name, value, f"Must be a match of regex '{pattern}'")
        if method.service == "storage":
            continue
        if description.get("type") == "string" and "enum" in description and value not in description["enum"]:
            raise malformed(f"Invalid value at '{name}': \"{value}\"")


def _parameter(name, description, value):
    kind = description["type"]
    if kind == "boolean":
        if value not in ("true", "false"):
            raise malformed(f"Invalid value at '{name}' (TYPE_BOOL), \"{value}\"")
        return value == "true"
    if kind == "integer" or description.get("format") in INT_RANGES:
        number = _integer(value, description.get("format", "int32"), name)
        low, high = description.get("minimum"), description.get("maximum")
        if (low and number < int(low)) or (high and number > int(high)):
            raise bad_value(name, value, f"Must be between {low} and {high}")
        return number
    if "enum" in description and value not in description["enum"]:
        raise malformed(f"Invalid value at '{name}': \"{value}\"")
    pattern = description.get("pattern")
    if pattern and value and not _compiled(pattern).fullmatch(value):
        raise bad_value(name, value, f"Must be a match of regex '{pattern}'")
    if name == "requestId":
        check_request_id(value)
    return value


def check_request_id(value):
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value) or not value.strip("0-"):
        raise bad_value("requestId", value, "Must be a UUID other than the zero UUID")


def body(method, value):
    """The body, as the service reads it."""
    if method.request is None:
        if value not in (None, {}):
            raise malformed(f"Invalid JSON payload received. {method.id} takes no body.")
        return {}
    if value is None:
        value = {}
    return _Reader(method).message(method.request, value, "resource", top=True)


class _Reader:
    def __init__(self, method):
        self.method = method
        self.schemas = method.document.schemas
        self.keep_null = method.verb == "PATCH"

    def message(self, name, value, where, top=False):
        schema = self.schemas[name]
        if schema.get("type") == "any":
            return value
        if not isinstance(value, dict):
            raise malformed(f"Invalid JSON payload received. '{where}' must be an object ({name}).")
        return self._object(name, schema, value, where, top)

    def _object(self, name, schema, value, where, top=False):
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        result = {}
        for key, item in value.items():
            description = properties.get(key, rest)
            place = f"{where}.{key}"
            if description is None:
                raise malformed(
                    f"Invalid JSON payload received. Unknown name \"{key}\" at '{where}': Cannot find field."
                )
            if item is None:
                if self.keep_null and not is_output_only(description):
                    result[key] = None
                continue
            read = self._value(description, item, place, name)
            if key in properties and is_output_only(description) and (name, key) not in WRITABLE:
                continue
            result[key] = read
        if rest is not None and where.endswith(("abels", "abels.additionalProperties")):
            _check_labels(result, where)
        for key, description in properties.items():
            wanted = description.get("annotations", {}).get("required", ())
            if self.method.id in wanted and result.get(key) in (None, "", []):
                raise required(f"{where}.{key}")
        return result

    def _value(self, description, value, where, owner):
        if "$ref" in description:
            return self.message(description["$ref"], value, where)
        kind = description.get("type", "any")
        if kind == "any":
            return value
        if kind == "object":
            if not isinstance(value, dict):
                raise malformed(f"Invalid JSON payload received. '{where}' must be an object.")
            return self._object(owner, description, value, where)
        if kind == "array":
            if not isinstance(value, list):
                raise malformed(f"Invalid JSON payload received. '{where}' must be a list.")
            return [
                self._value(description["items"], item, f"{where}[{index}]", owner) for index, item in enumerate(value)
            ]
        return self._scalar(description, kind, value, where)

    def _scalar(self, description, kind, value, where):
        if kind == "boolean":
            if not isinstance(value, bool):
                raise malformed(f"Invalid value at '{where}' (TYPE_BOOL), {value!r}")
            return value
        form = description.get("format")
        if kind == "integer":
            return _integer(value, form or "int32", where)
        if kind == "number":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise malformed(f"Invalid value at '{where}' (TYPE_DOUBLE), {value!r}")
            return value
        if form in INT_RANGES:
            return str(_integer(value, form, where))
        if "enum" in description and isinstance(value, int) and 0 <= value < len(description["enum"]):
            # Enums may be sent as their numbers, which clients of the newer APIs do.
            return description["enum"][value]
        if not isinstance(value, str):
            raise malformed(f"Invalid value at '{where}' (TYPE_STRING), {value!r}")
        if form == "byte":
            try:
                base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
            except binascii.Error:
                raise malformed(f"Invalid value at '{where}' (TYPE_BYTES), Base64 decoding failed") from None
        if is_output_only(description):
            return value
        if "enum" in description and value not in description["enum"]:
            if value == "":
                return value
            raise malformed(f"Invalid value at '{where}' (TYPE_ENUM), \"{value}\"")
        pattern = description.get("pattern")
        if pattern and value and not _compiled(pattern).fullmatch(value):
            raise bad_value(where, value, f"Must be a match of regex '{pattern}'")
        return value


def misfits(method, value):
    """What an answer has that the document does not: a check of the emulator itself, for its tests."""
    if not method.response or value is None:
        return []
    schemas, found = method.document.schemas, []

    def look(description, value, where):
        while "$ref" in description:
            description = schemas[description["$ref"]]
        kind = description.get("type")
        wanted = {
            "string": str,
            "integer": int,
            "boolean": bool,
            "array": list,
            "object": dict,
            "number": (int, float),
        }.get(kind)
        if wanted and not isinstance(value, wanted):
            found.append(f"{where}: {value!r} is no {kind}")
        elif kind == "array":
            for index, item in enumerate(value):
                look(description["items"], item, f"{where}[{index}]")
        elif isinstance(value, dict) and kind == "object":
            properties, rest = description.get("properties", {}), description.get("additionalProperties")
            for key, item in value.items():
                inner = properties.get(key, rest)
                if inner is None:
                    found.append(f"{where}.{key} is unknown")
                else:
                    look(inner, item, f"{where}.{key}")
        elif "enum" in description and value not in description["enum"]:
            found.append(f"{where}: {value!r} is not of its enum")

    look({"$ref": method.response}, value, method.response)
    return found


def is_output_only(description):
    return description.get("readOnly", False) or bool(OUTPUT_ONLY.match(description.get("description", "")))


def _integer(value, form, where):
    try:
        if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
            raise ValueError
        number = int(value)
    except (TypeError, ValueError):
        raise malformed(f"Invalid value at '{where}' (TYPE_{form.upper()}), {value!r}") from None
    low, high = INT_RANGES.get(form, INT_RANGES["int64"])
    if not low <= number <= high:
        raise malformed(f"Invalid value at '{where}' (TYPE_{form.upper()}), {value!r}")
    return number


def _check_labels(labels, where):
    if len(labels) > 64:
        raise bad_value(where, len(labels), "There may be at most 64 labels")
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or key != key.lower():
            raise bad_value(where, key, "Label keys are up to 63 lower-case letters, digits, '_' and '-'")
        if value is not None and (not LABEL_VALUE.fullmatch(value) or value != value.lower()):
            raise bad_value(where, value, "Label values are up to 63 lower-case letters, digits, '_' and '-'")


@functools.cache
def _compiled(pattern):
    return re.compile(pattern)

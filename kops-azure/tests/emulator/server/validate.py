"""Checks request bodies and parameters against the vendor's models, and cleans them for keeping.

Strict where Azure is: unknown members, wrong types, values outside of an enumeration, missing members. Lenient
where Azure is: `null` means absent, and read-only members are ignored, for clients send back what they got.
"""

import base64
import binascii
import re

from errors import bad_request, missing

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)


class Validator:
    def __init__(self, models):
        self.models = models

    def clean(self, node, value, path=""):
        """The value as it is to be kept; raises when Azure would refuse it."""
        kind = node["t"]
        if kind == "model":
            return self.model(node["name"], value, path)
        if kind == "object":
            return self.object(node, value, path)
        if kind == "array":
            return self.array(node, value, path)
        if kind == "map":
            if not isinstance(value, dict):
                raise _wrong_type(path, "an object", value)
            items = {key: self.clean(node["of"], item, f"{path}.{key}") for key, item in value.items() if item is not None}
            return items
        if kind == "string":
            return self.string(node, value, path)
        if kind == "number":
            return self.number(node, value, path)
        if kind == "boolean":
            if not isinstance(value, bool):
                raise _wrong_type(path, "a boolean", value)
        return value

    def model(self, name, value, path):
        node = self.models.get(name)
        if node is None:
            return value
        variants = node.get("variants")
        if variants and isinstance(value, dict):
            chosen = variants["of"].get(value.get(variants["by"]))
            node = self.models.get(chosen, node)
        return self.object(node, value, path)

    def object(self, node, value, path):
        if not isinstance(value, dict):
            raise _wrong_type(path, "an object", value)
        members = node["props"]
        kept = {}
        for name, item in value.items():
            member = members.get(name)
            if member is None:
                if not node.get("open") and name != variant_of(node):
                    raise bad_request(
                        "InvalidRequestContent",
                        "The request content was invalid and could not be deserialized: "
                        f"'Could not find member '{name}' on object of type '{path.rpartition('.')[2] or 'body'}'. "
                        f"Path '{_join(path, name)}'.'",
                        _join(path, name),
                    )
                kept[name] = item
            elif item is not None and not member.get("ro"):
                kept[name] = self.clean(member, item, _join(path, name))
        for name, member in members.items():
            if member.get("req") and not member.get("ro") and name not in kept:
                raise missing(_join(path, name))
        return kept

    def array(self, node, value, path):
        if not isinstance(value, list):
            raise _wrong_type(path, "an array", value)
        if len(value) < node.get("fewest", 0):
            raise bad_request("InvalidParameter", f"'{path}' needs at least {node['fewest']} items.", path)
        return [self.clean(node["of"], item, f"{path}[{index}]") for index, item in enumerate(value)]

    def string(self, node, value, path):
        if not isinstance(value, str):
            raise _wrong_type(path, "a string", value)
        allowed = node.get("enum")
        if allowed:
            # Azure compares without regard to case and answers in its own spelling.
            for candidate in allowed:
                if isinstance(candidate, str) and candidate.lower() == value.lower():
                    return candidate
            raise bad_request(
                "InvalidParameter",
                f"The value '{value}' of '{path}' is not allowed; allowed values are '{', '.join(map(str, allowed))}'.",
                path,
            )
        check_text(node, value, path)
        form = node.get("format")
        if form == "Uuid" and not GUID.fullmatch(value):
            raise bad_request("InvalidParameter", f"'{path}' is not a GUID: '{value}'.", path)
        if form == "ByteArray":
            try:
                base64.b64decode(value, validate=True)
            except binascii.Error:
                raise bad_request("InvalidParameter", f"'{path}' is not Base64.", path) from None
        return value

    def number(self, node, value, path):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong_type(path, "a number", value)
        if value < node.get("least", value) or value > node.get("most", value):
            raise bad_request(
                "InvalidParameter",
                f"The value '{value}' of '{path}' is out of range [{node.get('least', '')}, {node.get('most', '')}].",
                path,
            )
        return value


class AnswerValidator(Validator):
    """Checks what the emulator itself says: nothing that the models do not have, and read-only members count too."""

    def object(self, node, value, path):
        if not isinstance(value, dict):
            raise _wrong_type(path, "an object", value)
        members = node["props"]
        for name, item in value.items():
            if name not in members and not node.get("open"):
                raise bad_request("UnknownMember", f"{path}.{name} is not in the model.")
            if name in members and item is None:
                raise bad_request("NullMember", f"{path}.{name} is null.")
            if name in members:
                self.clean(members[name], item, _join(path, name))
        for name, member in members.items():
            if member.get("req") and name not in value:
                raise bad_request("MissingMember", f"{path}.{name} is missing.")
        return value


def variant_of(node):
    return node.get("variants", {}).get("by")


def check_text(node, value, path, code="InvalidParameter"):
    """Length and pattern."""
    if len(value) < node.get("shortest", 0) or len(value) > node.get("longest", len(value)):
        raise bad_request(code, f"The length of '{path}' is out of bounds: '{value[:80]}'.", path)
    if "pattern" in node and not re.search(node["pattern"], value):
        raise bad_request(code, f"The value '{value[:80]}' of '{path}' does not match '{node['pattern']}'.", path)


def _join(path, name):
    return f"{path}.{name}" if path else name


def _wrong_type(path, wanted, value):
    return bad_request(
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{wanted} is expected at '{path or 'body'}', "
        f"not {type(value).__name__}'.",
        path,
    )

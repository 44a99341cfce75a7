"""Reads the object literals of generated TypeScript: `export const X: T = { … };`.

The vendor's generated files are data in the clothes of code: literals that name each other. This reads just that
language; anything else is an error, so that a new generator is noticed and not misread.
"""

import re

# A name, possibly with dots, that stands for another literal.
class Ref(str):
    """A name in the place of a value: `Mappers.Subnet`."""


TOKEN = re.compile(
    r"""\s+|//[^\n]*|/\*.*?\*/"""
    r"""|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<name>[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)"""
    r"""|(?P<mark>\.\.\.|[{}\[\]():,;+])""",
    re.S,
)
CONSTANT = re.compile(r"^(?:export )?(?:const|let|var) ([\w$]+)(?:\s*:\s*[\w$.]+)?\s*=\s*(?=\{)", re.M)
WORDS = {"true": True, "false": False, "null": None, "undefined": None}


def constants(text):
    """All top-level `const NAME = {…}` of a file, by name."""
    return {match.group(1): _Reader(text, match.end()).value() for match in CONSTANT.finditer(text)}


def unquote(token):
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found.group(1), found.group(1)), token[1:-1])


class _Reader:
    def __init__(self, text, position):
        self.text = text
        self.position = position
        self.advance()

    def advance(self):
        while True:
            found = TOKEN.match(self.text, self.position)
            if not found:
                raise ValueError(f"not a literal: {self.text[self.position : self.position + 80]!r}")
            self.position = found.end()
            if found.lastgroup:
                self.kind, self.token = found.lastgroup, found.group()
                return

    def take(self, token):
        if self.token != token:
            raise ValueError(f"{token!r} expected, not {self.token!r} before {self.text[self.position :][:80]!r}")
        self.advance()

    def value(self):
        if self.token == "{":
            return self.object()
        if self.token == "[":
            return self.array()
        kind, token = self.kind, self.token
        if kind == "string":
            return self.string()
        if kind == "number":
            self.advance()
            return float(token) if "." in token or "e" in token.lower() else int(token)
        if kind == "name":
            self.advance()
            if token == "new":
                return self.call()
            return WORDS[token] if token in WORDS else Ref(token)
        raise ValueError(f"not a value: {token!r}")

    def string(self):
        text = unquote(self.token)
        self.advance()
        while self.token == "+":
            self.advance()
            text += unquote(self.token)
            self.advance()
        return text

    def call(self):
        """`new RegExp("…")`: the pattern."""
        self.advance()
        self.take("(")
        value = self.value()
        if self.token == ",":
            self.advance()
        self.take(")")
        return value

    def array(self):
        self.take("[")
        items = []
        while self.token != "]":
            items.append(self.value())
            if self.token == ",":
                self.advance()
        self.close("]")
        return items

    def object(self):
        self.take("{")
        members = {}
        while self.token != "}":
            if self.token == "...":
                self.advance()
                members.setdefault("...", []).append(Ref(self.token))
                self.advance()
            else:
                key = unquote(self.token) if self.kind == "string" else self.token
                self.advance()
                if self.token == ":":
                    self.advance()
                    members[key] = self.value()
                else:
                    # Shorthand: `{ serializer }`.
                    members[key] = Ref(key)
            if self.token == ",":
                self.advance()
        self.close("}")
        return members

    def close(self, token):
        """Like `take`, but nothing needs to follow."""
        if self.token != token:
            raise ValueError(f"{token!r} expected, not {self.token!r}")
        try:
            self.advance()
        except ValueError:
            self.kind, self.token = None, None

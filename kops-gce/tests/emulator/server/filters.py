"""The `filter` of listings: `name = "x"`, `labels.k:*`, `(a = b) (c != d) OR e:f`, `name eq 'regular.*'`.

Two grammars, as in Compute: comparison with `=`, `!=`, `<`, `>`, `<=`, `>=`, `:` and `AND`/`OR`/`NOT` (a space
between parenthesised expressions means AND), and the older `field eq|ne literal`, whose literal is a regular
expression that has to match the whole value.
"""

import re

from errors import ApiError

TOKEN = re.compile(
    r"""\s*(?:
      (?P<open>\()|(?P<close>\))|(?P<operator><=|>=|!=|=~|!~|=|<|>|:)
      |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      |(?P<word>[^\s()=<>!:"']+)
    )""",
    re.VERBOSE,
)


def compile_filter(text):
    """A predicate over objects."""
    tokens, position = [], 0
    while position < len(text.rstrip()):
        match = TOKEN.match(text, position)
        if match is None:
            raise _bad(text)
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    parser = _Parser(text, tokens)
    predicate = parser.alternatives()
    if parser.tokens:
        raise _bad(text)
    return predicate


def _bad(text):
    return ApiError(400, f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.", "invalid")


class _Parser:
    """filter = and (OR and)*; and = term ([AND] term)*: AND binds tighter, as the documentation of Compute says."""

    def __init__(self, text, tokens):
        self.text = text
        self.tokens = tokens

    def peek(self):
        return self.tokens[0] if self.tokens else (None, None)

    def next(self, *kinds):
        kind, value = self.peek()
        if kind not in kinds:
            raise _bad(self.text)
        self.tokens.pop(0)
        return kind, value

    def alternatives(self):
        terms = [self.conjunction()]
        while self.peek() == ("word", "OR"):
            self.next("word")
            terms.append(self.conjunction())
        return lambda item: any(term(item) for term in terms)

    def conjunction(self):
        terms = [self.term()]
        while True:
            kind, value = self.peek()
            if kind in (None, "close") or (kind, value) == ("word", "OR"):
                return lambda item: all(term(item) for term in terms)
            if (kind, value) == ("word", "AND"):
                self.next("word")
            terms.append(self.term())

    def term(self):
        kind, value = self.peek()
        if (kind, value) == ("word", "NOT"):
            self.next("word")
            inner = self.term()
            return lambda item: not inner(item)
        if kind == "word" and value.startswith("-"):
            self.tokens[0] = ("word", value[1:])
            inner = self.comparison()
            return lambda item: not inner(item)
        if kind == "open":
            self.next("open")
            inner = self.alternatives()
            self.next("close")
            return inner
        return self.comparison()

    def comparison(self):
        _, field = self.next("word")
        kind, operator = self.next("operator", "word")
        if kind == "word" and operator not in ("eq", "ne"):
            raise _bad(self.text)
        literal_kind, literal = self.next("string", "word")
        quoted = literal_kind == "string"
        if quoted:
            literal = re.sub(r"\\(.)", r"\1", literal[1:-1])
        else:
            # An unquoted URL or regular expression is split at ':' and '='; put it together again.
            while self.peek()[0] == "operator":
                literal += self.next("operator")[1]
                if self.peek()[0] == "word":
                    literal += self.next("word")[1]
        return lambda item: any(_compare(value, operator, literal, quoted) for value in _values(item, field))


def _values(item, field):
    """The values of a field, several where lists are on the way; `[None]` when there is none."""
    found = [item]
    parts = field.replace('"', "").split(".")
    for index, part in enumerate(parts):
        deeper = []
        for value in found:
            for element in value if isinstance(value, list) else [value]:
                if isinstance(element, dict):
                    if part in element:
                        deeper.append(element[part])
                    elif ".".join(parts[index:]) in element:
                        return [element[".".join(parts[index:])]]
        found = deeper
    flat = []
    for value in found:
        flat.extend(value if isinstance(value, list) else [value])
    return flat or [None]


def _compare(value, operator, literal, quoted):
    if operator in ("eq", "ne", "=~", "!~"):
        matches = value is not None and re.fullmatch(literal, _text(value)) is not None
        return matches == (operator in ("eq", "=~"))
    if operator == ":":
        if literal == "*" and not quoted:
            return value is not None
        if isinstance(value, dict):
            return literal in value
        return value is not None and _wild(literal, _text(value), part=True)
    if operator in ("=", "!="):
        equal = value is not None and _wild(literal, _text(value), part=False)
        if value is None and literal in ("", "false"):
            equal = True
        return equal == (operator == "=")
    if value is None:
        return False
    try:
        left, right = float(value), float(literal)
    except (TypeError, ValueError):
        left, right = _text(value), literal
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _wild(literal, text, part):
    if "*" in literal:
        pattern = ".*".join(re.escape(piece) for piece in literal.split("*"))
        return re.fullmatch(pattern, text, re.IGNORECASE) is not None
    # `:` asks for a part of the value.
    return literal.lower() in text.lower() if part else literal == text

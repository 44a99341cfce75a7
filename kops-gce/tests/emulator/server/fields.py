"""Partial answers: `fields=items(name,id),nextPageToken`, `items/name`, `*`."""

from errors import malformed


def select(value, text):
    tree, rest = _parse(text)
    if rest:
        raise malformed(f"Invalid field selection {text}")
    return _cut(value, tree)


def _parse(text):
    """{field: tree or None for all of it} until a closing parenthesis."""
    tree = {}
    while text:
        end = min((text.find(it) for it in ",()/" if it in text), default=len(text))
        name, text = text[:end].strip(), text[end:]
        branch = tree
        while text.startswith("/"):
            branch = branch.setdefault(name, None) or branch.__setitem__(name, {}) or branch[name]
            text = text[1:]
            end = min((text.find(it) for it in ",()/" if it in text), default=len(text))
            name, text = text[:end].strip(), text[end:]
        if text.startswith("("):
            inner, text = _parse(text[1:])
            if not text.startswith(")"):
                raise malformed("Invalid field selection: a parenthesis is missing")
            text = text[1:]
            branch[name] = {**(branch.get(name) or {}), **inner}
        elif name:
            branch[name] = None
        if text.startswith(","):
            text = text[1:]
        elif text:
            return tree, text
    return tree, text


def _cut(value, tree):
    if tree is None or "*" in tree and tree["*"] is None:
        return value
    if isinstance(value, list):
        return [_cut(item, tree) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in tree:
        return {key: _cut(item, tree["*"]) for key, item in value.items()}
    return {key: _cut(item, tree[key]) for key, item in value.items() if key in tree}

"""Fields by path: `network`, `backends[].group`, `properties.networkInterfaces[].subnetwork`."""


def rewrite(body, path, function, where=""):
    """Replaces every value at a path by `function(value, where it is)`."""
    head, _, rest = path.partition(".")
    name, is_list = head.removesuffix("[]"), head.endswith("[]")
    value = body.get(name)
    if value in (None, "", []):
        return
    place = f"{where}{name}"
    if is_list:
        for index, element in enumerate(value):
            if rest:
                rewrite(element, rest, function, f"{place}[{index}].")
            else:
                value[index] = function(element, f"{place}[{index}]")
    elif rest:
        rewrite(value, rest, function, f"{place}.")
    else:
        body[name] = function(value, place)


def values(body, path):
    """All values at a path."""
    found = []

    def keep(value, _):
        found.append(value)
        return value

    rewrite(body, path, keep)
    return found

"""Compute Engine: from a method to what carries it out.

Paths say what a method is about: `…/zones/{zone}/instances/{instance}/setTags`. So a method is looked up as the
`do_set_tags` of the kind `instances`; what no kind has is answered with 501.
"""

import re

import operations
from compute import balancing, catalogue, disks, groups, instances, managers, networking, places, projects, templates
from compute.kind import Kind
from errors import invalid, not_modelled

KINDS = {}
for _module in (balancing, disks, groups, instances, managers, networking, places, projects, templates):
    for _value in list(vars(_module).values()):
        if (
            isinstance(_value, type)
            and issubclass(_value, Kind)
            and _value.collection
            and _value.__module__ == _module.__name__
        ):
            KINDS[_value.collection] = _value()

PLACES = re.compile(
    r"/compute/v1/projects/\{project\}"
    r"(?:/(?:(?P<global>global)|(?P<aggregated>aggregated)|(?P<scope>zones|regions)/\{(?P<place>\w+)\}))?"
    r"(?:/(?P<collection>[A-Za-z]+))?(?:/\{(?P<name>\w+)\})?(?:/(?P<rest>.+))?"
)


def handle(call):
    match = PLACES.fullmatch(call.method.path)
    if match is None:
        raise not_modelled(call.method.id)
    collection, name = match["collection"], match["name"]
    if match["scope"] and collection is None and not match["rest"]:
        # `projects/P/zones/Z`: the place itself is the resource.
        collection, name = match["scope"], match["place"]
        call.location = "global"
    elif match["scope"]:
        place = call.path[match["place"]]
        if place not in catalogue.PLACES[match["scope"]]:
            raise invalid(f"Invalid value for field '{match['scope'][:-1]}': '{place}'. Unknown {match['scope'][:-1]}.")
        call.location = f"{match['scope']}/{place}"
    else:
        call.location = "global"
    if collection == "images" and match["rest"] == "family/{family}":
        name = None
    if call.method.id.startswith("compute.projects."):
        collection = "projects"
    kind = KINDS.get(collection)
    action = getattr(kind, "do_" + snake(call.method.name), None)
    if action is None:
        raise not_modelled(call.method.id)
    call.collection = collection
    call.name = call.path.get(name) if name else None
    # Whatever it says: a call that was made is not made again.
    return operations.repeated(call) or action(call)


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

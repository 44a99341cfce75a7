"""Listings in pages: filter, maxResults, pageToken, orderBy."""

import base64
import json

from errors import bad_value
from filters import compile_filter
from urls import ROOT


def _select(call, things, body_of):
    text = call.query.get("filter")
    if text:
        predicate = compile_filter(text)
        things = [thing for thing in things if predicate(body_of(thing))]
    order = call.query.get("orderBy")
    if order == "creationTimestamp desc":
        things = sorted(things, key=lambda thing: body_of(thing).get("creationTimestamp", ""), reverse=True)
    elif order not in (None, "", "name"):
        raise bad_value("orderBy", order, "Only 'name' and 'creationTimestamp desc' are known.")
    return things


def cut(call, things, size_parameter="maxResults", name_of=None):
    """(a page, the token of the next page or None).

    A token holds the number of things before the page, and the query it is good for: another query with the same
    token is an error, as Google has it.
    """
    limit = call.project.settings.page_size
    asked = call.query.get(size_parameter)
    if call.method.service == "compute" and asked is not None and not 0 <= asked <= 500:
        raise bad_value(size_parameter, asked, "Values must be within the range: [0, 500]")
    size = min(asked, limit) if asked else limit
    query = {key: value for key, value in call.query.items() if key not in ("pageToken", size_parameter)}
    fit = json.dumps([call.method.id, call.path, query], sort_keys=True)
    begin, token = 0, call.query.get("pageToken")
    if token:
        try:
            begin, for_query = json.loads(base64.urlsafe_b64decode(token))
        except ValueError:
            raise bad_value("pageToken", token, "The page token is invalid.") from None
        if for_query != fit:
            raise bad_value("pageToken", token, "The page token is of another query.")
    page = things[begin : begin + size]
    if begin + size >= len(things):
        return page, None
    return page, base64.urlsafe_b64encode(json.dumps([begin + size, fit]).encode()).decode()


def page(call, bodies, path, key="items"):
    """Compute's answer to `list`."""
    items, token = cut(call, _select(call, bodies, lambda body: body))
    answer = {"kind": list_kind(call.method), "id": path, "selfLink": ROOT + path}
    # Empty listings have no `items` at all.
    if items:
        answer[key] = items
    if token:
        answer["nextPageToken"] = token
    return answer


def aggregated(call, pairs, collection, locations):
    """Compute's answer to `aggregatedList`: by location, those without anything with a warning."""
    items, token = cut(call, _select(call, pairs, lambda pair: pair[1]))
    scopes = {}
    for location, body in items:
        scopes.setdefault(location, {}).setdefault(collection, []).append(body)
    if not call.query.get("pageToken"):
        for location in locations:
            if location not in scopes:
                scopes[location] = {
                    "warning": {
                        "code": "NO_RESULTS_ON_PAGE",
                        "message": f"There are no results for scope '{location}' on this page.",
                        "data": [{"key": "scope", "value": location}],
                    }
                }
    path = f"projects/{call.project.name}/aggregated/{collection}"
    answer = {"kind": list_kind(call.method), "id": path, "selfLink": ROOT + path, "items": scopes}
    if token:
        answer["nextPageToken"] = token
    return answer


def list_kind(method):
    kind = method.document.schemas[method.response]["properties"].get("kind", {})
    return kind.get("default", "")

"""The test's own requests: `POST /_emulator/SUBSCRIPTION/NAME` with arguments as a JSON object.

| name | arguments | what |
|---|---|---|
| `calls` | | the log: `{calls: [{action, method, path, mutation, status, code, start, seconds}], most_in_flight}` |
| `counts` | | `{by_action, total, mutating}` |
| `forget-calls` | | starts the log anew |
| `latency` | `milliseconds` | of every call |
| `set` | see `settings.py` | changes settings and gives all |
| `fault` | see `faults.py` | adds a rule |
| `clear-faults` | | removes rules and denials, releases held answers |
| `held`, `release` | | how many answers are held back; lets them go |
| `deny` | `actions`, `token`?, `scope`? | takes permissions away; an empty list gives all back |
| `settle` | | lets long-running operations end now |
| `snapshot` | | all objects: `{kind: {name: document}}` |
| `foreign` | `cluster`, `location`? | objects of others of every kind |
| `request` | `method`, `path`, `body`?, `settle`? | a call by somebody else, not in the log; `path` may lack its API version |
| `principal` | `id`, `kind`? | makes a directory object known |
| `tokens` | `lifetime` | seconds that tokens given out from now on live |
"""

import json
import re
import traceback

import foreign
import snapshot
from app import UNOBSERVED


def handle(app, path, body):
    match = re.fullmatch(r"/_emulator/([^/]+)/([\w-]+)", path.partition("?")[0])
    try:
        arguments = json.loads(body) if body else {}
        run = CONTROLS[match[2]]
        answer, status = run(app, app.subscription(match[1]), **arguments), 200
    except Exception:
        answer, status = {"error": traceback.format_exc()}, 500
    return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def request(app, sub, method, path, body=None, settle=True):
    """A call by somebody else; long-running operations are waited out."""
    if not path.startswith("/subscriptions/"):
        path = f"/subscriptions/{sub.id}/{path.lstrip('/')}"
    if "api-version=" not in path:
        path += ("&" if "?" in path else "?") + f"api-version={version_of(app, method, path.partition('?')[0])}"
    headers = {"authorization": f"Bearer {UNOBSERVED}", "host": "127.0.0.1"}
    content = b"" if body is None else json.dumps(body).encode()
    status, _, text = app.handle(method, path, headers, content)
    if status >= 400:
        raise RuntimeError(f"{method} {path}: {status} {text.decode()}")
    if settle:
        with sub.lock:
            sub.settle(everything=True)
        if method in ("PUT", "PATCH") and status in (200, 201, 202):
            _, _, text = app.handle("GET", path, headers, b"")
    return json.loads(text) if text else None


def version_of(app, method, path):
    for operation, _ in app.router.candidates([part for part in path.split("/") if part]):
        if operation.method == method:
            return operation.versions[-1]
    return "2021-04-01"


def settle(app, sub):
    with sub.lock:
        sub.settle(everything=True)


def change(app, sub, **values):
    with sub.lock:
        return sub.settings.change(**values)


def deny(app, sub, actions, token=None, scope=None):
    sub.faults.deny(actions, token, scope)


def clear_faults(app, sub):
    sub.faults.release()
    sub.faults.clear()


def principal(app, sub, id, kind="ServicePrincipal"):
    with sub.lock:
        sub.principals[id.lower()] = {"born": 0.0, "kind": kind}


def tokens(app, sub, lifetime):
    app.tokens.lifetime = lifetime


CONTROLS = {
    "calls": lambda app, sub: sub.log.show(),
    "counts": lambda app, sub: sub.log.counts(),
    "forget-calls": lambda app, sub: sub.log.clear(),
    "latency": lambda app, sub, milliseconds: change(app, sub, latency=milliseconds / 1000) and None,
    "set": change,
    "fault": lambda app, sub, **rule: sub.faults.add(**rule),
    "clear-faults": clear_faults,
    "held": lambda app, sub: sub.faults.held,
    "release": lambda app, sub: sub.faults.release(),
    "deny": deny,
    "settle": settle,
    "snapshot": lambda app, sub: snapshot.take(sub),
    "foreign": lambda app, sub, **arguments: foreign.seed(lambda *it, **more: request(app, sub, *it, **more), sub, **arguments),
    "request": request,
    "principal": principal,
    "tokens": tokens,
}

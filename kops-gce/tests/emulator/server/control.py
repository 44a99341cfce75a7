"""What tests ask of the emulator itself: `POST /_emulator/PROJECT/CONTROL` with arguments as JSON."""

import json
import traceback

import foreign
import snapshot
from api import Request, Response


class Control:
    def __init__(self, api, listen):
        self.api = api
        self.listen = listen
        self.world = api.world

    def answer(self, path, body):
        _, _, name, control = path.split("/", 3)
        try:
            arguments = json.loads(body) if body else {}
            handler = self.CONTROLS[control]
            answer, status = handler(self, self.world.project(name), **arguments), 200
        except Exception:
            answer, status = {"error": traceback.format_exc()}, 500
        return Response(status, json.dumps(answer).encode())

    # ------------------------------------------------------------ calls made by somebody else

    def call(self, project, method, parameters=None, body=None, media=None):
        """A call as if by somebody else, e.g. by hand: no log, no faults, no latency, its operation done at once.

        `method` is an id (`compute.networks.insert`), `parameters` are those of path and query.
        """
        result = self.plain(project, method, parameters, body, media)
        if isinstance(result, dict) and result.get("kind") == "compute#operation" and result.get("error"):
            raise RuntimeError(f"{method}: {result['error']}")
        return result

    def plain(self, project, method, parameters=None, body=None, media=None):
        from urllib.parse import quote, urlencode

        description = self.api.routes.methods[method]
        values = {"project": project.name, **(parameters or {})}
        path, query = description.upload_path if media is not None else description.path, {}
        for name, value in values.items():
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            elif f"{{+{name}}}" in path:
                path = path.replace(f"{{+{name}}}", quote(str(value), safe="/@:"))
            elif name in description.parameters:
                query[name] = value if isinstance(value, str) else json.dumps(value)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer project:{project.name}"}
        content = json.dumps(body).encode() if body is not None else b""
        if media is not None:
            query["uploadType"] = "media"
            headers["Content-Type"] = "application/octet-stream"
            content = media.encode()
        request = Request(description.verb, f"{path}?{urlencode(query)}", headers, content)
        response = self.api.answer(request, observed=False)
        if response.status >= 400:
            raise RuntimeError(f"{method}: {response.status} {response.body.decode()}")
        try:
            return json.loads(response.body) if response.body else None
        except ValueError:
            return response.body.decode(errors="replace")

    def settle(self, project):
        """Lets everything happen that is under way: operations, boots, replacements."""
        with self.world.lock:
            project.settle()

    # ------------------------------------------------------------ settings

    def configure(self, project, **settings):
        """`latency`, `operation`, `list_delay`, `account_delay`, `boot` in milliseconds; `page_size`;
        `operation_of`: {regular expression over method ids: milliseconds}."""
        names = {
            "latency": "latency",
            "operation": "operation_seconds",
            "list_delay": "list_delay",
            "account_delay": "account_delay",
            "boot": "boot_seconds",
        }
        for name, value in settings.items():
            if name == "page_size":
                project.settings.page_size = value
            elif name == "operation_of":
                project.settings.operation_seconds_of = [(key, it / 1000) for key, it in value.items()]
            else:
                setattr(project.settings, names[name], value / 1000)

    def counts(self, project):
        """Calls and mutating calls, by method."""
        result = {}
        for call in project.log.show()["calls"]:
            count = result.setdefault(call["action"], {"calls": 0, "mutation": call["mutation"], "failed": 0})
            count["calls"] += 1
            count["failed"] += not 200 <= call["status"] < 400
        return result

    def take_snapshot(self, project, normalised=False, settled=False):
        if settled:
            self.settle(project)
        with self.world.lock:
            project.advance()
            return snapshot.take(project, normalised)

    def clear_faults(self, project):
        project.faults.release()
        project.faults.clear()

    def serial(self, project, zone, instance, text):
        """Writes to an instance's serial port."""
        with self.world.lock:
            item = project.items[project.key(f"zones/{zone}", "instances", instance)]
            item.notes["serial"] = item.notes.get("serial", "") + text

    def bucket(self, project, name):
        self.call(project, "storage.buckets.insert", {}, {"name": name, "location": "EUROPE-WEST1"})

    def zone(self, project, name, dns_name=None):
        """A public zone; its name follows from the DNS name if only that is given."""
        dns_name = dns_name or name
        zone = name.rstrip(".").replace(".", "-")
        body = {"name": zone, "dnsName": dns_name.rstrip(".") + ".", "description": ""}
        return self.call(project, "dns.managedZones.create", {}, body)["name"]

    def seed(self, project, cluster):
        def call(method, parameters=None, body=None, media=None):
            return self.call(project, method, parameters, body, media)

        foreign.seed(call, project, cluster)
        # Members of groups come later by themselves; a snapshot taken next shall find them.
        self.settle(project)

    CONTROLS = {
        "listen": lambda self, project: self.listen(project.name),
        "calls": lambda self, project: project.log.show(),
        "counts": counts,
        "forget-calls": lambda self, project: project.log.forget(),
        "latency": lambda self, project, milliseconds: self.configure(project, latency=milliseconds),
        "configure": configure,
        "fault": lambda self, project, **rule: project.faults.add(**rule),
        "faults": lambda self, project: project.faults.show(),
        "clear-faults": clear_faults,
        "held": lambda self, project: project.faults.held,
        "release": lambda self, project: project.faults.release(),
        "deny": lambda self, project, actions, token=None: project.faults.deny(actions, token),
        "snapshot": take_snapshot,
        "settle": settle,
        "foreign": seed,
        "bucket": bucket,
        "zone": zone,
        "call": call,
        "serial": serial,
        "forget": lambda self, project: self.world.forget(project.name),
    }

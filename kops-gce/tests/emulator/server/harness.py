"""For the tests of the emulator: a server in this process, and Google's own Python client for it."""

import functools
import itertools
import json
import re
import threading
import time
import unittest
import urllib.request

import google.auth.credentials
import googleapiclient.discovery
import httplib2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.errors import HttpError

import discovery
from api import Api
from serve import Server
from state import World

REGION, ZONE = "europe-west1", "europe-west1-b"
IMAGE = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"
ROOT = "https://www.googleapis.com/compute/v1/"


@functools.cache
def server():
    running = Server(0, Api(World(), discovery.load()))
    running.api.strict = True
    threading.Thread(target=running.serve_forever, daemon=True).start()
    return running


class Loopback(httplib2.Http):
    """Uploads go to HTTPS, whatever the client was told; and nothing leaves the machine."""

    def __init__(self):
        super().__init__()
        # To Storage, 308 says that an upload is not complete.
        self.redirect_codes = self.redirect_codes - {308}

    def request(self, uri, *args, **kwargs):
        uri = re.sub("^https?://[^/]+", f"http://127.0.0.1:{server().port}", uri)
        return super().request(uri, *args, **kwargs)


@functools.cache
def client(name, version):
    base = f"http://127.0.0.1:{server().port}/"
    service_path = {"compute": "compute/v1/", "storage": "storage/v1/"}.get(name, "")
    return googleapiclient.discovery.build(
        name,
        version,
        http=AuthorizedHttp(google.auth.credentials.AnonymousCredentials(), Loopback()),
        static_discovery=True,
        client_options={"api_endpoint": base + service_path},
    )


class Case(unittest.TestCase):
    """Every test has a project of its own."""

    numbers = itertools.count(1)
    maxDiff = None

    def setUp(self):
        self.project = f"test-{next(self.numbers)}"
        self.compute = client("compute", "v1")
        self.path = f"projects/{self.project}"

    def control(self, control, /, **arguments):
        request = urllib.request.Request(
            f"http://127.0.0.1:{server().port}/_emulator/{self.project}/{control}", json.dumps(arguments).encode()
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(json.load(error)["error"]) from None

    def raw(self, verb, path, body=None, headers=None, content=None):
        """(status, headers, body) of a plain request."""
        data = content if content is not None else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{server().port}{path}", data, headers or {}, method=verb)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def fails(self, status, reason, request):
        """The request is refused; gives the message."""
        with self.assertRaises(HttpError) as caught:
            request.execute()
        error = json.loads(caught.exception.content)["error"]
        self.assertEqual((error["code"], error["errors"][0]["reason"]), (status, reason), error["message"])
        self.assertEqual(caught.exception.resp.status, status)
        return error["message"]

    def start(self, collection, method, body=None, **arguments):
        resource = getattr(self.compute, collection)()
        if body is not None:
            arguments["body"] = body
        return getattr(resource, method)(project=self.project, **arguments)

    def wait(self, operation):
        """The operation when it is done."""
        deadline = time.monotonic() + 10
        while operation["status"] != "DONE":
            self.assertLess(time.monotonic(), deadline)
            arguments = {"project": self.project, "operation": operation["name"]}
            if "zone" in operation:
                collection = self.compute.zoneOperations()
                arguments["zone"] = operation["zone"].rsplit("/", 1)[1]
            elif "region" in operation:
                collection = self.compute.regionOperations()
                arguments["region"] = operation["region"].rsplit("/", 1)[1]
            else:
                collection = self.compute.globalOperations()
            operation = collection.wait(**arguments).execute()
        return operation

    def do(self, collection, method, body=None, **arguments):
        """A change, waited for; it must succeed."""
        operation = self.wait(self.start(collection, method, body, **arguments).execute())
        self.assertNotIn("error", operation)
        return operation

    def in_use(self, collection, **arguments):
        """The deletion is accepted, and fails."""
        error = self.wait(self.start(collection, "delete", **arguments).execute())["error"]["errors"][0]
        self.assertEqual(error["code"], "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE")

    def get(self, collection, **arguments):
        return self.start(collection, "get", **arguments).execute()

    def eventually(self, check, seconds=5):
        deadline = time.monotonic() + seconds
        while not (result := check()):
            self.assertLess(time.monotonic(), deadline, "it does not come about")
            time.sleep(0.01)
        return result

    # ------------------------------------------------------------ a usual set

    def network(self, name="net"):
        self.do("networks", "insert", {"name": name, "autoCreateSubnetworks": False})
        return f"{self.path}/global/networks/{name}"

    def subnetwork(self, name="sub", network="net", cidr="10.0.0.0/16", **more):
        body = {"name": name, "network": f"{self.path}/global/networks/{network}", "ipCidrRange": cidr, **more}
        self.do("subnetworks", "insert", body, region=REGION)
        return f"{self.path}/regions/{REGION}/subnetworks/{name}"

    def template(self, name="t1", **properties):
        body = {
            "name": name,
            "properties": {
                "machineType": "e2-medium",
                "disks": [{"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": IMAGE}}],
                "networkInterfaces": [{"subnetwork": f"{self.path}/regions/{REGION}/subnetworks/sub"}],
                **properties,
            },
        }
        self.do("instanceTemplates", "insert", body)
        return f"{self.path}/global/instanceTemplates/{name}"

    def manager(self, size=2, name="g", template="t1", **more):
        body = {
            "name": name,
            "baseInstanceName": name,
            "targetSize": size,
            "instanceTemplate": f"{self.path}/global/instanceTemplates/{template}",
            **more,
        }
        self.do("instanceGroupManagers", "insert", body, zone=ZONE)
        return self.stable(name)

    def stable(self, name="g"):
        return self.eventually(
            lambda: (
                (it := self.get("instanceGroupManagers", zone=ZONE, instanceGroupManager=name))["status"]["isStable"]
                and it
            )
        )

    def members(self, name="g"):
        request = self.start("instanceGroupManagers", "listManagedInstances", zone=ZONE, instanceGroupManager=name)
        return request.execute().get("managedInstances", [])

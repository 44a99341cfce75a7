"""A server for all checks, a subscription for each, and Microsoft's clients for it."""

import json
import os
import subprocess
import sys
import urllib.request
import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.privatedns import PrivateDnsManagementClient
from azure.mgmt.resource import ResourceManagementClient

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("KOPS_EMULATOR_CACHE", os.path.join(os.path.expanduser("~"), ".cache", "kops-azure-emulator"))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8vQ0Jm5rjsMfE2TqX1xL0bQ3Jk0VvO2YJg8fJcE2nW check"
REGION = "westeurope"


@pytest.fixture(scope="session")
def endpoint():
    process = subprocess.Popen(
        [sys.executable, "-B", os.path.join(HERE, "..", "server", "serve.py"), "--until-eof", "--check-answers", "--cache", CACHE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    port = int(process.stdout.readline())
    yield f"http://127.0.0.1:{port}"
    process.stdin.close()
    process.wait(10)


class Bearer(SansIOHTTPPolicy):
    """The clients' own policy refuses plain HTTP."""

    def __init__(self, token):
        self.token = token

    def on_request(self, request):
        request.http_request.headers["Authorization"] = f"Bearer {self.token}"


class Azure:
    def __init__(self, endpoint, token="check"):
        self.endpoint = endpoint
        self.sub = str(uuid.uuid4())
        self.token = token

        def client(kind, **more):
            return kind(
                object(),
                self.sub,
                base_url=endpoint,
                authentication_policy=Bearer(token),
                polling_interval=0.01,
                retry_total=0,
                credential_scopes=["x"],
                **more,
            )

        self.network = client(NetworkManagementClient)
        self.compute = client(ComputeManagementClient)
        self.resources = client(ResourceManagementClient, api_version="2021-04-01")
        self.msi = client(ManagedServiceIdentityClient)
        self.dns = client(DnsManagementClient)
        self.private_dns = client(PrivateDnsManagementClient)
        self.authorization = client(AuthorizationManagementClient, api_version="2022-04-01")

    def control(self, name, **arguments):
        request = urllib.request.Request(
            f"{self.endpoint}/_emulator/{self.sub}/{name}", data=json.dumps(arguments).encode(), method="POST"
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(json.loads(error.read())["error"]) from None

    def raw(self, method, path, body=None, version=None, headers=None, token="check"):
        """A request as it is: status, headers, body."""
        address = path if path.startswith("http") else f"{self.endpoint}/subscriptions/{self.sub}{path}"
        if version:
            address += f"{'&' if '?' in address else '?'}api-version={version}"
        data = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        if token:
            given["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(address, data=data, method=method, headers=given)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
            body = json.loads(text) if text.startswith((b"{", b"[")) else text.decode() or None
            return answer.status, answer.headers, body

    # ------------------------------------------------------------ what most checks need

    def group(self, name="g"):
        return self.resources.resource_groups.create_or_update(name, {"location": REGION})

    def net(self, **subnet):
        self.group()
        return self.network.virtual_networks.begin_create_or_update(
            "g",
            "net",
            {
                "location": REGION,
                "properties": {
                    "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                    "subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24", **subnet}}],
                },
            },
        ).result()

    def scale_set(self, name="s", **changes):
        return self.compute.virtual_machine_scale_sets.begin_create_or_update("g", name, scale_set_body(self.sub, **changes))


def scale_set_body(sub, capacity=2, mode="Uniform", policy="Manual", size="Standard_D2s_v3", zones=None, profile=None, **more):
    address = {
        "name": "ip",
        "properties": {
            "subnet": {
                "id": f"/subscriptions/{sub}/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/net/subnets/a"
            }
        },
    }
    body = {
        "location": REGION,
        "sku": {"name": size, "capacity": capacity},
        "properties": {
            "orchestrationMode": mode,
            "virtualMachineProfile": {
                "osProfile": {
                    "computerNamePrefix": "node-",
                    "adminUsername": "kops",
                    "customData": "IyEvYmluL3No",
                    "linuxConfiguration": {
                        "disablePasswordAuthentication": True,
                        "ssh": {"publicKeys": [{"path": "/home/kops/.ssh/authorized_keys", "keyData": KEY}]},
                    },
                },
                "storageProfile": {
                    "imageReference": {
                        "publisher": "canonical",
                        "offer": "ubuntu-24_04-lts",
                        "sku": "server",
                        "version": "latest",
                    },
                    "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "Premium_LRS"}},
                },
                "networkProfile": {
                    "networkInterfaceConfigurations": [{"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}]
                },
                **(profile or {}),
            },
        },
        **more,
    }
    if mode == "Uniform":
        body["properties"]["upgradePolicy"] = {"mode": policy}
    else:
        body["properties"]["platformFaultDomainCount"] = 1
        body["properties"]["virtualMachineProfile"]["networkProfile"]["networkApiVersion"] = "2020-11-01"
    if zones:
        body["zones"] = zones
    return body


@pytest.fixture
def azure(endpoint):
    return Azure(endpoint)


class Refused:
    """`with refused(400, "Code"):` – the call inside must fail just so."""

    def __init__(self, status, code):
        self.status, self.code = status, code

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert isinstance(error, HttpResponseError), f"{self.code} was expected, not {error!r}"
        assert error.error is not None, f"no body in ARM's format: {error}"
        assert (error.status_code, error.error.code) == (self.status, self.code), str(error)
        self.error = error
        return True


@pytest.fixture
def refused():
    return Refused

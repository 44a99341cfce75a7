"""What every call has: strictness, long-running operations, faults, permissions, tokens, the log."""

import concurrent.futures
import json
import time
import urllib.parse
import urllib.request

import pytest
from azure.core.exceptions import HttpResponseError
from conftest import REGION, Azure

NET = "/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/net"
GOOD = {"location": REGION, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}


@pytest.mark.parametrize(
    ("method", "path", "version", "body", "status", "code"),
    [
        ("GET", NET, None, None, 400, "MissingApiVersionParameter"),
        ("GET", NET, "yesterday", None, 400, "InvalidApiVersionParameter"),
        ("GET", NET, "2024-03-02", None, 400, "NoRegisteredProviderFound"),
        ("POST", NET, "2024-03-01", None, 405, "MethodNotAllowed"),
        ("GET", NET.replace("virtualNetworks", "virtualNets"), "2024-03-01", None, 404, "InvalidResourceType"),
        ("GET", NET.replace("Microsoft.Network", "Microsoft.Nets"), "2024-03-01", None, 404, "InvalidResourceNamespace"),
        ("GET", NET.replace("/g/", "/h/"), "2024-03-01", None, 404, "ResourceGroupNotFound"),
        ("GET", NET, "2024-03-01", None, 404, "ResourceNotFound"),
        ("GET", NET + "?$extend=x", "2024-03-01", None, 400, "InvalidQueryParameter"),
        ("PUT", NET, "2024-03-01", None, 400, "MissingRequestBody"),
        ("PUT", NET, "2024-03-01", {**GOOD, "colour": "red"}, 400, "InvalidRequestContent"),
        ("PUT", NET, "2024-03-01", {**GOOD, "properties": {"adressSpace": {}}}, 400, "InvalidRequestContent"),
        ("PUT", NET, "2024-03-01", {**GOOD, "tags": {"a/b": "c"}}, 400, "InvalidTagNameCharacters"),
        ("PUT", NET, "2024-03-01", {**GOOD, "tags": {"a": 1}}, 400, "InvalidRequestContent"),
        ("PUT", NET, "2024-03-01", {"properties": GOOD["properties"]}, 400, "LocationRequired"),
        ("PUT", NET, "2024-03-01", {**GOOD, "location": "atlantis"}, 400, "LocationNotAvailableForResourceType"),
        ("PUT", NET + "-", "2024-03-01", GOOD, 400, "InvalidResourceName"),
        ("PUT", NET + "/subnets/a", "2024-03-01", {"properties": {"addressPrefix": "10.0.0.0/24"}}, 404, "ResourceNotFound"),
    ],
)
def test_wrong_requests(azure, method, path, version, body, status, code):
    azure.group()
    found = azure.raw(method, path, body, version)
    assert (found[0], found[2]["error"]["code"]) == (status, code), found[2]


def test_read_only_and_null_members_are_ignored(azure):
    azure.group()
    status, _, body = azure.raw(
        "PUT", NET, {**GOOD, "etag": "x", "type": None, "properties": {**GOOD["properties"], "provisioningState": "Failed"}}, "2024-03-01"
    )
    assert status == 201 and body["properties"]["provisioningState"] == "Updating"


def test_async_operation_and_location(azure):
    azure.group()
    azure.control("set", lro={"*": 0.2}, retry_after=7)
    status, headers, body = azure.raw("PUT", NET, GOOD, "2024-03-01")
    assert status == 201 and headers["Retry-After"] == "7" and "Location" not in headers
    operation = headers["Azure-AsyncOperation"]
    assert azure.raw("GET", operation)[2]["status"] == "InProgress"
    assert azure.raw("PUT", NET, GOOD, "2024-03-01")[2]["error"]["code"] == "AnotherOperationInProgress"
    time.sleep(0.25)
    assert azure.raw("GET", operation)[2]["status"] == "Succeeded"
    status, headers, _ = azure.raw("DELETE", NET, None, "2024-03-01")
    assert status == 202
    status, again, _ = azure.raw("GET", headers["Location"])
    assert status == 202 and again["Location"]
    assert azure.raw("GET", NET, None, "2024-03-01")[2]["properties"]["provisioningState"] == "Deleting"
    azure.control("settle")
    assert azure.raw("GET", headers["Location"])[0] == 204
    assert azure.raw("DELETE", NET, None, "2024-03-01")[0] == 204


def test_referenced_resource_must_be_provisioned(azure, refused):
    azure.group()
    azure.control("set", lro={"networkSecurityGroups.*": 60})
    group = azure.raw("PUT", NET.replace("virtualNetworks/net", "networkSecurityGroups/nsg"), {"location": REGION}, "2024-03-01")[2]
    body = json.loads(json.dumps(GOOD))
    body["properties"]["subnets"] = [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group["id"]}}}]
    status, _, error = azure.raw("PUT", NET, body, "2024-03-01")
    assert (status, error["error"]["details"][0]["code"]) == (429, "ReferencedResourceNotProvisioned")


def test_operations_can_fail(azure):
    azure.group()
    azure.control("fault", action="virtualNetworks.createOrUpdate", what="operation", code="InternalServerError", times=1)
    with pytest.raises(HttpResponseError) as error:
        azure.network.virtual_networks.begin_create_or_update("g", "net", GOOD).result()
    assert error.value.error.code == "InternalServerError"
    assert azure.network.virtual_networks.get("g", "net").provisioning_state == "Failed"
    assert azure.network.virtual_networks.begin_create_or_update("g", "net", GOOD).result().provisioning_state == "Succeeded"


def test_faults(azure, refused):
    azure.group()
    azure.control("fault", action="virtualNetworks.*", what="fail", status=429, code="TooManyRequests", headers={"Retry-After": "1"}, times=1)
    status, headers, _ = azure.raw("PUT", NET, GOOD, "2024-03-01")
    assert status == 429 and headers["Retry-After"] == "1"
    assert azure.raw("GET", NET, None, "2024-03-01")[0] == 404
    azure.control("fault", action="virtualNetworks.createOrUpdate", what="lose", times=1)
    with pytest.raises(Exception, match="closed|reset|aborted"):
        azure.raw("PUT", NET, GOOD, "2024-03-01")
    azure.control("fault", action="virtualNetworks.createOrUpdate", what="lose", status=503, times=1, resource="*/NET")
    azure.control("settle")
    assert azure.raw("GET", NET, None, "2024-03-01")[0] == 200
    assert azure.raw("PUT", NET, {**GOOD, "tags": {"a": "b"}}, "2024-03-01")[0] == 503
    assert azure.raw("GET", NET, None, "2024-03-01")[2]["tags"] == {"a": "b"}
    azure.control("fault", action="virtualNetworks.get", what="drop", times=1)
    with pytest.raises(Exception, match="closed|reset|aborted"):
        azure.raw("GET", NET, None, "2024-03-01")


def test_held_answers(azure):
    azure.group()
    azure.control("fault", action="virtualNetworks.createOrUpdate", what="hold", times=1)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(azure.raw, "PUT", NET, GOOD, "2024-03-01")
        while not azure.control("held"):
            time.sleep(0.005)
        assert azure.raw("GET", NET, None, "2024-03-01")[0] == 200
        azure.control("release")
        assert answer.result(5)[0] == 201


def test_permissions(azure):
    azure.net()
    azure.control("deny", actions=["Microsoft.Network/virtualNetworks/write", "subnets.*"])
    status, _, body = azure.raw("PUT", NET, GOOD, "2024-03-01")
    assert (status, body["error"]["code"]) == (403, "AuthorizationFailed")
    assert "Microsoft.Network/virtualNetworks/write" in body["error"]["message"]
    assert azure.raw("GET", NET, None, "2024-03-01")[0] == 200
    assert azure.raw("GET", NET + "/subnets/a", None, "2024-03-01")[0] == 403
    _, _, body = azure.raw("GET", "/resourcegroups/g/providers/Microsoft.Authorization/permissions", None, "2022-04-01")
    assert "Microsoft.Network/virtualNetworks/write" in body["value"][0]["notActions"]
    azure.control("deny", actions=[])
    azure.control("deny", actions=["*"], token="other")
    assert azure.raw("GET", NET, None, "2024-03-01")[0] == 200
    assert azure.raw("GET", NET, None, "2024-03-01", token="other")[0] == 403


def test_tokens(azure):
    azure.group()
    form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s", "scope": "x/.default"}
    request = urllib.request.Request(f"{azure.endpoint}/tenant/oauth2/v2.0/token", data=urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request) as answer:
        token = json.loads(answer.read())["access_token"]
    assert azure.raw("GET", "/resourceGroups/g", None, "2021-04-01", token=token)[0] == 200
    old = token.rpartition(".")[0] + ".1000"
    status, headers, body = azure.raw("GET", "/resourceGroups/g", None, "2021-04-01", token=old)
    assert (status, body["error"]["code"]) == (401, "ExpiredAuthenticationToken") and headers["WWW-Authenticate"]
    assert azure.raw("GET", "/resourceGroups/g", None, "2021-04-01", token=None)[0] == 401
    address = f"{azure.endpoint}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/"
    assert azure.raw("GET", address, headers={"Metadata": "true"}, token=None)[2]["access_token"]
    assert azure.raw("GET", address, token=None)[0] == 400


def test_lists_lag(azure):
    azure.control("set", list_lag=0.3)
    azure.group()
    assert list(azure.resources.resource_groups.list()) == []
    assert azure.resources.resource_groups.get("g")
    time.sleep(0.35)
    assert len(list(azure.resources.resource_groups.list())) == 1


def test_throttling(azure):
    azure.control("set", throttle={"reads": [2, 0.1], "writes": [200, 10]})
    answers = [azure.raw("GET", "/resourceGroups", None, "2021-04-01") for _ in range(3)]
    assert [it[0] for it in answers] == [200, 200, 429]
    assert answers[0][1]["x-ms-ratelimit-remaining-subscription-reads"] == "1" and int(answers[2][1]["Retry-After"]) > 1


def test_log_and_snapshot(azure):
    azure.net()
    before = azure.control("snapshot")
    azure.control("forget-calls")
    azure.net()
    counts = azure.control("counts")
    assert counts["by_action"]["virtualNetworks.createOrUpdate"] == 1 and counts["mutating"] == 2
    assert azure.control("snapshot") == before
    azure.control("request", method="PUT", path="resourceGroups/g/providers/Microsoft.Network/routeTables/r", body={"location": REGION})
    assert azure.control("snapshot").keys() - before.keys() == {"routeTables"}
    assert azure.control("counts") == counts


def test_foreign_objects(azure):
    azure.control("foreign", cluster="ha.example.com", location=REGION)
    kinds = azure.control("snapshot")
    for kind in ("virtualNetworks", "virtualMachineScaleSets", "loadBalancers", "natGateways", "disks", "roleAssignments", "dnszones"):
        assert len(kinds[kind]) >= 2, kind
    assert azure.control("calls")["calls"] == []


def test_group_with_users_elsewhere_is_not_deleted(azure, refused):
    azure.net()
    azure.resources.resource_groups.create_or_update("h", {"location": REGION})
    subnet = azure.network.subnets.get("g", "net", "a").id
    azure.network.network_interfaces.begin_create_or_update(
        "h", "nic", {"location": REGION, "properties": {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}}}]}}
    ).result()
    with pytest.raises(HttpResponseError) as error:
        azure.resources.resource_groups.begin_delete("g").result()
    assert error.value.error.code == "ResourceGroupDeletionBlocked"
    azure.resources.resource_groups.begin_delete("h").result()
    azure.resources.resource_groups.begin_delete("g").result()


def test_many_at_once(endpoint):
    one = Azure(endpoint)
    one.group()
    one.control("latency", milliseconds=20)
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        path = "/resourceGroups/g/providers/Microsoft.Network/applicationSecurityGroups/a{}"
        calls = [pool.submit(one.raw, "PUT", path.format(index), {"location": REGION}, "2024-03-01") for index in range(600)]
        assert {it.result()[0] for it in calls} == {201}
    assert time.monotonic() - started < 20
    assert one.control("calls")["most_in_flight"] > 10

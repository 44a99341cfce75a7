"""What tests can ask of the emulator."""

import concurrent.futures
import http.client
import json
import time
import unittest

from harness import REGION, ZONE, Case, client, server
from permissions import permission


class Control(Case):
    body = {"name": "net", "autoCreateSubnetworks": False}

    def test_calls_are_logged(self):
        self.network()
        self.fails(409, "alreadyExists", self.start("networks", "insert", self.body))
        log = self.control("calls")
        first, last = log["calls"][0], log["calls"][-1]
        self.assertEqual((first["action"], first["status"], first["mutation"]), ("compute.networks.insert", 200, True))
        self.assertEqual((last["status"], last["code"]), (409, "alreadyExists"))
        counts = self.control("counts")
        self.assertEqual(counts["compute.networks.insert"], {"calls": 2, "mutation": True, "failed": 1})
        self.assertFalse(counts["compute.globalOperations.wait"]["mutation"])
        self.assertEqual(log["most_in_flight"], 1)
        self.control("forget-calls")
        self.assertEqual(self.control("calls")["calls"], [])

    def test_a_port_of_ones_own(self):
        port = self.control("listen")
        self.assertEqual(self.control("listen"), port)
        self.control("deny", actions=["compute.images.getFromFamily"])

        def get(path):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", path)
            return connection.getresponse().status

        self.assertEqual(get("/compute/v1/projects/debian-cloud/global/images/family/debian-12"), 403)
        self.assertEqual(get("/compute/v1/projects/debian-cloud/global/images"), 200)
        self.assertEqual(get("/storage/v1/b/none-such"), 404)
        self.assertEqual(get("/compute/v1/nonsense"), 404)
        actions = [it["action"] for it in self.control("calls")["calls"]]
        expected = [
            "compute.images.getFromFamily",
            "compute.images.list",
            "storage.buckets.get",
            "GET /compute/v1/nonsense",
        ]
        self.assertEqual(actions, expected)

    def test_projects_share_nothing(self):
        self.network()
        self.assertNotIn("items", self.compute.networks().list(project="somebody-else").execute())
        self.control("forget")
        self.assertNotIn("items", self.start("networks", "list").execute())

    def test_failures(self):
        self.control(
            "fault",
            what="fail",
            action="compute.networks.*",
            code="rateLimitExceeded",
            status=403,
            message="slowly",
            skip=1,
            times=1,
        )
        self.start("networks", "list").execute()
        self.assertEqual(self.fails(403, "rateLimitExceeded", self.start("networks", "list")), "slowly")
        self.start("networks", "list").execute()
        self.assertEqual(self.control("faults")[0]["hits"], 1)
        self.control(
            "fault",
            what="fail",
            method="compute\\.networks\\.(list|get)",
            status=503,
            path="networks$",
            headers={"Retry-After": "1"},
        )
        status, headers, _ = self.raw("GET", f"/compute/v1/{self.path}/global/networks")
        self.assertEqual((status, headers["Retry-After"]), (503, "1"))
        self.fails(404, "notFound", self.start("networks", "get", network="net"))
        self.control("clear-faults")
        self.start("networks", "list").execute()

    def test_lost_answers(self):
        path = f"/compute/v1/{self.path}/global/networks"
        for what, name, there in (("drop", "a", False), ("lose", "b", True)):
            self.control("fault", what=what, action="compute.networks.insert", times=1)
            with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
                self.raw("POST", path, {**self.body, "name": name})
            self.control("settle")
            self.assertEqual(self.raw("GET", f"{path}/{name}")[0], 200 if there else 404)
        self.control("fault", what="lose", status=503, action="compute.networks.insert", times=1)
        self.assertEqual(self.raw("POST", path, {**self.body, "name": "c"})[0], 503)
        self.control("settle")
        self.get("networks", network="c")
        self.assertEqual([it["status"] for it in self.control("calls")["calls"] if it["mutation"]], [0, 0, 503])

    def test_held_answers(self):
        self.control("fault", what="hold", action="compute.networks.insert", times=1)
        path = f"/compute/v1/{self.path}/global/networks"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(self.raw, "POST", path, self.body)
            self.eventually(lambda: self.control("held") == 1)
            self.control("settle")
            self.get("networks", network="net")
            self.assertFalse(answer.done())
            self.control("release")
            self.assertEqual(answer.result()[0], 200)

    def test_operations_take_their_time(self):
        self.control("configure", operation_of={"compute\\.networks\\..*": 300})
        started = time.monotonic()
        operation = self.start("networks", "insert", self.body).execute()
        self.assertEqual(operation["status"], "PENDING")
        seen = set()
        while operation["status"] != "DONE":
            operation = self.compute.globalOperations().get(project=self.project, operation=operation["name"]).execute()
            seen.add(operation["status"])
        self.assertEqual(seen, {"PENDING", "RUNNING", "DONE"})
        self.assertGreater(time.monotonic() - started, 0.29)
        self.control("configure", operation_of={})
        self.control("fault", what="slow", action="compute.networks.delete", milliseconds=200)
        started = time.monotonic()
        self.do("networks", "delete", network="net")
        self.assertGreater(time.monotonic() - started, 0.19)

    def test_latency(self):
        self.control("latency", milliseconds=150)
        started = time.monotonic()
        self.start("networks", "list").execute()
        self.assertGreater(time.monotonic() - started, 0.15)

    def test_failed_operations_change_nothing(self):
        self.network()
        self.subnetwork()
        before = self.control("snapshot")
        for method, arguments in (
            ("subnetworks.delete", {"region": REGION, "subnetwork": "sub"}),
            (
                "subnetworks.setPrivateIpGoogleAccess",
                {"region": REGION, "subnetwork": "sub", "body": {"privateIpGoogleAccess": True}},
            ),
            ("addresses.insert", {"region": REGION, "body": {"name": "a"}}),
        ):
            self.control(
                "fault", what="operation", action=f"compute.{method}", code="QUOTA_EXCEEDED", status=403, times=1
            )
            operation = self.wait(self.start(*method.split("."), **arguments).execute())
            self.assertEqual(operation["error"]["errors"][0]["code"], "QUOTA_EXCEEDED")
            self.assertEqual(operation["httpErrorStatusCode"], 403)
            self.assertEqual(self.control("snapshot"), before)
        self.do("subnetworks", "delete", region=REGION, subnetwork="sub")

    def test_changes_that_meet_are_both_kept(self):
        self.control("foreign", cluster="c")
        where = {"zone": ZONE, "instanceGroupManager": "nodes-plain"}
        self.control("configure", operation_of={".*patch": 200})
        patch = self.start("instanceGroupManagers", "patch", {"targetPools": []}, **where).execute()
        self.do("instanceGroupManagers", "resize", size=2, **where)
        self.assertNotIn("error", self.wait(patch))
        manager = self.get("instanceGroupManagers", **where)
        self.assertEqual((manager["targetSize"], manager["targetPools"]), (2, []))
        where = {"region": REGION, "forwardingRule": "api-plain"}
        patch = self.start("forwardingRules", "patch", {"description": "new"}, **where).execute()
        labels = {"labels": {"a": "b"}, "labelFingerprint": self.get("forwardingRules", **where)["labelFingerprint"]}
        self.do("forwardingRules", "setLabels", labels, region=REGION, resource="api-plain")
        self.assertNotIn("error", self.wait(patch))
        rule = self.get("forwardingRules", **where)
        self.assertEqual((rule["description"], rule["labels"]), ("new", {"a": "b"}))

    def test_denials_name_the_permission(self):
        self.control("deny", actions=["compute.networks.create", "iam.*"])
        message = self.fails(403, "forbidden", self.start("networks", "insert", self.body))
        self.assertEqual(message, f"Required 'compute.networks.create' permission for '{self.path}/global/networks'")
        accounts = client("iam", "v1").projects().serviceAccounts()
        self.fails(403, "forbidden", accounts.list(name=self.path))
        self.control("deny", actions=[])
        self.control("deny", actions=["compute.*"], token="poor")
        path = f"/compute/v1/{self.path}/global/networks"
        self.assertEqual(self.raw("GET", path, headers={"Authorization": "Bearer poor"})[0], 403)
        self.assertEqual(self.raw("GET", path, headers={"Authorization": "Bearer rich"})[0], 200)

    def test_permissions_of_methods(self):
        for method, expected in {
            "compute.networks.insert": "compute.networks.create",
            "compute.networks.aggregatedList": "compute.networks.list",
            "compute.subnetworks.setPrivateIpGoogleAccess": "compute.subnetworks.setPrivateIpGoogleAccess",
            "compute.instanceGroupManagers.setInstanceTemplate": "compute.instanceGroupManagers.update",
            "compute.instanceGroupManagers.aggregatedList": "compute.instanceGroupManagers.list",
            "compute.instanceGroupManagers.listManagedInstances": "compute.instanceGroupManagers.get",
            "compute.regionInstanceGroupManagers.resize": "compute.instanceGroupManagers.update",
            "compute.zoneOperations.wait": "compute.zoneOperations.get",
            "iam.projects.serviceAccounts.patch": "iam.serviceAccounts.update",
            "cloudresourcemanager.projects.setIamPolicy": "resourcemanager.projects.setIamPolicy",
            "dns.resourceRecordSets.patch": "dns.resourceRecordSets.update",
            "storage.objects.insert": "storage.objects.create",
            "storage.xml.put": "storage.objects.create",
            "storage.buckets.patch": "storage.buckets.update",
        }.items():
            self.assertEqual(permission(method), expected)
        self.network()
        self.subnetwork()
        self.control("deny", actions=["compute.addresses.createInternal"])
        self.do("addresses", "insert", {"name": "a"}, region=REGION)
        body = {"name": "i", "addressType": "INTERNAL", "subnetwork": f"regions/{REGION}/subnetworks/sub"}
        self.fails(403, "forbidden", self.start("addresses", "insert", body, region=REGION))

    def test_snapshots_and_others(self):
        before = self.control("snapshot")
        self.control("foreign", cluster="ha.example.com")
        after = self.control("snapshot")
        for kind in (
            "networks", "subnetworks", "firewalls", "routes", "routers", "addresses", "disks", "instances", "instanceTemplates",
            "instanceGroups", "instanceGroupManagers", "healthChecks", "httpHealthChecks", "backendServices", "targetPools",
            "forwardingRules", "managedZones", "resourceRecordSets", "serviceAccounts", "projectBindings", "buckets", "objects",
        ):  # fmt: skip
            self.assertIn(kind, after)
        self.assertIn("ha-example-com-au", after["networks"])
        self.assertEqual(self.control("calls")["calls"], [])
        self.assertEqual(self.control("snapshot"), after)
        self.assertEqual(set(before), {"projectBindings"})
        normal = self.control("snapshot", normalised=True)
        self.assertNotIn("id", normal["networks"]["plain"])
        self.control("call", method="compute.firewalls.delete", parameters={"firewall": "node-to-node-plain"})
        self.assertEqual(len(self.control("snapshot")["firewalls"]), len(after["firewalls"]) - 1)
        with self.assertRaises(AssertionError):
            self.control("call", method="compute.networks.delete", parameters={"network": "plain"})

    def test_everything_goes_again(self):
        before = self.control("snapshot")
        self.control("foreign", cluster="ha.example.com")
        scopes = {
            "forwardingRules": ("globalForwardingRules", "forwardingRules", "forwardingRule"),
            "targetTcpProxies": ("targetTcpProxies", None, "targetTcpProxy"),
            "backendServices": ("backendServices", "regionBackendServices", "backendService"),
            "healthChecks": ("healthChecks", "regionHealthChecks", "healthCheck"),
            "instanceGroupManagers": (None, "instanceGroupManagers", "instanceGroupManager"),
            "instanceGroups": (None, "instanceGroups", "instanceGroup"),
            "instanceTemplates": ("instanceTemplates", None, "instanceTemplate"),
            "targetPools": (None, "targetPools", "targetPool"),
            "httpHealthChecks": ("httpHealthChecks", None, "httpHealthCheck"),
            "instances": (None, "instances", "instance"),
            "disks": (None, "disks", "disk"),
            "addresses": ("globalAddresses", "addresses", "address"),
            "routers": (None, "routers", "router"),
            "firewalls": ("firewalls", None, "firewall"),
            "subnetworks": (None, "subnetworks", "subnetwork"),
            "routes": ("routes", None, "route"),
            "networks": ("networks", None, "network"),
        }
        for kind, (everywhere, somewhere, parameter) in scopes.items():
            for name, item in self.control("snapshot").get(kind, {}).items():
                if kind == "routes" and name.startswith("default-route"):
                    continue
                place, _, own = name.rpartition("/")
                arguments = {parameter: own, **({"zone" if "zone" in item else "region": place} if place else {})}
                self.do(somewhere if place else everywhere, "delete", **arguments)
            self.assertFalse(
                [it for it in self.control("snapshot").get(kind, {}) if not it.startswith("default-route")]
            )
        left = self.control("snapshot")
        for kind in (
            "managedZones",
            "resourceRecordSets",
            "serviceAccounts",
            "buckets",
            "objects",
            "bucketAcl",
            "objectAcl",
        ):
            left.pop(kind)
        left = {kind: names for kind, names in left.items() if not kind.startswith(("bucket", "default"))}
        self.assertEqual(set(left), set(before))

    def test_many_at_once(self):
        self.network()
        self.control("configure", operation=50)

        def one(index):
            connection = http.client.HTTPConnection("127.0.0.1", server().port)
            path = f"/compute/v1/{self.path}/regions/{REGION}/subnetworks"
            body = {"name": f"s{index}", "network": "global/networks/net", "ipCidrRange": f"10.{index}.0.0/16"}
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            operation = json.loads(connection.getresponse().read())
            path = f"/compute/v1/{self.path}/regions/{REGION}/operations/{operation['name']}/wait"
            connection.request("POST", path)
            return json.loads(connection.getresponse().read())["status"]

        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            self.assertEqual(set(pool.map(one, range(60))), {"DONE"})
        self.assertLess(time.monotonic() - started, 3)
        self.assertEqual(len(self.start("subnetworks", "list", region=REGION).execute()["items"]), 60)

    def test_buckets_zones_serial_ports(self):
        self.control("bucket", name=f"made-{self.project}")
        self.assertEqual(self.control("zone", name="example.test"), "example-test")
        self.assertEqual(len(self.control("snapshot")["resourceRecordSets"]), 2)
        self.control("foreign", cluster="c")
        self.control("serial", zone=ZONE, instance="bastion-plain", text="hello")
        self.assertEqual(
            self.start("instances", "getSerialPortOutput", zone=ZONE, instance="bastion-plain").execute()["contents"],
            "hello",
        )


if __name__ == "__main__":
    unittest.main()

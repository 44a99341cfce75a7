"""Networks and what is in them; what all kinds of Compute have in common is tested on them as well."""

import unittest
import uuid

from harness import REGION, ROOT, Case


class Networks(Case):
    def test_a_network_comes_with_its_route_and_goes(self):
        operation = self.start("networks", "insert", {"name": "net", "autoCreateSubnetworks": False}).execute()
        self.assertEqual(operation["kind"], "compute#operation")
        self.assertIn(operation["status"], ("PENDING", "RUNNING"))
        self.assertEqual(operation["targetLink"], f"{ROOT}{self.path}/global/networks/net")
        self.assertEqual(operation["operationType"], "insert")
        self.fails(404, "notFound", self.start("networks", "get", network="net"))
        done = self.wait(operation)
        self.assertEqual(done["progress"], 100)
        network = self.get("networks", network="net")
        self.assertEqual(network["selfLink"], operation["targetLink"])
        self.assertEqual(network["id"], operation["targetId"])
        self.assertEqual(network["routingConfig"]["routingMode"], "REGIONAL")
        routes = self.start("routes", "list").execute()["items"]
        self.assertEqual([it["destRange"] for it in routes], ["0.0.0.0/0"])
        self.do("networks", "delete", network="net")
        self.assertNotIn("items", self.start("routes", "list").execute())
        self.fails(404, "notFound", self.start("networks", "delete", network="net"))

    def test_a_name_is_taken_from_the_call_on(self):
        self.control("configure", operation=300)
        body = {"name": "net", "autoCreateSubnetworks": False}
        operation = self.start("networks", "insert", body).execute()
        self.fails(409, "alreadyExists", self.start("networks", "insert", body))
        subnetwork = {"name": "sub", "network": f"{self.path}/global/networks/net", "ipCidrRange": "10.0.0.0/16"}
        self.fails(400, "resourceNotReady", self.start("subnetworks", "insert", subnetwork, region=REGION))
        self.wait(operation)
        self.fails(409, "alreadyExists", self.start("networks", "insert", body))
        self.wait(self.start("subnetworks", "insert", subnetwork, region=REGION).execute())

    def test_a_request_id_makes_a_call_once(self):
        arguments = {"body": {"name": "net", "autoCreateSubnetworks": False}, "requestId": str(uuid.uuid4())}
        first = self.start("networks", "insert", **arguments).execute()
        self.assertEqual(self.start("networks", "insert", **arguments).execute()["name"], first["name"])
        self.wait(first)
        again = self.start("networks", "insert", **arguments).execute()
        self.assertEqual((again["name"], again["status"]), (first["name"], "DONE"))
        arguments["requestId"] = "00000000-0000-0000-0000-000000000000"
        self.fails(400, "invalid", self.start("networks", "insert", **arguments))

    def test_what_is_in_use_stays(self):
        self.network()
        self.subnetwork()
        # Of networks, it is the operation that says so.
        operation = self.wait(self.start("networks", "delete", network="net").execute())
        self.assertEqual(operation["httpErrorStatusCode"], 400)
        error = operation["error"]["errors"][0]
        self.assertEqual(error["code"], "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE")
        self.assertEqual(
            error["message"],
            f"The network resource '{self.path}/global/networks/net' is already being used by "
            f"'{self.path}/regions/{REGION}/subnetworks/sub'",
        )
        self.do("subnetworks", "delete", region=REGION, subnetwork="sub")
        self.do(
            "firewalls", "insert", {"name": "f", "network": "global/networks/net", "allowed": [{"IPProtocol": "tcp"}]}
        )
        self.in_use("networks", network="net")
        self.do("firewalls", "delete", firewall="f")
        self.do("networks", "delete", network="net")

    def test_what_goes_is_not_ready(self):
        self.network()
        self.control("configure", operation=300)
        operation = self.start("networks", "delete", network="net").execute()
        self.get("networks", network="net")
        self.fails(400, "resourceNotReady", self.start("networks", "delete", network="net"))
        firewall = {"name": "f", "network": "global/networks/net", "allowed": [{"IPProtocol": "tcp"}]}
        self.fails(400, "resourceNotReady", self.start("firewalls", "insert", firewall))
        self.wait(operation)
        self.fails(404, "notFound", self.start("firewalls", "insert", firewall))


class Subnetworks(Case):
    def test_ranges_do_not_overlap(self):
        self.network()
        self.network("other")
        self.subnetwork(secondaryIpRanges=[{"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}])
        for cidr in ("10.0.128.0/20", "10.4.1.0/24", "10.0.0.0/8"):
            body = {"name": "more", "network": "global/networks/net", "ipCidrRange": cidr}
            self.fails(400, "invalid", self.start("subnetworks", "insert", body, region=REGION))
        for cidr in ("10.9.0.1/16", "10.9.0.0", "10.9.0.0/30", "nonsense"):
            body = {"name": "more", "network": "global/networks/net", "ipCidrRange": cidr}
            self.fails(400, "invalid", self.start("subnetworks", "insert", body, region=REGION))
        self.subnetwork("more", network="other")

    def test_a_patch_brings_the_fingerprint(self):
        self.network()
        self.subnetwork()
        where = {"region": REGION, "subnetwork": "sub"}
        before = self.get("subnetworks", **where)
        self.assertEqual(before["gatewayAddress"], "10.0.0.1")
        self.assertEqual(before["region"], f"{ROOT}{self.path}/regions/{REGION}")
        self.assertEqual(before["network"], f"{ROOT}{self.path}/global/networks/net")
        ranges = {"secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}]}
        self.fails(412, "conditionNotMet", self.start("subnetworks", "patch", ranges, **where))
        good = {**ranges, "fingerprint": before["fingerprint"]}
        self.do("subnetworks", "patch", good, **where)
        after = self.get("subnetworks", **where)
        self.assertEqual(after["secondaryIpRanges"], ranges["secondaryIpRanges"])
        self.assertNotEqual(after["fingerprint"], before["fingerprint"])
        self.fails(412, "conditionNotMet", self.start("subnetworks", "patch", good, **where))
        self.fails(
            400,
            "invalid",
            self.start(
                "subnetworks", "patch", {"ipCidrRange": "10.0.0.0/8", "fingerprint": after["fingerprint"]}, **where
            ),
        )
        self.do("subnetworks", "setPrivateIpGoogleAccess", {"privateIpGoogleAccess": True}, **where)
        self.assertTrue(self.get("subnetworks", **where)["privateIpGoogleAccess"])

    def test_a_range_can_grow(self):
        self.network()
        self.subnetwork()
        where = {"region": REGION, "subnetwork": "sub"}
        for wrong in ("10.1.0.0/16", "10.0.0.0/20"):
            self.fails(400, "invalid", self.start("subnetworks", "expandIpCidrRange", {"ipCidrRange": wrong}, **where))
        self.do("subnetworks", "expandIpCidrRange", {"ipCidrRange": "10.0.0.0/14"}, **where)
        self.assertEqual(self.get("subnetworks", **where)["ipCidrRange"], "10.0.0.0/14")

    def test_lists_by_region_and_in_all(self):
        self.network()
        self.subnetwork()
        self.assertEqual(len(self.start("subnetworks", "list", region=REGION).execute()["items"]), 1)
        self.assertNotIn("items", self.start("subnetworks", "list", region="us-central1").execute())
        scopes = self.start("subnetworks", "aggregatedList").execute()["items"]
        self.assertEqual([it["name"] for it in scopes[f"regions/{REGION}"]["subnetworks"]], ["sub"])
        self.assertEqual(scopes["regions/us-central1"]["warning"]["code"], "NO_RESULTS_ON_PAGE")
        self.fails(400, "invalid", self.start("subnetworks", "list", region="mars-north1"))


class Firewalls(Case):
    def test_rules_are_whole(self):
        self.network()
        base = {"name": "f", "network": "global/networks/net"}
        for wrong in (
            {},
            {"allowed": [{"IPProtocol": "tcp"}], "denied": [{"IPProtocol": "udp"}]},
            {"allowed": [{"IPProtocol": "icmp", "ports": ["8"]}]},
            {"allowed": [{"IPProtocol": "tcp", "ports": ["80-22"]}]},
            {"allowed": [{"IPProtocol": "nonsense"}]},
            {"allowed": [{"IPProtocol": "tcp"}], "sourceRanges": ["10.0.0.1/8"]},
            {"allowed": [{"IPProtocol": "tcp"}], "priority": 70000},
            {"allowed": [{"IPProtocol": "tcp"}], "targetTags": ["Not_a_tag"]},
        ):
            self.fails(400, "invalid", self.start("firewalls", "insert", {**base, **wrong}))
        self.do("firewalls", "insert", {**base, "allowed": [{"IPProtocol": "tcp", "ports": ["22", "80-90"]}]})
        rule = self.get("firewalls", firewall="f")
        self.assertEqual((rule["direction"], rule["priority"], rule["sourceRanges"]), ("INGRESS", 1000, ["0.0.0.0/0"]))

    def test_patch_merges_and_update_replaces(self):
        self.network()
        self.do("firewalls", "insert", {
            "name": "f", "network": "global/networks/net", "allowed": [{"IPProtocol": "tcp"}], "targetTags": ["a"], "description": "d",
        })  # fmt: skip
        self.do("firewalls", "patch", {"name": "f", "sourceRanges": ["10.0.0.0/8"]}, firewall="f")
        rule = self.get("firewalls", firewall="f")
        self.assertEqual((rule["targetTags"], rule["sourceRanges"]), (["a"], ["10.0.0.0/8"]))
        self.do("firewalls", "update", {
            "name": "f", "network": "global/networks/net", "allowed": [{"IPProtocol": "udp"}], "sourceTags": ["b"],
        }, firewall="f")  # fmt: skip
        rule = self.get("firewalls", firewall="f")
        self.assertEqual(rule["allowed"], [{"IPProtocol": "udp"}])
        self.assertNotIn("targetTags", rule)
        self.assertNotIn("description", rule)
        self.assertEqual(rule["network"], f"{ROOT}{self.path}/global/networks/net")


class Routers(Case):
    def test_nats_are_in_the_router(self):
        self.network()
        self.do("addresses", "insert", {"name": "nat"}, region=REGION)
        nat = {"name": "n", "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"}
        body = {"name": "r", "network": "global/networks/net", "nats": [{**nat, "natIpAllocateOption": "MANUAL_ONLY"}]}
        self.fails(400, "invalid", self.start("routers", "insert", body, region=REGION))
        body["nats"][0]["natIps"] = [f"regions/{REGION}/addresses/nat"]
        self.do("routers", "insert", body, region=REGION)
        address = self.get("addresses", region=REGION, address="nat")
        self.assertEqual(
            (address["status"], address["users"]), ("IN_USE", [f"{ROOT}{self.path}/regions/{REGION}/routers/r"])
        )
        self.fails(
            400, "resourceInUseByAnotherResource", self.start("addresses", "delete", region=REGION, address="nat")
        )
        self.do("routers", "patch", {"nats": [{**nat, "natIpAllocateOption": "AUTO_ONLY"}]}, region=REGION, router="r")
        router = self.get("routers", region=REGION, router="r")
        self.assertNotIn("natIps", router["nats"][0])
        status = self.start("routers", "getRouterStatus", region=REGION, router="r").execute()["result"]
        self.assertEqual(len(status["natStatus"][0]["autoAllocatedNatIps"]), 1)
        second = {"name": "s", "network": "global/networks/net", "nats": [{**nat, "natIpAllocateOption": "AUTO_ONLY"}]}
        self.fails(400, "invalid", self.start("routers", "insert", second, region=REGION))
        self.do("addresses", "delete", region=REGION, address="nat")
        self.do("routers", "delete", region=REGION, router="r")


class Addresses(Case):
    def test_internal_and_external_ones(self):
        self.network()
        self.subnetwork()
        self.do("addresses", "insert", {"name": "a", "labels": {"k": "v"}}, region=REGION)
        self.do("globalAddresses", "insert", {"name": "a"})
        external = self.get("addresses", region=REGION, address="a")
        self.assertEqual((external["addressType"], external["status"]), ("EXTERNAL", "RESERVED"))
        self.assertNotEqual(external["address"], self.get("globalAddresses", address="a")["address"])
        body = {"name": "i", "addressType": "INTERNAL", "subnetwork": f"regions/{REGION}/subnetworks/sub"}
        self.do("addresses", "insert", body, region=REGION)
        internal = self.get("addresses", region=REGION, address="i")
        self.assertTrue(internal["address"].startswith("10.0.0."))
        self.fails(
            400,
            "invalid",
            self.start("addresses", "insert", {**body, "name": "j", "address": "10.9.0.1"}, region=REGION),
        )
        taken = {**body, "name": "j", "address": internal["address"]}
        self.fails(400, "invalid", self.start("addresses", "insert", taken, region=REGION))

    def test_labels_have_a_fingerprint(self):
        self.do("addresses", "insert", {"name": "a"}, region=REGION)
        before = self.get("addresses", region=REGION, address="a")
        where = {"region": REGION, "resource": "a"}
        wrong = {"labels": {"k": "v"}, "labelFingerprint": "AAAAAAAAAAA="}
        self.fails(412, "conditionNotMet", self.start("addresses", "setLabels", wrong, **where))
        self.do(
            "addresses", "setLabels", {"labels": {"k": "v"}, "labelFingerprint": before["labelFingerprint"]}, **where
        )
        after = self.get("addresses", region=REGION, address="a")
        self.assertEqual(after["labels"], {"k": "v"})
        self.assertNotEqual(after["labelFingerprint"], before["labelFingerprint"])
        bad = {"labels": {"Upper": "v"}, "labelFingerprint": after["labelFingerprint"]}
        self.fails(400, "invalid", self.start("addresses", "setLabels", bad, **where))


if __name__ == "__main__":
    unittest.main()

"""What types do not tell, and only descriptions do."""

import unittest

import discovery
from compute import KINDS
from harness import REGION, ROOT, ZONE, Case


class Descriptions(unittest.TestCase):
    def test_labels_that_only_their_method_sets(self):
        schemas = discovery.Document("compute", discovery._read("compute.v1")).schemas
        for kind in KINDS.values():
            name = kind.kind.partition("#")[2]
            labels = schemas[name[:1].upper() + name[1:]]["properties"].get("labels", {}).get("description", "")
            late = "can only be added or modified by" in labels
            if kind.has_labels:
                self.assertEqual(kind.late_labels, late, name)


class Strict(Case):
    def setUp(self):
        super().setUp()
        self.control("configure", operation=5)

    def test_labels_of_addresses_are_set_afterwards(self):
        self.do("addresses", "insert", {"name": "a", "labels": {"team": "x"}}, region=REGION)
        address = self.get("addresses", region=REGION, address="a")
        self.assertNotIn("labels", address)
        labels = {"labels": {"team": "x"}, "labelFingerprint": address["labelFingerprint"]}
        self.do("addresses", "setLabels", labels, region=REGION, resource="a")
        self.assertEqual(self.get("addresses", region=REGION, address="a")["labels"], {"team": "x"})

    def test_a_backend_is_named_in_full(self):
        self.network()
        self.subnetwork()
        self.template()
        self.manager(size=0)
        check = {"name": "api", "type": "TCP", "tcpHealthCheck": {"port": 443}}
        self.do("regionHealthChecks", "insert", check, region=REGION)
        for url, fine in ((f"{self.path}/zones/{ZONE}/instanceGroups/g", False), (f"{ROOT}{self.path}/zones/{ZONE}/instanceGroups/g", True)):
            service = {
                "name": "api", "loadBalancingScheme": "INTERNAL", "protocol": "TCP",
                "healthChecks": [f"regions/{REGION}/healthChecks/api"], "backends": [{"group": url}],
            }  # fmt: skip
            if fine:
                self.do("regionBackendServices", "insert", service, region=REGION)
            else:
                self.fails(400, "invalid", self.start("regionBackendServices", "insert", service, region=REGION))

    def test_a_shared_network_has_its_rules_in_its_own_project(self):
        host, service = f"{self.project}-host", self.project
        self.project = host
        self.path = f"projects/{host}"
        self.network()
        self.subnetwork()
        self.do("projects", "enableXpnResource", {"xpnResource": {"type": "PROJECT", "id": service}})
        self.project = service
        self.assertEqual(self.start("projects", "getXpnHost").execute()["name"], host)
        rule = {"name": "r", "network": f"projects/{host}/global/networks/net", "allowed": [{"IPProtocol": "tcp"}]}
        message = self.fails(400, "invalid", self.start("firewalls", "insert", rule))
        self.assertIn("Cross project referencing is not allowed", message)
        # Machines name the host's subnetwork, and keep it.
        instance = {
            "name": "i", "machineType": f"zones/{ZONE}/machineTypes/e2-medium",
            "disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"}}],
            "networkInterfaces": [{"subnetwork": f"projects/{host}/regions/{REGION}/subnetworks/sub"}],
        }  # fmt: skip
        self.do("instances", "insert", instance, zone=ZONE)
        self.project = host
        self.fails(
            400, "resourceInUseByAnotherResource", self.start("subnetworks", "delete", region=REGION, subnetwork="sub")
        )

    def test_accelerators_that_come_with_a_type_do_not_move(self):
        self.network()
        self.subnetwork()
        # The template is taken.
        self.template(machineType="g2-standard-4")
        instance = {
            "name": "i", "machineType": f"zones/{ZONE}/machineTypes/g2-standard-4",
            "disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"}}],
            "networkInterfaces": [{"subnetwork": f"{self.path}/regions/{REGION}/subnetworks/sub"}],
        }  # fmt: skip
        message = self.fails(400, "badRequest", self.start("instances", "insert", instance, zone=ZONE))
        self.assertIn("live migration", message)
        self.do("instances", "insert", {**instance, "scheduling": {"onHostMaintenance": "TERMINATE"}}, zone=ZONE)


if __name__ == "__main__":
    unittest.main()

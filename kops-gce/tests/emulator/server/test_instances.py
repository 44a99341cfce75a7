"""Disks, instances, templates, groups and their managers."""

import unittest

from harness import IMAGE, REGION, ROOT, ZONE, Case


class Machines(Case):
    def setUp(self):
        super().setUp()
        self.network()
        self.subnetwork(secondaryIpRanges=[{"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}])

    def body(self, **more):
        return {
            "name": "vm",
            "machineType": f"zones/{ZONE}/machineTypes/e2-small",
            "disks": [
                {"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": IMAGE, "diskSizeGb": "20"}}
            ],
            "networkInterfaces": [{"subnetwork": f"regions/{REGION}/subnetworks/sub", "accessConfigs": [{}]}],
            **more,
        }

    def vm(self, name="vm"):
        return self.get("instances", zone=ZONE, instance=name)

    def test_an_instance_has_disks_and_addresses(self):
        self.control("configure", operation=200)
        body = self.body(labels={"a": "b"}, tags={"items": ["t"]}, metadata={"items": [{"key": "k", "value": "v"}]})
        operation = self.start("instances", "insert", body, zone=ZONE).execute()
        self.assertIn(self.vm()["status"], ("PROVISIONING", "STAGING"))
        self.assertEqual(self.get("disks", zone=ZONE, disk="vm")["status"], "CREATING")
        self.assertNotIn("error", self.wait(operation))
        vm = self.vm()
        self.assertEqual(vm["status"], "RUNNING")
        self.assertEqual(vm["zone"], f"{ROOT}{self.path}/zones/{ZONE}")
        interface = vm["networkInterfaces"][0]
        self.assertTrue(interface["networkIP"].startswith("10.0.0."))
        self.assertEqual(interface["network"], f"{ROOT}{self.path}/global/networks/net")
        self.assertTrue(interface["accessConfigs"][0]["natIP"])
        disk = self.get("disks", zone=ZONE, disk="vm")
        self.assertEqual((disk["status"], disk["sizeGb"], disk["users"]), ("READY", "20", [vm["selfLink"]]))
        self.assertEqual(vm["disks"][0]["source"], disk["selfLink"])
        self.control("configure", operation=5)
        self.fails(400, "resourceInUseByAnotherResource", self.start("disks", "delete", zone=ZONE, disk="vm"))
        where = {"region": REGION, "subnetwork": "sub"}
        self.fails(400, "resourceInUseByAnotherResource", self.start("subnetworks", "delete", **where))
        self.do("instances", "delete", zone=ZONE, instance="vm")
        self.fails(404, "notFound", self.start("disks", "get", zone=ZONE, disk="vm"))
        self.do("subnetworks", "delete", **where)

    def test_wrong_ones_are_refused_and_leave_nothing(self):
        for wrong in (
            {"machineType": "e2-small"},
            {"machineType": "zones/us-east1-b/machineTypes/e2-small"},
            {"machineType": f"zones/{ZONE}/machineTypes/t2a-standard-1"},
            {"disks": []},
            {"disks": [{"boot": False, "initializeParams": {"sourceImage": IMAGE}}]},
            {"networkInterfaces": []},
            {"networkInterfaces": [{"network": "global/networks/net"}]},
            {"networkInterfaces": [{"subnetwork": f"regions/{REGION}/subnetworks/none"}]},
            {"metadata": {"items": [{"key": "k", "value": "v"}] * 2}},
            {"metadata": {"items": [{"key": "k", "value": "v" * 300_000}]}},
            {"scheduling": {"preemptible": True, "automaticRestart": True}},
        ):
            self.fails(400, "invalid", self.start("instances", "insert", self.body(**wrong), zone=ZONE))
        account = [{"email": f"none@{self.project}.iam.gserviceaccount.com", "scopes": []}]
        done = self.wait(self.start("instances", "insert", self.body(serviceAccounts=account), zone=ZONE).execute())
        self.assertEqual(done["error"]["errors"][0]["code"], "SERVICE_ACCOUNT_ACCESS_DENIED")
        image = [{"boot": True, "initializeParams": {"sourceImage": "global/images/none"}}]
        self.fails(404, "notFound", self.start("instances", "insert", self.body(disks=image), zone=ZONE))
        self.assertNotIn("disks", self.control("snapshot"))

    def test_metadata_tags_labels(self):
        self.do("instances", "insert", self.body(), zone=ZONE)
        vm, where = self.vm(), {"zone": ZONE, "instance": "vm"}
        items = [{"key": "k", "value": "w"}]
        self.fails(
            412,
            "conditionNotMet",
            self.start("instances", "setMetadata", {"items": items, "fingerprint": "AAAA"}, **where),
        )
        self.do("instances", "setMetadata", {"items": items, "fingerprint": vm["metadata"]["fingerprint"]}, **where)
        self.do("instances", "setTags", {"items": ["x"], "fingerprint": vm["tags"]["fingerprint"]}, **where)
        self.do("instances", "setLabels", {"labels": {"l": "m"}, "labelFingerprint": vm["labelFingerprint"]}, **where)
        after = self.vm()
        self.assertEqual(
            (after["metadata"]["items"], after["tags"]["items"], after["labels"]), (items, ["x"], {"l": "m"})
        )
        self.fails(
            412,
            "conditionNotMet",
            self.start("instances", "setTags", {"items": [], "fingerprint": vm["tags"]["fingerprint"]}, **where),
        )

    def test_disks_come_and_go(self):
        self.do("instances", "insert", self.body(), zone=ZONE)
        kind = f"{self.path}/zones/{ZONE}/diskTypes/pd-ssd"
        self.do("disks", "insert", {"name": "d", "sizeGb": "20", "type": kind}, zone=ZONE)
        where = {"zone": ZONE, "instance": "vm"}
        self.do("instances", "attachDisk", {"source": f"zones/{ZONE}/disks/d", "deviceName": "data"}, **where)
        self.assertEqual(len(self.vm()["disks"]), 2)
        self.fails(400, "resourceInUseByAnotherResource", self.start("disks", "delete", zone=ZONE, disk="d"))
        self.do("instances", "detachDisk", deviceName="data", **where)
        self.do("disks", "resize", {"sizeGb": "30"}, zone=ZONE, disk="d")
        self.fails(400, "invalid", self.start("disks", "resize", {"sizeGb": "10"}, zone=ZONE, disk="d"))
        self.do("disks", "delete", zone=ZONE, disk="d")
        self.fails(400, "invalid", self.start("disks", "insert", {"name": "d", "type": "pd-ssd"}, zone=ZONE))

    def test_disks_tell_the_version_of_their_key(self):
        key = "projects/p/locations/europe/keyRings/r/cryptoKeys/k"
        disk = self.body()["disks"][0]
        body = self.body(disks=[{**disk, "diskEncryptionKey": {"kmsKeyName": key}}])
        self.do("instances", "insert", body, zone=ZONE)
        for got in (self.get("disks", zone=ZONE, disk="vm"), self.vm()["disks"][0]):
            self.assertEqual(got["diskEncryptionKey"], {"kmsKeyName": f"{key}/cryptoKeyVersions/1"})

    def test_stop_start_protection(self):
        self.do("instances", "insert", self.body(deletionProtection=True), zone=ZONE)
        where = {"zone": ZONE, "instance": "vm"}
        self.do("instances", "stop", **where)
        self.assertEqual(self.vm()["status"], "TERMINATED")
        self.do("instances", "setMachineType", {"machineType": f"zones/{ZONE}/machineTypes/e2-medium"}, **where)
        self.do("instances", "start", **where)
        self.fails(400, "invalidResourceUsage", self.start("instances", "delete", **where))
        self.do("instances", "setDeletionProtection", deletionProtection=False, zone=ZONE, resource="vm")
        self.do("instances", "delete", **where)

    def test_an_operation_may_fail(self):
        self.control(
            "fault",
            what="operation",
            action="compute.instances.insert",
            code="ZONE_RESOURCE_POOL_EXHAUSTED",
            status=503,
            times=1,
        )
        done = self.wait(self.start("instances", "insert", self.body(), zone=ZONE).execute())
        self.assertEqual(done["error"]["errors"][0]["code"], "ZONE_RESOURCE_POOL_EXHAUSTED")
        self.assertEqual(done["httpErrorStatusCode"], 503)
        self.assertEqual({*self.control("snapshot")} & {"instances", "disks"}, set())
        self.do("instances", "insert", self.body(), zone=ZONE)


class Templates(Case):
    def test_templates_are_checked(self):
        self.network()
        self.subnetwork()
        self.template()
        template = self.get("instanceTemplates", instanceTemplate="t1")
        properties = template["properties"]
        self.assertEqual(properties["networkInterfaces"][0]["network"], f"{ROOT}{self.path}/global/networks/net")
        disk = properties["disks"][0]
        self.assertEqual(disk["initializeParams"]["sourceImage"], f"https://www.googleapis.com/compute/v1/{IMAGE}")
        for change in (
            {"machineType": f"zones/{ZONE}/machineTypes/e2-small"},
            {"machineType": "e9-huge"},
            {
                "disks": [
                    {
                        "boot": True,
                        "initializeParams": {"sourceImage": IMAGE, "diskType": f"zones/{ZONE}/diskTypes/pd-ssd"},
                    }
                ]
            },
            {"networkInterfaces": []},
        ):
            good = {
                "machineType": "e2-small",
                "disks": properties["disks"],
                "networkInterfaces": [{"network": "global/networks/net"}],
            }
            self.fails(
                400,
                "invalid",
                self.start("instanceTemplates", "insert", {"name": "t2", "properties": {**good, **change}}),
            )
        self.fails(400, "required", self.start("instanceTemplates", "insert", {"name": "t2", "properties": {}}))
        self.fails(
            409, "alreadyExists", self.start("instanceTemplates", "insert", {"name": "t1", "properties": properties})
        )
        self.assertEqual(self.raw("PATCH", f"/compute/v1/{self.path}/global/instanceTemplates/t1", {})[0], 404)


class Groups(Case):
    def setUp(self):
        super().setUp()
        self.control("configure", operation=5)
        self.network()
        self.subnetwork()
        self.template(
            tags={"items": ["node"]}, labels={"a": "b"}, metadata={"items": [{"key": "user-data", "value": "x"}]}
        )

    def names(self):
        return [it["name"] for it in self.members()]

    def where(self):
        return {"zone": ZONE, "instanceGroupManager": "g"}

    def act(self, method, *names, **more):
        return self.do(
            "instanceGroupManagers",
            method,
            {"instances": [f"zones/{ZONE}/instances/{it}" for it in names], **more},
            **self.where(),
        )

    def test_a_group_makes_its_instances(self):
        manager = self.manager()
        self.assertEqual(manager["instanceGroup"], f"{ROOT}{self.path}/zones/{ZONE}/instanceGroups/g")
        self.assertTrue(manager["status"]["versionTarget"]["isReached"])
        self.assertEqual(manager["currentActions"]["none"], 2)
        member = self.members()[0]
        self.assertEqual((member["currentAction"], member["instanceStatus"]), ("NONE", "RUNNING"))
        self.assertEqual(member["version"]["instanceTemplate"], f"{ROOT}{self.path}/global/instanceTemplates/t1")
        self.assertRegex(member["name"], "g-[a-z0-9]{4}")
        vm = self.get("instances", zone=ZONE, instance=member["name"])
        self.assertEqual((vm["labels"], vm["tags"]["items"]), ({"a": "b"}, ["node"]))
        metadata = {it["key"]: it["value"] for it in vm["metadata"]["items"]}
        self.assertEqual(metadata["user-data"], "x")
        self.assertRegex(metadata["created-by"], f"projects/[0-9]+/zones/{ZONE}/instanceGroupManagers/g")
        self.assertEqual(self.get("instanceGroups", zone=ZONE, instanceGroup="g")["size"], 2)
        listed = self.start(
            "instanceGroups", "listInstances", {"instanceState": "ALL"}, zone=ZONE, instanceGroup="g"
        ).execute()
        self.assertEqual(len(listed["items"]), 2)
        self.in_use("instanceTemplates", instanceTemplate="t1")
        self.fails(
            400, "resourceInUseByAnotherResource", self.start("instanceGroups", "delete", zone=ZONE, instanceGroup="g")
        )
        self.do("instanceGroupManagers", "delete", **self.where())
        self.assertEqual({*self.control("snapshot")} & {"instances", "disks", "instanceGroups"}, set())
        self.do("instanceTemplates", "delete", instanceTemplate="t1")

    def test_sizes(self):
        self.manager()
        self.do("instanceGroupManagers", "resize", size=4, **self.where())
        self.stable()
        self.assertEqual(len(self.members()), 4)
        names = self.names()
        self.act("deleteInstances", names[0])
        self.act("abandonInstances", names[1])
        manager = self.stable()
        self.assertEqual((manager["targetSize"], self.names()), (2, names[2:]))
        self.fails(404, "notFound", self.start("instances", "get", zone=ZONE, instance=names[0]))
        self.get("instances", zone=ZONE, instance=names[1])
        wrong = {"instances": [f"zones/{ZONE}/instances/{names[1]}"]}
        self.fails(400, "invalid", self.start("instanceGroupManagers", "deleteInstances", wrong, **self.where()))
        self.do("instanceGroupManagers", "resize", size=0, **self.where())
        self.stable()
        self.assertEqual(self.members(), [])

    def test_what_is_lost_comes_back(self):
        self.manager()
        name = self.names()[0]
        before = self.get("instances", zone=ZONE, instance=name)["id"]
        self.do("instances", "delete", zone=ZONE, instance=name)
        self.stable()
        self.assertNotEqual(self.get("instances", zone=ZONE, instance=name)["id"], before)
        before = self.get("instances", zone=ZONE, instance=name)["id"]
        self.act("recreateInstances", name)
        self.stable()
        self.assertNotEqual(self.get("instances", zone=ZONE, instance=name)["id"], before)
        self.assertEqual(len(self.members()), 2)

    def test_a_new_template_waits_or_not(self):
        self.manager()
        self.template("t2")
        before = self.names()
        link = f"{self.path}/global/instanceTemplates/t2"
        fingerprint = self.stable()["fingerprint"]
        self.fails(412, "conditionNotMet", self.start(
            "instanceGroupManagers", "patch", {"instanceTemplate": link, "fingerprint": "AAAA"}, **self.where()
        ))  # fmt: skip
        self.do(
            "instanceGroupManagers", "patch", {"instanceTemplate": link, "fingerprint": fingerprint}, **self.where()
        )
        manager = self.get("instanceGroupManagers", **self.where())
        self.assertEqual(manager["versions"], [{"instanceTemplate": ROOT + link}])
        self.assertEqual(
            (manager["status"]["isStable"], manager["status"]["versionTarget"]["isReached"]), (True, False)
        )
        self.assertEqual(self.names(), before)
        # Members are still of it.
        self.in_use("instanceTemplates", instanceTemplate="t1")
        # By hand, one at a time.
        self.act("applyUpdatesToInstances", before[0], minimalAction="REPLACE")
        self.stable()
        self.assertEqual(sum(it["version"]["instanceTemplate"] == ROOT + link for it in self.members()), 1)
        self.act("recreateInstances", before[1])
        self.assertTrue(self.stable()["status"]["versionTarget"]["isReached"])
        self.do("instanceTemplates", "delete", instanceTemplate="t1")

    def test_proactive_groups_roll(self):
        self.manager(size=3)
        self.template("t2")
        before = self.names()
        link = f"{self.path}/global/instanceTemplates/t2"
        self.do("instanceGroupManagers", "patch", {
            "versions": [{"instanceTemplate": link, "name": "new"}],
            "updatePolicy": {"type": "PROACTIVE", "maxSurge": {"fixed": 1}, "maxUnavailable": {"fixed": 0}},
        }, **self.where())  # fmt: skip
        self.eventually(lambda: self.stable()["status"]["versionTarget"]["isReached"])
        self.assertEqual(set(before) & set(self.names()), set())
        self.assertEqual({it["version"]["name"] for it in self.members()}, {"new"})
        self.template("t3")
        names = self.names()
        self.do("instanceGroupManagers", "patch", {
            "instanceTemplate": f"{self.path}/global/instanceTemplates/t3",
            "updatePolicy": {
                "type": "PROACTIVE", "replacementMethod": "RECREATE", "maxSurge": {"fixed": 0}, "maxUnavailable": {"fixed": 1},
            },
        }, **self.where())  # fmt: skip
        self.eventually(lambda: self.stable()["status"]["versionTarget"]["isReached"])
        self.assertEqual(self.names(), names)

    def test_canaries(self):
        self.template("t2")
        link = f"{self.path}/global/instanceTemplates/"
        versions = [{"instanceTemplate": link + "t1"}, {"instanceTemplate": link + "t2", "targetSize": {"fixed": 1}}]
        self.manager(size=3, instanceTemplate=None, versions=versions)
        used = sorted(it["version"]["instanceTemplate"][-2:] for it in self.members())
        self.assertEqual(used, ["t1", "t1", "t2"])

    def test_what_cannot_be_made_is_an_error(self):
        self.control(
            "fault", what="fail", action="compute.instances.insert.managed", code="QUOTA_EXCEEDED", status=403, times=1
        )
        self.do("instanceGroupManagers", "insert", {
            "name": "g", "targetSize": 1, "instanceTemplate": "global/instanceTemplates/t1",
        }, zone=ZONE)  # fmt: skip
        member = self.members()[0]
        self.assertEqual(member["lastAttempt"]["errors"]["errors"][0]["code"], "QUOTA_EXCEEDED")
        self.assertNotIn("instanceStatus", member)
        self.assertEqual(self.get("instanceGroupManagers", **self.where())["currentActions"]["creating"], 1)
        errors = self.start("instanceGroupManagers", "listErrors", **self.where()).execute()["items"]
        self.assertEqual(errors[0]["error"]["code"], "QUOTA_EXCEEDED")
        self.stable()

    def test_regional_groups_spread(self):
        body = {"name": "r", "targetSize": 3, "instanceTemplate": "global/instanceTemplates/t1"}
        wrong = {**body, "updatePolicy": {"maxSurge": {"fixed": 1}}}
        self.fails(400, "invalid", self.start("regionInstanceGroupManagers", "insert", wrong, region=REGION))
        self.do("regionInstanceGroupManagers", "insert", body, region=REGION)
        where = {"region": REGION, "instanceGroupManager": "r"}
        self.eventually(lambda: self.get("regionInstanceGroupManagers", **where)["status"]["isStable"])
        answer = self.start("regionInstanceGroupManagers", "listManagedInstances", **where).execute()
        zones = {it["instance"].split("/")[-3] for it in answer["managedInstances"]}
        self.assertEqual(zones, {f"{REGION}-{it}" for it in "bcd"})
        self.do("regionInstanceGroupManagers", "delete", **where)
        self.assertNotIn("instances", self.control("snapshot"))

    def test_booting_takes_its_time(self):
        self.control("configure", boot=300)
        self.do("instanceGroupManagers", "insert", {
            "name": "g", "targetSize": 1, "instanceTemplate": "global/instanceTemplates/t1",
        }, zone=ZONE)  # fmt: skip
        self.eventually(lambda: self.members()[0].get("instanceStatus") == "STAGING")
        self.assertEqual(self.members()[0]["currentAction"], "CREATING")
        self.stable()

    def test_unmanaged_groups(self):
        self.do("instanceGroups", "insert", {"name": "u"}, zone=ZONE)
        body = Machines.body(self)
        self.do("instances", "insert", body, zone=ZONE)
        member, where = (
            {"instances": [{"instance": f"zones/{ZONE}/instances/vm"}]},
            {"zone": ZONE, "instanceGroup": "u"},
        )
        self.do("instanceGroups", "addInstances", member, **where)
        self.fails(400, "memberAlreadyExists", self.start("instanceGroups", "addInstances", member, **where))
        self.assertEqual(self.get("instanceGroups", **where)["size"], 1)
        self.do("instanceGroups", "setNamedPorts", {"namedPorts": [{"name": "http", "port": 80}]}, **where)
        self.do("instanceGroups", "removeInstances", member, **where)
        self.do("instanceGroups", "delete", **where)


class Balancing(Case):
    def setUp(self):
        super().setUp()
        self.control("configure", operation=5)
        self.network()
        self.subnetwork()
        self.template()

    def test_an_internal_balancer(self):
        self.manager(size=1)
        check = {"name": "api", "type": "TCP", "tcpHealthCheck": {"port": 443}}
        self.do("regionHealthChecks", "insert", check, region=REGION)
        service = {
            "name": "api", "loadBalancingScheme": "INTERNAL", "protocol": "TCP",
            "healthChecks": [f"regions/{REGION}/healthChecks/api"],
            "backends": [{"group": f"{ROOT}{self.path}/zones/{ZONE}/instanceGroups/g"}],
        }  # fmt: skip
        self.fails(404, "notFound", self.start(
            "regionBackendServices", "insert", {**service, "backends": [{"group": f"{ROOT}{self.path}/zones/{ZONE}/instanceGroups/none"}]}, region=REGION
        ))  # fmt: skip
        self.do("regionBackendServices", "insert", service, region=REGION)
        address = {"name": "api", "addressType": "INTERNAL", "subnetwork": f"regions/{REGION}/subnetworks/sub"}
        self.do("addresses", "insert", address, region=REGION)
        rule = {
            "name": "api", "loadBalancingScheme": "INTERNAL", "IPProtocol": "TCP", "ports": ["443"], "labels": {"a": "b"},
            "backendService": f"regions/{REGION}/backendServices/api", "network": "global/networks/net",
            "subnetwork": f"regions/{REGION}/subnetworks/sub", "IPAddress": f"regions/{REGION}/addresses/api",
        }  # fmt: skip
        self.do("forwardingRules", "insert", rule, region=REGION)
        address = self.get("addresses", region=REGION, address="api")
        got = self.get("forwardingRules", region=REGION, forwardingRule="api")
        self.assertEqual((got["IPAddress"], address["users"]), (address["address"], [got["selfLink"]]))
        health = self.start(
            "regionBackendServices",
            "getHealth",
            {"group": f"zones/{ZONE}/instanceGroups/g"},
            region=REGION,
            backendService="api",
        ).execute()
        self.assertEqual(len(health["healthStatus"]), 1)
        for collection, arguments in (
            ("addresses", {"address": "api"}),
            ("regionBackendServices", {"backendService": "api"}),
            ("regionHealthChecks", {"healthCheck": "api"}),
            ("subnetworks", {"subnetwork": "sub"}),
        ):
            self.fails(
                400, "resourceInUseByAnotherResource", self.start(collection, "delete", region=REGION, **arguments)
            )
        self.fails(
            400,
            "resourceInUseByAnotherResource",
            self.start("instanceGroupManagers", "delete", zone=ZONE, instanceGroupManager="g"),
        )
        before = self.get("regionBackendServices", region=REGION, backendService="api")
        patch = {"backends": [], "fingerprint": before["fingerprint"]}
        self.do("regionBackendServices", "patch", patch, region=REGION, backendService="api")
        self.fails(
            412,
            "conditionNotMet",
            self.start("regionBackendServices", "patch", patch, region=REGION, backendService="api"),
        )
        self.do("instanceGroupManagers", "delete", zone=ZONE, instanceGroupManager="g")
        before = self.get("regionBackendServices", region=REGION, backendService="api")
        put = {"name": "api", "healthChecks": before["healthChecks"], "protocol": "TCP"}
        where = {"region": REGION, "backendService": "api"}
        self.fails(412, "conditionNotMet", self.start("regionBackendServices", "update", put, **where))
        self.do("regionBackendServices", "update", {**put, "fingerprint": before["fingerprint"]}, **where)
        self.assertEqual(self.get("regionBackendServices", **where)["timeoutSec"], 30)
        self.do("forwardingRules", "delete", region=REGION, forwardingRule="api")
        self.do("addresses", "delete", region=REGION, address="api")
        self.do("regionBackendServices", "delete", region=REGION, backendService="api")
        self.do("regionHealthChecks", "delete", region=REGION, healthCheck="api")

    def test_a_target_pool(self):
        self.do("httpHealthChecks", "insert", {"name": "api", "port": 3990})
        self.do(
            "targetPools", "insert", {"name": "api", "healthChecks": ["global/httpHealthChecks/api"]}, region=REGION
        )
        self.manager(size=1, targetPools=[f"regions/{REGION}/targetPools/api"])
        pool = self.get("targetPools", region=REGION, targetPool="api")
        self.assertEqual(len(pool["instances"]), 1)
        self.do("addresses", "insert", {"name": "api"}, region=REGION)
        rule = {"name": "api", "target": f"regions/{REGION}/targetPools/api", "portRange": "443"}
        self.fails(
            400, "invalid", self.start("forwardingRules", "insert", {**rule, "IPAddress": "8.8.8.8"}, region=REGION)
        )
        self.do(
            "forwardingRules",
            "insert",
            {**rule, "IPAddress": self.get("addresses", region=REGION, address="api")["address"]},
            region=REGION,
        )
        got = self.get("forwardingRules", region=REGION, forwardingRule="api")
        self.assertEqual((got["portRange"], got["loadBalancingScheme"]), ("443-443", "EXTERNAL"))
        again = {**rule, "name": "again", "IPAddress": f"regions/{REGION}/addresses/api"}
        overlapping = {**again, "portRange": "400-500"}
        self.fails(400, "invalid", self.start("forwardingRules", "insert", overlapping, region=REGION))
        self.do("forwardingRules", "insert", {**again, "portRange": "80"}, region=REGION)
        self.do("forwardingRules", "delete", region=REGION, forwardingRule="again")
        self.fails(
            400, "resourceInUseByAnotherResource", self.start("targetPools", "delete", region=REGION, targetPool="api")
        )
        self.fails(
            400, "resourceInUseByAnotherResource", self.start("httpHealthChecks", "delete", httpHealthCheck="api")
        )

    def test_health_checks(self):
        self.fails(400, "invalid", self.start("healthChecks", "insert", {"name": "h"}))
        self.fails(
            400, "invalid", self.start("healthChecks", "insert", {"name": "h", "type": "TCP", "httpHealthCheck": {}})
        )
        self.fails(400, "invalid", self.start("healthChecks", "insert", {"name": "h", "type": "TCP", "timeoutSec": 9}))
        self.do(
            "healthChecks",
            "insert",
            {"name": "h", "type": "HTTPS", "httpsHealthCheck": {"port": 443, "requestPath": "/healthz"}},
        )
        check = self.get("healthChecks", healthCheck="h")
        self.assertEqual((check["checkIntervalSec"], check["httpsHealthCheck"]["proxyHeader"]), (5, "NONE"))
        self.do("healthChecks", "patch", {"type": "HTTPS", "httpsHealthCheck": {"port": 3990}}, healthCheck="h")
        self.assertEqual(self.get("healthChecks", healthCheck="h")["httpsHealthCheck"]["port"], 3990)


if __name__ == "__main__":
    unittest.main()

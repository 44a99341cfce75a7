"""What the documents do not allow is refused; listings, pages, filters."""

import json
import unittest

from harness import REGION, ZONE, Case

NETWORKS = "/compute/v1/projects/{}/global/networks"


class Requests(Case):
    def refused(self, verb, path, body=None, status=400, **more):
        got, _, content = self.raw(verb, path, body, **more)
        self.assertEqual(got, status, content)
        return json.loads(content)["error"]

    def test_paths_and_parameters(self):
        path = NETWORKS.format(self.project)
        self.assertEqual(
            self.refused("GET", "/compute/v1/projects/p/global/nonsense", status=404)["status"], "NOT_FOUND"
        )
        self.refused("GET", f"{path}?nonsense=1")
        self.refused("GET", f"{path}?maxResults=many")
        self.refused("GET", f"{path}?maxResults=1000")
        self.refused("GET", "/compute/v1/projects/p/global/networks/Not_A_Name")
        self.refused(
            "POST", f"/compute/v1/projects/{self.project}/zones/{ZONE}/instanceGroupManagers/g/resize", status=400
        )
        for good in (
            "alt=json",
            "$alt=json;enum-encoding=int",
            "prettyPrint=false",
            "pageToken=",
            "fields=items",
            "key=k",
            "$apiVersion=2026-01-01",
        ):
            self.assertEqual(self.raw("GET", f"{path}?{good}")[0], 200, good)

    def test_both_ways_to_address(self):
        path = NETWORKS.format(self.project)
        for prefix in ("", "/compute"):
            self.assertEqual(self.raw("GET", prefix + path)[0], 200)
        self.assertEqual(self.raw("GET", f"/dns/dns/v1/projects/{self.project}/managedZones")[0], 200)
        self.assertEqual(self.raw("GET", f"/dns/v1/projects/{self.project}/managedZones")[0], 200)
        self.assertEqual(self.raw("GET", f"/iam/v1/projects/{self.project}/serviceAccounts")[0], 200)
        self.assertEqual(self.raw("POST", f"/cloudresourcemanager/v3/projects/{self.project}:getIamPolicy", {})[0], 200)
        self.assertEqual(self.raw("GET", f"/storage/storage/v1/b?project={self.project}")[0], 200)
        self.assertEqual(self.raw("GET", "/dns/compute/v1/projects/p/global/networks")[0], 404)

    def test_bodies(self):
        path = NETWORKS.format(self.project)
        good = {"name": "net", "autoCreateSubnetworks": False}
        for wrong in (
            {**good, "nonsense": 1},
            {**good, "routingConfig": {"nonsense": 1}},
            {**good, "routingConfig": {"routingMode": "SOMETIMES"}},
            {**good, "routingConfig": []},
            {**good, "autoCreateSubnetworks": "false"},
            {**good, "mtu": "big"},
            {**good, "description": 7},
            {**good, "name": "Net"},
            {**good, "name": "n" * 64},
            {"autoCreateSubnetworks": False},
            [],
        ):
            self.refused("POST", path, wrong)
        self.refused("POST", path, content=b"{", headers={"Content-Type": "application/json"})
        # What only Google writes is ignored, and numbers may be strings.
        status, _, _ = self.raw(
            "POST",
            path,
            {**good, "id": "5", "creationTimestamp": "now", "selfLink": "x", "mtu": "1500", "peerings": None},
        )
        self.assertEqual(status, 200)
        self.eventually(lambda: self.raw("GET", f"{path}/net")[0] == 200)
        network = self.get("networks", network="net")
        self.assertEqual(network["mtu"], 1500)
        self.assertNotEqual(network["id"], "5")

    def test_references(self):
        body = {"name": "sub", "ipCidrRange": "10.0.0.0/16"}
        for url, status, reason in (
            ("nonsense", 400, "invalid"),
            (f"{self.path}/global/networks/net", 404, "notFound"),
            (f"{self.path}/global/addresses/net", 400, "invalid"),
        ):
            self.fails(status, reason, self.start("subnetworks", "insert", {**body, "network": url}, region=REGION))
        self.network()
        for index, url in enumerate((
            "global/networks/net",
            f"{self.path}/global/networks/net",
            f"https://compute.googleapis.com/compute/v1/{self.path}/global/networks/net",
            f"https://www.googleapis.com/compute/v1/{self.path}/global/networks/net",
        )):  # fmt: skip
            self.do(
                "subnetworks",
                "insert",
                {"name": f"s{index}", "ipCidrRange": f"10.{index}.0.0/16", "network": url},
                region=REGION,
            )
        networks = {it["network"] for it in self.start("subnetworks", "list", region=REGION).execute()["items"]}
        self.assertEqual(networks, {f"https://www.googleapis.com/compute/v1/{self.path}/global/networks/net"})

    def test_unmodelled_methods_say_so(self):
        self.assertEqual(
            self.refused("GET", f"/compute/v1/projects/{self.project}/global/urlMaps", status=501)["code"], 501
        )
        self.refused("GET", f"/compute/v1/projects/{self.project}/global/urlMaps/x", status=501)


class Listings(Case):
    def setUp(self):
        super().setUp()
        for index in range(5):
            body = {"name": f"a{index}", "description": f"number {index}"}
            self.start("addresses", "insert", body, region=REGION).execute()
        self.control("settle")

    def label(self):
        for index in range(5):
            address = self.get("addresses", region=REGION, address=f"a{index}")
            labels = {"cluster": "a" if index < 3 else "b", **({"odd": ""} if index % 2 else {})}
            body = {"labels": labels, "labelFingerprint": address["labelFingerprint"]}
            self.start("addresses", "setLabels", body, region=REGION, resource=f"a{index}").execute()
        self.control("settle")

    def names(self, **arguments):
        answer = self.start("addresses", "list", region=REGION, **arguments).execute()
        return [it["name"][1:] for it in answer.get("items", [])]

    def test_pages(self):
        found, token, pages = [], None, 0
        while True:
            answer = self.start("addresses", "list", region=REGION, maxResults=2, pageToken=token).execute()
            found += [it["name"] for it in answer["items"]]
            pages += 1
            token = answer.get("nextPageToken")
            if not token:
                break
        self.assertEqual((found, pages), ([f"a{it}" for it in range(5)], 3))
        self.control("configure", page_size=3)
        answer = self.start("addresses", "list", region=REGION).execute()
        self.assertEqual(len(answer["items"]), 3)
        token = answer["nextPageToken"]
        self.fails(400, "invalid", self.start("addresses", "list", region=REGION, pageToken=token, filter="name=a1"))
        self.fails(400, "invalid", self.start("addresses", "list", region=REGION, pageToken="nonsense"))
        request, scopes = self.start("addresses", "aggregatedList"), []
        while request is not None:
            answer = request.execute()
            scopes += answer["items"].get(f"regions/{REGION}", {}).get("addresses", [])
            request = self.compute.addresses().aggregatedList_next(request, answer)
        self.assertEqual(len(scopes), 5)

    def test_filters(self):
        self.label()
        for text, expected in {
            'name = "a1"': "1",
            "name=a1": "1",
            "name != a1": "0234",
            "name eq a1": "1",
            "name eq a[12]": "12",
            "name ne a[12].*": "034",
            "name eq '.*(1|2)'": "12",
            "labels.cluster=a": "012",
            "labels.cluster:*": "01234",
            "labels.odd:*": "13",
            "labels.none:*": "",
            "-labels.odd:*": "024",
            "NOT labels.odd:*": "024",
            "labels.cluster=a AND labels.odd:*": "1",
            "(labels.cluster = a) (name != a0)": "12",
            "(name = a0) OR (name = a4)": "04",
            "name = a0 OR name = a4 AND labels.cluster = a": "0",
            'description : "ber 3"': "3",
            'description eq "number [12]|number 4"': "124",
            "name = a*": "01234",
            "addressType = INTERNAL": "",
            "status != DONE": "01234",
        }.items():
            self.assertEqual("".join(self.names(filter=text)), expected, text)
        for text in ("name", "name =", "(name = a", "name = a) b", "= b"):
            self.fails(400, "invalid", self.start("addresses", "list", region=REGION, filter=text))

    def test_operations(self):
        operations = self.start("regionOperations", "list", region=REGION).execute()["items"]
        link = operations[0]["targetLink"]
        text = f'(targetLink = "{link}") (status = DONE)'
        found = self.start("regionOperations", "list", region=REGION, filter=text).execute()["items"]
        self.assertEqual([it["name"] for it in found], [operations[0]["name"]])
        self.assertNotIn(
            "items", self.start("regionOperations", "list", region=REGION, filter="status != DONE").execute()
        )
        self.assertNotIn("items", self.start("globalOperations", "list").execute())
        names = " OR ".join(f'(name = "{it["name"]}")' for it in operations[:2])
        self.assertEqual(len(self.start("regionOperations", "list", region=REGION, filter=names).execute()["items"]), 2)

    def test_partial_answers(self):
        self.label()
        answer = self.start(
            "addresses", "list", region=REGION, fields="items(name,labels/cluster),nextPageToken"
        ).execute()
        self.assertEqual(answer["items"][0], {"name": "a0", "labels": {"cluster": "a"}})
        answer = self.start("addresses", "list", region=REGION, fields="items/name").execute()
        self.assertEqual(answer, {"items": [{"name": f"a{it}"} for it in range(5)]})

    def test_listings_can_be_late(self):
        self.control("configure", list_delay=300)
        self.do("addresses", "insert", {"name": "a9"}, region=REGION)
        self.get("addresses", region=REGION, address="a9")
        self.assertNotIn("9", self.names())
        self.eventually(lambda: "9" in self.names())


class Catalogue(Case):
    def test_images_and_machines(self):
        image = self.compute.images().getFromFamily(project="ubuntu-os-cloud", family="ubuntu-2404-lts-amd64").execute()
        self.assertEqual((image["name"], image["architecture"]), ("ubuntu-2404-noble-amd64-v20261015", "X86_64"))
        self.compute.images().get(project="ubuntu-os-cloud", image=image["name"]).execute()
        found = self.compute.images().list(project="debian-cloud", filter="family = debian-12").execute()["items"]
        self.assertEqual([it["family"] for it in found], ["debian-12"])
        self.fails(404, "notFound", self.compute.images().getFromFamily(project="debian-cloud", family="none"))
        machine = self.get("machineTypes", zone=ZONE, machineType="e2-medium")
        self.assertEqual((machine["guestCpus"], machine["memoryMb"]), (2, 4096))
        found = self.start("machineTypes", "list", zone=ZONE, filter="(guestCpus = 4) (name = n2-*)").execute()["items"]
        self.assertEqual({it["name"] for it in found}, {"n2-standard-4", "n2-highmem-4", "n2-highcpu-4"})
        zones = self.start("zones", "list", filter=f'region eq ".*/{REGION}"').execute()["items"]
        self.assertEqual([it["name"] for it in zones], [f"{REGION}-{it}" for it in "bcd"])
        self.assertEqual(self.get("zones", zone=ZONE)["status"], "UP")
        self.assertEqual(self.get("regions", region=REGION)["name"], REGION)
        self.fails(404, "notFound", self.start("zones", "get", zone="mars-north1-a"))

    def test_the_project(self):
        project = self.get("projects")
        fingerprint = project["commonInstanceMetadata"]["fingerprint"]
        value = {"items": [{"key": "ssh-keys", "value": "me:ssh-ed25519 AAAA"}]}
        self.fails(
            412,
            "conditionNotMet",
            self.start("projects", "setCommonInstanceMetadata", {**value, "fingerprint": "AAAA"}),
        )
        self.do("projects", "setCommonInstanceMetadata", {**value, "fingerprint": fingerprint})
        self.assertEqual(self.get("projects")["commonInstanceMetadata"]["items"], value["items"])


if __name__ == "__main__":
    unittest.main()

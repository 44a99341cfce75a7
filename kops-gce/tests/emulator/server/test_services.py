"""DNS, IAM, Resource Manager, Storage."""

import io
import unittest
import urllib.parse

from googleapiclient.http import MediaIoBaseUpload

from harness import Case, client


class Dns(Case):
    def setUp(self):
        super().setUp()
        self.dns = client("dns", "v1")
        self.zones, self.records = self.dns.managedZones(), self.dns.resourceRecordSets()

    def make(self, name="z", dns_name="example.test.", **more):
        return self.zones.create(
            project=self.project, body={"name": name, "dnsName": dns_name, "description": "", **more}
        ).execute()

    def where(self, **more):
        return {"project": self.project, "managedZone": "z", **more}

    def record(self, name="a.example.test.", kind="A", data=("192.0.2.1",), ttl=60):
        return {"name": name, "type": kind, "ttl": ttl, "rrdatas": list(data)}

    def test_zones(self):
        zone = self.make()
        self.assertEqual((zone["visibility"], len(zone["nameServers"])), ("public", 4))
        create = self.zones.create
        self.fails(
            409,
            "alreadyExists",
            create(project=self.project, body={"name": "z", "dnsName": "b.test.", "description": ""}),
        )
        self.fails(
            400, "invalid", create(project=self.project, body={"name": "y", "dnsName": "b.test", "description": ""})
        )
        self.fails(400, "required", create(project=self.project, body={"name": "y", "dnsName": "b.test."}))
        self.assertEqual(self.zones.get(**self.where()).execute(), zone)
        self.assertEqual(self.zones.get(project=self.project, managedZone=zone["id"]).execute(), zone)
        self.make("y", "other.test.")
        self.assertEqual(
            [it["name"] for it in self.zones.list(project=self.project).execute()["managedZones"]], ["y", "z"]
        )
        found = self.zones.list(project=self.project, dnsName="other.test.").execute()["managedZones"]
        self.assertEqual([it["name"] for it in found], ["y"])
        self.zones.patch(**self.where(), body={"labels": {"a": "b"}}).execute()
        self.assertEqual(self.zones.get(**self.where()).execute()["labels"], {"a": "b"})
        self.records.create(**self.where(), body=self.record()).execute()
        self.fails(400, "containerNotEmpty", self.zones.delete(**self.where()))
        self.records.delete(**self.where(name="a.example.test.", type="A")).execute()
        self.zones.delete(**self.where()).execute()
        self.fails(404, "notFound", self.zones.get(**self.where()))

    def test_private_zones_are_for_networks(self):
        url = f"https://www.googleapis.com/compute/v1/{self.path}/global/networks/net"
        body = {
            "name": "z", "dnsName": "example.test.", "description": "", "visibility": "private",
            "privateVisibilityConfig": {"networks": [{"networkUrl": url}]},
        }  # fmt: skip
        self.fails(404, "notFound", self.zones.create(project=self.project, body=body))
        self.network()
        self.zones.create(project=self.project, body=body).execute()

    def test_records(self):
        self.make()
        self.records.create(**self.where(), body=self.record()).execute()
        self.fails(409, "alreadyExists", self.records.create(**self.where(), body=self.record()))
        for wrong in (
            self.record("a.other.test."), self.record("a.example.test"), self.record("b.example.test.", "A", ["nonsense"]),
            self.record("b.example.test.", "NONSENSE"), self.record("b.example.test.", "CNAME", ["c"]),
        ):  # fmt: skip
            self.fails(400, "invalid", self.records.create(**self.where(), body=wrong))
        conflict = self.record(kind="CNAME", data=["b.example.test."])
        self.fails(400, "cnameResourceRecordSetConflict", self.records.create(**self.where(), body=conflict))
        patched = self.records.patch(
            **self.where(name="a.example.test.", type="A"), body={"rrdatas": ["192.0.2.2"]}
        ).execute()
        self.assertEqual((patched["rrdatas"], patched["ttl"]), (["192.0.2.2"], 60))
        got = self.records.get(**self.where(name="a.example.test.", type="A")).execute()
        self.assertEqual(got, patched)
        found = self.records.list(**self.where(name="a.example.test.")).execute()["rrsets"]
        self.assertEqual(found, [got])
        kinds = {it["type"] for it in self.records.list(**self.where()).execute()["rrsets"]}
        self.assertEqual(kinds, {"A", "NS", "SOA"})
        self.control("configure", page_size=2)
        answer = self.records.list(**self.where()).execute()
        self.assertEqual((len(answer["rrsets"]), "nextPageToken" in answer), (2, True))

    def test_changes_are_all_or_nothing(self):
        self.make()
        changes = self.dns.changes()
        self.control("configure", operation=100)
        first = changes.create(
            **self.where(), body={"additions": [self.record(), self.record("b.example.test.")]}
        ).execute()
        self.assertEqual((first["id"], first["status"]), ("1", "pending"))
        self.eventually(lambda: changes.get(**self.where(changeId="1")).execute()["status"] == "done")
        stale = {"deletions": [self.record(ttl=5)], "additions": [self.record("c.example.test.")]}
        self.fails(412, "conditionNotMet", changes.create(**self.where(), body=stale))
        missing = {"deletions": [self.record("d.example.test.")]}
        self.fails(404, "notFound", changes.create(**self.where(), body=missing))
        self.fails(
            409,
            "alreadyExists",
            changes.create(**self.where(), body={"additions": [self.record("c.example.test."), self.record()]}),
        )
        self.assertEqual(len(self.records.list(**self.where()).execute()["rrsets"]), 4)
        swap = {"deletions": [self.record()], "additions": [self.record(data=["192.0.2.9"])]}
        changes.create(**self.where(), body=swap).execute()
        self.assertEqual(len(changes.list(**self.where()).execute()["changes"]), 2)


class Iam(Case):
    def setUp(self):
        super().setUp()
        self.accounts = client("iam", "v1").projects().serviceAccounts()

    def make(self, name="node-account"):
        body = {"accountId": name, "serviceAccount": {"displayName": name, "description": "d"}}
        return self.accounts.create(name=self.path, body=body).execute()

    def test_accounts(self):
        account = self.make()
        self.assertEqual(account["email"], f"node-account@{self.project}.iam.gserviceaccount.com")
        body = {"accountId": "node-account", "serviceAccount": {}}
        self.fails(409, "alreadyExists", self.accounts.create(name=self.path, body=body))
        self.fails(400, "badRequest", self.accounts.create(name=self.path, body={"accountId": "short"}))
        for name in (
            account["name"],
            f"projects/-/serviceAccounts/{account['email']}",
            f"{self.path}/serviceAccounts/{account['uniqueId']}",
        ):
            self.assertEqual(self.accounts.get(name=name).execute(), account)
        patch = {"serviceAccount": {"description": "other"}, "updateMask": "description"}
        self.assertEqual(self.accounts.patch(name=account["name"], body=patch).execute()["description"], "other")
        self.fails(
            400, "badRequest", self.accounts.patch(name=account["name"], body={"serviceAccount": {"description": "x"}})
        )
        for index in range(3):
            self.make(f"account-{index}")
        answer = self.accounts.list(name=self.path, pageSize=2).execute()
        self.assertEqual(len(answer["accounts"]), 2)
        rest = self.accounts.list(name=self.path, pageSize=2, pageToken=answer["nextPageToken"]).execute()
        self.assertEqual(len(rest["accounts"]), 2)
        self.accounts.delete(name=account["name"]).execute()
        self.fails(404, "notFound", self.accounts.get(name=account["name"]))

    def test_policies_of_accounts(self):
        account = self.make()
        policy = self.accounts.getIamPolicy(resource=account["name"]).execute()
        policy["bindings"] = [{"role": "roles/iam.serviceAccountUser", "members": ["user:me@example.com"]}]
        after = self.accounts.setIamPolicy(resource=account["name"], body={"policy": policy}).execute()
        self.assertNotEqual(after["etag"], policy["etag"])
        asked = ["iam.serviceAccounts.actAs", "iam.serviceAccounts.get"]
        self.control("deny", actions=["iam.serviceAccounts.actAs"])
        allowed = self.accounts.testIamPermissions(resource=account["name"], body={"permissions": asked}).execute()
        self.assertEqual(allowed["permissions"], asked[1:])

    def test_policies_of_projects(self):
        account = self.make()
        member = f"serviceAccount:{account['email']}"
        for version in ("v1", "v3"):
            projects = client("cloudresourcemanager", version).projects()
            resource = self.project if version == "v1" else self.path
            policy = projects.getIamPolicy(resource=resource, body={}).execute()
            stale = dict(policy)
            policy["bindings"] = [it for it in policy["bindings"] if it["role"] != "roles/storage.objectViewer"]
            policy["bindings"].append({"role": "roles/storage.objectViewer", "members": [member]})
            after = projects.setIamPolicy(resource=resource, body={"policy": policy}).execute()
            self.assertIn({"role": "roles/storage.objectViewer", "members": [member]}, after["bindings"])
            self.fails(409, "aborted", projects.setIamPolicy(resource=resource, body={"policy": stale}))
            unknown = {
                **after,
                "bindings": [
                    {"role": "roles/viewer", "members": [f"serviceAccount:none@{self.project}.iam.gserviceaccount.com"]}
                ],
            }
            self.fails(400, "badRequest", projects.setIamPolicy(resource=resource, body={"policy": unknown}))
            asked = ["compute.networks.create", "compute.networks.delete"]
            self.control("deny", actions=["compute.networks.create"])
            answer = projects.testIamPermissions(resource=resource, body={"permissions": asked}).execute()
            self.assertEqual(answer["permissions"], asked[1:])
            self.control("deny", actions=[])
        self.accounts.delete(name=account["name"]).execute()
        policy = client("cloudresourcemanager", "v1").projects().getIamPolicy(resource=self.project, body={}).execute()
        self.assertIn(f"deleted:{member}?uid={account['uniqueId']}", str(policy))

    def test_new_accounts_may_be_unknown_for_a_while(self):
        self.control("configure", account_delay=300)
        member = f"serviceAccount:{self.make()['email']}"
        projects = client("cloudresourcemanager", "v1").projects()
        body = {"policy": {"bindings": [{"role": "roles/viewer", "members": [member]}]}}
        self.fails(400, "badRequest", projects.setIamPolicy(resource=self.project, body=body))
        self.control("configure", account_delay=0)
        projects.setIamPolicy(resource=self.project, body=body).execute()

    def test_the_project(self):
        old = client("cloudresourcemanager", "v1").projects().get(projectId=self.project).execute()
        new = client("cloudresourcemanager", "v3").projects().get(name=self.path).execute()
        self.assertEqual(new["name"], f"projects/{old['projectNumber']}")


class Storage(Case):
    def setUp(self):
        super().setUp()
        self.storage = client("storage", "v1")
        self.bucket = f"bucket-{self.project}"
        self.storage.buckets().insert(project=self.project, body={"name": self.bucket}).execute()

    def put(self, name, content=b"x", **more):
        media = MediaIoBaseUpload(io.BytesIO(content), "text/plain")
        return self.storage.objects().insert(bucket=self.bucket, body={"name": name}, media_body=media, **more)

    def test_buckets(self):
        buckets = self.storage.buckets()
        self.fails(409, "conflict", buckets.insert(project=self.project, body={"name": self.bucket}))
        self.fails(409, "conflict", buckets.insert(project="another-one", body={"name": self.bucket}))
        self.fails(400, "invalid", buckets.insert(project=self.project, body={"name": "Upper"}))
        self.assertEqual([it["name"] for it in buckets.list(project=self.project).execute()["items"]], [self.bucket])
        self.fails(404, "notFound", buckets.get(bucket="none-such"))
        changed = buckets.patch(
            bucket=self.bucket, body={"versioning": {"enabled": True}, "labels": {"a": "b"}}
        ).execute()
        self.assertEqual((changed["metageneration"], changed["labels"]), ("2", {"a": "b"}))
        self.fails(412, "conditionNotMet", buckets.patch(bucket=self.bucket, body={}, ifMetagenerationMatch=1))
        self.put("a").execute()
        self.fails(409, "conflict", buckets.delete(bucket=self.bucket))
        self.storage.objects().delete(bucket=self.bucket, object="a").execute()
        buckets.delete(bucket=self.bucket).execute()

    def test_generations(self):
        first = self.put("a/b c", b"123456789", ifGenerationMatch="0").execute()
        # The check value of CRC-32C is 0xE3069283.
        self.assertEqual((first["size"], first["contentType"], first["crc32c"]), ("9", "text/plain", "4waSgw=="))
        self.fails(412, "conditionNotMet", self.put("a/b c", ifGenerationMatch="0"))
        second = self.put("a/b c", b"second", ifGenerationMatch=first["generation"]).execute()
        self.assertGreater(int(second["generation"]), int(first["generation"]))
        self.fails(412, "conditionNotMet", self.put("a/b c", ifGenerationMatch=first["generation"]))
        objects = self.storage.objects()
        self.assertEqual(objects.get_media(bucket=self.bucket, object="a/b c").execute(), b"second")
        self.assertEqual(objects.get(bucket=self.bucket, object="a/b c").execute(), second)
        where = {"bucket": self.bucket, "object": "a/b c"}
        self.fails(412, "conditionNotMet", objects.delete(**where, ifGenerationMatch=first["generation"]))
        self.fails(404, "notFound", objects.get(**where, generation=first["generation"]))
        objects.delete(**where, ifGenerationMatch=second["generation"]).execute()
        self.fails(404, "notFound", objects.get(**where))
        self.fails(404, "notFound", objects.delete(**where))

    def test_uploads_of_all_kinds(self):
        path = f"/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name=x%2Fy"
        status, _, _ = self.raw("POST", path, content=b"hello", headers={"Content-Type": "text/plain"})
        self.assertEqual(status, 200)
        status, headers, content = self.raw("GET", f"/storage/v1/b/{self.bucket}/o/x%2Fy?alt=media")
        self.assertEqual((status, content, headers["Content-Type"]), (200, b"hello", "text/plain"))
        status, _, content = self.raw(
            "GET", f"/storage/v1/b/{self.bucket}/o/x%2Fy?alt=media", headers={"Range": "bytes=1-2"}
        )
        self.assertEqual((status, content), (206, b"el"))
        media = MediaIoBaseUpload(io.BytesIO(b"z" * 600_000), "text/plain", chunksize=256 * 1024, resumable=True)
        insert = self.storage.objects().insert(bucket=self.bucket, body={"name": "big"}, media_body=media)
        self.assertEqual(insert.execute()["size"], "600000")

    def test_listings(self):
        for name in ("a/1", "a/2", "a/b/3", "c"):
            self.put(name).execute()
        objects = self.storage.objects()
        answer = objects.list(bucket=self.bucket, prefix="a/", delimiter="/").execute()
        self.assertEqual(([it["name"] for it in answer["items"]], answer["prefixes"]), (["a/1", "a/2"], ["a/b/"]))
        names, request = [], objects.list(bucket=self.bucket, maxResults=2)
        while request is not None:
            answer = request.execute()
            names += [it["name"] for it in answer.get("items", [])]
            request = objects.list_next(request, answer)
        self.assertEqual(names, ["a/1", "a/2", "a/b/3", "c"])
        objects.copy(
            sourceBucket=self.bucket, sourceObject="c", destinationBucket=self.bucket, destinationObject="d", body={}
        ).execute()
        self.assertEqual(objects.get_media(bucket=self.bucket, object="d").execute(), b"x")

    def test_access(self):
        email = client("iam", "v1").projects().serviceAccounts().create(
            name=self.path, body={"accountId": "node-account"}
        ).execute()["email"]  # fmt: skip
        acl = self.storage.bucketAccessControls()
        entity = f"user-{email}"
        acl.insert(bucket=self.bucket, body={"entity": entity, "role": "READER"}).execute()
        self.assertEqual(acl.get(bucket=self.bucket, entity=entity).execute()["role"], "READER")
        acl.patch(bucket=self.bucket, entity=entity, body={"role": "WRITER"}).execute()
        self.assertIn("WRITER", [it["role"] for it in acl.list(bucket=self.bucket).execute()["items"]])
        acl.delete(bucket=self.bucket, entity=entity).execute()
        self.fails(404, "notFound", acl.get(bucket=self.bucket, entity=entity))
        self.put("a").execute()
        self.storage.objectAccessControls().insert(
            bucket=self.bucket, object="a", body={"entity": "allUsers", "role": "READER"}
        ).execute()
        buckets = self.storage.buckets()
        policy = buckets.getIamPolicy(bucket=self.bucket).execute()
        stale = policy["etag"]
        policy["bindings"].append({"role": "roles/storage.objectViewer", "members": [f"serviceAccount:{email}"]})
        after = buckets.setIamPolicy(bucket=self.bucket, body=policy).execute()
        self.assertIn("roles/storage.objectViewer", [it["role"] for it in after["bindings"]])
        self.fails(412, "conditionNotMet", buckets.setIamPolicy(bucket=self.bucket, body={**policy, "etag": stale}))
        buckets.patch(
            bucket=self.bucket, body={"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}}
        ).execute()
        self.fails(400, "invalid", acl.list(bucket=self.bucket))

    def test_object_stores(self):
        place = f"/{self.bucket}/" + urllib.parse.quote("a/b=c")
        status, headers, _ = self.raw(
            "PUT", place, content=b"one", headers={"x-goog-if-generation-match": "0", "Content-Type": "text/plain"}
        )
        self.assertEqual(status, 200)
        generation = headers["x-goog-generation"]
        status, _, content = self.raw("PUT", place, content=b"two", headers={"x-goog-if-generation-match": "0"})
        self.assertEqual((status, b"PreconditionFailed" in content), (412, True))
        status, headers, _ = self.raw(
            "PUT", "/storage" + place, content=b"two", headers={"x-goog-if-generation-match": generation}
        )
        self.assertEqual(status, 200)
        status, got, content = self.raw("GET", place)
        self.assertEqual((status, content, got["ETag"]), (200, b"two", headers["ETag"]))
        self.assertTrue(got["Last-Modified"])
        status, got, content = self.raw("HEAD", place)
        self.assertEqual((status, got["Content-Length"], content), (200, "3", b""))
        self.assertEqual(self.raw("GET", place, headers={"If-None-Match": got["ETag"]})[0], 304)
        status, _, content = self.raw("GET", f"/{self.bucket}?list-type=2&prefix=a%2F")
        self.assertIn(b"<Key>a/b=c</Key>", content)
        status, _, _ = self.raw(
            "PUT", f"/{self.bucket}/copy", content=b"", headers={"x-goog-copy-source": f"{self.bucket}/a/b%3Dc"}
        )
        self.assertEqual(status, 200)
        self.assertEqual(self.raw("DELETE", place)[0], 204)
        status, _, content = self.raw("GET", place)
        self.assertEqual((status, b"NoSuchKey" in content), (404, True))
        status, _, content = self.raw("GET", "/none-such/key")
        self.assertEqual((status, b"NoSuchBucket" in content), (404, True))
        actions = [it["action"] for it in self.control("calls")["calls"]]
        self.assertIn("storage.xml.put", actions)


if __name__ == "__main__":
    unittest.main()

"""Public and private zones, record sets, links of private zones to networks."""

import copy
import ipaddress
import re
import uuid

from errors import ArmError, bad_request, conflict, group_not_found, not_found
from kinds import KINDS, Answer, Kind, action, group_open, kind
from network import VirtualNetwork
from state import Resource

PUBLIC = "Microsoft.Network/dnszones"
PRIVATE = "Microsoft.Network/privateDnsZones"
LINK = f"{PRIVATE}/virtualNetworkLinks"
ZONE_NAME = r"^(?=.{1,253}$)([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.)+[a-zA-Z0-9_-]{1,63}$"
LABEL = re.compile(r"(\*|[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*|@")
# Member of a record set by its type; public zones spell them in capitals.
MEMBERS = {
    "A": ("aRecords", "ARecords"),
    "AAAA": ("aaaaRecords", "AAAARecords"),
    "CAA": (None, "caaRecords"),
    "CNAME": ("cnameRecord", "CNAMERecord"),
    "MX": ("mxRecords", "MXRecords"),
    "NS": (None, "NSRecords"),
    "PTR": ("ptrRecords", "PTRRecords"),
    "SOA": ("soaRecord", "SOARecord"),
    "SRV": ("srvRecords", "SRVRecords"),
    "TXT": ("txtRecords", "TXTRecords"),
}


class Zone(Kind):
    only_region = "global"
    name_pattern = ZONE_NAME
    private = False

    def records(self, sub, zone):
        below = [it for key, it in sub.resources.items() if key.startswith(zone.key + "/")]
        return [it for it in below if it.type.startswith(self.type + "/") and it.type != LINK]

    def view(self, sub, resource, expand=()):
        body = super().view(sub, resource, expand)
        body["etag"] = resource.etag
        body["properties"]["numberOfRecordSets"] = len(self.records(sub, resource))
        return body


@kind
class PublicZone(Zone):
    type = PUBLIC
    put_long = False
    has_state = False

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        properties["zoneType"] = properties.get("zoneType", "Public")
        if properties["zoneType"] != "Public":
            raise bad_request("BadRequest", "Private zones of this kind are no longer made; use privateDnsZones.")
        servers = [f"ns{index}-01.azure-dns.{suffix}." for index, suffix in enumerate(("com", "net", "org", "info"), 1)]
        properties["maxNumberOfRecordSets"] = 10_000
        properties["nameServers"] = (old or {}).get("properties", {}).get("nameServers", servers)

    def finished(self, sub, resource, old):
        if old is not None:
            return
        servers = resource.properties["nameServers"]
        self.make(sub, resource, "NS", {"TTL": 172_800, "NSRecords": [{"nsdname": server} for server in servers]})
        soa = {
            "host": servers[0],
            "email": "azuredns-hostmaster.microsoft.com",
            "serialNumber": 1,
            "refreshTime": 3600,
            "retryTime": 300,
            "expireTime": 2_419_200,
            "minimumTTL": 300,
        }
        self.make(sub, resource, "SOA", {"TTL": 3600, "SOARecord": soa})

    def make(self, sub, zone, record_type, properties):
        sub.add(Resource(f"{zone.id}/{record_type}/@", f"{self.type}/{record_type}", "@", {"properties": properties}))


@kind
class PrivateZone(Zone):
    type = PRIVATE
    private = True
    put_body = False
    put_location = True
    put_answers = (202, 202)
    patch_long = True

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        properties.update(
            {
                "maxNumberOfRecordSets": 25_000,
                "maxNumberOfVirtualNetworkLinks": 1000,
                "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
                "internalId": (old or {}).get("properties", {}).get("internalId") or ctx.sub.new_guid(resource.id),
            }
        )

    def finished(self, sub, resource, old):
        if old is None:
            soa = {
                "host": "azureprivatedns.net",
                "email": "azureprivatedns-host.microsoft.com",
                "serialNumber": 1,
                "refreshTime": 3600,
                "retryTime": 300,
                "expireTime": 2_419_200,
                "minimumTtl": 10,
            }
            sub.add(Resource(f"{resource.id}/SOA/@", f"{PRIVATE}/SOA", "@", {"properties": {"ttl": 3600, "soaRecord": soa}}))

    def check_delete(self, ctx, resource):
        links = ctx.sub.below(resource.id, LINK)
        if links:
            raise conflict(
                "CannotDeleteResource",
                f"Can not delete resource before nested resources are deleted: {', '.join(it.id for it in links)}.",
            )

    def view(self, sub, resource, expand=()):
        body = super().view(sub, resource, expand)
        links = sub.below(resource.id, LINK)
        body["properties"]["numberOfVirtualNetworkLinks"] = len(links)
        body["properties"]["numberOfVirtualNetworkLinksWithRegistration"] = sum(
            bool(it.properties.get("registrationEnabled")) for it in links
        )
        return body


@kind
class VirtualNetworkLink(Kind):
    type = LINK
    only_region = "global"
    put_body = False
    put_location = True
    put_answers = (202, 202)
    patch_long = True
    name_pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,78}[A-Za-z0-9_]$|^[A-Za-z0-9_]$"

    def prepare(self, ctx, resource, body, old):
        properties = body.setdefault("properties", {})
        network = properties.get("virtualNetwork")
        if not network or not network.get("id"):
            raise bad_request("BadRequest", "The virtual network of the link is missing.")
        found = ctx.sub.find(network["id"])
        if found is None or found.type != VirtualNetwork.type:
            raise bad_request("BadRequest", f"The virtual network '{network['id']}' does not exist.")
        network["id"] = found.id
        if old and old["properties"]["virtualNetwork"]["id"] != found.id:
            raise bad_request("BadRequest", "The virtual network of a link cannot be changed.")
        properties.setdefault("registrationEnabled", False)
        properties.setdefault("resolutionPolicy", "Default")
        properties["virtualNetworkLinkState"] = "Completed"
        zone = resource.id.split("/virtualNetworkLinks/")[0]
        for other in ctx.sub.of_type(LINK):
            theirs = other.properties["virtualNetwork"]["id"].lower() == found.key
            if other.key != resource.key and theirs:
                if other.id.startswith(zone + "/"):
                    raise conflict("Conflict", f"The zone is linked to the network already, by '{other.name}'.")
                if properties["registrationEnabled"] and other.properties.get("registrationEnabled"):
                    raise conflict("Conflict", f"The network registers in another zone already, by '{other.id}'.")

    def view(self, sub, resource, expand=()):
        return {**super().view(sub, resource, expand), "etag": resource.etag}


# ---------------------------------------------------------------- record sets


class Records(Kind):
    """Record sets: made and changed at once, never long-running."""

    region = False
    put_long = delete_long = False
    has_state = False
    private = False

    def names(self, ctx):
        zone = self.zone(ctx)
        record_type = ctx.params["recordType"].upper()
        if record_type not in MEMBERS or MEMBERS[record_type][0 if self.private else 1] is None:
            raise bad_request("InvalidRecordType", f"The record type '{ctx.params['recordType']}' is not valid.")
        return zone, record_type, ctx.params["relativeRecordSetName"]

    def zone(self, ctx):
        group = ctx.sub.group(ctx.params["resourceGroupName"])
        if group is None:
            raise group_not_found(ctx.params["resourceGroupName"])
        name = ctx.params.get("privateZoneName") or ctx.params.get("zoneName")
        path = f"{group.id}/providers/{self.zone_type}/{name}"
        zone = ctx.sub.find(path)
        if zone is None or (self.private and zone.state != "Succeeded" and zone.pending):
            if ctx.method in ("PUT", "PATCH"):
                raise ArmError(
                    404,
                    "ParentResourceNotFound",
                    f"Failed to perform 'write' on resource(s) of type '{self.zone_type.partition('/')[2]}/"
                    f"{ctx.params['recordType']}', because the parent resource '{path}' could not be found.",
                )
            raise not_found(path)
        if ctx.method != "GET":
            group_open(ctx, zone.id)
        return zone

    def record(self, ctx):
        zone, record_type, name = self.names(ctx)
        return zone, record_type, name, ctx.sub.find(f"{zone.id}/{record_type}/{name}")

    def get(self, ctx):
        zone, record_type, name, found = self.record(ctx)
        if found is None:
            raise ArmError(404, "NotFound", f"The resource record '{name}' does not exist in resource group '{zone.group}'.")
        return Answer(200, self.view(ctx.sub, found), {"ETag": found.etag})

    def view(self, sub, resource, expand=()):
        body = super().view(sub, resource, expand)
        zone = resource.id.split("/")[8]
        body["etag"] = resource.etag
        name = f"{zone}." if resource.name == "@" else f"{resource.name}.{zone}."
        body["properties"]["fqdn"] = name
        if not self.private:
            body["properties"]["provisioningState"] = "Succeeded"
        return body

    def put(self, ctx):
        zone, record_type, name, found = self.record(ctx)
        self.condition(ctx, found)
        if not LABEL.fullmatch(name):
            raise bad_request("BadRequest", f"The relative record set name '{name}' is not valid.")
        properties = ctx.body.setdefault("properties", {})
        self.check(ctx, zone, record_type, name, properties, found)
        fresh = found is None
        if fresh:
            found = Resource(f"{zone.id}/{record_type}/{name}", f"{self.zone_type}/{record_type}", name, {})
            ctx.sub.add(found)
        found.body = {"properties": properties}
        found.etag = str(uuid.uuid4())
        ctx.sub.touch()
        return Answer(201 if fresh else 200, self.view(ctx.sub, found), {"ETag": found.etag})

    def patch(self, ctx):
        zone, record_type, name, found = self.record(ctx)
        if found is None:
            raise ArmError(404, "NotFound", f"The resource record '{name}' does not exist in resource group '{zone.group}'.")
        self.condition(ctx, found)
        properties = {**copy.deepcopy(found.properties), **ctx.body.get("properties", {})}
        self.check(ctx, zone, record_type, name, properties, found)
        found.body = {"properties": properties}
        found.etag = str(uuid.uuid4())
        ctx.sub.touch()
        return Answer(200, self.view(ctx.sub, found), {"ETag": found.etag})

    def delete(self, ctx):
        zone, record_type, name, found = self.record(ctx)
        if found is None:
            return Answer(204)
        self.condition(ctx, found)
        if name == "@" and record_type in ("NS", "SOA"):
            raise bad_request("BadRequest", f"The record set of type '{record_type}' with name '@' cannot be deleted.")
        ctx.sub.remove(found)
        return Answer(200)

    def condition(self, ctx, found):
        wanted, unwanted = ctx.header("If-Match"), ctx.header("If-None-Match")
        etag = found.etag if found else None
        if unwanted == "*" and found:
            raise ArmError(412, "PreconditionFailed", f"The Record set {found.name} exists already and hence cannot be created again.")
        if wanted and (found is None or (wanted != "*" and wanted.strip('"') != etag)):
            raise ArmError(
                412,
                "PreconditionFailed",
                f"The condition '{wanted}' in the If-Match header was not satisfied. The current was '{etag}'.",
            )

    def check(self, ctx, zone, record_type, name, properties, found):
        ttl = "ttl" if self.private else "TTL"
        if not 1 <= properties.get(ttl, 0) <= 2_147_483_647:
            raise bad_request("BadRequest", f"The record set '{name}' has the TTL {properties.get(ttl)}; it goes from 1.")
        member = MEMBERS[record_type][0 if self.private else 1]
        others = [pair[0 if self.private else 1] for kind, pair in MEMBERS.items() if kind != record_type]
        if any(properties.get(other) for other in others) or not properties.get(member):
            raise bad_request("BadRequest", f"A record set of type {record_type} must have '{member}' and nothing else.")
        if record_type == "A":
            texts = [it.get("ipv4Address", "") for it in properties[member]]
            _check_addresses(texts, 4)
        if record_type == "AAAA":
            _check_addresses([it.get("ipv6Address", "") for it in properties[member]], 6)
        if record_type == "TXT" and any(not it.get("value") for it in properties[member]):
            raise bad_request("BadRequest", "A TXT record has no value.")
        if record_type == "CNAME" and name == "@":
            raise bad_request("BadRequest", "A CNAME record cannot be at the zone's apex.")
        if name == "@" and record_type in ("NS", "SOA") and found is None:
            raise bad_request("BadRequest", f"{record_type} at the apex comes with the zone.")
        siblings = [
            it.type.rpartition("/")[2]
            for it in KINDS[self.zone_type.lower()].records(ctx.sub, zone)
            if it.name.lower() == name.lower() and it is not found
        ]
        if siblings and (record_type == "CNAME" or "CNAME" in siblings):
            raise conflict(
                "Conflict",
                f"The record could not be created because a CNAME record with the same name ('{name}') or another record exists.",
            )

    def list(self, ctx):
        zone = self.zone(ctx)
        found = KINDS[self.zone_type.lower()].records(ctx.sub, zone)
        wanted = ctx.params.get("recordType")
        if wanted:
            found = [it for it in found if it.type.rpartition("/")[2] == wanted.upper()]
        if suffix := ctx.query.get("$recordsetnamesuffix"):
            found = [it for it in found if it.name.endswith(suffix)]
        found.sort(key=lambda it: (it.name != "@", it.name, it.type))
        return ctx.page([self.view(ctx.sub, it) for it in found if not ctx.lagging(it)])


def _check_addresses(texts, version):
    for text in texts:
        try:
            if ipaddress.ip_address(text).version == version:
                continue
        except ValueError:
            pass
        raise bad_request("BadRequest", f"The value '{text}' for the record is not an IPv{version} address.")
    if len(set(texts)) != len(texts):
        raise bad_request("BadRequest", "The record set has the same record twice.")


class PublicRecords(Records):
    type = f"{PUBLIC}/records"
    zone_type = PUBLIC


class PrivateRecords(Records):
    type = f"{PRIVATE}/records"
    zone_type = PRIVATE
    private = True


PUBLIC_RECORDS, PRIVATE_RECORDS = PublicRecords(), PrivateRecords()
# Snapshots and the deletion of groups look kinds up by type.
for _type in MEMBERS:
    KINDS[f"{PUBLIC}/{_type}".lower()] = PUBLIC_RECORDS
    KINDS[f"{PRIVATE}/{_type}".lower()] = PRIVATE_RECORDS

for _group, _kind in (("recordSets", PUBLIC_RECORDS), ("privateRecordSets", PRIVATE_RECORDS)):
    action(f"{_group}.createOrUpdate")(_kind.put)
    action(f"{_group}.update")(_kind.patch)
    action(f"{_group}.get")(_kind.get)
    action(f"{_group}.delete")(_kind.delete)
    action(f"{_group}.list", f"{_group}.listByType", f"{_group}.listByDnsZone", f"{_group}.listAllByDnsZone")(_kind.list)

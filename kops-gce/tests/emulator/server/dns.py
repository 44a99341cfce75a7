"""Cloud DNS: managed zones, record sets, changes."""

import copy
import itertools
import re
import time

import paging
from errors import ApiError, bad_value, invalid, not_modelled, required
from state import utc_now
from urls import parse

ZONE_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
TYPES = {
    "A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IPSECKEY", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT", "ALIAS",
}  # fmt: skip
ADDRESS = {"A": re.compile(r"\d{1,3}(\.\d{1,3}){3}"), "AAAA": re.compile(r"[0-9a-fA-F:.]+")}


class Zone:
    def __init__(self, project, body):
        self.body = body
        self.made = time.monotonic()
        # (name, type) -> record set
        self.records = {}
        self.changes = []
        self.change_ids = itertools.count(1)


def handle(call):
    handler = HANDLERS.get(call.method.id)
    if handler is None:
        raise not_modelled(call.method.id)
    return handler(call)


def missing(name, what="parameters.managedZone"):
    return ApiError(404, f"The '{what}' resource named '{name}' does not exist.", "notFound")


def zone_of(call):
    wanted = call.path["managedZone"]
    for zone in call.project.zones.values():
        if wanted in (zone.body["name"], zone.body["id"]):
            return zone
    raise missing(wanted)


# ---------------------------------------------------------------- zones


def create_zone(call):
    body, project = copy.deepcopy(call.body), call.project
    for field in ("name", "dnsName"):
        if not body.get(field):
            raise required(f"entity.managedZone.{field}")
    # Google wants a description, be it empty.
    if "description" not in body:
        raise required("entity.managedZone.description")
    if not ZONE_NAME.fullmatch(body["name"]):
        raise bad_value("entity.managedZone.name", body["name"], "Must be a match of regex '[a-z][-a-z0-9]*'")
    if len(body["description"]) > 1024:
        raise bad_value("entity.managedZone.description", body["description"], "Must have at most 1024 characters.")
    check_name(body["dnsName"], "entity.managedZone.dnsName")
    if body["name"] in project.zones:
        raise ApiError(409, f"The resource 'entity.managedZone' named '{body['name']}' already exists", "alreadyExists")
    body["visibility"] = (body.get("visibility") or "public").lower()
    complete_zone(project, body)
    number = len(project.zones) % 5 + 1
    private = body["visibility"] == "private"
    servers = (
        ["ns-gcp-private.googledomains.com."]
        if private
        else [f"ns-cloud-{'abcde'[number - 1]}{it}.googledomains.com." for it in range(1, 5)]
    )
    body.update({
        "kind": "dns#managedZone",
        "id": project.new_id(),
        "nameServers": servers,
        "creationTime": utc_now(),
        "cloudLoggingConfig": {"kind": "dns#managedZoneCloudLoggingConfig", **body.get("cloudLoggingConfig", {})},
    })  # fmt: skip
    zone = project.zones[body["name"]] = Zone(project, body)
    put(zone, {"name": body["dnsName"], "type": "NS", "ttl": 21600, "rrdatas": servers})
    soa = f"{servers[0]} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"
    put(zone, {"name": body["dnsName"], "type": "SOA", "ttl": 21600, "rrdatas": [soa]})
    return body


def complete_zone(project, body):
    config = body.get("privateVisibilityConfig")
    if body["visibility"] != "private":
        if config:
            raise invalid("Invalid value for 'entity.managedZone.privateVisibilityConfig': it is for private zones.")
        return
    networks = (config or {}).get("networks", [])
    if config is not None:
        config["kind"] = "dns#managedZonePrivateVisibilityConfig"
    for network in networks:
        network["kind"] = "dns#managedZonePrivateVisibilityConfigNetwork"
        url = network.get("networkUrl", "")
        key = parse(url, project.name, "entity.managedZone.privateVisibilityConfig.networks[].networkUrl")
        home = project.world.projects.get(key.project)
        if not url.startswith("http"):
            raise bad_value(
                "entity.managedZone.privateVisibilityConfig.networks[].networkUrl", url, "It must be a full URL."
            )
        if home is None or home.find(key) is None:
            raise missing(url, "entity.managedZone.privateVisibilityConfig.networks[].networkUrl")
        network["networkUrl"] = key.link


def list_zones(call):
    youngest = time.monotonic() - call.project.settings.list_delay
    shown = [zone for zone in call.project.zones.values() if zone.made <= youngest]
    zones = sorted((zone.body for zone in shown), key=lambda body: body["name"])
    wanted = call.query.get("dnsName")
    if wanted:
        zones = [body for body in zones if body["dnsName"] == wanted]
    return listed(call, zones, "managedZones", "dns#managedZonesListResponse")


def listed(call, items, key, kind):
    page, token = paging.cut(call, items)
    answer = {"kind": kind, key: page}
    return {**answer, "nextPageToken": token} if token else answer


def delete_zone(call):
    zone = zone_of(call)
    if any(key[1] not in ("NS", "SOA") or key[0] != zone.body["dnsName"] for key in zone.records):
        message = (
            "The resource named '"
            + zone.body["name"]
            + "' cannot be deleted because it contains one or more 'resource records'."
        )
        raise ApiError(400, message, "containerNotEmpty")
    del call.project.zones[zone.body["name"]]
    return None


def patched(call):
    """A zone changes by an operation of its own kind."""
    zone = zone_of(call)
    before = copy.deepcopy(zone.body)
    body = (
        {**before}
        if call.method.name == "patch"
        else {key: before[key] for key in ("kind", "id", "creationTime", "nameServers", "visibility")}
    )
    for field in ("name", "dnsName", "visibility"):
        if call.body.get(field) not in (None, before.get(field)):
            raise bad_value(f"entity.managedZone.{field}", call.body[field], "It cannot be changed.")
    for field, value in call.body.items():
        if value is None:
            body.pop(field, None)
        else:
            body[field] = value
    complete_zone(call.project, body)
    zone.body = body
    return {
        "kind": "dns#operation",
        "id": call.project.new_id(),
        "startTime": utc_now(),
        "status": "done",
        "user": "user@example.com",
        "type": "update",
        "zoneContext": {"oldValue": before, "newValue": copy.deepcopy(body)},
    }


# ---------------------------------------------------------------- record sets


def check_name(name, field):
    if not name.endswith(".") or len(name) > 254 or ".." in name or any(len(label) > 63 for label in name.split(".")):
        raise bad_value(field, name, "It must be a fully qualified domain name, ending with a dot.")
    if name != name.lower():
        raise bad_value(field, name, "It must be in lower case.")


def read(zone, given, field):
    """A record set of a request, checked."""
    record = {key: value for key, value in copy.deepcopy(given).items() if key != "kind"}
    for key in ("name", "type"):
        if not record.get(key):
            raise required(f"{field}.{key}")
    check_name(record["name"], f"{field}.name")
    origin = zone.body["dnsName"]
    if record["name"] != origin and not record["name"].endswith("." + origin):
        raise bad_value(f"{field}.name", record["name"], f"It must be in the zone '{origin}'.")
    if record["type"] not in TYPES:
        raise bad_value(f"{field}.type", record["type"], "It is not a known type.")
    if "routingPolicy" not in record:
        if not record.get("rrdatas"):
            raise required(f"{field}.rrdatas")
        for value in record["rrdatas"]:
            pattern = ADDRESS.get(record["type"])
            if pattern and not pattern.fullmatch(value):
                raise bad_value(f"{field}.rrdata", value, "It is not an address.")
            if record["type"] in ("CNAME", "NS", "PTR") and not value.endswith("."):
                raise bad_value(f"{field}.rrdata", value, "It must end with a dot.")
        if len(set(record["rrdatas"])) != len(record["rrdatas"]):
            raise bad_value(f"{field}.rrdata", record["rrdatas"], "There are duplicates.")
    record.setdefault("ttl", 0)
    return record


def put(zone, record):
    zone.records[(record["name"], record["type"])] = {"kind": "dns#resourceRecordSet", **record}


def check_alone(records, field):
    names = {}
    for name, kind in records:
        names.setdefault(name, set()).add(kind)
    for name, kinds in names.items():
        if "CNAME" in kinds and len(kinds) > 1:
            message = (
                f"The resource record set '{field}' is invalid because the DNS name '{name}' may have either one CNAME "
                "resource record set or resource record sets of other types, but not both."
            )
            raise ApiError(400, message, "cnameResourceRecordSetConflict")


def list_records(call):
    zone = zone_of(call)
    name, kind = call.query.get("name"), call.query.get("type")
    if kind and not name:
        raise invalid("Invalid value for 'parameters.type': it needs a name.")
    records = [
        zone.records[key]
        for key in sorted(zone.records)
        if (not name or key[0] == name) and (not kind or key[1] == kind)
    ]
    return listed(call, records, "rrsets", "dns#resourceRecordSetsListResponse")


def create_record(call):
    zone = zone_of(call)
    record = read(zone, call.body, "entity.rrset")
    key = (record["name"], record["type"])
    if key in zone.records:
        raise ApiError(409, f"The resource 'entity.rrset' named '{key[0]} ({key[1]})' already exists", "alreadyExists")
    check_alone([*zone.records, key], "entity.rrset")
    put(zone, record)
    return zone.records[key]


def record_of(call):
    zone, key = zone_of(call), (call.path["name"], call.path["type"])
    if key not in zone.records:
        raise missing(f"{key[0]} ({key[1]})", "parameters.name")
    return zone, key


def patch_record(call):
    zone, key = record_of(call)
    record = read(zone, {**zone.records[key], **call.body}, "entity.rrset")
    new = (record["name"], record["type"])
    if new != key and new in zone.records:
        raise ApiError(409, f"The resource 'entity.rrset' named '{new[0]} ({new[1]})' already exists", "alreadyExists")
    del zone.records[key]
    put(zone, record)
    return zone.records[new]


def delete_record(call):
    zone, key = record_of(call)
    check_not_own(zone, key)
    del zone.records[key]
    return {}


def check_not_own(zone, key):
    if key[0] == zone.body["dnsName"] and key[1] in ("NS", "SOA"):
        message = (
            "The resource record set 'entity.change.deletions[0]' is invalid because a zone must contain exactly one "
            f"resource record set of type '{key[1]}' at the apex."
        )
        raise ApiError(400, message, "invalidZoneApex")


# ---------------------------------------------------------------- changes


def create_change(call):
    """All additions and deletions, or none. A deletion must say exactly what is there."""
    zone = zone_of(call)
    records = dict(zone.records)
    additions, deletions = call.body.get("additions", []), call.body.get("deletions", [])
    if not additions and not deletions:
        raise required("entity.change.additions")
    for index, given in enumerate(deletions):
        field = f"entity.change.deletions[{index}]"
        record = read(zone, given, field)
        key = (record["name"], record["type"])
        there = records.get(key)
        if there is None:
            raise missing(f"{key[0]} ({key[1]})", field)
        same = all(there.get(it) == record.get(it) for it in ("ttl", "routingPolicy")) and sorted(
            there.get("rrdatas", [])
        ) == sorted(record.get("rrdatas", []))
        if not same:
            raise ApiError(412, f"Precondition not met for '{field}'", "conditionNotMet")
        del records[key]
    for index, given in enumerate(additions):
        field = f"entity.change.additions[{index}]"
        record = read(zone, given, field)
        key = (record["name"], record["type"])
        if key in records:
            raise ApiError(409, f"The resource '{field}' named '{key[0]} ({key[1]})' already exists", "alreadyExists")
        records[key] = {"kind": "dns#resourceRecordSet", **record}
    for kind in ("NS", "SOA"):
        if (zone.body["dnsName"], kind) not in records:
            check_not_own(zone, (zone.body["dnsName"], kind))
    check_alone(records, "entity.change.additions[0]")
    zone.records = records
    change = {
        "kind": "dns#change",
        "id": str(next(zone.change_ids)),
        "startTime": utc_now(),
        "status": "pending",
        "isServing": False,
    }
    for field, given in (("additions", additions), ("deletions", deletions)):
        if given:
            change[field] = [{"kind": "dns#resourceRecordSet", **it} for it in given]
    zone.changes.append(change)

    def done():
        change["status"] = "done"
        change["isServing"] = True

    seconds = call.operation_seconds()
    answer = copy.deepcopy(change)
    if seconds > 0:
        call.project.at(seconds, done)
    else:
        done()
    return answer


def get_change(call):
    zone = zone_of(call)
    for change in zone.changes:
        if change["id"] == call.path["changeId"]:
            return change
    raise missing(call.path["changeId"], "parameters.changeId")


HANDLERS = {
    "dns.managedZones.create": create_zone,
    "dns.managedZones.get": lambda call: zone_of(call).body,
    "dns.managedZones.list": list_zones,
    "dns.managedZones.delete": delete_zone,
    "dns.managedZones.patch": patched,
    "dns.managedZones.update": patched,
    "dns.resourceRecordSets.list": list_records,
    "dns.resourceRecordSets.create": create_record,
    "dns.resourceRecordSets.get": lambda call: record_of(call)[0].records[record_of(call)[1]],
    "dns.resourceRecordSets.patch": patch_record,
    "dns.resourceRecordSets.delete": delete_record,
    "dns.changes.create": create_change,
    "dns.changes.get": get_change,
    "dns.changes.list": lambda call: listed(call, zone_of(call).changes, "changes", "dns#changesListResponse"),
}

"""Cloud Storage's JSON API: buckets and objects, with generations and preconditions. Access control: storage_acl.py."""

import base64
import copy
import email.parser
import hashlib
import itertools
import json
import re
import threading
import time
import urllib.parse

import paging
import schema
import storage_acl
from errors import ApiError, bad_value, invalid, malformed, not_modelled, required
from iam import Policy
from state import utc_now

BUCKET_NAME = re.compile(r"[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9]")
CRC_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = (_byte >> 1) ^ (0x82F63B78 if _byte & 1 else 0)
    CRC_TABLE.append(_byte)


class Bucket:
    def __init__(self, body):
        self.body = body
        # name -> Stored
        self.objects = {}
        self.policy = Policy()
        self.uploads = {}


class Stored:
    def __init__(self, body, content):
        self.body = body
        self.content = content
        self.made = time.monotonic()


# Generations are microseconds, and never go back.
_generations = itertools.count(int(time.time() * 1_000_000))
_lock = threading.Lock()


def owner_of(world, bucket, request, method=None):
    """The project of a request: the bucket's; or, while there is none, whom the request names."""
    with world.lock:
        if bucket in world.buckets:
            return world.buckets[bucket]
    for source in (
        request.query.get("project", [None])[0],
        request.query.get("userProject", [None])[0],
        request.headers.get("x-goog-user-project"),
    ):
        if source:
            return world.project(source)
    # Tests may name their project in the bearer token: `project:NAME`.
    if request.token and request.token.startswith("project:"):
        return world.project(request.token.removeprefix("project:"))
    return world.project(request.home or "-")


def handle(call):
    if call.method.id.startswith("storage.xml."):
        import storage_xml

        return storage_xml.handle(call)
    handler = HANDLERS.get(call.method.id) or storage_acl.HANDLERS.get(call.method.id)
    if handler is None:
        raise not_modelled(call.method.id)
    return handler(call)


def bucket_of(call, parameter="bucket"):
    name = call.path[parameter]
    owner = call.world.buckets.get(name)
    if owner is None:
        raise ApiError(404, "The specified bucket does not exist.", "notFound")
    return owner.buckets[name]


def object_of(call):
    bucket, name = bucket_of(call), call.path["object"]
    stored = bucket.objects.get(name)
    generation = call.query.get("generation")
    if stored is None or (generation is not None and str(generation) != stored.body["generation"]):
        raise ApiError(404, f"No such object: {bucket.body['name']}/{name}", "notFound")
    return bucket, stored


# ---------------------------------------------------------------- preconditions


def check(call, body, generation=True):
    """The preconditions of a request about an object or a bucket (`body`: None when there is none)."""
    names = ["Metageneration"] + (["Generation"] if generation else [])
    for name in names:
        field = name[0].lower() + name[1:]
        there = int(body[field]) if body else 0
        match, other = call.query.get(f"if{name}Match"), call.query.get(f"if{name}NotMatch")
        if match is not None and match != there:
            raise failed(name)
        if other is not None and other == there:
            if call.method.verb == "GET":
                raise ApiError(304, "Not Modified", "notModified")
            raise failed(name)


def failed(name):
    return ApiError(412, "At least one of the pre-conditions you specified did not hold.", "conditionNotMet")


# ---------------------------------------------------------------- buckets


def insert_bucket(call):
    body, name = copy.deepcopy(call.body), call.body.get("name")
    if not call.query.get("project"):
        raise required("project")
    if not name or not BUCKET_NAME.fullmatch(name) or name.startswith("goog") or "google" in name:
        raise invalid(f"Invalid bucket name: '{name}'")
    if name in call.world.buckets:
        mine = call.world.buckets[name] is call.project
        text = "Your previous request to create the named bucket succeeded and you already own it." if mine else (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again."
        )  # fmt: skip
        raise ApiError(409, text, "conflict")
    now = utc_now()
    body.update({
        "kind": "storage#bucket",
        "id": name,
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
        "projectNumber": call.project.number,
        "location": body.get("location", "US").upper(),
        "storageClass": body.get("storageClass", "STANDARD"),
        "metageneration": "1",
        "timeCreated": now,
        "updated": now,
    })  # fmt: skip
    body["locationType"] = "multi-region" if body["location"] in ("US", "EU", "ASIA") else "region"
    uniform = body.setdefault("iamConfiguration", {}).setdefault("uniformBucketLevelAccess", {"enabled": False})
    uniform.setdefault("enabled", False)
    body["iamConfiguration"].setdefault("bucketPolicyOnly", {"enabled": uniform["enabled"]})
    body["iamConfiguration"].setdefault("publicAccessPrevention", "inherited")
    body.setdefault("softDeletePolicy", {"retentionDurationSeconds": "604800", "effectiveTime": now})
    stamp(body)
    bucket = Bucket(body)
    storage_acl.begin(call, bucket)
    call.project.buckets[name] = bucket
    call.world.buckets[name] = call.project
    return view_bucket(call, bucket)


def stamp(body):
    number = body.get("generation", "0") + "/" + body["metageneration"]
    body["etag"] = base64.b64encode(hashlib.sha256(number.encode()).digest()[:8]).decode()


def view_bucket(call, bucket):
    if call.query.get("projection") == "full" and not uniform(bucket):
        return {**bucket.body, "acl": list(bucket.acl.values()), "defaultObjectAcl": list(bucket.default_acl.values())}
    return bucket.body


def uniform(bucket):
    return bucket.body["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]


def list_buckets(call):
    prefix = call.query.get("prefix") or ""
    buckets = [it for name, it in sorted(call.project.buckets.items()) if name.startswith(prefix)]
    page, token = paging.cut(call, buckets)
    answer = {"kind": "storage#buckets", "items": [view_bucket(call, it) for it in page]}
    return {**answer, "nextPageToken": token} if token else answer


def get_bucket(call):
    bucket = bucket_of(call)
    check(call, bucket.body, generation=False)
    return view_bucket(call, bucket)


def change_bucket(call):
    bucket = bucket_of(call)
    check(call, bucket.body, generation=False)
    for field, value in call.body.items():
        if field in ("name", "location", "acl", "defaultObjectAcl", "etag"):
            if field in ("name", "location") and value != bucket.body[field]:
                raise bad_value(field, value, "It cannot be changed.")
        elif value is None:
            bucket.body.pop(field, None)
        elif isinstance(value, dict) and isinstance(bucket.body.get(field), dict):
            merged = {**bucket.body[field], **value}
            bucket.body[field] = {key: it for key, it in merged.items() if it is not None}
        else:
            bucket.body[field] = value
    touch(bucket.body)
    return view_bucket(call, bucket)


def touch(body):
    body["metageneration"] = str(int(body["metageneration"]) + 1)
    body["updated"] = utc_now()
    stamp(body)


def delete_bucket(call):
    bucket = bucket_of(call)
    check(call, bucket.body, generation=False)
    if bucket.objects:
        raise ApiError(409, "The bucket you tried to delete is not empty.", "conflict")
    del call.world.buckets[bucket.body["name"]].buckets[bucket.body["name"]]
    del call.world.buckets[bucket.body["name"]]
    return None


# ---------------------------------------------------------------- objects


def put(call, bucket, name, content, given):
    """Stores an object: a new generation."""
    if not name or len(name.encode()) > 1024 or "\n" in name or "\r" in name or name in (".", ".."):
        raise invalid(f"Invalid object name: '{name}'")
    now = utc_now()
    with _lock:
        generation = str(next(_generations))
    place = f"storage/v1/b/{bucket.body['name']}/o/{urllib.parse.quote(name, safe='')}"
    body = {
        "contentType": "application/octet-stream",
        **{key: value for key, value in given.items() if key not in ("acl", "name", "bucket")},
        "kind": "storage#object",
        "id": f"{bucket.body['name']}/{name}/{generation}",
        "selfLink": f"https://www.googleapis.com/{place}",
        "mediaLink": f"https://storage.googleapis.com/download/{place}?generation={generation}&alt=media",
        "name": name,
        "bucket": bucket.body["name"],
        "generation": generation,
        "metageneration": "1",
        "storageClass": given.get("storageClass", bucket.body["storageClass"]),
        "size": str(len(content)),
        "md5Hash": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "crc32c": base64.b64encode(crc32c(content).to_bytes(4, "big")).decode(),
        "timeCreated": now,
        "updated": now,
        "timeStorageClassUpdated": now,
    }
    for field in ("md5Hash", "crc32c"):
        if given.get(field) and given[field] != body[field]:
            raise invalid(f'Provided {field} "{given[field]}" doesn\'t match calculated {field} "{body[field]}".')
    stamp(body)
    stored = Stored(body, content)
    storage_acl.begin_object(call, bucket, stored, given)
    bucket.objects[name] = stored
    return stored


def crc32c(content):
    value = 0xFFFFFFFF
    for byte in content:
        value = CRC_TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def insert_object(call):
    """Uploads: `media` (the body is the object), `multipart` (description, object), `resumable` (in two requests)."""
    from api import Response

    bucket, request = bucket_of(call), call.request
    kind = (request.query.get("uploadType") or [None])[0]
    if not call.upload:
        raise invalid("Objects are uploaded at /upload/storage/v1.")
    session = (request.query.get("upload_id") or [None])[0]
    if kind == "media":
        given = {"contentType": request.headers.get("Content-Type", "application/octet-stream")}
        name, content = call.query.get("name"), request.body
    elif kind == "multipart":
        given, content, content_type = split(request)
        given = schema.body(call.method, given)
        given.setdefault("contentType", content_type)
        name = given.get("name") or call.query.get("name")
    elif kind == "resumable" and session is None:
        given = schema.body(call.method, json.loads(request.body or b"{}"))
        given.setdefault("contentType", request.headers.get("X-Upload-Content-Type", "application/octet-stream"))
        name = given.get("name") or call.query.get("name")
        check(call, body_of(bucket, name))
        token = hashlib.sha256(f"{name} {time.monotonic()}".encode()).hexdigest()
        bucket.uploads[token] = (name, given, dict(call.query), b"")
        query = urllib.parse.urlencode({"uploadType": "resumable", "name": name, "upload_id": token})
        place = f"http://{request.headers.get('Host', 'localhost')}{request.path}?{query}"
        return Response(200, None, {"Location": place, "X-GUploader-UploadID": token, "Content-Length": "0"})
    else:
        raise invalid(f"Unknown upload type '{kind}'.")
    if call.query.get("contentEncoding"):
        given["contentEncoding"] = call.query["contentEncoding"]
    if not name:
        raise required("name")
    check(call, body_of(bucket, name))
    return put(call, bucket, name, content, given).body


def resume(call):
    """A part of a resumable upload, by PUT."""
    from api import Response

    bucket, request = bucket_of(call), call.request
    token = request.query["upload_id"][0]
    if token not in bucket.uploads:
        raise ApiError(404, "Not Found", "notFound")
    name, given, query, before = bucket.uploads[token]
    content = before + request.body
    span = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", request.headers.get("Content-Range", ""))
    if span and (span[3] == "*" or len(content) < int(span[3])):
        bucket.uploads[token] = (name, given, query, content)
        headers = {"Range": f"bytes=0-{len(content) - 1}"} if content else {}
        return Response(308, None, headers)
    call.query = query
    check(call, body_of(bucket, name))
    del bucket.uploads[token]
    return put(call, bucket, name, content, given).body


def body_of(bucket, name):
    stored = bucket.objects.get(name)
    return stored.body if stored else None


def split(request):
    """(description, content, its type) of a multipart/related body."""
    kind = request.headers.get("Content-Type", "")
    boundary = re.search(r'boundary="?([^";]+)"?', kind)
    if not kind.startswith("multipart/related") or not boundary:
        raise malformed("A multipart upload needs multipart/related with a boundary.")
    parts = request.body.split(b"--" + boundary[1].encode())
    found = []
    for part in parts[1:-1]:
        head, _, content = (
            part.removeprefix(b"\r\n").removeprefix(b"\n").partition(b"\r\n\r\n" if b"\r\n\r\n" in part else b"\n\n")
        )
        content = content[:-2] if content.endswith(b"\r\n") else content.removesuffix(b"\n")
        found.append((email.parser.HeaderParser().parsestr(head.decode()), content))
    if len(found) != 2:
        raise malformed("A multipart upload has two parts.")
    try:
        description = json.loads(found[0][1])
    except ValueError as error:
        raise malformed(f"Invalid JSON payload received. {error}") from None
    return description, found[1][1], found[1][0].get("Content-Type", "application/octet-stream")


def get_object(call):
    from api import Response

    _, stored = object_of(call)
    check(call, stored.body)
    if (call.request.query.get("alt") or ["json"])[0] != "media":
        return view_object(call, stored)
    headers = {
        "Content-Type": stored.body["contentType"],
        "ETag": stored.body["etag"],
        "X-Goog-Generation": stored.body["generation"],
        "X-Goog-Metageneration": stored.body["metageneration"],
        "X-Goog-Hash": f"crc32c={stored.body['crc32c']},md5={stored.body['md5Hash']}",
        "X-Goog-Stored-Content-Length": stored.body["size"],
    }
    status, content, extra = ranged(stored.content, call.request.headers.get("Range"))
    return Response(status, content, {**headers, **extra})


def ranged(content, wanted):
    """(status, content, headers) for a Range header."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    if not match or not (match[1] or match[2]):
        return 200, content, {}
    if match[1]:
        begin, end = int(match[1]), int(match[2]) + 1 if match[2] else len(content)
    else:
        begin, end = max(0, len(content) - int(match[2])), len(content)
    end = min(end, len(content))
    if begin >= len(content):
        raise ApiError(416, "The requested range cannot be satisfied.", "requestedRangeNotSatisfiable")
    return 206, content[begin:end], {"Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}


def view_object(call, stored):
    if call.query.get("projection") == "full" and stored.acl is not None:
        return {**stored.body, "acl": list(stored.acl.values())}
    return stored.body


def list_objects(call):
    bucket = bucket_of(call)
    found = found_objects(call.project, bucket, call.query.get("prefix") or "", call.query.get("delimiter"))
    begin, end = call.query.get("startOffset"), call.query.get("endOffset")
    found = [it for it in found if (not begin or it[0] >= begin) and (not end or it[0] < end)]
    page, token = paging.cut(call, found)
    answer = {"kind": "storage#objects"}
    items = [view_object(call, stored) for _, stored in page if stored is not None]
    prefixes = [name for name, stored in page if stored is None]
    if items:
        answer["items"] = items
    if prefixes:
        answer["prefixes"] = prefixes
    return {**answer, "nextPageToken": token} if token else answer


def found_objects(project, bucket, prefix, delimiter):
    """[(name, object)], and (prefix, None) for what a delimiter cuts off."""
    del project  # Storage is strongly consistent: its listings are never late.
    found = {}
    for name, stored in sorted(bucket.objects.items()):
        if not name.startswith(prefix):
            continue
        rest = name[len(prefix) :]
        if delimiter and delimiter in rest:
            found[prefix + rest.split(delimiter, 1)[0] + delimiter] = None
        else:
            found[name] = stored
    return sorted(found.items(), key=lambda pair: pair[0])


def change_object(call):
    _, stored = object_of(call)
    check(call, stored.body)
    for field, value in call.body.items():
        if field in ("metadata", "contexts") and isinstance(value, dict) and call.method.name == "patch":
            merged = {**stored.body.get(field, {}), **value}
            stored.body[field] = {key: it for key, it in merged.items() if it is not None}
        elif field == "acl":
            storage_acl.replace(call, stored, value)
        elif field not in ("name", "bucket", "etag", "md5Hash", "crc32c", "storageClass"):
            if value is None:
                stored.body.pop(field, None)
            else:
                stored.body[field] = value
    touch(stored.body)
    return view_object(call, stored)


def delete_object(call):
    bucket = bucket_of(call)
    there = body_of(bucket, call.path["object"])
    if there is not None:
        check(call, there)
    object_of(call)
    del bucket.objects[call.path["object"]]
    return None


def copy_object(call):
    source = bucket_of(call, "sourceBucket").objects.get(call.path["sourceObject"])
    if source is None:
        raise ApiError(404, f"No such object: {call.path['sourceBucket']}/{call.path['sourceObject']}", "notFound")
    target, name = bucket_of(call, "destinationBucket"), call.path["destinationObject"]
    wanted = call.query.get("ifSourceGenerationMatch")
    if wanted is not None and str(wanted) != source.body["generation"]:
        raise failed("Generation")
    check(call, body_of(target, name))
    given = {
        key: source.body[key]
        for key in ("contentType", "metadata", "contentEncoding", "cacheControl")
        if key in source.body
    }
    stored = put(call, target, name, source.content, {**given, **call.body})
    if call.method.name == "copy":
        return stored.body
    return {
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": stored.body["size"],
        "objectSize": stored.body["size"],
        "done": True,
        "resource": stored.body,
    }


HANDLERS = {
    "storage.buckets.insert": insert_bucket,
    "storage.buckets.list": list_buckets,
    "storage.buckets.get": get_bucket,
    "storage.buckets.patch": change_bucket,
    "storage.buckets.update": change_bucket,
    "storage.buckets.delete": delete_bucket,
    "storage.objects.insert": insert_object,
    "storage.objects.get": get_object,
    "storage.objects.list": list_objects,
    "storage.objects.patch": change_object,
    "storage.objects.update": change_object,
    "storage.objects.delete": delete_object,
    "storage.objects.copy": copy_object,
    "storage.objects.rewrite": copy_object,
    "storage.resumable.put": resume,
}

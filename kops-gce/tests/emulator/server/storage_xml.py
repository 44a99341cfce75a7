"""The part of Cloud Storage's XML API that object stores use: `/BUCKET/KEY`, with the same preconditions.

It has no discovery document; these are its requests: PUT, GET, HEAD, DELETE of an object, GET of a bucket
(`list-type=2`), and uploads in parts are not modelled. Preconditions and generations come in headers.
"""

import re
import urllib.parse
from xml.sax.saxutils import escape

import storage
from errors import ApiError, not_modelled

PATH = re.compile(r"(?:/storage(?!/v1/))?/(?P<bucket>[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9])(?:/(?P<object>.+))?/?")
XML = "<?xml version='1.0' encoding='UTF-8'?>"
CODES = {
    "conditionNotMet": "PreconditionFailed",
    "notFound": "NoSuchKey",
    "forbidden": "AccessDenied",
    "notModified": "NotModified",
    "backendError": "InternalError",
    "rateLimitExceeded": "SlowDown",
}


class XmlMethod:
    service = "storage"
    request = None
    response = None
    path = ""
    parameters = {}

    def __init__(self, name, verb):
        self.name = name
        self.id = f"storage.xml.{name}"
        self.verb = "GET" if verb == "HEAD" else verb
        self.mutates = verb not in ("GET", "HEAD")


def route(verb, path, query):
    """(method, path parameters), or None where it is nothing of this API."""
    match = PATH.fullmatch(path)
    if match is None or match["bucket"] in (
        "compute",
        "dns",
        "iam",
        "storage",
        "upload",
        "cloudresourcemanager",
        "v1",
        "v3",
    ):
        if verb == "PUT" and "upload_id" in query:
            return resumable(path)
        return None
    found = {key: urllib.parse.unquote(value) for key, value in match.groupdict().items() if value}
    if "object" not in found:
        return (XmlMethod("list", verb), found) if verb == "GET" else None
    name = {"PUT": "put", "GET": "get", "HEAD": "head", "DELETE": "delete", "POST": "post"}.get(verb)
    return (XmlMethod(name, verb), found) if name else None


def resumable(path):
    match = re.fullmatch(r"(?:/storage)?(?:/resumable)?/upload/storage/v1/b/([^/]+)/o", path)
    if match is None:
        return None
    method = XmlMethod("put", "PUT")
    method.id = "storage.resumable.put"
    return method, {"bucket": urllib.parse.unquote(match[1])}


def handle(call):
    handler = {"put": put, "get": get, "head": get, "delete": delete, "list": listing}.get(call.method.name)
    if handler is None or "uploads" in call.request.query or "uploadId" in call.request.query:
        raise not_modelled(call.method.id)
    headers = call.request.headers
    call.query = {}
    for name in ("Generation", "Metageneration"):
        for kind in ("Match", "NotMatch"):
            value = headers.get(f"x-goog-if-{name.lower()}-{'match' if kind == 'Match' else 'not-match'}")
            if value is not None:
                call.query[f"if{name}{kind}"] = int(value)
    if "generation" in call.request.query:
        call.query["generation"] = call.request.query["generation"][0]
    return handler(call)


def response(status, body=b"", headers=None):
    from api import Response

    return Response(status, body, {"Content-Type": "application/xml; charset=UTF-8", **(headers or {})})


def failure(error):
    if error.code == 304:
        return response(304)
    code = CODES.get(error.reason, error.reason[:1].upper() + error.reason[1:])
    if "bucket does not exist" in error.message:
        code = "NoSuchBucket"
    text = f"<Error><Code>{escape(code)}</Code><Message>{escape(error.message)}</Message></Error>"
    return response(error.code, (XML + text).encode())


def described(stored):
    body = stored.body
    return {
        "Content-Type": body["contentType"],
        "ETag": f'"{body["etag"].rstrip("=")}"',
        "Last-Modified": http_date(body["updated"]),
        "x-goog-generation": body["generation"],
        "x-goog-metageneration": body["metageneration"],
        "x-goog-hash": f"crc32c={body['crc32c']},md5={body['md5Hash']}",
        "x-goog-stored-content-length": body["size"],
        **{f"x-goog-meta-{key}": value for key, value in body.get("metadata", {}).items()},
    }


def http_date(text):
    import datetime

    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).strftime("%a, %d %b %Y %H:%M:%S GMT")


def put(call):
    bucket, name, headers = storage.bucket_of(call), call.path["object"], call.request.headers
    source, content = headers.get("x-goog-copy-source"), call.request.body
    metadata = {key[12:].lower(): value for key, value in headers.items() if key.lower().startswith("x-goog-meta-")}
    given = {"contentType": headers.get("Content-Type", "application/octet-stream")}
    if source:
        owner, _, key = urllib.parse.unquote(source).lstrip("/").partition("/")
        there = call.world.buckets[owner].buckets[owner].objects.get(key) if owner in call.world.buckets else None
        if there is None:
            raise ApiError(404, "The specified key does not exist.", "notFound")
        content, given["contentType"] = there.content, there.body["contentType"]
    if metadata:
        given["metadata"] = metadata
    storage.check(call, storage.body_of(bucket, name))
    stored = storage.put(call, bucket, name, content, given)
    text = b""
    if source:
        text = f"{XML}<CopyObjectResult><ETag>{stored.body['etag']}</ETag></CopyObjectResult>".encode()
    return response(200, text, {key: value for key, value in described(stored).items() if key != "Content-Type"})


def get(call):
    _, stored = storage.object_of(call)
    check_etag(call, stored)
    storage.check(call, stored.body)
    if call.method.name == "head":
        return response(200, b"", {**described(stored), "Content-Length": stored.body["size"]})
    status, content, extra = storage.ranged(stored.content, call.request.headers.get("Range"))
    return response(status, content, {**described(stored), **extra})


def check_etag(call, stored):
    mine = described(stored)["ETag"].strip('"')
    match, none = call.request.headers.get("If-Match"), call.request.headers.get("If-None-Match")
    if match and match != "*" and mine not in match:
        raise storage.failed("ETag")
    if none and (none == "*" or mine in none):
        raise ApiError(304, "Not Modified", "notModified")


def delete(call):
    storage.delete_object(call)
    return response(204)


def listing(call):
    bucket, query = storage.bucket_of(call), {key: value[0] for key, value in call.request.query.items()}
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
    found = storage.found_objects(call.project, bucket, prefix, delimiter)
    after = query.get("continuation-token") or query.get("start-after")
    if after:
        found = [it for it in found if it[0] > after]
    size = min(int(query.get("max-keys") or 1000), call.project.settings.page_size * 2)
    page, more = found[:size], len(found) > size
    parts = [
        f"{XML}<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>",
        f"<Name>{bucket.body['name']}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>",
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>",
    ]
    if more:
        parts.append(f"<NextContinuationToken>{escape(page[-1][0])}</NextContinuationToken>")
    for name, stored in page:
        if stored is None:
            parts.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>")
            continue
        body = stored.body
        parts.append(
            f"<Contents><Key>{escape(name)}</Key><Generation>{body['generation']}</Generation>"
            f"<MetaGeneration>{body['metageneration']}</MetaGeneration><LastModified>{body['updated']}</LastModified>"
            f"<ETag>&quot;{body['etag'].rstrip('=')}&quot;</ETag><Size>{body['size']}</Size></Contents>"
        )
    return response(200, ("".join(parts) + "</ListBucketResult>").encode())

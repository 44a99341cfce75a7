"""Blobs: as much of the storage service as a store of files with conditional writes needs.

`/_blobs/SUBSCRIPTION/CONTAINER/NAME`; the first two parts of the path stand for the account's host. There are no
tables for this service, so it is ours alone: put, get, head, delete and list of block blobs, blocks and block lists,
copies inside of the account, `If-Match` and `If-None-Match`, ranges, pages. Any credentials are good, and calls are
logged and failed like Resource Manager's, as `blobs.put` and so on.
"""

import base64
import datetime
import email.utils
import hashlib
import itertools
import re
import time
import urllib.parse
import uuid
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from kinds import Answer

PREFIX = "/_blobs/"
_ETAGS = itertools.count(0x8DC000000000000)


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class Blob:
    def __init__(self, data, headers):
        self.data = data
        self.etag = f'"0x{next(_ETAGS):X}"'
        self.modified = datetime.datetime.now(datetime.timezone.utc)
        self.kind = headers.get("x-ms-blob-content-type", headers.get("content-type", "application/octet-stream"))
        self.meta = {name: value for name, value in headers.items() if name.startswith("x-ms-meta-")}

    def headers(self):
        return {
            "ETag": self.etag,
            "Last-Modified": email.utils.format_datetime(self.modified, usegmt=True),
            "Content-Type": self.kind,
            "x-ms-blob-type": "BlockBlob",
            "x-ms-creation-time": email.utils.format_datetime(self.modified, usegmt=True),
            "x-ms-lease-state": "available",
            "x-ms-lease-status": "unlocked",
            "Accept-Ranges": "bytes",
            **self.meta,
        }


def name_of(method, query, name):
    """What a call is called in the log: `blobs.put`."""
    if query.get("restype") == "container":
        if query.get("comp") == "list":
            return "blobs.list"
        if query.get("comp") == "batch":
            return "blobs.batch"
        return {"PUT": "containers.create", "DELETE": "containers.delete"}.get(method, "containers.get")
    if method == "PUT":
        return {"block": "blobs.putBlock", "blocklist": "blobs.putBlockList"}.get(query.get("comp"), "blobs.put")
    return {"GET": "blobs.get", "HEAD": "blobs.head", "DELETE": "blobs.delete"}.get(method, f"blobs.{method.lower()}")


def answer(sub, request):
    """Does one call."""
    _, container, name = (request.path[len(PREFIX) :].split("/", 2) + ["", ""])[:3]
    if not request.headers.get("authorization") and "sig" not in request.query:
        return failure(Refused(401, "NoAuthenticationInformation"))
    with sub.lock:
        try:
            if sub.faults.is_denied(request.name, request.name, request.token, request.path):
                raise Refused(403, "AuthorizationPermissionMismatch")
            if request.query.get("restype") == "container":
                return containers(sub, request, container)
            held = sub.containers.get(container)
            if held is None:
                raise Refused(404, "ContainerNotFound")
            run = {"PUT": put, "GET": get, "HEAD": get, "DELETE": delete}.get(request.method)
            if run is None:
                raise Refused(405, "UnsupportedHttpVerb")
            return run(sub, request, held, name)
        except Refused as refused:
            return failure(refused)


def failure(refused):
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{refused.code}</Code><Message>{refused.code}</Message></Error>'
    return Answer(refused.status, text.encode(), {"Content-Type": "application/xml", "x-ms-error-code": refused.code})


# ---------------------------------------------------------------- blobs


def conditions(request, blob, writing):
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted and (blob is None or wanted not in ("*", blob.etag)):
        raise Refused(412, "ConditionNotMet")
    if unwanted and blob is not None and unwanted in ("*", blob.etag):
        raise Refused(409, "BlobAlreadyExists") if writing and unwanted == "*" else Refused(412 if writing else 304, "ConditionNotMet")


def put(sub, request, held, name):
    blob = held.get(name)
    comp = request.query.get("comp")
    if comp == "block":
        sub.blocks[(id(held), name, request.query["blockid"])] = request.body
        return Answer(201, None, {"x-ms-request-server-encrypted": "true"})
    conditions(request, blob, writing=True)
    if comp == "blocklist":
        names = [it.text for it in ElementTree.fromstring(request.body)]
        try:
            data = b"".join(sub.blocks[(id(held), name, block)] for block in names)
        except KeyError:
            raise Refused(400, "InvalidBlockList") from None
    elif source := request.headers.get("x-ms-copy-source"):
        path = urllib.parse.unquote(urllib.parse.urlsplit(source).path)
        found = held.get(path[len(PREFIX) :].split("/", 2)[2])
        if found is None:
            raise Refused(404, "BlobNotFound")
        held[name] = Blob(found.data, request.headers)
        return Answer(202, None, {**made(held[name]), "x-ms-copy-id": str(uuid.uuid4()), "x-ms-copy-status": "success"})
    elif comp is None:
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            raise Refused(400, "MissingRequiredHeader")
        digest = request.headers.get("content-md5")
        if digest and digest != base64.b64encode(hashlib.md5(request.body).digest()).decode():
            raise Refused(400, "Md5Mismatch")
        data = request.body
    else:
        raise Refused(501, "NotImplemented")
    held[name] = Blob(data, request.headers)
    return Answer(201, None, made(held[name]))


def made(blob):
    return {"ETag": blob.etag, "Last-Modified": blob.headers()["Last-Modified"], "x-ms-request-server-encrypted": "true"}


def get(sub, request, held, name):
    blob = held.get(name)
    if blob is None:
        raise Refused(404, "BlobNotFound")
    conditions(request, blob, writing=False)
    headers, data, status = blob.headers(), blob.data, 200
    span = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("x-ms-range") or request.headers.get("range") or "")
    if span and request.method == "GET":
        first = int(span[1]) if span[1] else len(data) - int(span[2])
        last = min(int(span[2]), len(data) - 1) if span[1] and span[2] else len(data) - 1
        if first >= len(data):
            raise Refused(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        data, status = data[first : last + 1], 206
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(data))
        data = None
    return Answer(status, data, headers)


def delete(sub, request, held, name):
    blob = held.get(name)
    if blob is None:
        raise Refused(404, "BlobNotFound")
    conditions(request, blob, writing=True)
    del held[name]
    return Answer(202, None, {"x-ms-delete-type-permanent": "true"})


# ---------------------------------------------------------------- containers


def containers(sub, request, container):
    held = sub.containers.get(container)
    if request.query.get("comp") == "list":
        if held is None:
            raise Refused(404, "ContainerNotFound")
        return listing(sub, request, container, held)
    if request.query.get("comp") == "batch":
        if held is None:
            raise Refused(404, "ContainerNotFound")
        return batch(request, container, held)
    if request.method == "PUT":
        if held is not None:
            raise Refused(409, "ContainerAlreadyExists")
        if not re.fullmatch(r"[a-z0-9](-?[a-z0-9]){2,62}", container):
            raise Refused(400, "InvalidResourceName")
        sub.containers[container] = {}
        return Answer(201, None, {"ETag": '"0x1"', "Last-Modified": email.utils.formatdate(time.time(), usegmt=True)})
    if held is None:
        raise Refused(404, "ContainerNotFound")
    if request.method == "DELETE":
        del sub.containers[container]
        return Answer(202)
    return Answer(200, None, {"ETag": '"0x1"', "Last-Modified": email.utils.formatdate(time.time(), usegmt=True)})


def batch(request, container, held):
    """Deletes several blobs; each has an answer of its own inside of the answer."""
    parts = re.findall(rb"content-id:\s*(\d+).*?\r\n\r\n(\w+) (\S+) HTTP/1.1", request.body, re.I | re.S)
    boundary = f"batchresponse_{uuid.uuid4()}"
    text = ""
    for number, method, target in parts:
        path = urllib.parse.unquote(target.decode().partition("?")[0])
        # However much of the path the client takes for the account's part.
        name = path.partition(f"/{container}/")[2]
        if method != b"DELETE":
            raise Refused(400, "InvalidInput")
        found = held.pop(name, None) is not None
        status = "202 Accepted" if found else "404 The specified blob does not exist."
        code = "" if found else "x-ms-error-code: BlobNotFound\r\n"
        text += (
            f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: {int(number)}\r\n\r\nHTTP/1.1 {status}\r\n{code}"
            f"x-ms-request-id: {uuid.uuid4()}\r\nx-ms-version: 2023-11-03\r\n\r\n"
        )
    return Answer(202, f"{text}--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def listing(sub, request, container, held):
    query = request.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    entries = {}
    for name in sorted(held):
        if not name.startswith(prefix):
            continue
        rest, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        key = prefix + rest + cut if cut else name
        entries.setdefault(key, None if cut else held[name])
    names = sorted(entries)
    marker = query.get("marker", "")
    names = [name for name in names if name >= marker]
    size = min(int(query.get("maxresults") or 5000), max(1, sub.settings.page_size))
    page, more = names[:size], names[size : size + 1]
    text = "".join(_entry(name, entries[name]) for name in page)
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{container}"><Prefix>{escape(prefix)}</Prefix>'
        f"<Blobs>{text}</Blobs><NextMarker>{escape(more[0]) if more else ''}</NextMarker></EnumerationResults>"
    )
    return Answer(200, body.encode(), {"Content-Type": "application/xml"})


def _entry(name, blob):
    if blob is None:
        return f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>"
    headers = blob.headers()
    etag = blob.etag.strip('"')
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties><Creation-Time>{headers['x-ms-creation-time']}</Creation-Time>"
        f"<Last-Modified>{headers['Last-Modified']}</Last-Modified><Etag>{etag}</Etag>"
        f"<Content-Length>{len(blob.data)}</Content-Length><Content-Type>{escape(blob.kind)}</Content-Type>"
        "<BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties></Blob>"
    )

"""Signature Version 4, checked as AWS checks it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
# How far a machine's clock may be off.
SKEW_SECONDS = 900


def wrong(environ, body, secret, token):
    """What is wrong with a request's signature, as (code, message); nothing if it is right."""
    found = AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    if not found:
        return "IncompleteSignature", "the Authorization header is not one of Signature Version 4"
    stamp = environ.get("HTTP_X_AMZ_DATE", "")
    try:
        signed_at = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return "IncompleteSignature", "x-amz-date is missing or no time"
    if abs(time.time() - signed_at) > SKEW_SECONDS:
        return "RequestTimeTooSkewed", "the difference between the request time and the current time is too large"
    if not hmac.compare_digest(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""), token):
        return "InvalidToken", "the provided token is malformed or otherwise invalid"
    digest = hashlib.sha256(body).hexdigest()
    told = environ.get("HTTP_X_AMZ_CONTENT_SHA256", digest)
    if re.fullmatch("[0-9a-f]{64}", told) and told != digest:
        return "XAmzContentSHA256Mismatch", "the body is not the one whose hash was signed"
    names = found["headers"].split(";")
    sent = {key[5:].lower().replace("_", "-") for key in environ if key.startswith("HTTP_X_AMZ_")}
    if unsigned := {"host", *sent} - set(names):
        return "AccessDenied", f"there were headers present in the request which were not signed: {sorted(unsigned)}"
    canonical = "\n".join(
        [
            environ["REQUEST_METHOD"],
            environ["RAW_URI"].partition("?")[0],
            canonical_query(environ["RAW_URI"].partition("?")[2]),
            *(f"{name}:{' '.join(header(environ, name).split())}" for name in names),
            "",
            found["headers"],
            told,
        ]
    )
    scope = f"{found['day']}/{found['region']}/{found['service']}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (found["day"], found["region"], found["service"], "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), found["signature"]):
        return "SignatureDoesNotMatch", "the request signature does not match the signature that was provided"
    return None


def header(environ, name):
    key = name.upper().replace("-", "_")
    return environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")


def canonical_query(query):
    pairs = [part.partition("=") for part in query.split("&") if part]
    quoted = sorted(
        (
            urllib.parse.quote(urllib.parse.unquote(name), safe="-_.~"),
            urllib.parse.quote(urllib.parse.unquote(value), safe="-_.~"),
        )
        for name, _, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in quoted)

"""Calls EC2 with the machine's own identity: ec2.py REGION ACTION [NAME=VALUE ...]. Prints the answer; the exit status is 0
for a success and 22 for an error, as curl's."""

import datetime, hashlib, hmac, json, sys, urllib.error, urllib.parse, urllib.request

METADATA = "http://169.254.169.254/latest"


def fetch(url, **settings):
    return urllib.request.urlopen(urllib.request.Request(url, **settings), timeout=5).read().decode()


token = fetch(f"{METADATA}/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
session = {"X-aws-ec2-metadata-token": token}
place = f"{METADATA}/meta-data/iam/security-credentials/"
credentials = json.loads(fetch(place + fetch(place, headers=session), headers=session))

region, action, *parameters = sys.argv[1:]
body = urllib.parse.urlencode([("Action", action), ("Version", "2016-11-15"), *(it.split("=", 1) for it in parameters)])
host, stamp = f"ec2.{region}.amazonaws.com", datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
headers = {"host": host, "x-amz-date": stamp, "x-amz-security-token": credentials["Token"]}
lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
names = ";".join(headers)
request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body.encode()).hexdigest()}"
scope = f"{stamp[:8]}/{region}/ec2/aws4_request"
key = f"AWS4{credentials['SecretAccessKey']}".encode()
for part in scope.split("/"):
    key = hmac.digest(key, part.encode(), "sha256")
text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
signature = hmac.digest(key, text.encode(), "sha256").hex()
headers["Authorization"] = (
    f"AWS4-HMAC-SHA256 Credential={credentials['AccessKeyId']}/{scope}, SignedHeaders={names}, Signature={signature}"
)
try:
    print(fetch(f"https://{host}/", data=body.encode(), headers=headers))
except urllib.error.HTTPError as error:
    print(error.read().decode())
    sys.exit(22)

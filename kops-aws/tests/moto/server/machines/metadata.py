"""The instance metadata service, at 169.254.169.254 of the lab's router: who asks is told by the address.

Version 2, and version 1 where the instance's options allow it. The answer to the call for a session's token has the
instance's hop limit as its time to live, as on EC2: it does not get past the machine into a container.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
"""

import base64
import http.server
import json
import secrets
import socket
import threading
import time

from . import namespace

ADDRESS = "169.254.169.254"
LONGEST_SESSION_SECONDS = 21_600
VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "2024-01-01", "latest")


class Server(http.server.ThreadingHTTPServer):
    """The service; `site.instance_at(address)` gives an `Instance` or nothing, under the harness's lock."""

    def __init__(self, site):
        self.site = site
        # (address of the machine, token) -> end
        self.sessions = {}
        super().__init__((ADDRESS, 80), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = namespace.listen(site.lab.namespace, ADDRESS, 80)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Machines die in the middle of a call."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_):
        pass

    def do_PUT(self):
        instance = self.instance()
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if instance is None or self.path != "/latest/api/token":
            return self.answer(404)
        if not ttl.isdigit() or not 1 <= int(ttl) <= LONGEST_SESSION_SECONDS:
            return self.answer(400)
        token = secrets.token_urlsafe(40)
        self.server.sessions[self.client_address[0], token] = time.monotonic() + int(ttl)
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, instance.hop_limit)
        return self.answer(200, token, {"X-aws-ec2-metadata-token-ttl-seconds": ttl})

    def do_GET(self):
        instance = self.instance()
        if instance is None:
            return self.answer(404)
        token = self.headers.get("X-aws-ec2-metadata-token")
        if token is None and instance.tokens_required:
            return self.answer(401)
        if token is not None and self.server.sessions.get((self.client_address[0], token), 0) < time.monotonic():
            return self.answer(401)
        version, _, rest = self.path.split("?")[0].strip("/").partition("/")
        if not version:
            return self.answer(200, "\n".join(VERSIONS))
        found = find(instance.tree, rest) if version in VERSIONS else None
        return self.answer(404) if found is None else self.answer(200, found)

    def instance(self):
        with self.server.site.harness.working:
            return self.server.site.instance_at(self.client_address[0])

    def answer(self, status, body="", headers=None):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", "Server": "EC2ws", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def find(tree, path):
    """A leaf of the tree, or what a directory lists: names of directories end in a slash."""
    for part in filter(None, path.split("/")):
        if not isinstance(tree, dict) or part not in tree:
            return None
        tree = tree[part]
    if isinstance(tree, dict):
        return "\n".join(f"{name}/" if isinstance(it, dict) else name for name, it in tree.items())
    return tree


class Instance:
    """What an instance is told about itself. Made anew for each call, so it is what moto says now."""

    def __init__(self, machine, template, profile, credential):
        self.machine = machine
        options = template.get("MetadataOptions") or {}
        of_instance = machine.metadata_options
        self.tokens_required = options.get("HttpTokens", of_instance.http_tokens) == "required"
        self.hop_limit = int(options.get("HttpPutResponseHopLimit") or of_instance.http_put_response_hop_limit)
        self.shows_tags = options.get("InstanceMetadataTags", of_instance.instance_metadata_tags) == "enabled"
        self.profile = profile
        self.credential = credential

        self.tree = self.make_tree()

    def make_tree(self):
        machine, nic = self.machine, self.machine.nics[0]
        zone = machine.placement.zone
        region = machine.region_name
        # Of no use to anybody here but cloud-init, which asks for it.
        mac = nic.mac_address
        data = {
            "ami-id": machine.image_id,
            "ami-launch-index": str(machine.ami_launch_index),
            "hostname": machine.private_dns_name,
            "instance-action": "none",
            "instance-id": machine.id,
            "instance-life-cycle": "spot" if machine.lifecycle == "spot" else "on-demand",
            "instance-type": machine.instance_type,
            "local-hostname": machine.private_dns_name,
            "local-ipv4": machine.private_ip,
            "mac": mac,
            "network": {
                "interfaces": {
                    "macs": {
                        mac: {
                            "device-number": "0",
                            "interface-id": nic.id,
                            "local-ipv4s": machine.private_ip,
                            "mac": mac,
                            "subnet-id": machine.subnet_id,
                            "vpc-id": machine.vpc_id,
                        }
                    }
                }
            },
            "placement": {"availability-zone": zone, "region": region},
            "reservation-id": "r-0",
            "security-groups": "\n".join(group.name for group in machine.security_groups),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
        }
        if self.credential is not None:
            data["iam"] = {
                "info": json.dumps(
                    {
                        "Code": "Success",
                        "InstanceProfileArn": self.profile.arn,
                        "InstanceProfileId": self.profile.id,
                    }
                ),
                "security-credentials": {self.credential.role: self.credential.document()},
            }
        if self.shows_tags:
            data["tags"] = {"instance": {tag["key"]: tag["value"] for tag in machine.get_tags()}}
        tree = {
            "meta-data": data,
            "dynamic": {
                "instance-identity": {
                    "document": json.dumps(
                        {
                            "accountId": machine.owner_id,
                            "architecture": machine.architecture,
                            "availabilityZone": zone,
                            "imageId": machine.image_id,
                            "instanceId": machine.id,
                            "instanceType": machine.instance_type,
                            "privateIp": machine.private_ip,
                            "region": region,
                            "version": "2017-09-30",
                        }
                    )
                }
            },
        }
        if machine.user_data is not None:
            tree["user-data"] = user_data(self.machine)
        return tree


def user_data(machine):
    """The bytes of an instance's user data."""
    return base64.b64decode(str(machine.user_data)) if machine.user_data is not None else b""

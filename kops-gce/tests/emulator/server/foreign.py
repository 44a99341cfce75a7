"""Objects that a cluster does not own, of every kind it would make: they must survive whatever is done to it.

Two sets: `plain` belongs to nobody and carries no labels of ours; the other belongs to a *sibling* cluster whose
name begins with the cluster's own (`ha.example.com` and `ha.example.com.au`), named and labelled the way kOps does
it, so that a filter by prefix alone would take it for the cluster's.
"""

REGION = "europe-west1"
ZONE = "europe-west1-b"
IMAGE = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"


def seed(call, project, cluster):
    """Makes both sets beside `cluster`; `call(method, parameters, body)` makes one call."""
    make(call, project, "plain", "10.201", {})
    sibling = f"{cluster}.au"
    make(call, project, sibling.replace(".", "-"), "10.202", {"k8s-io-cluster-name": sibling.replace(".", "-")})


def make(call, project, owner, block, labels):
    def named(prefix):
        # 63 characters are all that most names may have; kOps puts the cluster's name last.
        return f"{prefix}-{owner}"[:63].rstrip("-")

    path = f"projects/{project.name}"
    region, zone = {"region": REGION}, {"zone": ZONE}
    description = "somebody else's"
    network = f"{path}/global/networks/{owner[:63]}"
    subnetwork = f"{path}/regions/{REGION}/subnetworks/{named('subnet')}"

    call(
        "compute.networks.insert", {}, {"name": owner[:63], "autoCreateSubnetworks": False, "description": description}
    )
    call("compute.subnetworks.insert", region, {
        "name": named("subnet"), "network": network, "ipCidrRange": f"{block}.0.0/20",
        "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": f"{block}.128.0/17"}],
    })  # fmt: skip
    call("compute.firewalls.insert", {}, {
        "name": named("node-to-node"), "network": network, "description": description, "allowed": [{"IPProtocol": "tcp"}],
        "sourceTags": [named("nodes")], "targetTags": [named("nodes")],
    })  # fmt: skip
    call("compute.routes.insert", {}, {
        "name": named("route"), "network": network, "destRange": "100.96.0.0/24", "priority": 1000,
        "nextHopGateway": f"{path}/global/gateways/default-internet-gateway",
    })  # fmt: skip
    call("compute.routers.insert", region, {
        "name": named("nat"), "network": network,
        "nats": [{
            "name": named("nat"), "natIpAllocateOption": "AUTO_ONLY",
            "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        }],
    })  # fmt: skip
    call("compute.addresses.insert", region, {"name": named("api"), "description": description})
    call("compute.globalAddresses.insert", {}, {"name": named("front")})
    call("compute.disks.insert", zone, {
        "name": named("a-etcd-main"), "sizeGb": "20", "type": f"{path}/zones/{ZONE}/diskTypes/pd-ssd",
        "labels": {**labels, "k8s-io-etcd-main": "a-2fa"} if labels else {},
    })  # fmt: skip
    account = f"node-{owner}"[:30].rstrip("-")
    email = f"{account}@{project.name}.iam.gserviceaccount.com"
    call(
        "iam.projects.serviceAccounts.create",
        {"name": path},
        {"accountId": account, "serviceAccount": {"description": description}},
    )
    call("compute.instanceTemplates.insert", {}, {"name": named("nodes"), "properties": {
        "machineType": "e2-medium",
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": IMAGE, "diskType": "pd-balanced"}}],
        "networkInterfaces": [{"subnetwork": subnetwork}],
        "serviceAccounts": [{"email": email, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}],
        "tags": {"items": [named("nodes")]},
        "labels": labels,
        "metadata": {"items": [{"key": "cluster-name", "value": owner}]},
    }})  # fmt: skip
    call("compute.httpHealthChecks.insert", {}, {"name": named("api"), "port": 3990})
    call("compute.targetPools.insert", region, {
        "name": named("api"), "healthChecks": [f"{path}/global/httpHealthChecks/{named('api')}"],
    })  # fmt: skip
    call("compute.instanceGroupManagers.insert", zone, {
        "name": named("nodes"), "baseInstanceName": "nodes", "targetSize": 1,
        "instanceTemplate": f"{path}/global/instanceTemplates/{named('nodes')}",
        "targetPools": [f"{path}/regions/{REGION}/targetPools/{named('api')}"],
    })  # fmt: skip
    call("compute.instances.insert", zone, {
        "name": named("bastion"), "machineType": f"zones/{ZONE}/machineTypes/e2-small", "labels": labels,
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": IMAGE}}],
        "networkInterfaces": [{"subnetwork": subnetwork}],
    })  # fmt: skip
    call("compute.instanceGroups.insert", zone, {"name": named("bastions")})
    call("compute.healthChecks.insert", {}, {"name": named("front"), "type": "TCP", "tcpHealthCheck": {"port": 443}})
    call(
        "compute.regionHealthChecks.insert",
        region,
        {"name": named("api"), "type": "TCP", "tcpHealthCheck": {"port": 443}},
    )
    call("compute.backendServices.insert", {}, {
        "name": named("front"), "protocol": "TCP", "healthChecks": [f"{path}/global/healthChecks/{named('front')}"],
    })  # fmt: skip
    call("compute.targetTcpProxies.insert", {}, {
        "name": named("front"), "service": f"{path}/global/backendServices/{named('front')}",
    })  # fmt: skip
    call("compute.globalForwardingRules.insert", {}, {
        "name": named("front"), "IPProtocol": "TCP", "portRange": "443", "labels": labels,
        "target": f"{path}/global/targetTcpProxies/{named('front')}", "IPAddress": f"{path}/global/addresses/{named('front')}",
    })  # fmt: skip
    call("compute.regionBackendServices.insert", region, {
        "name": named("api"), "loadBalancingScheme": "INTERNAL", "protocol": "TCP",
        "healthChecks": [f"{path}/regions/{REGION}/healthChecks/{named('api')}"],
        "backends": [{"group": f"https://www.googleapis.com/compute/v1/{path}/zones/{ZONE}/instanceGroups/{named('nodes')}"}],
    })  # fmt: skip
    call("compute.forwardingRules.insert", region, {
        "name": named("api"), "loadBalancingScheme": "INTERNAL", "IPProtocol": "TCP", "ports": ["443"], "labels": labels,
        "backendService": f"{path}/regions/{REGION}/backendServices/{named('api')}",
        "network": network, "subnetwork": subnetwork,
    })  # fmt: skip
    call("compute.forwardingRules.insert", region, {
        "name": named("public"), "IPProtocol": "TCP", "portRange": "443", "labels": labels,
        "target": f"{path}/regions/{REGION}/targetPools/{named('api')}",
        "IPAddress": f"{path}/regions/{REGION}/addresses/{named('api')}",
    })  # fmt: skip

    policy = call("cloudresourcemanager.projects.getIamPolicy", {"resource": project.name}, {})
    policy.setdefault("bindings", []).append({"role": "roles/compute.viewer", "members": [f"serviceAccount:{email}"]})
    call("cloudresourcemanager.projects.setIamPolicy", {"resource": project.name}, {"policy": policy})

    zone_name = owner[:63].rstrip("-")
    call("dns.managedZones.create", {}, {"name": zone_name, "dnsName": f"{owner}.test.", "description": description})
    call("dns.managedZones.create", {}, {
        "name": named("internal"), "dnsName": f"{owner}.internal.", "description": "", "visibility": "private",
        "privateVisibilityConfig": {"networks": [{"networkUrl": f"https://www.googleapis.com/compute/v1/{network}"}]},
    })  # fmt: skip
    call("dns.resourceRecordSets.create", {"managedZone": zone_name}, {
        "name": f"api.{owner}.test.", "type": "A", "ttl": 60, "rrdatas": ["192.0.2.1"],
    })  # fmt: skip
    bucket = f"{project.name}-{owner}"[:63].rstrip("-")
    call("storage.buckets.insert", {}, {"name": bucket, "location": "EUROPE-WEST1"})
    call("storage.objects.insert", {"bucket": bucket, "name": "somebody/else"}, None, "content")

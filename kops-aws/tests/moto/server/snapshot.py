"""Everything an account holds, object for object: `{kind: {name: description}}`.

Read through boto3 against the emulator itself, so it says what any other client would see, and shares no code
with what is being tested. Descriptions are whole: comparing two snapshots finds a changed attribute of an
object that nobody should have touched. Only what moves by itself is left out (`VOLATILE`).
"""

VOLATILE = {
    "ResponseMetadata",
    # A load balancer becomes active, an instance starts, an address is looked at.
    "State",
    "StateTransitionReason",
    "Status",
    "LastUsedDate",
    "RoleLastUsed",
    # Counts down as instances come and go.
    "AvailableIpAddressCount",
}


def take(clients):
    """`clients(service)` is a boto3 client of the account."""
    objects = {}

    def add(kind, name, description):
        objects.setdefault(kind, {})[name] = _plain(description)

    _compute(clients("ec2"), add)
    _groups(clients("autoscaling"), add)
    _load_balancers(clients("elbv2"), add)
    _classic_load_balancers(clients("elb"), add)
    _identities(clients("iam"), add)
    _zones(clients("route53"), add)
    _buckets(clients("s3"), add)
    return objects


def _plain(value):
    """As JSON, without what moves by itself."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _all(client, call, key, **arguments):
    """All pages of a listing."""
    if client.can_paginate(call):
        for page in client.get_paginator(call).paginate(**arguments):
            yield from page.get(key) or []
    else:
        yield from getattr(client, call)(**arguments).get(key) or []


# Plain EC2 kinds: kind, call, key in the answer, name of an object.
EC2 = [
    ("vpc", "describe_vpcs", "Vpcs", "VpcId"),
    ("subnet", "describe_subnets", "Subnets", "SubnetId"),
    ("route-table", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("network-acl", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
    ("security-group", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("security-group-rule", "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
    ("internet-gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    (
        "egress-only-gateway",
        "describe_egress_only_internet_gateways",
        "EgressOnlyInternetGateways",
        "EgressOnlyInternetGatewayId",
    ),
    ("address", "describe_addresses", "Addresses", "AllocationId"),
    ("volume", "describe_volumes", "Volumes", "VolumeId"),
    ("dhcp-options", "describe_dhcp_options", "DhcpOptions", "DhcpOptionsId"),
    ("network-interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("key-pair", "describe_key_pairs", "KeyPairs", "KeyName"),
    ("launch-template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"),
    ("vpc-endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("prefix-list", "describe_managed_prefix_lists", "PrefixLists", "PrefixListId"),
]


def _compute(ec2, add):
    for kind, call, key, name in EC2:
        for item in _all(ec2, call, key):
            # AWS's own prefix lists are in every account.
            if not (kind == "prefix-list" and item.get("OwnerId") == "AWS"):
                add(kind, item[name], item)
    for table in _all(ec2, "describe_route_tables", "RouteTables"):
        for route in table["Routes"]:
            target = (
                route.get("DestinationCidrBlock")
                or route.get("DestinationIpv6CidrBlock")
                or route.get("DestinationPrefixListId")
            )
            add("route", f"{table['RouteTableId']} {target}", route)
        for link in table["Associations"]:
            add("route-table-association", link["RouteTableAssociationId"], link)
    for gateway in _all(ec2, "describe_nat_gateways", "NatGateways"):
        # AWS goes on listing deleted gateways for about an hour.
        if gateway["State"] not in ("deleting", "deleted"):
            add("nat-gateway", gateway["NatGatewayId"], gateway)
    for reservation in _all(ec2, "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in ("shutting-down", "terminated"):
                add("instance", instance["InstanceId"], instance)
    for template in _all(ec2, "describe_launch_templates", "LaunchTemplates"):
        versions = _all(
            ec2,
            "describe_launch_template_versions",
            "LaunchTemplateVersions",
            LaunchTemplateId=template["LaunchTemplateId"],
        )
        for version in versions:
            add("launch-template-version", f"{template['LaunchTemplateName']} {version['VersionNumber']}", version)


def _groups(autoscaling, add):
    for group in _all(autoscaling, "describe_auto_scaling_groups", "AutoScalingGroups"):
        name = group["AutoScalingGroupName"]
        add("auto-scaling-group", name, group)
        hooks = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
        for hook in hooks:
            add("lifecycle-hook", f"{name} {hook['LifecycleHookName']}", hook)
    for configuration in _all(autoscaling, "describe_launch_configurations", "LaunchConfigurations"):
        add("launch-configuration", configuration["LaunchConfigurationName"], configuration)


def _load_balancers(elb, add):
    def tags(arn):
        return elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]

    for balancer in _all(elb, "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        add(
            "load-balancer",
            balancer["LoadBalancerName"],
            {**balancer, "Attributes": attributes, "Tags": tags(arn)},
        )
        for listener in _all(elb, "describe_listeners", "Listeners", LoadBalancerArn=arn):
            name = f"{balancer['LoadBalancerName']} {listener['Port']}"
            add("listener", name, {**listener, "Tags": tags(listener["ListenerArn"])})
    for group in _all(elb, "describe_target_groups", "TargetGroups"):
        arn = group["TargetGroupArn"]
        attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        targets = [health["Target"] for health in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]
        add(
            "target-group",
            group["TargetGroupName"],
            {**group, "Attributes": attributes, "Targets": targets, "Tags": tags(arn)},
        )


def _classic_load_balancers(elb, add):
    for balancer in _all(elb, "describe_load_balancers", "LoadBalancerDescriptions"):
        name = balancer["LoadBalancerName"]
        tags = elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]["Tags"]
        add("classic-load-balancer", name, {**balancer, "Tags": tags})


def _identities(iam, add):
    for role in _all(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        tags = iam.list_role_tags(RoleName=name)["Tags"]
        add("iam-role", name, {**role, "Tags": tags})
        for policy in _all(iam, "list_role_policies", "PolicyNames", RoleName=name):
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            add("iam-role-policy", f"{name} {policy}", document)
        for policy in _all(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name):
            add("iam-role-attachment", f"{name} {policy['PolicyArn']}", policy)
    for profile in _all(iam, "list_instance_profiles", "InstanceProfiles"):
        add("iam-instance-profile", profile["InstanceProfileName"], profile)
    for policy in _all(iam, "list_policies", "Policies", Scope="Local"):
        add("iam-policy", policy["Arn"], policy)
    for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        add("iam-oidc-provider", provider["Arn"], provider)


def _zones(route53, add):
    for zone in _all(route53, "list_hosted_zones", "HostedZones"):
        zone_id = zone["Id"].rsplit("/", 1)[-1]
        # The number of records changes with the records, which are listed on their own.
        add("hosted-zone", zone_id, {key: value for key, value in zone.items() if key != "ResourceRecordSetCount"})
        for record in _all(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]):
            name = " ".join(filter(None, [zone_id, record["Name"], record["Type"], record.get("SetIdentifier")]))
            add("dns-record", name, record)


def _buckets(s3, add):
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        add("bucket", name, bucket)
        for item in _all(s3, "list_objects_v2", "Contents", Bucket=name):
            add("s3-object", f"{name}/{item['Key']}", item)

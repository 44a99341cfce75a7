"""Objects that a cluster does not own, one of every kind it would make: they must survive whatever is done to it.

Two sets: `plain` belongs to nobody and carries no tags of ours; the other belongs to a *sibling* cluster whose
name begins with the cluster's own (`ha.example.com` and `ha.example.com.au`), tagged the way kOps tags, so that
a filter by prefix or by tag key alone would take it for the cluster's.
"""

import base64
import json

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeRegions", "Resource": "*"}]}
# The first of images.json.
IMAGE = "ami-0a1b2c3d4e5f60718"


def seed(clients, cluster, region):
    """Makes both sets beside `cluster`."""
    _make(clients, region, "plain", "10.201.0.0/16", [])
    sibling = f"{cluster}.au"
    _make(
        clients,
        region,
        sibling,
        "10.202.0.0/16",
        [
            {"Key": "KubernetesCluster", "Value": sibling},
            {"Key": f"kubernetes.io/cluster/{sibling}", "Value": "owned"},
        ],
    )


def _make(clients, region, owner, cidr, owner_tags):
    ec2, autoscaling, elb = clients("ec2"), clients("autoscaling"), clients("elbv2")
    iam, route53 = clients("iam"), clients("route53")
    zone = f"{region}a"
    # Names of load balancers and target groups take neither dots nor more than 32 characters.
    short = "other-" + owner.replace(".", "-")[:20].strip("-")

    def tags(*kinds, name=f"nodes.{owner}"):
        labels = [{"Key": "Name", "Value": name}, *owner_tags]
        return [{"ResourceType": kind, "Tags": labels} for kind in kinds]

    vpc = ec2.create_vpc(CidrBlock=cidr, TagSpecifications=tags("vpc", name=owner))["Vpc"]["VpcId"]
    options = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name", "Values": ["ec2.internal"]}],
        TagSpecifications=tags("dhcp-options"),
    )["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    subnet = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=cidr.replace(".0.0/16", ".0.0/20"),
        AvailabilityZone=zone,
        TagSpecifications=tags("subnet"),
    )["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=tags("internet-gateway"))
    gateway = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_egress_only_internet_gateway(VpcId=vpc, TagSpecifications=tags("egress-only-internet-gateway"))
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tags("route-table"))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(
        GroupName=f"nodes.{owner}", Description="other", VpcId=vpc, TagSpecifications=tags("security-group")
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}],
    )
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip"))["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, TagSpecifications=tags("natgateway"))
    ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip"))
    ec2.create_volume(AvailabilityZone=zone, Size=20, TagSpecifications=tags("volume", name=f"a.etcd-main.{owner}"))
    ec2.create_network_interface(SubnetId=subnet, TagSpecifications=tags("network-interface"))
    ec2.create_key_pair(KeyName=f"kubernetes.{owner}", TagSpecifications=tags("key-pair"))

    iam.create_role(RoleName=f"nodes.{owner}", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=owner_tags)
    iam.put_role_policy(RoleName=f"nodes.{owner}", PolicyName=f"nodes.{owner}", PolicyDocument=json.dumps(POLICY))
    iam.create_instance_profile(InstanceProfileName=f"nodes.{owner}", Tags=owner_tags)
    iam.add_role_to_instance_profile(InstanceProfileName=f"nodes.{owner}", RoleName=f"nodes.{owner}")

    balancer = elb.create_load_balancer(
        Name=short, Type="network", Scheme="internal", Subnets=[subnet], **_elb_tags(owner_tags)
    )["LoadBalancers"][0]["LoadBalancerArn"]
    targets = elb.create_target_group(Name=short, Protocol="TCP", Port=443, VpcId=vpc, **_elb_tags(owner_tags))
    targets = targets["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="TCP",
        Port=443,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}],
        **_elb_tags(owner_tags),
    )

    ec2.create_launch_template(
        LaunchTemplateName=f"nodes.{owner}",
        LaunchTemplateData={
            "ImageId": IMAGE,
            "InstanceType": "t3.medium",
            "UserData": base64.b64encode(b"#!/bin/sh").decode(),
            "SecurityGroupIds": [group],
        },
        TagSpecifications=tags("launch-template"),
    )
    ec2.run_instances(
        ImageId=IMAGE,
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=[group],
        TagSpecifications=tags("instance", "volume"),
    )
    name = f"nodes.{owner}"
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        TargetGroupARNs=[targets],
        Tags=[{**tag, "ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True} for tag in owner_tags],
    )
    autoscaling.put_lifecycle_hook(
        AutoScalingGroupName=name,
        LifecycleHookName="hook",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    )

    hosted = route53.create_hosted_zone(Name=f"{owner}.test", CallerReference=owner)["HostedZone"]["Id"]
    route53.change_resource_record_sets(
        HostedZoneId=hosted,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {
                        "Name": f"api.{owner}.test",
                        "Type": "A",
                        "TTL": 60,
                        "ResourceRecords": [{"Value": "192.0.2.1"}],
                    },
                }
            ]
        },
    )


def _elb_tags(tags):
    # ELB refuses an empty list of tags.
    return {"Tags": tags} if tags else {}

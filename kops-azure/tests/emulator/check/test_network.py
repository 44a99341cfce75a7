"""Groups, networks, security groups, routes, gateways, addresses, balancers."""

import pytest
from conftest import REGION

NET = "Microsoft.Network"


def test_group_and_network_live_and_die(azure):
    azure.group("Grp")
    again = azure.resources.resource_groups.get("gRP")
    assert again.name == "Grp" and again.location == REGION and again.properties.provisioning_state == "Succeeded"
    assert azure.resources.resource_groups.check_existence("grp")
    assert not azure.resources.resource_groups.check_existence("other")
    azure.resources.resource_groups.begin_delete("grp").result()
    assert list(azure.resources.resource_groups.list()) == []


def test_network_is_replaced_as_a_whole_but_keeps_subnets(azure):
    net = azure.net()
    assert net.provisioning_state == "Succeeded" and net.subnets[0].provisioning_state == "Succeeded"
    net = azure.network.virtual_networks.begin_create_or_update(
        "g", "net", {"location": REGION, "tags": {"a": "b"}, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    ).result()
    assert [it.name for it in net.subnets] == ["a"] and net.tags == {"a": "b"}
    azure.control("set", keep_subnets=False)
    net = azure.network.virtual_networks.begin_create_or_update(
        "g", "net", {"location": REGION, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    ).result()
    assert net.subnets == [] and not net.tags


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.0.0.128/25", "NetcfgSubnetRangesOverlap"),
        ("10.1.0.0/24", "NetcfgInvalidSubnet"),
        ("10.0.1.1/24", "InvalidCIDRNotation"),
        ("ten", "InvalidAddressPrefixFormat"),
    ],
)
def test_subnet_must_fit(azure, refused, prefix, code):
    azure.net()
    with refused(400, code):
        azure.network.subnets.begin_create_or_update("g", "net", "b", {"properties": {"addressPrefix": prefix}})


def test_references_must_be_there_and_block_deletion(azure, refused):
    azure.net()
    group = azure.network.network_security_groups.begin_create_or_update("g", "nsg", {"location": REGION}).result()
    table = azure.network.route_tables.begin_create_or_update("g", "routes", {"location": REGION}).result()
    with refused(400, "InvalidResourceReference"):
        azure.network.subnets.begin_create_or_update(
            "g", "net", "a", {"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group.id + "x"}}}
        )
    subnet = azure.network.subnets.begin_create_or_update(
        "g",
        "net",
        "a",
        {"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group.id.lower()}, "routeTable": {"id": table.id}}},
    ).result()
    # The canonical spelling comes back.
    assert subnet.network_security_group.id == group.id
    with refused(400, "InUseNetworkSecurityGroupCannotBeDeleted"):
        azure.network.network_security_groups.begin_delete("g", "nsg")
    with refused(400, "InUseRouteTableCannotBeDeleted"):
        azure.network.route_tables.begin_delete("g", "routes")
    assert azure.network.network_security_groups.get("g", "nsg").subnets[0].id == subnet.id
    azure.network.subnets.begin_delete("g", "net", "a").result()
    azure.network.network_security_groups.begin_delete("g", "nsg").result()
    azure.network.network_security_groups.begin_delete("g", "nsg").result()


def rule(priority, **more):
    return {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": priority,
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "443",
        **more,
    }


def test_security_rules(azure, refused):
    azure.group()
    asg = azure.network.application_security_groups.begin_create_or_update("g", "asg", {"location": REGION}).result()
    body = {"location": REGION, "properties": {"securityRules": [{"name": "one", "properties": rule(100)}]}}
    nsg = azure.network.network_security_groups.begin_create_or_update("g", "nsg", body).result()
    assert len(nsg.default_security_rules) == 6 and nsg.security_rules[0].etag
    with refused(400, "SecurityRuleConflict"):
        azure.network.security_rules.begin_create_or_update("g", "nsg", "two", {"properties": rule(100)})
    with refused(400, "SecurityRuleInvalidPriority"):
        azure.network.security_rules.begin_create_or_update("g", "nsg", "two", {"properties": rule(99)})
    with refused(400, "InvalidParameter"):
        azure.network.security_rules.begin_create_or_update("g", "nsg", "two", {"properties": rule(101, protocol="Sctp")})
    two = rule(101, sourceApplicationSecurityGroups=[{"id": asg.id}])
    del two["sourceAddressPrefix"]
    azure.network.security_rules.begin_create_or_update("g", "nsg", "two", {"properties": two}).result()
    with refused(400, "InUseApplicationSecurityGroupCannotBeDeleted"):
        azure.network.application_security_groups.begin_delete("g", "asg")
    assert [it.name for it in azure.network.security_rules.list("g", "nsg")] == ["one", "two"]
    azure.network.security_rules.begin_delete("g", "nsg", "two").result()
    azure.network.application_security_groups.begin_delete("g", "asg").result()
    # A PUT of the group replaces its rules.
    nsg = azure.network.network_security_groups.begin_create_or_update("g", "nsg", {"location": REGION}).result()
    assert nsg.security_rules == []


def address(azure, name="ip"):
    return azure.network.public_ip_addresses.begin_create_or_update(
        "g",
        name,
        {"location": REGION, "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}, "zones": ["1", "2", "3"]},
    ).result()


def test_nat_gateway_and_its_address(azure, refused):
    azure.net()
    ip = address(azure)
    assert ip.ip_address
    nat = azure.network.nat_gateways.begin_create_or_update(
        "g", "nat", {"location": REGION, "sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [{"id": ip.id}]}}
    ).result()
    with refused(400, "PublicIPAddressCannotBeDeleted"):
        azure.network.public_ip_addresses.begin_delete("g", "ip")
    azure.network.subnets.begin_create_or_update(
        "g", "net", "a", {"properties": {"addressPrefix": "10.0.0.0/24", "natGateway": {"id": nat.id}}}
    ).result()
    with refused(400, "CannotDeleteNatGatewayAssociatedToSubnet"):
        azure.network.nat_gateways.begin_delete("g", "nat")
    assert azure.network.public_ip_addresses.get("g", "ip").nat_gateway.id == nat.id
    azure.network.virtual_networks.begin_delete("g", "net").result()
    azure.network.nat_gateways.begin_delete("g", "nat").result()
    azure.network.public_ip_addresses.begin_delete("g", "ip").result()


def balancer(azure, frontend, **more):
    base = f"/subscriptions/{azure.sub}/resourceGroups/g/providers/{NET}/loadBalancers/lb"
    return azure.network.load_balancers.begin_create_or_update(
        "g",
        "lb",
        {
            "location": REGION,
            "sku": {"name": "Standard"},
            "properties": {
                "frontendIPConfigurations": [{"name": "front", "properties": frontend}],
                "backendAddressPools": [{"name": "pool"}],
                "probes": [{"name": "probe", "properties": {"protocol": "Tcp", "port": 443}}],
                "loadBalancingRules": [
                    {
                        "name": "api",
                        "properties": {
                            "protocol": "Tcp",
                            "frontendPort": 443,
                            "backendPort": 443,
                            "frontendIPConfiguration": {"id": f"{base}/frontendIPConfigurations/front"},
                            "backendAddressPool": {"id": f"{base}/backendAddressPools/pool"},
                            "probe": {"id": f"{base}/probes/probe"},
                            **more,
                        },
                    }
                ],
            },
        },
    )


def test_load_balancer(azure, refused):
    azure.net()
    ip = address(azure)
    made = balancer(azure, {"publicIPAddress": {"id": ip.id}}).result()
    assert made.load_balancing_rules[0].provisioning_state == "Succeeded"
    assert made.probes[0].load_balancing_rules[0].id == made.load_balancing_rules[0].id
    with refused(400, "PublicIPAddressCannotBeDeleted"):
        azure.network.public_ip_addresses.begin_delete("g", "ip")
    with refused(400, "InvalidResourceReference"):
        balancer(azure, {"publicIPAddress": {"id": ip.id}}, probe={"id": made.probes[0].id + "x"})
    inner = balancer(azure, {"subnet": {"id": azure.network.subnets.get("g", "net", "a").id}}).result()
    assert inner.frontend_ip_configurations[0].private_ip_address == "10.0.0.4"
    azure.network.public_ip_addresses.begin_delete("g", "ip").result()
    with refused(400, "InUseSubnetCannotBeDeleted"):
        azure.network.subnets.begin_delete("g", "net", "a")
    azure.network.load_balancers.begin_delete("g", "lb").result()
    azure.network.subnets.begin_delete("g", "net", "a").result()


def test_interfaces(azure, refused):
    azure.net()
    subnet = azure.network.subnets.get("g", "net", "a")

    def interface(name, **more):
        return azure.network.network_interfaces.begin_create_or_update(
            "g",
            name,
            {"location": REGION, "properties": {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet.id}, **more}}]}},
        )

    one, two = interface("one").result(), interface("two").result()
    assert [it.ip_configurations[0].private_ip_address for it in (one, two)] == ["10.0.0.4", "10.0.0.5"]
    assert interface("one").result().ip_configurations[0].private_ip_address == "10.0.0.4"
    with refused(400, "PrivateIPAddressIsAllocated"):
        interface("three", privateIPAllocationMethod="Static", privateIPAddress="10.0.0.5")
    with refused(400, "InUseSubnetCannotBeDeleted"):
        azure.network.virtual_networks.begin_delete("g", "net")


def test_resources_are_listed_by_tag(azure):
    azure.net()
    azure.network.network_security_groups.begin_create_or_update("g", "nsg", {"location": REGION, "tags": {"Cluster": "a"}}).result()
    found = [it.name for it in azure.resources.resources.list(filter="tagName eq 'cluster' and tagValue eq 'a'")]
    assert found == ["nsg"]
    found = [it.name for it in azure.resources.resources.list_by_resource_group("g", filter=f"resourceType eq '{NET}/virtualNetworks'")]
    assert found == ["net"]
    azure.network.network_security_groups.update_tags("g", "nsg", {"tags": {"x": "y"}})
    assert azure.network.network_security_groups.get("g", "nsg").tags == {"x": "y"}


def test_lists_have_pages(azure):
    azure.group()
    for index in range(7):
        azure.network.application_security_groups.begin_create_or_update("g", f"a{index}", {"location": REGION}).result()
    azure.control("set", page_size=3)
    azure.control("forget-calls")
    assert len(list(azure.network.application_security_groups.list("g"))) == 7
    assert azure.control("counts")["by_action"] == {"applicationSecurityGroups.list": 3}


def test_existence_by_head(azure):
    azure.net()
    path = f"/subscriptions/{azure.sub}/resourceGroups/g/providers/{NET}/virtualNetworks/net"
    assert azure.resources.resources.check_existence_by_id(path, "2024-03-01")
    assert azure.resources.resources.check_existence_by_id(path + "/subnets/a", "2024-03-01")
    assert not azure.resources.resources.check_existence_by_id(path + "/subnets/b", "2024-03-01")
    assert not azure.resources.resources.check_existence_by_id(path + "x", "2024-03-01")

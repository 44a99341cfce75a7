"""Scale sets of both orchestrations, machines, disks, images, sizes."""

import pytest
from conftest import KEY, REGION, scale_set_body


def ids(azure, name="s"):
    return [it.instance_id for it in azure.compute.virtual_machine_scale_set_vms.list("g", name)]


def test_uniform_set_makes_instances(azure):
    azure.net()
    made = azure.scale_set(zones=["1", "2", "3"], capacity=3).result()
    assert made.provisioning_state == "Succeeded" and made.sku.capacity == 3
    assert made.virtual_machine_profile.os_profile.custom_data is None
    found = list(azure.compute.virtual_machine_scale_set_vms.list("g", "s", expand="instanceView"))
    assert [it.instance_id for it in found] == ["0", "1", "2"]
    assert sorted(it.zones[0] for it in found) == ["1", "2", "3"]
    assert found[0].name == "s_0" and found[0].os_profile.computer_name == "node-000000"
    assert all(it.latest_model_applied and it.provisioning_state == "Succeeded" for it in found)
    assert [it.code for it in found[0].instance_view.statuses] == ["ProvisioningState/succeeded", "PowerState/running"]
    interfaces = list(azure.network.network_interfaces.list_virtual_machine_scale_set_network_interfaces("g", "s"))
    assert [it.ip_configurations[0].private_ip_address for it in interfaces] == ["10.0.0.4", "10.0.0.5", "10.0.0.6"]
    one = list(azure.network.network_interfaces.list_virtual_machine_scale_set_vm_network_interfaces("g", "s", "1"))
    assert one[0].virtual_machine.id == found[1].id
    assert len(list(azure.compute.disks.list())) == 3


def test_set_grows_and_shrinks(azure):
    azure.net()
    azure.scale_set(capacity=1).result()
    grown = azure.compute.virtual_machine_scale_sets.begin_update("g", "s", {"sku": {"capacity": 3}}).result()
    assert grown.sku.capacity == 3 and grown.sku.name == "Standard_D2s_v3" and ids(azure) == ["0", "1", "2"]
    vm = azure.compute.virtual_machine_scale_set_vms.get("g", "s", "2")
    azure.compute.virtual_machine_scale_set_vms.begin_update(
        "g", "s", "2", {"location": REGION, "properties": {"protectionPolicy": {"protectFromScaleIn": True}}}
    ).result()
    azure.scale_set(capacity=1).result()
    assert ids(azure) == ["2"] and vm.vm_id
    azure.compute.virtual_machine_scale_sets.begin_delete_instances("g", "s", {"instanceIds": ["2"]}).result()
    assert ids(azure) == [] and azure.compute.virtual_machine_scale_sets.get("g", "s").sku.capacity == 0
    assert list(azure.compute.disks.list()) == []


def test_manual_policy_leaves_instances_behind(azure, refused):
    azure.net()
    azure.scale_set().result()
    azure.scale_set(size="Standard_D4s_v3").result()
    latest = [it.latest_model_applied for it in azure.compute.virtual_machine_scale_set_vms.list("g", "s")]
    assert latest == [False, False]
    azure.compute.virtual_machine_scale_sets.begin_update_instances("g", "s", {"instanceIds": ["0"]}).result()
    found = list(azure.compute.virtual_machine_scale_set_vms.list("g", "s"))
    assert [it.latest_model_applied for it in found] == [True, False] and found[0].sku.name == "Standard_D4s_v3"
    with refused(400, "InvalidParameter"):
        azure.compute.virtual_machine_scale_sets.begin_update_instances("g", "s", {"instanceIds": ["9"]})
    # Nothing but the model counts: tags, capacity and the same custom data do not.
    azure.compute.virtual_machine_scale_sets.begin_update("g", "s", {"tags": {"a": "b"}}).result()
    azure.scale_set(size="Standard_D4s_v3", capacity=3).result()
    found = list(azure.compute.virtual_machine_scale_set_vms.list("g", "s"))
    assert [it.latest_model_applied for it in found] == [True, False, True]
    azure.scale_set(size="Standard_D4s_v3", capacity=3, policy="Automatic").result()
    assert all(it.latest_model_applied for it in azure.compute.virtual_machine_scale_set_vms.list("g", "s"))


def test_flexible_set_makes_machines(azure):
    azure.net()
    made = azure.scale_set(mode="Flexible").result()
    machines = list(azure.compute.virtual_machines.list("g", filter=f"'virtualMachineScaleSet/id' eq '{made.id}'"))
    assert len(machines) == 2 and all(it.name.startswith("s_") for it in machines)
    assert ids(azure) == [it.name for it in machines]
    assert len(list(azure.network.network_interfaces.list("g"))) == 2
    azure.compute.virtual_machines.begin_delete("g", machines[0].name).result()
    assert azure.compute.virtual_machine_scale_sets.get("g", "s").sku.capacity == 1
    azure.compute.virtual_machine_scale_sets.begin_delete("g", "s").result()
    assert list(azure.network.network_interfaces.list("g")) == [] and list(azure.compute.virtual_machines.list_all()) == []
    assert list(azure.compute.disks.list()) == []


def test_set_in_use_and_deleted(azure, refused):
    azure.net()
    azure.scale_set().result()
    with refused(400, "InUseSubnetCannotBeDeleted"):
        azure.network.subnets.begin_delete("g", "net", "a")
    azure.compute.virtual_machine_scale_sets.begin_delete("g", "s").result()
    azure.network.subnets.begin_delete("g", "net", "a").result()
    assert azure.control("snapshot").keys() == {"resourceGroups", "virtualNetworks"}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"size": "Standard_Nope"}, 400, "InvalidParameter"),
        ({"size": "Standard_D2ps_v5"}, 400, "BadRequest"),
        ({"zones": ["4"]}, 400, "InvalidAvailabilityZone"),
        ({"capacity": -1}, 400, "InvalidParameter"),
        ({"profile": {"priority": "Cheap"}}, 400, "InvalidParameter"),
        ({"profile": {"networkProfile": {}}}, 400, "InvalidParameter"),
        ({"identity": {"type": "UserAssigned"}}, 400, "InvalidIdentityValues"),
    ],
)
def test_wrong_sets_are_refused(azure, refused, change, status, code):
    azure.net()
    with refused(status, code):
        azure.scale_set(**change)
    with refused(404, "ResourceNotFound"):
        azure.compute.virtual_machine_scale_sets.get("g", "s")


def test_wrong_custom_data_and_image(azure, refused):
    azure.net()
    body = scale_set_body(azure.sub)
    body["properties"]["virtualMachineProfile"]["osProfile"]["customData"] = "#cloud-config"
    with refused(400, "InvalidParameter"):
        azure.compute.virtual_machine_scale_sets.begin_create_or_update("g", "s", body)
    body = scale_set_body(azure.sub)
    body["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]["sku"] = "servant"
    with refused(404, "PlatformImageNotFound"):
        azure.compute.virtual_machine_scale_sets.begin_create_or_update("g", "s", body)


def test_quota(azure, refused):
    azure.net()
    azure.control("set", core_limit=5)
    with refused(409, "OperationNotAllowed"):
        azure.scale_set(capacity=3)
    azure.scale_set(capacity=2).result()
    assert next(it for it in azure.compute.usage.list(REGION) if it.name.value == "cores").current_value == 4


def test_later_change_preempts_the_earlier(azure):
    azure.net()
    azure.control("set", lro={"virtualMachineScaleSets.*": 0.3})
    status, headers, _ = azure.raw(
        "PUT",
        "/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/s",
        scale_set_body(azure.sub),
        "2024-07-01",
    )
    assert status == 201
    azure.scale_set(capacity=3).result()
    _, _, operation = azure.raw("GET", headers["Azure-AsyncOperation"])
    assert operation["status"] == "Canceled" and operation["error"]["code"] == "OperationPreempted"
    assert ids(azure) == ["0", "1", "2"]


def disk(azure, name="d", **more):
    body = {"location": REGION, "zones": ["1"], "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 20, **more}}
    return azure.compute.disks.begin_create_or_update("g", name, body)


def test_disks(azure, refused):
    azure.net()
    made = disk(azure).result()
    assert made.disk_state == "Unattached" and made.provisioning_state == "Succeeded" and made.sku.name == "Standard_LRS"
    grown = azure.compute.disks.begin_update("g", "d", {"properties": {"diskSizeGB": 40}, "tags": {"a": "b"}}).result()
    assert grown.disk_size_gb == 40 and grown.tags == {"a": "b"}
    with refused(400, "InvalidParameter"):
        disk(azure)
    azure.scale_set(zones=["1"], capacity=1).result()
    attached = azure.compute.virtual_machine_scale_set_vms.begin_update(
        "g",
        "s",
        "0",
        {"location": REGION, "properties": {"storageProfile": {"dataDisks": [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": made.id}}]}}},
    ).result()
    assert attached.storage_profile.data_disks[0].name == "d"
    assert azure.compute.disks.get("g", "d").managed_by == attached.id
    with refused(409, "OperationNotAllowed"):
        azure.compute.disks.begin_delete("g", "d")
    azure.compute.virtual_machine_scale_sets.begin_delete("g", "s").result()
    # A disk of one's own outlives the machine.
    assert azure.compute.disks.get("g", "d").disk_state == "Unattached"
    azure.compute.disks.begin_delete("g", "d").result()


def test_machines(azure, refused):
    azure.net()
    subnet = azure.network.subnets.get("g", "net", "a").id
    nic = azure.network.network_interfaces.begin_create_or_update(
        "g", "nic", {"location": REGION, "properties": {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}}}]}}
    ).result()
    profile = scale_set_body(azure.sub)["properties"]["virtualMachineProfile"]
    system = {**profile["osProfile"], "computerName": "bastion"}
    del system["computerNamePrefix"]
    body = {
        "location": REGION,
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_B2s"},
            "osProfile": system,
            "storageProfile": profile["storageProfile"],
            "networkProfile": {"networkInterfaces": [{"id": nic.id, "properties": {"primary": True}}]},
        },
    }
    made = azure.compute.virtual_machines.begin_create_or_update("g", "vm", body).result()
    assert made.vm_id and made.provisioning_state == "Succeeded"
    with refused(400, "NicInUse"):
        azure.network.network_interfaces.begin_delete("g", "nic")
    azure.compute.virtual_machines.begin_deallocate("g", "vm").result()
    view = azure.compute.virtual_machines.instance_view("g", "vm")
    assert view.statuses[1].code == "PowerState/deallocated"
    azure.compute.virtual_machines.begin_delete("g", "vm").result()
    azure.network.network_interfaces.begin_delete("g", "nic").result()
    assert len(list(azure.compute.disks.list())) == 1


def test_catalogue(azure, refused):
    skus = list(azure.compute.resource_skus.list(filter="location eq 'westeurope'"))
    size = next(it for it in skus if it.name == "Standard_D2s_v3")
    assert size.location_info[0].zones == ["1", "2", "3"]
    assert {it.name: it.value for it in size.capabilities}["vCPUs"] == "2"
    versions = azure.compute.virtual_machine_images.list(REGION, "Canonical", "ubuntu-24_04-lts", "server", top=1, orderby="name desc")
    assert [it.name for it in versions] == ["24.04.202502210"]
    image = azure.compute.virtual_machine_images.get(REGION, "canonical", "ubuntu-24_04-lts", "server", "latest")
    assert image.architecture == "x64"
    with refused(404, "NotFound"):
        azure.compute.virtual_machine_images.list_skus(REGION, "Canonical", "nope")


def test_ssh_keys(azure, refused):
    azure.group()
    azure.compute.ssh_public_keys.create("g", "k", {"location": REGION, "properties": {"publicKey": KEY}})
    with refused(400, "InvalidParameter"):
        azure.compute.ssh_public_keys.create("g", "k", {"location": REGION, "properties": {"publicKey": "ssh-dss AAAA"}})
    assert [it.name for it in azure.compute.ssh_public_keys.list_by_subscription()] == ["k"]
    azure.compute.ssh_public_keys.delete("g", "k")


def pool_body(azure, pool=None, **more):
    body = scale_set_body(azure.sub, **more)
    address = body["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    if pool:
        address["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] = [{"id": pool}]
    return body


def test_balancer_in_use_by_a_set(azure, refused):
    net = azure.net()
    made = azure.network.load_balancers.begin_create_or_update(
        "g",
        "lb",
        {
            "location": REGION,
            "sku": {"name": "Standard"},
            "properties": {
                "frontendIPConfigurations": [{"name": "front", "properties": {"subnet": {"id": net.subnets[0].id}}}],
                "backendAddressPools": [{"name": "pool"}],
            },
        },
    ).result()
    pool = made.backend_address_pools[0].id
    sets = azure.compute.virtual_machine_scale_sets
    sets.begin_create_or_update("g", "s", pool_body(azure, pool)).result()
    members = azure.network.load_balancers.get("g", "lb").backend_address_pools[0].backend_ip_configurations
    assert len(members) == 2 and "/virtualMachineScaleSets/s/virtualMachines/0/" in members[0].id
    with refused(400, "LoadBalancerInUseByVirtualMachineScaleSet"):
        azure.network.load_balancers.begin_delete("g", "lb")
    sets.begin_create_or_update("g", "s", pool_body(azure)).result()
    # The model lets go of the pool, the instances only when they have the model.
    with refused(400, "LoadBalancerInUseByVirtualMachineScaleSet"):
        azure.network.load_balancers.begin_delete("g", "lb")
    sets.begin_update_instances("g", "s", {"instanceIds": ["*"]}).result()
    azure.network.load_balancers.begin_delete("g", "lb").result()


def test_failed_set(azure):
    azure.net()
    azure.control("fault", action="virtualMachineScaleSets.createOrUpdate", what="operation", code="AllocationFailed", times=1)
    with pytest.raises(Exception, match="AllocationFailed"):
        azure.scale_set().result()
    assert azure.compute.virtual_machine_scale_sets.get("g", "s").provisioning_state == "Failed"
    states = {it.provisioning_state for it in azure.compute.virtual_machine_scale_set_vms.list("g", "s")}
    assert states == {"Failed"}
    azure.scale_set().result()
    assert {it.provisioning_state for it in azure.compute.virtual_machine_scale_set_vms.list("g", "s")} == {"Succeeded"}


def test_full_subnet(azure):
    azure.net(addressPrefix="10.0.0.0/29")
    with pytest.raises(Exception, match="SubnetIsFull"):
        azure.scale_set(capacity=4).result()
    assert azure.compute.virtual_machine_scale_sets.get("g", "s").provisioning_state == "Failed"


def test_many_instances(azure):
    azure.net(addressPrefix="10.0.0.0/20")
    azure.scale_set(capacity=500, profile=None, zones=["1", "2", "3"]).result()
    assert len(ids(azure)) == 500
    interfaces = list(azure.network.network_interfaces.list_virtual_machine_scale_set_network_interfaces("g", "s"))
    assert len({it.ip_configurations[0].private_ip_address for it in interfaces}) == 500


def test_ids_in_odd_case(azure):
    azure.net()
    azure.scale_set().result()
    azure.control("set", odd_case=True)
    found = list(azure.compute.virtual_machine_scale_set_vms.list("g", "s"))
    assert "/resourceGroups/G/" in found[0].id
    azure.compute.virtual_machine_scale_sets.begin_delete_instances("G", "S", {"instanceIds": ["0"]}).result()
    assert ids(azure) == ["1"]

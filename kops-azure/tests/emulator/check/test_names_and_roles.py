"""DNS, identities, role assignments."""

import uuid

from conftest import REGION


def test_public_zone(azure, refused):
    azure.group()
    zone = azure.dns.zones.create_or_update("g", "example.com", {"location": "global"})
    assert len(zone.name_servers) == 4 and zone.number_of_record_sets == 2
    with refused(412, "PreconditionFailed"):
        azure.dns.zones.create_or_update("g", "example.com", {"location": "global"}, if_none_match="*")
    body = {"properties": {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}]}}
    record = azure.dns.record_sets.create_or_update("g", "example.com", "api", "A", body)
    assert record.fqdn == "api.example.com." and record.type == "Microsoft.Network/dnszones/A"
    with refused(412, "PreconditionFailed"):
        azure.dns.record_sets.create_or_update("g", "example.com", "api", "A", body, if_match=str(uuid.uuid4()))
    with refused(412, "PreconditionFailed"):
        azure.dns.record_sets.create_or_update("g", "example.com", "api", "A", body, if_none_match="*")
    again = azure.dns.record_sets.create_or_update("g", "example.com", "api", "A", body, if_match=record.etag)
    assert again.etag != record.etag
    with refused(409, "Conflict"):
        azure.dns.record_sets.create_or_update(
            "g", "example.com", "api", "CNAME", {"properties": {"TTL": 60, "CNAMERecord": {"cname": "other"}}}
        )
    with refused(400, "BadRequest"):
        azure.dns.record_sets.create_or_update("g", "example.com", "x", "A", {"properties": {"TTL": 60, "ARecords": [{"ipv4Address": "x"}]}})
    assert [it.name for it in azure.dns.record_sets.list_by_type("g", "example.com", "A")] == ["api"]
    assert len(list(azure.dns.record_sets.list_by_dns_zone("g", "example.com"))) == 3
    azure.dns.record_sets.delete("g", "example.com", "api", "A")
    with refused(404, "NotFound"):
        azure.dns.record_sets.get("g", "example.com", "api", "A")
    azure.dns.zones.begin_delete("g", "example.com").result()
    assert list(azure.dns.zones.list()) == []


def test_private_zone(azure, refused):
    net = azure.net()
    zone = azure.private_dns.private_zones.begin_create_or_update("g", "k8s.internal", {"location": "global"}).result()
    assert zone.provisioning_state == "Succeeded" and zone.number_of_record_sets == 1
    link = azure.private_dns.virtual_network_links.begin_create_or_update(
        "g",
        "k8s.internal",
        "link",
        {"location": "global", "properties": {"virtualNetwork": {"id": net.id}, "registrationEnabled": False}},
    ).result()
    assert link.virtual_network_link_state == "Completed"
    with refused(409, "CannotDeleteResource"):
        azure.private_dns.private_zones.begin_delete("g", "k8s.internal")
    record = azure.private_dns.record_sets.create_or_update(
        "g", "k8s.internal", "A", "api", {"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.0.0.4"}]}}
    )
    assert record.a_records[0].ipv4_address == "10.0.0.4"
    assert len(list(azure.private_dns.record_sets.list("g", "k8s.internal"))) == 2
    azure.private_dns.virtual_network_links.begin_delete("g", "k8s.internal", "link").result()
    azure.private_dns.private_zones.begin_delete("g", "k8s.internal").result()


def role(azure, name):
    scope = f"/subscriptions/{azure.sub}"
    found = list(azure.authorization.role_definitions.list(scope, filter=f"roleName eq '{name}'"))
    assert len(found) == 1
    return found[0].id


def test_identity_and_roles(azure, refused):
    azure.group()
    identity = azure.msi.user_assigned_identities.create_or_update("g", "nodes", {"location": REGION})
    assert identity.principal_id and identity.client_id
    scope = f"/subscriptions/{azure.sub}/resourceGroups/g"
    reader = role(azure, "Reader")

    def assign(name, principal=identity.principal_id, **more):
        return azure.authorization.role_assignments.create(
            scope, name, {"properties": {"roleDefinitionId": reader, "principalId": principal, **more}}
        )

    with refused(400, "PrincipalNotFound"):
        assign(str(uuid.uuid4()), str(uuid.uuid4()))
    with refused(400, "InvalidRoleAssignmentId"):
        assign("no-guid")
    name = str(uuid.uuid4())
    made = assign(name, principalType="ServicePrincipal")
    assert made.scope == scope and assign(name).id == made.id
    with refused(409, "RoleAssignmentExists"):
        assign(str(uuid.uuid4()))
    other = azure.msi.user_assigned_identities.create_or_update("g", "other", {"location": REGION})
    with refused(400, "RoleAssignmentUpdateNotPermitted"):
        assign(name, other.principal_id)
    found = list(azure.authorization.role_assignments.list_for_scope(scope, filter=f"principalId eq '{identity.principal_id}'"))
    assert [it.name for it in found] == [name]
    assert len(list(azure.authorization.role_assignments.list_for_subscription())) == 1
    azure.authorization.role_assignments.delete(scope, name)
    assert azure.authorization.role_assignments.delete(scope, name) is None
    azure.msi.user_assigned_identities.delete("g", "nodes")


def test_new_principals_are_unknown_for_a_while(azure, refused):
    azure.group()
    azure.control("set", principal_lag=60)
    identity = azure.msi.user_assigned_identities.create_or_update("g", "nodes", {"location": REGION})
    scope = f"/subscriptions/{azure.sub}/resourceGroups/g"
    body = {"properties": {"roleDefinitionId": role(azure, "Reader"), "principalId": identity.principal_id}}
    with refused(400, "PrincipalNotFound"):
        azure.authorization.role_assignments.create(scope, str(uuid.uuid4()), body)
    body["properties"]["principalType"] = "ServicePrincipal"
    azure.authorization.role_assignments.create(scope, str(uuid.uuid4()), body)


def test_scale_set_with_identities(azure, refused):
    azure.net()
    identity = azure.msi.user_assigned_identities.create_or_update("g", "nodes", {"location": REGION})
    made = azure.scale_set(identity={"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity.id.lower(): {}}}).result()
    assert list(made.identity.user_assigned_identities) == [identity.id] and made.identity.principal_id
    with refused(400, "FailedIdentityOperation"):
        azure.scale_set(identity={"type": "UserAssigned", "userAssignedIdentities": {identity.id + "x": {}}})
    scope = f"/subscriptions/{azure.sub}/resourceGroups/g"
    azure.authorization.role_assignments.create(
        scope, str(uuid.uuid4()), {"properties": {"roleDefinitionId": role(azure, "Contributor"), "principalId": made.identity.principal_id}}
    )
    azure.resources.resource_groups.begin_delete("g").result()
    assert azure.control("snapshot") == {}

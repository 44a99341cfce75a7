"""Managed identities, and the directory's objects that they make."""

import time

from errors import ArmError
from kinds import Kind, kind

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


@kind
class UserAssigned(Kind):
    type = IDENTITY
    put_long = False
    delete_long = False
    has_state = False
    name_pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$"

    def prepare(self, ctx, resource, body, old):
        if old:
            body["properties"] = old["properties"]
            return
        body["properties"] = {
            "tenantId": ctx.sub.tenant,
            "principalId": ctx.sub.new_guid(resource.id, "principal"),
            "clientId": ctx.sub.new_guid(resource.id, "client"),
        }
        born(ctx.sub, body["properties"]["principalId"])

    def deleted(self, sub, resource):
        # Role assignments of a principal that is gone stay, as in Azure.
        sub.principals.pop(resource.properties["principalId"], None)


def born(sub, principal):
    sub.principals[principal.lower()] = {"born": time.monotonic(), "kind": "ServicePrincipal"}


def prepare_identity(ctx, resource, body, old):
    """The `identity` of a machine or scale set: names the system's own, checks the user's."""
    identity = body.get("identity")
    before = (old or {}).get("identity", {})
    kind = (identity or {}).get("type", "None")
    if "SystemAssigned" in kind:
        identity["principalId"] = before.get("principalId") or ctx.sub.new_guid(resource.id, "system")
        identity["tenantId"] = ctx.sub.tenant
    if identity is None:
        return
    given = identity.get("userAssignedIdentities") or {}
    if ("UserAssigned" in kind) != bool(given):
        raise ArmError(
            400,
            "InvalidIdentityValues" if kind != "None" else "InvalidUserAssignedIdentities",
            f"The identity of '{resource.name}' has the type '{kind}' and {len(given)} user assigned identities.",
        )
    known = {}
    for name in given:
        found = ctx.sub.find(name)
        if found is None or found.type != IDENTITY:
            raise ArmError(
                400,
                "FailedIdentityOperation",
                f"Identity operation for resource '{resource.id}' failed with error 'Failed to perform resource identity "
                f"operation. Status: 'BadRequest'. Response: 'Resource '{name}' was not found.''.",
            )
        known[found.id] = {key: found.properties[key] for key in ("principalId", "clientId")}
    if known:
        identity["userAssignedIdentities"] = known


def store_identity(sub, resource, old):
    """Makes and unmakes the system's own, once a change was accepted."""
    before = (old or {}).get("identity", {}).get("principalId")
    after = resource.body.get("identity", {}).get("principalId")
    if before and before != after:
        sub.principals.pop(before.lower(), None)
    if after and after != before:
        born(sub, after)


def gone(sub, resource):
    principal = resource.body.get("identity", {}).get("principalId")
    if principal:
        sub.principals.pop(principal.lower(), None)

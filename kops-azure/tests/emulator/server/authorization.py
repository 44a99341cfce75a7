"""Role assignments and definitions, and what a caller may do."""

import copy
import json
import os
import re
import time

import ids
from errors import ArmError, bad_request, group_not_found, not_found
from kinds import KINDS, Answer, action, now_text
from validate import GUID

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "roles.json"), encoding="utf-8") as file:
    BUILT_IN = json.load(file)
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"


# ---------------------------------------------------------------- scopes


def scope_of(ctx):
    """The scope of a request in canonical spelling; what the emulator models must be there."""
    params = ctx.params
    text = params.get("scope")
    if text is None and "roleAssignmentId" in params:
        text = params["roleAssignmentId"].lower().partition("/providers/microsoft.authorization/")[0]
    if text is None:
        text = f"/subscriptions/{ctx.sub.id}"
        if "resourceGroupName" in params:
            text += f"/resourceGroups/{params['resourceGroupName']}"
        if "resourceProviderNamespace" in params:
            tail = "/".join(part for part in ctx.path.split("/") if part)
            text = "/" + re.split(r"/providers/microsoft\.authorization/", tail, flags=re.I)[0]
    return canonical(ctx, text)


def canonical(ctx, text):
    if text == "/" or text.lower().startswith("/providers/"):
        return text
    path = ids.parse(text.rstrip("/"))
    if path is None:
        raise bad_request("InvalidScope", f"The scope '{text}' is not valid.")
    if path.group is None and not path.pairs:
        return f"/subscriptions/{ctx.sub.id}"
    group = ctx.sub.group(path.group or "")
    if group is None:
        raise group_not_found(path.group)
    if not path.pairs:
        return group.id
    found = ctx.sub.find(text)
    if found is not None:
        return found.id
    if path.type.lower() in KINDS and ctx.part(text)[0] is None:
        raise not_found(text)
    # Storage accounts and the like are not modelled; whether they are there is not known.
    return group.id + text[text.lower().index("/providers/") :]


def within(inner, outer):
    return (inner.lower() + "/").startswith(outer.lower().rstrip("/") + "/")


# ---------------------------------------------------------------- definitions


def definition_id(ctx, guid):
    return f"/subscriptions/{ctx.sub.id}/providers/{DEFINITIONS}/{guid}"


def built_in(ctx, name, guid):
    data = "Storage Blob" in name
    return {
        "id": definition_id(ctx, guid),
        "name": guid,
        "type": DEFINITIONS,
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "description": f"{name}.",
            "assignableScopes": ["/"],
            "permissions": [
                {
                    "actions": ["*/read"] if name == "Reader" else [] if data else ["*"],
                    "notActions": ["Microsoft.Authorization/*/Write"] if name == "Contributor" else [],
                    "dataActions": ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"] if data else [],
                    "notDataActions": [],
                }
            ],
        },
    }


def definitions(ctx):
    found = [built_in(ctx, name, guid) for name, guid in BUILT_IN.items()]
    return found + [copy.deepcopy(it) for it in ctx.sub.role_definitions.values()]


@action("roleDefinitions.list")
def list_definitions(ctx):
    scope_of(ctx)
    found = definitions(ctx)
    if text := ctx.query.get("$filter"):
        for piece in re.split(r"\s+and\s+", text):
            match = re.fullmatch(r"\s*(roleName|type)\s+eq\s+'((?:[^']|'')*)'\s*", piece, re.I)
            if match:
                member, value = match[1], match[2].replace("''", "'")
                key = "roleName" if member.lower() == "rolename" else "type"
                found = [it for it in found if it["properties"][key].lower() == value.lower()]
            elif piece.strip().lower() != "atscopeandbelow()":
                raise bad_request("InvalidFilter", f"The filter '{text}' is not supported.")
    return ctx.page(found)


def find_definition(ctx, text):
    guid = text.rstrip("/").rpartition("/")[2].lower()
    return next((it for it in definitions(ctx) if it["name"].lower() == guid), None)


@action("roleDefinitions.get", "roleDefinitions.getById")
def get_definition(ctx):
    text = ctx.params.get("roleDefinitionId") or ctx.params["roleId"]
    found = find_definition(ctx, text)
    if found is None:
        raise ArmError(404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{text}' does not exist.")
    return Answer(200, found)


@action("roleDefinitions.createOrUpdate")
def put_definition(ctx):
    guid = ctx.params["roleDefinitionId"].lower()
    if not GUID.fullmatch(guid):
        raise bad_request("InvalidRoleDefinitionId", f"The role definition ID '{guid}' is not valid. It must be a GUID.")
    properties = ctx.body.get("properties", {})
    if not properties.get("roleName") or not properties.get("assignableScopes"):
        raise bad_request("InvalidRoleDefinition", "A role needs a roleName and assignableScopes.")
    for other in definitions(ctx):
        if other["properties"]["roleName"] == properties["roleName"] and other["name"] != guid:
            raise ArmError(409, "RoleDefinitionWithSameNameExists", f"The role '{properties['roleName']}' exists.")
    properties["type"] = "CustomRole"
    for member in ("actions", "notActions", "dataActions", "notDataActions"):
        for permission in properties.setdefault("permissions", []):
            permission.setdefault(member, [])
    document = {"id": definition_id(ctx, guid), "name": guid, "type": DEFINITIONS, "properties": properties}
    ctx.sub.role_definitions[guid] = document
    return Answer(201, copy.deepcopy(document))


@action("roleDefinitions.delete")
def delete_definition(ctx):
    guid = ctx.params["roleDefinitionId"].lower()
    if guid not in ctx.sub.role_definitions:
        return Answer(204)
    if any(it["properties"]["roleDefinitionId"].lower().endswith(guid) for it in ctx.sub.role_assignments.values()):
        raise bad_request("RoleDefinitionHasAssignments", "There are existing role assignments referencing role.")
    return Answer(200, ctx.sub.role_definitions.pop(guid))


# ---------------------------------------------------------------- assignments


def assignment_name(ctx):
    name = ctx.params.get("roleAssignmentName") or ctx.path.rstrip("/").rpartition("/")[2]
    if not GUID.fullmatch(name):
        raise bad_request("InvalidRoleAssignmentId", f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.")
    return name


def shown(assignment):
    body = copy.deepcopy(assignment)
    body.pop("scope")
    return body


@action("roleAssignments.create", "roleAssignments.createById")
def put_assignment(ctx):
    scope, name = scope_of(ctx), assignment_name(ctx)
    properties = ctx.body.get("properties", {})
    for member in ("roleDefinitionId", "principalId"):
        if not properties.get(member):
            raise bad_request("BadRequestFormat", f"The request was incorrectly formatted: {member} is missing.")
    if not GUID.fullmatch(properties["principalId"]):
        raise bad_request("InvalidPrincipalId", f"A valid principal ID must be provided for role assignment, not '{properties['principalId']}'.")
    definition = find_definition(ctx, properties["roleDefinitionId"])
    if definition is None:
        raise bad_request(
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{properties['roleDefinitionId'].rpartition('/')[2]}' does not exist.",
        )
    if "/" not in properties["roleDefinitionId"]:
        raise bad_request("InvalidRoleDefinitionId", "The role definition must be given as a fully qualified id.")
    properties["roleDefinitionId"] = definition["id"]
    key = f"{scope}/providers/{ASSIGNMENTS}/{name}".lower()
    old = ctx.sub.role_assignments.get(key)
    for other in ctx.sub.role_assignments.values():
        same = other["scope"].lower() == scope.lower() and all(
            other["properties"][member].lower() == properties[member].lower() for member in ("roleDefinitionId", "principalId")
        )
        if same and other["name"].lower() != name.lower():
            raise ArmError(
                409,
                "RoleAssignmentExists",
                f"The role assignment already exists. The ID of the existing role assignment is {other['name'].replace('-', '')}.",
            )
        if other["name"].lower() == name.lower() and other["scope"].lower() != scope.lower():
            raise ArmError(409, "RoleAssignmentExists", f"The role assignment ID '{name}' is used at the scope '{other['scope']}'.")
    if old:
        for member in ("principalId", "roleDefinitionId"):
            if old["properties"][member].lower() != properties[member].lower():
                raise bad_request(
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
    else:
        check_principal(ctx, properties)
    kind = ctx.sub.principals.get(properties["principalId"].lower(), {}).get("kind", "ServicePrincipal")
    document = {
        "id": f"{scope}/providers/{ASSIGNMENTS}/{name}",
        "name": name,
        "type": ASSIGNMENTS,
        "scope": scope,
        "properties": {
            "principalType": kind,
            **properties,
            "scope": scope,
            "createdOn": old["properties"]["createdOn"] if old else now_text(),
            "updatedOn": now_text(),
        },
    }
    ctx.sub.role_assignments[key] = document
    return Answer(200 if old else 201, shown(document))


def check_principal(ctx, properties):
    """A principal that was just made is not known everywhere at once."""
    principal = ctx.sub.principals.get(properties["principalId"].lower())
    settings = ctx.sub.settings
    young = principal and time.monotonic() - principal["born"] < settings.principal_lag
    if principal and young and properties.get("principalType") and not settings.principal_lag_always:
        return
    if principal is None or young:
        raise bad_request(
            "PrincipalNotFound",
            f"Principal {properties['principalId'].replace('-', '')} does not exist in the directory {ctx.sub.tenant}. Check "
            "that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, "
            "this error might be related to a replication delay. In this case, set the role assignment principalType property "
            "to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
        )
    if properties.get("principalType", principal["kind"]) != principal["kind"]:
        raise bad_request("UnmatchedPrincipalType", f"The PrincipalId has type '{principal['kind']}'.")


def find_assignment(ctx):
    return f"{scope_of(ctx)}/providers/{ASSIGNMENTS}/{assignment_name(ctx)}".lower()


@action("roleAssignments.get", "roleAssignments.getById")
def get_assignment(ctx):
    found = ctx.sub.role_assignments.get(find_assignment(ctx))
    if found is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{assignment_name(ctx)}' is not found.")
    return Answer(200, shown(found))


@action("roleAssignments.delete", "roleAssignments.deleteById")
def delete_assignment(ctx):
    found = ctx.sub.role_assignments.pop(find_assignment(ctx), None)
    return Answer(204) if found is None else Answer(200, shown(found))


@action(
    "roleAssignments.listForSubscription",
    "roleAssignments.listForResourceGroup",
    "roleAssignments.listForResource",
    "roleAssignments.listForScope",
)
def list_assignments(ctx):
    scope = scope_of(ctx)
    everything = list(ctx.sub.role_assignments.values())
    # At the scope, above it and below it; `atScope()` leaves out what is below.
    found = [it for it in everything if within(it["scope"], scope) or within(scope, it["scope"])]
    for piece in re.split(r"\s+and\s+", ctx.query.get("$filter", "")):
        piece = piece.strip()
        if not piece:
            continue
        match = re.fullmatch(r"principalId\s+eq\s+'?([0-9a-f-]{36})'?|assignedTo\('([0-9a-f-]{36})'\)", piece, re.I)
        if match:
            principal = (match[1] or match[2]).lower()
            found = [it for it in found if it["properties"]["principalId"].lower() == principal]
        elif piece.lower() == "atscope()":
            found = [it for it in found if within(scope, it["scope"])]
        else:
            raise bad_request("UnsupportedQuery", f"The filter '{piece}' is not supported. Supported filters are atScope(), principalId eq.")
    return ctx.page([shown(it) for it in found])


@action("permissions.listForResourceGroup", "permissions.listForResource")
def list_permissions(ctx):
    """All, less what `deny` took away."""
    if ctx.params.get("resourceGroupName") and ctx.sub.group(ctx.params["resourceGroupName"]) is None:
        raise group_not_found(ctx.params["resourceGroupName"])
    denied = ctx.sub.faults.denied_actions(ctx.all_operations)
    return ctx.page([{"actions": ["*"], "notActions": denied, "dataActions": [], "notDataActions": []}])

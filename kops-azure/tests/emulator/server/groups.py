"""Resource groups, lists of all resources, tags, locations, providers: what ARM does itself."""

import copy
import re

import ids
from errors import ArmError, bad_request, group_not_found, not_found
from kinds import KINDS, REGIONS, Answer, Kind, action, check_tags, kind, merge
from state import GROUP_TYPE

NAME = re.compile(r"[-\w._()]{0,89}[-\w_()]")


@kind
class ResourceGroup(Kind):
    type = GROUP_TYPE
    put_long = False
    creating = updating = "Succeeded"

    def id_of(self, ctx):
        known = ctx.sub.group(ctx.params["resourceGroupName"])
        return known.id if known else f"/subscriptions/{ctx.sub.id}/resourceGroups/{ctx.params['resourceGroupName']}"

    def existing(self, ctx):
        found = ctx.sub.group(ctx.params["resourceGroupName"])
        if found is None or ctx.hidden(found):
            raise group_not_found(ctx.params["resourceGroupName"])
        return found

    def prepare(self, ctx, resource, body, old):
        if not NAME.fullmatch(resource.name):
            raise bad_request("InvalidResourceGroup", f"The provided resource group name '{resource.name}' is invalid.")
        if resource.state == "Deleting":
            raise deprovisioning(resource)
        if old and old.get("managedBy") != body.get("managedBy"):
            raise bad_request("ResourceGroupManagedByMismatch", "managedBy cannot be changed.")
        body["properties"] = {"provisioningState": "Succeeded"}

    def check_region(self, ctx, body, resource):
        try:
            super().check_region(ctx, body, resource)
        except ArmError as error:
            if error.code == "InvalidResourceLocation":
                raise ArmError(
                    409,
                    "InvalidResourceGroupLocation",
                    f"Invalid resource group location '{body['location']}'. The Resource group already exists in location "
                    f"'{resource.body['location']}'.",
                ) from None
            raise

    def delete(self, ctx):
        group = self.existing(ctx)
        if group.pending:
            return Answer(202, None, ctx.operation_headers(group.pending))
        below = group.key + "/"
        before = group.state
        group.state = "Deleting"

        def finish():
            if blocked := self.in_use_elsewhere(ctx.sub, below):
                group.state = before
                raise ArmError(
                    409,
                    "ResourceGroupDeletionBlocked",
                    f"Deletion of resource group '{group.name}' failed as resources with identifiers "
                    f"'{', '.join(blocked)}' could not be deleted.",
                )
            for key, resource in list(ctx.sub.resources.items()):
                if key.startswith(below):
                    ctx.sub.resources.pop(key, None)
                    if found := KINDS.get(resource.type.lower()):
                        found.deleted(ctx.sub, resource)
            ctx.sub.remove(group)

        def fail():
            group.state = before

        return Answer(202, None, ctx.begin(group, group.body["location"], finish, fail))

    def in_use_elsewhere(self, sub, below):
        """What is used from outside of the group."""
        found = set()
        for key, resource in sub.resources.items():
            if key.startswith(below):
                for target in [resource.id, *part_ids(resource)]:
                    if any(not owner.lower().startswith(below) for owner, _ in sub.references(target)):
                        found.add(resource.id)
        return sorted(found)

    def patch(self, ctx):
        group = self.existing(ctx)
        check_tags(ctx.body)
        ctx.body.pop("name", None)
        ctx.body.pop("properties", None)
        group.body = merge(group.body, ctx.body)
        ctx.sub.touch()
        return Answer(200, self.view(ctx.sub, group))

    def list(self, ctx):
        groups = [it for it in ctx.sub.of_type(GROUP_TYPE) if not ctx.lagging(it)]
        wanted = tag_filter(ctx.query.get("$filter"))
        return ctx.page([self.view(ctx.sub, it) for it in groups if wanted(it)])


def deprovisioning(group):
    return ArmError(
        409,
        "ResourceGroupBeingDeleted",
        f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation.",
    )


def part_ids(resource):
    for members in resource.properties.values():
        for part in members if isinstance(members, list) else []:
            if isinstance(part, dict) and str(part.get("id", "")).lower().startswith(resource.key + "/"):
                yield part["id"]


@action("resourceGroups.checkExistence")
def group_exists(ctx):
    return Answer(204 if ctx.sub.group(ctx.params["resourceGroupName"]) else 404)


# ---------------------------------------------------------------- all resources

TERM = re.compile(r"\s*(\w+(?:/\w+)?)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*", re.I)


def tag_filter(text, more=()):
    """`tagName eq 'a' and tagValue eq 'b'` and its likes, as a test of a resource."""
    if not text:
        return lambda _: True
    terms = []
    for piece in re.split(r"\s+and\s+", text):
        match = TERM.fullmatch(piece)
        if not match:
            raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
        terms.append((match[1].lower(), match[2].lower(), match[3].replace("''", "'")))
    names = {name for name, _, _ in terms}
    known = {"tagname", "tagvalue", *more}
    if names - known or ("tagname" in names and names & {"resourcetype", "name", "resourcegroup", "location"}):
        # Azure cannot combine tags with other filters.
        raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")

    def passes(resource):
        tag = next((value for name, _, value in terms if name == "tagname"), None)
        tags = {key.lower(): value for key, value in resource.tags.items()}
        for name, sign, value in terms:
            if name == "tagname":
                held = value.lower() in tags
            elif name == "tagvalue":
                held = tags.get((tag or "").lower()) == value
            else:
                actual = {
                    "resourcetype": resource.type,
                    "name": resource.name,
                    "location": resource.body.get("location", ""),
                    "resourcegroup": resource.group,
                }[name]
                held = actual.lower() == value.lower()
            if held != (sign == "eq"):
                return False
        return True

    return passes


@action("resources.list", "resources.listByResourceGroup")
def list_resources(ctx):
    group = ctx.params.get("resourceGroupName")
    if group is not None and ctx.sub.group(group) is None:
        raise group_not_found(group)
    wanted = tag_filter(ctx.query.get("$filter"), ("resourcetype", "name", "location", "resourcegroup"))
    found = []
    for resource in ctx.sub.resources.values():
        # Only what is tracked: no groups, no children.
        if resource.type == GROUP_TYPE or resource.type.count("/") > 1 or ctx.lagging(resource):
            continue
        if (group is None or resource.group == group.lower()) and wanted(resource):
            found.append(generic(resource, ctx.expand()))
    return ctx.page(found)


def generic(resource, expand=()):
    body = {"id": resource.id, "name": resource.name, "type": resource.type}
    for member in ("location", "tags", "sku", "kind", "managedBy", "identity"):
        if member in resource.body:
            body[member] = copy.deepcopy(resource.body[member])
    if "provisioningstate" in expand:
        body["provisioningState"] = resource.state
    return body


# ---------------------------------------------------------------- tags


def scope_of(ctx):
    """The resource, group or subscription whose tags are meant."""
    scope = ctx.params["scope"]
    if scope.lower() == f"/subscriptions/{ctx.sub.id}".lower():
        return None
    found = ctx.sub.find(scope)
    if found is None:
        path = ids.parse(scope)
        raise group_not_found(path.group) if path and not path.pairs else not_found(scope)
    if found.type.count("/") > 1 and "location" not in found.body:
        raise bad_request("InvalidResourceType", f"The resource type '{found.type}' does not support tags.")
    return found


def tags_answer(ctx, found):
    tags = found.tags if found else ctx.sub.tags
    scope = found.id if found else f"/subscriptions/{ctx.sub.id}"
    return Answer(
        200,
        {
            "id": f"{scope}/providers/Microsoft.Resources/tags/default",
            "name": "default",
            "type": "Microsoft.Resources/tags",
            "properties": {"tags": dict(tags)},
        },
    )


def set_tags(ctx, found, tags):
    check_tags({"tags": tags})
    if found:
        found.body["tags"] = tags
    else:
        ctx.sub.tags = tags
    ctx.sub.touch()


@action("tags.createOrUpdateAtScope")
def put_tags(ctx):
    found = scope_of(ctx)
    set_tags(ctx, found, ctx.body.get("properties", {}).get("tags", {}))
    return tags_answer(ctx, found)


@action("tags.updateAtScope")
def patch_tags(ctx):
    found = scope_of(ctx)
    new = ctx.body.get("properties", {}).get("tags", {})
    tags = dict(found.tags if found else ctx.sub.tags)
    what = ctx.body.get("operation", "Merge")
    if what == "Replace":
        tags = new
    elif what == "Delete":
        tags = {name: value for name, value in tags.items() if name not in new}
    else:
        tags.update(new)
    set_tags(ctx, found, tags)
    return tags_answer(ctx, found)


@action("tags.getAtScope")
def get_tags(ctx):
    return tags_answer(ctx, scope_of(ctx))


@action("tags.deleteAtScope")
def delete_tags(ctx):
    set_tags(ctx, scope_of(ctx), {})
    return Answer(200)


# ---------------------------------------------------------------- providers and places

REGISTERED = ["Microsoft.Authorization", "Microsoft.Compute", "Microsoft.ManagedIdentity", "Microsoft.Network", "Microsoft.Resources"]


def provider(ctx, namespace):
    return {
        "id": f"/subscriptions/{ctx.sub.id}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {"resourceType": it.type.partition("/")[2], "locations": REGIONS, "apiVersions": []}
            for it in KINDS.values()
            if it.type.startswith(namespace + "/")
        ],
    }


@action("providers.list")
def list_providers(ctx):
    return ctx.page([provider(ctx, namespace) for namespace in REGISTERED])


@action("providers.get", "providers.register")
def get_provider(ctx):
    for namespace in REGISTERED:
        if namespace.lower() == ctx.params["resourceProviderNamespace"].lower():
            return Answer(200, provider(ctx, namespace))
    raise ArmError(
        404, "InvalidResourceNamespace", f"The resource namespace '{ctx.params['resourceProviderNamespace']}' is invalid."
    )


def subscription(sub):
    return {
        "id": f"/subscriptions/{sub.id}",
        "subscriptionId": sub.id,
        "tenantId": sub.tenant,
        "displayName": "emulated",
        "state": "Enabled",
        "subscriptionPolicies": {"spendingLimit": "Off"},
        "tags": dict(sub.tags),
    }


def locations(sub):
    return [
        {
            "id": f"/subscriptions/{sub.id}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": name,
            "regionalDisplayName": name,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
            "availabilityZoneMappings": [
                {"logicalZone": zone, "physicalZone": f"{name}-az{zone}"} for zone in ("1", "2", "3")
            ],
        }
        for name in REGIONS
    ]

"""Instance group managers, zonal and regional: their API. What they do by themselves is in fleet.py."""

import operations
import paging
from compute.catalogue import REGIONS
from compute.fleet import Fleet
from compute.groups import InstanceGroups
from compute.instances import Inner
from compute.kind import Kind, holder, ref
from errors import ApiError, already_exists, bad_value, in_use, invalid
from state import Item, now
from urls import parse, place_link


class InstanceGroupManagers(Kind):
    collection, label, kind = "instanceGroupManagers", "instance_group_manager", "compute#instanceGroupManager"
    refs = (
        ref("instanceTemplate", "instanceTemplates"),
        ref("versions[].instanceTemplate", "instanceTemplates"),
        ref("targetPools[]", "targetPools", settled=False),
        ref("autoHealingPolicies[].healthCheck", "healthChecks", "httpHealthChecks", settled=False),
    )
    immutable = ("name", "zone", "region", "baseInstanceName")
    has_fingerprint = True
    needs_fingerprint = ("update",)
    # Sizes change by calls of their own, which do not ask for the fingerprint.
    not_fingerprinted = (*Kind.not_fingerprinted, "targetSize")

    # ------------------------------------------------------------ making and changing

    def prepare(self, call, item):
        body, project = item.body, call.project
        group = project.key(item.key.location, "instanceGroups", item.key.name)
        if group in project.items:
            raise already_exists(group.path)
        body.setdefault("baseInstanceName", item.key.name)
        body["instanceGroup"] = group.link
        if item.key.location.startswith("regions/"):
            region = item.key.place
            policy = body.setdefault("distributionPolicy", {})
            zones = [it["zone"].rsplit("/", 1)[-1] for it in policy.get("zones", [])]
            zones = zones or [f"{region}-{letter}" for letter in REGIONS[region][:3]]
            for zone in zones:
                if zone not in {f"{region}-{letter}" for letter in REGIONS[region]}:
                    raise bad_value("resource.distributionPolicy.zones", zone, "It must be a zone of the region.")
            policy["zones"] = [{"zone": place_link(project.name, f"zones/{zone}")} for zone in zones]
            policy.setdefault("targetShape", "EVEN")
            item.notes["zones"] = zones
        else:
            item.notes["zones"] = [item.key.place]
        self.complete(item, body)
        item.notes["fleet"] = Fleet(project, item)

    def complete(self, item, body):
        """Templates and versions agree; the policy is whole."""
        versions = body.get("versions")
        if not versions and not body.get("instanceTemplate"):
            raise invalid("Invalid value for field 'resource.instanceTemplate': a template or versions must be given.")
        if not versions:
            versions = body["versions"] = [{"instanceTemplate": body["instanceTemplate"]}]
        for version in versions:
            if not version.get("instanceTemplate"):
                raise invalid("Invalid value for field 'resource.versions': a version needs a template.")
        if sum("targetSize" not in version for version in versions) != 1:
            raise invalid("Invalid value for field 'resource.versions': exactly one version must leave its size open.")
        if len({version["instanceTemplate"] for version in versions}) != len(versions):
            raise invalid("Invalid value for field 'resource.versions': the templates must differ.")
        body["instanceTemplate"] = next(it["instanceTemplate"] for it in versions if "targetSize" not in it)
        if body.get("targetSize", 0) < 0:
            raise bad_value("resource.targetSize", body["targetSize"], "Must not be negative.")
        policy = body.setdefault("updatePolicy", {})
        regional = item.key.location.startswith("regions/")
        default = len(item.notes["zones"]) if regional else 1
        for field, value in (
            ("type", "OPPORTUNISTIC"),
            ("minimalAction", "REPLACE"),
            ("replacementMethod", "SUBSTITUTE"),
        ):
            policy.setdefault(field, value)
        recreates = policy["replacementMethod"] == "RECREATE"
        for field, value in (("maxSurge", 0 if recreates else default), ("maxUnavailable", default)):
            number = policy.setdefault(field, {"fixed": value})
            if "percent" in number and "fixed" in number:
                raise bad_value(f"resource.updatePolicy.{field}", number, "Either fixed or percent can be given.")
            size = number.get("fixed", 0)
            if "fixed" in number and regional and 0 < size < default:
                message = (
                    f"Fixed updatePolicy.{field} for regional managed instance group has to be either 0 or at least "
                    "equal to the number of zones."
                )
                raise bad_value(f"resource.updatePolicy.{field}", size, message)
            total = body.get("targetSize", 0)
            number["calculated"] = size if "fixed" in number else -(-number.get("percent", 0) * total // 100)
        if recreates and policy["maxSurge"].get("fixed", 1) != 0:
            raise bad_value(
                "resource.updatePolicy.maxSurge",
                policy["maxSurge"],
                "It must be 0 with the replacement method RECREATE.",
            )
        none = [
            field
            for field in ("maxSurge", "maxUnavailable")
            if not any(policy[field].get(it) for it in ("fixed", "percent"))
        ]
        if len(none) == 2:
            raise bad_value("resource.updatePolicy.maxUnavailable", 0, "maxSurge and maxUnavailable cannot both be 0.")
        if regional:
            policy.setdefault("instanceRedistributionType", "PROACTIVE")
        if len(body.get("autoHealingPolicies", [])) > 1:
            raise invalid("Invalid value for field 'resource.autoHealingPolicies': at most one policy is supported.")
        body.setdefault("listManagedInstancesResults", "PAGELESS")
        body.setdefault("instanceLifecyclePolicy", {}).setdefault("forceUpdateOnRepair", "NO")
        body["instanceLifecyclePolicy"].setdefault("defaultActionOnFailure", "REPAIR")

    def check_change(self, call, item, body):
        given = call.body
        if given.get("versions") is None and given.get("instanceTemplate"):
            body["versions"] = [{"instanceTemplate": body["instanceTemplate"]}]
        elif given.get("versions") and given.get("instanceTemplate"):
            templates = [version.get("instanceTemplate") for version in body["versions"]]
            if body["instanceTemplate"] not in templates:
                raise invalid("Invalid value for field 'resource.instanceTemplate': it differs from the versions'.")
        for field in ("instanceGroup", "distributionPolicy", "targetSize", "updatePolicy"):
            if field in item.body and body.get(field) is None:
                body[field] = item.body[field]
        self.complete(item, body)

    def made(self, project, item):
        kind = InstanceGroups()
        key = project.key(item.key.location, "instanceGroups", item.key.name)
        group = Item(key, {"name": item.key.name, **kind.identity(project, key)})
        kind.prepare(Inner(project, item.key.location), group)
        group.body["description"] = f"This instance group is controlled by Instance Group Manager '{item.key.name}'."
        group.body["namedPorts"] = item.body.get("namedPorts", [])
        group.body["creationTimestamp"] = now()
        group.ready = True
        group.notes["manager"] = item
        template = item.notes["fleet"].template_item(item.body["instanceTemplate"])
        if template is not None:
            interface = template.body["properties"]["networkInterfaces"][0]
            for field in ("network", "subnetwork"):
                if field in interface:
                    group.body[field] = interface[field]
        project.items[key] = group
        item.notes["fleet"].reconcile()

    def changed(self, project, item, before):
        group = project.find(project.key(item.key.location, "instanceGroups", item.key.name))
        if group and item.body.get("namedPorts") != before.get("namedPorts"):
            group.body["namedPorts"] = item.body.get("namedPorts", [])
        item.notes["fleet"].reconcile()

    def targets(self, item):
        yield from super().targets(item)
        # A template is in use, too, as long as members are of it that are not replaced yet.
        for member in item.notes["fleet"].members.values() if "fleet" in item.notes else ():
            yield parse(member.version["instanceTemplate"], item.key.project, "instanceTemplate")

    def view(self, project, item):
        return {**item.body, **item.notes["fleet"].summary()}

    # ------------------------------------------------------------ deleting

    def check_delete(self, call, item):
        group = call.project.find(call.project.key(item.key.location, "instanceGroups", item.key.name))
        user = group and holder(call.project, group)
        if user:
            raise in_use(self.label, item.key.path, user)

    def start_delete(self, call, item, kind="delete"):
        body = super().start_delete(call, item, kind)
        if item.deleting:
            item.notes["fleet"].stop()
        return body

    def gone(self, project, item):
        project.items.pop(project.key(item.key.location, "instanceGroups", item.key.name), None)
        item.notes["fleet"].end()

    # ------------------------------------------------------------ calls about members

    def _act(self, call, operation, work, at_once=None):
        """Managers take orders at any time; an order is done when it is taken, not when it is carried out."""
        item = self.item(call)
        if not item.ready or item.deleting:
            raise ApiError(400, f"The resource '{item.key.path}' is not ready", "resourceNotReady")
        fleet = item.notes["fleet"]
        if at_once:
            at_once(item, fleet)

        def apply():
            work(item, fleet)
            fleet.reconcile()

        return operations.start(call, operation, item, apply, blocking=False)

    def _named(self, call, item):
        """The members that a request names; unknown ones are an error unless it says otherwise."""
        found = []
        for index, url in enumerate(call.body.get("instances", [])):
            key = parse(url, call.project.name, f"instances[{index}]")
            member = item.notes["fleet"].members.get(key.name)
            if member is not None and member.key.location == key.location:
                found.append(member)
            elif not call.body.get("skipInstancesOnValidationError"):
                raise bad_value(
                    f"instances[{index}]", url, "The instance is not a member of the managed instance group."
                )
        if not call.body.get("instances") and not call.body.get("allInstances"):
            raise invalid("Invalid value for field 'instances': at least one instance must be given.")
        return found

    def do_resize(self, call):
        size = call.query["size"]
        if size < 0:
            raise bad_value("size", size, "Must not be negative.")
        return self._act(call, "compute.instanceGroupManagers.resize", lambda item, fleet: fleet.resize(size))

    def do_delete_instances(self, call):
        members = self._named(call, self.item(call))
        return self._act(
            call,
            "compute.instanceGroupManagers.deleteInstances",
            lambda item, fleet: [fleet.delete(it, shrink=True) for it in members],
        )

    def do_abandon_instances(self, call):
        members = self._named(call, self.item(call))
        return self._act(
            call,
            "compute.instanceGroupManagers.abandonInstances",
            lambda item, fleet: [fleet.abandon(it) for it in members],
        )

    def do_recreate_instances(self, call):
        members = self._named(call, self.item(call))
        return self._act(
            call,
            "compute.instanceGroupManagers.recreateInstances",
            lambda item, fleet: [fleet.recreate(it) for it in members],
        )

    def do_apply_updates_to_instances(self, call):
        item = self.item(call)
        members = (
            list(item.notes["fleet"].members.values()) if call.body.get("allInstances") else self._named(call, item)
        )
        least = call.body.get("minimalAction", "NONE")
        return self._act(
            call,
            "compute.instanceGroupManagers.applyUpdatesToInstances",
            lambda item, fleet: [fleet.update(it, least) for it in members],
        )

    def do_create_instances(self, call):
        item = self.item(call)
        names = [it.get("name") for it in call.body.get("instances", [])]
        for name in names:
            if not name:
                raise invalid("Invalid value for field 'instances': each needs a name.")
            if name in item.notes["fleet"].members:
                raise invalid(f"Instance '{name}' already is a member.")
        return self._act(
            call,
            "compute.instanceGroupManagers.createInstances",
            lambda item, fleet: [fleet.create(name=name, grow=True) for name in names],
        )

    def do_set_instance_template(self, call):
        given = {"instanceTemplate": call.body.get("instanceTemplate")}
        if not given["instanceTemplate"]:
            raise invalid("Invalid value for field 'instanceTemplate': it must be given.")
        self.resolve(call.project, given)

        def work(item, fleet):
            item.body["instanceTemplate"] = given["instanceTemplate"]
            item.body["versions"] = [dict(given)]
            self.stamp(item)

        return self._act(call, "compute.instanceGroupManagers.setInstanceTemplate", work)

    def do_set_target_pools(self, call):
        item = self.item(call)
        self.check_fingerprint(item, call.body, needed=False)
        given = {"targetPools": list(call.body.get("targetPools", []))}
        self.resolve(call.project, given)

        def work(item, fleet):
            item.body.update(given)
            self.stamp(item)

        return self._act(call, "compute.instanceGroupManagers.setTargetPools", work)

    def do_list_managed_instances(self, call):
        item = self.item(call)
        members = [member.body() for member in item.notes["fleet"].sorted()]
        answer = paging.page(call, members, item.key.path, key="managedInstances")
        return {key: value for key, value in answer.items() if key in ("managedInstances", "nextPageToken")}

    def do_list_errors(self, call):
        item = self.item(call)
        answer = paging.page(call, item.notes["fleet"].errors[::-1], item.key.path)
        return {key: value for key, value in answer.items() if key in ("items", "nextPageToken")}

    def do_list_per_instance_configs(self, call):
        self.item(call)
        return {}

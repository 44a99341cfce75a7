"""What a managed instance group does by itself: keeps its size, replaces what was lost or is of an old version.

An action takes as long as an operation; an instance boots for `boot_seconds` on top. What cannot be made is
recorded as an error and tried again.
"""

import random
import string

from compute.instances import Inner, Instances, check_accounts
from compute.templates import instance_body
from errors import ApiError
from state import now
from urls import Key, parse

# How long until what failed is tried again.
RETRY_SECONDS = 0.5
# The action that fault rules name to make members fail: no call of the API makes them.
CREATION = "compute.instances.insert.managed"


class Member:
    """An instance as its manager sees it. The instance itself may be missing."""

    def __init__(self, fleet, key, version):
        self.fleet = fleet
        self.key = key
        self.version = version
        self.id = None
        self.action = "CREATING"
        self.errors = []

    @property
    def item(self):
        found = self.fleet.project.items.get(self.key)
        return found if found is not None and found.notes.get("manager") is self.fleet else None

    @property
    def is_up(self):
        return self.action == "NONE"

    def body(self):
        item = self.item
        body = {
            "instance": self.key.link,
            "name": self.key.name,
            "currentAction": self.action,
            "version": dict(self.version),
            "propertiesFromFlexibilityPolicy": {},
        }
        if self.id:
            body["id"] = self.id
        if item is not None and item.shown:
            body["instanceStatus"] = item.body["status"]
        if self.errors:
            body["lastAttempt"] = {"errors": {"errors": self.errors}}
        return body


class Fleet:
    def __init__(self, project, manager):
        self.project = project
        self.manager = manager
        self.members = {}
        self.errors = []
        self.ending = False

    @property
    def target(self):
        return self.manager.body.get("targetSize", 0)

    @property
    def busy_seconds(self):
        return self.project.settings.operation_seconds

    def sorted(self):
        return [self.members[name] for name in sorted(self.members)]

    def later(self, action, seconds=None):
        seconds = self.busy_seconds if seconds is None else seconds
        if seconds <= 0:
            action()
        else:
            self.project.at(seconds, action)

    # ------------------------------------------------------------ versions

    def template_item(self, link):
        key = parse(link, self.project.name, "instanceTemplate")
        home = self.project.world.projects.get(key.project)
        return home.find(key) if home else None

    def versions(self):
        """[(version, how many members it is to have)]."""
        body, left, result = self.manager.body, self.target, []
        for version in body["versions"]:
            size = version.get("targetSize")
            if size is None:
                continue
            wanted = size.get("fixed", -(-size.get("percent", 0) * self.target // 100))
            result.append((short(version), min(wanted, left)))
            left -= min(wanted, left)
        return [(short(it), left) for it in body["versions"] if "targetSize" not in it] + result

    def outdated(self):
        """Members of templates that are no longer wanted, or of which there are too many."""
        wanted = {version["instanceTemplate"]: count for version, count in self.versions()}
        found = []
        for member in self.active():
            template = member.version["instanceTemplate"]
            if wanted.get(template, 0) > 0:
                wanted[template] -= 1
            else:
                found.append(member)
        # With fewer members than the target the open version is not complete, so none is too many by size alone.
        versions = {version["instanceTemplate"] for version, _ in self.versions()}
        if len(versions) == 1:
            found = [member for member in found if member.version["instanceTemplate"] not in versions]
        return found

    def next_version(self):
        """The version that lacks most members."""
        have = {}
        for member in self.active():
            have[member.version["instanceTemplate"]] = have.get(member.version["instanceTemplate"], 0) + 1
        return max(self.versions(), key=lambda pair: pair[1] - have.get(pair[0]["instanceTemplate"], 0))[0]

    # ------------------------------------------------------------ keeping the size

    def active(self):
        return [it for it in self.sorted() if it.action not in ("DELETING", "ABANDONING")]

    def reconcile(self):
        if self.ending:
            return
        active, outdated, policy = self.active(), self.outdated(), self.manager.body["updatePolicy"]
        surge = unavailable = 0
        rolling = policy["type"] == "PROACTIVE" and outdated and policy["replacementMethod"] == "SUBSTITUTE"
        if rolling:
            surge = min(self.number(policy["maxSurge"]), len(outdated))
            unavailable = self.number(policy["maxUnavailable"])
        elif policy["type"] == "PROACTIVE" and outdated:
            unavailable = self.number(policy["maxUnavailable"])
            down = sum(not it.is_up for it in active)
            for member in [it for it in outdated if it.is_up][: max(0, unavailable - down)]:
                self.recreate(member)
        missing = self.target + surge - len(active)
        for _ in range(missing):
            self.create()
        if not rolling:
            extra = len(active) - self.target
            # What is outdated or not up yet goes first.
            order = sorted(active, key=lambda it: (it not in outdated, it.is_up))
            for member in order[: max(0, extra)]:
                self.delete(member)
            return
        up = sum(it.is_up for it in self.active())
        spare = up - max(0, self.target - unavailable)
        for member in [it for it in outdated if it.is_up][: max(0, spare)]:
            self.delete(member)

    def number(self, value):
        if "fixed" in value:
            return value["fixed"]
        return -(-value.get("percent", 0) * self.target // 100)

    def resize(self, size):
        self.manager.body["targetSize"] = size

    # ------------------------------------------------------------ actions on members

    def new_name(self):
        base = self.manager.body["baseInstanceName"]
        while True:
            name = f"{base}-{''.join(random.choices(string.ascii_lowercase + string.digits, k=4))}"
            if name not in self.members and not any(
                self.project.key(f"zones/{zone}", "instances", name) in self.project.items
                for zone in self.manager.notes["zones"]
            ):
                return name

    def next_zone(self):
        """The zone with the fewest members."""
        counts = dict.fromkeys(self.manager.notes["zones"], 0)
        for member in self.active():
            counts[member.key.place] += 1
        return min(counts, key=counts.get)

    def create(self, name=None, grow=False):
        if grow:
            self.manager.body["targetSize"] = self.target + 1
        key = self.project.key(f"zones/{self.next_zone()}", "instances", name or self.new_name())
        member = Member(self, key, self.next_version())
        self.members[key.name] = member
        self.make(member)

    def make(self, member):
        """Makes the instance of a member that has none."""
        if self.ending or self.members.get(member.key.name) is not member or member.item is not None:
            return
        member.errors = []
        try:
            rule = self.project.faults.strike(CREATION, member.key.path, mutation=False)
            if rule is not None and rule.what in ("fail", "operation"):
                raise ApiError(rule.status or 503, rule.message, rule.code or "ZONE_RESOURCE_POOL_EXHAUSTED")
            item = self.instance(member)
        except ApiError as error:
            self.failed(member, error)
            return

        def done():
            if self.project.items.get(item.key) is not item or item.deleting:
                return
            Instances().finish(self.project, item)
            self.join(item)
            boot = self.project.settings.boot_seconds
            self.later(lambda: self.up(member, item), boot)

        self.later(done)

    def instance(self, member):
        template = self.template_item(member.version["instanceTemplate"])
        if template is None:
            raise ApiError(
                404, f"The resource '{member.version['instanceTemplate']}' was not found", "RESOURCE_NOT_FOUND"
            )
        body = instance_body(template, member.key.name, member.key.location, self.project)
        items = body["metadata"].setdefault("items", [])
        number = f"projects/{self.project.number}/"
        items += [
            {"key": "instance-template", "value": number + template.key.path.split("/", 2)[2]},
            {"key": "created-by", "value": number + self.manager.key.path.split("/", 2)[2]},
        ]
        check_accounts(self.project, body)
        item = Instances().reserve(Inner(self.project, member.key.location), body)
        item.notes["manager"] = self
        member.id = item.body["id"]
        return item

    def failed(self, member, error):
        code = error.reason if error.reason.isupper() else "INVALID_USAGE"
        member.errors = [{"code": code, "message": error.message}]
        action = {"action": member.action, "instance": member.key.link, "version": dict(member.version)}
        self.errors.append({
            "error": dict(member.errors[0]),
            "instanceActionDetails": action,
            "timestamp": now(),
        })  # fmt: skip
        self.project.at(max(RETRY_SECONDS, self.busy_seconds), lambda: self.make(member))

    def up(self, member, item):
        if member.item is item and member.action in ("CREATING", "RECREATING"):
            member.action = "NONE"
            self.reconcile()

    def join(self, item):
        """Into the group and the target pools."""
        group = self.group()
        if group is not None:
            group.notes["members"][item.key.link] = True
        for link in self.manager.body.get("targetPools", []):
            pool = self.project.find(parse(link, self.project.name, "targetPools"))
            if pool is not None and item.key.link not in pool.body.get("instances", []):
                pool.body["instances"] = [*pool.body.get("instances", []), item.key.link]

    def leave(self, item):
        group = self.group()
        if group is not None:
            group.notes["members"].pop(item.key.link, None)
        for link in self.manager.body.get("targetPools", []):
            pool = self.project.find(parse(link, self.project.name, "targetPools"))
            if pool is not None and pool.body.get("instances"):
                pool.body["instances"] = [it for it in pool.body["instances"] if it != item.key.link]

    def group(self):
        key = self.manager.key
        return self.project.items.get(Key(key.project, key.location, "instanceGroups", key.name))

    def delete(self, member, shrink=False):
        if self.members.get(member.key.name) is not member or member.action == "DELETING":
            return
        if shrink:
            self.manager.body["targetSize"] = max(0, self.target - 1)
        member.action = "DELETING"
        self.destroy(member, lambda: self.forget(member))

    def destroy(self, member, then):
        """Ends a member's instance, and then goes on."""
        item = member.item
        if item is None:
            self.later(then)
            return
        item.deleting = True
        item.body["status"] = "STOPPING"

        def done():
            if self.project.items.get(item.key) is item:
                item.notes.pop("manager", None)
                Instances().remove(self.project, item)
            then()

        self.later(done)

    def forget(self, member):
        if self.members.get(member.key.name) is member:
            del self.members[member.key.name]
        self.reconcile()

    def abandon(self, member):
        if self.members.get(member.key.name) is not member:
            return
        self.manager.body["targetSize"] = max(0, self.target - 1)
        item = member.item
        del self.members[member.key.name]
        if item is not None:
            item.notes.pop("manager", None)
            self.leave(item)

    def recreate(self, member):
        """Another instance of the same name, of the version that is wanted now."""
        if self.members.get(member.key.name) is not member or member.action not in ("NONE", "CREATING"):
            return
        member.action = "RECREATING"

        def again():
            if self.members.get(member.key.name) is member:
                if member in self.outdated() or len(self.manager.body["versions"]) == 1:
                    member.version = (
                        self.versions()[0][0] if len(self.manager.body["versions"]) == 1 else self.next_version()
                    )
                self.make(member)

        self.destroy(member, again)

    def update(self, member, least):
        """Brings a member up to date now, whatever the policy's type."""
        policy = self.manager.body["updatePolicy"]
        if member not in self.outdated() and least not in ("REPLACE", "RESTART", "REFRESH"):
            return
        if member not in self.outdated() and least in ("RESTART", "REFRESH"):
            return
        if policy["replacementMethod"] == "RECREATE":
            self.recreate(member)
        else:
            # Its successor has another name.
            self.delete(member)

    def lost(self, item):
        """Somebody deleted a member's instance: it comes back under its name."""
        member = self.members.get(item.key.name)
        if member is None or self.ending or member.action in ("DELETING", "RECREATING"):
            return
        member.action = "RECREATING"
        self.later(lambda: self.make(member))

    def stop(self):
        """The manager is being deleted, and its members with it."""
        self.ending = True
        for member in self.members.values():
            member.action = "DELETING"
            if member.item is not None:
                member.item.deleting = True
                member.item.body["status"] = "STOPPING"

    def end(self):
        self.ending = True
        for member in list(self.members.values()):
            item = member.item
            if item is not None:
                item.notes.pop("manager", None)
                Instances().remove(self.project, item)
        self.members = {}

    # ------------------------------------------------------------ what reads show

    def summary(self):
        names = (
            "abandoning", "creating", "creatingWithoutRetries", "deleting", "none", "recreating", "refreshing", "restarting",
            "resuming", "starting", "stopping", "suspending", "verifying",
        )  # fmt: skip
        actions = dict.fromkeys(names, 0)
        for member in self.members.values():
            actions[member.action.lower()] += 1
        stable = all(it.is_up for it in self.members.values()) and len(self.members) == self.target
        return {
            "currentActions": actions,
            "status": {
                "isStable": stable,
                "versionTarget": {"isReached": not self.outdated() and stable},
                "allInstancesConfig": {"effective": True},
                "stateful": {"hasStatefulConfig": False, "perInstanceConfigs": {"allEffective": True}},
            },
        }


def short(version):
    return {key: version[key] for key in ("instanceTemplate", "name") if key in version}

"""Service accounts and the policies of projects: IAM v1, Resource Manager v1 and v3."""

import base64
import copy
import hashlib
import itertools
import re
import time

import paging
from errors import canonical, not_modelled

OWNER = "user:owner@example.com"
ACCOUNT_ID = re.compile(r"[a-z]([-a-z0-9]{4,28}[a-z0-9])")
MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain|principal|principalSet|projectOwner|projectEditor"
    r"|projectViewer|deleted:(user|group|serviceAccount)):.+"
)
ROLE = re.compile(r"(roles/[\w.]+|(projects|organizations)/[^/]+/roles/[\w.]+)")


class Account:
    numbers = itertools.count(100_000_000_000_000_000_001)

    def __init__(self, project, account_id, given):
        self.email = f"{account_id}@{project.name}.iam.gserviceaccount.com"
        self.name = f"projects/{project.name}/serviceAccounts/{self.email}"
        self.id = str(next(self.numbers))
        self.made = time.monotonic()
        self.fields = {key: value for key, value in given.items() if key in ("displayName", "description") and value}
        self.disabled = False
        self.policy = Policy()

    def body(self, project):
        body = {
            "name": self.name,
            "projectId": project.name,
            "uniqueId": self.id,
            "email": self.email,
            **self.fields,
            "etag": etag(f"{self.fields} {self.disabled}"),
            "oauth2ClientId": self.id,
        }
        if self.disabled:
            body["disabled"] = True
        return body


class Default(Account):
    """The account of the project's machines, which comes with Compute Engine and which nobody makes."""

    def __init__(self, project):
        super().__init__(project, "default", {"displayName": "Compute Engine default service account"})
        self.email = f"{project.number}-compute@developer.gserviceaccount.com"
        self.name = f"projects/{project.name}/serviceAccounts/{self.email}"
        self.id = project.number


class Policy:
    """Bindings of roles to members, changed by read, modify, write."""

    def __init__(self, bindings=()):
        self.bindings = list(bindings)
        self.audit = None
        self.version = 1
        self.writes = 0

    @property
    def etag(self):
        # Google's begins with BwX and grows.
        return base64.b64encode(b"\x07" + (1_700_000_000_000 + self.writes).to_bytes(7, "big")).decode()

    def body(self, requested=None):
        body = {"version": self.version, "etag": self.etag}
        if self.bindings:
            bindings = copy.deepcopy(self.bindings)
            # A client that does not know conditions sees versions of roles that it cannot write back.
            if (requested or 1) < 3 and any("condition" in binding for binding in bindings):
                body["version"] = 1
                for binding in bindings:
                    if binding.pop("condition", None):
                        binding["role"] += "_withcond_0123456789abcdef"
            body["bindings"] = bindings
        if self.audit:
            body["auditConfigs"] = self.audit
        return body

    def set(self, given, check):
        """Replaces the policy; `check(member)` may refuse a member."""
        if given.get("etag") and given["etag"] != self.etag:
            raise canonical(
                409,
                "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
                "aborted",
                "ABORTED",
            )
        bindings = {}
        for binding in given.get("bindings", []):
            if not ROLE.fullmatch(binding.get("role", "")):
                raise canonical(400, f"Role {binding.get('role')} is not supported for this resource.")
            condition = binding.get("condition")
            if condition and given.get("version") != 3:
                raise canonical(400, "Conditions need policy version 3.")
            for member in binding.get("members", []):
                if not MEMBER.fullmatch(member):
                    raise canonical(400, f"The member {member} is of an unknown type.")
                check(member)
            # Bindings of one role become one; empty ones disappear.
            entry = bindings.setdefault((binding["role"], str(condition)), {"role": binding["role"], "members": []})
            entry["members"] = sorted({*entry["members"], *binding.get("members", [])})
            if condition:
                entry["condition"] = condition
        self.bindings = [it for _, it in sorted(bindings.items(), key=lambda pair: pair[0]) if it["members"]]
        self.audit = given.get("auditConfigs") or self.audit
        self.version = 3 if any("condition" in it for it in self.bindings) else 1
        self.writes += 1

    def forget(self, account):
        """A deleted account's memberships stay, under a name that nobody can get again."""
        dead = f"deleted:serviceAccount:{account.email}?uid={account.id}"
        for binding in self.bindings:
            binding["members"] = [dead if it == f"serviceAccount:{account.email}" else it for it in binding["members"]]


def etag(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def may_be_used(project, email):
    """Whether machines can run as an account: the project's own must exist."""
    if email.endswith(f"@{project.name}.iam.gserviceaccount.com"):
        account = project.accounts.get(email)
        return account is not None and not account.disabled and not is_young(project, account)
    return True


def is_young(project, account):
    return time.monotonic() - account.made < project.settings.account_delay


def check_member(project, member):
    """Accounts of emulated projects must exist, and be old enough for all to know them."""
    kind, _, email = member.partition(":")
    domain = ".iam.gserviceaccount.com"
    if kind != "serviceAccount" or not email.endswith(domain):
        return
    owner = project.world.projects.get(email.removesuffix(domain).partition("@")[2])
    account = owner.accounts.get(email) if owner else None
    if account is None or is_young(project, account):
        raise canonical(400, f"Service account {email} does not exist.")


# ---------------------------------------------------------------- service accounts


def project_of(world, name):
    """The project of `projects/P/serviceAccounts/A`; P may be `-`, A an email or a number."""
    _, project, *rest = name.split("/")
    if project != "-":
        return world.project(project)
    account = rest[1]
    if "@" in account:
        return world.project(account.partition("@")[2].removesuffix(".iam.gserviceaccount.com"))
    for candidate in world.projects.values():
        if any(it.id == account for it in candidate.accounts.values()):
            return candidate
    return world.project("-")


def find(call, parameter):
    wanted = call.path[parameter].split("/")[3]
    for account in call.project.accounts.values():
        if wanted in (account.email, account.id):
            return account
    if "@" not in wanted and not wanted.isdigit():
        raise canonical(
            400, f"Invalid form of account ID {wanted}. Should be [Gaia ID |Email |Unique ID |] of the account"
        )
    raise canonical(404, f"Unknown service account: {wanted}")


def create(call):
    project = call.project
    account_id = call.body.get("accountId", "")
    if not ACCOUNT_ID.fullmatch(account_id):
        message = (
            f'The account ID "{account_id}" does not have a length between 6 and 30, or has other than a-z, 0-9 and -.'
        )
        raise canonical(400, message)
    account = Account(project, account_id, call.body.get("serviceAccount", {}))
    check_fields(account.fields)
    if account.email in project.accounts:
        message = f"Service account {account_id} already exists within project projects/{project.name}."
        raise canonical(409, message, "alreadyExists", "ALREADY_EXISTS")
    project.accounts[account.email] = account
    return account.body(project)


def check_fields(fields):
    for field, limit in (("displayName", 100), ("description", 256)):
        if len(fields.get(field, "").encode()) > limit:
            raise canonical(400, f"{field} is longer than {limit} bytes.")


def listing(call):
    young = time.monotonic() - call.project.settings.list_delay
    accounts = [it for it in call.project.accounts.values() if it.made <= young]
    accounts = sorted([*accounts, Default(call.project)], key=lambda it: it.email)
    # The documented greatest page; 20 if none is asked for.
    call.query["pageSize"] = min(call.query.get("pageSize") or 20, 100)
    page, token = paging.cut(call, accounts, "pageSize")
    answer = {"accounts": [it.body(call.project) for it in page]} if page else {}
    return {**answer, "nextPageToken": token} if token else answer


def patch(call):
    account = find(call, "name")
    given = call.body.get("serviceAccount", {})
    mask = call.body.get("updateMask", "")
    fields = [it.strip() for it in mask.split(",") if it.strip()]
    if not fields:
        raise canonical(400, "The update mask must name at least one field.")
    if set(fields) - {"display_name", "description", "displayName"}:
        raise canonical(400, f"Only display_name and description can be changed, not {mask}.")
    if given.get("etag") and given["etag"] != account.body(call.project)["etag"]:
        raise canonical(409, "The etag is out of date.", "aborted", "ABORTED")
    for field in fields:
        name = "displayName" if field == "display_name" else field
        account.fields[name] = given.get(name, "")
    check_fields(account.fields)
    account.fields = {key: value for key, value in account.fields.items() if value}
    return account.body(call.project)


def delete(call):
    account = find(call, "name")
    del call.project.accounts[account.email]
    for project in call.world.projects.values():
        for policy in policies_of(project):
            policy.forget(account)
    return {}


def policies_of(project):
    yield project_policy(project)
    for account in project.accounts.values():
        yield account.policy
    for bucket in project.buckets.values():
        yield bucket.policy


def project_policy(project):
    if project.policy is None:
        project.policy = Policy([{"role": "roles/owner", "members": [OWNER]}])
    return project.policy


# ---------------------------------------------------------------- policies


def get_policy(call, policy):
    options = call.body.get("options", {})
    requested = options.get("requestedPolicyVersion") or call.query.get("options_requestedPolicyVersion")
    requested = requested or call.query.get("options.requestedPolicyVersion")
    if requested not in (None, 0, 1, 3):
        raise canonical(400, f"Invalid policy version {requested}.")
    return policy.body(requested)


def set_policy(call, policy):
    given = call.body.get("policy")
    if given is None:
        raise canonical(400, "The policy must be given.")
    policy.set(given, lambda member: check_member(call.project, member))
    return policy.body(3)


def test(call):
    asked = call.body.get("permissions", [])
    for permission in asked:
        if "*" in permission or permission.count(".") < 2:
            raise canonical(400, f"Permission {permission} is not valid for this resource.")
    allowed = [it for it in asked if not call.caller.faults.is_denied(it, call.token)]
    return {"permissions": allowed} if allowed else {}


def project_body(call):
    project = call.project
    if "cloudresourcemanager.v3" in call.method.path or call.method.path.startswith("/v3/"):
        return {
            "name": f"projects/{project.number}",
            "parent": "organizations/100000000001",
            "projectId": project.name,
            "state": "ACTIVE",
            "displayName": project.name,
            "createTime": "2024-01-01T00:00:00.000Z",
            "etag": etag(project.name),
        }
    return {
        "projectNumber": project.number,
        "projectId": project.name,
        "lifecycleState": "ACTIVE",
        "name": project.name,
        "createTime": "2024-01-01T00:00:00.000Z",
        "parent": {"type": "organization", "id": "100000000001"},
    }


def switch(call, disabled):
    find(call, "name").disabled = disabled
    return {}


HANDLERS = {
    "iam.projects.serviceAccounts.create": create,
    "iam.projects.serviceAccounts.get": lambda call: find(call, "name").body(call.project),
    "iam.projects.serviceAccounts.list": listing,
    "iam.projects.serviceAccounts.patch": patch,
    "iam.projects.serviceAccounts.delete": delete,
    "iam.projects.serviceAccounts.enable": lambda call: switch(call, False),
    "iam.projects.serviceAccounts.disable": lambda call: switch(call, True),
    "iam.projects.serviceAccounts.getIamPolicy": lambda call: get_policy(call, find(call, "resource").policy),
    "iam.projects.serviceAccounts.setIamPolicy": lambda call: set_policy(call, find(call, "resource").policy),
    "iam.projects.serviceAccounts.testIamPermissions": lambda call: find(call, "resource") and test(call),
    "cloudresourcemanager.projects.get": project_body,
    "cloudresourcemanager.projects.getIamPolicy": lambda call: get_policy(call, project_policy(call.project)),
    "cloudresourcemanager.projects.setIamPolicy": lambda call: set_policy(call, project_policy(call.project)),
    "cloudresourcemanager.projects.testIamPermissions": test,
}


def handle(call):
    handler = HANDLERS.get(call.method.id)
    if handler is None:
        raise not_modelled(call.method.id)
    return handler(call)

"""What a role may do: its policies with resources and conditions, which moto does not look at.

Nothing is allowed unless a statement allows it for every resource that the request is about; what a statement denies
stays denied. An operator or a variable that is not known here is an error, not a guess.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import fnmatch
import json
import re

# Operations of S3 whose permission has another name.
S3_PERMISSIONS = {
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
}
# What identifiers of EC2 begin with, and what ARNs call the objects.
EC2_KINDS = {
    "eni": "network-interface",
    "i": "instance",
    "lt": "launch-template",
    "rtb": "route-table",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
# What calls of EC2 create, which is named in the policy without an identifier.
EC2_CREATES = {
    "CreateSecurityGroup": "security-group",
    "CreateSnapshot": "snapshot",
    "CreateVolume": "volume",
}


class Unknown(Exception):
    """A policy has something in it that is not understood here."""


def permission(request):
    """The permission that a request needs, `service:Action` as policies write it."""
    if request.service == "s3":
        return f"s3:{S3_PERMISSIONS.get(request.action, request.action)}"
    return request.name


def allowed(policies, action, resources):
    """Whether policies (parsed documents) allow an action on all resources: pairs of an ARN or `*`, and the values of
    condition keys for it."""
    return all(_allowed(policies, action, arn, context) for arn, context in resources)


def _allowed(policies, action, arn, context):
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _many(policy["Statement"])
        if _applies(statement, action, arn, context)
    }
    return "Allow" in effects and "Deny" not in effects


def _applies(statement, action, arn, context):
    if "NotAction" in statement or "NotResource" in statement:
        raise Unknown("NotAction and NotResource in a policy")
    return (
        any(_like(action.lower(), pattern.lower()) for pattern in _many(statement["Action"]))
        and any(_like(arn, _filled(pattern, context)) for pattern in _many(statement["Resource"]))
        and all(
            _condition(operator, key, _many(values), context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _condition(operator, key, values, context):
    actual = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return any((actual is None) == (str(value).lower() == "true") for value in values)
    name, if_exists = re.fullmatch(r"(.*?)(IfExists)?", operator).groups()
    if actual is None and if_exists:
        return True
    values = [_filled(value, context) for value in values]
    if name == "StringEquals":
        return actual in values
    if name == "StringNotEquals":
        return actual not in values
    if name == "StringLike":
        return actual is not None and any(_like(actual, value) for value in values)
    if name == "StringNotLike":
        return actual is None or not any(_like(actual, value) for value in values)
    raise Unknown(f"the operator {operator} in a policy")


def _filled(text, context):
    """A value with its variables, `${aws:userid}`, put in."""

    def value(found):
        known = {name.lower(): it for name, it in context.items()}
        if found[1].lower() not in known:
            raise Unknown(f"the variable {found[0]} in a policy")
        return known[found[1].lower()]

    return re.sub(r"\$\{([^}]+)\}", value, text)


def _like(text, pattern):
    # A bracket is nothing special in a policy.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _many(value):
    return value if isinstance(value, list) else [value]


def documents(role):
    """The policies of one of moto's roles, parsed."""
    attached = [policy.document for policy in role.managed_policies.values()]
    return [json.loads(text) for text in [*role.policies.values(), *attached]]


# ---------------------------------------------------------------- what a request is about


def resources(request, bucket_path, account, tags_of, principal):
    """The resources of a request with their condition keys. `bucket_path` is `bucket/key` of a request to S3; `tags_of`
    gives the tags of an object of EC2; `principal` are keys that say who asks."""
    if request.service == "s3":
        bucket, _, key = bucket_path.partition("/")
        context = dict(principal)
        if permission(request) == "s3:ListBucket":
            context["s3:prefix"] = request.query.get("prefix", [""])[0]
            key = ""
        return [(f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}", context)]
    if request.service != "ec2" or not request.mutates:
        return [("*", dict(principal))]
    return list(_of_ec2(request, account, tags_of, principal))


def _of_ec2(request, account, tags_of, principal):
    def arn(kind, name):
        return f"arn:aws:ec2:{request.region}:{account}:{kind}/{name}"

    asked = {f"aws:RequestTag/{key}": value for key, value in _request_tags(request.form)}
    created = EC2_CREATES.get(request.action)
    if created:
        yield arn(created, "*"), {**principal, **asked}
    for identifier in _identifiers(request.form):
        kind = EC2_KINDS.get(identifier.partition("-")[0])
        if kind is None:
            raise Unknown(f"the object {identifier} of {request.name}")
        tags = {
            f"{who}:ResourceTag/{key}": value for key, value in tags_of(identifier).items() for who in ("aws", "ec2")
        }
        yield arn(kind, identifier), {**principal, **asked, **tags}
    if not created and not any(True for _ in _identifiers(request.form)):
        yield "*", {**principal, **asked}


def _identifiers(form):
    for name, values in form.items():
        if re.search(r"(Id|ResourceId)(\.\d+)?$", name) and re.fullmatch(r"[a-z]+-[0-9a-f]{8,17}", values[0]):
            yield values[0]


def _request_tags(form):
    """Tags in `TagSpecification.1.Tag.2.Key` and, of CreateTags, `Tag.2.Key`."""
    for name, values in form.items():
        if re.fullmatch(r"(TagSpecification\.\d+\.)?Tag\.\d+\.Key", name):
            yield values[0], form.get(name[:-3] + "Value", [""])[0]

"""Errors the way Azure Resource Manager says them."""


class ArmError(Exception):
    """An answer that is an error."""

    def __init__(self, status, code, message, target=None, headers=None, details=None):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.headers = headers or {}
        self.details = details

    def body(self):
        return {"error": self.content()}

    def content(self):
        content = {"code": self.code, "message": self.message}
        if self.target:
            content["target"] = self.target
        if self.details is not None:
            content["details"] = self.details
        return content


def bad_request(code, message, target=None):
    return ArmError(400, code, message, target)


def conflict(code, message, target=None):
    return ArmError(409, code, message, target)


def missing(path):
    """A member that a request must have."""
    return bad_request("InvalidParameter", f"Required parameter '{path}' is missing (null).", path)


def not_found(resource_id):
    """The resource of an id is not there."""
    parts = resource_id.strip("/").split("/")
    group = parts[3] if len(parts) > 3 else ""
    provider = [index for index, part in enumerate(parts) if part.lower() == "providers"]
    tail = parts[provider[-1] + 1 :] if provider else []
    name = "/".join([*tail[:1], *(piece for pair in zip(tail[1::2], tail[2::2]) for piece in pair)])
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def group_not_found(name):
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


class Lost(Exception):
    """The connection is to be closed without an answer."""

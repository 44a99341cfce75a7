"""Errors the way Google's APIs write them."""

# Canonical codes of the newer APIs. Compute's, DNS' and Storage's own errors carry none: they name a reason.
STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

# What HTTP calls them, as operations repeat it.
PHRASE = {
    400: "BAD REQUEST",
    403: "FORBIDDEN",
    404: "NOT FOUND",
    409: "CONFLICT",
    412: "PRECONDITION FAILED",
    429: "TOO MANY REQUESTS",
    500: "INTERNAL SERVER ERROR",
    503: "SERVICE UNAVAILABLE",
}


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, code, message, reason, status=None, details=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.status = status
        self.details = details

    def body(self):
        error = {
            "code": self.code,
            "message": self.message,
            "errors": [{"message": self.message, "domain": "global", "reason": self.reason}],
        }
        if self.status:
            error["status"] = self.status
        if self.details:
            error["details"] = self.details
        return {"error": error}


def invalid(message):
    return ApiError(400, message, "invalid")


def bad_value(field, value, why):
    return invalid(f"Invalid value for field '{field}': '{_short(value)}'. {why}")


def required(field):
    return ApiError(400, f"Required field '{field}' not specified", "required")


def malformed(message):
    """What the front end says to a request that does not fit the method's description."""
    return ApiError(400, message, "badRequest", "INVALID_ARGUMENT")


def not_found(path):
    return ApiError(404, f"The resource '{path}' was not found", "notFound")


def already_exists(path):
    return ApiError(409, f"The resource '{path}' already exists", "alreadyExists")


def not_ready(path):
    return ApiError(400, f"The resource '{path}' is not ready", "resourceNotReady")


def in_use(label, path, user):
    message = f"The {label} resource '{path}' is already being used by '{user}'"
    return ApiError(400, message, "resourceInUseByAnotherResource")


def condition_not_met(message="Supplied fingerprint does not match current metadata fingerprint."):
    return ApiError(412, message, "conditionNotMet")


def unknown_path(method, path):
    return ApiError(404, f"The requested URL {path} was not found on this server ({method}).", "notFound", "NOT_FOUND")


def not_modelled(method):
    return ApiError(501, f"The emulator does not model {method}.", "notImplemented", "UNIMPLEMENTED")


def canonical(code, message, reason=None, status=None, details=None):
    """An error of the newer APIs (IAM, Resource Manager)."""
    status = status or STATUS[code]
    reasons = {"NOT_FOUND": "notFound", "ALREADY_EXISTS": "alreadyExists", "PERMISSION_DENIED": "forbidden"}
    return ApiError(code, message, reason or reasons.get(status, "badRequest"), status, details)


def _short(value):
    text = str(value)
    return text if len(text) <= 200 else text[:200] + "…"

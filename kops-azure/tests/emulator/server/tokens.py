"""Who asks: the endpoints that give tokens, and the tokens.

Any bearer token is good. Those that were given out here carry their client and their end
(`emulated.CLIENT.SECONDS`), and are refused after it.
"""

import re
import time
import urllib.parse

from errors import ArmError
from kinds import Answer

LIFETIME = 86_399


class Tokens:
    def __init__(self, tenant):
        self.tenant = tenant
        self.lifetime = LIFETIME

    def endpoint(self, method, path, query, headers, body):
        """The answer of a token endpoint, or `None` when the path is none."""
        lower = path.lower()
        if re.fullmatch(r"/[^/]+/oauth2(/v2\.0)?/token", lower) and not lower.startswith("/metadata/"):
            return self.service_principal(method, body)
        if lower == "/metadata/identity/oauth2/token":
            return self.managed_identity(query, headers)
        if lower.endswith("/.well-known/openid-configuration"):
            return self.discovery(path, headers)
        return None

    def service_principal(self, method, body):
        form = dict(urllib.parse.parse_qsl(body.decode("latin1")))
        if method != "POST":
            return Answer(405, {"error": "invalid_request"})
        kind = form.get("grant_type")
        if kind not in ("client_credentials", "refresh_token"):
            return refused("unsupported_grant_type", f"AADSTS70003: The app requested an unsupported grant type '{kind}'.")
        client = form.get("client_id")
        if not client:
            return refused("invalid_request", "AADSTS900144: The request body must contain the parameter: 'client_id'.")
        if not form.get("client_secret") and not form.get("client_assertion"):
            return refused("invalid_client", "AADSTS7000216: 'client_assertion' or 'client_secret' is required.", 401)
        if form.get("client_secret") == "wrong":
            return refused("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        if not form.get("scope") and not form.get("resource"):
            return refused("invalid_request", "AADSTS900144: The request body must contain the parameter: 'scope'.")
        return Answer(200, self.token(client))

    def managed_identity(self, query, headers):
        if headers.get("metadata", "").lower() != "true":
            return Answer(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
        if "api-version" not in query or "resource" not in query:
            return Answer(400, {"error": "invalid_request", "error_description": "api-version and resource are required"})
        client = query.get("client_id", "00000000-0000-0000-0000-00000000a11a")
        return Answer(200, {**self.token(client), "client_id": client, "resource": query["resource"]})

    def discovery(self, path, headers):
        base = f"http://{headers.get('host')}/{path.strip('/').split('/')[0]}"
        return Answer(
            200,
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
            },
        )

    def token(self, client):
        ends = int(time.time() + self.lifetime)
        return {
            "token_type": "Bearer",
            "access_token": f"emulated.{client}.{ends}",
            "expires_in": max(0, int(self.lifetime)),
            "ext_expires_in": max(0, int(self.lifetime)),
            "expires_on": str(ends),
            "not_before": str(int(time.time())),
        }

    # ------------------------------------------------------------ use

    def bearer(self, headers):
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def check(self, headers):
        token = self.bearer(headers)
        if not token:
            raise ArmError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        kind, _, rest = token.partition(".")
        if kind == "emulated":
            ends = rest.rpartition(".")[2]
            if not ends.isdigit():
                raise ArmError(401, "InvalidAuthenticationToken", "The access token is invalid.")
            if int(ends) < time.time():
                raise ArmError(
                    401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."
                )

    def client(self, token):
        """Whose token it is."""
        return token.split(".")[1] if token.startswith("emulated.") else token[:64]


def refused(error, description, status=400):
    return Answer(status, {"error": error, "error_description": description})


def unauthorized(error):
    header = (
        'Bearer authorization_uri="https://login.windows.net/", error="invalid_token", '
        f'error_description="{error.message}"'
    )
    return Answer(401, error.body(), {"WWW-Authenticate": header})

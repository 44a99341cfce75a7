"""The services of AWS under their own names and over TLS, for machines: whoever asks must be a machine's role.

A certificate of the lab's authority, which the machines' image trusts, covers the names. The signature of each request
is checked, and the policies of the role decide; so a machine gets what it would get on AWS, and nothing else.
"""

import datetime
import io
import re
import ssl
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from werkzeug.serving import ThreadedWSGIServer

from . import namespace, policies, signature


ANONYMOUS = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>the request is not signed by a machine's role</Message></Error>"""


class Server(ThreadedWSGIServer):
    """A WSGI server on a socket that listens already, with TLS if there is a context for it."""

    def __init__(self, listening, application, handler, context=None):
        host, port = listening.getsockname()
        super().__init__(host, port, application, handler, fd=listening.fileno())
        listening.close()
        self.ssl_context = context
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        connection.settimeout(60)
        if self.ssl_context is not None:
            # The handshake is made by the connection's own thread: a machine may die in the middle of it.
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request, client_address):
        """Machines die in the middle of a call."""


class Door:
    """The WSGI application for machines."""

    ADDRESS = "10.77.0.2"

    def __init__(self, site, handler):
        self.site = site
        listening = namespace.listen(site.lab.namespace, self.ADDRESS, 443)
        self.server = Server(listening, self, handler, tls(site.lab.authority, names(site.region)))

    def __call__(self, environ, start_response):
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", ""):
            body = environ["wsgi.input"].read()
        else:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        key = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        who = self.site.identities.holder(key[1]) if key else None
        if who is None:
            # The log of calls is an account's, and nobody knows whose this is.
            text = ANONYMOUS
            start_response("403 Forbidden", [("Content-Type", "text/xml"), ("Content-Length", str(len(text)))])
            return [text]
        # Checked as it came; only then are hosts of buckets put into the path.
        problem = signature.wrong(environ, body, who.secret, who.token)
        bucket = re.match(r"(?P<bucket>.+)\.s3[.-]", environ["HTTP_HOST"])
        if bucket:
            environ["PATH_INFO"] = f"/{bucket['bucket']}{environ['PATH_INFO']}"
            environ["HTTP_HOST"] = environ["HTTP_HOST"][len(bucket["bucket"]) + 1 :]
            environ["RAW_URI"] = environ["REQUEST_URI"] = f"/{bucket['bucket']}{environ['RAW_URI']}"
        environ["kops.who"] = who.instance
        environ["kops.guard"] = lambda request: problem and (403, *problem) or self.refusal(environ, request, who)
        return self.site.harness(environ, start_response)

    def refusal(self, environ, request, who):
        """Why a role may not do this, as (status, code, message); nothing if it may."""
        path = environ["PATH_INFO"].strip("/")
        code = "UnauthorizedOperation" if request.service == "ec2" else "AccessDenied"
        with self.site.harness.working:
            view = self.site.view
            role = view.role(who.role)
            granted = policies.documents(role) if role else []
            about = policies.resources(request, path, self.site.account.number, view.tags, who.principal())
            there = request.service != "s3" or view.has_object(*path.partition("/")[::2])
        action = policies.permission(request)
        if not policies.allowed(granted, action, about):
            whom = f"arn:aws:sts::{self.site.account.number}:assumed-role/{who.role}/{who.instance}"
            return 403, code, f"User: {whom} is not authorized to perform: {action} on resource: {about[0][0]}"
        if action == "s3:GetObject":
            # S3 tells only those that something is not there who may list.
            bucket, _, key = path.partition("/")
            listing = [(f"arn:aws:s3:::{bucket}", {**who.principal(), "s3:prefix": key})]
            if not policies.allowed(granted, "s3:ListBucket", listing) and not there:
                return 403, code, "Access Denied"
        return None


def names(region):
    """The names of the services that the door answers under."""
    return [
        f"*.{region}.amazonaws.com",
        f"*.s3.{region}.amazonaws.com",
        "s3.amazonaws.com",
        "*.s3.amazonaws.com",
        "iam.amazonaws.com",
        "route53.amazonaws.com",
        "sts.amazonaws.com",
    ]


def is_service(name, region):
    """Whether a name, in lower case, is one of `names`."""
    return any(re.fullmatch(re.escape(it).replace(r"\*", r".+"), name) for it in names(region))


def tls(authority, covered):
    """A server's context with a new certificate of the lab's authority."""
    issuer = x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
    issuer_key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "services of AWS")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in covered]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The module reads files only.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        file.flush()
        context.load_cert_chain(file.name)
    return context

#!/usr/bin/env python3
"""moto as a server for tests: isolated accounts, a log of calls, latency, faults, snapshots.

    serve.py [--port PORT] [--until-eof]

Prints `PORT` on a line once it listens on 127.0.0.1. With `--until-eof` it ends when its standard input does:
whoever started it holds the other end, so it never outlives a test, however that test dies.

**Accounts.** The last twelve digits of an access key name the account, e.g. `AKIA0000123456789012`. Accounts
share nothing (but the names of S3 buckets), so tests can share a server. With the prefix `AKIA9999` calls are
neither logged nor delayed nor failed: that is how the harness itself looks into an account.

**Requests are atomic**: moto is not thread-safe, so only one is worked on at a time. Latency and held answers
wait outside that lock.

**Control** under `/_emulator/ACCOUNT/…`: see `Harness.CONTROLS`.
"""

import argparse
import functools
import io
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback

# Read while moto is imported. Its own images are hundreds, each with a snapshot, in every account.
os.environ["MOTO_AMIS_PATH"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images.json")
# Accounts have AWS's own policies; see below for which.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.iam import models as iam
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

import calls
import faults
import foreign
import repairs  # noqa: F401  (applied by being imported)
import repairs_machines  # noqa: F401
import snapshot
import speed  # noqa: F401
import strict  # noqa: F401

# AWS has some 1,300 policies of its own, and moto reads them anew for every account. These are enough.
POLICIES = ["AmazonS3ReadOnlyAccess", "AmazonSSMManagedInstanceCore", "PowerUserAccess"]
iam.aws_managed_policies_data = json.dumps(
    {name: policy for name, policy in json.loads(iam.aws_managed_policies_data).items() if name in POLICIES}
)

REGION = "us-east-1"
UNOBSERVED = "AKIA9999"


class Account:
    """What the harness keeps about one account."""

    def __init__(self, number):
        self.number = number
        self.lock = threading.Lock()
        self.faults = faults.Faults()
        self.latency = 0.0
        # Answers to EC2 calls with a client token, by (region, action, token).
        self.tokens = {}
        self.forget_calls()

    def forget_calls(self):
        with self.lock:
            self.calls = []
            self.in_flight = 0
            self.most_in_flight = 0

    def begin(self):
        with self.lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self, call):
        with self.lock:
            # A call that was under way when the log was cleared does not count below zero.
            self.in_flight = max(0, self.in_flight - 1)
            self.calls.append(call)


class Lost(Exception):
    """The connection is to be closed without an answer."""


class Harness:
    """The WSGI application."""

    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.port = None
        self.working = threading.Lock()
        self.accounts = {}
        self.accounts_lock = threading.Lock()
        self.session = boto3.session.Session()
        self.session_lock = threading.Lock()
        # The account whose instances are machines of the lab, if there is one.
        self.site = None

    def account(self, number):
        with self.accounts_lock:
            if number not in self.accounts:
                self.accounts[number] = Account(number)
            return self.accounts[number]

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if path.startswith("/_emulator/"):
            return self.control(path, environ["wsgi.input"].read(length), start_response)
        chunked = environ.get("wsgi.input_terminated")
        body = environ["wsgi.input"].read() if chunked else environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        request = calls.identify(environ, body)
        if request is None:
            return list(self.moto(environ, start_response))
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = request.access_key[-12:]
        if request.access_key.startswith(UNOBSERVED) and "kops.guard" not in environ:
            with self.working:
                return [b"".join(self.moto(environ, start_response))]
        try:
            status, headers, answer = self.observed(environ, request)
        except Lost:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError from None
        start_response(status, headers)
        return [answer]

    def observed(self, environ, request):
        """Answers a test's request: log, latency, permissions, faults, work."""
        account = self.account(request.access_key[-12:])
        account.begin()
        started = time.monotonic()
        status, code = "000", None
        try:
            time.sleep(account.latency)
            status, headers, answer = self.struck(environ, request, account)
            if status[0] not in "23":
                code = _error_code(answer)
            return status, headers, answer
        finally:
            account.end(
                {
                    "action": request.name,
                    "mutation": request.mutates,
                    "path": environ["PATH_INFO"],
                    "by": environ.get("kops.who"),
                    "status": int(status[:3]),
                    "code": code,
                    "start": round(started, 4),
                    "seconds": round(time.monotonic() - started, 4),
                }
            )

    def struck(self, environ, request, account):
        """The answer after permissions and faults."""
        # Who comes in by the machines' door is a role, and may do what its policies say; see `machines/door.py`.
        guard = environ.get("kops.guard")
        if guard and (refusal := guard(request)):
            return _error(request, *refusal)
        if account.faults.is_denied(request.name):
            code = "UnauthorizedOperation" if request.service == "ec2" else "AccessDenied"
            return _error(request, 403, code, f"You are not authorized to perform: {request.name}")
        rule = account.faults.strike(request.name, environ["PATH_INFO"], request.mutates)
        if rule is None:
            return self.work(environ, request, account)
        if rule.refuses:
            code, status, message = rule.error(request.service)
            return _error(request, status, code, message)
        if rule.what == "drop":
            raise Lost
        answer = self.work(environ, request, account)
        if rule.what == "lose":
            raise Lost
        account.faults.hold(rule, answer[0][0] == "2")
        return answer

    def work(self, environ, request, account):
        """What AWS would do: moto's work, and what moto lacks around it."""
        if request.service == "ec2" and request.parameter("DryRun") == "true":
            # moto carries out some calls that only ask whether they may be.
            return _error(request, 412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        if request.name == "iam:SimulatePrincipalPolicy":
            return self.simulate(request, account)
        token = request.parameter("ClientToken") if request.service == "ec2" else None
        if token is None:
            return self.run(environ)
        # moto ignores client tokens. AWS answers a repeated call as it answered the first.
        key = (request.region, request.action, token)
        with account.lock:
            earlier = account.tokens.get(key)
        if earlier:
            if earlier[0] != request.form:
                return _error(request, 400, "IdempotentParameterMismatch", "another call used this client token")
            return earlier[1]
        answer = self.run(environ)
        if answer[0][0] == "2":
            with account.lock:
                account.tokens[key] = (request.form, answer)
        return answer

    def run(self, environ):
        """moto's answer."""
        collected = []

        def start(status, headers, error=None):
            collected[:] = [status, headers]

        with self.working:
            try:
                answer = b"".join(self.moto(environ, start))
            except Exception:
                traceback.print_exc()
                return "500 Internal Server Error", [("Content-Type", "text/plain")], traceback.format_exc().encode()
        status, headers = collected
        if status.startswith("500"):
            sys.stderr.write(f"moto: {answer[:2000].decode(errors='replace')}\n")
        return status, headers, answer

    def simulate(self, request, account):
        """moto has no policy simulator: what `deny` lists is denied, all else allowed."""
        results = ""
        index = 1
        while action := request.parameter(f"ActionNames.member.{index}"):
            decision = "implicitDeny" if account.faults.is_denied(action) else "allowed"
            results += (
                f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>"
                f"<EvalDecision>{decision}</EvalDecision></member>"
            )
            index += 1
        text = (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            "<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
            f"<EvaluationResults>{results}</EvaluationResults></SimulatePrincipalPolicyResult>"
            "<ResponseMetadata><RequestId>simulated</RequestId></ResponseMetadata>"
            "</SimulatePrincipalPolicyResponse>"
        )
        return "200 OK", [("Content-Type", "text/xml")], text.encode()

    # ---------------------------------------------------------------- control

    def control(self, path, body, start_response):
        _, _, number, name = path.split("/", 3)
        arguments = json.loads(body) if body else {}
        try:
            answer = self.CONTROLS[name](self, self.account(number), **arguments)
            status = "200 OK"
        except Exception:
            answer, status = {"error": traceback.format_exc()}, "500 Internal Server Error"
        text = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]

    def clients(self, account):
        @functools.cache
        def client(service):
            # Making clients from one session is not thread-safe; using them is.
            with self.session_lock:
                return self.session.client(
                    service,
                    endpoint_url=f"http://127.0.0.1:{self.port}",
                    region_name=REGION,
                    aws_access_key_id=f"{UNOBSERVED}{account.number}",
                    aws_secret_access_key="harness",
                    config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
                )

        return client

    def show_calls(self, account):
        with account.lock:
            return {"calls": list(account.calls), "most_in_flight": account.most_in_flight}

    def set_latency(self, account, milliseconds):
        account.latency = milliseconds / 1000

    def make_bucket(self, account, name):
        self.clients(account)("s3").create_bucket(Bucket=name)

    def make_zone(self, account, name):
        zone = self.clients(account)("route53").create_hosted_zone(Name=name, CallerReference=name)
        return zone["HostedZone"]["Id"].rsplit("/", 1)[-1]

    def boto(self, account, service, call, arguments):
        """Any call through boto3, unobserved: what somebody else does by hand."""
        return json.loads(json.dumps(getattr(self.clients(account)(service), call)(**arguments), default=str))

    def boto_refused(self, account, service, call, arguments):
        """The error's code and message of such a call, or nothing if it is answered."""
        try:
            self.boto(account, service, call, arguments)
        except ClientError as error:
            return {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
        return None

    def start_machines(self, account, command, layers):
        """Instances of the account are machines of the lab from here on; `layers` by image, `*` for all others. Tells the
        lab's network namespace and the file that says who resolves names there, or nothing while another account has the
        lab, here or in another process."""
        if self.site is not None:
            return None
        # Only whoever wants machines needs what they need: root, Linux, the lab.
        from machines.lab import Busy
        from machines.site import Site

        try:
            self.site = Site(self, account, REGION, Handler, command, layers)
        except Busy:
            return None
        return {"namespace": self.site.lab.namespace, "resolver": str(self.site.lab.resolver)}

    def stop_machines(self, account):
        if self.site is not None:
            self.site.close()
            self.site = None

    CONTROLS = {
        "calls": show_calls,
        "forget-calls": lambda self, account: account.forget_calls(),
        "latency": set_latency,
        "fault": lambda self, account, **rule: account.faults.add(**rule),
        "clear-faults": lambda self, account: (account.faults.release(), account.faults.clear()) and None,
        "held": lambda self, account: account.faults.held,
        "release": lambda self, account: account.faults.release(),
        "deny": lambda self, account, actions: account.faults.deny(actions),
        "snapshot": lambda self, account: snapshot.take(self.clients(account)),
        "foreign": lambda self, account, cluster: foreign.seed(self.clients(account), cluster, REGION),
        "bucket": make_bucket,
        "zone": make_zone,
        "boto": boto,
        "boto-refused": boto_refused,
        "start-machines": start_machines,
        "stop-machines": stop_machines,
        "machines": lambda self, account: self.site.follower.show(),
        "machine-kill": lambda self, account, **it: self.site.follower.kill(**it),
        "machine-power": lambda self, account, **it: self.site.follower.power(**it),
        "machine-execute": lambda self, account, instance, command: self.site.lab.execute(instance, command),
    }


def _error(request, status, code, message):
    text = faults.error_document(request.service, code, message)
    return f"{status} Error", [("Content-Type", "text/xml"), ("Content-Length", str(len(text)))], text


def _error_code(answer):
    found = answer.partition(b"<Code>")[2].partition(b"</Code>")[0]
    return found.decode() if found else None


class Handler(MotoRequestHandler):
    """Connections kept alive, nothing printed, answers not delayed by Nagle's algorithm."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_):
        pass

    def connection_dropped(self, error, environ=None):
        pass


def end_with_input(harness):
    sys.stdin.buffer.read()
    try:
        # Machines outlive the process that booted them.
        harness.stop_machines(None)
    finally:
        os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free one")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    harness = Harness()
    server = make_server("127.0.0.1", arguments.port, harness, threaded=True, request_handler=Handler)
    harness.port = server.port
    os.environ["MOTO_PORT"] = str(server.port)
    if arguments.until_eof:
        threading.Thread(target=lambda: end_with_input(harness), daemon=True).start()
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

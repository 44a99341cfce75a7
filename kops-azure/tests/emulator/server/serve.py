#!/usr/bin/env python3
"""Azure Resource Manager as a server for tests: isolated subscriptions, a log of calls, latency, faults, snapshots.

    serve.py [--port PORT] [--cache DIRECTORY] [--until-eof] [--prepare] [--check-answers]

Prints `PORT` on a line once it listens on 127.0.0.1. With `--until-eof` it ends when its standard input does:
whoever started it holds the other end, so it never outlives a test, however that test dies. `--prepare` only fills
the cache with the vendor's data and ends.

**Subscriptions** are made by being named, and share nothing, so tests can share a server.

**Control** under `/_emulator/SUBSCRIPTION/…`: see `control.py`.
"""

import argparse
import http.server
import os
import socket
import sys
import threading
import traceback
import uuid

import app
import control
import schema
from errors import Lost


class Handler(http.server.BaseHTTPRequestHandler):
    """Connections kept alive, nothing printed, answers not delayed by Nagle's algorithm."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = self.chunks()
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            if self.path.startswith("/_emulator/"):
                status, more, content = control.handle(self.server.app, self.path, body)
            else:
                status, more, content = self.server.app.handle(self.command, self.path, headers, body)
        except Lost:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        except Exception:
            # A fault of the emulator itself: loud, and not to be taken for one of Azure's.
            traceback.print_exc()
            status, more, content = 599, {"Content-Type": "text/plain"}, traceback.format_exc().encode()
        self.send_response(status)
        more.setdefault("x-ms-request-id", str(uuid.uuid4()))
        more.setdefault("x-ms-correlation-request-id", headers.get("x-ms-correlation-request-id", more["x-ms-request-id"]))
        for name, value in more.items():
            self.send_header(name, value)
        if status not in (204, 304) and "Content-Length" not in more:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and content and status != 204:
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # Tests connect in bursts.
    request_queue_size = 256

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free one")
    parser.add_argument("--cache", default=os.path.join(os.path.expanduser("~"), ".cache", "kops-azure-emulator"))
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    parser.add_argument("--prepare", action="store_true", help="fetch the vendor's data and end")
    parser.add_argument("--check-answers", action="store_true", help="fail when an answer is not what the vendor's models say")
    arguments = parser.parse_args()
    tables = schema.load(arguments.cache)
    if arguments.prepare:
        return
    server = Server(("127.0.0.1", arguments.port), Handler)
    server.app = app.App(tables, arguments.check_answers)
    if arguments.until_eof:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Google Cloud for tests: Compute Engine, Cloud DNS, IAM, Resource Manager, Cloud Storage.

    serve.py [--port PORT] [--until-eof]

Prints `PORT` on a line once it listens on 127.0.0.1. With `--until-eof` it ends when its standard input does:
whoever started it holds the other end, so it never outlives a test, however that test dies.

**Projects** are made by being named. They share nothing but the names of buckets, so tests share a server.

**Requests are atomic**: one lock guards all state. Latency, waits and held answers are outside of it.

**Control** under `/_emulator/PROJECT/…`: see control.py.
"""

import argparse
import gc
import os
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler

# Unit tests and the server find their modules alike.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import discovery  # noqa: E402
from api import Api, Lost, Request  # noqa: E402
from control import Control  # noqa: E402
from state import World  # noqa: E402


class Handler(BaseHTTPRequestHandler):
    """Connections kept alive, nothing printed, answers not delayed by Nagle's algorithm."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "emulator"
    # Answers go out in one piece.
    wbufsize = -1

    def serve(self):
        body = self.read_body()
        if self.path.startswith("/_emulator/"):
            self.reply(self.server.control.answer(self.path, body))
            return
        try:
            request = Request(self.command, self.path, self.headers, body, self.server.home)
            self.reply(self.server.api.answer(request))
        except Lost:
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, response):
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in response.headers and response.status not in (204, 304):
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in (204, 304):
            self.wfile.write(response.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = serve

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    # A burst of clients must not be refused.
    request_queue_size = 256

    def __init__(self, port, api, home=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.api = api
        self.home = home
        self.control = Control(api, self.listen)
        self.ports = {}

    def listen(self, project):
        """A port of a project's own: whatever comes in by it is this project's call."""
        if project not in self.ports:
            server = Server(0, self.api, project)
            # Nobody ever shuts it down, so it need not look whether somebody does.
            threading.Thread(target=server.serve_forever, args=(3600,), daemon=True).start()
            self.ports[project] = server.port
        return self.ports[project]

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        """Clients that go away are none of our business."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free one")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    # The documents are many small objects that never go: the collector shall not look through them each time.
    gc.disable()
    server = Server(arguments.port, Api(World(), discovery.load()))
    gc.freeze()
    gc.enable()
    if arguments.until_eof:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    print(server.port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

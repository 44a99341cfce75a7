#!/usr/bin/env python3
"""store.py LISTEN DIR: a state store for the lab's machines, as a plain web server: the objects are files below DIR.

GET, PUT and DELETE of an object; GET of a folder answers with a JSON list of the names in it. Versions are in `ETag`;
`If-None-Match: *` and `If-Match` are obeyed, and 412 says that they did not hold.

Faults, read at every request from the file `store.fault` in the lab's state folder, one a line:
  away               every connection is closed without an answer, as if nobody were there
  denied             every request is answered with 403
  denied ADDRESS     the same for this machine only
Every request is a line of standard output: seconds, address, method, path, status.
"""
import hashlib, http.server, json, os, pathlib, sys, threading, time, urllib.parse

LISTEN, ROOT = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
FAULT = pathlib.Path(os.environ.get("KUBELAB_STATE", ".")) / "store.fault"
LOCK = threading.Lock()         # a condition and the write that depends on it are one


def etag(data):
    return '"' + hashlib.sha256(data).hexdigest() + '"'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = FAULT.read_text().splitlines() if FAULT.exists() else []
        if "away" in fault:
            self.close_connection = True
            return self.note("-")
        if "denied" in fault or f"denied {self.client_address[0]}" in fault:
            return self.answer(403)
        path = (ROOT / urllib.parse.unquote(self.path).strip("/")).resolve()
        if path != ROOT and ROOT not in path.parents:
            return self.answer(400)
        with LOCK:
            getattr(self, self.command.lower())(path, body)

    do_GET = do_PUT = do_DELETE = do

    def get(self, path, _):
        if path.is_dir():
            return self.answer(200, json.dumps(sorted(it.name for it in path.iterdir())).encode())
        self.answer(200, path.read_bytes(), True) if path.is_file() else self.answer(404)

    def put(self, path, body):
        old = etag(path.read_bytes()) if path.is_file() else None
        if self.headers.get("If-None-Match") == "*" and old or self.headers.get("If-Match") not in (None, old):
            return self.answer(412)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(body)
        os.replace(new, path)
        self.answer(200)

    def delete(self, path, _):
        path.unlink(missing_ok=True)
        self.answer(204)

    def answer(self, code, body=b"", tagged=False):
        self.note(code)
        self.send_response(code)
        if tagged:
            self.send_header("ETag", etag(body))
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self, code):
        print(f"{time.time():.1f} {self.client_address[0]} {self.command} {self.path} {code}", flush=True)

    def log_message(self, *_):
        pass


host, port = LISTEN.rsplit(":", 1)
http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()

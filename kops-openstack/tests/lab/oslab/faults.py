"""WSGI wrapper that injects API faults from a JSON rule file.

The file named by OSLAB_FAULTS holds a list of rules and is re-read when it
changes.  A rule (every key optional except status/delay/drop):

  {"service": "neutron",        service name as given to serve.py
   "method":  "POST",           exact HTTP method
   "path":    "^/v2.0/ports",   regular expression searched in the path
   "agent":   "kops-1",         exact User-Agent: one test's calls only
   "skip":    0,                let this many matches through first
   "times":   1,                then fire this often (default: for ever)
   "status":  503,              answer this instead of the real answer
   "headers": {"Retry-After": "1"},
   "body":    "text",
   "delay":   0.5,              sleep before handling the request
   "after":   true}             run the real request first, then lose its
                                answer (status given instead): "it worked, but
                                the client never heard"
"""
import json
import os
import re
import threading
import time


class Faults:
    def __init__(self, app, service):
        self.app = app
        self.service = service
        self.file = os.environ.get('OSLAB_FAULTS', '')
        self.stamp = None
        self.rules = []
        self.seen = {}
        self.lock = threading.Lock()

    def _load(self):
        try:
            st = os.stat(self.file)
            stamp = (st.st_mtime_ns, st.st_size, st.st_ino)
        except OSError:
            stamp = None
        if stamp == self.stamp:
            return
        with self.lock:
            self.seen = {}
            self.rules = []
            if stamp is not None:
                try:
                    with open(self.file) as f:
                        self.rules = json.load(f) or []
                except ValueError:
                    return          # half-written: look again next time
            self.stamp = stamp

    def _pick(self, environ):
        self._load()
        path = environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '')
        for n, r in enumerate(self.rules):
            if r.get('service', self.service) != self.service:
                continue
            if r.get('method', environ['REQUEST_METHOD']) != \
                    environ['REQUEST_METHOD']:
                continue
            if not re.search(r.get('path', ''), path):
                continue
            if r.get('agent', environ.get('HTTP_USER_AGENT', '')) != \
                    environ.get('HTTP_USER_AGENT', ''):
                continue
            with self.lock:
                self.seen[n] = count = self.seen.get(n, 0) + 1
            first = int(r.get('skip', 0))
            if count <= first:
                continue
            if 'times' in r and count > first + int(r['times']):
                continue
            return r
        return None

    def _log(self, environ, status):
        """One line for each call of the programs under test."""
        agent = environ.get('HTTP_USER_AGENT', '')
        if not agent.startswith('kops'):
            return
        path = environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '')
        line = '\t'.join((agent, self.service, environ['REQUEST_METHOD'],
                          path, status[:3])) + '\n'
        # A single short append is atomic.
        with open(os.path.join(os.path.dirname(self.file), 'calls.log'),
                  'a') as f:
            f.write(line)

    def __call__(self, environ, start_response):
        plain = start_response
        # Services change it on the way.
        seen = dict(environ)

        def start_response(status, *args, **kwargs):
            self._log(seen, status)
            return plain(status, *args, **kwargs)
        rule = self._pick(environ)
        if rule is None:
            return self.app(environ, start_response)
        if rule.get('delay'):
            time.sleep(float(rule['delay']))
        if 'status' not in rule:
            return self.app(environ, start_response)
        if rule.get('after'):
            got = self.app(environ, lambda *a, **k: (lambda data: None))
            try:
                for _ in got:
                    pass
            finally:
                getattr(got, 'close', lambda: None)()
        else:
            body = environ.get('wsgi.input')
            try:                    # drain, so that keep-alive stays in step
                left = int(environ.get('CONTENT_LENGTH') or 0)
                while left > 0:
                    chunk = body.read(min(left, 65536))
                    if not chunk:
                        break
                    left -= len(chunk)
            except Exception:
                pass
        text = rule.get('body')
        if text is None:
            text = json.dumps({'error': {'code': rule['status'],
                                         'message': 'injected by oslab'}})
        data = text.encode()
        headers = [('Content-Type', 'application/json'),
                   ('Content-Length', str(len(data)))]
        headers += [(k, str(v)) for k, v in rule.get('headers', {}).items()]
        start_response('%d Injected' % int(rule['status']), headers)
        return [data]

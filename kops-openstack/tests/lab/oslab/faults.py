"""What the lab does around each service: a log of calls, and failures on order, for each project by itself.

A program under test is told from the tests themselves, and from services that call each other, by its User-Agent, which
begins with `kops`; its project by its token. Keystone notes whose a token is when it gives one out (`tokens/`), so no
service has to ask. All else is under `projects/NAME/`, where every service's process finds it and tests do, too:

* `calls.log`: a line for each call, of service, method, path and status.
* `faults.json`: `{"rules": [...], "round": 1, "held": 0, "busy": 0}`, the last one the number of calls that are worked
  on; by `lock` one process's at a time. Rules are told apart by
  their `number` and count what they have `seen` and their `hits`, so the counts are the project's and not a service's.

A rule (every key optional except one of status, delay and hold):

  {"service": "neutron",        as given to serve.py; `*` for any
   "method":  "POST",           `*` for any that changes something
   "path":    "^/v2.0/ports",   regular expression searched in the path
   "skip":    0,                let this many matches through first
   "times":   1,                then fire this often (default: for ever)
   "status":  503,              answer this instead of the real answer
   "headers": {"Retry-After": "1"},
   "after":   true,             run the real request first, then lose its answer (status given instead): "it
                                worked, but the client never heard"
   "delay":   0.5,              sleep before handling the request
   "hold":    true,             run the real request first, then keep its answer back until `round` goes up, so that
                                a client can be killed between the work and the answer. A failure is answered at once,
                                and the next call held in its stead.
   "before":  true}             hold the request instead, and run it then: its client may be dead by that time
"""
import contextlib
import fcntl
import hashlib
import json
import os
import re
import time

HOME = os.environ['OSLAB_DIR']
# A held answer is given up after this long, so that a test that fails to release it ends at all.
LONGEST_HOLD_SECONDS = 120
CHANGING = ('POST', 'PUT', 'PATCH', 'DELETE')


class Project:
    """A project of a test."""

    def __init__(self, name):
        self.folder = os.path.join(HOME, 'projects', name)

    @staticmethod
    def _token(token):
        # A token is too long for a name, and a secret.
        return os.path.join(HOME, 'tokens', hashlib.sha256(token.encode()).hexdigest())

    @classmethod
    def of(cls, token):
        """Whose a token is, if a test's."""
        try:
            with open(cls._token(token)) as file:
                return cls(file.read())
        except OSError:
            return None

    @classmethod
    def note(cls, token, name):
        """A token has been given out."""
        if not os.path.isdir(cls(name).folder):
            return                  # nobody tests there
        note = cls._token(token)
        os.makedirs(os.path.dirname(note), exist_ok=True)
        with open(note, 'w') as file:
            file.write(name)

    def log(self, *fields):
        # A single short append is atomic.
        with open(os.path.join(self.folder, 'calls.log'), 'a') as file:
            file.write('\t'.join(fields) + '\n')

    @contextlib.contextmanager
    def faults(self):
        """What is in `faults.json`, to be changed."""
        path = os.path.join(self.folder, 'faults.json')
        with open(os.path.join(self.folder, 'lock'), 'a') as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.001)       # and not in flock, where Eventlet's other threads would wait, too
            try:
                with open(path) as file:
                    faults = json.load(file)
            except FileNotFoundError:
                faults = {'rules': [], 'round': 0, 'held': 0, 'busy': 0}
            before = json.dumps(faults)
            yield faults
            if json.dumps(faults) != before:
                with open(path + '.new', 'w') as file:
                    json.dump(faults, file)
                os.replace(path + '.new', path)

    def begin(self, service, method, path):
        """A call has come; the rule that hits it, if any."""
        with self.faults() as faults:
            faults['busy'] += 1
            # Every rule counts every call, so that two rules do not shift each other's numbers.
            hits = [rule for rule in faults['rules'] if hit(rule, service, method, path)]
            return dict(hits[0], round=faults['round']) if hits else {}

    def end(self):
        """A call's work is done."""
        with self.faults() as faults:
            faults['busy'] -= 1

    def hold(self, rule):
        """Waits until answers may go out."""
        with self.faults() as faults:
            round = rule['round']
            if faults['round'] != round:
                return
            faults['held'] += 1
        end = time.monotonic() + LONGEST_HOLD_SECONDS
        while time.monotonic() < end:
            time.sleep(0.02)
            with self.faults() as faults:
                if faults['round'] != round:
                    return


    def spare(self, spared):
        """The next call is hit instead."""
        with self.faults() as faults:
            for rule in faults['rules']:
                if faults['round'] == spared['round'] and rule['number'] == spared['number']:
                    rule['hits'] -= 1


def hit(rule, service, method, path):
    """Counts a call; whether the rule strikes."""
    if rule['service'] not in ('*', service):
        return False
    wanted = rule.get('method', method)
    if wanted != method and not (wanted == '*' and method in CHANGING):
        return False
    if not re.search(rule.get('path', ''), path):
        return False
    rule['seen'] += 1
    hits = rule['seen'] > rule.get('skip', 0) and rule['hits'] < rule.get('times', float('inf'))
    rule['hits'] += hits
    return hits


class Faults:
    def __init__(self, app, service):
        self.app = app
        self.service = service

    def __call__(self, environ, start_response):
        # Services change it on the way.
        method, path = environ['REQUEST_METHOD'], environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '')
        if self.service == 'keystone' and method == 'POST' and path.endswith('/auth/tokens'):
            return self._give_token(environ, start_response)
        project = None
        if environ.get('HTTP_USER_AGENT', '').startswith('kops'):
            project = Project.of(environ.get('HTTP_X_AUTH_TOKEN', ''))
        if project is None:
            return self.app(environ, start_response)
        rule = project.begin(self.service, method, path)

        def answer(status, *args):
            project.log(self.service, method, path, status[:3])
            return start_response(status, *args)
        try:
            time.sleep(rule.get('delay', 0))
            if 'before' in rule:
                project.hold(rule)
                return self.app(environ, answer)
            if 'hold' not in rule and 'status' not in rule:
                return self.app(environ, answer)
            if 'hold' in rule or 'after' in rule:
                status, headers, body = self._work(environ)
            else:
                drain(environ)
        finally:
            project.end()
        if 'hold' in rule:
            project.log(self.service, method, path, status[:3])
            project.hold(rule) if status[0] == '2' else project.spare(rule)
            start_response(status, headers)
            return [body]
        body = {'error': {'code': rule['status'], 'message': 'injected by oslab'}}
        body = json.dumps(body).encode()
        headers = [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))]
        headers += rule.get('headers', {}).items()
        answer('%d Injected' % rule['status'], headers)
        return [body]

    def _work(self, environ):
        """The real answer, whole."""
        told, body = [], []

        def start_response(status, headers, exc_info=None):
            told[:] = status, headers
            return body.append
        parts = self.app(environ, start_response)
        try:
            body.extend(parts)
        finally:
            getattr(parts, 'close', lambda: None)()
        return (*told, b''.join(body))

    def _give_token(self, environ, start_response):
        status, headers, body = self._work(environ)
        token = dict((name.lower(), value) for name, value in headers).get('x-subject-token')
        if token:
            Project.note(token, json.loads(body)['token'].get('project', {}).get('name', ''))
        start_response(status, headers)
        return [body]


def drain(environ):
    """Reads the request, so that the connection's next one is found where it begins."""
    left = int(environ.get('CONTENT_LENGTH') or 0)
    while left > 0:
        part = environ['wsgi.input'].read(min(left, 65536))
        if not part:
            break
        left -= len(part)

"""python -m oslab.machines PROJECT PORT COMMAND [LAYER ...]: machines of a project, as standard input says."""
import asyncio
import json
import sys
import threading

import openstack

from . import metadata
from .balancing import Balancing
from .follow import Follower
from .lab import Lab
from .ports import Ports

from machines import namespace  # noqa: E402 (found by the package)
from machines.lab import Busy

# What machines and operators use: Keystone, Nova, Neutron, Cinder, Octavia, Swift …
SERVICES = 9
VERSIONS = {'compute': {'openstack-api-version': 'compute 2.3'}}


class Site:

    def __init__(self, project, port, command, layers):
        self.project = project
        self.admin = openstack.connect(cloud='oslab-admin')
        self.base = port
        self.lab = Lab(command)
        self.ports = Ports(range(port, port + SERVICES))
        self.ports.open(self.lab.namespace)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.run_loop, daemon=True).start()
        self.follower = Follower(self.lists, Balancing(self.lists), self.lab, self.ports, layers, self.loop)
        self.metadata = metadata.Server(self.lab, self.follower.server_at)

    def run_loop(self):
        namespace.enter(self.lab.namespace)
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def lists(self, service, path, items):
        """A listing of the project, as an administrator sees it."""
        order = {'compute': 3, 'network': 4, 'block-storage': 5, 'load-balancer': 6}
        url = 'http://127.0.0.1:%d/%s' % (self.base + order[service], path.format(project=self.admin.session.get_project_id()))
        query = {'compute': 'all_tenants', 'block-storage': 'all_tenants'}.get(service)
        params = {'project_id': self.project, **({query: 1} if query else {})}
        answer = self.admin.session.get(url, params=params, headers=VERSIONS.get(service, {}))
        return answer.json()[items]

    def close(self):
        self.follower.close()
        self.metadata.shutdown()
        self.metadata.server_close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.lab.close()

    def answer(self, wanted):
        do = wanted.pop('do')
        if do == 'show':
            return {'machines': self.follower.show(), 'error': self.follower.error}
        if do == 'execute':
            return self.follower.execute(**wanted)
        if do == 'kill':
            return self.follower.kill(**wanted)
        raise ValueError(do)


def main(project, port, command, *layers):
    try:
        site = Site(project, int(port), command, list(layers))
    except Busy:
        return print(json.dumps({'busy': True}), flush=True)
    print(json.dumps({'namespace': site.lab.namespace}), flush=True)
    try:
        for line in sys.stdin:
            try:
                said = site.answer(json.loads(line))
            except Exception as error:
                said = {'failed': repr(error)}
            print(json.dumps(said), flush=True)
    finally:
        site.close()




if __name__ == '__main__':
    main(*sys.argv[1:])

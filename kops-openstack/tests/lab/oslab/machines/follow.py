"""Machines that follow what OpenStack says of a project's servers.

A loop compares both and makes them alike. A server that is ACTIVE is booted with its user data at the address of its
port; one that is gone goes with its disk; volumes of tasks are plugged in as they are attached. A machine that dies by
itself stays dead: Nova does not notice, either, until somebody deletes its server.
"""
import asyncio
import base64
import concurrent.futures
import dataclasses
import threading
import traceback

from machines import balancers

from .balancing import Open
from .lab import Hardware

PAUSE_SECONDS = 1.0
# How many machines are booted or shut down at the same time.
JOBS = 4
# The image is no disk here, nor is what is created with a server: volumes of tasks are.
TASK = 'KopsTask'


@dataclasses.dataclass
class Machine:
    """A machine of the lab that stands for a server."""

    server: str
    hostname: str
    address: str
    # "booting", "on", "off", "dead", "gone", "failed"
    state: str = 'booting'
    # volume -> the number of its device
    plugged: dict = dataclasses.field(default_factory=dict)
    job: concurrent.futures.Future = None
    error: str = None

    @property
    def name(self):
        # Short: it is a part of an interface's name.
        return 's' + self.server[:8]


class Follower:
    """`lists(service, path, items)` reads a listing of the project; `loop` runs in the lab's namespace."""

    def __init__(self, lists, balancing, lab, ports, layers, loop):
        self.lists, self.balancing, self.lab, self.ports = lists, balancing, lab, ports
        self.layers, self.loop = layers, loop
        self.balancers = balancers.Balancers()
        self.addresses = set()
        self.machines = {}
        self.servers = []
        # Why the last step failed, if it did: services are ended and started again under test.
        self.error = None
        self.ended = threading.Event()
        self.jobs = concurrent.futures.ThreadPoolExecutor(JOBS)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def close(self):
        self.ended.set()
        self.thread.join()
        self.jobs.shutdown(wait=True, cancel_futures=True)

    def follow(self):
        while not self.ended.wait(PAUSE_SECONDS):
            try:
                self.step()
                self.error = None
            except Exception:
                self.error = traceback.format_exc()

    def step(self):
        servers = self.lists('compute', 'v2.1/servers/detail', 'servers')
        ports = self.lists('network', 'v2.0/ports', 'ports')
        volumes = {it['id']: it for it in self.lists('block-storage', 'v3/{project}/volumes/detail', 'volumes')}
        of = {port['device_id']: port for port in ports}
        for server in servers:
            port = of.get(server['id'])
            server['port'] = port
            server['address'] = port['fixed_ips'][0]['ip_address'] if port and port['fixed_ips'] else None
            attached = [it['id'] for it in server['os-extended-volumes:volumes_attached']]
            server['disks'] = {
                it: volumes[it]['size'] for it in attached if it in volumes and TASK in volumes[it]['metadata']
            }
        self.servers = servers
        there = {it['id'] for it in servers}
        for machine in self.machines.values():
            if machine.server not in there and machine.state not in ('gone', 'failed') and self.idle(machine):
                self.start_job(machine, self.end)
        for server in servers:
            self.make_alike(server)
        self.lab.keep_volumes(set(volumes))
        addresses, groups, listeners = self.balancing.read()
        for address in addresses - self.addresses:
            self.lab.link('addr', 'add', address + '/32', 'dev', 'kl0')
        for address in self.addresses - addresses:
            self.lab.link('addr', 'del', address + '/32', 'dev', 'kl0')
        self.addresses = addresses
        update = self.balancers.update(groups, listeners, Open())
        asyncio.run_coroutine_threadsafe(update, self.loop).result(30)

    def server_at(self, address):
        return next((it for it in self.servers if it.get('address') == address), None)

    def make_alike(self, server):
        machine = self.machines.get(server['id'])
        if machine is None:
            if server['status'] == 'ACTIVE' and server['address']:
                machine = Machine(server['id'], server['name'], server['address'])
                self.machines[server['id']] = machine
                self.start_job(machine, self.boot, server)
            return
        if not self.idle(machine):
            return
        if server['status'] == 'SHUTOFF' and machine.state == 'on':
            self.start_job(machine, self.stop)
        elif server['status'] == 'ACTIVE' and machine.state == 'off':
            self.start_job(machine, self.start, server)
        elif machine.state == 'on':
            if not self.lab.alive(machine.name):
                machine.state = 'dead'
            elif set(machine.plugged) != set(server['disks']):
                self.start_job(machine, self.replug, server)

    @staticmethod
    def idle(machine):
        return machine.job is None or machine.job.done()

    # ---------------------------------------------------------------- jobs

    def start_job(self, machine, job, *arguments):
        def run():
            try:
                job(machine, *arguments)
            except Exception as error:
                traceback.print_exc()
                machine.state, machine.error = 'failed', str(error)

        machine.job = self.jobs.submit(run)

    def boot(self, machine, server):
        user_data = base64.b64decode(server.get('OS-EXT-SRV-ATTR:user_data') or '')
        self.lab.up(machine.name, machine.hostname, user_data, self.layers, self.hardware(machine, server))
        self.ports.open(self.lab.module.machine_ns(machine.name))
        machine.state = 'on'

    def start(self, machine, server):
        self.lab.start(machine.name, self.hardware(machine, server))
        self.ports.open(self.lab.module.machine_ns(machine.name))
        machine.state = 'on'

    def stop(self, machine):
        self.lab.run('stop', machine.name)
        machine.state = 'off'

    def end(self, machine):
        self.ports.close(self.lab.module.machine_ns(machine.name))
        self.lab.run('down', machine.name)
        machine.plugged.clear()
        machine.state = 'gone'

    def replug(self, machine, server):
        for volume in set(machine.plugged) - set(server['disks']):
            self.lab.unplug(machine.name, machine.plugged.pop(volume), volume)
        for disk in self.hardware(machine, server).disks:
            self.lab.plug(machine.name, *disk)

    def hardware(self, machine, server):
        for volume in server['disks']:
            taken = set(machine.plugged.values())
            machine.plugged.setdefault(volume, next(it for it in range(1, 25) if it not in taken))
        disks = ((number, volume, server['disks'][volume]) for volume, number in machine.plugged.items())
        return Hardware(machine.address, server['port']['mac_address'], NOTHING_FILTERED, tuple(disks))

    # ---------------------------------------------------------------- what tests do to machines

    def show(self):
        return [
            {'server': it.server, 'name': it.hostname, 'address': it.address, 'state': it.state, 'error': it.error}
            for it in list(self.machines.values())
        ]

    def execute(self, server, command):
        return self.lab.execute(self.machines[server].name, command)

    def kill(self, server):
        """The end of a machine that nobody ordered."""
        self.lab.run('kill', self.machines[server].name)


# For `nft -f`: an empty table.
NOTHING_FILTERED = 'table inet lab {}\n'

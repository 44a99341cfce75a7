"""Machines that follow what moto says of its instances.

A loop compares both and makes them alike: so it does not matter who started an instance, or how (a call, a template, a
group). An instance that runs for moto is booted with its user data at its private address; one that is terminated goes
with its disk; volumes are plugged in as they are attached. A machine that dies by itself is terminated at moto, whose
groups then replace it.
"""

import asyncio
import concurrent.futures
import dataclasses
import threading
import time
import traceback

from . import firewalls, metadata
from .lab import Hardware
from .view import ALIVE
from .wiring import CHECKED

PAUSE_SECONDS = 0.3
# How many machines are booted or shut down at the same time.
JOBS = 8


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What moto says of an instance."""

    state: str
    image: str
    user_data: bytes
    # None when it has none (any more).
    address: str | None
    hostname: str | None
    mac: str | None
    groups: tuple
    rules: tuple
    # volume -> GiB
    volumes: dict


@dataclasses.dataclass
class Machine:
    """A machine of the lab that stands for an instance."""

    instance: str
    address: str
    # "booting", "on", "off", "gone", "failed"
    state: str = "booting"
    # Off because the power was cut, which moto knows nothing of.
    cut: bool = False
    # volume -> the number of its device
    plugged: dict = dataclasses.field(default_factory=dict)
    # What its network lets in, for `nft -f`.
    inbound: str = ""
    job: concurrent.futures.Future = None
    error: str = None


class Follower:
    """The loop. `layers` are those of the lab for each image, under `*` for all others; `terminate` tells moto of the
    end of an instance; `balancers` run in `loop`."""

    def __init__(self, lock, view, wiring, lab, layers, terminate, balancers, loop):
        self.lock, self.view, self.wiring, self.lab = lock, view, wiring, lab
        self.layers, self.terminate = layers, terminate
        self.balancers, self.loop = balancers, loop
        self.machines = {}
        self.names = {}
        # Why the loop has ended, if it has.
        self.error = None
        self.ended = threading.Event()
        self.jobs = concurrent.futures.ThreadPoolExecutor(JOBS)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def close(self):
        self.ended.set()
        self.thread.join()
        self.jobs.shutdown(wait=True, cancel_futures=True)
        CHECKED.clear()

    def follow(self):
        while not self.ended.wait(PAUSE_SECONDS):
            try:
                self.step()
            except Exception:
                self.error = traceback.format_exc()
                return

    def step(self):
        with self.lock:
            instances = {it.id: self.read(it) for it in self.view.instances()}
            volumes = set(self.view.ec2.volumes)
            self.wiring.follow()
            self.names = self.wiring.names(instances)
            groups, listeners = self.wiring.groups(instances), self.wiring.listeners()
            rules = self.wiring.firewalls(instances)
            CHECKED.update({group.arn: self.balancers for group in groups})
        members = {}
        for wanted in instances.values():
            for group in wanted.groups if wanted.state in ALIVE else ():
                members.setdefault(group, set()).add(wanted.mac)
        for identifier, wanted in instances.items():
            inbound = firewalls.table(wanted.rules, members, self.wiring.addresses.values())
            self.make_alike(identifier, wanted, inbound)
        self.lab.keep_volumes(volumes)
        asyncio.run_coroutine_threadsafe(self.balancers.update(groups, listeners, rules), self.loop).result(30)

    def read(self, instance):
        alive = instance.state in ALIVE
        volumes = {
            mapping.volume_id: self.view.ec2.volumes[mapping.volume_id].size
            for device, mapping in instance.block_device_mapping.items()
            # The image is no disk here.
            if device not in ("/dev/sda1", instance.root_device_name)
        }
        return Wanted(
            state=instance.state,
            image=instance.image_id,
            user_data=metadata.user_data(instance),
            address=instance.private_ip if alive else None,
            hostname=instance.private_dns_name if alive else None,
            mac=instance.nics[0].mac_address if alive else None,
            groups=tuple(group.id for group in instance.security_groups),
            rules=firewalls.read(instance.security_groups),
            volumes=volumes,
        )

    def make_alike(self, identifier, wanted, inbound):
        machine = self.machines.get(identifier)
        if machine is None:
            if wanted.state in ALIVE:
                machine = self.machines[identifier] = Machine(identifier, wanted.address)
                self.start_job(machine, self.boot, wanted, inbound)
            return
        if machine.job and not machine.job.done():
            return
        if wanted.state == "terminated":
            if machine.state not in ("gone", "failed"):
                self.start_job(machine, self.end)
        elif wanted.state == "stopped":
            if machine.state == "on":
                self.start_job(machine, self.stop)
        elif machine.state == "off" and not machine.cut:
            self.start_job(machine, self.start, wanted, inbound)
        elif machine.state == "on":
            if not self.lab.alive(identifier):
                # Nobody ordered it: the host has failed, which is the end of the instance.
                self.terminate(identifier)
            elif set(machine.plugged) != set(wanted.volumes):
                self.start_job(machine, self.replug, wanted, inbound)
            elif machine.inbound != inbound:
                machine.inbound = inbound
                self.lab.filter(identifier, inbound)

    # ---------------------------------------------------------------- jobs

    def start_job(self, machine, job, *arguments):
        def run():
            try:
                job(machine, *arguments)
            except Exception as error:
                traceback.print_exc()
                machine.state, machine.error = "failed", str(error)

        machine.job = self.jobs.submit(run)

    def boot(self, machine, wanted, inbound):
        layers = self.layers.get(wanted.image, self.layers.get("*", []))
        hardware = self.hardware(machine, wanted, inbound)
        self.lab.up(machine.instance, wanted.hostname, wanted.user_data, layers, hardware)
        machine.state = "on"

    def start(self, machine, wanted, inbound):
        self.lab.start(machine.instance, self.hardware(machine, wanted, inbound))
        machine.state = "on"

    def stop(self, machine):
        self.lab.run("stop", machine.instance)
        machine.state = "off"

    def end(self, machine):
        self.lab.run("down", machine.instance)
        machine.plugged.clear()
        machine.state = "gone"

    def replug(self, machine, wanted, inbound):
        for volume in set(machine.plugged) - set(wanted.volumes):
            self.lab.unplug(machine.instance, machine.plugged.pop(volume), volume)
        for disk in self.hardware(machine, wanted, inbound).disks:
            self.lab.plug(machine.instance, *disk)

    def hardware(self, machine, wanted, inbound):
        for volume in wanted.volumes:
            taken = set(machine.plugged.values())
            machine.plugged.setdefault(volume, next(it for it in range(1, 100) if it not in taken))
        machine.inbound = inbound
        disks = ((number, volume, wanted.volumes[volume]) for volume, number in machine.plugged.items())
        return Hardware(wanted.address, wanted.mac, inbound, tuple(disks))

    # ---------------------------------------------------------------- what tests do to machines

    def show(self):
        """The machines: instance, address, state, error."""
        if self.error:
            raise RuntimeError(self.error)
        return [
            {"instance": it.instance, "address": it.address, "state": it.state, "error": it.error}
            for it in list(self.machines.values())
        ]

    def kill(self, instance):
        """The end of a machine that nobody ordered."""
        self.lab.run("kill", instance)

    def power(self, instance, on):
        """Cuts the power of a machine, or gives it back: a host that restarts, which is not the end of an instance."""
        machine = self.machines[instance]
        while machine.job and not machine.job.done():
            time.sleep(0.05)
        if on:
            machine.cut = False
        elif machine.state == "on":
            machine.cut, machine.state = True, "off"
            self.lab.run("kill", instance)

"""The lab's machines, by its own command `machine`: booted, stopped, killed, and given disks.

Everything here blocks; `site.py` calls it from a thread for each machine.
"""

import dataclasses
import fcntl
import importlib.machinery
import importlib.util
import ipaddress
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import time

# What the lab's image lacks for disks: systemd wants `/sys` read-only in a container. Otherwise every mount of a device
# waits for udev, which no machine of the lab has.
INIT = '#!/bin/sh\nmount -o remount,bind,ro /sys\nexec /lib/systemd/systemd "$@"\n'
# Labs of other names may run beside this one on a host; one of this name at a time.
NAME = "moto"
BOOT_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What a machine is plugged into: the addresses of its network interface, what that lets in (for `nft -f`), and
    disks: (number, volume, GiB)."""

    address: str
    mac: str
    inbound: str
    disks: tuple


class Busy(Exception):
    """Another process has the lab."""


class Lab:
    """A running lab: the network namespace `namespace`, and machines in it."""

    # Networks of accounts are in this one: the lab's router is in all of it, where the lab alone takes a part.
    NETWORK = ipaddress.ip_network("10.77.0.0/16")
    ROUTER = "10.77.0.1"
    # Until a machine has its own address: any last number will do.
    NUMBER = "250"

    def __init__(self, command):
        self.command = pathlib.Path(command)
        cache = load(self.command).CACHE
        # Read by `machine` when it starts, here and as a program.
        os.environ.update(KUBELAB_NAME=NAME, KUBELAB_CACHE=str(cache), KUBELAB_STATE=str(cache / f"state-{NAME}"))
        self.module = load(self.command)
        self.namespace, self.state = self.module.LAB_NS, self.module.STATE
        self.authority, self.image = cache / "ca", cache / "rootfs"
        self.disks = self.state / "ec2-volumes"
        with open(f"{self.state}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy from None
        # Machines are not children of this process, and end with it all the same: the guard holds the lock, and ends
        # them when its input ends. It is ready when nothing is left of an earlier lab.
        words = [sys.executable, self.command, "lab-guard"]
        # A signal to the whole group of a test is not for it, hence a session of its own.
        pipe = subprocess.PIPE
        self.guard = subprocess.Popen(words, stdin=pipe, stdout=pipe, start_new_session=True)
        if self.guard.stdout.readline() != b"ready\n":
            raise RuntimeError("the lab's guard has ended; what it said is above")
        self.free_loops()
        shutil.rmtree(self.state, ignore_errors=True)
        self.run("lab-up")
        self.layer = self.state / "ec2-layer"
        init = self.layer / "usr/sbin/init"
        init.parent.mkdir(parents=True)
        init.write_text(INIT)
        init.chmod(0o755)
        self.disks.mkdir()
        self.link("addr", "add", f"{self.ROUTER}/{self.NETWORK.prefixlen}", "dev", "kl0")
        self.resolver = self.state / "resolv.conf"
        self.resolver.write_text(f"nameserver {self.ROUTER}\n")

    def close(self):
        """Ends all machines and the lab; volumes go, too."""
        self.guard.stdin.close()
        self.guard.wait()
        self.free_loops()
        shutil.rmtree(self.state, ignore_errors=True)

    def free_loops(self, only=""):
        """Frees the loop devices of all volumes, or of one."""
        columns = ["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"]
        for line in subprocess.run(columns, capture_output=True, text=True).stdout.splitlines():
            device, file = line.split(maxsplit=1)
            if file.startswith(str(only or f"{self.disks}/")):
                subprocess.run(["losetup", "--detach", device], check=False)

    def execute(self, name, command):
        """Runs a command in a machine: its status, and what it said."""
        words = [sys.executable, self.command, "exec", name, "--", *command]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    def run(self, *arguments):
        """Runs `machine` and raises what it says if it fails."""
        done = subprocess.run(
            [sys.executable, self.command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"machine {' '.join(map(str, arguments))}: {done.stderr or done.stdout}")
        return done.stdout

    def link(self, *arguments):
        """`ip` in the lab's namespace."""
        subprocess.run(["ip", "-n", self.namespace, *arguments], check=True, capture_output=True)

    # ---------------------------------------------------------------- machines

    def up(self, name, hostname, user_data, layers, hardware):
        """Makes a machine and boots it. Its cloud-init finds the user data beside it: that of the image knows EC2 by
        firmware alone."""
        if ipaddress.ip_address(hardware.address) not in self.NETWORK:
            raise RuntimeError(
                f"{name}: {hardware.address} is not in the lab's network {self.NETWORK}: make subnets of that"
            )
        file = self.state / f"{name}.user-data"
        file.write_bytes(user_data)
        layered = [word for layer in [self.layer, *layers] for word in ("--layer", str(layer))]
        meta = ["--meta", f"instance-id={name}", "--meta", f"local-hostname={hostname}"]
        self.boot(name, ["up", name, "--ip", self.NUMBER, "--user-data", str(file), *meta, *layered], hardware)

    def start(self, name, hardware):
        """Boots a machine that is off from its own disk."""
        self.boot(name, ["start", name], hardware)

    def boot(self, name, arguments, hardware):
        # All is plugged in while `machine` still waits for the first second to pass: before systemd mounts anything.
        process = subprocess.Popen(
            [sys.executable, self.command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        end = time.monotonic() + BOOT_SECONDS
        while not self.runs(name) and process.poll() in (None, 0) and time.monotonic() < end:
            time.sleep(0.02)
        if self.runs(name):
            self.connect(name, hardware)
            self.filter(name, hardware.inbound)
            for disk in hardware.disks:
                self.plug(name, *disk)
        said = process.communicate()[0]
        if process.returncode or not self.runs(name):
            raise RuntimeError(f"machine {' '.join(arguments)}: {said}")

    def connect(self, name, hardware):
        """Gives a machine's network interface its own addresses."""
        length = self.NETWORK.prefixlen
        for words in (
            ["addr", "flush", "dev", "eth0"],
            ["link", "set", "eth0", "address", hardware.mac],
            ["addr", "add", f"{hardware.address}/{length}", "dev", "eth0"],
            ["route", "add", "default", "via", self.ROUTER],
        ):
            subprocess.run(["ip", "-n", self.module.machine_ns(name), *words], check=True, capture_output=True)

    def alive(self, name):
        """Whether the machine has a first process."""
        return self.pid(name) is not None

    def runs(self, name):
        """Whether it has come to its own systemd, and so to its own root directory."""
        try:
            return pathlib.Path(f"/proc/{self.pid(name)}/comm").read_text().strip() == "systemd"
        except OSError:
            return False

    def pid(self, name):
        """The first process, as the host numbers it; nothing if the machine is off."""
        try:
            return self.module.init_pid(name)
        except SystemExit:
            return None  # there is no such machine yet
        except ValueError:
            return self.pid(name)  # its record was being written

    def filter(self, name, text):
        """Sets the packet filter of a machine's network. The image has the program for that; the host may not."""
        inside = ["nsenter", f"--net=/run/netns/{self.module.machine_ns(name)}", "chroot", self.image, "nft", "-f", "-"]
        done = subprocess.run(inside, input=text, capture_output=True, text=True)
        if done.returncode and self.alive(name):
            raise RuntimeError(f"nft: {done.stderr}")

    # ---------------------------------------------------------------- disks

    def disk(self, volume, gibibytes):
        """The loop device of a volume, which is made blank when it is first asked for."""
        file = self.disks / f"{volume}.img"
        if not file.exists():
            with file.open("wb") as made:
                made.truncate(gibibytes << 30)
        found = subprocess.run(["losetup", "-j", file], capture_output=True, text=True, check=True).stdout
        if found:
            return found.partition(":")[0]
        shown = subprocess.run(["losetup", "--find", "--show", file], capture_output=True, text=True, check=True)
        return shown.stdout.strip()

    def plug(self, name, number, volume, gibibytes):
        """Shows a volume to a machine as NVMe does: `/dev/nvme1n1`, and its serial number in `/dev/disk/by-id`."""
        device = os.stat(self.disk(volume, gibibytes)).st_rdev
        root = pathlib.Path(f"/proc/{self.pid(name)}/root/dev")
        node = root / f"nvme{number}n1"
        if not node.exists():
            os.mknod(node, 0o660 | stat.S_IFBLK, device)
        by_id = root / "disk/by-id"
        by_id.mkdir(parents=True, exist_ok=True)
        link = by_id / f"nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
        if not link.is_symlink():
            link.symlink_to(f"../../{node.name}")

    def unplug(self, name, number, volume):
        """Takes a volume out of a machine that runs. What is mounted stays so until it is unmounted, as on EC2."""
        if not self.runs(name):
            return
        root = pathlib.Path(f"/proc/{self.pid(name)}/root/dev")
        (root / f"nvme{number}n1").unlink(missing_ok=True)
        (root / f"disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}").unlink(missing_ok=True)

    def keep_volumes(self, volumes):
        """Deletes all volumes but these."""
        for file in self.disks.glob("*.img"):
            if file.stem not in volumes:
                self.free_loops(file)
                file.unlink()


def load(command):
    """The command's own functions."""
    loader = importlib.machinery.SourceFileLoader("kubelab_machine", str(command))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module

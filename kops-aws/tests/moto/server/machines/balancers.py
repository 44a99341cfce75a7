"""Network load balancers: an address, listeners, health checks, and connections that go to healthy targets.

Runs in the lab's namespace, in one thread. What is true of AWS's is true here: a target that is not checked healthy
yet gets nothing; without any healthy target all get connections; a target that comes back to itself through a balancer
that keeps the client's address (as it does for instances) waits in vain; and so does whoever the security groups do not
let through.

Not so here: targets see the balancer's address, whatever it keeps.
"""

import asyncio
import dataclasses
import itertools
import ssl

# A health check verifies nobody.
UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE
SILENCE_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Check:
    """How a target is checked: `HTTPS`, `HTTP` or `TCP`; seconds; how often in a row counts."""

    protocol: str
    port: str
    path: str
    interval: float
    timeout: float
    healthy: int
    unhealthy: int


@dataclasses.dataclass(frozen=True)
class Group:
    """A target group: `targets` are (id, address, port)."""

    arn: str
    check: Check
    keeps_client: bool
    targets: tuple


@dataclasses.dataclass(frozen=True)
class Listener:
    """Where a balancer listens, and the group that it forwards to."""

    address: str
    port: int
    group: str


class Balancers:
    """All balancers of an account. `update` is called whenever something may have changed."""

    def __init__(self):
        self.groups = {}
        self.listeners = {}
        # (group, target) -> "initial", "healthy" or "unhealthy"
        self.health = {}
        self.checking = {}
        self.turn = itertools.count()

    async def update(self, groups, listeners, firewalls):
        self.firewalls = firewalls
        self.groups = {group.arn: group for group in groups}
        # Checks come from the balancer; a group without one is not checked.
        self.sources = {listener.group: listener.address for listener in listeners}
        checked = [group for group in groups if group.arn in self.sources]
        wanted = {(group.arn, target): group.check for group in checked for target in group.targets}
        for key in [key for key, (check, _) in self.checking.items() if wanted.get(key) != check]:
            self.checking.pop(key)[1].cancel()
            self.health.pop(key, None)
        for key, check in wanted.items():
            if key not in self.checking:
                self.health[key] = "initial"
                self.checking[key] = check, asyncio.create_task(self.keep_checking(key, check))
        for listener in [it for it in self.listeners if it not in listeners]:
            self.listeners.pop(listener).close()
        for listener in listeners:
            if listener not in self.listeners:
                self.listeners[listener] = await asyncio.start_server(
                    lambda reader, writer, listener=listener: self.serve(listener, reader, writer),
                    listener.address,
                    listener.port,
                )

    # ---------------------------------------------------------------- health

    def health_of(self, group, target):
        """A target's health, as the last checks had it; nothing if it is not checked yet."""
        found = [state for (arn, it), state in list(self.health.items()) if arn == group and it[0] == target]
        return found[0] if found else None

    async def keep_checking(self, key, check):
        passed = failed = 0
        while True:
            if await self.passes(key[0], check, key[1]):
                passed, failed = passed + 1, 0
            else:
                passed, failed = 0, failed + 1
            if passed >= check.healthy:
                self.health[key] = "healthy"
            elif failed >= check.unhealthy:
                self.health[key] = "unhealthy"
            await asyncio.sleep(check.interval)

    async def passes(self, group, check, target):
        source = self.sources[group]
        port = target[2] if check.port == "traffic-port" else int(check.port)
        if not self.firewalls.reaches(source, source, target[0], port):
            return False
        try:
            return await asyncio.wait_for(answers(check, port, target, source), check.timeout)
        except (OSError, TimeoutError):
            return False

    # ---------------------------------------------------------------- connections

    async def serve(self, listener, reader, writer):
        client = writer.get_extra_info("peername")[0]
        target = self.choose(listener, client)
        if target is None:
            # Nobody answers, and nobody says so.
            await asyncio.sleep(SILENCE_SECONDS)
            return writer.close()
        source = (listener.address, 0)
        try:
            connecting = asyncio.open_connection(target[1], target[2], local_addr=source)
            there = await asyncio.wait_for(connecting, SILENCE_SECONDS)
        except (OSError, TimeoutError):
            return writer.close()
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    def choose(self, listener, client):
        """The target of a connection; none if there is none that it can come to. No other is tried then: that is not
        what balancers of this kind do."""
        group = self.groups.get(listener.group)
        if group is None or not group.targets:
            return None
        healthy = [it for it in group.targets if self.health.get((group.arn, it)) == "healthy"]
        targets = healthy or group.targets
        target = targets[next(self.turn) % len(targets)]
        # The answer would come from the machine itself, which knows of no such connection.
        is_itself = group.keeps_client and client == target[1]
        seen = client if group.keeps_client else listener.address
        let_in = self.firewalls.lets_in((listener.address, listener.port), client)
        reached = self.firewalls.reaches(listener.address, seen, target[0], target[2])
        return target if let_in and reached and not is_itself else None


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def answers(check, port, target, source):
    secure = UNVERIFIED if check.protocol == "HTTPS" else None
    reader, writer = await asyncio.open_connection(target[1], port, ssl=secure, local_addr=(source, 0))
    try:
        if check.protocol not in ("HTTP", "HTTPS"):
            return True
        writer.write(f"GET {check.path} HTTP/1.0\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\r\n".encode())
        status = (await reader.readline()).split()
        # A check of HTTP is passed by 200 to 399.
        return len(status) > 1 and status[1][:1] in (b"2", b"3")
    finally:
        writer.close()

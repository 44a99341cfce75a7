"""An account whose instances are machines of the lab: everything that it needs, put together."""

import asyncio
import threading

from . import metadata, names, namespace
from .balancers import Balancers
from .door import Door, Server, is_service
from .follow import Follower
from .identities import Identities
from .lab import Lab
from .view import ALIVE, View
from .wiring import Wiring


class Site:
    """The machines of an account in a region. `command` is the lab's, `layers` what images have, see `Follower`."""

    def __init__(self, harness, account, region, handler, command, layers):
        self.harness, self.account, self.region = harness, account, region
        self.view = View(account.number, region)
        self.identities = Identities(account.number, region)
        self.lab = Lab(command)
        self.lab.link("addr", "add", f"{metadata.ADDRESS}/32", "dev", "kl0")
        self.lab.link("addr", "add", f"{Door.ADDRESS}/32", "dev", "kl0")
        self.metadata = metadata.Server(self)
        self.door = Door(self, handler)
        # For whoever works inside of the lab's namespace: the same address as outside of it.
        self.local = Server(namespace.listen(self.lab.namespace, "127.0.0.1", harness.port), harness, handler)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.run_loop, daemon=True).start()
        wiring = Wiring(self.view, self.lab)
        self.follower = Follower(
            harness.working, self.view, wiring, self.lab, layers, self.terminate, Balancers(), self.loop
        )
        asyncio.run_coroutine_threadsafe(self.serve_names(), self.loop).result(10)

    def close(self):
        """Ends everything: machines, volumes, the lab."""
        self.follower.close()
        for server in (self.metadata, self.door.server, self.local):
            server.shutdown()
            server.server_close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.lab.close()

    def run_loop(self):
        namespace.enter(self.lab.namespace)
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def serve_names(self):
        address = self.lab.ROUTER, 53
        await self.loop.create_datagram_endpoint(lambda: names.Names(self.resolve), local_addr=address)

    def resolve(self, name):
        """The addresses of a name; none if there is no such name."""
        found = self.follower.names.get(name)
        return [Door.ADDRESS] if found is None and is_service(name, self.region) else found

    def terminate(self, instance):
        self.harness.clients(self.account)("ec2").terminate_instances(InstanceIds=[instance])

    def instance_at(self, address):
        """What the metadata service tells to an address; nothing if no instance has it."""
        for instance in self.view.instances():
            if instance.state in ALIVE and instance.private_ip == address:
                profile = self.view.profile(instance)
                role = profile.roles[0] if profile and profile.roles else None
                credential = self.identities.of(instance, role) if role else None
                return metadata.Instance(instance, self.view.template(instance), profile, credential)
        return None

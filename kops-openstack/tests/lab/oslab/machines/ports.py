"""The services where the catalogue has them: at the loopback, of each machine and of the lab's own namespace."""
import asyncio
import threading

from machines import namespace


class Ports:
    """Connections to these ports of other namespaces' loopback go to the same ports here."""

    def __init__(self, ports):
        self.ports = ports
        self.servers = {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def open(self, name):
        """Opens them in a namespace, which is a new one if it had them before."""
        self.close(name)
        sockets = [namespace.listen(name, '127.0.0.1', port) for port in self.ports]
        self.servers[name] = self._run(self._serve(sockets))

    def close(self, name):
        for server in self.servers.pop(name, ()):
            self.loop.call_soon_threadsafe(server.close)

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def _serve(self, sockets):
        def forward(port):
            return lambda reader, writer: self._forward(port, reader, writer)
        return [await asyncio.start_server(forward(it.getsockname()[1]), sock=it) for it in sockets]

    async def _forward(self, port, reader, writer):
        try:
            there = await asyncio.open_connection('127.0.0.1', port)
        except OSError:
            return writer.close()
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()

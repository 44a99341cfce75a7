#!/usr/bin/env python3
"""lb.py LISTEN: the lab's API load balancer, a TCP forwarder with health checks, as a cloud's layer-4 one.

Its backends are port 6443 of the addresses .11 to .19 of the lab's network: control planes. A backend takes connections while it answers /readyz over HTTPS. (With a check of the TCP port alone, clients
reach an API server that has just started and get `403 Forbidden`, for it has not yet read the RBAC rules.)
"""
import asyncio, ssl, sys

healthy: list[tuple[str, int]] = []
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE      # a health check verifies nobody, as a cloud's


def backends(listen):
    return [(f"{listen.rsplit('.', 1)[0]}.{n}", 6443) for n in range(11, 20)]


async def ready(b):
    r, w = await asyncio.open_connection(*b, ssl=TLS)
    try:
        w.write(b"GET /readyz HTTP/1.0\r\n\r\n")
        return b" 200 " in await r.readline()
    finally:
        w.close()


async def alive(b):
    try:
        return b if await asyncio.wait_for(ready(b), 2) else None
    except (OSError, asyncio.TimeoutError):
        return None


async def check(listen):
    while True:
        found = [b for b in await asyncio.gather(*map(alive, backends(listen))) if b]
        if found != healthy:
            print("healthy:", found, flush=True)
            healthy[:] = found
        await asyncio.sleep(1)


async def pump(r, w):
    try:
        while data := await r.read(65536):
            w.write(data)
            await w.drain()
    except OSError:
        pass
    finally:
        w.close()


async def serve(r, w, turn=[0]):
    for _ in range(len(healthy)):
        turn[0] += 1
        try:
            br, bw = await asyncio.wait_for(asyncio.open_connection(*healthy[turn[0] % len(healthy)]), 1)
        except (OSError, asyncio.TimeoutError, ZeroDivisionError):
            continue
        await asyncio.gather(pump(r, bw), pump(br, w))
        return
    w.close()


async def main(listen):
    host, port = listen.rsplit(":", 1)
    server = await asyncio.start_server(serve, host, int(port))
    await asyncio.gather(server.serve_forever(), check(host))


asyncio.run(main(sys.argv[1]))

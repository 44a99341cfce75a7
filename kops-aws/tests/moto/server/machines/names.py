"""The network's own name server, as the one that every VPC has: services, load balancers, machines, private zones.

UDP alone, addresses of version 4 alone: whatever else is asked of a name that exists is answered with nothing.
"""

import asyncio
import struct

A, IN = 1, 1
NAME_ERROR = 3
# Short, for load balancers and records change.
TTL_SECONDS = 5


class Names(asyncio.DatagramProtocol):
    """`resolve(name)` gives the addresses of a name in lower case; none for a name that there is not."""

    def __init__(self, resolve):
        self.resolve = resolve

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        answer = self.answer(data)
        if answer:
            self.transport.sendto(answer, sender)

    def answer(self, data):
        try:
            number, _, questions = struct.unpack_from("!HHH", data)
            name, end = read_name(data, 12)
            kind, family = struct.unpack_from("!HH", data, end)
        except (struct.error, IndexError, UnicodeDecodeError):
            return None
        if questions != 1 or family != IN:
            return None
        addresses = self.resolve(name.lower())
        shown = (addresses or []) if kind == A else []
        flags = 0x8580 | (NAME_ERROR if addresses is None else 0)
        head = struct.pack("!HHHHHH", number, flags, 1, len(shown), 0, 0)
        # 0xC00C points to the name in the question.
        records = b"".join(
            struct.pack("!HHHIH4B", 0xC00C, A, IN, TTL_SECONDS, 4, *map(int, address.split("."))) for address in shown
        )
        return head + data[12 : end + 4] + records


def read_name(data, at):
    labels = []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels), at + 1

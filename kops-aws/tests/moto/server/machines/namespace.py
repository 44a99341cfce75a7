"""Sockets in other network namespaces.

A socket belongs to the namespace of the thread that makes it, for good. So this process serves inside of the lab
without a helper there: what listens is made by a thread that has entered the lab's namespace.
"""

import concurrent.futures
import ctypes
import os
import socket

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def enter(name):
    """Moves the calling thread into a network namespace of `ip netns`. There is no way back for the thread."""
    handle = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(handle, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"entering network namespace {name}")
    finally:
        os.close(handle)


def call(name, function, *arguments):
    """What a function returns that runs in a namespace."""
    with concurrent.futures.ThreadPoolExecutor(1, initializer=enter, initargs=(name,)) as one:
        return one.submit(function, *arguments).result()


def listen(name, address, port):
    """A TCP socket that listens in a namespace."""

    def make():
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(128)
        return made

    return call(name, make)

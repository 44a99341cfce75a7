"""Servers that are real machines: a project whose Nova is the lab of `kops-node/tests/lab`.

A process beside the services (`python -m oslab.machines PROJECT`), since none of them need know of it: `follow.py` makes
machines alike to what Nova, Neutron and Cinder say of a project's servers, `balancing.py` forwards what Octavia says,
`metadata.py` is the metadata service, and `ports.py` brings the services to where the catalogue has them: the loopback.
How machines are booted, and how a balancer forwards, is shared with the emulator of AWS (`kops-aws/tests/moto`).

Standard input is a JSON document a line, each answered by one; machines end with it.
"""
import pathlib
import sys

# `machines`: the lab's machines, and balancers.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[5] / 'kops-aws/tests/moto/server'))

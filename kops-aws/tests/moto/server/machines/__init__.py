"""Instances that are real machines: an account whose EC2 is the lab of `kops-node/tests/lab`.

`site.py` puts it together. `follow.py` makes the machines alike to what moto says (`view.py`); `lab.py` boots them, by
the lab's own command. What a machine finds around it: the metadata service (`metadata.py`), a name server (`names.py`),
the services under their own names and over TLS (`door.py`) with the permissions of its role (`identities.py`,
`signature.py`, `policies.py`), load balancers (`balancers.py`) and security groups (`firewalls.py`), as `wiring.py` reads
them from moto.
"""

"""Whatever is sent, the emulator answers as Azure would: it never fails itself (599), and says nothing that the
vendor's models do not have (`--check-answers`)."""

import copy
import random

import pytest

ROUNDS = 1500
VALUES = [0, 1, 50, 5000, -1, "", "x", "10.0.0.0/24", "westeurope", "Standard_B2s", True, [], {}, None]


def mutate(chance, value, ids):
    """The same document with some members gone, replaced or pointing elsewhere."""
    if isinstance(value, dict):
        kept = {key: mutate(chance, item, ids) for key, item in value.items() if chance.random() > 0.04}
        return kept
    if isinstance(value, list):
        return [mutate(chance, item, ids) for item in value if chance.random() > 0.05]
    draw = chance.random()
    if draw < 0.03:
        return chance.choice(ids)
    return chance.choice(VALUES) if draw < 0.05 else value


@pytest.mark.parametrize("seed", range(3))
def test_mutated_documents(azure, seed):
    azure.control("foreign", cluster="any", group="g")
    chance = random.Random(seed)
    versions = {
        "Microsoft.Network": "2024-03-01",
        "Microsoft.Compute": "2024-07-01",
        "Microsoft.ManagedIdentity": "2023-01-31",
        "dnszones": "2018-05-01",
        "privateDnsZones": "2024-06-01",
        "disks": "2024-03-02",
    }
    documents = [
        (path, body)
        for kind, members in azure.control("snapshot").items()
        for path, body in members.items()
        if kind not in ("resourceGroups", "roleAssignments")
    ]
    ids = [path for path, _ in documents]
    seen = {}
    for number in range(ROUNDS):
        path, body = chance.choice(documents)
        words = path.split("/")
        version = versions.get(words[7], versions[words[6]])
        method = chance.choice(["PUT", "PUT", "PUT", "PATCH", "GET"] + (["DELETE"] if number % 40 == 0 else []))
        target = path if chance.random() < 0.7 else f"{path}{chance.randrange(3)}"
        document = mutate(chance, copy.deepcopy(body), ids) if method in ("PUT", "PATCH") else None
        status, _, answer = azure.raw(method, f"{azure.endpoint}{target}", document, version)
        assert status != 599, f"{method} {target} {document}"
        assert status < 400 or status == 501 or answer["error"]["message"], answer
        seen[status] = seen.get(status, 0) + 1
        if number % 25 == 0:
            azure.control("settle")
    assert seen[200] > 100 and seen[400] > 100, seen

"""Resource ids: `/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/N/subnets/M`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Id:
    """An id in its parts, spelt as it was given."""

    subscription: str
    group: str | None
    namespace: str | None
    pairs: tuple

    @property
    def type(self):
        return "/".join([self.namespace or "", *(kind for kind, _ in self.pairs)])

    @property
    def name(self):
        return self.pairs[-1][1]


def parse(text):
    """The parts of an id, or `None` when it is none."""
    parts = text.split("/")
    if len(parts) < 3 or parts[0] or parts[1].lower() != "subscriptions" or not all(parts[2:]):
        return None
    rest = parts[3:]
    group = None
    if len(rest) >= 2 and rest[0].lower() == "resourcegroups":
        group, rest = rest[1], rest[2:]
    if not rest:
        return Id(parts[2], group, None, ())
    if len(rest) < 4 or rest[0].lower() != "providers" or len(rest) % 2:
        return None
    pairs = tuple(zip(rest[2::2], rest[3::2]))
    return Id(parts[2], group, rest[1], pairs)


def location(text):
    """`West Europe` and `westeurope` are one place."""
    return text.replace(" ", "").lower()

"""Where moto 5.2.5 takes long for what is known at once: each of these was a tenth of its time or more."""

import functools

from moto import backends
from moto.core import responses
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix


def own_tags(self):
    """moto matches the tags of all objects with a pattern of the object's identifier."""
    if not self.id:
        return []
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "")
    tags = self.ec2_backend.tags.get(self.id, {})
    return [
        {"resource_id": self.id, "key": key, "value": value, "resource_type": kind} for key, value in tags.items()
    ]


TaggedEC2Resource.get_tags = own_tags

# The methods of a class, looked up for each call.
responses.method_names_from_class = functools.cache(responses.method_names_from_class)

# A directory, read for each request.
modules = frozenset(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: modules

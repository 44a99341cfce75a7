"""How a subscription behaves: what a test can turn."""

import fnmatch


class Settings:
    def __init__(self):
        # Added to every call, in seconds.
        self.latency = 0.0
        # How long long-running operations take, in seconds: the first pattern that matches the operation counts.
        self.lro = []
        self.lro_default = 0.02
        # The `Retry-After` of long-running operations, in seconds; `None`: what is left, rounded down.
        self.retry_after = None
        # Lists miss what was made less than this many seconds ago.
        self.list_lag = 0.0
        # A GET by name misses what was made less than this many seconds ago.
        self.read_lag = 0.0
        # Principals are unknown to role assignments for this many seconds.
        self.principal_lag = 0.0
        # Azure trusts a caller who names the principal's type; tests may want the refusal nevertheless.
        self.principal_lag_always = False
        # Entries of a page.
        self.page_size = 50
        # Vcpus of the subscription.
        self.core_limit = 10_000
        # A virtual network that is put without `subnets`: Azure keeps them (as of 2024), it used to delete them.
        self.keep_subnets = True
        # Token buckets as of Azure's limits, off unless a test turns them on: size and refill a second of
        # {"reads": [250, 10], "writes": [200, 10], "deletes": [200, 10]}; a kind that is left out is not metered.
        self.throttle = None
        # Compute answers with ids whose group is in capitals, as Azure's does for instances: ids compare without
        # regard to case, and whoever forgets it should notice.
        self.odd_case = False
        # Whether a resource under change refuses another change, as Azure's network does.
        self.exclusive = True

    def change(self, **values):
        """Sets what is named; an unknown name is an error, for a test would believe in it."""
        for name, value in values.items():
            if name == "lro" and isinstance(value, dict):
                self.lro = [(pattern, seconds) for pattern, seconds in value.items()]
            elif name in vars(self):
                setattr(self, name, value)
            else:
                raise KeyError(f"there is no setting {name!r}; there are {sorted(vars(self))}")
        return dict(vars(self))

    def seconds(self, operation):
        """How long an operation takes."""
        for pattern, seconds in self.lro:
            if fnmatch.fnmatchcase(operation, pattern):
                return seconds
        return self.lro_default

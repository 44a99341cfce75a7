"""OVN's load balancers as far as its driver refuses something: what it takes is carried out as usual.

https://docs.openstack.org/ovn-octavia-provider/latest/admin/driver.html
"""
from octavia.api.drivers.amphora_driver.v2 import driver
from octavia_lib.api.drivers import exceptions


def refuse(what):
    raise exceptions.UnsupportedOptionError(
        user_fault_string=what, operator_fault_string=what)


class OvnDriver(driver.AmphoraProviderDriver):
    """Connections pass through: one algorithm, no access lists, no monitors
    of requests."""

    def _validate_pool_algorithm(self, pool):
        if pool.lb_algorithm != 'SOURCE_IP_PORT':
            refuse('OVN provider does not support '
                   f'{pool.lb_algorithm} algorithm')

    def _validate_cidrs(self, listener):
        # Releases before 2023.1 take none.
        if isinstance(listener.allowed_cidrs, list) and listener.allowed_cidrs:
            refuse('OVN provider does not support allowed_cidrs option')

    def listener_create(self, listener):
        self._validate_cidrs(listener)
        super().listener_create(listener)

    def listener_update(self, old_listener, new_listener):
        self._validate_cidrs(new_listener)
        super().listener_update(old_listener, new_listener)

    def health_monitor_create(self, healthmonitor):
        if healthmonitor.type not in ('TCP', 'UDP-CONNECT'):
            refuse('OVN provider does not support '
                   f'{healthmonitor.type} health monitor type.')
        super().health_monitor_create(healthmonitor)

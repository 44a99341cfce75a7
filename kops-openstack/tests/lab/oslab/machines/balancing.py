"""What Octavia says of a project's load balancers, for those of the lab: proxies, as amphorae are."""
from machines import balancers


class Open:
    """Security groups are not enforced."""

    def lets_in(self, door, client):
        return True

    def reaches(self, source, seen, target, port):
        return True


class Balancing:
    """`lists(service, path, items)` reads a listing of the project."""

    def __init__(self, lists):
        self.lists = lists

    def read(self):
        """The addresses of balancers, target groups, and listeners."""
        lists = self.lists
        address = {it['id']: it['vip_address'] for it in lists('load-balancer', 'v2/lbaas/loadbalancers', 'loadbalancers')}
        monitors = {it['id']: it for it in lists('load-balancer', 'v2/lbaas/healthmonitors', 'healthmonitors')}
        groups = [self.group(it, monitors) for it in lists('load-balancer', 'v2/lbaas/pools', 'pools')]
        listeners = [
            balancers.Listener(address[it['loadbalancers'][0]['id']], it['protocol_port'], it['default_pool_id'])
            for it in lists('load-balancer', 'v2/lbaas/listeners', 'listeners')
            if it['default_pool_id'] and it['loadbalancers'][0]['id'] in address
        ]
        return set(address.values()), groups, listeners

    def group(self, pool, monitors):
        members = self.lists('load-balancer', 'v2/lbaas/pools/%s/members' % pool['id'], 'members')
        monitor = monitors.get(pool['healthmonitor_id'], {})
        http = monitor.get('type') in ('HTTP', 'HTTPS')
        check = balancers.Check(
            protocol=monitor['type'] if http else 'TCP',
            port='traffic-port',
            path=monitor.get('url_path') or '/',
            interval=float(monitor.get('delay') or 10),
            timeout=float(monitor.get('timeout') or 5),
            healthy=int(monitor.get('max_retries') or 3),
            unhealthy=int(monitor.get('max_retries_down') or 3),
        )
        targets = tuple(sorted((it['id'], it['address'], it['protocol_port']) for it in members))
        return balancers.Group(pool['id'], check, False, targets)

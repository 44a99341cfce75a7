"""Nova's metadata service, at 169.254.169.254 of the lab's router: who asks is told by the address. It asks for nothing.

https://docs.openstack.org/nova/latest/user/metadata.html
"""
import base64
import http.server
import json
import threading

from machines import namespace

ADDRESS = '169.254.169.254'


class Server(http.server.ThreadingHTTPServer):
    """`server_at(address)` gives the server of Nova's listing that has an address, or nothing."""

    def __init__(self, lab, server_at):
        self.server_at = server_at
        super().__init__((ADDRESS, 80), Handler, bind_and_activate=False)
        self.socket.close()
        lab.link('addr', 'add', ADDRESS + '/32', 'dev', 'kl0')
        self.socket = namespace.listen(lab.namespace, ADDRESS, 80)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Machines die in the middle of a call."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    timeout = 30

    def log_message(self, *_):
        pass

    def do_GET(self):
        address = self.client_address[0]
        server = self.server.server_at(address)
        found = tree(server, address).get(self.path.split('?')[0].strip('/')) if server else None
        status, body = (404, b'') if found is None else (200, found)
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def tree(server, address):
    user_data = base64.b64decode(server.get('OS-EXT-SRV-ATTR:user_data') or '')
    data = {
        'uuid': server['id'],
        'name': server['name'],
        'hostname': server['name'] + '.novalocal',
        'availability_zone': server['OS-EXT-AZ:availability_zone'],
        'project_id': server['tenant_id'],
        'launch_index': 0,
        'meta': server['metadata'],
        'devices': [],
    }
    return {
        'openstack': b'latest\n',
        'openstack/latest': b'meta_data.json\nuser_data\n',
        'openstack/latest/meta_data.json': json.dumps(data).encode(),
        'openstack/latest/user_data': user_data,
        'latest/user-data': user_data,
        'latest/meta-data/instance-id': server['id'].encode(),
        'latest/meta-data/hostname': data['hostname'].encode(),
        'latest/meta-data/local-ipv4': address.encode(),
    }

#!/bin/bash
# up.sh - a real OpenStack (2025.1) control plane on 127.0.0.1, for tests.
#
#   up.sh            install if needed, start if needed, wait until ready
#   up.sh --reset    stop, put the freshly seeded state back, start
#   up.sh --install  only install (packages and virtual environment)
#   up.sh --only "keystone nova"   start just these projects (for restarts)
#
# Settings (environment):
#   OSLAB_DIR      folder for everything it writes      (~/.cache/oslab)
#   OSLAB_PORT     first of the 13 ports it listens on  (17000)
#   OSLAB_COMPUTES fake compute hosts                   (2)
#   OSLAB_SERVICES projects to run (keystone is always first)
#   OSLAB_VENV     virtual environment, if several labs share one
#   OSLAB_PYTHON   CPython 3.10 to 3.12                 (python3.11 or python3)
set -euo pipefail
umask 022
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export OSLAB_DIR=${OSLAB_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/oslab}
BASE=${OSLAB_PORT:-17000}
export OSLAB_COMPUTES=${OSLAB_COMPUTES:-2}
ALL="keystone glance placement nova neutron cinder octavia designate swift"
SERVICES=${OSLAB_SERVICES:-$ALL}
export OSLAB_ETC=$OSLAB_DIR/etc
RUN=$OSLAB_DIR/run LOG=$OSLAB_DIR/log LIVE=$OSLAB_DIR/live SEED=$OSLAB_DIR/seed
VENV=${OSLAB_VENV:-$OSLAB_DIR/venv}; BIN=$VENV/bin
SOCK=$OSLAB_DIR/run/mysql.sock
RESET='' ONLY='' INSTALL_ONLY=''
while [ $# -gt 0 ]; do
  case $1 in
    --reset) RESET=1 ;;
    --install) INSTALL_ONLY=1 ;;
    --only) ONLY=$2; shift ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
n=0
for s in $ALL; do
  export "OSLAB_PORT_${s^^}=$((BASE + n))"; n=$((n + 1))
done
MDNS_PORT=$((BASE + n))
export PYTHONPATH=$HERE XDG_CACHE_HOME=$OSLAB_DIR/cache HOME=$OSLAB_DIR/home
export OS_CLIENT_CONFIG_FILE=$OSLAB_DIR/clouds.yaml
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy \
      OS_CLOUD OS_AUTH_URL 2>/dev/null || true
mkdir -p "$OSLAB_ETC" "$RUN" "$LOG" "$LIVE" "$XDG_CACHE_HOME" "$HOME"

say() { printf '%s %6.1fs %s\n' "$(date +%T)" \
  "$(( ($(date +%s%N) - T0) / 100000000 ))e-1" "$*"; }
T0=$(date +%s%N)
started() {                     # start time (clock ticks) of process $1
  local f
  f=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  f=${f##*) }; [ "${f%% *}" != Z ] || return 1
  # shellcheck disable=SC2086
  set -- $f; echo "${20}"
}
alive() {                       # is the process of that pid file still ours?
  local pid ticks
  read -r pid ticks 2>/dev/null <"$RUN/$1.pid" || return 1
  [ -n "${ticks:-}" ] && [ "$(started "$pid")" = "$ticks" ]
}
port() { local v=OSLAB_PORT_${1^^}; echo "${!v}"; }

# ---------------------------------------------------------------- install
# MariaDB: the machine's, else Debian's packages unpacked into the lab's folder, which needs no root.
MARIA=$OSLAB_DIR/mariadb
database() {
  maria_found && return 0
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    echo "the lab needs MariaDB: install the packages that have mariadbd and mariadb-install-db" >&2; exit 1; }
  say "fetching MariaDB"
  rm -rf "$MARIA.new"; mkdir -p "$MARIA.new/lists/partial" "$MARIA.new/cache/archives/partial" "$MARIA.new/debs"
  local apt="apt-get -qq -o Dir::State::lists=$MARIA.new/lists -o Dir::Cache=$MARIA.new/cache -o Debug::NoLocking=1"
  apt="$apt -o APT::Sandbox::User="
  $apt update >"$LOG/apt.log" 2>&1
  local need
  # With what they depend on that the machine lacks.
  need=$($apt --print-uris --no-install-recommends install mariadb-server-core mariadb-client-core 2>>"$LOG/apt.log" |
    cut -d' ' -f2 | sed 's/_.*//')
  # shellcheck disable=SC2086
  (cd "$MARIA.new/debs" && $apt download $need >>"$LOG/apt.log" 2>&1)
  local deb
  for deb in "$MARIA.new"/debs/*.deb; do dpkg-deb -x "$deb" "$MARIA.new/root"; done
  rm -rf "$MARIA" "$MARIA.new"/{lists,cache,debs}
  mv "$MARIA.new/root" "$MARIA" && rm -rf "$MARIA.new"
  maria_found || { echo "MariaDB's packages lack mariadbd; see $LOG/apt.log" >&2; exit 1; }
}
maria_found() {
  if [ -x "$MARIA/usr/sbin/mariadbd" ]; then
    local lib=$MARIA/usr/lib/$(uname -m)-linux-gnu
    export PATH=$MARIA/usr/sbin:$MARIA/usr/bin:$PATH
    MARIA_BASE=(--basedir="$MARIA/usr" --plugin-dir="$lib/../mysql/plugin" --lc-messages-dir="$MARIA/usr/share/mysql")
    MARIA_ENV=(env LD_LIBRARY_PATH="$lib:$MARIA/lib/$(uname -m)-linux-gnu")
    return 0
  fi
  PATH=$PATH:/usr/sbin
  MARIA_BASE=() MARIA_ENV=(env)
  command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null
}
install() {
  database
  local want
  want=$(sha256sum <"$HERE/requirements.lock" | cut -c1-64)
  if [ "$(cat "$VENV/.oslab" 2>/dev/null)" != "$want" ]; then
    say "making the virtual environment"
    local py=${OSLAB_PYTHON:-}
    [ -n "$py" ] || py=$(command -v /usr/bin/python3.11 || command -v python3)
    rm -rf "$VENV" "$OSLAB_DIR/uv"
    "$py" -m venv "$OSLAB_DIR/uv" 2>"$LOG/venv.log" || {
      # Debian's python3 without python3-venv: any other python3 will do
      rm -rf "$OSLAB_DIR/uv"; python3 -m venv "$OSLAB_DIR/uv"; }
    "$OSLAB_DIR/uv/bin/pip" install -q --disable-pip-version-check uv
    local uv="$OSLAB_DIR/uv/bin/uv --cache-dir $OSLAB_DIR/cache/uv"
    $uv venv -q --python "$py" "$VENV"
    $uv pip install -q --compile-bytecode --python "$BIN/python" \
      -r "$HERE/requirements.lock"
    rm -rf "$OSLAB_DIR/cache/uv"
    echo "$want" >"$VENV/.oslab"
  fi
}

# ---------------------------------------------------------------- configuration
ksa() {                         # a service-user section body
  cat <<X
auth_type = password
auth_url = http://127.0.0.1:$(port keystone)/v3
username = svc
password = svc
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
X
}
authtoken() {                   # of the service of type $1
  echo '[keystone_authtoken]'
  ksa
  cat <<X
service_type = $1
www_authenticate_uri = http://127.0.0.1:$(port keystone)/v3
service_token_roles = service
service_token_roles_required = true
token_cache_time = 10
[service_user]
send_service_user_token = true
X
  ksa
}
db() { echo "mysql+pymysql://root@localhost/$1?unix_socket=$SOCK&charset=utf8mb4"; }
configure() {
  local e=$OSLAB_ETC v=$VENV/etc d=$LIVE/data
  mkdir -p "$d"/{glance,nova,neutron,cinder,octavia/certs,designate,locks}
  cp "$v"/nova/api-paste.ini "$e/nova-paste.ini"
  cp "$v"/cinder/api-paste.ini "$e/cinder-paste.ini"
  cp "$v"/cinder/resource_filters.json "$e/"
  cp "$v"/designate/api-paste.ini "$e/designate-paste.ini"
  cp "$v"/neutron/api-paste.ini "$e/neutron-paste.ini"
  cp "$v"/glance/glance-api-paste.ini "$e/"
  # the stock nova paste file also offers the metadata API on 0.0.0.0; unused
  [ -s "$d/nova/compute_id" ] ||
    echo 8d8b3d6e-0000-4000-8000-000000000001 >"$d/nova/compute_id"

  cat >"$e/keystone.conf" <<X
[DEFAULT]
log_file = $LOG/keystone.log
public_endpoint = http://127.0.0.1:$(port keystone)/
[database]
connection = $(db keystone)
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = $d/keystone/fernet
[credential]
key_repository = $d/keystone/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
X
  cat >"$e/glance-api.conf" <<X
[DEFAULT]
log_file = $LOG/glance.log
enabled_backends = disk:file
enabled_import_methods = []
bind_host = 127.0.0.1
bind_port = $(port glance)
workers = 1
node_staging_uri = file://$d/glance/staging
use_keystone_limits = false
public_endpoint = http://127.0.0.1:$(port glance)
[glance_store]
default_backend = disk
[disk]
filesystem_store_datadir = $d/glance/images
[os_glance_staging_store]
filesystem_store_datadir = $d/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = $d/glance/tasks
[database]
connection = $(db glance)
[paste_deploy]
flavor = keystone
config_file = $e/glance-api-paste.ini
[oslo_concurrency]
lock_path = $d/locks
$(authtoken image)
X
  mkdir -p "$d"/glance/{images,staging,tasks}
  cat >"$e/placement.conf" <<X
[DEFAULT]
log_file = $LOG/placement.log
[api]
auth_strategy = keystone
[placement_database]
connection = $(db placement)
$(authtoken placement)
X
  cat >"$e/nova.conf" <<X
[DEFAULT]
log_file = $LOG/nova.log
state_path = $d/nova
transport_url = fake:///
enabled_apis = osapi_compute
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = $(port nova)
osapi_compute_workers = 1
my_ip = 127.0.0.1
host = control
compute_driver = fake.LoopbackDriver
sync_power_state_interval = -1
update_resources_interval = 30
instance_build_timeout = 120
max_concurrent_builds = 10
allow_resize_to_same_host = true
vif_plugging_is_fatal = false
vif_plugging_timeout = 0
heal_instance_info_cache_interval = -1
rpc_response_timeout = 60
service_down_time = 120
report_interval = 10
[wsgi]
api_paste_config = $e/nova-paste.ini
[api_database]
connection = $(db nova_api)
[database]
connection = $(db nova)
[conductor]
workers = 1
[scheduler]
workers = 1
[quota]
instances = -1
cores = -1
ram = -1
metadata_items = 256
key_pairs = -1
server_groups = -1
server_group_members = -1
[vnc]
enabled = false
[oslo_concurrency]
lock_path = $d/locks
[glance]
region_name = RegionOne
[cinder]
$(ksa)
os_region_name = RegionOne
[neutron]
$(ksa)
[placement]
$(ksa)
$(authtoken compute)
X
  cat >"$e/neutron.conf" <<X
[DEFAULT]
log_file = $LOG/neutron.log
state_path = $d/neutron
transport_url = fake:///
bind_host = 127.0.0.1
bind_port = $(port neutron)
core_plugin = ml2
service_plugins = router
api_paste_config = $e/neutron-paste.ini
dns_domain = oslab.internal.
global_physnet_mtu = 1500
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
send_events_interval = 1
dhcp_agent_notification = false
max_routes = 100
max_allowed_address_pair = 100
[ml2]
type_drivers = flat,vlan,vxlan,geneve,local
tenant_network_types = vxlan
mechanism_drivers = oslab
extension_drivers = port_security,dns_domain_ports
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = physnet1:100:3999,physnet2
[ml2_type_vxlan]
vni_ranges = 1:100000
[ml2_type_geneve]
vni_ranges = 1:100000
max_header_size = 38
[securitygroup]
enable_security_group = true
[quotas]
quota_network = -1
quota_subnet = -1
quota_port = -1
quota_router = -1
quota_floatingip = -1
quota_security_group = -1
quota_security_group_rule = -1
[database]
connection = $(db neutron)
[oslo_concurrency]
lock_path = $d/locks
[nova]
$(ksa)
[placement]
$(ksa)
$(authtoken network)
X
  cat >"$e/cinder.conf" <<X
[DEFAULT]
log_file = $LOG/cinder.log
state_path = $d/cinder
transport_url = fake:///
host = control
my_ip = 127.0.0.1
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = $(port cinder)
osapi_volume_workers = 1
api_paste_config = $e/cinder-paste.ini
resource_query_filters_file = $e/resource_filters.json
auth_strategy = keystone
enabled_backends = oslab
default_volume_type = standard
glance_api_servers = http://127.0.0.1:$(port glance)
quota_volumes = -1
quota_snapshots = -1
quota_gigabytes = -1
quota_backups = -1
quota_groups = -1
[oslab]
volume_driver = oslab.cinder_driver.LoopbackDriver
volume_backend_name = oslab
[database]
connection = $(db cinder)
[oslo_concurrency]
lock_path = $d/locks
[coordination]
backend_url = file://$d/cinder
[nova]
interface = public
$(ksa)
$(authtoken block-storage)
X
  cat >"$e/octavia.conf" <<X
[DEFAULT]
log_file = $LOG/octavia.log
transport_url = fake:///
host = control
[api_settings]
bind_host = 127.0.0.1
bind_port = $(port octavia)
api_base_uri = http://127.0.0.1:$(port octavia)
auth_strategy = keystone
enabled_provider_drivers = amphora:test provider without amphorae,octavia:alias of amphora,ovn:as OVN refuses
default_provider_driver = amphora
[database]
connection = $(db octavia)
[controller_worker]
amphora_driver = amphora_noop_driver
compute_driver = oslab_compute
network_driver = oslab_network
volume_driver = volume_noop_driver
image_driver = image_noop_driver
loadbalancer_topology = SINGLE
amp_flavor_id = 1
amp_image_tag = amphora
client_ca = $d/octavia/ca.crt
amp_boot_network_list = 00000000-0000-4000-8000-000000000001
[networking]
port_detach_timeout = 2
[certificates]
cert_manager = local_cert_manager
storage_path = $d/octavia/certs
cert_generator = local_cert_generator
ca_certificate = $d/octavia/ca.crt
ca_private_key = $d/octavia/ca.key
ca_private_key_passphrase = oslab
[haproxy_amphora]
client_cert = $d/octavia/ca.crt
server_ca = $d/octavia/ca.crt
[health_manager]
bind_ip = 127.0.0.1
bind_port = 1
heartbeat_key = oslab
[oslo_messaging]
topic = octavia
[neutron]
region_name = RegionOne
[nova]
region_name = RegionOne
[service_auth]
$(ksa)
$(authtoken load-balancer)
X
  cat >"$e/designate.conf" <<X
[DEFAULT]
log_file = $LOG/designate.log
state_path = $d/designate
transport_url = fake:///
host = control
graceful_shutdown_timeout = 2
quota_zones = 100000
quota_zone_recordsets = 100000
quota_zone_records = 100000
quota_recordset_records = 1000
[oslo_messaging_rabbit]
[service:api]
listen = 127.0.0.1:$(port designate)
workers = 1
threads = 100
auth_strategy = keystone
api_base_uri = http://127.0.0.1:$(port designate)/
api_paste_config = $e/designate-paste.ini
enable_api_v2 = true
enable_api_admin = true
enabled_extensions_admin = quotas
enable_host_header = false
[service:central]
workers = 1
[service:worker]
workers = 1
enabled = true
poll_timeout = 2
poll_retry_interval = 1
poll_max_retries = 3
poll_delay = 0
serial_retry_delay = 1
[service:producer]
workers = 1
[producer_task:worker_periodic_recovery]
interval = 10
[producer_task:increment_serial]
interval = 1
[producer_task:delayed_notify]
interval = 1
[service:mdns]
workers = 1
listen = 127.0.0.1:$MDNS_PORT
[storage:sqlalchemy]
connection = $(db designate)
[coordination]
[oslo_concurrency]
lock_path = $d/locks
[network_api:neutron]
[heartbeat_emitter]
emitter_type = noop
$(authtoken dns)
X
  cat >"$e/pools.yaml" <<X
- name: default
  description: loopback
  attributes: {}
  ns_records:
    - {hostname: ns1.oslab.example., priority: 1}
  nameservers:
    - {host: 127.0.0.1, port: $MDNS_PORT}
  targets:
    - type: fake
      description: keeps nothing
      masters:
        - {host: 127.0.0.1, port: $MDNS_PORT}
      options: {host: 127.0.0.1, port: $MDNS_PORT}
X
  mkdir -p "$e/swift" "$d/swift/d"
  cat >"$e/swift/swift.conf" <<X
[swift-hash]
swift_hash_path_suffix = oslab
[storage-policy:0]
name = Policy-0
default = yes
X
  local kind
  for kind in account container object; do
    cat >"$e/swift/$kind.conf" <<X
[DEFAULT]
swift_dir = $e/swift
devices = $d/swift
mount_check = false
log_level = WARNING
log_address = $RUN/swift-log.sock
[app:main]
use = egg:swift#$kind
fallocate_reserve = 0
disable_fallocate = true
X
  done
  cat >"$e/swift/proxy.conf" <<X
[DEFAULT]
swift_dir = $e/swift
log_level = WARNING
log_address = $RUN/swift-log.sock
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache bulk tempurl authtoken keystoneauth copy container-quotas account-quotas slo dlo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
service_type = object-store
$(ksa)
www_authenticate_uri = http://127.0.0.1:$(port keystone)/v3
service_token_roles_required = true
X
  cat >"$OSLAB_DIR/clouds.yaml" <<X
clouds:
$(for who in "oslab-admin admin admin admin" "oslab demo demo demo" "oslab-alt alt alt alt"; do
set -- $who
cat <<Y
  $1:
    auth:
      auth_url: http://127.0.0.1:$(port keystone)/v3
      username: $2
      password: $3
      project_name: $4
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
    identity_api_version: 3
Y
done)
X
  cat >"$OSLAB_DIR/openrc" <<X
export OS_AUTH_URL=http://127.0.0.1:$(port keystone)/v3
export OS_USERNAME=demo OS_PASSWORD=demo OS_PROJECT_NAME=demo
export OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default
export OS_REGION_NAME=RegionOne OS_IDENTITY_API_VERSION=3
export OS_CLIENT_CONFIG_FILE=$OSLAB_DIR/clouds.yaml
export OSLAB_DIR=$OSLAB_DIR OSLAB_PORT=$BASE
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
X
}

# ---------------------------------------------------------------- processes
launch() {                      # launch NAME COMMAND...
  local name=$1; shift
  setsid "$@" </dev/null >>"$LOG/$name.out" 2>&1 &
  echo "$! $(started $!)" >"$RUN/$name.pid"
  disown
}
my() { "${MARIA_ENV[@]}" mariadb --no-defaults --socket="$SOCK" -u root "$@"; }
start_db() {
  alive mariadb && return 0
  if [ ! -d "$LIVE/db/mysql" ]; then
    "${MARIA_ENV[@]}" mariadb-install-db --no-defaults "${MARIA_BASE[@]:0:1}" --user="$(id -un)" \
      --datadir="$LIVE/db" --auth-root-authentication-method=normal \
      --skip-test-db --skip-name-resolve >"$LOG/mariadb-install.log" 2>&1
  fi
  launch mariadb "${MARIA_ENV[@]}" mariadbd --no-defaults "${MARIA_BASE[@]}" --user="$(id -un)" \
    --datadir="$LIVE/db" --socket="$SOCK" --pid-file="$RUN/mariadbd.pid" \
    --skip-networking --skip-name-resolve --skip-log-bin \
    --max-connections=800 --innodb-buffer-pool-size=256M \
    --innodb-log-file-size=64M --innodb-flush-log-at-trx-commit=0 \
    --innodb-doublewrite=0 --performance-schema=OFF \
    --transaction-isolation=READ-COMMITTED \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci
  for _ in $(seq 300); do
    my -e 'select 1' >/dev/null 2>&1 && return 0
    alive mariadb || break
    sleep 0.1
  done
  echo "MariaDB did not start; see $LOG/mariadb.out" >&2; return 1
}
start() {
  local s=$1
  alive "$s" && return 0
  if (exec 3<>"/dev/tcp/127.0.0.1/$(port "$s")") 2>/dev/null; then
    echo "port $(port "$s") ($s) is taken by something else" >&2; return 1
  fi
  launch "$s" "$BIN/python" "$HERE/serve.py" "$s"
}
ready() {                       # wait until each named project answers HTTP
  local s end=$((SECONDS + 180))
  for s in "$@"; do
    until alive "$s" && curl -s -o /dev/null --noproxy '*' --max-time 10 \
          "http://127.0.0.1:$(port "$s")/"; do
      alive "$s" || { echo "$s ended; see $LOG/$s.out, $LOG/$s.log" >&2; return 1; }
      [ $SECONDS -lt $end ] || { echo "$s not ready in time" >&2; return 1; }
      sleep 0.2
    done
    say "$s ready"
  done
}
has() { case " $SERVICES " in *" $1 "*) return 0 ;; esac; return 1; }

# ---------------------------------------------------------------- first start
bootstrap() {
  say "first start: making databases"
  start_db
  local x
  [ -e "$LIVE/schemas-made" ] || schemas
  start keystone
  ready keystone
  "$BIN/python" "$HERE/seed.py" identity      # the others log in at once
  say "identity seeded"
  for x in $SERVICES; do start "$x"; done
  # shellcheck disable=SC2086
  ready $SERVICES
  "$BIN/python" "$HERE/seed.py" resources
  say "resources seeded; saving this state for --reset"
  bash "$HERE/down.sh"
  echo "$MADE_FOR" >"$LIVE/made-for"
  rm -rf "$SEED.new" && cp -a "$LIVE" "$SEED.new" && mv "$SEED.new" "$SEED"
}
schemas() {
  local x
  for x in keystone glance placement nova_api nova nova_cell0 neutron cinder \
           octavia designate; do
    my -e "create database if not exists $x character set utf8mb3"
  done
  mkdir -p "$LIVE"/data/keystone/{fernet,credential}
  chmod 700 "$LIVE"/data/keystone/{fernet,credential}
  say "schemas"
  job() { local n=$1; shift; "$@" >"$LOG/sync-$n.log" 2>&1 ||
          { echo "schema $n failed; see $LOG/sync-$n.log" >&2; return 1; }; }
  local e=$OSLAB_ETC
  sync_keystone() {
    local k="$BIN/keystone-manage --config-file $e/keystone.conf"
    $k db_sync
    $k fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
    $k credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
    $k bootstrap --bootstrap-password admin --bootstrap-region-id RegionOne \
      --bootstrap-public-url "http://127.0.0.1:$(port keystone)/v3" \
      --bootstrap-internal-url "http://127.0.0.1:$(port keystone)/v3" \
      --bootstrap-admin-url "http://127.0.0.1:$(port keystone)/v3"
  }
  sync_nova() {
    local m="$BIN/nova-manage --config-file $e/nova.conf"
    $m api_db sync
    $m cell_v2 map_cell0 --database_connection "$(db nova_cell0)"
    $m cell_v2 create_cell --name cell1 --transport-url fake:/// \
      --database_connection "$(db nova)"
    $m db sync
  }
  local a b c
  ( set -e; job keystone sync_keystone; job nova sync_nova
    job cinder "$BIN/cinder-manage" --config-file "$e/cinder.conf" db sync ) & a=$!
  ( set -e
    job neutron "$BIN/neutron-db-manage" --config-file "$e/neutron.conf" upgrade heads
    job glance "$BIN/glance-manage" --config-file "$e/glance-api.conf" db_sync
    job placement "$BIN/placement-manage" --config-file "$e/placement.conf" db sync ) & b=$!
  ( set -e
    job octavia "$BIN/octavia-db-manage" --config-file "$e/octavia.conf" upgrade head
    job designate "$BIN/designate-manage" --config-file "$e/designate.conf" database sync ) & c=$!
  wait $a; wait $b; wait $c
  "$BIN/python" "$HERE/seed.py" ca "$LIVE/data/octavia"
  touch "$LIVE/schemas-made"
  say "schemas made"
}

install
[ -z "$INSTALL_ONLY" ] || { say installed; exit 0; }
# The seed holds absolute URLs (service catalogue) and socket paths (cells).
MADE_FOR="$BASE $SOCK"
if [ -d "$SEED" ] && [ "$(cat "$SEED/made-for" 2>/dev/null)" != "$MADE_FOR" ]; then
  say "ports or folder changed: making the state anew"
  bash "$HERE/down.sh"
  rm -rf "$SEED" "$LIVE"; mkdir -p "$LIVE"
fi
if [ -n "$RESET" ] && [ -d "$SEED" ]; then
  bash "$HERE/down.sh"
  rm -rf "$LIVE" "$OSLAB_DIR"/{projects,tokens}
fi
if [ -d "$SEED" ] && [ ! -d "$LIVE/db/mysql" ]; then
  rm -rf "$LIVE"; cp -a "$SEED" "$LIVE"
fi
configure
if [ ! -d "$SEED" ]; then
  if [ ! -e "$LIVE/schemas-made" ]; then      # half-made: begin again
    bash "$HERE/down.sh"; rm -rf "$LIVE"; mkdir -p "$LIVE"; configure
  fi
  bootstrap
fi
[ -z "$ONLY" ] || SERVICES=$ONLY
start_db
for s in $SERVICES; do start "$s"; done
# shellcheck disable=SC2086
ready $SERVICES
if has nova && has neutron; then "$BIN/python" "$HERE/seed.py" check; fi
say "ready; . $OSLAB_DIR/openrc, or OS_CLIENT_CONFIG_FILE=$OSLAB_DIR/clouds.yaml OS_CLOUD=oslab"

#!/bin/bash
# build.sh [VERSION ...]: Kubernetes' own programs (default: v1.34.4), and the etcd and CoreDNS that its kubeadm
# asks for, crictl, and our own small programs, built from Go modules into the cache folder; and one image
# layer per Kubernetes version for the machines. Idempotent: a program that is there is not built again.
#
#   $KUBELAB_CACHE (default ~/.cache/kubelab)
#     bin/v1.X.Y/          kubeadm kubelet kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy
#     bin/etcd-v3.X.Y/     etcd etcdctl etcdutl        bin/coredns-v1.X.Y/  coredns
#     bin/common/          crictl, and our own pause podnet hello
#     layers/v1.X.Y/       what the packages of that version put on a machine: /usr/bin/kubeadm, kubelet, its unit ...
#     go-build/            Go's build cache; log/ the wall and CPU time of each build
#
# `build.sh kubeadm VERSION ...` builds kubeadm alone, of further versions: what is rendered is validated with it.
# `build.sh containerd` adds containerd 2 as a layer over Debian's 1.6 (`machine up --layer containerd-v2...`).
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${KUBELAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubelab}
export GOCACHE=${GOCACHE_KUBELAB:-$CACHE/go-build} GOFLAGS="-mod=mod -buildvcs=false -p=2" CGO_ENABLED=0 GOTOOLCHAIN=local
CRICTL=v1.34.0 CONTAINERD=v2.2.3
mkdir -p "$CACHE/bin/common" "$CACHE/src" "$CACHE/log"
exec 9>"$CACHE/build.lock"
flock 9     # whoever comes second waits, and finds everything there

# build NAME OUTDIR LDFLAGS PACKAGE...: in the current module; measures.
build() {
  local name=$1 dir=$2 flags=$3; shift 3
  local todo=() p
  for p in "$@"; do [ -x "$dir/$(basename "${p%/v3}")" ] || todo+=("$p"); done
  [ ${#todo[@]} -gt 0 ] || return 0
  echo "building $name: ${todo[*]##*/}"
  mkdir -p "$dir"
  local start; start=$(date +%s)
  ( TIMEFORMAT="wall %R s, user %U s, system %S s"
    time go build -trimpath -ldflags "-s -w $flags" -o "$dir/" "${todo[@]}" ) 2>&1 | grep -v '^go: downloading' | tee "$CACHE/log/build-$name-$start.log"
  [ "${PIPESTATUS[0]}" = 0 ]
}

# kube VERSION [PROGRAM ...]: k8s.io/kubernetes as a module needs the versions of its own staging modules said by the main module.
kube() {
  local v=$1 dir=$CACHE/src/kube-$1 mod flags="" p
  shift
  local programs=("$@")
  [ ${#programs[@]} -gt 0 ] || programs=(kubeadm kube-apiserver kubelet kubectl kube-controller-manager kube-scheduler kube-proxy)
  if [ ! -s "$dir/go.mod" ]; then
    mkdir -p "$dir"
    mod=$(cd "$dir" && go mod download -json "k8s.io/kubernetes@$v" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
    { echo "module kubelab/kube"; echo; awk '$1 == "go"' "$mod"; echo; echo "require k8s.io/kubernetes $v"; echo; echo "replace ("
      awk -v s="v0.${v#v1.}" '$2 == "=>" && $3 ~ /^\.\/staging/ {print "\t" $1 " => " $1 " " s}' "$mod"; echo ")"; } > "$dir/go.mod"
  fi
  for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $p.gitVersion=$v -X $p.gitMajor=1 -X $p.gitMinor=$(cut -d. -f2 <<<"$v") -X $p.gitTreeState=clean"
    flags+=" -X $p.gitCommit=kubelab -X $p.buildDate=1970-01-01T00:00:00Z"
  done
  cd "$dir"
  build "kube-$v" "$CACHE/bin/$v" "$flags" "${programs[@]/#/k8s.io/kubernetes/cmd/}"
}

# layer VERSION: the files that the distribution packages of kubeadm, kubelet, kubectl and crictl install.
layer() {
  local v=$1 l=$CACHE/layers/$1
  mkdir -p "$l"/usr/bin "$l"/usr/lib/kubelab "$l"/usr/lib/systemd/system/kubelet.service.d "$l"/etc/systemd/system/multi-user.target.wants \
           "$l"/etc/kubelab/kubelet.conf.d "$l"/opt/cni/bin "$l"/etc/default
  ln -f "$CACHE/bin/$v/kubectl" "$CACHE/bin/common/crictl" "$l/usr/bin/"     # hard links: no second copy
  ln -f "$CACHE/bin/$v/kubelet" "$CACHE/bin/$v/kubeadm" "$l/usr/lib/kubelab/"
  # A machine here differs from a cloud's in two ways that user data should not have to know: the host has
  # cgroup v1, which kubelet and kubeadm from 1.35 on refuse unless told, and its disk may be fuller than
  # evictions allow. So the two programs are wrapped; everything that user data says is passed on.
  rm -f "$l/usr/bin/kubelet" "$l/usr/bin/kubeadm"
  cat > "$l/usr/bin/kubelet" <<'SH'
#!/bin/sh
exec /usr/lib/kubelab/kubelet --config-dir=/etc/kubelab/kubelet.conf.d "$@"
SH
  cat > "$l/usr/bin/kubeadm" <<'SH'
#!/bin/sh
case "$1 $2" in
  "init phase" | "join phase") ;;
  init* | join* | "upgrade apply" | "upgrade node") set -- "$@" --ignore-preflight-errors=SystemVerification ;;
esac
exec /usr/lib/kubelab/kubeadm "$@"
SH
  chmod 755 "$l/usr/bin/kubelet" "$l/usr/bin/kubeadm"
  cat > "$l/etc/kubelab/kubelet.conf.d/10-lab.conf" <<'YAML'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
YAML
  cat > "$l/usr/lib/systemd/system/kubelet.service" <<'UNIT'
[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
UNIT
  cat > "$l/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf" <<'UNIT'
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
UNIT
  ln -sf /usr/lib/systemd/system/kubelet.service "$l/etc/systemd/system/multi-user.target.wants/kubelet.service"
  # Debian keeps the CNI plugins elsewhere than everyone else
  for p in bridge host-local loopback portmap ptp bandwidth firewall tuning; do ln -sf "/usr/lib/cni/$p" "$l/opt/cni/bin/$p"; done
  cat > "$l/etc/crictl.yaml" <<'YAML'
runtime-endpoint: unix:///run/containerd/containerd.sock
YAML
}

module() {   # module NAME REQUIRE...: a main module of our own
  local dir=$CACHE/src/$1; shift
  mkdir -p "$dir"; cd "$dir"
  [ -s go.mod ] || { go mod init "kubelab/$(basename "$dir")" 2>/dev/null; go get "$@" 2>&1 | grep -v '^go: \(downloading\|added\)' || true; }
}

# companions VERSION: the etcd and CoreDNS of the image list that this version's kubeadm has built in
companions() {
  local list etcd coredns b
  list=$("$CACHE/bin/$1/kubeadm" config images list --kubernetes-version "$1")
  etcd=v$(sed -n 's#.*/etcd:\([0-9.]*\)-.*#\1#p' <<<"$list") coredns=$(sed -n 's#.*/coredns:##p' <<<"$list")
  b=$CACHE/bin/etcd-$etcd
  module "etcd-$etcd" "go.etcd.io/etcd/server/v3@$etcd" "go.etcd.io/etcd/etcdctl/v3@$etcd" "go.etcd.io/etcd/etcdutl/v3@$etcd"
  build "etcd-$etcd" "$b" "" go.etcd.io/etcd/etcdctl/v3 go.etcd.io/etcd/etcdutl/v3
  if [ ! -x "$b/etcd" ]; then build "etcd-$etcd-server" "$b" "" go.etcd.io/etcd/server/v3; mv "$b/server" "$b/etcd"; fi
  module "coredns-$coredns" "github.com/coredns/coredns@$coredns"
  build "coredns-$coredns" "$CACHE/bin/coredns-$coredns" "" github.com/coredns/coredns
}

common() {
  local b=$CACHE/bin/common p
  module crictl "sigs.k8s.io/cri-tools@$CRICTL"
  build crictl "$b" "-X sigs.k8s.io/cri-tools/pkg/version.Version=$CRICTL" sigs.k8s.io/cri-tools/cmd/crictl
  for p in hello podnet; do [ "$b/$p" -nt "$HERE/programs/$p/main.go" ] || (cd "$HERE/programs/$p" && go build -trimpath -ldflags "-s -w" -o "$b/$p" .); done
  [ "$b/pause" -nt "$HERE/programs/pause.c" ] || cc -Os -static -s -o "$b/pause" "$HERE/programs/pause.c"
}

if [ "${1:-}" = containerd ]; then
  module containerd "github.com/containerd/containerd/v2@$CONTAINERD"
  build containerd "$CACHE/layers/containerd-$CONTAINERD/usr/bin" "-X github.com/containerd/containerd/v2/version.Version=$CONTAINERD" \
    github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
  exit
fi
if [ "${1:-}" = kubeadm ]; then
  for v in "${@:2}"; do kube "$v" kubeadm; done
  exit
fi
common
for v in "${@:-v1.34.4}"; do kube "$v"; layer "$v"; companions "$v"; done

#!/bin/sh
# Prepares this machine for kubeadm: kernel, container runtime, kubelet. Safe to run again.
set -eu
# shellcheck source=/dev/null
. /etc/kops/prepare.env

# The way to the internet may come up after the machine: try for ten minutes.
retry() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || { echo "giving up: $*" >&2; return 1; }
        sleep 5
    done
}

kernel() {
    modprobe -a overlay br_netfilter
    sysctl --system >/dev/null
    swapoff -a
    sed -i -E 's/^([^#].*[[:space:]]swap[[:space:]].*)$/#\1/' /etc/fstab
}

have_everything() {
    command -v containerd >/dev/null && [ "$(kubeadm version -o short 2>/dev/null)" = "v$KUBERNETES_VERSION" ]
}

with_apt() {
    export DEBIAN_FRONTEND=noninteractive
    retry apt-get -q update
    # shellcheck disable=SC2086 # a list of words
    retry apt-get -qy install ca-certificates curl gpg containerd $PACKAGES
    have_everything && return
    mkdir -p /etc/apt/keyrings
    retry curl -fsSL "$REPOSITORY/deb/Release.key" -o /run/kubernetes.key
    gpg --dearmor --yes -o /etc/apt/keyrings/kubernetes.gpg /run/kubernetes.key
    echo "deb [signed-by=/etc/apt/keyrings/kubernetes.gpg] $REPOSITORY/deb/ /" \
        >/etc/apt/sources.list.d/kubernetes.list
    retry apt-get -q update
    retry apt-get -qy --allow-change-held-packages install \
        "kubelet=$KUBERNETES_VERSION-*" "kubeadm=$KUBERNETES_VERSION-*" "kubectl=$KUBERNETES_VERSION-*"
    apt-mark hold kubelet kubeadm kubectl
}

with_dnf() {
    # shellcheck disable=SC2086 # a list of words
    retry dnf -qy install containerd $PACKAGES
    have_everything && return
    cat >/etc/yum.repos.d/kubernetes.repo <<EOF
[kubernetes]
name=Kubernetes
baseurl=$REPOSITORY/rpm/
enabled=1
gpgcheck=1
gpgkey=$REPOSITORY/rpm/repodata/repomd.xml.key
exclude=kubelet kubeadm kubectl
EOF
    retry dnf -qy --disableexcludes=kubernetes install \
        "kubelet-$KUBERNETES_VERSION" "kubeadm-$KUBERNETES_VERSION" "kubectl-$KUBERNETES_VERSION"
}

packages() {
    # A prebuilt image needs nothing, not even a way to the internet.
    if have_everything && [ -z "$PACKAGES" ]; then
        return
    fi
    if command -v apt-get >/dev/null; then
        with_apt
    elif command -v dnf >/dev/null; then
        with_dnf
    else
        echo "neither apt-get nor dnf: this distribution is not supported" >&2
        return 1
    fi
}

runtime() {
    config=/etc/containerd/config.toml
    if ! grep -qs 'SystemdCgroup = true' "$config"; then
        mkdir -p /etc/containerd
        containerd config default | sed 's/SystemdCgroup = false/SystemdCgroup = true/' >"$config"
        systemctl restart containerd
    fi
    systemctl enable --now containerd
}

kubelet() {
    # Where the kubelet's packages read it: Debian's, then Red Hat's.
    for directory in /etc/default /etc/sysconfig; do
        [ ! -d "$directory" ] || cp /etc/kops/kubelet.env "$directory/kubelet"
    done
    systemctl enable kubelet
}

kernel
packages
runtime
kubelet
mkdir -p /var/lib/kops
touch /var/lib/kops/prepared

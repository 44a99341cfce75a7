#!/bin/bash
# rootfs.sh: the machines' image: Debian 12 with systemd, cloud-init and containerd, as a "prebuilt
# image" of a cloud would be. Kubernetes' own programs are a layer of their own (build.sh).
# Idempotent: does nothing if the image is there. One to three minutes, and 510 MB.
set -euo pipefail
CACHE=${KUBELAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubelab}
R=$CACHE/rootfs
mkdir -p "$CACHE"
exec 9>"$CACHE/rootfs.lock"
flock 9     # whoever comes second waits, and finds it there

# The lab's certificate authority: the registry in the lab answers under the real registry's name.
if [ ! -s "$CACHE/ca/ca.crt" ]; then
  mkdir -p "$CACHE/ca"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=kubelab" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$CACHE/ca/ca.key" -out "$CACHE/ca/ca.crt" 2>/dev/null
fi

if [ ! -e "$R/.kubelab" ]; then
  command -v mmdebstrap >/dev/null || { apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends mmdebstrap; }
  [ -d "$R/usr" ] || mmdebstrap --mode=root --variant=minbase --aptopt='Acquire::Languages "none"' \
    --include=systemd,systemd-sysv,dbus,cloud-init,containerd,runc,containernetworking-plugins,iproute2,iptables,nftables,conntrack,ethtool,socat,kmod,procps,ca-certificates,curl,openssl,openssh-server,iputils-ping,netbase,less,python3,sudo,gpgv \
    bookworm "$R"

  # A machine shares the host's kernel: nothing in it may load modules, drive devices or mount debugfs.
  for u in systemd-udevd.service systemd-udev-trigger.service systemd-udev-settle.service systemd-udevd-control.socket \
           systemd-udevd-kernel.socket systemd-modules-load.service systemd-remount-fs.service systemd-binfmt.service \
           proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
           sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount systemd-timesyncd.service \
           systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-resolved.service \
           console-getty.service getty@.service systemd-logind.service systemd-journald-audit.socket \
           apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer man-db.timer; do
    ln -sf /dev/null "$R/etc/systemd/system/$u"
  done
  # Debian's modprobe would say that this kernel has no module tree; all it needs is built in. Bootstrap
  # code that says `modprobe overlay br_netfilter` must work here as on a cloud.
  ln -sf /bin/true "$R/usr/local/sbin/modprobe"

  # A host may lack CAP_SYS_RESOURCE, so that nothing may lower its OOM score; Kubernetes asks for that on every
  # sandbox and runc then fails ("can't get final child's PID from pipe: EOF"). The request is dropped here,
  # so that user data needs no `restrict_oom_score_adj` in containerd's configuration.
  cat > "$R/usr/local/sbin/runc" <<'SH'
#!/bin/sh
for a in "$@"; do
  [ "$last" != --bundle ] || sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$a/config.json"
  last=$a
done
exec /usr/sbin/runc "$@"
SH
  chmod 755 "$R/usr/local/sbin/runc"

  mkdir -p "$R/etc/cloud/cloud.cfg.d"
  cat > "$R/etc/cloud/cloud.cfg.d/90-kubelab.cfg" <<'CFG'
# The address is given from outside, as a hypervisor's switch would; only the seed directory is asked for data.
datasource_list: [NoCloud, None]
network: {config: disabled}
locale: C.UTF-8     # the only one in the image
CFG
  rm -f "$R/etc/resolv.conf"; echo "nameserver 10.77.0.1" > "$R/etc/resolv.conf"
  : > "$R/etc/machine-id"                       # every machine makes its own at first boot
  rm -f "$R"/etc/ssh/ssh_host_*
  echo "127.0.0.1 localhost" > "$R/etc/hosts"
  mkdir -p "$R/usr/local/share/ca-certificates"
  cp "$CACHE/ca/ca.crt" "$R/usr/local/share/ca-certificates/kubelab.crt"
  chroot "$R" update-ca-certificates >/dev/null 2>&1
  touch "$R/.kubelab"
fi
echo "image: $R ($(du -sxh "$R" | cut -f1))"

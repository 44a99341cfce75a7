#!/usr/bin/env python3
"""images.py VERSION ...: container images of the programs that build.sh made, for the lab's registry.

Writes into $KUBELAB_CACHE/images (default ~/.cache/kubelab/images):
  blobs/<sha256>, manifests/<repository>/<tag>   what registry.py serves
and into $KUBELAB_CACHE/ca/registry and names the registry's host name, which `machine lab-up` puts into /etc/hosts of the machines' image.
Names and tags are the ones that `kubeadm config images list` asks for. Layers are plain tar, not compressed:
nothing is won by gzip on one machine, and it costs CPU twice. Idempotent; the same input gives the same digests.
"""
import hashlib, io, json, os, pathlib, re, subprocess, sys, tarfile

CACHE = pathlib.Path(os.environ.get("KUBELAB_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "kubelab")
OUT, ROOTFS, COMMON = CACHE / "images", CACHE / "rootfs", CACHE / "bin/common"
OCI = "application/vnd.oci.image."
# What kube-proxy and podnet call: taken with its libraries out of the machines' Debian image.
NET_TOOLS = ["sbin/xtables-nft-multi", "sbin/xtables-legacy-multi", "sbin/iptables", "sbin/iptables-save", "sbin/iptables-restore", "sbin/ip6tables",
             "sbin/ip6tables-save", "sbin/ip6tables-restore", "sbin/nft", "sbin/conntrack", "bin/ip"]


def blob(data: bytes) -> dict:
    digest = hashlib.sha256(data).hexdigest()
    path = OUT / "blobs" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def layer(files: dict) -> bytes:
    """A reproducible tar: path in the image → a host's file, or a `-> target` for a link, or bytes."""
    buf = io.BytesIO()
    with tarfile.open(fileobj=buf, mode="w", format=tarfile.GNU_FORMAT) as tar:
        dirs = sorted({str(p) for f in files for p in pathlib.PurePosixPath(f).parents} - {"."})
        for d in dirs + ["tmp"]:
            info = tarfile.TarInfo(d)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if d == "tmp" else 0o755
            tar.addfile(info)
        for name, src in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(src, str):
                info.type, info.linkname = tarfile.SYMTYPE, src
                tar.addfile(info)
            else:
                data = src if isinstance(src, bytes) else src.read_bytes()
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return buf.getvalue()


def image(ref: str, layers: list, entrypoint=None):
    """One image `host/repository:tag` of the given layers."""
    host, rest = ref.split("/", 1)
    repo, tag = rest.rsplit(":", 1)
    descriptors = [{"mediaType": OCI + "layer.v1.tar", **blob(data)} for data in layers]
    config = {"architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
              "config": {"Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], **({"Entrypoint": entrypoint} if entrypoint else {})},
              "rootfs": {"type": "layers", "diff_ids": [d["digest"] for d in descriptors]}}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                           "config": {"mediaType": OCI + "config.v1+json", **blob(json.dumps(config).encode())},
                           "layers": descriptors}).encode()
    path = OUT / "manifests" / repo / tag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(manifest)
    desc = {"mediaType": OCI + "manifest.v1+json", **blob(manifest)}
    print(f"{ref:62} {sum(d['size'] for d in descriptors) / 1e6:7.1f} MB  {desc['digest'][:19]}")
    return host


def net_tools() -> dict:
    """The network tools of the machines' image with the libraries they load."""
    files = {}

    def take(path):                                   # follow links inside the root, keep them as links
        p = ROOTFS / path
        seen = pathlib.Path(path)
        if p.is_symlink():
            target = os.readlink(p)
            files[str(seen)] = target
            take(str((pathlib.Path("/") / seen.parent / target).resolve().relative_to("/")) if not target.startswith("/") else target[1:])
        elif p.is_file():
            files[str(seen)] = p

    for t in NET_TOOLS:
        take("usr/" + t)
    plugins = sorted(p.relative_to(ROOTFS) for p in (ROOTFS / "usr/lib/x86_64-linux-gnu/xtables").glob("*.so"))
    for p in plugins:
        take(str(p))
    ask = ["/usr/" + t for t in NET_TOOLS] + ["/" + str(p) for p in plugins]
    for lib in set(re.findall(r"(/\S+\.so\S*)", subprocess.run(["chroot", ROOTFS, "ldd", *ask], capture_output=True, text=True).stdout)):
        real = lib if lib.startswith("/usr/") else "/usr" + lib      # Debian 12 has merged /usr
        take(real[1:])
    files = {k: v for k, v in files.items() if not k.startswith("etc/alternatives")}
    for tool in ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"):
        files["usr/sbin/" + tool] = "xtables-nft-multi"
    files.update({"lib": "usr/lib", "lib64": "usr/lib64", "bin": "usr/bin", "sbin": "usr/sbin"})
    return files


def made(versions) -> bool:
    """Whether the images are there, and nothing that is in them has changed since."""
    inputs = [COMMON / p for p in ("pause", "podnet", "hello")] + [ROOTFS / ".kubelab", pathlib.Path(__file__)]
    outputs = [OUT / "made" / v for v in versions]
    newest = max(p.stat().st_mtime for p in [*inputs, *(CACHE / "bin" / v / "kubeadm" for v in versions)])
    return all(p.exists() and p.stat().st_mtime > newest for p in outputs)


def main():
    versions = sys.argv[1:] or ["v1.34.4"]
    if made(versions):
        return
    tools, names = layer(net_tools()), set()
    for v in versions:
        bin_ = CACHE / "bin" / v
        for ref in subprocess.run([bin_ / "kubeadm", "config", "images", "list", "--kubernetes-version", v],
                                  check=True, capture_output=True, text=True).stdout.split():
            what, tag = ref.rsplit("/", 1)[1].split(":")
            if what == "etcd":
                own = CACHE / "bin" / f"etcd-v{tag.split('-')[0]}"
                layers, entry = [layer({f"usr/local/bin/{p}": own / p for p in ("etcd", "etcdctl", "etcdutl")})], None
                # Beside kubeadm's tag the one that etcd itself publishes, which is what specifications name.
                image(f"{ref.rsplit(':', 1)[0]}:{own.name.removeprefix('etcd-')}", layers, entry)
            elif what == "coredns":
                layers, entry = [layer({"coredns": CACHE / "bin" / f"coredns-{tag}" / "coredns"})], ["/coredns"]
            elif what == "pause":
                layers, entry = [layer({"pause": COMMON / "pause"})], ["/pause"]
            else:
                layers, entry = [layer({f"usr/local/bin/{what}": bin_ / what})], None
                if what == "kube-proxy":
                    layers.insert(0, tools)
            names.add(image(ref, layers, entry))
    host = sorted(names)[0]
    # containerd of Debian 12 has an older pause by default; whoever does not set sandbox_image asks for it
    for tag in ("3.6", "3.8", "3.10"):
        image(f"{host}/pause:{tag}", [layer({"pause": COMMON / "pause"})], ["/pause"])
    image(f"{host}/kubelab/podnet:1", [tools, layer({"usr/local/bin/podnet": COMMON / "podnet"})], ["/usr/local/bin/podnet"])
    image(f"{host}/kubelab/hello:1", [layer({"hello": COMMON / "hello"})], ["/hello"])
    (CACHE / "ca").mkdir(parents=True, exist_ok=True)
    (CACHE / "ca" / "registry").write_text(host)
    (CACHE / "ca" / "names").write_text("\n".join(sorted(names)) + "\n")
    (OUT / "made").mkdir(exist_ok=True)
    for v in versions:
        (OUT / "made" / v).touch()


main()

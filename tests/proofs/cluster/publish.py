"""A server on 127.0.0.1 that has what publishers have, at their paths: the files and container images of a release.

A configuration file with rewriting leads the assembler there; everything else is as it is for everybody.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from assembler.debian.unpack import unpack
from assembler.kubernetes.parts import PARTS
from assembler.kubernetes.release import Release
from assembler.layers.rootfs import open_packages
from assembler.lockfile.model import Lock
from assembler.oci.reference import parse
from assembler.store.objects import Store
from assembler.tree.content import Content, Slice
from assembler.tree.staging import Inode, Kind, Tree
from tests.oci.images import Image, image
from tests.support.http_server import Server

HOSTS = ("dl.k8s.io", "github.com", "registry.k8s.io")
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.63.0"
"""The image that Kubernetes' own tests use; its netexec is a web server."""
NFT = (
    "gcc-14-base", "libbsd0", "libc6", "libedit2", "libgcc-s1", "libgmp10", "libjansson4", "libmd0", "libmnl0",
    "libnftables1", "libnftnl11", "libtinfo6", "libxtables12", "nftables",
)  # fmt: skip
"""Debian's nft and what it links to, for kube-proxy."""


def configuration(server: Server) -> str:
    """The user's configuration that leads to `server`."""
    lines = (f'"https://{host}/" = "{server.url(f"/{host}/")}"\n' for host in HOSTS)
    return "[rewrite]\n" + "".join(lines)


def publish_files(server: Server, release: Release, commands: Path, architecture: str = "amd64") -> dict[str, str]:
    """Serve the parts of a release, as far as `commands` has them; returns their digests (hex) by part.

    Each has a checksum file beside it, as publishers do it.
    """
    digests = {}
    for part in PARTS:
        members = {name: commands / ("cni-" * (part.name == "cni-plugins") + Path(target).name)
                   for name, target in part.members.items()}  # fmt: skip
        if not all(path.exists() for path in members.values()):
            continue
        data = members["/"].read_bytes() if "/" in members else _archive(members)
        url = part.url.format(version=release.version_of(part.name), arch=architecture)
        path = "/" + url.removeprefix("https://")
        server.serve(path, data)
        digests[part.name] = hashlib.sha256(data).hexdigest()
        server.serve(f"{path}.sha256", digests[part.name].encode())
    return digests


def _archive(members: Mapping[str, Path]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, path in members.items():
            info = tarfile.TarInfo(name.lstrip("/"))
            info.size, info.mode = path.stat().st_size, 0o755
            with path.open("rb") as stream:
                tar.addfile(info, stream)
    return gzip.compress(out.getvalue(), 1, mtime=0)


def images(release: Release, commands: Path, lock: Lock, store: Store) -> dict[str, Image]:
    """The images that kubeadm needs and one with a web server, by name, made with our own writer.

    `lock` and `store` have the Debian packages that kube-proxy's nft comes from.
    """
    found = {name: _one(name, commands, lock, store) for name in release.images}
    found[AGNHOST] = _image(commands / "agnhost", "/agnhost", Entrypoint=["/agnhost"], Cmd=["pause"])
    return found


def _one(name: str, commands: Path, lock: Lock, store: Store) -> Image:
    program = name.rpartition("/")[2].partition(":")[0]
    match program:
        case "pause":
            return _image(commands / program, "/pause", Entrypoint=["/pause"], User="65535:65535")
        case "coredns":
            return _image(commands / program, "/coredns", Entrypoint=["/coredns"], User="65532:65532", WorkingDir="/")
        case "kube-proxy":
            return _image(commands / program, "/usr/local/bin/kube-proxy", _nft(lock, store))
    return _image(commands / program, f"/usr/local/bin/{program}")


def _image(program: Path, path: str, *below: Tree, **config: object) -> Image:
    tree = Tree()
    content: Content = Slice(str(program), 0, program.stat().st_size)
    tree.put(path, Inode(Kind.FILE, 0o755, content=content), parents=True)
    tree.write("/etc/passwd", b"root:x:0:0:root:/root:/sbin/nologin\n", parents=True)
    tree.write("/etc/group", b"root:x:0:\n", parents=True)
    tree.mkdir("/tmp", 0o1777)
    settings = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], **config}
    # zstd for the larger ones is quicker to unpack under emulation, and what registries have more and more.
    return image([*below, tree], architecture="amd64", epoch=0, config=settings, compression="zstd")


def _nft(lock: Lock, store: Store) -> Tree:
    tree = Tree()
    for name in ("lib", "lib64", "bin", "sbin"):
        tree.mkdir(f"/usr/{name}", parents=True)
        tree.symlink(f"usr/{name}", f"/{name}")
    packages = [package for package in lock.role("rootfs") if package.name in NFT]
    unpack(tree, open_packages(store, packages), latest=0)
    for directory in ("/usr/share", "/usr/lib/systemd", "/etc", "/var"):
        tree.discard(directory)
    return tree


def publish_images(server: Server, made: Mapping[str, Image]) -> None:
    """Serve images as a registry does (OCI distribution specification, pull)."""
    for name, one in made.items():
        reference = parse(name)
        base = "/" + reference.base.removeprefix("https://")
        for at in (reference.tag, f"sha256:{one.manifest.digest}"):
            server.serve(f"{base}/manifests/{at}", one.manifest.data)
        for digest, data in one.blobs.items():
            server.serve(f"{base}/blobs/sha256:{digest}", data)

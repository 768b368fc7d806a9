"""containerd from its publisher, from Debian and from Docker's archive: each finds what it needs where it looks."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.kubernetes.containerd import CONFIG
from assembler.layers import kubernetes, rootfs
from assembler.lockfile.model import LockedFile
from assembler.tree.staging import Tree
from tests.debian.debs import deb, directory, item
from tests.layers.decided import RECIPE
from tests.layers.test_keys import Project, project_in
from tests.layers.test_kubernetes import archive

PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
"""Where systemd looks for a unit's program, and containerd for runc (systemd.exec(5))."""
DOCKER = ("containerd.io", "2.2.1-1~debian.13~trixie", {
    "usr/bin/containerd": b"docker's", "usr/bin/ctr": b"", "usr/bin/runc": b"docker's",
    "etc/containerd/config.toml": b'disabled_plugins = ["cri"]\n',
    "usr/lib/systemd/system/containerd.service": b"[Service]\nExecStart=/usr/bin/containerd\n",
})  # fmt: skip
"""As Docker builds it: with runc, and switched off for Kubernetes."""
DEBIAN = (
    ("containerd", "1.7.24~ds1-6+b4", {"usr/bin/containerd": b"debian's", "usr/bin/ctr": b""}),
    ("runc", "1.1.15+ds1-2+b4", {"usr/sbin/runc": b"debian's"}),
    ("containernetworking-plugins", "1.1.1+ds1-3+b17", {"usr/lib/cni/bridge": b"debian's"}),
)
UPSTREAM = {
    "containerd": ("2.3.7", archive("bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr")),
    "runc": ("1.4.4", b"upstream's"),
    "cni-plugins": ("1.9.1", archive("bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local",
                                     "ipvlan", "loopback", "macvlan", "portmap", "ptp", "sbr", "static", "tap",
                                     "tuning", "vlan", "vrf")),
}  # fmt: skip


def node(directory_: Path, table: str, packages: tuple[tuple[str, str, Mapping[str, bytes]], ...], *names: str) -> Tree:
    """The tree of a small node whose Kubernetes is `table`, with `packages`, and files of publishers by their names."""
    found = project_in(directory_, RECIPE.replace('version = "1.36"\n', f'version = "1.36"\n{table}\n'))
    lock = replace(found.lock, packages=tuple(each for each in found.lock.packages if each.name != "containerd"))
    for name, version, files in packages:
        parents = {str(parent) for path in files for parent in Path(path).parents} - {"."}
        conffiles = "".join(f"/{path}\n" for path in files if path.startswith("etc/"))
        data = deb(
            name,
            *(directory(f"./{path}") for path in sorted(parents)),
            *(item(f"./{path}", text) for path, text in files.items()),
            files={"conffiles": conffiles.encode()} if conffiles else {},
            Version=version,
            Architecture="amd64",
        )
        like = next(each for each in lock.packages if each.name == "base")
        one = replace(like, name=name, version=version, sha256=found.store.add(data), size=len(data), source=name,
                      source_version=version)  # fmt: skip
        lock = replace(lock, packages=(*lock.packages, one))
    for name in names:
        version, data = UPSTREAM[name]
        file = LockedFile(name=name, version=version, url=f"https://example.org/{name}", size=len(data),
                          sha256=found.store.add(data), learned="recipe", witness="", role="kubernetes")  # fmt: skip
        lock = replace(lock, files=(*lock.files, file))
    lock = replace(lock, packages=tuple(sorted(lock.packages, key=lambda each: each.name)))
    context = Project(found.loaded, lock, found.store).context()
    return kubernetes.layer(context, rootfs.layer(context)).compose()


def started(tree: Tree, program: str) -> bytes:
    """The program that is found first."""
    return next(tree.read(f"{place}/{program}") for place in PATH if tree.is_file(f"{place}/{program}"))


CASES = {
    "upstream": ("", (), tuple(UPSTREAM), 4, b"bin/containerd", b"upstream's", b"bridge"),
    "debian": (
        'containerd = { source = "debian" }\nrunc = { source = "debian" }\ncni_plugins = { source = "debian" }',
        DEBIAN, (), 2, b"debian's", b"debian's", b"debian's",
    ),
    "docker": (
        'containerd = { source = "docker" }\nrunc = { source = "none" }',
        (DOCKER,), ("cni-plugins",), 3, b"docker's", b"docker's", b"bridge",
    ),
    "docker, with the publisher's runc": (
        'containerd = { source = "docker" }', (DOCKER,), ("runc",), 3, b"docker's", b"upstream's", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_finds_what_it_needs(tmp_path: Path, case: str) -> None:
    table, packages, files, schema, containerd, runc, bridge = CASES[case]
    tree = node(tmp_path, table, packages, *files)
    assert (started(tree, "containerd"), started(tree, "runc")) == (containerd, runc)
    config = tomllib.loads(tree.read_text(CONFIG))
    assert config["version"] == schema
    assert "disabled_plugins" not in config
    runtime = config["plugins"]["io.containerd.grpc.v1.cri" if schema == 2 else "io.containerd.cri.v1.runtime"]
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    cni = runtime["cni"].get("bin_dir") or runtime["cni"]["bin_dirs"][0]
    assert cni == "/opt/cni/bin", "where networks put their plugins when the node runs"
    if bridge is not None:
        assert tree.read(f"{cni}/bridge") == bridge

"""The programs of the Kubernetes layer: where their publishers have them, and what of them goes where."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urljoin

from assembler.architecture import named
from assembler.kubernetes.release import Release
from assembler.lockfile.wanted import WantedFile
from assembler.recipe.model import Kubernetes

BIN = "/usr/local/bin"
CNI_BIN = "/opt/cni/bin"
_CNI = (
    "bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback", "macvlan",
    "portmap", "ptp", "sbr", "static", "tap", "tuning", "vlan", "vrf",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One upstream file of the layer. `{version}` and `{arch}` are filled in."""

    name: str
    """As in the lock and in checksums.toml; the recipe's table has ``_`` for ``-``."""
    url: str
    checksums: tuple[str, ...] = (".sha256", ".sha256sum")
    """Checksum files, relative to the file's address; a suffix when it begins with a dot."""
    members: Mapping[str, str]
    """Path in the image by path in the archive; a file that is no archive is the member ``/``."""
    debian: str = ""
    """The Debian package that has the same; empty for none."""
    docker: str = ""
    """The package of Docker's archive that has the same; empty for none."""

    @property
    def key(self) -> str:
        """Its table in the recipe."""
        return self.name.replace("-", "_")

    @property
    def packages(self) -> Mapping[str, str]:
        """Packages that have the same, by the recipe's ``source``."""
        return {name: package for name, package in (("debian", self.debian), ("docker", self.docker)) if package}

    def checksums_of(self, url: str) -> tuple[str, ...]:
        """Where the publisher may have checksums of the file at `url`."""
        return tuple(url + sums if sums.startswith(".") else urljoin(url, sums) for sums in self.checksums)


def _program(name: str) -> Part:
    url = f"https://dl.k8s.io/release/v{{version}}/bin/linux/{{arch}}/{name}"
    debian = "kubernetes-client" if name == "kubectl" else ""
    return Part(name=name, url=url, members={"/": f"{BIN}/{name}"}, debian=debian)


def _github(repository: str, file: str) -> str:
    return f"https://github.com/{repository}/releases/download/v{{version}}/{file}"


PARTS: tuple[Part, ...] = (
    _program("kubelet"),
    _program("kubeadm"),
    _program("kubectl"),
    Part(
        name="containerd",
        url=_github("containerd/containerd", "containerd-{version}-linux-{arch}.tar.gz"),
        members={f"/bin/{name}": f"{BIN}/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
        debian="containerd",
        docker="containerd.io",
    ),
    Part(
        name="runc",
        url=_github("opencontainers/runc", "runc.{arch}"),
        checksums=("runc.sha256sum",),
        members={"/": "/usr/local/sbin/runc"},
        debian="runc",
    ),
    Part(
        name="crictl",
        url=_github("kubernetes-sigs/cri-tools", "crictl-v{version}-linux-{arch}.tar.gz"),
        members={"/crictl": f"{BIN}/crictl"},
        debian="cri-tools",
    ),
    Part(
        name="nerdctl",
        url=_github("containerd/nerdctl", "nerdctl-{version}-linux-{arch}.tar.gz"),
        checksums=("SHA256SUMS",),
        members={"/nerdctl": f"{BIN}/nerdctl"},
        debian="nerdctl",
    ),
    Part(
        name="cni-plugins",
        url=_github("containernetworking/plugins", "cni-plugins-linux-{arch}-v{version}.tgz"),
        members={f"/{name}": f"{CNI_BIN}/{name}" for name in _CNI},
        debian="containernetworking-plugins",
    ),
)


CHECKSUMS = Path(__file__).with_name("checksums.toml")


@cache
def known_digests() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """SHA-256 digests by part, architecture and version."""
    return tomllib.loads(CHECKSUMS.read_text("ascii"))


def wanted_files(recipe: Kubernetes, release: Release, architecture: str) -> tuple[WantedFile, ...]:
    """What a recipe takes from publishers, with the digests that it or the assembler knows."""
    wanted = []
    for part in PARTS:
        chosen = recipe.part(part.key)
        if chosen.source != "upstream":
            continue
        version = chosen.version or release.version_of(part.name)
        own = part.url.format(version=version, arch=named(architecture).oci)
        url = chosen.url or own
        known = known_digests()[part.name].get(architecture, {}).get(version, "") if url == own else ""
        wanted.append(
            WantedFile(
                name=part.name,
                version=version,
                url=url,
                sha256=chosen.sha256 or known,
                learned="recipe" if chosen.sha256 else "known",
                checksums=part.checksums_of(url),
                role="kubernetes",
                key=f"kubernetes.{part.key}",
            )
        )
    return tuple(wanted)


def wanted_images(recipe: Kubernetes, release: Release) -> tuple[str, ...]:
    """The images that come on the medium."""
    return tuple(dict.fromkeys((*(release.images if recipe.images == "kubeadm" else ()), *recipe.extra_images)))


def packages(recipe: Kubernetes) -> tuple[frozenset[str], frozenset[str]]:
    """The packages that stand in for parts, and those that give way to what a part comes from instead."""
    taken, dropped = set(), set()
    for part in PARTS:
        source = recipe.part(part.key).source
        taken |= {package for name, package in part.packages.items() if name == source}
        dropped |= {package for name, package in part.packages.items() if source not in {name, "none"}}
    if recipe.containerd.source == "docker":
        # containerd.io has a runc of its own, and conflicts with Debian's.
        dropped.add("runc")
    return frozenset(taken), frozenset(dropped)

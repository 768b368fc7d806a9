"""Releases of Kubernetes: one version to choose, and what follows from it. The table of them is releases.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assembler.errors import AssembleError, Place

TABLE = Path(__file__).with_name("releases.toml")
REGISTRY = "registry.k8s.io"
PROGRAMS = ("kubelet", "kubeadm", "kubectl")
COMPANIONS = ("containerd", "runc", "crictl", "nerdctl", "cni-plugins")
"""What a release of Kubernetes does not say the version of."""
_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of Kubernetes with all that goes with it."""

    version: str
    """``1.36.4``."""
    with_it: Mapping[str, str]
    """Versions of everything else by name: `COMPANIONS`, and those of constants.py."""

    def version_of(self, part: str) -> str:
        """The version of a part, see parts.py."""
        return self.version if part in PROGRAMS else self.with_it[part]

    @property
    def pause_image(self) -> str:
        """The image of every pod's sandbox."""
        return f"{REGISTRY}/pause:{self.with_it['pause']}"

    @property
    def images(self) -> tuple[str, ...]:
        """What ``kubeadm config images list`` of this release prints."""
        return (
            *(f"{REGISTRY}/{name}:v{self.version}" for name in _CONTROL_PLANE),
            f"{REGISTRY}/coredns/coredns:{self.with_it['coredns']}",
            self.pause_image,
            f"{REGISTRY}/etcd:{self.with_it['etcd']}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the table knows of a minor version."""

    newest: str
    """Its newest patch."""
    companions: Mapping[str, str]
    """Versions that go well with it, of `COMPANIONS`."""
    kubeadm: Mapping[str, Mapping[str, str]]
    """What constants.py finds, by the patch that has it first, the earliest first."""

    def constants(self, version: str) -> Mapping[str, str]:
        """What constants.py finds in `version`, a patch of this minor version."""
        fitting = [first for first in self.kubeadm if number(first) <= number(version)]
        return self.kubeadm[max(fitting, key=number)]


def number(version: str) -> tuple[int, ...]:
    """``1.36.4`` as numbers, to compare it by; `version` is of numbers and dots."""
    return tuple(map(int, version.split(".")))


def minor_of(version: str) -> str:
    """``1.36`` of ``1.36.4``, and of itself."""
    return ".".join(version.split(".")[:2])


@cache
def lines() -> Mapping[str, Line]:
    """The table: lines by minor version, the newest first."""
    table = tomllib.loads(TABLE.read_text("ascii"))
    return {
        minor: Line(
            newest=each["newest"],
            companions={name: each[name] for name in COMPANIONS},
            kubeadm=each["kubeadm"],
        )
        for minor, each in sorted(table.items(), key=lambda item: number(item[0]), reverse=True)
    }


def release(version: str) -> Release:
    """The release with this version by the table; a minor version (``1.36``) stands for its newest patch.

    A patch that is newer than the table has the images of the newest that is known. Raises AssembleError when nothing
    is known of the minor version.
    """
    minor = minor_of(version)
    line = lines().get(minor)
    if line is None:
        raise AssembleError(
            f"nothing is known of Kubernetes {version}",
            where=Place(key="kubernetes.version"),
            hint=f"known: {known_minors()}, and patches of these",
        )
    exact = line.newest if version == minor else version
    if not (images := line.constants(exact)):
        raise AssembleError(
            f"which images Kubernetes {version} wants is not known",
            where=Place(key="kubernetes.version"),
            hint="run `assemble lock`, which asks its publisher",
        )
    return Release(version=exact, with_it={**line.companions, **images})


def known_minors() -> str:
    """The minor versions in the table, for people."""
    return ", ".join(sorted(lines(), key=number))

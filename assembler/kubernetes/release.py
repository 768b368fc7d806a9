"""Releases of Kubernetes: one version to choose, and what follows from it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assembler.errors import AssembleError, Place

REGISTRY = "registry.k8s.io"
_PROGRAMS = ("kubelet", "kubeadm", "kubectl")
_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of Kubernetes with all that goes with it."""

    version: str
    """``1.36.4``."""
    with_it: Mapping[str, str]
    """Versions of everything else by name, as in releases.toml."""

    def version_of(self, part: str) -> str:
        """The version of a part, see parts.py."""
        return self.version if part in _PROGRAMS else self.with_it[part]

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


@cache
def _releases() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_name("releases.toml").read_text("ascii"))


def release(version: str) -> Release:
    """The release with this version; a minor version (``1.36``) stands for its newest patch that is known.

    Raises AssembleError when nothing is known of the minor version.
    """
    minor = ".".join(version.split(".")[:2])
    found = _releases().get(minor)
    if found is None:
        raise AssembleError(
            f"nothing is known of Kubernetes {version}",
            where=Place(key="kubernetes.version"),
            hint=f"known: {', '.join(sorted(_releases()))}, and patches of these",
        )
    return Release(version=found["newest"] if version == minor else version, with_it=found)

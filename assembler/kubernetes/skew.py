"""Whether versions go together that Kubernetes supports together.

Its policy is https://kubernetes.io/releases/version-skew-policy/; of crictl its README, and of containerd the table in
its RELEASES.md and Kubernetes' own deprecations (1.35 is the last release for containerd 1.x).
"""

import re
from collections.abc import Iterator, Mapping

from assembler.kubernetes.finding import locked_release
from assembler.kubernetes.parts import PARTS
from assembler.lockfile.model import Lock
from assembler.recipe.model import Kubernetes

_OLDER = 3
"""Minor versions that a kubelet may be behind."""
_CONTAINERD = ((36, (2, 0)), (26, (1, 6)))
"""From which minor version of the kubelet on, which version of containerd it needs; the newest first."""


def versions(lock: Lock) -> dict[str, str]:
    """The versions of the parts that are in the image, by the parts' names, from publishers or packages."""
    parts = {package: part.name for part in PARTS for package in part.packages.values()}
    found = {parts[package.name]: package.version for package in lock.role("rootfs") if package.name in parts}
    return found | {file.name: file.version for file in lock.files_for("kubernetes")}


def warnings(recipe: Kubernetes | None, lock: Lock) -> tuple[str, ...]:
    """What does not go together in `lock`, in sentences. Raises AssembleError when the lock lacks versions."""
    if recipe is None:
        return ()
    wanted = locked_release(recipe.version, lock.kubernetes).version
    return tuple(skews(versions(lock), wanted, images=recipe.images == "kubeadm"))


def skews(found: Mapping[str, str], wanted: str, *, images: bool) -> Iterator[str]:
    """What does not go together of the parts `found`, by name, in a cluster of Kubernetes `wanted`.

    `images` says whether the images of kubeadm `wanted` are on the medium.
    """
    numbers = {name: number for name, version in found.items() if any(number := _minor(version))}
    cluster = _minor(wanted)
    kubelet, kubeadm, kubectl, crictl = (numbers.get(name) for name in ("kubelet", "kubeadm", "kubectl", "crictl"))
    if kubelet:
        other, name = (kubeadm, f"kubeadm {found['kubeadm']}") if kubeadm else (cluster, f"Kubernetes {wanted}")
        behind = _behind(kubelet, other)
        if behind < 0:
            yield f"kubelet {found['kubelet']} is newer than {name}, which Kubernetes does not support"
        elif behind > _OLDER:
            yield f"kubelet {found['kubelet']} is more than {_OLDER} minor versions older than {name}"
    if kubeadm and not 0 <= -_behind(kubeadm, cluster) <= 1:
        yield (
            f"kubeadm {found['kubeadm']} makes clusters of its own minor version and the one before, "
            f"and not of Kubernetes {wanted}"
        )
    elif kubeadm and images and found["kubeadm"] != wanted:
        yield f"the images on the medium are those of kubeadm {wanted}: kubeadm {found['kubeadm']} may want others"
    if kubectl and abs(_behind(kubectl, cluster)) > 1:
        yield f"kubectl {found['kubectl']} is more than one minor version away from Kubernetes {wanted}"
    if crictl and kubelet and crictl != kubelet:
        yield f"crictl {found['crictl']} is of another minor version than kubelet {found['kubelet']}"
    containerd = numbers.get("containerd")
    least = next((least for since, least in _CONTAINERD if kubelet and kubelet >= (1, since)), None)
    if containerd and least and containerd < least:
        yield (
            f"containerd {found['containerd']} is too old for kubelet {found['kubelet']}, "
            f"which needs {'.'.join(map(str, least))} or newer"
        )


def _minor(version: str) -> tuple[int, int]:
    """Major and minor number of a publisher's or Debian's version; both 0 when it has none."""
    found = re.match(r"(?:[0-9]+:)?v?([0-9]{1,9})(?:\.([0-9]{1,9}))?", version)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _behind(one: tuple[int, int], other: tuple[int, int]) -> int:
    """How many minor versions `one` is older than `other`; less than 0 when it is newer."""
    return (other[0] - one[0]) * 100 + other[1] - one[1]

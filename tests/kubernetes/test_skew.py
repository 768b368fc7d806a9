"""Versions that do not go together are told, and only those."""

from dataclasses import replace

import pytest

from assembler.kubernetes.release import lines, release
from assembler.kubernetes.skew import skews, versions, warnings
from assembler.lockfile.model import LockedFile
from assembler.recipe.model import Kubernetes
from tests.lockfile.test_toml import LOCK

FITS = {
    "kubelet": "1.36.4", "kubeadm": "1.36.4", "kubectl": "1.36.4", "containerd": "2.3.4", "crictl": "1.36.0",
    "runc": "1.4.3",
}  # fmt: skip


def told(others: dict[str, str], *, images: bool = True) -> list[str]:
    """What is said of parts that fit, but for `others`; empty for one that is not there."""
    parts = {name: version for name, version in {**FITS, **others}.items() if version}
    return list(skews(parts, "1.36.4", images=images))


@pytest.mark.parametrize("minor", lines())
def test_what_the_table_puts_together_goes_together(minor: str) -> None:
    made = release(minor)
    parts = {name: made.version_of(name) for name in ("kubelet", "kubeadm", "kubectl", *lines()[minor].companions)}
    assert list(skews(parts, made.version, images=True)) == []


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"kubelet": "1.37.0", "crictl": "1.37.0"}, "kubelet 1.37.0 is newer than kubeadm 1.36.4"),
        ({"kubelet": "1.32.9", "crictl": ""}, "kubelet 1.32.9 is more than 3 minor versions older than kubeadm 1.36.4"),
        ({"kubelet": "1.37.0", "kubeadm": "", "crictl": ""}, "kubelet 1.37.0 is newer than Kubernetes 1.36.4"),
        ({"kubectl": "1.38.0"}, "kubectl 1.38.0 is more than one minor version away from Kubernetes 1.36.4"),
        ({"kubectl": "1.32.3+really-1"}, "kubectl 1.32.3+really-1 is more than one"),
        ({"kubeadm": "1.35.1", "kubelet": "1.35.1", "crictl": "1.35.0"}, "kubeadm 1.35.1 makes clusters of its own"),
        ({"kubeadm": "1.38.0"}, "kubeadm 1.38.0 makes clusters of its own minor version and the one before"),
        ({"kubeadm": "1.36.1"}, "the images on the medium are those of kubeadm 1.36.4: kubeadm 1.36.1 may want others"),
        ({"crictl": "1.35.0"}, "crictl 1.35.0 is of another minor version than kubelet 1.36.4"),
        (
            {"containerd": "1.7.24~ds1-6+b4"},
            "containerd 1.7.24~ds1-6+b4 is too old for kubelet 1.36.4, which needs 2.0",
        ),
    ],
)
def test_what_does_not_go_together(others: dict[str, str], said: str) -> None:
    (one,) = told(others)
    assert one.startswith(said)


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"kubelet": "1.33.0", "crictl": ""},
        {"kubectl": "1.35.0"},
        {"kubectl": "1.37.9"},
        {"kubelet": ""},
        dict.fromkeys(FITS, ""),
        {"kubelet": "1.35.1", "containerd": "1.7.24~ds1-6+b4", "crictl": "1.35.2"},
    ],
)
def test_what_is_supported_is_not_told(others: dict[str, str]) -> None:
    assert told(others) == []


def test_other_patches_of_kubeadm_are_fine_without_images() -> None:
    assert told({"kubeadm": "1.36.1"}, images=False) == []
    assert told({"kubeadm": "1.37.1"}, images=False) == []


def test_versions_are_those_of_the_lock() -> None:
    (hello, libc) = LOCK.packages
    debian = replace(hello, name="cri-tools", version="1.32.1-1")
    runc = replace(libc, name="runc", version="1.1.15-1")
    kubelet = replace(LOCK.files[0], version="1.36.4")
    lock = replace(LOCK, packages=(debian, runc), files=(kubelet,))
    assert versions(lock) == {"crictl": "1.32.1-1", "runc": "1.1.15-1", "kubelet": "1.36.4"}
    recipe = Kubernetes(version="1.36.4")
    assert warnings(recipe, lock) == ("crictl 1.32.1-1 is of another minor version than kubelet 1.36.4",)
    assert warnings(None, lock) == ()
    containerd = LockedFile(
        name="containerd", version="", url="https://example.org/x", size=1, sha256="0" * 64, learned="first-use",
        witness="", role="kubernetes",
    )  # fmt: skip
    assert "containerd" in versions(replace(lock, files=(containerd,)))
    assert warnings(recipe, replace(lock, packages=(), files=(kubelet, containerd))) == ()

"""The kubernetes layer: programs at their places, and no others."""

import io
import tarfile

import pytest

from assembler.errors import AssembleError
from assembler.kubernetes.parts import PARTS
from assembler.layers.kubernetes import containerd_configuration, programs
from assembler.lockfile.model import LockedFile
from assembler.recipe.model import Kubernetes, KubernetesPart
from assembler.store.objects import Store
from assembler.tree.content import read
from tests.lockfile.test_toml import LOCK


def locked(store: Store, name: str, data: bytes) -> LockedFile:
    return LockedFile(
        name=name,
        version="1",
        url=f"https://example.org/{name}",
        size=len(data),
        sha256=store.add(data),
        learned="recipe",
        witness="",
        role="kubernetes",
    )


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    return out.getvalue()


def test_programs_and_members_of_archives(store: Store) -> None:
    found = programs(
        [
            locked(store, "kubelet", b"program"),
            locked(store, "containerd", archive("bin/ctr", "bin/containerd", "bin/containerd-shim-runc-v2", "bin/new")),
        ],
        store,
    )
    assert {path: read(content) for path, content in found.items()} == {
        "/usr/local/bin/kubelet": b"program",
        "/usr/local/bin/containerd": b"bin/containerd",
        "/usr/local/bin/containerd-shim-runc-v2": b"bin/containerd-shim-runc-v2",
        "/usr/local/bin/ctr": b"bin/ctr",
    }


def test_without_containerd_there_is_nothing_to_tell_it() -> None:
    assert containerd_configuration(Kubernetes(containerd=KubernetesPart(source="none")), LOCK) == ""


def test_an_archive_without_a_program(store: Store) -> None:
    with pytest.raises(AssembleError) as caught:
        programs([locked(store, "cni-plugins", archive("bridge"))], store)
    assert str(caught.value).startswith("kubernetes.cni_plugins https://example.org/cni-plugins: the archive has no ")


def test_no_two_parts_want_the_same_place() -> None:
    places = [path for part in PARTS for path in part.members.values()]
    assert len(places) == len(set(places))

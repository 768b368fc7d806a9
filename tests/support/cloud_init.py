"""Debian's cloud-init: its lock, of which the package itself alone is in the store."""

from collections.abc import Collection
from typing import Any

from assembler.lockfile.model import Lock
from assembler.store.objects import Store
from tests.support.toolboxes import locked


class _AllBut(Collection[str]):
    """The names of all packages but one."""

    def __init__(self, one: str) -> None:
        self.one = one

    def __contains__(self, name: object) -> bool:
        return name != self.one

    def __iter__(self) -> Any:
        raise AssertionError("nobody lists all names")

    def __len__(self) -> int:
        raise AssertionError("nobody counts all names")


def locked_cloud_init() -> tuple[Store, Lock]:
    """A store, and a lock whose role ``rootfs`` is cloud-init with all that it needs."""
    return locked({"rootfs"}, ["cloud-init"], without=_AllBut("cloud-init"))

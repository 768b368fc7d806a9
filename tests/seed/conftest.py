"""What Debian's cloud-init ships: its own schemas are the judge of what is refused by them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from assembler.debian.deb import open_package
from assembler.jsontext import parse
from assembler.seed.image import Image
from assembler.tree.content import Slice, read
from tests.support.toolboxes import locked

LIVECD = frozenset(
    ["bash", "ca-certificates", "cloud-init", "coreutils", "dash", "e2fsprogs", "iproute2", "login", "net-tools",
     "systemd", "systemd-resolved", "systemd-timesyncd", "tzdata", "util-linux"]
)  # fmt: skip
"""Packages of a node as recipes/livecd.toml has it."""


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


@pytest.fixture(scope="session")
def shipped() -> Mapping[str, bytes]:
    """The regular files of Debian's cloud-init by path."""
    store, lock = locked({"rootfs"}, ["cloud-init"], without=_AllBut("cloud-init"))
    (package,) = (one for one in lock.role("rootfs") if one.name == "cloud-init")
    deb = open_package(store, package.sha256, package.name)
    return {one.path: read(Slice(str(deb.data), one.offset, one.size)) for one in deb.members if one.type == "0"}


@pytest.fixture(scope="session")
def livecd(shipped: Mapping[str, bytes]) -> Image:
    """A node as recipes/livecd.toml has it: networkd, and neither apt nor sudo."""
    schemas = {
        Path(path).stem.removeprefix("schema-"): parse(data, limit=1 << 20)
        for path, data in shipped.items()
        if "/schemas/schema-" in path
    }
    config = yaml.safe_load(shipped["/etc/cloud/cloud.cfg"])
    lists = (config[f"cloud_{stage}_modules"] for stage in ("init", "config", "final"))
    modules = frozenset(str(name).replace("-", "_") for names in lists for name in names)
    return Image(packages=LIVECD, schemas=schemas, modules=modules, locale="C.UTF-8")

"""What Debian's cloud-init ships: its own schemas are the judge of what is refused by them."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from assembler.debian.deb import open_package
from assembler.jsontext import parse
from assembler.seed.image import Image
from assembler.tree.content import Slice, read
from tests.support.cloud_init import locked_cloud_init

LIVECD = frozenset(
    ["bash", "ca-certificates", "cloud-init", "coreutils", "dash", "e2fsprogs", "iproute2", "login", "net-tools",
     "systemd", "systemd-resolved", "systemd-timesyncd", "tzdata", "util-linux"]
)  # fmt: skip
"""Packages of a node as recipes/livecd.toml has it."""


@pytest.fixture(scope="session")
def shipped() -> Mapping[str, bytes]:
    """The regular files of Debian's cloud-init by path."""
    store, lock = locked_cloud_init()
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

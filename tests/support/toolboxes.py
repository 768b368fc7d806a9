"""The assembler's own tools and independent ones to check its work with, from Debian packages as in a build.

They are locked once and kept in the user's cache directory, so only the first test run needs the archive.
"""

import hashlib
import os
import platform
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assembler import releases
from assembler.architecture import of_machine
from assembler.debian.fetch import fetch_packages
from assembler.debian.mirrors import choose
from assembler.errors import AssembleError
from assembler.lock.resolve import resolve
from assembler.lock.wanted import wanted
from assembler.lockfile.model import ROLES, SCHEMA, Lock
from assembler.lockfile.toml import read_lock, write_lock
from assembler.recipe.model import Debian, Kernel, Recipe, Rootfs
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tools.locking import lock_tools
from assembler.tools.ready import open_pinned
from assembler.tools.source import BUILD, built_in
from assembler.tools.supply import Supply
from assembler.tools.toolbox import Toolbox
from assembler.tools.unpack import unpacked

INDEPENDENT = [
    # file systems, partitions and images
    "btrfs-progs", "cpio", "dosfstools", "e2fsprogs", "fdisk", "gdisk", "mtools", "qemu-utils", "squashfs-tools",
    "util-linux", "xfsprogs", "xorriso",
    # Debian
    "debconf", "dpkg", "init-system-helpers", "kmod", "nftables", "systemd",
    # what they start
    "gzip", "mawk", "tar",
    # the rest
    "bash", "busybox-static", "dash", "docker-registry", "fish", "mandoc", "openssh-client", "openssl", "shellcheck",
    "skopeo", "zsh",
]  # fmt: skip
"""Packages whose programs the tests call; see scripts/test-tools."""
ALL = (*BUILD, *INDEPENDENT, "coreutils", "findutils", "grep", "perl-base", "sed")
"""And those of a build, and what some of them need without saying so, as it is essential."""


def _host() -> str:
    """Debian's name for this machine's architecture."""
    host = of_machine(platform.machine())
    assert host is not None
    return host.name


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assembler-tests"


def locked(
    roles: set[str], chosen: Sequence[str] = INDEPENDENT, *, without: Collection[str] = ()
) -> tuple[Store, Lock]:
    """A store with all packages of `roles` but those in `without`, and their lock. Its role ``rootfs`` is Debian's
    essential packages and the `chosen` ones, its role ``kernel-source`` the source of Linux."""
    architecture = _host()
    kernel = Kernel(source="vanilla", package=releases.DEFAULT.kernel_source)
    recipe = Recipe(name="tests", arch=architecture, kernel=kernel, rootfs=Rootfs(packages=list(chosen)))
    digest = hashlib.sha256(f"{SCHEMA}{ROLES}{BUILD}{recipe!r}{wanted(recipe, architecture)}".encode()).hexdigest()
    store = Store(cache())
    mirrors = choose(recipe.debian, override=os.environ.get("ASSEMBLE_MIRROR", ""))
    # Checkouts of different versions share the directory, and each may want other packages.
    path = cache() / f"tests-{digest[:16]}.lock.toml"

    def fetch(lock: Lock) -> None:
        fetch_packages(
            [package for package in lock.packages if roles & set(package.roles) and package.name not in without],
            lock.archives,
            store=store,
            transport=transport,
            mirrors=mirrors,
        )

    with Transport() as transport, store.locked("tests"):
        lock = read_lock(path)
        if lock is not None:
            try:
                fetch(lock)
            except AssembleError:
                pass  # the archive has dropped something: lock again
            else:
                return store, lock
        lock = resolve(
            recipe,
            digest,
            transport=transport,
            store=store,
            mirrors=mirrors,
            now=datetime.now(UTC),
            tools=lock_tools(
                BUILD,
                architecture,
                built_in(),
                Supply(transport=transport, store=store, mirrors=mirrors, now=datetime.now(UTC)),
            ),
        )
        fetch(lock)
        write_lock(path, lock)
        return store, lock


def own_tools(names: Sequence[str]) -> Toolbox:
    """The programs of the packages `names`, proved and laid out as those of a build are."""
    mirrors = choose(Debian(), override=os.environ.get("ASSEMBLE_MIRROR", ""))
    store = Store(cache())
    with Transport() as transport, store.locked("tests"):
        supply = Supply(transport=transport, store=store, mirrors=mirrors, now=datetime.now(UTC))
        return open_pinned(names, _host(), built_in(), supply)


def of_tree(root: Path, name: str) -> list[str]:
    """How a program of the tree in a directory is started, with that tree's libraries: those of another release."""
    loader = root / "usr/lib64/ld-linux-x86-64.so.2"
    place = next(path for path in (root / "usr/bin" / name, root / "bin" / name) if path.exists())
    return [str(loader), "--library-path", str(root / "usr/lib/x86_64-linux-gnu"), str(place)]


@pytest.fixture(scope="session")
def toolbox() -> Toolbox:
    """The tools of a build, and the independent ones."""
    return own_tools(ALL)


@pytest.fixture(scope="session")
def loaders() -> Path:
    """A directory with the packages of the role ``boot``."""
    store, lock = locked({"boot"})
    return unpacked(store, lock.role("boot"))

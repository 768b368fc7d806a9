"""A real kernel of Debian's source, as small as there is one with what decides about reproducibility."""

import codecs
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assembler.architecture import AMD64, Architecture
from assembler.audit.environments import NOBODY
from assembler.carried import RECIPES
from assembler.kernel.source import from_package
from assembler.kernel.toolchain import Toolchain
from assembler.kernel.vanilla import Wish
from tests.support.toolboxes import locked

FRAGMENT = b"""
# Names of source files and lines, and the time, in the image.
CONFIG_BUG=y
CONFIG_DEBUG_BUGVERBOSE=y
CONFIG_PRINTK=y
# The configuration, packed by gzip.
CONFIG_IKCONFIG=y
CONFIG_IKCONFIG_PROC=y
CONFIG_PROC_FS=y
# Something that could be a module.
CONFIG_BINFMT_SCRIPT=y
CONFIG_BLOCK=y
CONFIG_BLK_DEV=y
CONFIG_BLK_DEV_LOOP=y
"""
DEBUG = b"""
CONFIG_DEBUG_KERNEL=y
# CONFIG_DEBUG_INFO_NONE is not set
CONFIG_DEBUG_INFO_DWARF5=y
"""
"""What adds debug information to it, with the directories' names."""


def source_of_linux() -> Path:
    """The directory with Debian's source, unpacked once for all tests."""
    store, lock = locked({"kernel-source"})
    (package,) = lock.role("kernel-source")
    return from_package(store, package.sha256, package.name)


def wish(source: Path, toolchain: Toolchain, fragment: bytes = FRAGMENT, *, architecture: Architecture = AMD64) -> Wish:
    """That kernel, for modules from outside."""
    modules = ("modules.config", (RECIPES / "kernel/modules.config").read_bytes())
    return Wish(
        tree=source,
        architecture=architecture,
        base="tinyconfig",
        fragments=[("tiny.config", fragment), modules],
        epoch=1_700_000_000,
        toolchain=toolchain,
        modular=True,
    )


@contextmanager
def ordinary_place() -> Iterator[Path]:
    """A directory of an ordinary user, which is :data:`NOBODY` when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="assemble-ordinary-", ignore_cleanup_errors=True) as name:
        place = Path(name) / "place"
        place.mkdir()
        if not os.geteuid():
            place.parent.chmod(0o755)
            os.chown(place, NOBODY, NOBODY)
        yield place


def for_all(source: Path, target: Path) -> Path:
    """What is in the directory `source`, where every user can read it: as it is, when there is no other user."""
    if os.geteuid():
        return source
    return Path(shutil.copytree(source, target, symlinks=True, copy_function=_link))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)


def as_ordinary_user(work: Callable[[], None]) -> None:
    """Do `work` in a process of an ordinary user on whose PATH nothing is; it fails when that does."""
    process = multiprocessing.get_context("fork").Process(target=_ordinary, args=(work,))
    process.start()
    process.join()
    assert process.exitcode == 0


def _ordinary(work: Callable[[], None]) -> None:
    if not os.geteuid():
        for encoding in ("ascii", "latin-1", "utf-8", "idna"):
            codecs.lookup(encoding)  # Python itself may lie where only root can read it
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os.environ.clear()
    os.environ["PATH"] = "/nonexistent"
    work()

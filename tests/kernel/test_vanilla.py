"""A real kernel of Debian's source, as small as there is one with what decides about reproducibility.

Debug information is left out, which takes as long as everything else; `scripts/kernel reproduce` has it.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.carried import RECIPES
from assembler.errors import Problems
from assembler.image.names import KERNEL, KERNEL_CONFIG, SYSTEM_MAP
from assembler.kernel import external
from assembler.kernel.config import read_config
from assembler.kernel.headers import of_objects
from assembler.kernel.host_tools import find
from assembler.kernel.locked_tools import opened
from assembler.kernel.module import read_module
from assembler.kernel.packages import packages
from assembler.kernel.source import from_package, release_of
from assembler.kernel.toolchain import Toolchain
from assembler.kernel.vanilla import BUILTIN, OBJECTS, RELEASE, Wish, build
from assembler.store.objects import Store
from tests.support.reporters import Recorder
from tests.support.toolboxes import cache, locked, own_tools

pytestmark = pytest.mark.kernel

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


@pytest.fixture(scope="module")
def source() -> Path:
    store, lock = locked({"kernel-source"})
    (package,) = lock.role("kernel-source")
    return from_package(store, package.sha256, package.name)


@pytest.fixture(scope="module")
def toolchain(source: Path) -> Iterator[Toolchain]:
    """That of the lock."""
    with opened(own_tools(packages(AMD64, AMD64)), Store(cache()), AMD64, release_of(source)) as toolchain:
        yield toolchain


def wish(source: Path, toolchain: Toolchain, fragment: bytes = FRAGMENT) -> Wish:
    # And modules from outside.
    fragments = [("tiny.config", fragment), ("modules.config", (RECIPES / "kernel/modules.config").read_bytes())]
    return Wish(
        tree=source,
        architecture=AMD64,
        base="tinyconfig",
        fragments=fragments,
        epoch=1_700_000_000,
        toolchain=toolchain,
        modular=True,
    )


@pytest.fixture(scope="module")
def built(source: Path, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("kernel")
    reporter = Recorder()
    build(wish(source, toolchain), directory / "out", Store(directory / "store"), kind="x", jobs=2, reporter=reporter)
    assert reporter.steps[-1][1] / 2 < len(reporter.notes) < reporter.steps[-1][1] * 2, "the estimate is far off"
    assert list((directory / "store/tmp").iterdir()) == []
    assert list((directory / "store/logs").iterdir()) == []
    return directory / "out"


def test_what_is_made(built: Path, source: Path) -> None:
    image = (built / KERNEL).read_bytes()
    assert image[0x202:0x206] == b"HdrS", "no bzImage; see Documentation/arch/x86/boot.rst"
    # The offset of the version's text is relative to the end of the boot sector.
    start = int.from_bytes(image[0x20E:0x210], "little") + 0x200
    told = image[start : image.index(b"\0", start)].decode()
    assert told == f"{release_of(source)} (assembler@assembler) #1 Tue Nov 14 22:13:20 UTC 2023"
    assert (built / RELEASE).read_text().strip() == release_of(source)
    assert (
        b" T start_kernel\n" in (built / SYSTEM_MAP).read_bytes()
        or b"start_kernel" in (built / SYSTEM_MAP).read_bytes()
    )
    config = read_config((built / KERNEL_CONFIG).read_text())
    assert config["BLK_DEV_LOOP"] == "y"
    assert "m" not in config.values()
    assert "kernel/drivers/block/loop.ko" in (built / BUILTIN[0]).read_text()
    assert b"loop.alias=block-major-7-*" in (built / BUILTIN[1]).read_bytes()


def test_another_directory_and_job_count_make_the_same_bytes(
    built: Path, source: Path, toolchain: Toolchain, tmp_path: Path
) -> None:
    # Without ccache, which would not compile anything again.
    again = replace(toolchain, ccache="")
    build(wish(source, again), tmp_path / "out", Store(tmp_path / "a/much/longer/store"), kind="x", jobs=3)
    for path in sorted(built.iterdir()):
        if path.is_file():
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    made = []
    for number, objects in enumerate((built / OBJECTS, tmp_path / "out" / OBJECTS)):
        against = of_objects(objects, source, release_of(source), tmp_path / f"build-{number}")
        there = module(tmp_path / "deeper" / str(number))
        wanted = external.Wish(
            name="x",
            source=there,
            against=against,
            architecture=AMD64,
            native=True,
            epoch=1_700_000_000,
            toolchain=toolchain,
        )
        out = tmp_path / f"made-{number}"
        external.build(wanted, out, Store(tmp_path / f"store-{number}"), jobs=number + 1)
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1]
    info = read_module(made[0]["outside.ko"])
    assert info.values("vermagic")[0].startswith(f"{release_of(source)} ")
    assert "printk" in str(info.imports)


def module(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "Kbuild").write_text("obj-m := outside.o\n")
    (directory / "outside.c").write_text("""
#include <linux/module.h>
static int __init begin(void) { return printk("here %s", __FILE__); }
module_init(begin);
MODULE_LICENSE("GPL");
""")
    return directory


def test_what_does_not_take_is_told_before_anything_is_compiled(source: Path, tmp_path: Path) -> None:
    """With the host's programs."""
    toolchain = find(AMD64, AMD64, os.environ["PATH"])
    fragment = FRAGMENT + b"CONFIG_EXT4_FSS=y\nCONFIG_NF_TABLES_INET=y\nCONFIG_FAT_FS=y\n# CONFIG_64BIT is not set\n"
    with pytest.raises(Problems) as caught:
        build(wish(source, toolchain, fragment), tmp_path / "out", Store(tmp_path / "store"), kind="x")
    told = [str(error) for error in caught.value.errors]
    first = FRAGMENT.count(b"\n") + 1
    assert [error.where.line for error in caught.value.errors] == [first, first + 1, first + 2, first + 3]
    assert "has no CONFIG_EXT4_FSS on this architecture (did you mean CONFIG_EXT4_FS?)" in told[0]
    assert "it depends on CONFIG_NET=y, which is not set" in told[1]
    assert "it cannot be set: other symbols select it (ask for one of CONFIG_MSDOS_FS" in told[2]
    assert "CONFIG_64BIT is y, not n" in told[3]
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "store/tmp").iterdir()) == []

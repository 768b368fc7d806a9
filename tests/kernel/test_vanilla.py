"""The tiny kernel of tests/support/tiny_kernel.py, compiled.

Debug information is left out, which takes as long as everything else; `scripts/kernel reproduce` has it.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.carried import PACKAGE
from assembler.errors import Problems
from assembler.image.names import KERNEL, KERNEL_CONFIG, SYSTEM_MAP
from assembler.kernel import external, locked_tools
from assembler.kernel.config import read_config
from assembler.kernel.headers import of_objects
from assembler.kernel.host_tools import find
from assembler.kernel.locked_tools import opened
from assembler.kernel.module import read_module
from assembler.kernel.source import release_of
from assembler.kernel.toolchain import Toolchain
from assembler.kernel.vanilla import BUILTIN, OBJECTS, RELEASE, build
from assembler.lock.compilers import packages
from assembler.store.objects import Store
from assembler.tools.toolbox import Toolbox
from tests.support.compilers import Machine
from tests.support.reporters import Recorder
from tests.support.tiny_kernel import FRAGMENT, as_ordinary_user, for_all, ordinary_place, source_of_linux, wish
from tests.support.toolboxes import cache, own_tools

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def source() -> Path:
    return source_of_linux()


@pytest.fixture(scope="module")
def toolbox() -> Toolbox:
    return own_tools(packages(AMD64, AMD64))


@pytest.fixture(scope="module")
def toolchain(source: Path, toolbox: Toolbox) -> Iterator[Toolchain]:
    """That of the lock."""
    with opened(toolbox, Store(cache()), AMD64, release_of(source)) as toolchain:
        yield toolchain


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


def test_an_ordinary_user_without_any_program_makes_the_same_bytes(
    built: Path,
    source: Path,
    toolbox: Toolbox,
    *,
    toolchain: Toolchain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In another directory, with another store and number of jobs. test_locked_tools.py shows that it cannot read what
    the host has below /usr, and so no headers."""
    with ordinary_place() as place:
        shutil.copy(PACKAGE / "kernel/start.c", place.parent)
        place.parent.joinpath("start.c").chmod(0o644)
        monkeypatch.setattr(locked_tools, "_SOURCE", place.parent / "start.c")
        tree = for_all(source, place.parent / "source")
        root = for_all(toolbox.root, place.parent / "tools")

        def work() -> None:
            assert os.geteuid()
            for name in ("cc", "gcc", "make", "flex", "bison", "bc", "perl", "pkg-config", "sh", "ld"):
                assert not shutil.which(name)
            monkeypatch.setattr(tempfile, "tempdir", str(place))
            store, tools = Store(place / "a/much/longer/store"), Toolbox(root, toolbox.architecture, place / "logs")
            with opened(tools, store, AMD64, release_of(tree)) as own:
                # Without ccache, which would not compile anything again.
                build(wish(tree, replace(own, ccache="")), place / "out", store, kind="x", jobs=3)

        as_ordinary_user(work)
        for path in sorted(built.iterdir()):
            assert (place / "out" / path.name).is_dir() or (place / "out" / path.name).read_bytes() == path.read_bytes()
            assert os.geteuid() or (place / "out" / path.name).stat().st_uid
        made = []
        for number, objects in enumerate((built / OBJECTS, place / "out" / OBJECTS)):
            wanted = external.Wish(
                name="x",
                source=module(tmp_path / "deeper" / str(number)),
                against=of_objects(objects, source, release_of(source), tmp_path / f"build-{number}"),
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
    assert "_printk" in info.imports


def module(directory: Path) -> Path:
    """The source of a module, in a new directory."""
    directory.mkdir(parents=True)
    (directory / "Kbuild").write_text("obj-m := outside.o\n")
    (directory / "outside.c").write_text("""
#include <linux/module.h>
static int __init begin(void) { return printk("here %s", __FILE__); }
module_init(begin);
MODULE_LICENSE("GPL");
""")
    return directory


class Impatient(Recorder):
    """Somebody who presses Ctrl-C when some files have been compiled."""

    def note(self, text: str) -> None:
        super().note(text)
        if len(self.notes) == 60:
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_in_the_midst_leaves_nothing(source: Path, toolchain: Toolchain, tmp_path: Path) -> None:
    store, reporter = Store(tmp_path / "store"), Impatient()
    # A shell starts what runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            build(wish(source, toolchain), tmp_path / "out", store, kind="x", reporter=reporter)
    finally:
        signal.signal(signal.SIGINT, before)
    assert reporter.steps[-1][0] == "kernel", "it was too early"
    assert not (tmp_path / "out").exists()
    assert list((store.root / "tmp").iterdir()) == []
    mine = os.fsencode(store.root)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert mine not in path.read_bytes()


def test_what_does_not_take_is_told_before_anything_is_compiled(source: Path, machine: Machine, tmp_path: Path) -> None:
    """With a host's programs."""
    toolchain = find(AMD64, AMD64, machine.search, roots=machine.roots)
    fragment = FRAGMENT + b"CONFIG_EXT4_FSS=y\nCONFIG_NF_TABLES_INET=y\nCONFIG_FAT_FS=y\n# CONFIG_64BIT is not set\n"
    # This compiler has no such feature.
    fragment += b"CONFIG_KMSAN=y\n"
    with pytest.raises(Problems) as caught:
        build(wish(source, toolchain, fragment), tmp_path / "out", Store(tmp_path / "store"), kind="x")
    told = [str(error) for error in caught.value.errors]
    first = FRAGMENT.count(b"\n") + 1
    assert [error.where.line for error in caught.value.errors] == [*range(first, first + 5)]
    assert "has no CONFIG_EXT4_FSS on this architecture (did you mean CONFIG_EXT4_FS?)" in told[0]
    assert "it depends on CONFIG_NET=y, which is not set" in told[1]
    assert "it cannot be set: other symbols select it (ask for one of CONFIG_MSDOS_FS" in told[2]
    assert "CONFIG_64BIT is y, not n" in told[3]
    assert "HAVE_KMSAN_COMPILER" in told[4], told[4]
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "store/tmp").iterdir()) == []

"""The way from a source to a kernel, with the real make and a source of a few lines."""

import os
from pathlib import Path

import pytest

from assembler.architecture import AMD64, ARM64, Architecture
from assembler.errors import Problems
from assembler.image.names import KERNEL, KERNEL_CONFIG, SYSTEM_MAP
from assembler.kernel.source import SourceError
from assembler.kernel.vanilla import BUILTIN, RELEASE, Wish, build, cache_of
from assembler.kernel.work import MakeError
from assembler.store.objects import Store
from tests.support.compilers import Machine
from tests.support.reporters import Recorder

MAKEFILE = r"""VERSION = 6
PATCHLEVEL = 12
defconfig:
	@echo 'CONFIG_BASE=y' > $(O)/.config
	@echo 'CONFIG_MODULAR=m' >> $(O)/.config
olddefconfig:
	@cp $(O)/.config $(O)/seen
	@cp $(O)/.config $(O)/merged
	@grep -v STUBBORN $(O)/merged > $(O)/.config || true
%mage:
	@mkdir -p $(O)/arch/x86/boot $(O)/arch/arm64/boot $(O)/include/config
	@echo "  CC      one.o"
	@echo "  CC      two.o"
	@echo "image $(ARCH) $@" > $(O)/arch/x86/boot/bzImage
	@cp $(O)/arch/x86/boot/bzImage $(O)/arch/arm64/boot/Image
	@cp $(O)/seen $(O)/System.map
	@echo 'NAME' > $(O)/include/config/kernel.release
	@echo builtin > $(O)/modules.builtin
	@ls -a $(O) > $(O)/modules.builtin.modinfo
"""
KCONFIG = "".join(f'config {name}\n\tbool "{name}"\n' for name in ("BASE", "NET", "STUBBORN", "MODULAR"))


def wish(
    machine: Machine, directory: Path, fragment: bytes, *, name: str = "6.12-x", architecture: Architecture = AMD64
) -> Wish:
    tree = directory / "tree"
    tree.mkdir(exist_ok=True)
    (tree / "Makefile").write_text(MAKEFILE.replace("NAME", name))
    (tree / "Kconfig").write_text(KCONFIG)
    return Wish(
        tree=tree,
        architecture=architecture,
        base="defconfig",
        fragments=[("f.config", fragment)],
        epoch=1_000_000_000,
        toolchain=machine.toolchain(),
    )


def nothing_is_left(store: Store) -> None:
    assert list((store.root / "tmp").iterdir()) == []


def test_what_is_made(machine: Machine, store: Store, tmp_path: Path) -> None:
    reporter, out = Recorder(), tmp_path / "out"
    left = store.root / "tmp" / "kernel"
    left.mkdir(parents=True)
    (left / "of a build that was killed").touch()
    build(wish(machine, tmp_path, b"CONFIG_NET=y\n"), out, store, kind="k", reporter=reporter)
    made = {path.name: path.read_text() for path in out.iterdir()}
    assert set(made) == {KERNEL, KERNEL_CONFIG, SYSTEM_MAP, RELEASE, *BUILTIN, "steps"}
    assert made[KERNEL] == "image x86_64 bzImage\n"
    assert "CONFIG_NET=y\n" in made[KERNEL_CONFIG]
    assert "CONFIG_BASE=y\n" in made[KERNEL_CONFIG]
    # What the base has as a module is switched off before make sees it.
    assert "# CONFIG_MODULAR is not set\n" in made[SYSTEM_MAP]
    assert "# CONFIG_MODULES is not set\n" in made[SYSTEM_MAP]
    assert made[RELEASE] == "6.12-x\n"
    assert made["steps"] == "amd64 2\n"
    assert "of a build" not in made[BUILTIN[1]]
    # Two symbols are on.
    assert reporter.steps == [("configure", 0), ("configure", 0), ("kernel", 404)]
    assert reporter.notes == ["one.o", "two.o"]
    nothing_is_left(store)
    assert list((store.root / "logs").iterdir()) == []


def test_how_long_it_takes_is_known_from_the_last_one(machine: Machine, store: Store, tmp_path: Path) -> None:
    results = store.results / "k"
    for number, (key, text) in enumerate((("a", "amd64 70\n"), ("b", "amd64 80\n"), ("c", "arm64 90\n"))):
        (results / key).mkdir(parents=True)
        (results / key / "steps").write_text(text)
        os.utime(results / key / "steps", (1000 + number, 1000 + number))
    for kind, architecture, expected in (("k", AMD64, 80), ("k", ARM64, 90), ("other", AMD64, 404)):
        reporter = Recorder()
        out = tmp_path / f"{kind} {architecture.name}"
        it = wish(machine, tmp_path, b"CONFIG_NET=y\n", architecture=architecture)
        build(it, out, store, kind=kind, reporter=reporter)
        assert reporter.steps[-1] == ("kernel", expected)
    assert (tmp_path / "k arm64" / KERNEL).read_text() == "image arm64 Image\n"


def test_what_does_not_take_is_told_before_anything_is_compiled(machine: Machine, store: Store, tmp_path: Path) -> None:
    for fragment, told in (
        (b"CONFIG_STUBBORN=y\n", "f.config:1: CONFIG_STUBBORN is not set, not y: "),
        (b"CONFIG_GONE=y\n", "f.config:1: Linux 6.12 has no CONFIG_GONE on this architecture"),
        (b"CONFIG_NET=m\n", "f.config:1: CONFIG_NET=m asks for a module"),
    ):
        reporter = Recorder()
        with pytest.raises(Problems) as caught:
            build(wish(machine, tmp_path, fragment), tmp_path / "out", store, kind="k", reporter=reporter)
        assert [str(error)[: len(told)] for error in caught.value.errors] == [told]
        assert "kernel" not in dict(reporter.steps)
        assert not (tmp_path / "out").exists()
        nothing_is_left(store)


@pytest.mark.parametrize("name", ["6.12.3-mine+b_x~1", "x" * 64])
def test_releases(machine: Machine, store: Store, tmp_path: Path, name: str) -> None:
    build(wish(machine, tmp_path, b"", name=name), tmp_path / "out", store, kind="k")
    assert (tmp_path / "out" / RELEASE).read_text() == f"{name}\n"


@pytest.mark.parametrize("name", ["", "../x", "-x", "x" * 65, "x" * 90])
def test_releases_that_are_no_names(machine: Machine, store: Store, tmp_path: Path, name: str) -> None:
    """Directories are called by them."""
    with pytest.raises(SourceError, match="the kernel calls its release by what is no name") as caught:
        build(wish(machine, tmp_path, b"", name=name), tmp_path / "out", store, kind="k")
    assert caught.value.why == repr(name[:80])
    assert not (tmp_path / "out").exists()
    nothing_is_left(store)


def test_what_went_wrong_stays_in_the_log(machine: Machine, store: Store, tmp_path: Path) -> None:
    it = wish(machine, tmp_path, b"")
    (it.tree / "Makefile").write_text("VERSION = 6\n")
    with pytest.raises(MakeError) as caught:
        build(it, tmp_path / "out", store, kind="k")
    (log,) = (store.root / "logs").iterdir()
    assert log.name.startswith("kernel-")
    assert log.suffix == ".log"
    assert caught.value.where.file == str(log)
    assert "No rule to make target 'defconfig'" in log.read_text()
    nothing_is_left(store)


def test_caches_are_apart(store: Store, tmp_path: Path) -> None:
    assert cache_of(store, tmp_path / "abc") == store.root / "ccache" / "abc"

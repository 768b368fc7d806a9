"""The vanilla kernel as a layer: what it depends on, and what it says when it cannot be compiled."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.errors import Problems
from assembler.image.keys import digest
from assembler.image.names import KERNEL, KERNEL_CONFIG, SYSTEM_MAP
from assembler.kernel import host_tools
from assembler.kernel.source import SourceError
from assembler.kernel.toolchain import ToolchainError
from assembler.kernel.vanilla import RELEASE
from assembler.layers import vanilla
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import counted
from assembler.layers.step import Step
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedFile, LockedPackage, LockedToolbox
from assembler.recipe.load import load
from assembler.store.objects import Store
from assembler.tools.toolbox import Toolbox
from tests.debian.debs import deb, item
from tests.kernel.test_source import FILES, tarball
from tests.lockfile.test_toml import LOCK
from tests.support.compilers import Machine
from tests.support.reporters import Recorder

RECIPE = """
name = "x"
[kernel]
source = "vanilla"
toolchain = "host"
package = "linux-source-6.12"
base = "tinyconfig"
fragments = ["a.config", "b.config"]
"""


@pytest.fixture(autouse=True)
def compilers(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has compilers on its PATH, in a directory of its own."""
    monkeypatch.setenv("PATH", machine.search)
    monkeypatch.setattr(host_tools, "find", partial(host_tools.find, roots=machine.roots))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "r.toml").write_text(RECIPE)
    (tmp_path / "a.config").write_text("CONFIG_NET=y\n")
    (tmp_path / "b.config").write_text("CONFIG_INET=y\n")
    return tmp_path


def no_programs(_: object, __: str) -> Toolbox:
    raise AssertionError("a kernel is compiled with the host's programs")


def no_tools(_: LockedToolbox) -> Toolbox:
    raise AssertionError("a kernel is compiled with the host's programs")


def nothing(_: Iterable[object]) -> None:
    """What a fetcher does whose things are in the store."""


def lock_of(store: Store) -> Lock:
    data = deb("linux-source-6.12", item("./usr/src/linux-source-6.12.tar.xz", tarball(FILES)))
    package = LockedPackage(
        name="linux-source-6.12",
        version="6.12.118-1",
        architecture="all",
        source="linux",
        source_version="6.12.118-1",
        size=len(data),
        sha256=store.add(data),
        path="pool/linux-source.deb",
        archive=LOCK.archives[0].id,
        roles=("kernel-source",),
        why="requested",
    )
    tools = host_tools.find(AMD64, AMD64, os.environ["PATH"]).tools
    return replace(LOCK, architecture="amd64", packages=(package,), host_tools=tools)


def inputs(
    directory: Path,
    store: Store,
    lock: Lock | None = None,
    search: str | None = None,
    prove: Callable[[Iterable[object]], None] = nothing,
) -> BuildContext:
    return BuildContext(
        loaded=load(directory / "r.toml"),
        lock=lock or lock_of(store),
        means=Means(
            store=store,
            fetch=nothing,
            prove=prove,
            toolbox=no_tools,
            programs=no_programs,
            fetch_files=nothing,
            fetch_images=nothing,
            reporter=Recorder(),
        ),
        libraries={},
        search=os.environ["PATH"] if search is None else search,
    )


def test_the_key_is_of_what_goes_into_the_kernel(directory: Path, store: Store) -> None:
    lock = lock_of(store)
    first = vanilla.layer(inputs(directory, store, lock)).step
    assert set(first.inputs) >= {"architecture", "epoch", "kernel.base", "kernel.fragments[0]", "program gcc"}
    keys = {first.key, vanilla.layer(inputs(directory, store, replace(lock, source_date_epoch=1))).step.key}
    (directory / "b.config").write_text("# CONFIG_INET is not set\n")
    keys.add(vanilla.layer(inputs(directory, store, lock)).step.key)
    assert len(keys) == 3
    # Neither the host's directories nor what else is in the recipe.
    (directory / "r.toml").write_text(RECIPE + '[rootfs]\nhostname = "other"\n')
    assert vanilla.layer(inputs(directory, store, lock)).step.key in keys


def test_contradictions_are_told_before_anything_is_made(directory: Path, store: Store) -> None:
    (directory / "b.config").write_text("# CONFIG_NET is not set\n")
    with pytest.raises(Problems, match=r"b\.config:1: CONFIG_NET=n contradicts another fragment: .*a\.config:1 says y"):
        vanilla.layer(inputs(directory, store))


def test_other_tools_than_the_lock_has_are_told_of(directory: Path, store: Store) -> None:
    lock = lock_of(store)
    given = inputs(directory, store, lock)
    key = vanilla.layer(given).step.key
    assert isinstance(given.reporter, Recorder)
    assert given.reporter.warnings == []
    older = replace(
        lock, host_tools=tuple(replace(tool, version="1.0") for tool in lock.host_tools if tool.name == "gcc")
    )
    given = inputs(directory, store, older)
    assert vanilla.layer(given).step.key == key, "the tools that are there make the kernel, not those of the lock"
    assert isinstance(given.reporter, Recorder)
    (gcc,) = [text for text in given.reporter.warnings if "gcc" in text]
    assert "1.0 in the lock" in gcc


def test_a_machine_without_compilers_fails_when_it_comes_to_that(directory: Path, store: Store) -> None:
    lock = lock_of(store)
    known = vanilla.layer(inputs(directory, store, lock)).step
    step = vanilla.layer(inputs(directory, store, lock, search="/nonexistent")).step
    assert step.key == known.key, "a kernel in the store needs no compiler"
    with pytest.raises(ToolchainError, match="no gcc"):
        step.result(store)


def test_the_compiler_of_the_lock_decides(directory: Path, store: Store) -> None:
    (directory / "r.toml").write_text(RECIPE.replace('toolchain = "host"\n', ""))
    lock = replace(lock_of(store), toolchain=LOCK.tools)
    first = vanilla.layer(inputs(directory, store, lock, search="/nonexistent")).step
    (tool,) = LOCK.tools.packages
    assert first.inputs[f"toolchain {tool.name}"].endswith(tool.sha256)
    assert not any(name.startswith("program ") for name in first.inputs), "nothing of the host counts"
    other = replace(LOCK.tools, packages=(replace(tool, sha256="0" * 64),))
    assert vanilla.layer(inputs(directory, store, replace(lock, toolchain=other))).step.key != first.key
    with pytest.raises(AssertionError, match="the host's programs"):
        first.result(store)


def test_a_lock_without_a_compiler(directory: Path, store: Store) -> None:
    (directory / "r.toml").write_text(RECIPE.replace('toolchain = "host"\n', ""))
    step = vanilla.layer(inputs(directory, store, lock_of(store))).step
    with pytest.raises(ToolchainError, match=r"the lock has no compiler for the kernel: .* \(run `assemble lock`\)"):
        step.result(store)


def test_another_version_than_the_recipe_wants(directory: Path, store: Store) -> None:
    (directory / "r.toml").write_text(RECIPE + 'version = "6.12.119"\n')
    with pytest.raises(SourceError, match=r"that of Linux 6\.12\.118: the recipe wants 6\.12\.119"):
        vanilla.layer(inputs(directory, store)).step.result(store)


def test_a_package_is_proved_before_anything_of_it_is_run(directory: Path, store: Store) -> None:
    asked: list[object] = []

    def refuse(packages: Iterable[object]) -> None:
        asked.extend(packages)
        raise LockError("not proved")

    lock = lock_of(store)
    step = vanilla.layer(inputs(directory, store, lock, prove=refuse)).step
    assert asked == [], "a kernel in the store needs no proof"
    with pytest.raises(LockError, match="not proved"):
        step.result(store)
    assert asked == list(lock.packages)
    assert not list((store.root / "derived").glob("kernel-source*"))


def test_a_tarball_of_the_lock_is_taken(directory: Path, store: Store) -> None:
    data = tarball(FILES)
    named = f'url = "https://example/linux.tar.xz"\nsha256 = "{sha256(data).hexdigest()}"\nversion = "7.0"'
    (directory / "r.toml").write_text(RECIPE.replace('package = "linux-source-6.12"', named))
    file = LockedFile(
        name="linux",
        version="7.0",
        url="https://example/linux.tar.xz",
        size=len(data),
        sha256=store.add(data),
        learned="recipe",
        witness="",
        role="kernel",
    )
    lock = replace(lock_of(store), packages=(), files=(file,))
    layer = vanilla.layer(inputs(directory, store, lock))
    assert layer.step.inputs["source linux"] == file.sha256
    with pytest.raises(SourceError, match=r"Linux 6\.12\.118"):
        layer.step.result(store)
    other = replace(lock, files=(replace(file, sha256="0" * 64),))
    with pytest.raises(SourceError, match="another kernel's source than the recipe names: linux 000000000000"):
        vanilla.layer(inputs(directory, store, other))
    with pytest.raises(SourceError, match="another kernel's source"):
        vanilla.layer(inputs(directory, store))


def test_a_source_that_the_recipe_does_not_name_is_not_compiled(directory: Path, store: Store) -> None:
    lock = lock_of(store)
    (package,) = lock.packages
    for packages in ((), (replace(package, name="linux-source-7"),), (package, replace(package, name="more"))):
        with pytest.raises(SourceError, match="another kernel's source than the recipe names"):
            vanilla.layer(inputs(directory, store, replace(lock, packages=packages)))


def compiled(step: Step, store: Store, release: str) -> None:
    """Put a kernel into the store where the one of a step is looked for."""
    kernel = step.make.func.__self__.kernel  # type: ignore[attr-defined]  # a partial of a declared step's method

    def make(directory: Path) -> None:
        directory.mkdir()
        for name in (KERNEL, KERNEL_CONFIG, SYSTEM_MAP):
            (directory / name).write_text(f"its {name}")
        (directory / RELEASE).write_text(f"{release}\n")
        (directory / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
        (directory / "modules.builtin.modinfo").write_bytes(b"ext4.license=GPL\0")

    store.derived("vanilla-1", digest(inputs=counted(kernel)[0]), make)


def test_a_kernel_in_the_store_is_taken_without_a_compiler(directory: Path, store: Store, tmp_path: Path) -> None:
    """Its files, what is known of it, and the tree that names it in a running system."""
    lock = lock_of(store)
    layer = vanilla.layer(inputs(directory, store, lock, search="/nonexistent"))
    compiled(layer.step, store, "6.12.118-x")
    (tmp_path / "out").mkdir()
    layer.step.make(tmp_path / "out")
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    facts = json.loads(files.pop("facts.json"))
    assert files == {name: f"its {name}" for name in (KERNEL, KERNEL_CONFIG, SYSTEM_MAP)}
    assert layer.step.outputs == (KERNEL, KERNEL_CONFIG, SYSTEM_MAP)
    assert facts == {"release": "6.12.118-x", "toolchain": {tool.name: tool.version for tool in lock.host_tools}}
    assert layer.apart, "the root file system has nothing of it"
    tree = layer.tree()
    assert layer.tree() is tree
    top = "/usr/lib/modules/6.12.118-x"
    assert tree.read(f"{top}/modules.builtin") == b"kernel/fs/ext4/ext4.ko\n"
    assert tree.read("/boot/config-6.12.118-x").decode() == f"its {KERNEL_CONFIG}"
    assert {"modules.dep", "modules.builtin.bin", "modules.builtin.modinfo"} <= set(tree.names(top))
    assert tree.read("/lib/modules/6.12.118-x/modules.dep") == b""
    assert tree.at("/boot").mtime == lock.source_date_epoch


def test_the_version_of_a_kernel_in_the_store(directory: Path, store: Store, tmp_path: Path) -> None:
    """It may have been compiled for a recipe that did not say which one it wants."""
    (directory / "r.toml").write_text(RECIPE + 'version = "6.12.118"\n')
    step = vanilla.layer(inputs(directory, store, search="/nonexistent")).step
    compiled(step, store, "6.12.118")
    (written,) = (store.root / "derived/vanilla-1").glob("*/release")
    written.chmod(0o600)
    out = tmp_path / "out"
    out.mkdir()
    for release in ("6.12.118", "6.12.118-x", "6.12.118+"):
        written.write_text(release)
        step.make(out)
        assert json.loads((out / "facts.json").read_text())["release"] == release
    for release in ("6.12.1180", "6.12.118.1", "6.12.11", "6x12.118", "7.6.12.118"):
        written.write_text(release)
        with pytest.raises(SourceError) as caught:
            step.make(out)
        assert caught.value.what == f"the source is that of Linux {release}"
        assert caught.value.why == "the recipe wants 6.12.118"

"""What a build says when the lock has recorded another."""

from dataclasses import replace
from pathlib import Path

import pytest

from assembler import __version__, api
from assembler.api.build import _compare_recorded, require_empty
from assembler.audit.recorded import record
from assembler.layers.context import BuildContext
from assembler.lockfile.model import LockedTool
from tests.audit.test_recorded import BUILT, otherwise
from tests.layers.test_keys import project_in
from tests.support.reporters import Recorder

OTHER = otherwise("rootfs", "tree", contents={"listing.txt": "9" * 64})
LINE = "rootfs.tree differs from what the lock has recorded"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> BuildContext:
    found = project_in(tmp_path_factory.mktemp("project")).context()
    return replace(found, lock=replace(found.lock, build=record(BUILT), libraries=()))


def told(context: BuildContext, *, other: bool = False, same: bool = True) -> tuple[list[str], list[str]]:
    """What people are told, and what they are warned of."""
    recorder = Recorder()
    workspace = api.Workspace(store=Path("/s"), reporter=recorder)
    _compare_recorded(workspace, context, OTHER if other else BUILT, same=same, strict=False)
    return recorder.messages, recorder.warnings


def test_the_record_is_compared(context: BuildContext) -> None:
    another = ["the outputs that the lock has recorded are of another recipe or other arguments"]
    assert told(context) == (["the outputs are those that the lock has recorded"], [])
    assert told(context, other=True) == ([], [LINE])
    assert told(context, other=True, same=False) == (another, [])
    assert told(replace(context, lock=replace(context.lock, build=None))) == (another, [])


def test_who_recorded_it_is_told_when_it_was_another(context: BuildContext) -> None:
    lock = context.lock
    assert lock.build is not None
    old = replace(lock, build=replace(lock.build, assembler="0.0.1"))
    by = f"recorded by assembler 0.0.1; this is {__version__}"
    assert told(replace(context, lock=old), other=True) == ([], [LINE, by])
    assert told(replace(context, lock=old)) == (["the outputs are those that the lock has recorded"], [])
    libraries = tuple(LockedTool(name=name, version="1") for name in sorted(context.libraries))
    assert told(replace(context, lock=replace(lock, libraries=libraries)), other=True) == ([], [LINE])
    (first, *others) = libraries
    _, warned = told(replace(context, lock=replace(lock, libraries=(replace(first, version="2"), *others))), other=True)
    assert warned[0] == LINE
    assert len(warned) == 2
    assert first.name in warned[1]


def test_strictly(context: BuildContext) -> None:
    workspace = api.Workspace(store=Path("/s"))
    _compare_recorded(workspace, context, BUILT, same=True, strict=True)
    _compare_recorded(workspace, context, OTHER, same=False, strict=True)
    with pytest.raises(api.AssembleError) as caught:
        _compare_recorded(workspace, context, OTHER, same=True, strict=True)
    assert caught.value.what == "what was built is not what the lock has recorded"
    assert caught.value.where == api.Place(file=str(context.loaded.lock_path), key="build")
    assert caught.value.details == (LINE,)
    assert caught.value.hint == (
        "assemble reproduce tells whether building is at fault; --record takes the new outputs for good"
    )


@pytest.mark.parametrize("layers", [{"only": ("rootfs",)}, {"skip": ("rootfs",)}])
def test_part_of_a_build_is_not_recorded(layers: dict[str, tuple[str, ...]], tmp_path: Path) -> None:
    options = api.BuildOptions(record=True, **layers)  # type: ignore[arg-type]  # names of fields
    with pytest.raises(api.AssembleError, match="recorded of a whole build only"):
        api.build(api.RecipeFile(path=tmp_path / "none.toml"), tmp_path, api.Workspace(store=tmp_path), options)


@pytest.mark.parametrize(
    ("kernel", "key", "what"),
    [
        ("source = 'vanilla'\npackage = 'linux-source-6.12'\n", "kernel.source", "its kernel"),
        ("modules = [{ package = 'zfs-dkms' }]\n", "kernel.modules", "modules of its kernel"),
    ],
)
def test_nothing_is_compiled_when_that_is_ruled_out(tmp_path: Path, kernel: str, key: str, what: str) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(f"name = 'x'\n[kernel]\n{kernel}")
    with pytest.raises(api.AssembleError) as caught:
        api.build(
            api.RecipeFile(path=recipe),
            tmp_path / "out",
            api.Workspace(store=tmp_path / "store", offline=True),
            api.BuildOptions(allow_compile=False),
        )
    assert caught.value.what == f"the recipe has {what} compiled, which --no-compile rules out"
    assert caught.value.where == api.Place(file=str(recipe), key=key)
    assert not (tmp_path / "store").exists()


def test_what_is_an_empty_directory(tmp_path: Path) -> None:
    require_empty(tmp_path)
    require_empty(tmp_path / "none")
    (tmp_path / ".hidden").touch()
    require_empty(tmp_path / ".hidden")
    with pytest.raises(api.AssembleError) as caught:
        require_empty(tmp_path)
    assert caught.value.where == api.Place(file=str(tmp_path))

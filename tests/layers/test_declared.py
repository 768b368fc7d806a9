"""What a step declares is its key and all that it sees; libraries that write it are part of that."""

import dataclasses
import importlib
import inspect
import pkgutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pytest

from assembler import layers
from assembler.image.manifest import StepResult
from assembler.image.names import LAYERS
from assembler.layers.build import other_libraries
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import PARTS, Epoch, Ignored, Libraries, counted, data, secret_data, step_of, value
from assembler.layers.explain import changes
from assembler.layers.plan import plan
from assembler.layers.step import published
from assembler.lockfile.model import LockedTool
from tests.layers.test_keys import Project, project_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: Annotated[str, value("name")] = "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    epoch: Epoch = 0
    inner: Annotated[Inner, PARTS] = Inner()
    files: Annotated[Any, data("file {}")] = dataclasses.field(default_factory=lambda: {"a": b"x"})
    secret: Annotated[Any, secret_data("file {}")] = dataclasses.field(default_factory=lambda: {"b": b"y"})
    libraries: Libraries = dataclasses.field(default_factory=lambda: {"zstandard": "0.25.0"})
    shown: Annotated[str, Ignored("errors name it")] = ""

    def make(self, means: Means, directory: Path) -> None:
        (directory / self.inner.name).write_bytes(self.files["a"] + bytes(means.jobs))


def test_every_field_counts_or_says_why_not(means: Means) -> None:
    inputs, secrets = counted(Declared())
    assert sorted(inputs) == ["epoch", "file a", "library zstandard", "name"]
    assert sorted(secrets) == ["file b"]
    assert inputs["library zstandard"] == "0.25.0"

    def key(declared: Declared) -> str:
        return step_of(declared, means, layer="kernel", name="x").key

    others = [
        {"epoch": 1}, {"inner": Inner(name="b")}, {"files": {"a": b"z"}}, {"secret": {"b": b"z"}},
        {"libraries": {"zstandard": "0.22.0"}},
    ]  # fmt: skip
    assert len({key(Declared()), *(key(Declared(**other)) for other in others)}) == 1 + len(others)  # type: ignore[arg-type]
    assert key(Declared(shown="x")) == key(Declared())


def test_a_field_that_says_nothing_is_refused() -> None:
    @dataclass(frozen=True)
    class Silent:
        name: str = "a"

    @dataclass(frozen=True)
    class Twice:
        name: Annotated[str, value("a")] = "a"
        other: Annotated[str, value("a")] = "b"

    @dataclass(frozen=True)
    class Undecided:
        name: Annotated[str, value("a"), Ignored("why")] = "a"

    with pytest.raises(TypeError, match="the field name does not say how it counts"):
        counted(Silent())
    with pytest.raises(TypeError, match="two fields count as a"):
        counted(Twice())
    with pytest.raises(TypeError, match="says twice"):
        counted(Undecided())


@pytest.fixture
def means(project: Project) -> Means:
    return project.context().means


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project_in(tmp_path_factory.mktemp("project"))


def test_a_step_sees_the_value_and_the_means(means: Means, tmp_path: Path) -> None:
    step_of(Declared(), means, layer="kernel", name="x").make(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"x\0\0"


def test_whatever_makes_a_step_is_a_frozen_value_without_the_context() -> None:
    """Of every class in the layers that has `make` or `compose`: neither it nor its fields is a context or a recipe's
    file, and nothing is caught from around it."""
    found = 0
    for each in pkgutil.iter_modules(layers.__path__):
        module = importlib.import_module(f"assembler.layers.{each.name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ != module.__name__ or not dataclasses.is_dataclass(kind):
                continue
            methods = [
                getattr(kind, name)
                for name in ("make", "compose", "tree")
                if inspect.isfunction(getattr(kind, name, None))
            ]
            if not methods:
                continue
            found += 1
            assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]
            types = {str(field.type) for field in dataclasses.fields(kind)}
            assert not any("BuildContext" in text or "LoadedRecipe" in text for text in types), kind
            for method in methods:
                assert method.__closure__ is None, kind
                assert [*inspect.signature(method).parameters][1] in {"means", "_"}, kind
    assert found >= 11


# --- libraries -------------------------------------------------------------------------------------------------------


ZSTD = {"rootfs.tar.zst", "kubernetes.tar.zst", "rootfs.qcow2", "kubernetes.qcow2", "livecd.initrd"}
SBOM = {"rootfs.sbom"}
WRITTEN_BY = {
    "libzstd": ZSTD,
    "zstandard": ZSTD,
    "pycdlib": {"cloudinit.seed"},
    "packageurl-python": SBOM,
    "cyclonedx-python-lib": SBOM,
    "license-expression": SBOM,
    "py-serializable": SBOM,
    "python-debian": SBOM,
    "spdx-tools": SBOM,
}
"""Beside the ISO, whose provenance names them all."""


@pytest.mark.parametrize("library", WRITTEN_BY)
def test_another_library_is_another_key_of_what_it_writes(project: Project, library: str) -> None:
    context = project.context()
    before = {step.label: step for step in plan(context)}
    after = plan(replace(context, libraries={**context.libraries, library: "2"}))
    own = {step.label for step in after if step.inputs.get(f"library {library}") == "2"}
    assert own == WRITTEN_BY[library] | {"livecd.iso"}
    for step in after:
        made_of = own | ({step.label} if own & step.inputs.keys() else set())
        assert (step.key != before[step.label].key) == (step.label in made_of), step.label


def with_locked(context: BuildContext, **versions: str) -> BuildContext:
    locked = {**context.libraries, **versions}
    tools = tuple(LockedTool(name=name, version=version) for name, version in locked.items())
    return replace(context, lock=replace(context.lock, libraries=tools))


def test_outputs_that_may_differ_are_named(project: Project) -> None:
    context = project.context()
    steps = plan(context)
    assert other_libraries(context, steps, LAYERS) == [], "the lock names none"
    assert other_libraries(with_locked(context), steps, LAYERS) == []
    older = with_locked(context, zstandard="0.22.0", libzstd="1.5.5", pycdlib="1.0")
    assert other_libraries(older, steps, ["livecd", "cloudinit"]) == [
        (
            "initrd.img and node.iso may have other bytes than when it was locked: "
            "libzstd is 1 here, 1.5.5 in the lock; zstandard is 1 here, 0.22.0 in the lock"
        ),
        (
            "node.iso and cloud-init-seed.iso may have other bytes than when it was locked: "
            "pycdlib is 1 here, 1.0 in the lock"
        ),
    ]
    (both, _) = other_libraries(older, steps, LAYERS)
    assert both.startswith(
        "rootfs.tar.zst, rootfs.qcow2, rootfs-k8s.tar.zst, rootfs-k8s.qcow2, initrd.img and node.iso"
    )
    assert other_libraries(older, steps, ["kernel"]) == [], "nothing of this is asked for"


def test_the_change_is_explained(project: Project, tmp_path: Path) -> None:
    context = project.context()
    (seed,) = (step for step in plan(context) if step.label == "cloudinit.seed")
    told = published([seed])[seed.label]
    made = StepResult(
        key="0" * 64, inputs={**told.inputs, "library pycdlib": "0.9"}, outputs=(), contents={}, metadata={}
    )
    assert changes(seed, told, made, tmp_path) == ("library pycdlib changed from 0.9 to 1",)

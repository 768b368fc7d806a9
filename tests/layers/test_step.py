"""A step's key is made of its own inputs, and its result is kept under that."""

from pathlib import Path

import pytest

from assembler.image.names import FACTS
from assembler.layers.step import Step, metadata, of_files, of_packages, of_table
from assembler.lockfile.model import LockedPackage
from assembler.recipe.model import Livecd
from assembler.store.objects import Store
from tests.support.reporters import Recorder


def step(made: list[str] | None = None, **inputs: str) -> Step:
    def make(directory: Path) -> None:
        if made is not None:
            made.append(directory.name)
        (directory / "image").write_bytes(b"x")
        (directory / FACTS).write_text('{"release": "6.12"}')

    return Step(layer="kernel", name="image", inputs=inputs, make=make, outputs=("image",))


def test_a_result_is_made_once_and_remembers_digests_and_facts(store: Store) -> None:
    made: list[str] = []
    one = step(made, a="1")
    assert not one.in_store(store)
    result = one.result(store)
    assert one.in_store(store)
    assert step(made, a="1").result(store) == result
    assert len(made) == 1
    assert result.digests["image"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert result.path("image").read_bytes() == b"x"
    assert metadata(result) == {"release": "6.12"}


def test_names_and_values_of_inputs_and_the_step_itself_make_the_key() -> None:
    keys = {step(a="1").key, step(a="2").key, step(b="1").key, step(a="1", b="1").key, step().key}
    assert len(keys) == 5
    other = Step(layer="rootfs", name="image", inputs={"a": "1"}, make=lambda _: None)
    assert other.key != step(a="1").key


def test_a_failure_leaves_nothing_in_the_store(store: Store) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").write_bytes(b"")
        raise OSError(28, "No space left on device")

    broken = Step(layer="kernel", name="image", inputs={}, make=fail)
    with pytest.raises(Exception, match="full"):
        broken.result(store)
    assert not broken.in_store(store)
    assert list((store.root / "tmp").iterdir()) == []


def test_inputs_have_the_names_that_people_know_them_by() -> None:
    assert of_table("livecd", Livecd(), ["label"]).keys() == {"livecd.label"}
    assert of_table("livecd", Livecd(label="A"), ["label"]) != of_table("livecd", Livecd(), ["label"])
    assert of_files("rootfs", {"rootfs.files[0].source": b"x", "cloudinit.user_data": b""}).keys() == {
        "file of rootfs.files[0].source"
    }
    package = LockedPackage(
        name="curl",
        version="8.14.1-2",
        architecture="amd64",
        source="curl",
        source_version="8.14.1-2",
        size=1,
        sha256="ab" * 32,
        path="pool/curl.deb",
        archive="trixie",
        roles=("rootfs",),
        why="requested",
    )
    assert of_packages("package", [package]) == {"package curl": "8.14.1-2 " + "ab" * 32}


@pytest.mark.parametrize("damage", ["flipped", "gone", "digests"])
def test_a_damaged_result_is_made_anew(tmp_path: Path, damage: str) -> None:
    reporter, made = Recorder(), list[str]()
    store = Store(tmp_path, reporter=reporter)
    one = step(made, a="1")
    result = one.result(store)
    if damage == "flipped":
        result.path("image").write_bytes(b"y")
    elif damage == "gone":
        result.path("image").unlink()
    else:
        (result.directory.parent / "digests.json").write_bytes(b"")
    assert one.result(store) == result
    assert result.path("image").read_bytes() == b"x"
    assert len(made) == 2
    assert len(reporter.warnings) == 1

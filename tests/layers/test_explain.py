"""Every step that is made or taken anew has its reason, and nothing is made to tell it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.image.manifest import read_layers
from assembler.image.names import LAYERS, LayerName
from assembler.layers.explain import explain
from assembler.layers.selection import selected
from assembler.layers.step import Step
from assembler.store.objects import Store
from tests.layers.test_build import run, step


def told(
    steps: list[Step], store: Store, out: Path, layers: tuple[LayerName, ...] = LAYERS
) -> dict[str, tuple[str, tuple[str, ...]]]:
    before = read_layers(out, name="n", architecture="amd64")
    return {found.step.layer: (found.state, found.reasons) for found in explain(steps, before, out, store, layers)}


def image(made: list[str], inputs: Mapping[str, str] | None = None) -> list[Step]:
    root = step(made, "rootfs", inputs)
    return [root, step(made, "livecd", cached=False, needs=root), step(made, "cloudinit", cached=False)]


def test_nothing_built_and_everything_built(store: Store, tmp_path: Path) -> None:
    made = list[str]()
    new = ("make", ("not built into this directory before",))
    assert told(image(made, {"hostname": "a"}), store, tmp_path) == {"rootfs": new, "livecd": new, "cloudinit": new}
    assert made == []
    run(store, tmp_path, image(made, {"hostname": "a"}))
    same = ("unchanged", ())
    assert told(image(made, {"hostname": "a"}), store, tmp_path) == {"rootfs": same, "livecd": same, "cloudinit": same}


def test_what_changed_has_its_name(store: Store, tmp_path: Path) -> None:
    made = list[str]()
    run(store, tmp_path, image(made, {"hostname": "a", "package curl": "1 aa", "package jq": "1 bb"}))
    found = told(image(made, {"hostname": "b", "package curl": "2 cc", "package nano": "3 dd"}), store, tmp_path)
    reasons = ("hostname changed", "package curl changed from 1 to 2", "package jq is gone", "package nano is new")
    assert found["rootfs"] == ("make", reasons)
    assert found["livecd"] == ("make", ("rootfs.image changed",))
    assert found["cloudinit"] == ("unchanged", ())


def test_what_the_store_still_has_is_not_made(store: Store, tmp_path: Path) -> None:
    made = list[str]()
    run(store, tmp_path, image(made, {"hostname": "a"}))
    run(store, tmp_path, image(made, {"hostname": "b"}))
    assert told(image(made, {"hostname": "a"}), store, tmp_path)["rootfs"] == ("stored", ("hostname changed",))


def test_a_layer_that_is_skipped_is_made_when_another_needs_it(store: Store, tmp_path: Path) -> None:
    made = list[str]()
    steps = image(made, {"hostname": "a"})
    found = told(steps, store, tmp_path, ("livecd",))
    assert found["rootfs"] == ("make", ("not in the store, and needed for livecd.image",))
    assert found["cloudinit"] == ("idle", ())
    steps[0].result(store)
    assert told(steps, store, tmp_path, ("livecd",))["rootfs"] == ("idle", ())


def test_changed_files_are_seen(store: Store, tmp_path: Path) -> None:
    made = list[str]()
    run(store, tmp_path, image(made, {"hostname": "a"}))
    (tmp_path / "livecd.img").write_text("else")
    assert told(image(made, {"hostname": "a"}), store, tmp_path)["livecd"] == (
        "make",
        ("its files in this directory are missing, have been changed, or were not made with this store",),
    )


def test_selection() -> None:
    steps = image([])
    assert selected(steps) == ("rootfs", "livecd", "cloudinit")
    assert selected(steps, only=["cloudinit", "rootfs"]) == ("rootfs", "cloudinit")
    assert selected(steps, skip=["rootfs"]) == ("livecd", "cloudinit")
    assert selected(steps, skip=["kubernetes"]) == ("rootfs", "livecd", "cloudinit")
    for only, skip, message in (
        (["rotfs"], [], "there is no layer rotfs"),
        ([], ["live"], "there is no layer live"),
        (["kubernetes"], [], "this recipe has no layer kubernetes"),
        (["rootfs"], ["rootfs"], "no layer is left"),
    ):
        with pytest.raises(AssembleError, match=message):
            selected(steps, only, skip)
    with pytest.raises(AssembleError) as caught:
        selected(steps, only=["rotfs"])
    assert "rootfs" in caught.value.hint

"""Secrets decide what is made, and are in nothing that others get to see: neither themselves nor a digest of them."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.audit.recorded import record, same_inputs
from assembler.image.manifest import Layers, StepResult, read_layers
from assembler.image.names import LAYERS, MANIFEST
from assembler.layers.explain import explain
from assembler.layers.rootfs_inputs import recipe_inputs, recipe_secrets
from assembler.layers.step import Step, published, secrets_sha256
from assembler.lockfile.toml import format_lock, parse_lock
from assembler.recipe.additions import File
from assembler.recipe.model import Rootfs
from assembler.store.objects import Store
from tests.layers.test_build import run
from tests.lockfile.test_toml import LOCK


def image(made: list[str], secrets: Mapping[str, str], *, cached: bool = True) -> list[Step]:
    """A root file system with secrets, an ISO that is made of it, and a kernel that has nothing to do with them."""

    def step(name: str, inputs: Mapping[str, str], text: str, **others: object) -> Step:
        def make(directory: Path) -> None:
            made.append(name)
            (directory / f"{name}.img").write_text(text)

        return Step(layer=name, name="image", inputs=inputs, make=make, outputs=(f"{name}.img",), **others)  # type: ignore[arg-type]

    kernel = step("kernel", {"package": "1"}, "kernel")
    # What comes out has the same bytes whatever the secret is: only keys could tell.
    root = step("rootfs", {"hostname": "a"}, "root", secrets=secrets, cached=cached)
    iso = step("livecd", {root.label: root.key, kernel.label: kernel.key}, "iso", cached=cached)
    return [kernel, root, iso]


@pytest.mark.parametrize("cached", [True, False])
def test_the_manifest_does_not_depend_on_them(cached: bool, tmp_path: Path) -> None:  # noqa: FBT001  a parameter
    texts = []
    for name, secrets in (("a", {"password": "1"}), ("b", {"password": "2"}), ("c", {"password": "1", "file": "3"})):
        steps = image([], secrets, cached=cached)
        run(Store(tmp_path / f"store-{name}"), tmp_path / name, steps)
        texts.append((tmp_path / name / MANIFEST).read_bytes())
        assert not any(step.key.encode() in texts[0] for step in steps[1:]), "keys of steps that they go into"
        assert steps[0].key.encode() in texts[0]
    assert len(set(texts)) == 1
    assert b"password" not in texts[0]


@pytest.mark.parametrize("cached", [True, False])
def test_they_decide_what_is_made(cached: bool, store: Store, tmp_path: Path) -> None:  # noqa: FBT001  a parameter
    made: list[str] = []
    run(store, tmp_path, image(made, {"password": "1"}, cached=cached))
    assert made == ["kernel", "rootfs", "livecd"]
    run(store, tmp_path, image(made, {"password": "1"}, cached=cached))
    assert made[3:] == []
    run(store, tmp_path, image(made, {"password": "2"}, cached=cached))
    assert made[3:] == ["rootfs", "livecd"]
    reasons = explain(
        image(made, {"password": "3"}, cached=cached),
        read_layers(tmp_path, name="n", architecture="amd64"),
        tmp_path,
        store,
        LAYERS,
    )
    assert [(one.state, one.reasons) for one in reasons] == [
        ("unchanged", ()),
        ("make", ("a secret has changed (password), or it was not made with this store",)),
        ("make", ("a secret has changed (of a step that it is made of), or it was not made with this store",)),
    ]


def test_a_manifest_is_not_believed(store: Store, tmp_path: Path) -> None:
    """Somebody puts other bytes into the directory, and a manifest that says that they were built of the same."""
    made: list[str] = []
    run(store, tmp_path, image(made, {}))
    other = tmp_path / "other"
    steps = image(made, {})

    def forge(directory: Path) -> None:
        (directory / "livecd.img").write_text("evil")

    run(Store(tmp_path / "store of another"), other, [*steps[:2], replace(steps[2], make=forge)])
    assert (other / "livecd.img").read_text() == "evil"
    assert json.loads((other / MANIFEST).read_bytes())["layers"]["livecd"]["image"]["key"] == steps[2].key
    run(store, other, steps)
    assert (other / "livecd.img").read_text() == "iso"


def test_a_store_that_cannot_be_written_to(store: Store, tmp_path: Path) -> None:
    """Nothing can be remembered there, so it is made again; that is all."""
    made: list[str] = []
    steps = [replace(step, cached=False) for step in image(made, {"password": "1"})]
    for step in steps:
        (store.results / f"made-{step.label}-1").parent.mkdir(exist_ok=True)
        (store.results / f"made-{step.label}-1").write_text("no directory")
    run(store, tmp_path, steps)
    run(store, tmp_path, steps)
    assert made == ["kernel", "rootfs", "livecd"] * 2


@pytest.mark.parametrize("cached", [True, False])
def test_layers_that_were_not_asked_for_are_known(cached: bool, store: Store, tmp_path: Path) -> None:  # noqa: FBT001
    first = run(store, tmp_path, image([], {"password": "1"}, cached=cached))
    steps = image([], {"password": "2"}, cached=cached)
    second = run(store, tmp_path, steps, ("kernel",))
    assert second.layers == first.layers
    assert run(Store(tmp_path / "another store"), tmp_path, steps, ("kernel",)).layers.keys() == {"kernel"}


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_files_with_secrets_are_their_owners_alone(mask: int, store: Store, tmp_path: Path) -> None:
    def modes(secrets: Mapping[str, str], directory: Path) -> dict[str, int]:
        kernel, root, iso = image([], secrets)
        bill = replace(iso, layer="cloudinit", inputs={root.label: root.key}, outputs=("bill",), discreet=True,
                       make=lambda directory: (directory / "bill").touch())  # fmt: skip
        before = os.umask(mask)
        try:
            run(store, directory, [kernel, root, iso, bill])
        finally:
            os.umask(before)
        return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}

    public = 0o666 & ~mask
    names = ("kernel.img", "rootfs.img", "livecd.img", "bill", MANIFEST)
    assert modes({}, tmp_path / "a") == dict.fromkeys(names, public)
    assert modes({"password": "1"}, tmp_path / "b") == {
        **dict.fromkeys(names, public), "rootfs.img": 0o600, "livecd.img": 0o600,
    }  # fmt: skip


FILES = [
    File(path="/etc/token", content="one", mode="0600"),
    File(path="/etc/group-only", content="two", mode="0640"),
    File(path="/etc/motd", content="three"),
    File(path="/etc/key", source="key", mode="0400"),
]


def test_what_is_secret_in_a_recipe() -> None:
    recipe = Rootfs(root_password="secret", files=FILES)
    assert recipe.private_sources == {"rootfs.files[3].source"}
    assert sorted(recipe_secrets(recipe)) == ["rootfs.files", "rootfs.root_password"]
    assert recipe_secrets(Rootfs()) == {}
    others = (
        {"root_password": "other"},
        {"files": [FILES[0].model_copy(update={"content": "other"}), *FILES[1:]]},
        {"files": [FILES[0], FILES[1].model_copy(update={"content": "other"}), *FILES[2:]]},
    )
    for other in others:
        changed = recipe.model_copy(update=other)
        assert recipe_inputs(changed) == recipe_inputs(recipe)
        assert recipe_secrets(changed) != recipe_secrets(recipe)
    public = recipe.model_copy(update={"files": [*FILES[:2], FILES[2].model_copy(update={"content": "x"}), FILES[3]]})
    assert recipe_inputs(public) != recipe_inputs(recipe)
    # The password's salt comes of everything; of the files, those that are secret count.
    assert recipe_secrets(public)["rootfs.files"] == recipe_secrets(recipe)["rootfs.files"]
    assert recipe_secrets(Rootfs(files=[FILES[2], FILES[3]])) == {}, "the bytes of a source count by themselves"
    # A recipe with the hash of the same password, as the one on the image is, makes the same.
    hashed = recipe.model_copy(update={"root_password": "$6$salt$" + "x" * 86})
    assert recipe_inputs(hashed) == recipe_inputs(recipe)


def test_a_record_in_the_lock_tells_of_them_to_nobody() -> None:
    def recorded(secrets: Mapping[str, str]) -> str:
        return secrets_sha256(image([], secrets))

    built: Layers = {"rootfs": {"image": _made()}}
    one, two, none = recorded({"password": "1"}), recorded({"password": "2"}), recorded({})
    assert none == ""
    first, again, without = (record(built, secrets) for secrets in (one, one, none))
    assert without.secrets == ""
    assert first.secrets != again.secrets, "each has its own salt"
    assert one not in first.secrets
    assert first.recipe_sha256 == without.recipe_sha256
    for build, secrets, same in (
        (first, one, True), (again, one, True), (first, two, False), (again, none, False),
        (without, none, True), (without, one, False),
    ):  # fmt: skip
        assert same_inputs(build, built, secrets) == same
        lock = replace(LOCK, build=build)
        assert parse_lock(format_lock(lock), "x") == lock


def _made() -> StepResult:
    return StepResult(key="0" * 64, inputs={"hostname": "a"}, outputs=(), contents={}, metadata={})


def test_published_keys_are_keys_where_nothing_is_secret() -> None:
    steps = image([], {})
    assert {label: told.key for label, told in published(steps).items()} == {step.label: step.key for step in steps}
    secret = image([], {"password": "1"})
    assert secret[1].key != steps[1].key
    assert published(secret) == published(steps)
    assert "password" not in repr(secret[1])

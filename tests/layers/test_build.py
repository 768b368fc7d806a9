"""The output directory is brought up to date step by step, and the rest of it left alone."""

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.image.manifest import Manifest, read_layers
from assembler.image.names import LAYERS, MANIFEST, LayerName
from assembler.layers.build import bring_up_to_date, build
from assembler.layers.record import LARGEST, recall
from assembler.layers.step import Step
from assembler.lockfile.model import LockedTool
from assembler.store.objects import Store
from tests.layers.test_keys import project_in
from tests.support.reporters import Recorder


def step(
    made: list[str],
    layer: LayerName,
    inputs: Mapping[str, str] | None = None,
    *,
    cached: bool = True,
    needs: Step | None = None,
) -> Step:
    def make(directory: Path) -> None:
        made.append(layer)
        (directory / f"{layer}.img").write_text(f"{layer} of {inputs}")

    all_inputs = {**(inputs or {}), **({needs.label: needs.key} if needs else {})}
    return Step(layer=layer, name="image", inputs=all_inputs, make=make, outputs=(f"{layer}.img",), cached=cached)


def run(store: Store, out: Path, steps: list[Step], layers: tuple[LayerName, ...] = LAYERS) -> Manifest:
    def manifest(done: object) -> Manifest:
        return Manifest(
            name="n",
            architecture="amd64",
            source_date_epoch=0,
            recipe_sha256="",
            lock_sha256="",
            layers=done,  # type: ignore[arg-type]
            packages=(),
        )

    before = read_layers(out, name="n", architecture="amd64")
    return bring_up_to_date(steps, before, out, store, layers=layers, manifest=manifest)


def test_what_is_there_stays_and_what_has_changed_is_made(store: Store, tmp_path: Path) -> None:
    out, made = tmp_path / "out", list[str]()
    root = step(made, "rootfs", {"hostname": "a"})
    iso = step(made, "livecd", cached=False, needs=root)
    seed = step(made, "cloudinit", {"user-data": "1"}, cached=False)
    run(store, out, [root, iso, seed])
    assert made == ["rootfs", "livecd", "cloudinit"]
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    made.clear()
    run(store, out, [root, iso, step(made, "cloudinit", {"user-data": "2"}, cached=False)])
    assert made == ["cloudinit"]
    after = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"cloudinit.img", MANIFEST}


def test_a_file_that_somebody_changed_is_made_anew(store: Store, tmp_path: Path) -> None:
    made = list[str]()
    steps = [step(made, "rootfs", {"hostname": "a"}), step(made, "livecd", cached=False)]
    run(store, tmp_path, steps)
    (tmp_path / "livecd.img").write_text("livecd of NonE")
    (tmp_path / "rootfs.img").unlink()
    made.clear()
    run(store, tmp_path, steps)
    assert made == ["livecd"]  # the other one is in the store
    assert (tmp_path / "livecd.img").read_text() == "livecd of None"
    assert (tmp_path / "rootfs.img").exists()


def test_layers_that_were_not_asked_for_keep_their_files_and_their_part_of_the_manifest(
    store: Store, tmp_path: Path
) -> None:
    made = list[str]()
    first = run(store, tmp_path, [step(made, "rootfs", {"hostname": "a"}), step(made, "cloudinit", {"user-data": "1"})])
    changed = [step(made, "rootfs", {"hostname": "b"}), step(made, "cloudinit", {"user-data": "2"})]
    made.clear()
    second = run(store, tmp_path, changed, ("cloudinit",))
    assert made == ["cloudinit"]
    assert second.layers["rootfs"] == first.layers["rootfs"]
    assert second.layers["cloudinit"] != first.layers["cloudinit"]
    assert [artifact.name for artifact in second.artifacts] == ["cloudinit.img", "rootfs.img"]


def test_a_manifest_of_something_else_counts_for_nothing(tmp_path: Path) -> None:
    assert read_layers(tmp_path, name="n", architecture="amd64") == {}
    for text in ("", "[]", '{"schema": 3}', '{"schema": 3, "name": "n", "architecture": "amd64", "layers": {"a": 1}}'):
        (tmp_path / MANIFEST).write_text(text)
        assert read_layers(tmp_path, name="n", architecture="amd64") == {}


def hang(root: Path, out: Path, cached: bool) -> None:  # noqa: FBT001  the arguments of a process
    """Build a layer, and be in the middle of the next for ever."""

    def make(directory: Path) -> None:
        (directory / "livecd.img").write_text("half")
        (out / "began").touch()
        time.sleep(1000)

    endless = Step(layer="livecd", name="image", inputs={}, make=make, outputs=("livecd.img",), cached=cached)
    run(Store(root), out, [step([], "rootfs"), endless])


@pytest.mark.parametrize("cached", [True, False])
def test_a_killed_build_is_carried_on_by_the_next(store: Store, tmp_path: Path, cached: bool) -> None:  # noqa: FBT001  a parameter
    out, made = tmp_path / "out", list[str]()
    process = multiprocessing.get_context("spawn").Process(target=hang, args=(store.root, out, cached))
    process.start()
    while not (out / "began").exists():
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    (out / "began").unlink()
    assert [path.name for path in out.iterdir() if not path.name.startswith(".assemble-")] == []
    run(store, out, [step(made, "rootfs"), step(made, "livecd", cached=cached)])
    assert made == ["livecd"]
    assert (out / "livecd.img").read_text() == "livecd of None"
    assert sorted(path.name for path in out.iterdir()) == ["livecd.img", MANIFEST, "rootfs.img"]
    assert list((store.root / "tmp").iterdir()) == []


# --- a directory that somebody else has filled
# ---------------------------------------------------------------------------


def plant(out: Path, name: str, data: bytes) -> None:
    """Put another file into an output directory, and what it is into the manifest."""
    (out / name).unlink()
    (out / name).write_bytes(data)
    manifest = json.loads((out / MANIFEST).read_text())
    for steps in manifest["layers"].values():
        for made in steps.values():
            for output in made["outputs"]:
                if output["name"] == name:
                    output |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (out / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("cached", [True, False])
def test_a_planted_file_is_made_anew(store: Store, tmp_path: Path, cached: bool) -> None:  # noqa: FBT001  a parameter
    steps = [step([], "cloudinit", cached=cached)]
    before = run(store, tmp_path, steps)
    plant(tmp_path, "cloudinit.img", b"not what was made")
    assert run(store, tmp_path, steps) == before
    assert (tmp_path / "cloudinit.img").read_text() == "cloudinit of None"


def test_a_planted_file_is_made_anew_with_another_store(store: Store, tmp_path: Path) -> None:
    """A store that knows nothing of the directory believes nothing in it, and not a whole manifest that fits."""
    made = list[str]()
    steps = [step(made, "rootfs"), step(made, "cloudinit", cached=False)]
    first = run(store, tmp_path / "out", steps)
    made.clear()
    assert run(Store(tmp_path / "other"), tmp_path / "out", steps) == first
    assert made == ["rootfs", "cloudinit"]


def test_what_a_manifest_says_of_other_layers_is_not_believed(store: Store, tmp_path: Path) -> None:
    made = list[str]()
    steps = [step(made, "rootfs", {"hostname": "a"}), step(made, "cloudinit", {"user-data": "1"})]
    first = run(store, tmp_path, steps)
    plant(tmp_path, "rootfs.img", b"planted")
    second = run(store, tmp_path, steps, ("cloudinit",))
    # The manifest has what the store knows: whoever compares sees that this file is another.
    assert second.layers["rootfs"] == first.layers["rootfs"]

    manifest = json.loads((tmp_path / MANIFEST).read_text())
    entry = manifest["layers"]["rootfs"]["image"]
    for other in (
        {**entry, "key": "0" * 64},
        {**entry, "inputs": {**entry["inputs"], "hostname": "b"}},
        {**entry, "key": f"../../{'0' * 58}"},
    ):
        manifest["layers"]["rootfs"]["image"] = other
        (tmp_path / MANIFEST).write_text(json.dumps(manifest))
        third = run(store, tmp_path, steps, ("cloudinit",))
        assert "rootfs" not in third.layers
        assert [artifact.name for artifact in third.artifacts] == ["cloudinit.img"]


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"outputs": []}', '{"outputs": 1, "contents": {}, "facts": {}}']
)
def test_a_record_that_is_none_counts_for_nothing(store: Store, tmp_path: Path, text: str) -> None:
    made = list[str]()
    steps = [step(made, "rootfs")]
    first = run(store, tmp_path, steps)
    for record in (store.results / "made-rootfs.image-1").iterdir():
        record.chmod(0o600)
        record.write_text(text)
    assert run(store, tmp_path, steps) == first
    assert len(list((store.results / "made-rootfs.image-1").iterdir())) == 1


def test_facts_are_the_stores(store: Store, tmp_path: Path) -> None:
    steps = [step([], "rootfs")]
    first = run(store, tmp_path, steps)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    manifest["layers"]["rootfs"]["image"] |= {"facts": {"release": "evil"}, "contents": {"squashfs": "0" * 64}}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    assert run(store, tmp_path, steps) == first


def test_a_link_or_a_pipe_in_the_place_of_an_output(store: Store, tmp_path: Path) -> None:
    """The very bytes, elsewhere, where somebody else can change them later."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    steps = [step([], "rootfs")]
    run(store, out, steps)
    (out / "rootfs.img").rename(elsewhere)
    (out / "rootfs.img").symlink_to(elsewhere)
    run(store, out, steps)
    assert not (out / "rootfs.img").is_symlink()
    elsewhere.write_bytes(b"changed")
    assert (out / "rootfs.img").read_text() == "rootfs of None"
    (out / "rootfs.img").unlink()
    os.mkfifo(out / "rootfs.img")
    run(store, out, steps)
    assert (out / "rootfs.img").is_file()


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {},
        {"key": 1},
        {"key": "0" * 64, "inputs": {"a": 1}, "outputs": [], "contents": {}, "facts": {}},
        *(
            {"key": "0" * 64, "inputs": {}, "outputs": [output], "contents": {}, "facts": {}}
            for output in (
                {"name": "x", "size": True, "sha256": "0" * 64},
                {"name": "x", "size": -1, "sha256": "0" * 64},
                {"name": "x", "size": 1, "sha256": 1},
                {"name": "/etc/x", "size": 1, "sha256": "0" * 64},
                {"name": "../x", "size": 1, "sha256": "0" * 64},
                {"name": ".", "size": 1, "sha256": "0" * 64},
            )
        ),
        {"key": "0" * 64, "inputs": [], "outputs": [], "contents": {}, "facts": 1},
    ],
)
def test_entries_of_a_manifest_that_are_none(tmp_path: Path, entry: object) -> None:
    document = {"schema": 2, "name": "n", "architecture": "amd64", "layers": {"rootfs": {"image": entry}}}
    (tmp_path / MANIFEST).write_text(json.dumps(document))
    assert read_layers(tmp_path, name="n", architecture="amd64") == {}
    for text in ('{"schema":' + "[" * 100_000, '{"schema": ' + "1" * 9999 + "}"):
        (tmp_path / MANIFEST).write_text(text)
        assert read_layers(tmp_path, name="n", architecture="amd64") == {}


def test_the_largest_record(store: Store, tmp_path: Path) -> None:
    one = step([], "rootfs")
    run(store, tmp_path, [one])
    (record,) = (store.results / "made-rootfs.image-1").iterdir()
    text = record.read_bytes()
    assert LARGEST == 4 << 20
    record.chmod(0o600)
    for size, found in ((LARGEST, True), (LARGEST + 1, False)):
        record.write_bytes(text.ljust(size))
        assert (recall(store, one.label, one.key, {}) is not None) == found


# --- of a recipe
# ---------------------------------------------------------------------------


def test_a_seed_alone(tmp_path: Path) -> None:
    """What the manifest and the provenance say of it, and what is warned of."""
    project = project_in(tmp_path)
    found = project.context()
    reporter = Recorder()
    found = replace(found, means=replace(found.means, reporter=reporter))
    out = tmp_path / "out"
    manifest = build(found, out, only=["cloudinit"])
    assert reporter.messages == [
        "there is no cloud-init in the image: the seed is not held against its schema",
        "the lock does not name the libraries that write formats: see assemble lock --migrate",
    ]
    assert reporter.warnings == []
    assert sorted(path.name for path in out.iterdir()) == ["cloud-init-seed.iso", MANIFEST, "provenance.json"]
    lock = project.lock
    assert (manifest.name, manifest.architecture) == ("x", lock.architecture)
    assert (manifest.source_date_epoch, manifest.recipe_sha256) == (lock.source_date_epoch, lock.recipe_sha256)
    hello = next(package for package in manifest.packages if package["name"] == "base")
    assert hello == {
        "name": "base",
        "version": "1.7",
        "architecture": "amd64",
        "source": "base",
        "sha256": next(package.sha256 for package in lock.packages if package.name == "base"),
    }
    assert {package["name"] for package in manifest.packages} == {each.name for each in lock.role("rootfs")}
    provenance = json.loads((out / "provenance.json").read_bytes())
    (seed,) = manifest.artifacts
    assert provenance["subject"] == [{"name": "cloud-init-seed.iso", "digest": {"sha256": seed.sha256}}]
    definition = provenance["predicate"]["buildDefinition"]
    assert definition["internalParameters"]["lock"]["digest"]["sha256"] == manifest.lock_sha256
    assert (out / MANIFEST).read_bytes() == manifest.json()

    # With a lock that names other libraries, and the seed there already.
    libraries = tuple(LockedTool(name=name, version="0") for name in found.libraries)
    known = replace(found, lock=replace(lock, libraries=libraries))
    reporter.messages.clear()
    build(known, out, skip=["kernel", "rootfs", "kubernetes", "livecd"])
    assert reporter.messages == ["there is no cloud-init in the image: the seed is not held against its schema"]
    assert reporter.warnings == [
        "cloud-init-seed.iso may have other bytes than when it was locked: pycdlib is 1 here, 0 in the lock"
    ]

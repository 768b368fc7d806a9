"""What ``assemble RECIPE.toml`` says of what it has made, and ``--explain`` of what it would make."""

import io
import json
from pathlib import Path
from typing import cast

import pytest

from assembler.api import BuildResult, Explanation, Manifest
from assembler.cli import environment
from assembler.cli.build import _tell, _tell_explained
from assembler.cli.main import call
from assembler.cli.progress import JsonReporter, LineReporter
from assembler.cli.session import Session
from assembler.image.names import LayerName
from assembler.layers.step import Step
from tests.audit.test_recorded import BUILT


def current(stream: io.StringIO, *, events: bool = False) -> Session:
    reporter = JsonReporter(stream) if events else LineReporter(stream)
    return Session(settings=environment.read(Path("s"), {}), reporter=reporter, json=events)


def result(stream: io.StringIO) -> dict[str, object]:
    found = json.loads(stream.getvalue())
    assert found.pop("event") == "result"
    return cast("dict[str, object]", found)


def test_what_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = Manifest(
        name="x",
        architecture="amd64",
        source_date_epoch=0,
        recipe_sha256="",
        lock_sha256="",
        layers={"rootfs": BUILT["rootfs"], "livecd": BUILT["livecd"]},
        packages=(),
    )
    made = BuildResult(out=Path("out"), manifest=manifest)
    _tell(current(io.StringIO()), made)
    assert capsys.readouterr().out == f"{'5' * 64}  out/node.iso\n{'4' * 64}  out/rootfs.tar.gz\n"
    stream = io.StringIO()
    _tell(current(stream, events=True), made)
    assert capsys.readouterr().out == ""
    files = [
        {"path": "out/node.iso", "size": 1, "sha256": "5" * 64},
        {"path": "out/rootfs.tar.gz", "size": 1, "sha256": "4" * 64},
    ]
    assert result(stream) == {"files": files, "manifest": "out/manifest.json"}


def step(layer: LayerName, name: str) -> Step:
    return Step(layer=layer, name=name, inputs={}, make=lambda _: None, outputs=())


def test_what_would_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    reasons = [f"reason {number}" for number in range(14)]
    found = [
        Explanation(step=step("rootfs", "tree"), state="make", reasons=tuple(reasons[:12])),
        Explanation(step=step("kernel", "image"), state="unchanged", reasons=()),
        Explanation(step=step("livecd", "iso"), state="stored", reasons=tuple(reasons)),
        Explanation(step=step("cloudinit", "seed"), state="idle", reasons=()),
    ]
    _tell_explained(current(io.StringIO()), found)
    shown = [f"                  {reason}" for reason in reasons[:12]]
    assert capsys.readouterr().out.splitlines() == [
        "rootfs.tree     made again",
        *shown,
        "kernel.image    unchanged",
        "livecd.iso      taken from the store",
        *shown,
        "                  and 2 more",
        "cloudinit.seed  not asked for",
    ]
    stream = io.StringIO()
    _tell_explained(current(stream, events=True), found)
    assert capsys.readouterr().out == ""
    assert result(stream) == {
        "steps": [
            {"step": "rootfs.tree", "state": "make", "reasons": reasons[:12]},
            {"step": "kernel.image", "state": "unchanged", "reasons": []},
            {"step": "livecd.iso", "state": "stored", "reasons": reasons},
            {"step": "cloudinit.seed", "state": "idle", "reasons": []},
        ]
    }


@pytest.mark.parametrize("option", [["--only", "rootfs"], ["--skip", "rootfs"], ["--explain"]])
def test_a_record_is_of_a_whole_build(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["r.toml", "--record", *option]) == 2
    said = capsys.readouterr().err
    assert "--record is for a whole build: leave out --only, --skip and --explain" in said

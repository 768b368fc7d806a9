"""What ``assemble verify`` says of an image, as text and as events, and the exit status that goes with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from assembler import api
from assembler.audit.image import Image
from assembler.audit.verify import FINDINGS
from assembler.cli.main import call
from assembler.lockfile.toml import format_lock
from tests.audit.conftest import Make, flip, make, system
from tests.audit.test_verify import recorded
from tests.lockfile.test_toml import LOCK
from tests.support.toolboxes import toolbox

__all__ = ["make", "toolbox"]

UNKNOWN = (
    "error: the lock cannot tell whether this is the image that was built from it\n  at: x.lock.toml\n"
    "  because: it has recorded no such output, and files of a recipe are in no lock; only 2 packages were compared, "
    "and they are those of the lock\n  hint: build it where you trust the build with assemble RECIPE.toml --record, "
    "and verify with that lock; or say --packages-only\n"
)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def verified(*arguments: str, said: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    status = call(["verify", "x.iso", "--quiet", *arguments])
    return status, *said.readouterr()


def result(*arguments: str, said: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Exit status, and the event with the result."""
    status, out, err = verified("--json", *arguments, said=said)
    events = [json.loads(line) for line in out.splitlines()]
    (found,) = (event for event in events if event["event"] == "result")
    assert [event["event"] for event in events[events.index(found) + 1 :]] == ["error"] * status
    assert bool(err) == bool(status), "people are told of an error, too"
    return status, found


def test_a_sound_image_and_what_its_lock_knows(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    image = make("x", system())
    areas = len(Image(image).seal.areas)
    sound = f"x.iso: {areas} regions, 24 paths and 2 packages are as they should be"
    assert verified(said=capsys) == (0, f"{sound}\n", "")
    values = {
        "event": "result",
        "image": "x.iso",
        "findings": [],
        "more": 0,
        "areas": areas,
        "paths": 24,
        "packages": 2,
    }
    assert result(said=capsys) == (0, {**values, "verdict": "sound", "compared": "nothing"})

    lock = Path("x.lock.toml")
    lock.write_text(format_lock(LOCK))
    arguments = ["--lock", str(lock)]
    assert verified(*arguments, said=capsys) == (1, "", UNKNOWN)
    packages = {**values, "verdict": "packages-only", "compared": "packages"}
    assert result(*arguments, said=capsys) == (1, packages)
    content = f"{sound}; that these are all that was built in, the lock cannot tell\n"
    assert verified(*arguments, "--packages-only", said=capsys) == (0, content, "")
    assert result(*arguments, "--packages-only", said=capsys) == (0, packages)

    lock.write_text(format_lock(recorded(image)))
    for more in ([], ["--packages-only"]):
        known = f"{sound}, and all of it is what the lock has recorded\n"
        assert verified(*arguments, *more, said=capsys) == (0, known, "")
    assert result(*arguments, said=capsys) == (0, {**values, "verdict": "recorded", "compared": "outputs"})


def test_one_finding_and_two(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    image = make("x", system(), extra={"/boot/evil": b"evil"})
    evil = "nothing says that it belongs here"
    bad = "error: the image is not what it should be\n  at: x.iso\n  because: "
    assert verified(said=capsys) == (1, f"/boot/evil: {evil}\n", f"{bad}one finding\n")
    finding = {"path": "/boot/evil", "what": evil, "offset": -1, "size": 0}
    status, found = result(said=capsys)
    assert (status, found["verdict"], found["findings"], found["more"]) == (1, "different", [finding], 0)

    Path("x.lock.toml").write_text(format_lock(recorded(make("honest", system()))))
    lines = f"/boot/evil: {evil}\nx.iso: it is not the node.iso that the lock has recorded\n"
    for more in ([], ["--packages-only"]):
        assert verified("--lock", "x.lock.toml", *more, said=capsys) == (1, lines, f"{bad}2 findings\n")

    area, _ = next(each for each in Image(image).seal.areas if each[0].name == "/boot/vmlinuz")
    flip(image, area.offset + 5, image)
    damage = f"/boot/vmlinuz: its checksum is wrong (bytes {area.offset} to {area.offset + area.size})\n"
    assert verified(said=capsys) == (1, damage, f"{bad}one finding\n")
    status, found = result(said=capsys)
    where = {"path": "/boot/vmlinuz", "what": "its checksum is wrong", "offset": area.offset, "size": area.size}
    assert (found["findings"], found["paths"], found["packages"]) == ([where], 0, 0)
    assert found["areas"] == len(Image(image).seal.areas)


@pytest.mark.parametrize("more", [0, 3])
def test_very_many_findings(make: Make, capsys: pytest.CaptureFixture[str], more: int) -> None:
    make("x", system(), extra={f"/boot/{number}": b"" for number in range(FINDINGS + more)})
    status, out, err = verified(said=capsys)
    assert (status, len(out.splitlines())) == (1, FINDINGS + bool(more))
    assert (out.splitlines()[-1] == "and 3 more") == bool(more)
    assert err.endswith(f"  because: {FINDINGS + more} findings\n")


def test_a_lock_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.iso").touch()
    status, _, err = verified("--packages-only", said=capsys)
    assert status == 2
    assert "--packages-only is about a lock: name one with --lock" in err
    assert verified("--lock", "none", said=capsys)[0] == 2
    with pytest.raises(api.AssembleError) as caught:
        api.verify(Path("x.iso"), Path("none"))
    assert (caught.value.what, caught.value.where) == ("there is no lock", api.Place(file="none"))
    Path("x.lock.toml").write_text("nonsense")
    status, out, err = verified("--lock", "x.lock.toml", said=capsys)
    assert (status, out) == (1, "")
    assert err.startswith("error: the lock is not TOML\n  at: x.lock.toml:1:9\n")

"""What ``assemble reproduce`` says of two builds, as text and as events; tests/boot has it build them."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler.api import ReproduceResult
from assembler.api.build import explained
from assembler.audit.compare import Change, Comparison, PackageChange
from assembler.audit.recorded import Mismatch, record
from assembler.audit.statements import audited
from assembler.cli import environment
from assembler.cli.progress import JsonReporter, LineReporter
from assembler.cli.reproduce import _tell
from assembler.cli.session import Session
from assembler.lock.changes import changes
from tests.audit.test_recorded import BUILT
from tests.lockfile.test_toml import LOCK

SAME = Comparison(changes=(), packages=(), lock=changes(LOCK, LOCK))
SUMS = [f"{'2' * 64}  config", f"{'5' * 64}  node.iso", f"{'4' * 64}  rootfs.tar.gz", f"{'1' * 64}  vmlinuz"]
TWICE = [*SUMS, "r.toml: built twice, byte by byte the same"]
RECORDED = replace(LOCK, build=record(BUILT))
OTHERS = Comparison(
    changes=(
        Change(
            layer="rootfs",
            path="/a",
            package="hello",
            fields={"mode": ("0644", "0755"), "there": ("", "file")},
            offset=0,
            bytes=3,
        ),
        Change(layer="iso", path="/b", package="", fields={}),
    ),
    packages=(PackageChange(name="hello", architecture="amd64", old="1", new=""),),
    lock=changes(
        LOCK,
        replace(
            LOCK, packages=(replace(LOCK.packages[0], version="2.10-6", source_version="2.10-6"), *LOCK.packages[1:])
        ),
    ),
)
DIFFER = [
    *("rootfs: /a (hello)", "  bytes: from 0 on; 3 differ", "  mode: 0644 -> 0755", "  there: none -> file"),
    "iso: /b",
    "r.toml: two builds from one lock differ",
]
TREE = Mismatch("rootfs.tree", (), begins=True)
ISO = Mismatch("livecd.iso", ("node.iso", "x"), begins=False)


def result(
    found: Comparison = SAME,
    *,
    recorded: Sequence[Mismatch] | None = None,
    lock: Any = LOCK,
    not_varied: Mapping[str, str] = {},
) -> ReproduceResult:
    statement = audited(
        BUILT, lock, found, varied={"b": ("1", "2"), "a": ("3", "4")}, not_varied=not_varied, recorded=recorded
    )
    mismatches = None if recorded is None else tuple(recorded)
    return ReproduceResult(
        built=BUILT, lock=lock, found=found, recorded=mismatches, not_varied=not_varied, statement=statement
    )


def told(of: ReproduceResult, capsys: pytest.CaptureFixture[str], *, events: bool = False) -> tuple[list[str], str]:
    """The lines on standard output, and what the reporter was told."""
    stream = io.StringIO()
    reporter = JsonReporter(stream) if events else LineReporter(stream)
    _tell(Session(settings=environment.read(Path("s"), {}), reporter=reporter, json=events), Path("r.toml"), of)
    return capsys.readouterr().out.splitlines(), stream.getvalue()


def test_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = "the lock has no outputs recorded to compare with (assemble RECIPE.toml --record)"
    assert told(result(), capsys) == ([*TWICE, nothing], "")
    assert told(result(lock=RECORDED, recorded=()), capsys)[0] == [*TWICE, "the lock has recorded the same outputs"]
    another = "the outputs that the lock has recorded are of another recipe or other arguments, and not compared"
    assert told(result(lock=RECORDED), capsys)[0] == [*TWICE, another]
    assert result().same
    assert result(lock=RECORDED, recorded=()).same


def test_the_same_twice_and_not_what_is_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    found = result(lock=RECORDED, recorded=(TREE, ISO))
    assert not found.same
    assert told(found, capsys)[0] == [
        *TWICE,
        "rootfs.tree differs from what the lock has recorded",
        "livecd.iso (node.iso, x) differs as what it is made of does",
    ]
    assert list(explained([Mismatch("", ("a", "b"), begins=True)])) == ["recorded in the lock, and not made (a, b)"]


def test_two_builds_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    found = result(OTHERS, lock=RECORDED, recorded=())
    assert not found.same
    package = ["lock: hello 2.10-5 -> 2.10-6", "lock:   hello:amd64 2.10-5 -> 2.10-6", "package hello:amd64: 1 -> none"]
    assert told(found, capsys)[0] == [*package, *DIFFER, "the lock has recorded the same outputs"]


def test_what_was_not_varied(capsys: pytest.CaptureFixture[str]) -> None:
    _, said = told(result(not_varied={"user": "which only root can change", "x": "as y"}), capsys)
    assert said == "not varied: user, which only root can change\nnot varied: x, as y\n"


def test_as_events(capsys: pytest.CaptureFixture[str]) -> None:
    """The last one is the statement that is in the output directory, too."""
    found = result(OTHERS, lock=RECORDED, recorded=(TREE, ISO), not_varied={"user": "x"})
    lines, said = told(found, capsys, events=True)
    assert lines == []
    info, last = (json.loads(line) for line in said.splitlines())
    assert info == {"event": "info", "text": "not varied: user, x"}
    assert last.pop("event") == "result"
    assert last == json.loads(json.dumps(dict(found.statement)))
    assert [subject["name"] for subject in last["subject"]] == ["config", "node.iso", "rootfs.tar.gz", "vmlinuz"]
    predicate = last["predicate"]
    assert predicate["result"] == "different"
    assert predicate["varied"] == {"a": ["3", "4"], "b": ["1", "2"]}
    assert predicate["notVaried"] == {"user": "x"}
    assert predicate["recorded"] == [
        {"step": "rootfs.tree", "outputs": [], "begins": True},
        {"step": "livecd.iso", "outputs": ["node.iso", "x"], "begins": False},
    ]
    fields = {"mode": ["0644", "0755"], "there": ["", "file"]}
    assert predicate["differences"] == [
        {"layer": "rootfs", "path": "/a", "fields": fields, "offset": 0, "bytes": 3},
        {"layer": "iso", "path": "/b", "fields": {}},
    ]


@pytest.mark.parametrize(
    ("found", "recorded", "verdict", "of_record"),
    [
        (SAME, None, "identical", None),
        (SAME, (), "identical", []),
        (OTHERS, None, "different", None),
        (OTHERS, (), "different", []),
        (SAME, (TREE,), "different", [{"step": "rootfs.tree", "outputs": (), "begins": True}]),
    ],
)
def test_the_verdict(found: Comparison, recorded: Sequence[Mismatch] | None, verdict: str, of_record: Any) -> None:
    one = result(found, recorded=recorded, lock=RECORDED)
    predicate = one.statement["predicate"]
    assert (predicate["result"], predicate["recorded"]) == (verdict, of_record)
    assert one.same == (verdict == "identical")

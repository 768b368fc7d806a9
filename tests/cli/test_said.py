"""What commands say of what they have found, word for word: lock, check, diff, init; and manual and licences."""

import io
import json
from dataclasses import replace
from email.message import Message
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest

from assembler.api import CheckedLock, CheckResult, LockResult, MigratedLock
from assembler.audit.compare import Change, Comparison, PackageChange
from assembler.audit.listing import LONGEST
from assembler.carried import NOTICE
from assembler.cli import check as checking
from assembler.cli import lock as locking
from assembler.cli.differences import tell
from assembler.cli.licences import licence
from assembler.cli.main import call
from assembler.cli.manual import page
from assembler.configure.report import ScriptReport
from assembler.errors import AssembleError, Problems
from assembler.lock.changes import changes
from assembler.lockfile.model import SCHEMA
from tests.cli.test_build import current, result
from tests.lockfile.test_toml import LOCK

NONE = changes(LOCK, LOCK)
HELLO, *REST = LOCK.packages
NEWER = replace(HELLO, version="2.10-6", source_version="2.10-6")
OTHER = changes(LOCK, replace(LOCK, packages=(NEWER, *REST)))
PATH = Path("x.lock.toml")


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (LockResult(path=PATH, lock=LOCK, previous=None, changes=OTHER, written=True), ["x.lock.toml"]),
        (
            LockResult(path=PATH, lock=LOCK, previous=LOCK, changes=OTHER, written=True),
            ["x.lock.toml", "hello 2.10-5 -> 2.10-6", "  hello:amd64 2.10-5 -> 2.10-6"],
        ),
        (
            LockResult(path=PATH, lock=LOCK, previous=LOCK, changes=NONE, written=True),
            ["x.lock.toml", "nothing changes"],
        ),
        (LockResult(path=PATH, lock=LOCK, previous=LOCK, changes=NONE, written=False), ["nothing changes"]),
        (
            LockResult(path=PATH, lock=LOCK, previous=None, changes=OTHER, written=False),
            ["hello 2.10-5 -> 2.10-6", "  hello:amd64 2.10-5 -> 2.10-6"],
        ),
    ],
)
def test_a_lock(found: LockResult, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    locking._tell(current(io.StringIO()), found)
    assert capsys.readouterr().out.splitlines() == lines
    stream = io.StringIO()
    locking._tell(current(stream, events=True), found)
    told = result(stream)
    assert sorted(told.pop("changes")) == ["archives", "files", "other", "sources"]  # type: ignore[call-overload]
    assert told == {"lock": "x.lock.toml", "written": found.written, "packages": len(LOCK.packages)}


@pytest.mark.parametrize(("prove", "lines"), [(False, []), (True, ["7 packages proved up to the signatures of {}"])])
def test_a_lock_that_fits(prove: bool, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001  a table
    found = CheckedLock(path=PATH, lock=LOCK, proved=7)
    locking._tell_checked(current(io.StringIO()), found, prove=prove)
    said = [line.format(f"{found.archives} archives") for line in lines]
    assert capsys.readouterr().out.splitlines() == [*said, "x.lock.toml fits the recipe"]
    stream = io.StringIO()
    locking._tell_checked(current(stream, events=True), found, prove=prove)
    assert result(stream) == {"lock": "x.lock.toml", "packages": len(LOCK.packages), "proved": 7}


def test_a_lock_that_is_moved(capsys: pytest.CaptureFixture[str]) -> None:
    moved = MigratedLock(path=PATH, lock=LOCK, schema=3, written=True, left_out=("a", "b"))
    count = len(LOCK.packages)
    locking._tell_migrated(current(io.StringIO()), moved)
    assert capsys.readouterr().out.splitlines() == [
        f"x.lock.toml: from schema 3 to {SCHEMA}, with {count} packages as before",
        "left out: a",
        "left out: b",
    ]
    locking._tell_migrated(current(io.StringIO()), replace(moved, schema=SCHEMA, written=False, left_out=()))
    assert capsys.readouterr().out == f"x.lock.toml is of schema {SCHEMA} already\n"
    stream = io.StringIO()
    locking._tell_migrated(current(stream, events=True), moved)
    assert result(stream) == {"lock": "x.lock.toml", "written": True, "schema": 3, "left_out": ["a", "b"]}


ALONE = "--migrate changes the format of the lock and nothing else"
LOOKS = "--check and --prove only look at the lock"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *((f"{look} {more}", LOOKS) for look in ("--check", "--prove") for more in ("--upgrade", "--diff")),
        ("--prove --upgrade-package a", LOOKS),
        ("--upgrade --upgrade-package a", "--upgrade takes all packages, --upgrade-package some"),
        *((f"--migrate {more}", ALONE) for more in ("--check", "--prove", "--upgrade", "--diff")),
        ("--migrate --upgrade-package a", ALONE),
    ],
)
def test_options_of_lock_that_contradict(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["lock", "none.toml", *arguments.split()]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


SCRIPTS = (
    ScriptReport("zlib", "postinst", "computed"),
    ScriptReport("base", "preinst", "rule", rule="r.toml", reason="because"),
    ScriptReport("base", "triggered", "computed", triggers=("/x", "y")),
    ScriptReport("base", "postrm", "rule", rule="r.toml", reason="so", triggers=("z",)),
    ScriptReport("longer-name", "config", "first boot"),
)


def test_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of packages; how, or why, and by what it is triggered."""
    found = CheckResult(packages=("a", "b", "base"), scripts=SCRIPTS, problems=())
    checking._tell(current(io.StringIO()), found)
    assert capsys.readouterr().out.splitlines() == [
        "base         preinst    rule        r.toml: because",
        "base         triggered  computed    (by /x, y)",
        "base         postrm     rule        r.toml: so (by z)",
        "longer-name  config     first boot",
        "zlib         postinst   computed",
        "3 packages, 3 with scripts: 2 computed, 1 first boot, 2 rule",
    ]
    stream = io.StringIO()
    checking._tell(current(stream, events=True), found)
    told: dict[str, Any] = result(stream)
    assert told["packages"] == ["a", "b", "base"]
    assert told["scripts"][4] == {"package": "longer-name", "script": "config", "handling": "first boot"}
    assert told["scripts"][2]["triggers"] == ["/x", "y"]


def test_scripts_that_stop_a_build(capsys: pytest.CaptureFixture[str]) -> None:
    found = CheckResult(packages=("a",), scripts=(), problems=(AssembleError("read it"),))
    with pytest.raises(Problems, match="read it"):
        checking._tell(current(io.StringIO()), found)
    assert capsys.readouterr().out == "1 packages, 0 with scripts: \n"


def test_differences(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * (LONGEST + 1)
    found = Comparison(
        changes=(
            Change(layer="rootfs", path="/a", package="p", fields={"mode": ("0644", "")}, offset=0, bytes=3),
            Change(layer="iso", path="/b", package="", fields={"xattrs": ("", long)}),
        ),
        packages=(
            PackageChange(name="p", architecture="amd64", old="1", new="2"),
            PackageChange(name="q", architecture="all", old="", new="2"),
            PackageChange(name="r", architecture="all", old="1", new=""),
        ),
        lock=OTHER,
    )
    tell(current(io.StringIO()), found, {"/b": "one\ntwo"})
    assert capsys.readouterr().out.splitlines() == [
        "lock: hello 2.10-5 -> 2.10-6",
        "lock:   hello:amd64 2.10-5 -> 2.10-6",
        "package p:amd64: 1 -> 2",
        "package q:all: none -> 2",
        "package r:all: 1 -> none",
        "rootfs: /a (p)",
        "  bytes: from 0 on; 3 differ",
        "  mode: 0644 -> none",
        "iso: /b",
        f"  xattrs: none -> {'x' * LONGEST}... ({LONGEST + 1} characters)",
        "  one",
        "  two",
    ]


def test_directories_that_differ_or_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status says it, and the page is named where it is."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        Path(name).mkdir()
        (Path(name) / "f").write_text(name)
    assert call(["diff", "a", "a"]) == 0
    assert capsys.readouterr() == ("", "")
    assert call(["diff", "a", "b", "--html", "page.html"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("file: f\n  bytes: from 0 on; 1 differ\n  content: ca978112")
    assert err == "wrote page.html\n"
    assert Path("page.html").read_text().startswith("<!doctype html>")
    for arguments, differ, html in ((["a", "a"], False, ""), (["a", "b", "--html", "page.html"], True, "page.html")):
        assert call(["diff", *arguments, "--json"]) == differ
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (told["event"], told["differ"], told["html"]) == ("result", differ, html)
        assert (told["packages"], told["diffoscope"]) == ([], {})
        assert [change["path"] for change in told["changes"]] == ["f"] * differ


NEXT = [
    "  assemble node.toml    # builds it into out/, and writes its lock: commit both recipe and lock",
    "  assemble run          # starts it in QEMU",
]


@pytest.mark.parametrize(("arguments", "way"), [([], []), (["."], []), (["a b"], ["  cd 'a b'"]), (["a/.."], [])])
def test_a_recipe_to_begin_with(
    arguments: list[str],
    way: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    assert call(["init", *arguments]) == 0
    out, err = capsys.readouterr()
    files, _, rest = out.partition("\n\n")
    assert {Path(line) for line in files.splitlines()} == {
        Path(*arguments, name) for name in ("node.toml", "user-data", ".gitignore")
    }
    assert all(path.exists() for path in map(Path, files.splitlines()))
    assert (rest.splitlines(), err) == (["Change what you like, then:", "", *way, *NEXT], "")
    (tmp_path / "more").mkdir()
    assert call(["init", "more", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told.pop("files")) == {"more/node.toml", "more/user-data", "more/.gitignore"}
    assert told == {"event": "result"}


def test_on_which_terms_it_goes_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A notice, and every distribution by name; nothing is built, whatever else is said."""
    assert call(["--licences"]) == 0
    out, err = capsys.readouterr()
    notice = NOTICE.read_text("utf-8")
    assert out.startswith(notice)
    names = out.removeprefix(notice).strip().splitlines()
    assert names == sorted(names, key=lambda line: line.partition(":")[0].lower())
    assert [line for line in names if line.startswith(f"click {version('click')}: ")]
    assert err == ""
    assert call(["--help"]) == 0
    assert notice not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([("License-Expression", "MIT"), ("License", "x"), ("Classifier", "License :: OSI Approved :: BSD")], "MIT"),
        ([("Classifier", "License :: A :: B"), ("Classifier", "Topic :: X"), ("Classifier", "License :: C")], "B; C"),
        ([("License", "Do  what\n you like")], "Do what you like"),
        ([("Classifier", "Topic :: X")], "?"),
        ([], "?"),
    ],
)
def test_the_licence_of_a_distribution(fields: list[tuple[str, str]], said: str) -> None:
    about = Message()
    for name, value in fields:
        about[name] = value
    assert licence(about) == said


def test_a_manual_of_other_commands() -> None:
    """The main form's own options, then each command that is not hidden, and text that has its own lines as it is."""
    group = click.Group(
        "x", help="Do it.\n\nMore.", epilog=" The end.\n", context_settings={"help_option_names": ["--help"]}
    )
    for name, options in (("build", ["--main"]), ("seen", ["--own", "--unseen"]), ("unseen", [])):
        params = [click.Option([each], help=f"Means {each[2:]}.", hidden=each == "--unseen") for each in options]
        group.add_command(click.Command(name, params=list(params), help="Does.\n\n\b\na\n .b", hidden=name == "unseen"))
    text = page(group, group.commands["build"])
    assert text.startswith('.TH ASSEMBLE 1 "" "assembler ')
    assert "\n.SH NAME\nassemble \\- do it\n.SH SYNOPSIS\n" in text
    assert "\n.SH DESCRIPTION\nMore.\n.PP\nDoes.\n.PP\n.nf\na\n .b\n.fi\n.PP\nThe end.\n.SH OPTIONS\n" in text
    assert text.count(".B \\-\\-main") == text.count(".B \\-\\-own") == text.count(".B \\-\\-help") == 1
    assert [line for line in text.splitlines() if line.startswith(".SS")] == [".SS assemble seen [OPTIONS]"]
    assert "unseen" not in text
    assert text.index("\n.SH EXIT STATUS\n") < text.index("\n.SH ENVIRONMENT\n") < text.index("\n.SH FILES\n")
    assert text.endswith("\n")

"""What commands have around their work: who tells of progress, and what options and environment come to."""

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assembler.cli import environment
from assembler.cli.debug import debugging
from assembler.cli.main import _wants_events, silence_libraries
from assembler.cli.progress import Base, JsonReporter, LineReporter, TerminalReporter
from assembler.cli.session import Session, session
from assembler.machine import processors
from assembler.recipe.given import Arguments
from assembler.store.objects import PATIENCE
from assembler.store.routes import NO_ROUTES

PLAIN: dict[str, Any] = {"as_json": False, "quiet": False, "verbose": False}


class Screen(io.StringIO):
    """A terminal, as far as it says so."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "ASSEMBLE_CONFIG", "ASSEMBLE_MIRROR", "ASSEMBLE_LOCK_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TERM", "xterm")


def said(reporter: Base, stream: io.StringIO) -> str:
    """What is shown of a step, and of a warning."""
    stream.truncate(0)
    stream.seek(0)
    with reporter.step("x") as step:
        step.note("y")
    reporter.warn("z")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("options", "term", "kind"),
    [
        ({}, "xterm", TerminalReporter),
        ({"verbose": True}, "xterm", TerminalReporter),
        ({"quiet": True}, "xterm", LineReporter),
        ({"debug": True}, "xterm", LineReporter),
        ({}, "dumb", LineReporter),
        ({"as_json": True}, "xterm", JsonReporter),
        ({"as_json": True, "quiet": True}, "dumb", JsonReporter),
    ],
)
def test_who_tells_of_progress_on_a_terminal(
    options: dict[str, bool], term: str, kind: type[Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", Screen())
    with session(**PLAIN | options) as current:
        assert type(current.reporter) is kind
        assert current.json == options.get("as_json", False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with session(**PLAIN | options) as current:
        assert type(current.reporter) is (kind if kind is JsonReporter else LineReporter), "and not on one"


@pytest.mark.parametrize(
    ("environ", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "", "FORCE_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_of_lines(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool, coloured: bool
) -> None:
    for name, value in {**environ, "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    stream = Screen() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with session(**PLAIN) as current:
        assert ("\x1b[" in said(current.reporter, stream)) == coloured


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, ["x ...", "x: done, 0.0 s", "warning: z"]),
        ({"verbose": True}, ["x ...", "x: y", "x: done, 0.0 s", "warning: z"]),
        ({"quiet": True}, ["warning: z"]),
    ],
)
def test_how_much_is_told(options: dict[str, bool], lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with session(**PLAIN | options) as current:
        assert said(current.reporter, stream).splitlines() == lines


def test_what_options_and_environment_come_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with session(**PLAIN) as current:
        found = current.workspace()
        assert (found.store, found.trust_store, found.jobs) == (tmp_path / "store", False, processors())
        assert (found.offline, found.mirror, found.snapshots) == (False, "", ())
        assert found.patience == PATIENCE
        assert found.routes() == NO_ROUTES
        assert found.reporter is current.reporter
        assert (current.project, current.allow_read, current.hidden) == (None, (), set())
    for name, value in {
        "ASSEMBLE_MIRROR": "https://m/",
        "ASSEMBLE_SNAPSHOT": "https://a/  https://b/",
        "ASSEMBLE_LOCK_TIMEOUT": "7",
        "PATH": "/p:q:/r",
    }.items():
        monkeypatch.setenv(name, value)
    options = {"store": Path("here"), "trust_store": True, "jobs": 3, "project": Path("p"), "allow_read": [Path("r")]}
    with session(**PLAIN | options) as current:
        found = current.workspace(offline=True)
        assert (found.store, found.trust_store, found.jobs) == (tmp_path / "here", True, 3)
        assert (found.offline, found.mirror, found.snapshots) == (True, "https://m/", ("https://a/", "https://b/"))
        assert (found.patience, found.search) == (7.0, "/p:/r")
        recipe = current.recipe(Path("x.toml"), {"A": "1"})
        assert (recipe.path, recipe.args, recipe.project, recipe.allow_read) == (
            Path("x.toml"), {"A": "1"}, Path("p"), (Path("r"),),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", PATIENCE),
        ("0", 0),
        ("3600", 3600),
        ("9" * 9, 999_999_999),
        ("9" * 10, None),
        ("x", None),
        ("-1", None),
        ("²", None),
        ("1.5", None),
    ],
)
def test_seconds(text: str, seconds: float | None) -> None:
    environ = {"HOME": "/h", "ASSEMBLE_LOCK_TIMEOUT": text}
    if seconds is not None:
        assert environment.read(environ=environ).lock_timeout == seconds
        return
    with pytest.raises(Exception, match="ASSEMBLE_LOCK_TIMEOUT is not a number of seconds") as caught:
        environment.read(environ=environ)
    assert getattr(caught.value, "why", "") == text


@pytest.mark.parametrize(
    ("environ", "path", "required"),
    [
        ({"ASSEMBLE_CONFIG": "c.toml", "HOME": "/h"}, "c.toml", True),
        ({"HOME": "/h"}, "/h/.config/assembler/config.toml", False),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/assembler/config.toml", False),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "x"}, "/h/.config/assembler/config.toml", False),
        ({"HOME": "h"}, "", False),
        ({}, "", False),
    ],
)
def test_where_the_configuration_is(environ: dict[str, str], path: str, required: bool) -> None:  # noqa: FBT001  a table
    found = environment.read(Path("s"), environ)
    assert (found.configuration, found.configured) == (Path(path) if path else None, required)


def test_secrets_are_hidden_as_soon_as_they_are_known(tmp_path: Path) -> None:
    """Values of arguments from files, and the logins of the configuration; what is on the command line is not."""
    path = tmp_path / "config/assembler/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[login.'https://m/']\nuser = 'robot'\npassword_env = 'P'\n[login.'https://t/']\ntoken_env = 'T'\n")
    args = Arguments({"OPEN": "seen", "CLOSED": "secret"})
    args.open = frozenset(["OPEN"])
    values = {"HOME": "/h", "XDG_CONFIG_HOME": str(tmp_path / "config"), "P": "hunter2", "T": "t0ken"}
    settings = environment.read(tmp_path, values)
    current = Session(settings=settings, reporter=LineReporter(io.StringIO()), json=False)
    current.recipe(Path("x"), args)
    assert current.hidden == {"secret"}
    current.workspace().routes()
    assert {"secret", "hunter2", "t0ken"} < current.hidden
    assert not {"", "robot", "seen"} & current.hidden
    assert "hunter2" not in repr(current)
    plain = Session(settings=settings, reporter=LineReporter(io.StringIO()), json=False)
    plain.recipe(Path("x"), {"A": "given"})
    assert plain.hidden == set(), "arguments that are only values"


@pytest.fixture
def package() -> Iterator[logging.Logger]:
    logger = logging.getLogger("assembler")
    level, handlers = logger.level, list(logger.handlers)
    yield logger
    assert (logger.level, logger.handlers) == (level, handlers)


def test_logging_within_and_after(package: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    hidden = {"hunter2"}
    log = logging.getLogger("assembler.store.x")
    with debugging(hidden, wanted=False):
        log.debug("nobody wants it")
    assert capsys.readouterr() == ("", "")
    with debugging(hidden, wanted=True):
        log.debug("it is %s\x1b[2J", "hunter2")
        hidden.add("correct-horse")
        log.debug("and correct-horse")
        assert package.isEnabledFor(logging.DEBUG)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("debug: store.x: it is ")
    assert first.endswith(r"\x1b[2J")
    assert second.startswith("debug: store.x: and ")
    assert not {"hunter2", "correct-horse"} & set(err.split())
    log.debug("after")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("asked", "shown"), [([], []), (["default"], ["a library's"])])
def test_warnings_of_libraries_are_for_those_who_ask(
    asked: list[str], shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", asked)
    handlers = list(logging.getLogger().handlers)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            silence_libraries()
            warnings.warn("a library's", stacklevel=1)
        assert [str(each.message) for each in caught] == shown
        (added,) = (each for each in logging.getLogger().handlers if each not in handlers)
        assert isinstance(added, logging.NullHandler)
    finally:
        logging.getLogger().handlers[:] = handlers


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], False),
        (["x.toml", "--json"], True),
        (["x.toml", "--", "--json"], False),
        (["--json", "--", "x"], True),
        (["lock", "--jsons"], False),
    ],
)
def test_who_wants_events(arguments: list[str], wanted: bool) -> None:  # noqa: FBT001  a table
    assert _wants_events(arguments) == wanted


def test_results_are_for_people_or_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    settings = environment.read(Path("s"), {})
    for events in (False, True):
        current = Session(settings=settings, reporter=LineReporter(io.StringIO()), json=events)
        current.say("a")
        current.quote("b\nc")
        current.show(json.dumps({"d": "##é\u202e"}, indent=1, ensure_ascii=False))
        shown = ["a", "  b", "  c", "{", ' "d": "#\\u0023é\\u202e"', "}"]
        assert capsys.readouterr().out.splitlines() == ([] if events else shown)

"""Nothing that a stranger writes is obeyed by the terminal or the CI service that shows it."""

import contextlib
import io
import json
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from assembler.api.run import _Lines
from assembler.cli import environment, rendering
from assembler.cli.main import call
from assembler.cli.progress import Base, JsonReporter, LineReporter
from assembler.cli.session import Session
from assembler.errors import AssembleError, Place, Problems
from assembler.printable import printable
from tests.cli.test_progress import in_terminal
from tests.debian.archives import source
from tests.support.tool_source import take_tools_from

HOSTILE = (
    "\x1b]0;title\x07\x1b[2J\n::error file=x::written by a stranger\r\n##[add-path]/tmp\u202e\x9b1m\u2028::stop",
    "::set-env name=A::b",
    "  ::set-env name=A::b",
    "##vso[task.setvariable variable=a]b",
    "\udc9b\udc1b\x7f",
)
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]|^\s*::|##\w*\[", re.MULTILINE)
"""Anything but plain text and our own line feeds."""


@pytest.mark.parametrize("raw", HOSTILE)
def test_every_part_of_an_error(raw: str) -> None:
    where = Place(file=raw, line=1, key=raw, package=raw, path=raw)
    error = AssembleError(raw, where=where, why=raw, hint=raw, details=[raw, f"x\n{raw}"])
    short = AssembleError(raw, where=where, why=raw, hint=raw)
    for one in (error, short, Problems([error, short, AssembleError(raw), AssembleError(raw, where=Place(file=":"))])):
        shown = click.unstyle(rendering.text(one))
        assert not OBEYED.search(shown)
        # Only details have lines of their own, and a mark before each.
        ours = ("error: ", "  at: ", "  because: ", "  hint: ", "  | ", "4 errors")
        begins = printable(raw)[:6], printable("::")
        assert all(line.startswith((*ours, *begins)) for line in shown.split("\n"))


def work(reporter: Base, raw: str) -> None:
    with reporter.step(raw, total=10, unit="B") as step:
        step.note(raw)
        step.advance(5)
    reporter.info(raw)
    reporter.warn(raw)


@pytest.mark.parametrize("raw", HOSTILE)
def test_lines(raw: str) -> None:
    stream = io.StringIO()
    clock = iter(range(0, 1000, 10)).__next__
    work(LineReporter(stream, verbose=True, clock=clock), raw)
    assert not OBEYED.search(stream.getvalue())
    assert len(stream.getvalue().splitlines()) == 7


@pytest.mark.parametrize("raw", HOSTILE)
def test_events_stay_json(raw: str) -> None:
    stream = io.StringIO()
    reporter = JsonReporter(stream)
    work(reporter, raw)
    reporter.error(AssembleError(raw, details=[raw]))
    reporter.result({raw: raw})
    assert not OBEYED.search(stream.getvalue())
    found = [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]
    assert found[0]["step"] == found[-3]["text"] == found[-2]["what"] == found[-1][raw] == raw


BARS = """
import time
from rich.console import Console
from assembler.cli.progress import TerminalReporter
from tests.cli.test_printed import HOSTILE, work
for raw in HOSTILE:
    with TerminalReporter(Console(stderr=True), verbose=True) as reporter:
        work(reporter, raw)
        with reporter.step(raw, total=2) as step:
            step.note(raw)
            step.advance()
            time.sleep(0.2)
"""


def test_bars_on_a_terminal() -> None:
    output = in_terminal("-P", "-c", BARS)
    assert r"\x1b]0;title\x07" in output
    # Rich moves the cursor, hides it and sets colours; anything else came from a stranger.
    text = re.sub(r"\x1b\[(?:[0-9;]*m|\d*[AK]|\?25[lh])", "", output).replace("\r", "\n")
    assert not OBEYED.search(text)


@pytest.mark.parametrize("raw", HOSTILE)
def test_results(raw: str, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(settings=environment.read(Path("s"), {}), reporter=LineReporter(io.StringIO()), json=False)
    session.say(raw)
    session.quote(raw)
    said = capsys.readouterr().out
    assert not OBEYED.search(said)
    document = {"name": raw, "list": [raw]}
    session.show(json.dumps(document, indent=2, ensure_ascii=raw.isprintable()).replace("\n", "\r\n\t"))
    shown = capsys.readouterr().out
    assert not OBEYED.search(shown)
    assert json.loads(shown) == document


def test_a_console() -> None:
    shown: list[str] = []
    lines = _Lines(shown.append)
    for piece in ("[  OK  ] up\r\n::err", "or::x\r\n\r", "\tlog\x07in:\r\n", "y" * 5000, "\nlogin: "):
        lines.feed(piece)
    lines.end()
    lines.end()
    assert shown == ["[  OK  ] up", r"\x3a:error::x", r"        log\x07in:", "y" * 4096, "y" * 904, "login: "]


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that sends the same bytes to everybody; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("options", [(), ("--json",), ("-q",), ("-v",)])
def test_the_status_line_of_a_mirror(
    options: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("ASSEMBLE_MIRROR", raising=False)
    monkeypatch.chdir(tmp_path)
    phrase = b"\x1b]0;title\x07\x1b[2J ##[error]\xc2\x9b1m\xff"
    with answering(b"HTTP/1.1 451 " + phrase + b"\r\nContent-Length: 0\r\n\r\n") as port:
        take_tools_from(source(uris=f"http://127.0.0.1:{port}/debian"), tmp_path, monkeypatch)
        recipe = f"name = 'x'\n[debian]\nsources = '''\n{source(uris=f'http://127.0.0.1:{port}/debian')}'''\n"
        Path("r.toml").write_text(recipe)
        assert call(["lock", "r.toml", *options]) == 1
    said = capsys.readouterr()
    assert "451" in said.err
    assert not OBEYED.search(said.out + said.err)


def test_names_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """CI expands ``*.toml`` to names that somebody else chose."""
    for raw in HOSTILE:
        for arguments in (["check", raw], ["verify", raw], [raw], ["lock", "x", f"--{raw}"], [f"./{raw}.toml"]):
            assert call(arguments) != 0
            assert not OBEYED.search(re.sub(r"\x1b\[\d*m", "", capsys.readouterr().err)), arguments


def test_libraries_say_nothing() -> None:
    program = (
        "import logging, warnings; from assembler.cli import main; main.silence_libraries();"
        r"logging.getLogger('urllib3.x').warning('\x1b[2J'); logging.error('\x1b[2J'); warnings.warn('\x1b[2J')"
    )
    assert in_terminal("-P", "-c", program) == ""


def test_there_is_no_other_way_out() -> None:
    """Whoever adds one decides here whether strangers' text comes along."""
    ways = re.compile(
        r"click\.s?echo\(|(?<![\w.])(?<!def )print\(|sys\.__?std(?:out|err)|sys\.std(?:out|err)(?!\.isatty)|os\.write\("
    )
    package = Path(rendering.__file__).parent.parent
    found = {}
    for path in package.rglob("*.py"):
        if count := len(ways.findall(path.read_text("utf-8"))):
            found[path.relative_to(package).as_posix()] = count
    assert found == {
        "cli/completion.py": 1,  # a script of our own; what it is answered goes through format_completion
        "cli/manual.py": 1,  # a text of our own
        "cli/licences.py": 2,  # files of our own; names and terms, by printable
        "cli/main.py": 4,  # wrong usage and errors, by printable; events, in two places; flushing
        "cli/progress.py": 1,  # lines, by printable
        "cli/debug.py": 1,  # what is logged, by printable
        "cli/run.py": 1,  # a guest's console, by printable_lines
        "cli/schema.py": 1,  # a text of our own
        "cli/show.py": 1,  # a recipe as TOML, whose strings are escaped where they are not printable
        "layers/byte_code.py": 1,  # of a program that tools run, which writes to us
        "cli/session.py": 4,  # results, by printable; documents; the streams of the reporters above
    }

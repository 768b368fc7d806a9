"""Reporters: lines, events, and bars on a real terminal."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest

from assembler.cli.progress import Base, JsonReporter, LineReporter, TerminalReporter, amount, duration
from assembler.errors import AssembleError, Place, Problems
from assembler.progress import Reporter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(reporter: Reporter, clock: Clock) -> None:
    with reporter.step("solve") as step:
        step.advance()
        clock.now += 0.25
        raise RuntimeError


def work(reporter: Reporter, clock: Clock) -> None:
    with reporter.step("download", total=10_000_000, unit="B") as step:
        step.note("mc.deb")
        for _ in range(20):
            clock.now += 1
            step.advance(500_000)
    reporter.info("kept")
    # What is found twice is told once.
    reporter.warn("careful")
    reporter.warn("careful")
    with pytest.raises(RuntimeError):
        fail(reporter, clock)


@pytest.mark.parametrize(
    ("count", "unit", "text"),
    [
        (0, "B", "0 B"),
        (999, "B", "999 B"),
        (999.4, "B", "999 B"),
        (999.5, "B", "1.0 kB"),
        (999_499, "B", "999.5 kB"),
        (999_500, "B", "1.0 MB"),
        (0, "items", "0"),
        (1000, "B", "1.0 kB"),
        (154_900_000, "B", "154.9 MB"),
        (999_999, "B", "1.0 MB"),
        (5_000_000_000_000, "B", "5000.0 GB"),
        (1000, "items", "1000"),
    ],
)
def test_amounts(count: int, unit: Any, text: str) -> None:
    assert amount(count, unit) == text


def test_durations() -> None:
    assert [duration(value) for value in (0, 0.44, 59.94, 60, 125.9)] == [
        "0.0 s",
        "0.4 s",
        "59.9 s",
        "1:00 min",
        "2:05 min",
    ]


# --- lines -------------------------------------------------------------------------------------------------------


def lines(clock: Clock, **options: bool) -> list[str]:
    stream = io.StringIO()
    work(LineReporter(stream, clock=clock, **options), clock)
    return stream.getvalue().splitlines()


def test_lines(clock: Clock) -> None:
    assert lines(clock) == [
        "download: 10.0 MB ...",
        "download: 2.5 MB of 10.0 MB, 25 %, mc.deb",
        "download: 5.0 MB of 10.0 MB, 50 %, mc.deb",
        "download: 7.5 MB of 10.0 MB, 75 %, mc.deb",
        "download: 10.0 MB of 10.0 MB, 100 %, mc.deb",
        "download: done, 10.0 MB in 20.0 s",
        "kept",
        "warning: careful",
        "solve ...",
        "solve: failed, 0.2 s",
    ]


def test_quiet_lines(clock: Clock) -> None:
    assert lines(clock, quiet=True) == ["warning: careful"]


def test_verbose_lines(clock: Clock) -> None:
    assert "download: mc.deb" in lines(clock, verbose=True)


def test_colour_of_lines(clock: Clock) -> None:
    (warning,) = [line for line in lines(clock, color=True) if "careful" in line]
    assert warning != click.unstyle(warning) == "warning: careful"


@pytest.mark.parametrize(
    ("total", "unit", "done", "shown"),
    [
        (4, "items", 3, ["x: 4 ...", "x: 3 of 4, 75 %", "x: done, 3 in 5.0 s"]),
        (3, "items", 2, ["x: 3 ...", "x: 2 of 3, 66 %", "x: done, 2 in 5.0 s"]),
        (0, "items", 3, ["x ...", "x: 3", "x: done, 3 in 5.0 s"]),
        (0, "items", 0, ["x ...", "x: 0", "x: done, 5.0 s"]),
        (4, "steps", 3, ["x ...", "x: 3 of 4, 75 %", "x: done, 5.0 s"]),
        (0, "B", 1500, ["x ...", "x: 1.5 kB", "x: done, 1.5 kB in 5.0 s"]),
    ],
)
def test_lines_of_every_kind_of_step(clock: Clock, total: int, unit: Any, done: int, shown: list[str]) -> None:
    stream = io.StringIO()
    with LineReporter(stream, clock=clock).step("x", total=total, unit=unit) as step:
        clock.now += 4.99
        step.advance(done)
        assert stream.getvalue().count("\n") == 1, "not before five seconds"
        clock.now += 0.01
        step.advance(0)
        step.advance(0)
    step.advance()
    clock.now += 10
    step.advance()
    assert stream.getvalue().splitlines() == shown, "and nothing after its end"


# --- events ------------------------------------------------------------------------------------------------------


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_events(clock: Clock) -> None:
    stream = io.StringIO()
    reporter = JsonReporter(stream, clock)
    work(reporter, clock)
    reporter.result({"files": []})
    found = events(stream)
    assert found[0] == {"event": "start", "id": 1, "step": "download", "total": 10_000_000, "unit": "B"}
    assert found[1] == {
        "event": "progress",
        "id": 1,
        "step": "download",
        "done": 500_000,
        "total": 10_000_000,
        "unit": "B",
        "note": "mc.deb",
    }
    end = {"event": "end", "id": 1, "step": "download", "done": 10_000_000, "unit": "B", "seconds": 20.0, "ok": True}
    assert found[21:] == [
        end,
        {"event": "info", "text": "kept"},
        {"event": "warning", "text": "careful"},
        {"event": "start", "id": 2, "step": "solve", "total": 0, "unit": "steps"},
        {"event": "end", "id": 2, "step": "solve", "done": 1, "unit": "steps", "seconds": 0.25, "ok": False},
        {"event": "result", "files": []},
    ]


def test_error_events(clock: Clock) -> None:
    stream = io.StringIO()
    one = AssembleError("a", where=Place(file="f", line=1), why="b", hint="c", details=["d", "e\udcff"])
    JsonReporter(stream, clock).error(Problems([one, AssembleError("z")]))
    assert events(stream) == [
        {
            "event": "error",
            "what": "a",
            "why": "b",
            "hint": "c",
            "details": ["d", "e\udcff"],
            "where": {"file": "f", "line": 1},
        },
        {"event": "error", "what": "z", "why": "", "hint": "", "details": [], "where": {}},
    ]
    assert stream.getvalue().isascii()


def test_events_are_not_more_than_two_a_second(clock: Clock) -> None:
    stream = io.StringIO()
    with JsonReporter(stream, clock).step("s", total=1000) as step:
        for _ in range(1000):
            clock.now += 0.01
            step.advance()
    assert sum(event["event"] == "progress" for event in events(stream)) <= 20


def test_times_of_events(clock: Clock) -> None:
    """Half a second between two, and thousandths of it at the end."""
    stream = io.StringIO()
    with JsonReporter(stream, clock).step("s") as step:
        for more, shown in ((0.4375, 0), (0.0625, 1), (0.4375, 1), (0.0625, 2)):
            clock.now += more
            step.advance()
            assert len(events(stream)) == 1 + shown
        clock.now += 1 / 3
    assert events(stream)[-1]["seconds"] == 1.333


def test_sizes_beside_bars() -> None:
    for total, unit, done, shown in (
        (0, "B", 0, ""), (0, "B", 1500, "1.5 kB"), (2000, "B", 0, "0 B of 2.0 kB"), (4, "items", 1, "1 of 4"),
    ):  # fmt: skip
        step = Base().step("x", total=total, unit=unit)  # type: ignore[arg-type]  # of a table
        step.advance(done)
        assert TerminalReporter._size(step) == shown


@pytest.mark.parametrize("make", [LineReporter, JsonReporter])
def test_threads(make: type[LineReporter] | type[JsonReporter], clock: Clock) -> None:
    """Steps of many threads at once: nothing is lost, and no line is torn."""
    stream = io.StringIO()
    reporter = make(stream, clock=clock)

    def run(number: int) -> None:
        with reporter.step(f"s{number}", total=200, unit="items") as step:
            for _ in range(200):
                step.advance()
                shared.advance()
            reporter.info("x" * 50)

    with reporter.step("shared", total=1600, unit="items") as shared:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if make is JsonReporter:
        found = events(stream)
        assert {event["id"] for event in found if event["event"] == "end"} == set(range(1, 10))
        assert found[-1]["done"] == 1600
    else:
        found_lines = stream.getvalue().splitlines()
        assert found_lines[-1] == "shared: done, 1600 in 0.0 s"
        assert sum(line == "x" * 50 for line in found_lines) == 8


# --- a terminal --------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, time
from rich.console import Console
from assembler.cli.progress import TerminalReporter
with TerminalReporter(Console(stderr=True), verbose="-v" in sys.argv) as reporter:
    with reporter.step("download", total=2_000_000, unit="B") as step:
        step.note("[bold]mc.deb")
        with reporter.step("unpack", total=4, unit="items") as inner:
            for _ in range(4):
                inner.advance()
                step.advance(500_000)
                time.sleep(0.15)
    reporter.info("between steps " + "x" * 100)
    reporter.warn("careful [red]")
    try:
        with reporter.step("squashfs", unit="B") as step:
            step.advance(3000)
            time.sleep(0.2)
            raise RuntimeError
    except RuntimeError:
        pass
"""


def in_terminal(*arguments: str, encoding: str = "utf-8", term: str = "xterm") -> str:
    """What a program writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "TERM": term, "COLUMNS": "80", "LINES": "24", "HOME": "/"}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    os.close(theirs)
    output = b""
    try:
        while data := os.read(ours, 1 << 16):
            output += data
    except OSError:  # EIO: the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, output.decode(encoding)
    return output.decode(encoding)


CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def screen(output: str) -> list[str]:
    """What stands on the terminal (and has scrolled off it) after `output`: cursor up, erase line, CR and LF count."""
    rows = [""]
    row = column = 0
    for match in re.finditer(r"\x1b\[([0-9;?]*)([A-Za-z])|([^\x1b\r\n]+)|\r|\n", output):
        number, code, text = match.groups()
        if code == "A":
            row -= int(number or 1)
        elif code == "K":
            assert number == "2"
            rows[row] = ""
        elif text:
            rows[row] = rows[row][:column].ljust(column) + text + rows[row][column + len(text) :]
            column += len(text)
        elif match[0] == "\r":
            column = 0
        elif match[0] == "\n":
            row += 1
            rows += [""] * (row == len(rows))
    return rows


def test_bars_on_a_terminal() -> None:
    output = in_terminal("-c", PROGRAM)
    text = CONTROL.sub("", output)
    # Bars while it runs,
    assert "━" in text
    assert re.search(r"download .* of 2\.0 MB", text)
    assert "[bold]mc.deb" in text
    # then one line for each step that has ended, however it ended, and nothing else; no line is wrapped, no text is
    # taken for markup,
    assert [re.sub(r"\d\.\d s", "? s", line) for line in screen(output)] == [
        "✓ unpack       4 in ? s",
        "✓ download     2.0 MB in ? s",
        "between steps " + "x" * 100,
        "warning: careful [red]",
        "✗ squashfs     3.0 kB in ? s",
        "",
    ]
    # and a cursor that is visible.
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")


def test_notes_on_a_terminal() -> None:
    assert screen(in_terminal("-c", PROGRAM, "-v"))[0] == "  download: [bold]mc.deb"


def test_terminal_without_unicode() -> None:
    rows = screen(in_terminal("-c", PROGRAM, encoding="ascii"))
    assert rows[0].startswith("+ unpack")
    assert rows[4].startswith("x squashfs")

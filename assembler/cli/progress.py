"""Reporters: bars on a terminal, lines elsewhere, JSON events for programs. All are safe for threads.

A JSON event is one object a line on standard output:

    {"event": "start", "id": 1, "step": "download", "total": 1048576, "unit": "B"}
    {"event": "progress", "id": 1, "step": "download", "done": 524288, "total": 1048576, "unit": "B", "note": "mc.deb"}
    {"event": "end", "id": 1, "step": "download", "done": 1048576, "unit": "B", "seconds": 0.512, "ok": true}
    {"event": "info", "text": "..."} and {"event": "warning", "text": "..."}
    {"event": "error", "what": "...", "why": "...", "hint": "...", "details": ["..."], "where": {"file": "...", ...}}
    {"event": "result", ...}        what the command made; its keys depend on the command

A command that does not end well ends with error events, whatever the reason: wrong usage, Ctrl-C, a defect, no memory.
They are on standard error when standard output cannot be written.

`total` is 0 when it is unknown; `unit` is B (bytes), items or steps; of `where` only known fields are given. Steps may
overlap. At most two progress events a second come for a step, and its end always comes. Texts are as they came, with
the escapes of JSON; for people, what is not printable is shown as assembler/printable.py does.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

import click

from assembler.errors import AssembleError, Problems
from assembler.printable import printable
from assembler.progress import Unit

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

Clock = Callable[[], float]
"""Seconds since some moment, never going back."""


def amount(count: float, unit: Unit) -> str:
    """A count for people: bytes in decimal multiples, other things as they are."""
    if unit != "B":
        return f"{count:.0f}"
    for name in ("B", "kB", "MB", "GB"):
        if count < 999.5 or name == "GB":
            return f"{count:.0f} {name}" if name == "B" else f"{count:.1f} {name}"
        count /= 1000
    raise AssertionError


def duration(seconds: float) -> str:
    """A time for people: ``0.4 s``, ``12.3 s``, ``2:05 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"


class RunningStep:
    """A step under way, of any reporter; implements :class:`assembler.progress.Step`."""

    def __init__(self, reporter: "Base", name: str, total: int, unit: Unit) -> None:
        self._reporter = reporter
        self.name = name
        self.total = total
        """0 when it is unknown."""
        self.unit: Unit = unit
        self.done = 0
        self.text = ""
        """What it is working on."""
        self.number = 0
        self.start = 0.0
        self.shown = 0.0
        """When its progress was shown last."""
        self.end: float | None = None

    def __enter__(self) -> Self:
        self._reporter.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reporter.leave(self, ok=kind is None)

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units as done."""
        self._reporter.advance(self, amount)

    def note(self, text: str) -> None:
        """Say what is being worked on just now."""
        self._reporter.note(self, text)


class Base:
    """What all reporters share: the books, one lock, and not showing progress more often than is of use."""

    interval = 0.5
    """Seconds between two showings of one step's progress."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._count = 0
        self._warned: set[str] = set()
        """What is told once, however often it is found."""

    # --- as a Reporter ---------------------------------------------------------------------------------------------

    def step(self, name: str, *, total: int = 0, unit: Unit = "steps") -> RunningStep:
        """See :class:`assembler.progress.Reporter`."""
        return RunningStep(self, name, total, unit)

    def info(self, text: str) -> None:
        """See :class:`assembler.progress.Reporter`."""
        with self._lock:
            self._show_info(text)

    def warn(self, text: str) -> None:
        """See :class:`assembler.progress.Reporter`."""
        with self._lock:
            if text not in self._warned:
                self._warned.add(text)
                self._show_warning(text)

    def error(self, error: AssembleError) -> None:
        """Tell programs of the error that ends the command; people are told elsewhere."""

    def result(self, values: dict[str, Any]) -> None:
        """Tell programs what the command made; people are told elsewhere."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    # --- called by steps -------------------------------------------------------------------------------------------

    def enter(self, step: RunningStep) -> None:
        """`step` begins."""
        with self._lock:
            self._count += 1
            step.number = self._count
            step.start = step.shown = self._clock()
            self._show_start(step)

    def leave(self, step: RunningStep, *, ok: bool) -> None:
        """`step` ends; not `ok` when an exception ends it."""
        with self._lock:
            step.end = self._clock()
            self._show_end(step, ok=ok)

    def advance(self, step: RunningStep, amount: int) -> None:
        """`step` has done `amount` more."""
        with self._lock:
            step.done += amount
            self._progress(step)

    def note(self, step: RunningStep, text: str) -> None:
        """`step` works on `text`."""
        with self._lock:
            step.text = text
            self._show_note(step)
            self._progress(step)

    def _progress(self, step: RunningStep) -> None:
        now = self._clock()
        if step.end is None and now - step.shown >= self.interval:
            step.shown = now
            self._show_progress(step)

    # --- for subclasses; the lock is held --------------------------------------------------------------------------

    def _show_start(self, step: RunningStep) -> None: ...

    def _show_progress(self, step: RunningStep) -> None: ...

    def _show_note(self, step: RunningStep) -> None: ...

    def _show_end(self, step: RunningStep, *, ok: bool) -> None: ...

    def _show_info(self, text: str) -> None: ...

    def _show_warning(self, text: str) -> None: ...


def _seconds(step: RunningStep) -> float:
    return (step.start if step.end is None else step.end) - step.start


def _outcome(step: RunningStep) -> str:
    """``154.9 MB in 3.2 s``."""
    size = f"{amount(step.done, step.unit)} in " if step.done and step.unit != "steps" else ""
    return size + duration(_seconds(step))


class LineReporter(Base):
    """Lines on `stream`: the beginning and end of each step, and how far it is every few seconds.

    `quiet` leaves only warnings; `verbose` adds what is worked on.
    """

    interval = 5.0

    def __init__(
        self,
        stream: TextIO,
        *,
        quiet: bool = False,
        verbose: bool = False,
        color: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self._stream = stream
        self._quiet = quiet
        self._verbose = verbose
        self._color = color

    def _line(self, text: str) -> None:
        self._echo(printable(text))

    def _echo(self, text: str) -> None:
        click.echo(text, file=self._stream, color=self._color)

    def _show_start(self, step: RunningStep) -> None:
        if not self._quiet:
            size = f": {amount(step.total, step.unit)}" if step.total and step.unit != "steps" else ""
            self._line(f"{step.name}{size} ...")

    def _show_progress(self, step: RunningStep) -> None:
        if self._quiet:
            return
        text = f"{step.name}: {amount(step.done, step.unit)}"
        if step.total:
            text += f" of {amount(step.total, step.unit)}, {100 * step.done // step.total} %"
        self._line(f"{text}, {step.text}" if step.text else text)

    def _show_note(self, step: RunningStep) -> None:
        if self._verbose:
            self._line(f"{step.name}: {step.text}")

    def _show_end(self, step: RunningStep, *, ok: bool) -> None:
        if not self._quiet:
            self._line(f"{step.name}: {'done, ' if ok else 'failed, '}{_outcome(step)}")

    def _show_info(self, text: str) -> None:
        if not self._quiet:
            self._line(text)

    def _show_warning(self, text: str) -> None:
        self._echo(click.style("warning:", fg="yellow", bold=True) + f" {printable(text)}")


def ascii_json(value: Any) -> str:
    """`value` as one line of JSON that no terminal and no CI service obeys, whatever its strings are."""
    # Surrogates (undecodable file names) become escapes, too; ## begins commands of CI services anywhere in a line.
    return json.dumps(value).replace("\x7f", r"\u007f").replace("##", r"\u0023\u0023")


class JsonReporter(Base):
    """Events on `stream`, as the module describes."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._stream = stream

    def _event(self, name: str, values: dict[str, Any]) -> None:
        line = ascii_json({"event": name, **values})
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def _show_start(self, step: RunningStep) -> None:
        self._event("start", {"id": step.number, "step": step.name, "total": step.total, "unit": step.unit})

    def _show_progress(self, step: RunningStep) -> None:
        values = {"id": step.number, "step": step.name, "done": step.done, "total": step.total, "unit": step.unit}
        self._event("progress", {**values, "note": step.text})

    def _show_end(self, step: RunningStep, *, ok: bool) -> None:
        values = {"id": step.number, "step": step.name, "done": step.done, "unit": step.unit}
        self._event("end", {**values, "seconds": round(_seconds(step), 3), "ok": ok})

    def _show_info(self, text: str) -> None:
        self._event("info", {"text": text})

    def _show_warning(self, text: str) -> None:
        self._event("warning", {"text": text})

    def error(self, error: AssembleError) -> None:
        """An event for each error."""
        for one in error.errors if isinstance(error, Problems) else (error,):
            where = {key: value for key, value in asdict(one.where).items() if value}
            values = {"what": one.what, "why": one.why, "hint": one.hint, "details": list(one.details)}
            self._event("error", {**values, "where": where})

    def result(self, values: dict[str, Any]) -> None:
        """The last event of a command that succeeded."""
        self._event("result", values)


_FRAME = 0.1
"""Seconds between two pictures of moving bars."""


class TerminalReporter(Base):
    """Bars with bytes and steps at the bottom of a terminal, and a line above them for each step that has ended.

    The bars are there while a step is, so that between steps the terminal is as usual.
    """

    interval = 0.05

    def __init__(self, console: "Console", *, verbose: bool = False, clock: Clock = time.monotonic) -> None:
        # A tenth of a second, for terminals only.
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.text import Text  # noqa: PLC0415

        super().__init__(clock)
        self._console = console
        self._verbose = verbose
        utf8 = console.encoding.lower().startswith("utf")
        self._good, self._bad = ("✓", "✗") if utf8 else ("+", "x")
        self._tasks: dict[int, TaskID] = {}
        self._line = Text.assemble
        self._bars = Progress(
            SpinnerColumn("dots" if utf8 else "line"),
            TextColumn("{task.description:<12}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[size]:<20}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False, style="dim"),
            console=console,
            transient=True,
            # A thread of rich's would write between the lines of ours, and erase some of them.
            auto_refresh=False,
        )
        self._stop = threading.Event()
        """Set while no bars are there."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._hide()

    def _show(self) -> None:
        """Have bars from now on, and moving."""
        self._bars.start()
        self._stop = threading.Event()
        threading.Thread(target=self._refresh, args=(self._stop,), daemon=True).start()

    def _hide(self) -> None:
        self._stop.set()
        self._bars.stop()

    def _refresh(self, stop: threading.Event) -> None:
        while not stop.wait(_FRAME):
            with self._lock:
                if not stop.is_set():
                    self._bars.refresh()

    def _print(self, *parts: tuple[str, str]) -> None:
        """A line of texts with their styles above the bars, not cut or wrapped: people copy paths from here."""
        shown = self._line(*((printable(text), style) for text, style in parts))
        self._console.print(shown, highlight=False, soft_wrap=True)

    @staticmethod
    def _size(step: RunningStep) -> str:
        if not step.total:
            return amount(step.done, step.unit) if step.done else ""
        return f"{amount(step.done, step.unit)} of {amount(step.total, step.unit)}"

    def _show_start(self, step: RunningStep) -> None:
        if not self._tasks:
            self._show()
        self._tasks[step.number] = self._bars.add_task(
            printable(step.name), total=step.total or None, size=self._size(step), note=""
        )

    def _show_progress(self, step: RunningStep) -> None:
        task = self._tasks[step.number]
        self._bars.update(task, completed=step.done, size=self._size(step), note=printable(step.text))

    def _show_note(self, step: RunningStep) -> None:
        if self._verbose:
            self._print((f"  {step.name}: {step.text}", "dim"))

    def _show_end(self, step: RunningStep, *, ok: bool) -> None:
        self._bars.remove_task(self._tasks.pop(step.number))
        mark, style = (self._good, "green") if ok else (self._bad, "red")
        self._print((mark, style), (f" {step.name:<12} {_outcome(step)}", ""))
        if not self._tasks:
            self._hide()

    def _show_info(self, text: str) -> None:
        self._print((text, ""))

    def _show_warning(self, text: str) -> None:
        self._print(("warning:", "bold yellow"), (f" {text}", ""))

"""The work of ``assemble diff``."""

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from assembler.audit.compare import Bytes, Change, Comparison, compare
from assembler.audit.listing import shortened
from assembler.audit.report import page
from assembler.cli.session import Session
from assembler.errors import AssembleError, Place
from assembler.lock.changes import describe
from assembler.tools.confinement import Confinement, kill, reach_of, start
from assembler.tools.confinement import tell as tell_weakness

PAIRS = 20
"""Pairs of files that are handed to diffoscope at most."""
LARGEST = 64 << 20
"""Bytes of a file that is handed to it at most."""
PATIENCE = 120
"""Seconds for each."""


def compare_images(current: Session, old: Path, new: Path, html: Path | None, *, diffoscope: bool) -> bool:
    """Tell what differs between `old` and `new`; returns whether anything does."""
    search = current.settings.search
    scope = _Diffoscope(shutil.which("diffoscope", path=search) if diffoscope else None, search)
    if scope.program:
        tell_weakness(current.reporter)
    found = compare(old, new, reporter=current.reporter, pair=scope.look if scope.program else None)
    tell(current, found, scope.said)
    if html is not None:
        try:
            html.write_text(page(found, old, new), "utf-8")
        except OSError as error:
            why = error.strerror or str(error)
            raise AssembleError("the page cannot be written", where=Place(file=str(html)), why=why) from error
        current.reporter.info(f"wrote {html}")
    current.reporter.result(
        {"differ": bool(found), **dataclasses.asdict(found), "diffoscope": scope.said, "html": str(html or "")}
    )
    return bool(found)


def tell(current: Session, found: Comparison, said: Mapping[str, str] = MappingProxyType({})) -> None:
    """Say what differs, for people; `said` is what else is known of paths."""
    for line in describe(found.lock):
        current.say(f"lock: {line}")
    for package in found.packages:
        versions = " -> ".join(version or "none" for version in (package.old, package.new))
        current.say(f"package {package.name}:{package.architecture}: {versions}")
    for change in found.changes:
        for line in _lines(change):
            current.say(line)
        if change.path in said:
            current.quote(said[change.path])


def _lines(change: Change) -> list[str]:
    package = f" ({change.package})" if change.package else ""
    lines = [f"{change.layer}: {change.path}{package}"]
    if change.offset >= 0:
        lines.append(f"  bytes: from {change.offset} on; {change.bytes} differ")
    fields = change.fields.items()
    lines += [f"  {name}: {shortened(old) or 'none'} -> {shortened(new) or 'none'}" for name, (old, new) in fields]
    return lines


class _Diffoscope:
    """Hands pairs of files to diffoscope and keeps what it says."""

    def __init__(self, program: str | None, search: str) -> None:
        self.program = program
        self._search = search
        self.said: dict[str, str] = {}

    def look(self, path: str, old: Bytes, new: Bytes) -> None:
        if self.program is None or len(self.said) >= PAIRS:
            return
        with tempfile.TemporaryDirectory(prefix="assemble-diff-") as directory:
            sides = []
            own = Path(directory) / "tmp"
            own.mkdir()
            for name, read in (("a", old), ("b", new)):
                side = Path(directory) / name / "file"
                side.parent.mkdir()
                if not _written(side, read()):
                    return
                sides.append(str(side))
            try:
                process = start(
                    [self.program, "--no-progress", "--text", "-", *sides],
                    # It gives what is in the images to many a program of the host.
                    Confinement(
                        runs=reach_of(Path(self.program)), reads=(Path(directory),), writes=(own,), attributes=True
                    ),
                    environment={"HOME": str(own), "LC_ALL": "C.UTF-8", "PATH": self._search, "TMPDIR": str(own)},
                    cwd=own,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            except OSError as error:
                self.said[path] = f"diffoscope: {error}"
                return
            try:
                said, complaint = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.said[path] = f"diffoscope: it took more than {PATIENCE} seconds"
            else:
                self.said[path] = (said or complaint).decode("utf-8", "replace")
            finally:
                kill(process)


def _written(path: Path, chunks: Iterator[bytes]) -> bool:
    """Write a file; returns whether it is no larger than what is handed on."""
    left = LARGEST
    with path.open("wb") as out:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                return False
            out.write(chunk)
    return True

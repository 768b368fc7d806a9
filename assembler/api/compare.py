"""Comparing two images, locks or output directories."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assembler.audit.compare import Bytes, Comparison
from assembler.audit.compare import compare as look_at
from assembler.audit.report import page
from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter
from assembler.tools.confinement import Confinement, kill, reach_of, start
from assembler.tools.confinement import tell as tell_weakness

PAIRS = 20
"""Pairs of files that are handed to diffoscope at most."""
LARGEST = 64 << 20
"""Bytes of a file that is handed to it at most."""
PATIENCE = 120
"""Seconds for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """How much is told of a comparison."""

    html: Path | None = None
    """Where to write a page about it; None for none."""
    diffoscope: str = ""
    """Where diffoscope is looked for, as in `PATH`; empty to go without. It opens files that differ with many programs
    of this machine: for images that are trusted."""


_PLAIN = CompareOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareResult:
    """What differs; true when anything does."""

    found: Comparison
    diffoscope: Mapping[str, str] = field(default_factory=dict)
    """What diffoscope said of files, by path."""
    html: Path | None = None
    """The page that was written."""

    def __bool__(self) -> bool:
        return bool(self.found)


def compare(old: Path, new: Path, options: CompareOptions = _PLAIN, *, reporter: Reporter = SILENT) -> CompareResult:
    """Compare `old` with `new`, both images, locks or output directories.

    Raises AssembleError when one of both cannot be looked into, or the page cannot be written.
    """
    search = options.diffoscope
    scope = _Diffoscope(shutil.which("diffoscope", path=search) if search else None, search)
    if scope.program:
        tell_weakness(reporter)
    found = look_at(old, new, reporter=reporter, pair=scope.look if scope.program else None)
    if options.html is not None:
        try:
            options.html.write_text(page(found, old, new), "utf-8")
        except OSError as error:
            why = error.strerror or str(error)
            raise AssembleError("the page cannot be written", where=Place(file=str(options.html)), why=why) from error
    return CompareResult(found=found, diffoscope=scope.said, html=options.html)


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
            with process:  # which closes its pipes
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

"""Runs the readers on changed inputs, each within limits of time and memory, and keeps what is worth keeping.

An input that ends at a place in the code where no other has ended goes into the corpus, and is changed further. One
that ends neither well nor in an AssembleError, or takes more than `SECONDS` or `MEMORY`, is a finding.
"""

import hashlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from assembler.errors import AssembleError
from tests.fuzz.mutation import mutated
from tests.fuzz.seeds import found
from tests.support.tmpfs import tmpfs

SECONDS = 20
"""That an input may take."""
MEMORY = 1 << 30
"""Bytes that an input may take, beyond what the process has before the first."""
_SILENCE = 3 * SECONDS
"""Seconds after which a process that does not even react to its alarm is ended."""
_ROOM = 1 << 30
"""Bytes that a directory for inputs may take; removing directories on a disk takes longer than all else."""
_LARGEST = 1 << 20
"""Bytes of an input that is kept for further changes."""


def _same(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader of the product."""

    run: Callable[[bytes, Path], None]
    """Reads an input; the directory is its own, empty, and may be left as it is. May raise AssembleError, nothing
    else."""
    seeds: Callable[[], Sequence[bytes]]
    """Small inputs that are read well."""
    tokens: Sequence[bytes] = ()
    """Words of the format."""
    repair: Callable[[bytes], bytes] = _same
    """Makes checksums right again, without which nothing behind them would be reached."""
    in_place: bool = False
    """Whether places in the input are to stay where they are."""


class _Slow(BaseException):
    """An input that takes too long."""


@dataclass(slots=True)
class Report:
    """What came of a run."""

    inputs: int = 0
    accepted: int = 0
    kept: int = 0
    """Inputs that are in the corpus."""
    slowest: float = 0.0
    """Seconds of the slowest input."""
    processor: float = 0.0
    """Seconds of processor that the run took."""
    peak: int = 0
    """Bytes of memory that the process had at most."""
    findings: dict[str, int] = field(default_factory=dict)
    """What went wrong, and how often."""

    def add(self, other: "Report") -> None:
        """Count what another process has reported."""
        self.inputs += other.inputs
        self.accepted += other.accepted
        self.kept += other.kept
        self.processor += other.processor
        self.slowest, self.peak = max(self.slowest, other.slowest), max(self.peak, other.peak)
        for what, number in other.findings.items():
            self.findings[what] = self.findings.get(what, 0) + number

    def __str__(self) -> str:
        found = "".join(f"\n  {number} x {what}" for what, number in sorted(self.findings.items()))
        return (
            f"{self.inputs} inputs, {self.accepted} accepted, {self.kept} kept, slowest {self.slowest:.1f} s, "
            f"peak {self.peak >> 20} MiB, {len(self.findings)} findings{found}"
        )


@contextmanager
def limits(memory: int = MEMORY) -> Iterator[None]:
    """The limit of memory is in force."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def attempt(
    run: Callable[[bytes, Path], None], data: bytes, directory: Path, seconds: float = SECONDS
) -> tuple[str, str]:
    """(how it ended, what is wrong): the second is empty unless it is a finding."""

    def too_slow(*_: object) -> None:
        raise _Slow

    before = signal.signal(signal.SIGALRM, too_slow)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        run(data, directory)
    except AssembleError as error:
        return _place(error), ""
    except _Slow as error:
        return "slow", f"more than {seconds} s at {_place(error)}"
    except Exception as error:  # noqa: BLE001  that is what is looked for
        # The text of an error has bytes of the input in it, so the place is what tells two findings apart.
        return "wrong", f"{type(error).__name__} at {_place(error)}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return "accepted", ""


def _place(error: BaseException) -> str:
    """Where in the product's code an error was raised: the last three places, the innermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/assembler/" in frame.filename] or frames[-1:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(own[-3:]))


def fuzz(
    name: str,
    target: Target,
    *,
    seed: int,
    inputs: int | None = None,
    seconds: float | None = None,
    corpus: Path | None = None,
    findings: Path | None = None,
    current: Path | None = None,
) -> Report:
    """Run `target` on `inputs` inputs, or for `seconds` of processor; unchanged seeds come first.

    What is kept is read from and written to `corpus`, samples of findings are written to `findings`, and each input to
    `current` before it is run.
    """
    chance = Random(f"{name} {seed}")  # noqa: S311  not for secrets
    report, places = Report(), set[str]()
    first = [*target.seeds(), *found(name)]
    if corpus is not None:
        corpus.mkdir(parents=True, exist_ok=True)
        first += [path.read_bytes() for path in sorted(corpus.iterdir())]
    kept: list[bytes] = []
    start = time.process_time()
    end = start + seconds if seconds is not None else float("inf")
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-", dir=tmpfs(_ROOM)) as work, limits():
        while (inputs is None or report.inputs < inputs) and time.process_time() < end:
            if report.inputs < len(first):
                data = first[report.inputs]
            else:
                # Seeds are well-formed, so they are changed as often as all else together.
                base, other = (chance.choice(chance.choice((first, kept or first))) for _ in range(2))
                changed = mutated(base, other, chance, tokens=target.tokens, in_place=target.in_place)
                data = target.repair(changed) if chance.randrange(10) else changed
            if current is not None:
                current.write_bytes(data)
            directory = Path(work) / str(report.inputs)
            directory.mkdir()
            began = time.monotonic()
            place, wrong = attempt(target.run, data, directory)
            report.slowest = max(report.slowest, time.monotonic() - began)
            shutil.rmtree(directory)
            report.inputs += 1
            report.accepted += place == "accepted"
            if wrong:
                report.findings[wrong] = report.findings.get(wrong, 0) + 1
                if findings is not None and report.findings[wrong] == 1:
                    keep(findings, data, wrong)
            elif place not in places and len(data) <= _LARGEST:
                places.add(place)
                kept.append(data)
                if corpus is not None:
                    (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    report.kept, report.processor = len(kept), time.process_time() - start
    report.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return report


def keep(directory: Path, data: bytes, wrong: str) -> Path:
    """Write a sample and, beside it, what is wrong; the sample's path."""
    directory.mkdir(parents=True, exist_ok=True)
    sample = directory / hashlib.sha256(wrong.encode()).hexdigest()[:12]
    sample.write_bytes(data)
    sample.with_suffix(".txt").write_text(wrong + "\n", "utf-8")
    return sample


def supervised(
    name: str, seconds: float, *, seed: int, corpus: Path, findings: Path, command: Sequence[str]
) -> Iterator[Report]:
    """Fuzz for `seconds` of processor, in processes of their own, one after another when one dies; what each reports.

    `command` starts such a process when the options of :func:`as_child` follow it.
    """
    left = seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=tmpfs(_ROOM)) as work:
        current, out = Path(work) / "input", Path(work) / "report"
        while left > 0:
            began = time.monotonic()
            options = [name, str(left), str(seed), str(corpus), str(findings), str(current), str(out)]
            out.unlink(missing_ok=True)
            with subprocess.Popen([*command, *options]) as child:
                status = _watched(child, current)
            if out.exists():
                report = Report(**json.loads(out.read_bytes()))
                left -= report.processor
                yield report
            elif not current.exists():
                raise RuntimeError(f"{command[0]} does not start")
            else:
                wrong = "it does not react to its alarm" if status is None else f"the process ends with {status}"
                keep(findings, current.read_bytes() if current.exists() else b"", wrong)
                left -= time.monotonic() - began
                yield Report(inputs=1, findings={wrong: 1})
            seed += 1


def _watched(child: subprocess.Popen[bytes], current: Path) -> int | None:
    """The exit status of `child`; None when it had to be ended, as its input did not change for too long."""
    while True:
        try:
            return child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if current.exists() and time.time() - current.stat().st_mtime > _SILENCE:
                child.kill()
                child.wait()
                return None


def as_child(target: Target, options: Sequence[str]) -> None:
    """What a process of :func:`supervised` does."""
    name, seconds, seed, corpus, findings, current, out = options
    report = fuzz(
        name,
        target,
        seed=int(seed),
        seconds=float(seconds),
        corpus=Path(corpus),
        findings=Path(findings),
        current=Path(current),
    )
    values = {key: getattr(report, key) for key in Report.__slots__}
    Path(out).write_text(json.dumps(values), "ascii")
    sys.stdout.flush()

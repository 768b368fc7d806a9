"""Having a machine change a tree: what goes in, what comes back, and keeping it.

The answer is a stranger's. Scripts run as root in there, so that anything on the disk may be theirs: it is read within
bounds, and what comes of it are changes of the tree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assembler.architecture import Architecture
from assembler.configure.job import Answer, Configure, Job, Run, Step, Unpack
from assembler.formats.ext4 import fitting_size, write_passing
from assembler.formats.ext4_reader import Entry, Ext4
from assembler.guest.compare import compare
from assembler.guest.disk import REPORT, TREE, lay_out, seconds
from assembler.guest.hardware import DISK_UNIT, SEED, CountedHardware, described
from assembler.guest.initramfs import Start
from assembler.guest.machine import GuestError, run
from assembler.image.keys import digest
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.tools.toolbox import Toolbox
from assembler.tree import digest as trees
from assembler.tree.changes import Changes, load, save
from assembler.tree.content import Content, chunks, whole
from assembler.tree.staging import Tree
from assembler.vm.qemu import Emulator

_KIND = "executed-1"
FREE = 4 << 30
"""Bytes that are free on the disk; of the image file they take nothing until they are used."""
_SLOWEST = 20
"""Seconds of a processor of the host's that a second of the machine's may take; four to eight were seen."""
_START = 60
"""Seconds of the machine's for all that is no step."""
_LINES = 25
_LARGEST_LOG = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a machine is made of."""

    architecture: Architecture
    emulator: Emulator
    toolbox: Toolbox
    """With mke2fs."""
    start: Start
    identity: Mapping[str, str]
    """What emulates, by name: versions and digests of QEMU's packages."""
    firmware: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Has jobs done in machines, each once: what came of it is kept in the store."""

    parts: Parts
    store: Store
    reporter: Reporter = SILENT
    seed: int = SEED

    def __call__(self, tree: Tree, job: Job) -> Changes:
        """What `job` makes of `tree`, which stays as it is. Raises GuestError when a step of it fails."""
        with self.store.temporary() as scratch:
            scratch.mkdir()
            disk = lay_out(tree, job, scratch)

            def make(directory: Path) -> None:
                directory.mkdir()
                self._make(tree, job, disk, scratch, directory)

            return load(self.store.derived(_KIND, self._key(disk, job), make))

    def _key(self, disk: Tree, job: Job) -> str:
        """A digest of all that decides what comes out: the whole disk, and the machine."""
        parts = self.parts
        return digest(
            disk=trees.digest(trees.listing(disk)),
            kernel=trees.sha256(parts.start.kernel),
            initrd=parts.start.initrd,
            emulator=dict(parts.identity),
            hardware=described(parts.architecture, clock=job.epoch, seed=self.seed),
        )

    def _make(self, tree: Tree, job: Job, disk: Tree, scratch: Path, directory: Path) -> None:
        image = scratch / "disk"
        size = -(-(fitting_size(disk) + FREE) // DISK_UNIT) * DISK_UNIT
        write_passing(disk, image, self.parts.toolbox, size=size, epoch=job.epoch, reporter=self.reporter)
        kernel, initrd = scratch / "kernel", scratch / "initrd"
        kernel.write_bytes(b"".join(chunks(self.parts.start.kernel)))
        initrd.write_bytes(self.parts.start.initrd)
        hardware = CountedHardware(
            architecture=self.parts.architecture,
            kernel=kernel,
            initrd=initrd,
            disk=image,
            size=size,
            clock=job.epoch,
            seed=self.seed,
            firmware=self.parts.firmware,
        )
        limit = _SLOWEST * (_START + sum(map(seconds, job.steps)))
        with self.reporter.step("execute", total=2 * job.packages(), unit="items") as step:

            def told(name: str) -> None:
                step.note(name)
                step.advance()

            said = run(self.parts.emulator, hardware, seconds=limit, told=told)
        with Ext4(image) as found:
            report = dict(_report(found))
            if said.last != "done" or report.get("status", b"").strip() != b"done":
                raise _failure(job, report, said.tail)

            def content(entry: Entry) -> Content:
                kept = scratch / "content" / str(entry.number)
                kept.parent.mkdir(exist_ok=True)
                with kept.open("wb") as out:
                    out.writelines(found.chunks(entry))
                return whole(kept)

            save(compare(tree, found.entries(f"/{TREE}"), latest=job.epoch, content=content), directory)


def _report(image: Ext4) -> Iterator[tuple[str, bytes]]:
    """What the machine left for us, by name."""
    for path, entry in image.entries(f"/{REPORT}"):
        if path != "/":
            yield path[1:], image.read(entry, _LARGEST_LOG)


def _failure(job: Job, report: Mapping[str, bytes], console: tuple[str, ...]) -> GuestError:
    words = report.get("status", b"").decode("utf-8", "replace").split()
    if len(words) == 3 and words[0] == "failed" and words[1].isdecimal() and int(words[1]) < len(job.steps):
        number, status = int(words[1]), words[2]
        lines = report.get(f"{number}.log", b"").decode("utf-8", "replace").splitlines()
        return GuestError(
            f"{_what(job.steps[number])} failed in the machine",
            why="it took too long" if status == "137" else f"exit status {status}",
            details=lines[-_LINES:],
        )
    return GuestError("the machine ended before its job was done", details=console)


def _what(step: Step) -> str:
    match step:
        case Unpack():
            return "unpacking packages"
        case Configure():
            return "configuring packages"
        case Answer():
            return "answering debconf's questions"
        case Run():
            return f"the script {step.name}"

"""Having a machine change a tree: what goes in, what comes back, and keeping it.

The answer is a stranger's. Scripts run as root in there, so that anything on the disk may be theirs: it is read within
bounds, and what comes of it are changes of the tree.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from assembler.architecture import Architecture
from assembler.configure.job import Job
from assembler.errors import Place
from assembler.formats.ext4 import fitting_size, write_passing
from assembler.formats.ext4_reader import Bounds, Entry, Ext4, Ext4Error
from assembler.guest.compare import compare
from assembler.guest.disk import REPORT, TREE, lay_out, seconds
from assembler.guest.failure import failure
from assembler.guest.hardware import DISK_UNIT, CountedHardware, described
from assembler.guest.initramfs import LARGEST_LOG, Start, known
from assembler.guest.machine import GuestError, Said, attach, run
from assembler.image.keys import digest
from assembler.kernel.bzimage import startable
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.tools.toolbox import Toolbox
from assembler.tree import digest as trees
from assembler.tree.changes import Changes, load, save
from assembler.tree.content import CHUNK, Content, Slice, chunks, whole
from assembler.tree.staging import Tree
from assembler.vm.qemu import Emulator

_KIND = "executed-2"
FREE = 4 << 30
"""Bytes that are free on the disk; of the image file they take nothing until they are used."""
_SLOWEST = 20
"""Seconds of a processor of the host's that a second of the machine's may take; four to eight were seen."""
_USUAL_START, _USUAL = 10, 3
"""Seconds that a machine usually takes, and more for each package."""
_START = 60
"""Seconds of the machine's for all that is no step."""
_BOUNDS = Bounds(passes=1)
"""What comes back of files is at most as much as the disk has, and a GiB of holes."""
_LONG = 200
"""Characters of a path that an error has at most."""


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
            disk=trees.digest(trees.listing(disk, content=self._known)),
            kernel=trees.sha256(parts.start.kernel),
            initrd=parts.start.initrd,
            emulator=dict(parts.identity),
            hardware=described(parts.architecture, clock=job.epoch + job.later, seed=job.seed),
        )

    def _known(self, content: Content) -> str:
        """What stands for a file's bytes: its place in a result of the store's, which is named after all that made it,
        as that is known without reading half a gigabyte; or their SHA-256.
        """
        kept = f"{self.store.results}/"
        if isinstance(content, Slice) and content.file.startswith(kept):
            return f"{content.file.removeprefix(kept)}+{content.offset}"
        return trees.sha256(content)

    def attach(self, tree: Tree, job: Job) -> None:
        """Have `job` done on `tree` with this process's terminal as the machine's console; nothing of it is kept."""
        with self.store.temporary() as scratch:
            scratch.mkdir()
            hardware = self._put_together(job, lay_out(tree, job, scratch), scratch, "nothing")
            attach(self.parts.emulator, hardware)

    def printed(self, tree: Tree, job: Job) -> bytes:
        """What the last step of `job` prints in `tree`, or the end of it; nothing else is kept.

        Raises GuestError when a step fails.
        """
        with self.store.temporary() as scratch:
            scratch.mkdir()
            image = self._done(job, lay_out(tree, job, scratch), scratch)
            return _logs(image).get(len(job.steps) - 1, b"")

    def _put_together(self, job: Job, disk: Tree, scratch: Path, word: str) -> CountedHardware:
        """A machine whose files are in `scratch`."""
        image = scratch / "disk"
        size = -(-(fitting_size(disk) + FREE) // DISK_UNIT) * DISK_UNIT
        write_passing(disk, image, self.parts.toolbox, size=size, epoch=job.epoch, reporter=self.reporter)
        kernel, initrd = scratch / "kernel", scratch / "initrd"
        kernel.write_bytes(startable(b"".join(chunks(self.parts.start.kernel))))
        initrd.write_bytes(self.parts.start.initrd + known(word))
        return CountedHardware(
            architecture=self.parts.architecture,
            kernel=kernel,
            initrd=initrd,
            disk=image,
            size=size,
            clock=job.epoch + job.later,
            seed=job.seed,
            firmware=self.parts.firmware,
        )

    def _done(self, job: Job, disk: Tree, scratch: Path) -> Path:
        """The disk's image after the job. Raises GuestError when a step of it fails."""
        word = secrets.token_hex(16)
        hardware = self._put_together(job, disk, scratch, word)
        image = hardware.disk
        limit = _SLOWEST * (_START + sum(map(seconds, job.steps)))
        with self.reporter.step("execute", total=job.turns(), unit="items") as step:

            def told(name: str) -> None:
                step.note(name)
                step.advance()

            said = run(self.parts.emulator, hardware, word=word, seconds=limit, told=told)
        if said.result != "done":
            logs = _logs(image)
            raise failure(job, said, logs, _kept(self.store.root / "logs", job, said, logs))
        return image

    def _make(self, tree: Tree, job: Job, disk: Tree, scratch: Path, directory: Path) -> None:
        if packages := job.packages():
            about = _USUAL_START + _USUAL * packages
            counted = f"{packages} package" + ("s" if packages != 1 else "")
            self.reporter.info(f"scripts of {counted} are executed: about {about} s, once")
        image = self._done(job, disk, scratch)
        with _explained(), Ext4(image, bounds=_BOUNDS) as found:
            (scratch / "content").mkdir()

            def content(path: str, entry: Entry) -> Content:
                kept = scratch / "content" / str(entry.number)
                _write(kept, found.chunks(entry, f"/{TREE}{path}"))
                return whole(kept)

            changes = compare(tree, found.entries(f"/{TREE}"), latest=job.epoch, content=content)
        save(changes, directory)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what is wrong with the disk that a machine left into a GuestError."""
    try:
        yield
    except Ext4Error as error:
        path = error.where.path.removeprefix(f"/{TREE}") or "/"
        raise GuestError(
            "what scripts left behind in the machine cannot be taken over",
            where=Place(path=path if len(path) <= _LONG else f"{path[:_LONG]}..."),
            why=f"{error.what}: {error.why}",
        ) from error


def _write(path: Path, data: Iterator[bytes]) -> None:
    """Write a file, with holes where `data` has nothing but zeros."""
    zeros = bytes(CHUNK)
    with path.open("wb") as out:
        for chunk in data:
            if chunk == zeros[: len(chunk)]:
                out.seek(len(chunk), os.SEEK_CUR)
            else:
                out.write(chunk)
        out.truncate()


def _logs(image: Path) -> dict[int, bytes]:
    """What each step printed; nothing where the disk cannot be read any more."""
    found: dict[int, bytes] = {}
    with suppress(Ext4Error), Ext4(image) as disk:
        for path, entry in disk.entries(f"/{REPORT}"):
            name = path.removeprefix("/")
            if name.isdecimal():
                found[int(name)] = disk.read(entry, LARGEST_LOG)
    return found


def _kept(logs: Path, job: Job, said: Said, printed: Mapping[int, bytes]) -> str:
    """Keep what was printed in a file of its own in the directory `logs`; where it is, nowhere on a full disk."""
    try:
        logs.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="machine-", suffix=".log", dir=logs)
    except OSError:
        return ""
    try:
        with os.fdopen(descriptor, "wb") as out:
            for number in sorted(printed)[: len(job.steps)]:
                out.write(printed[number])
            out.write("\n".join(("", "The machine's console:", *said.tail, "")).encode("utf-8", "replace"))
    except OSError:
        Path(name).unlink(missing_ok=True)
        return ""
    return name

"""The machine that a built node runs in: its ISO, its seed, its state disk.

The directory of a build may come from anybody. QEMU is given no file of the host but those in it, and these are regular
files, not links, with formats that are not guessed.
"""

import errno
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assembler import jsontext
from assembler.architecture import ARCHITECTURES, Architecture
from assembler.errors import AssembleError, Place
from assembler.formats import qcow2
from assembler.hostfile import HostFileError, open_own, read_own, require_own
from assembler.image.manifest import LARGEST
from assembler.image.names import INITRD, ISO, KERNEL, MANIFEST, SEED
from assembler.vm.qemu import MEMORY, SSH_PORT, Drive, Firmware, Hardware

STATE = "var.qcow2"
STATE_SIZE = 10 << 30
"""Bytes of a new state disk; its file starts with 256 KiB and grows as the disk is written."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_PIECE = 1 << 20
_OUTSIDE = "QEMU shows its bytes to the machine, and what is in the directory of a build leads nowhere else"
_LINKED = "move it away, and a new one is made; or name the file that it leads to with --disk"

Medium = Literal["cd", "disk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What `manifest.json` tells of a build, as far as running it needs."""

    directory: Path
    architecture: Architecture
    name: str
    """The image's name."""

    @property
    def iso(self) -> Path:
        """The node."""
        return self.directory / ISO

    @property
    def seed(self) -> Path:
        """Its cloud-init data."""
        return self.directory / SEED

    @property
    def kernel(self) -> Path:
        """Its kernel, to be started directly."""
        return self.directory / KERNEL

    @property
    def initrd(self) -> Path:
        """The initrd of that, where there is one."""
        return self.directory / INITRD


def built(directory: Path) -> Built:
    """The build in `directory`. Raises AssembleError when there is none."""
    manifest = directory / MANIFEST
    hint = "build it first with `assemble RECIPE.toml`, or name the directory with --out"
    if not os.path.lexists(manifest):
        raise AssembleError("there is no build here", where=Place(file=str(manifest)), hint=hint)
    try:
        document = jsontext.parse(read_own(manifest, LARGEST), limit=LARGEST)
        architecture, name = ARCHITECTURES[document["architecture"]], document["name"]
        sound = _NAME.fullmatch(name)
    except (ValueError, KeyError, TypeError):
        sound = None
    if not sound:
        raise AssembleError("this is no manifest of a build", where=Place(file=str(manifest)), hint=hint)
    node = Built(directory=directory, architecture=architecture, name=name)
    for path in (node.iso, node.seed, node.kernel, node.initrd):
        require_own(path, "a file of the build", hint=_OUTSIDE)
    return node


def root_disk(path: Path) -> bool:
    """Whether `path` is a root file system that was built, by the manifest beside it: not a disk to keep state on."""
    if path.suffix != ".qcow2":
        return False
    try:
        document = jsontext.parse(read_own(path.parent / MANIFEST, LARGEST), limit=LARGEST)
        return any(made["name"] == path.name for made in document["artifacts"])
    except (HostFileError, ValueError, KeyError, TypeError):
        return False


def keep_state(path: Path) -> None:
    """Make the state disk `path` when it is missing; one that is there is left as it is.

    Raises HostFileError when what is there is a link or no regular file, Qcow2Error when it is no qcow2 image that
    needs no other file, or nothing can be made there.
    """
    require_own(path, "the state disk", hint=_LINKED)
    if not path.exists():
        qcow2.create(path, STATE_SIZE)
        return
    with open_own(path) as stream:
        qcow2.require_alone(stream, file=str(path))


def copy_root(path: Path, out: Path) -> None:
    """Copy the root file system `path` to the new file `out`, holes as holes.

    Raises HostFileError when it is a link or no regular file or does not fit, Qcow2Error when it is no qcow2 image that
    needs no other file.
    """
    with open_own(path) as source, out.open("xb") as target:
        qcow2.require_alone(source, file=str(path))
        status = os.fstat(source.fileno())
        free = shutil.disk_usage(out.parent).free
        if status.st_blocks * 512 > free:
            raise HostFileError(
                "there is no room for a copy of the disk", where=Place(file=str(path)), why=f"{free} bytes are free"
            )
        position = 0
        while (start := _data(source.fileno(), position)) is not None:
            position = os.lseek(source.fileno(), start, os.SEEK_HOLE)
            target.seek(start)
            for at in range(start, position, _PIECE):
                target.write(os.pread(source.fileno(), min(_PIECE, position - at), at))
        target.truncate(status.st_size)


def _data(descriptor: int, position: int) -> int | None:
    """Where the next bytes are that are no hole; None behind the last."""
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


def disk_hardware(
    node: Built,
    disk: Path,
    *,
    seed: Path | None,
    memory: int = MEMORY,
    processors: int,
    ssh_port: int | None = SSH_PORT,
) -> Hardware:
    """A machine whose root file system is on `disk`, with the kernel and, where there is one, the initrd of `node`."""
    drives = [Drive(path=disk, format="qcow2", discard=True)]
    if seed:
        drives.append(Drive(path=seed, kind="cd"))
    return Hardware(
        architecture=node.architecture,
        memory=memory,
        processors=processors,
        firmware=node.architecture.emulation.firmware[0],
        drives=tuple(drives),
        ssh_port=ssh_port,
        kernel=node.kernel,
        initrd=node.initrd if node.initrd.exists() else None,
        append=" ".join(("root=/dev/vda", "rw", *node.architecture.consoles)),
    )


def hardware(
    node: Built,
    *,
    medium: Medium = "cd",
    seed: Path | None,
    state: Path | None,
    firmware: Firmware | None = None,
    memory: int = MEMORY,
    processors: int,
    ssh_port: int | None = SSH_PORT,
) -> Hardware:
    """The machine for `node`, its ISO as a CD or as it would be on a disk.

    `firmware` None takes BIOS where there is one. `seed` and `state` None leave these drives out.
    """
    drives = [Drive(path=node.iso, kind=medium, read_only=True, boot=True)]
    if seed:
        drives.append(Drive(path=seed, kind="cd"))
    if state:
        drives.append(Drive(path=state, format="qcow2", discard=True))
    return Hardware(
        architecture=node.architecture,
        memory=memory,
        processors=processors,
        firmware=firmware or node.architecture.emulation.firmware[0],
        drives=tuple(drives),
        ssh_port=ssh_port,
    )

"""The machine that a built node runs in: its ISO, its seed, its state disk."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assembler.boot.grub_config import CONSOLES
from assembler.errors import AssembleError, Place
from assembler.formats import qcow2
from assembler.vm.isofile import read_files
from assembler.vm.qemu import MEMORY, PLATFORMS, SSH_PORT, Architecture, Drive, Firmware, Hardware

ISO = "node.iso"
SEED = "cloud-init-seed.iso"
STATE = "var.qcow2"
STATE_SIZE = 20 << 30
"""Bytes of a new state disk; its file starts with 256 KiB and grows as the disk is written."""

Medium = Literal["cd", "disk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What `manifest.json` tells of a build, as far as running it needs."""

    folder: Path
    architecture: Architecture
    name: str
    """The image's name."""

    @property
    def iso(self) -> Path:
        """The node."""
        return self.folder / ISO

    @property
    def seed(self) -> Path:
        """Its cloud-init data."""
        return self.folder / SEED


def built(folder: Path) -> Built:
    """The build in `folder`. Raises AssembleError when there is none."""
    manifest = folder / "manifest.json"
    hint = "build it first with `assemble RECIPE.toml`, or name the folder with --out"
    try:
        document = json.loads(manifest.read_bytes())
        architecture = document["architecture"]
        name = document["name"]
    except FileNotFoundError as error:
        raise AssembleError("there is no build here", where=Place(file=str(manifest)), hint=hint) from error
    except OSError as error:
        raise AssembleError(
            "the manifest cannot be read", where=Place(file=str(manifest)), why=error.strerror or str(error)
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise AssembleError("this is no manifest of a build", where=Place(file=str(manifest)), hint=hint) from error
    return Built(folder=folder, architecture=architecture, name=name)


def lock_of(node: Built) -> str:
    """The text of the lock that `node` was built from, which is on its ISO. Raises AssembleError when it is not."""
    path = f"/live/{node.name}.lock.toml"
    found = read_files(node.iso, [path])
    if not found:
        raise AssembleError("there is no lock on the ISO", where=Place(file=str(node.iso), path=path))
    return found[path].decode("utf-8", "replace")


def root_disk(path: Path) -> bool:
    """Whether `path` is a root file system that was built, by the manifest beside it: not a disk to keep state on."""
    try:
        document = json.loads((path.parent / "manifest.json").read_bytes())
        return path.suffix == ".qcow2" and any(made["name"] == path.name for made in document["artifacts"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def keep_state(path: Path) -> None:
    """Make the state disk `path` when it is missing; one that is there is left as it is.

    Raises Qcow2Error when what is there is no qcow2 image of its own, or nothing can be made there.
    """
    if not path.exists():
        qcow2.create(path, STATE_SIZE)
        return
    try:
        with path.open("rb") as stream:
            header = qcow2.read_header(stream, file=str(path))
    except OSError as error:
        raise qcow2.Qcow2Error(
            "the state disk cannot be read", where=Place(file=str(path)), why=error.strerror or str(error)
        ) from error
    if header.encrypted:
        raise qcow2.Qcow2Error("the state disk is encrypted", where=Place(file=str(path)))


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
    initrd = node.folder / "initrd.img"
    drives = [Drive(path=disk, format="qcow2", discard=True)]
    if seed:
        drives.append(Drive(path=seed, kind="cd"))
    return Hardware(
        architecture=node.architecture,
        memory=memory,
        processors=processors,
        firmware=PLATFORMS[node.architecture].firmware[0],
        drives=tuple(drives),
        ssh_port=ssh_port,
        kernel=node.folder / "vmlinuz",
        initrd=initrd if initrd.exists() else None,
        append=" ".join(("root=/dev/vda", "rw", *CONSOLES[node.architecture])),
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
        firmware=firmware or ("bios" if node.architecture == "amd64" else "uefi"),
        drives=tuple(drives),
        ssh_port=ssh_port,
    )

"""Putting finished files into the directory that the user named: all of them complete, or the old ones untouched."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.image.manifest import Artifact
from assembler.store.objects import FULL, sha256_of
from assembler.store.scratch import scratch


@dataclass(slots=True)
class Outputs:
    """Files being made below a hidden directory inside `directory`, moved into it together at the end."""

    directory: Path
    staging: Path
    private: set[str] = field(default_factory=set)
    """Those with secrets: nobody but their owner may read them, whatever the umask."""

    def path(self, name: str) -> Path:
        """Where to write the output `name`."""
        return self.staging / name

    def copy(self, source: Path, name: str) -> None:
        """Make the output `name` a copy of `source`."""
        shutil.copyfile(source, self.path(name))

    def record(self, name: str) -> Artifact:
        """The complete output `name` with its size and digest."""
        path = self.path(name)
        return Artifact(name=name, size=path.stat().st_size, sha256=sha256_of(path))

    def _commit(self) -> None:
        finished = sorted(self.staging.iterdir())
        for path in finished:
            target = self.directory / path.name
            if target.is_dir():
                raise AssembleError(
                    "a directory is in the way of an output",
                    where=Place(file=str(target)),
                    hint="move it away, or name another directory with --out",
                )
        for path in finished:
            path.chmod(0o600 if path.name in self.private else 0o666 & ~_umask())
            path.replace(self.directory / path.name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def outputs(directory: Path) -> Iterator[Outputs]:
    """Outputs for `directory`, which is made when it is missing; nothing in it changes when the block fails.

    Raises AssembleError when it cannot be written, and when its disk is full.
    """
    with ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            staging = stack.enter_context(scratch(directory))
            staging.mkdir(mode=0o700)
        except OSError as error:
            raise AssembleError(
                "the output directory cannot be written",
                where=Place(file=str(directory)),
                why=error.strerror or str(error),
                hint="name another one with --out",
            ) from error
        try:
            made = Outputs(directory, staging)
            yield made
            made._commit()  # noqa: SLF001  the other half of this class
        except OSError as error:
            # What is written elsewhere meanwhile, the store, explains itself.
            if error.errno not in FULL:
                raise
            raise AssembleError(
                "the disk of the output directory is full",
                where=Place(file=str(directory)),
                why=error.strerror or str(error),
                hint="make room there, or name another directory with --out",
            ) from error

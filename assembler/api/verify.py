"""Verifying a finished image."""

import dataclasses
from pathlib import Path
from typing import Literal

from assembler.audit.verify import Verified
from assembler.audit.verify import verify as look_at
from assembler.errors import AssembleError, Place
from assembler.lockfile.toml import read_lock
from assembler.progress import SILENT, Reporter

Verdict = Literal["different", "sound", "packages-only", "recorded"]
"""Something is not as it should be; or nothing is, and that is known by the image itself alone, by the packages of a
lock, or by the outputs that a lock has recorded."""
_VERDICTS: dict[str, Verdict] = {"nothing": "sound", "packages": "packages-only", "outputs": "recorded"}


@dataclasses.dataclass(frozen=True, slots=True)
class Verification:
    """What was found of an image."""

    image: Path
    lock: Path | None
    """What it was compared with."""
    found: Verified

    @property
    def verdict(self) -> Verdict:
        """All of it in a word."""
        return "different" if self.found.findings else _VERDICTS[self.found.compared]


def verify(image: Path, lock: Path | None = None, *, reporter: Reporter = SILENT) -> Verification:
    """Verify every byte and path of an `image`, against what it says of itself and, when it is given, a `lock`.

    Raises AssembleError when there is no such lock, or one of both cannot be read; damage is no error.
    """
    known = None
    if lock is not None and (known := read_lock(lock)) is None:
        raise AssembleError("there is no lock", where=Place(file=str(lock)))
    return Verification(image, lock, look_at(image, known, reporter=reporter))

"""The work of ``assemble verify``."""

import dataclasses
from pathlib import Path

from assembler.audit.verify import verify
from assembler.cli.session import Session
from assembler.errors import AssembleError, Place
from assembler.lock.toml import read_lock


def verify_image(current: Session, path: Path, lock_path: Path | None) -> None:
    """Verify the image at `path`. Raises AssembleError when something is found."""
    lock = read_lock(lock_path) if lock_path else None
    found = verify(path, lock, reporter=current.reporter)
    for finding in found.findings:
        at = f" (bytes {finding.offset} to {finding.offset + finding.size})" if finding.size else ""
        current.say(f"{finding.path or path}: {finding.what}{at}")
    current.reporter.result({"image": str(path), **dataclasses.asdict(found)})
    if found.findings:
        raise AssembleError(
            "the image is not what it should be",
            where=Place(file=str(path)),
            why=f"{len(found.findings)} findings" if len(found.findings) > 1 else "one finding",
        )
    current.say(f"{path}: {found.areas} areas, {found.paths} paths and {found.packages} packages are as they should be")

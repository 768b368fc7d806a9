"""The work of ``assemble verify`` and ``assemble sbom``."""

import dataclasses
import hashlib
import json
from pathlib import Path

from assembler.audit.image import Image
from assembler.audit.verify import verify
from assembler.cli.session import Session
from assembler.errors import AssembleError, Place
from assembler.layers import bill, contents
from assembler.lock.toml import read_lock

DOCUMENTS = {
    "cyclonedx": f"{contents.FOLDER}/{bill.CYCLONEDX}",
    "spdx": f"{contents.FOLDER}/{bill.SPDX}",
    "provenance": contents.PROVENANCE,
}
"""Where an image has what it says of itself."""


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


def print_document(current: Session, path: Path, kind: str) -> None:
    """Print one of the `DOCUMENTS` of the image at `path`. Raises AssembleError when that is not what was sealed."""
    image = Image(path)
    where = DOCUMENTS[kind]
    data = image.read(where)
    if hashlib.sha256(data).hexdigest() != image.index["files"].get(where, {}).get("sha256"):
        raise AssembleError(
            "the document is not what the image's list of contents says",
            where=Place(file=str(path), path=where),
            hint="assemble verify tells what else is wrong",
        )
    try:
        text = data.decode()
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AssembleError(
            "the document is not JSON", where=Place(file=str(path), path=where), why=str(error)
        ) from error
    current.show(text.rstrip("\n"))
    current.reporter.result({"image": str(path), "document": document})

"""The work of ``assemble verify`` and ``assemble sbom``."""

import dataclasses
import hashlib
import json
from pathlib import Path

from assembler import jsontext
from assembler.audit.image import LARGEST_DOCUMENT, Image
from assembler.audit.verify import Verified, verify
from assembler.cli.session import Session
from assembler.errors import AssembleError, Place
from assembler.image.names import CYCLONEDX, ISO_CONTENTS, ISO_PROVENANCE, SPDX
from assembler.lockfile.toml import read_lock

DOCUMENTS = {
    "cyclonedx": f"{ISO_CONTENTS}/{CYCLONEDX}",
    "spdx": f"{ISO_CONTENTS}/{SPDX}",
    "provenance": ISO_PROVENANCE,
}
"""Where an image has what it says of itself."""


def verify_image(current: Session, path: Path, lock_path: Path | None, *, packages_only: bool = False) -> None:
    """Verify the image at `path`.

    Raises AssembleError when something is found, and when the lock at `lock_path` has recorded no outputs, unless
    `packages_only` is what the user wants to know.
    """
    lock = None
    if lock_path and (lock := read_lock(lock_path)) is None:
        raise AssembleError("there is no lock", where=Place(file=str(lock_path)))
    found = verify(path, lock, reporter=current.reporter)
    for finding in found.findings:
        at = f" (bytes {finding.offset} to {finding.offset + finding.size})" if finding.size else ""
        current.say(f"{finding.path or path}: {finding.what}{at}")
    if found.more:
        current.say(f"and {found.more} more")
    current.reporter.result({"image": str(path), "verdict": _verdict(found), **dataclasses.asdict(found)})
    if found.findings:
        count = len(found.findings) + found.more
        raise AssembleError(
            "the image is not what it should be",
            where=Place(file=str(path)),
            why=f"{count} findings" if count > 1 else "one finding",
        )
    if found.compared == "packages" and not packages_only:
        raise AssembleError(
            "the lock cannot tell whether this is the image that was built from it",
            where=Place(file=str(lock_path)),
            why=f"it has recorded no such output, and files of a recipe are in no lock; only {found.packages} packages "
            "were compared, and they are those of the lock",
            hint="build it where you trust the build with assemble RECIPE.toml --record, and verify with that lock; "
            "or say --packages-only",
        )
    current.say(
        f"{path}: {found.areas} areas, {found.paths} paths and {found.packages} packages are as they should be"
        + _SAID[found.compared]
    )


_SAID = {
    "nothing": "",
    "packages": "; that these are all that was built in, the lock cannot tell",
    "outputs": ", and all of it is what the lock has recorded",
}


def _verdict(found: Verified) -> str:
    """``different``, or what is known of an image in which nothing was found."""
    return (
        "different"
        if found.findings
        else {"nothing": "sound", "packages": "packages-only", "outputs": "recorded"}[found.compared]
    )


def print_document(current: Session, path: Path, kind: str) -> None:
    """Print one of the `DOCUMENTS` of the image at `path`, as the assembler would write what it says.

    Raises AssembleError when it is not what the list of contents says, or no JSON.
    """
    image = Image(path)
    where = DOCUMENTS[kind]
    data = image.read(where, LARGEST_DOCUMENT)
    if hashlib.sha256(data).hexdigest() != image.index["files"].get(where, {}).get("sha256"):
        raise AssembleError(
            "the document is not what the image's list of contents says",
            where=Place(file=str(path), path=where),
            hint="assemble verify tells what else is wrong",
        )
    try:
        document = jsontext.parse(data, limit=LARGEST_DOCUMENT)
    except ValueError as error:
        raise AssembleError(
            "the document is not JSON", where=Place(file=str(path), path=where), why=str(error)
        ) from error
    # Written anew, not the bytes of the image: in ASCII, on lines that are the assembler's.
    current.show(json.dumps(document, indent=1, sort_keys=True))
    current.reporter.result({"image": str(path), "document": document})

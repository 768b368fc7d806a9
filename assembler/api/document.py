"""Reading what a finished image says of itself."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from assembler import jsontext
from assembler.audit.image import LARGEST_DOCUMENT, Image
from assembler.errors import AssembleError, Place
from assembler.image.names import ISO_CYCLONEDX, ISO_PROVENANCE, ISO_SPDX

DocumentKind = Literal["cyclonedx", "spdx", "provenance"]
"""CycloneDX 1.6, SPDX 2.3, SLSA provenance."""
_PATHS: dict[DocumentKind, str] = {"cyclonedx": ISO_CYCLONEDX, "spdx": ISO_SPDX, "provenance": ISO_PROVENANCE}


def document(image: Path, kind: DocumentKind = "cyclonedx") -> Any:
    """The bill of materials or the provenance that an `image` has, as the values of its JSON.

    Raises AssembleError when it is not what the list of contents says, or no JSON.
    """
    opened = Image(image)
    where = _PATHS[kind]
    data = opened.read(where, LARGEST_DOCUMENT)
    if hashlib.sha256(data).hexdigest() != opened.index["files"].get(where, {}).get("sha256"):
        raise AssembleError(
            "the document is not what the image's list of contents says",
            where=Place(file=str(image), path=where),
            hint="assemble verify tells what else is wrong",
        )
    try:
        return jsontext.parse(data, limit=LARGEST_DOCUMENT)
    except ValueError as error:
        raise AssembleError(
            "the document is not JSON", where=Place(file=str(image), path=where), why=str(error)
        ) from error

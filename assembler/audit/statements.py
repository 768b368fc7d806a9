"""What was found out about images, as in-toto statements (https://in-toto.io/Statement/v1) with predicates of our own.

They have no times or hosts, as the provenance has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from assembler import __version__
from assembler.audit.compare import Comparison
from assembler.audit.image import Image
from assembler.audit.recorded import Mismatch
from assembler.image.manifest import Layers, artifacts
from assembler.image.names import ISO_RECIPE
from assembler.image.provenance import STATEMENT
from assembler.lockfile.model import Lock
from assembler.recipe.portable import RECIPE

REBUILD = "https://assembler.invalid/rebuild/v1"
AUDIT = "https://assembler.invalid/audit/v1"
"""What the statements say; names, not addresses. SLSA's verification summary has no place for what differs."""


def rebuilt(
    image: Image,
    sha256: str,
    again: str,
    lock: Lock,
    found: Comparison | None,
    *,
    versions: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> dict[str, Any]:
    """The statement that the `image` with SHA-256 `sha256` was built again, which made a file with SHA-256 `again`.

    `found` is how the two differ; None when they are the same. `versions` are those of the assembler and its libraries
    that the image says it was made with, and those that made it again.
    """
    listed = image.index["files"]
    inputs = {
        "recipe": f"{ISO_RECIPE}/{RECIPE}",
        "lock": image.lock_path,
    }
    return _statement(
        {image.path.name: sha256},
        REBUILD,
        {
            "result": "identical" if found is None else "different",
            "rebuilt": {"digest": {"sha256": again}},
            "assembler": {"locked": lock.assembler, "rebuilt": __version__},
            "versions": {"image": dict(versions[0]), "rebuilt": dict(versions[1])},
            **{
                name: {"name": path, "digest": {"sha256": listed[path]["sha256"]}}
                for name, path in inputs.items()
                if path in listed
            },
            "differences": _differences(found),
        },
    )


def audited(
    built: Layers,
    lock: Lock,
    found: Comparison,
    *,
    varied: Mapping[str, tuple[str, str]],
    not_varied: Mapping[str, str],
    recorded: Sequence[Mismatch] | None,
) -> dict[str, Any]:
    """The statement that the files `built` were built twice; `found` is how the two builds differ.

    `varied` are both values of what was otherwise, and `not_varied` the reason for what was not. `recorded` is how the
    first one differs from what the lock has recorded; None when it has nothing recorded of this recipe.
    """
    return _statement(
        {one.name: one.sha256 for one in artifacts(built)},
        AUDIT,
        {
            "result": "different" if found or recorded else "identical",
            "assembler": {"locked": lock.assembler, "built": __version__},
            "varied": {name: list(pair) for name, pair in sorted(varied.items())},
            "notVaried": dict(sorted(not_varied.items())),
            "differences": _differences(found),
            "recorded": None if recorded is None else [asdict(one) for one in recorded],
        },
    )


def _statement(subjects: Mapping[str, str], predicate: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(subjects.items())],
        "predicateType": predicate,
        "predicate": content,
    }


def _differences(found: Comparison | None) -> list[dict[str, Any]]:
    return [
        {
            "layer": change.layer,
            "path": change.path,
            "fields": {name: list(pair) for name, pair in sorted(change.fields.items())},
            **({"offset": change.offset, "bytes": change.bytes} if change.offset >= 0 else {}),
        }
        for change in (found.changes if found else ())
    ]

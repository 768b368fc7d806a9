"""Provenance: an in-toto statement (v1) with a SLSA provenance predicate (v1) about files that were built.

Without times, hosts or names of who built: it says what the lock decides, and is the same wherever it is made.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from assembler import __version__
from assembler.debian.mirrors import join
from assembler.debian.sources import release_directory
from assembler.image.sbom import package_url, parts
from assembler.lockfile.model import Lock

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://assembler.invalid/build/v1"
"""What kind of build it is; a name, not an address."""
BUILDER = "https://assembler.invalid/assembler"


def statement(
    subjects: Mapping[str, str],
    lock: Lock,
    *,
    name: str,
    recipe_sha256: str,
    lock_sha256: str,
    unexpiring: Sequence[str] = (),
    libraries: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The statement that the files `subjects` (SHA-256 by name) were built from a recipe and a lock.

    `unexpiring` are the archives that the recipe takes even after their Valid-Until, `libraries` the versions of those
    that wrote the files.
    """
    parameters: dict[str, Any] = {"recipe": {"name": name, "digest": {"sha256": recipe_sha256}}}
    if unexpiring:
        parameters["validUntilNotChecked"] = list(unexpiring)
    return {
        "_type": STATEMENT,
        "subject": [{"name": each, "digest": {"sha256": digest}} for each, digest in sorted(subjects.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": parameters,
                "internalParameters": {
                    "sourceDateEpoch": lock.source_date_epoch,
                    "architecture": lock.architecture,
                    "lock": {"digest": {"sha256": lock_sha256}},
                },
                "resolvedDependencies": list(_dependencies(lock)),
            },
            "runDetails": {"builder": {"id": BUILDER, "version": {"assembler": __version__, **libraries}}},
        },
    }


def _dependencies(lock: Lock) -> Iterator[dict[str, Any]]:
    for part in parts(lock, {}):
        yield {"uri": part.purl, "digest": {"sha256": part.sha256}}
    tools = ((package, package_url(package, box.archives)) for box in lock.toolboxes for package in box.packages)
    for package, uri in dict.fromkeys(tools):
        annotations = {"roles": list(package.roles)}
        yield {"uri": uri, "digest": {"sha256": package.sha256}, "annotations": annotations}
    for archive in dict.fromkeys((*lock.archives, *(archive for box in lock.toolboxes for archive in box.archives))):
        files = ("Release", "Release.gpg") if archive.signature_sha256 else ("InRelease",)
        signers = {"signedBy": list(archive.signed_by), "date": archive.date}
        for file, digest in zip(files, archive.signed, strict=True):
            uri = join(archive.root, release_directory(archive.suite), file)
            yield {"uri": uri, "digest": {"sha256": digest}, "annotations": signers}


def text(document: Mapping[str, Any]) -> bytes:
    """The file: JSON with sorted keys."""
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()

"""manifest.json: what was built, from what, with digests. The same bytes for the same lock."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

SCHEMA = 1
"""Version of the manifest's format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file that the build wrote."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a build made."""

    name: str
    architecture: str
    source_date_epoch: int
    recipe_sha256: str
    lock_sha256: str
    kernel_release: str
    artifacts: tuple[Artifact, ...]
    contents: Mapping[str, str]
    """SHA-256 of what lies inside the artifacts: ``live/filesystem.squashfs``."""
    packages: tuple[Mapping[str, str], ...]
    """Name, version, architecture, source and SHA-256 of every package in the image."""

    def json(self) -> bytes:
        """The manifest's file: JSON with sorted keys, two spaces, a final line feed."""
        document = {"schema": SCHEMA, **asdict(self)}
        return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()

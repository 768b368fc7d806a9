"""manifest.json: what was built, from what, with digests. The same bytes for the same lock."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assembler.layers.step import LayerName

FILE = "manifest.json"
SCHEMA = 3
"""Version of the manifest's format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file that the build wrote."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One step of a layer, done."""

    key: str
    """Digest of `inputs`; the same key, the same result, as far as no secrets go in."""
    inputs: Mapping[str, str]
    """All that went into it but secrets, by name, with digests; see layers/step.py."""
    outputs: tuple[Artifact, ...]
    """Its files in the output folder."""
    contents: Mapping[str, str]
    """SHA-256 of the files of a result that stays in the store: ``filesystem.squashfs``."""
    facts: Mapping[str, Any]
    """What else is worth knowing: a kernel's ``release``; ``tree_sha256``, ``paths`` and ``bytes`` of a root file
    system."""


Layers = Mapping[LayerName, Mapping[str, Made]]
"""Steps by layer and name."""


def artifacts(layers: Layers) -> tuple[Artifact, ...]:
    """All files that these layers have in the output folder, by name."""
    found = (artifact for steps in layers.values() for made in steps.values() for artifact in made.outputs)
    return tuple(sorted(found, key=lambda artifact: artifact.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a build made. Layers that a later build left out are there as they were made before."""

    name: str
    architecture: str
    source_date_epoch: int
    recipe_sha256: str
    lock_sha256: str
    layers: Layers
    packages: tuple[Mapping[str, str], ...] = field(repr=False)
    """Name, version, architecture, source and SHA-256 of every package in the image."""

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files in the output folder but this one, by name."""
        return artifacts(self.layers)

    def json(self) -> bytes:
        """The manifest's file: JSON with sorted keys, two spaces, a final line feed."""
        document = {"schema": SCHEMA, **asdict(self), "artifacts": [asdict(artifact) for artifact in self.artifacts]}
        return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def read_layers(folder: Path, *, name: str, architecture: str) -> Layers:
    """The layers in the manifest of an output folder.

    None of them when there is no manifest, or one of another image or format: what cannot be told is built again.
    """
    try:
        document = json.loads((folder / FILE).read_bytes())
        if (document["schema"], document["name"], document["architecture"]) != (SCHEMA, name, architecture):
            return {}
        return {
            layer: {
                step: Made(**{**made, "outputs": tuple(Artifact(**artifact) for artifact in made["outputs"])})
                for step, made in steps.items()
            }
            for layer, steps in document["layers"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}

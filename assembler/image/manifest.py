"""manifest.json: what was built, from what, with digests. The same bytes for the same lock."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assembler import jsontext
from assembler.hostfile import HostFileError, read_own
from assembler.image.names import LAYERS, MANIFEST, LayerName
from assembler.lockfile.values import SHA256

SCHEMA = 3
"""Version of the manifest's format."""
LARGEST = 16 << 20
"""Bytes of a manifest at most; that of a node with 243 packages has 145,000."""
_SHA256 = re.compile(SHA256)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file that the build wrote."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One step of a layer, done."""

    key: str
    """Digest of `inputs`; the same key, the same result, as far as no secrets go in."""
    inputs: Mapping[str, str]
    """All that went into it but secrets, by name, with digests; see layers/step.py."""
    outputs: tuple[Artifact, ...]
    """Its files in the output directory."""
    contents: Mapping[str, str]
    """SHA-256 of the files of a result that stays in the store: ``filesystem.squashfs``."""
    metadata: Mapping[str, Any]
    """What else is worth knowing: a kernel's ``release``; ``tree_sha256``, ``paths`` and ``bytes`` of a root file
    system."""

    def document(self) -> dict[str, Any]:
        """The entry in the manifest."""
        values = asdict(self)
        return {"facts": values.pop("metadata"), **values}


Layers = Mapping[LayerName, Mapping[str, StepResult]]
"""Steps by layer and name."""


def artifacts(layers: Layers) -> tuple[Artifact, ...]:
    """All files that these layers have in the output directory, by name."""
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
        """All files in the output directory but this one, by name."""
        return artifacts(self.layers)

    def json(self) -> bytes:
        """The manifest's file: JSON with sorted keys, two spaces, a final line feed."""
        layers = {
            layer: {step: made.document() for step, made in steps.items()} for layer, steps in self.layers.items()
        }
        document = {
            "schema": SCHEMA,
            **asdict(self),
            "layers": layers,
            "artifacts": [asdict(artifact) for artifact in self.artifacts],
        }
        return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def read_layers(directory: Path, *, name: str, architecture: str) -> Layers:
    """The layers in the manifest of an output directory, which says so itself: see layers/record.py.

    None of them when there is no manifest, or one of another image or format: what cannot be told is built again.
    """
    try:
        document = jsontext.parse(read_own(directory / MANIFEST, LARGEST), limit=LARGEST)
        if (document["schema"], document["name"], document["architecture"]) != (SCHEMA, name, architecture):
            return {}
        layers = document["layers"]
        if not isinstance(layers, dict) or not layers.keys() <= set(LAYERS):
            return {}
        return {
            layer: {step: made_of(made) for step, made in layers[layer].items() if _NAME.fullmatch(step)}
            for layer in LAYERS
            if layer in layers
        }
    except (HostFileError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def made_of(values: Any) -> StepResult:
    """A step's entry from JSON. Raises ValueError, KeyError or TypeError when it is none."""
    made = StepResult(
        key=values["key"],
        inputs=dict(values["inputs"]),
        outputs=tuple(Artifact(**each) for each in values["outputs"]),
        contents=dict(values["contents"]),
        metadata=dict(values["facts"]),
    )
    sound = _SHA256.fullmatch(made.key) and all(
        isinstance(text, str) for table in (made.inputs, made.contents) for text in (*table, *table.values())
    )
    if not sound or not all(map(_plain, made.outputs)):
        raise ValueError("not the entry of a step")
    return made


def _plain(artifact: Artifact) -> bool:
    """Whether it has a name in the directory itself, a size and a digest."""
    size = artifact.size
    return bool(
        _NAME.fullmatch(artifact.name)
        and isinstance(size, int)
        and not isinstance(size, bool)
        and size >= 0
        and _SHA256.fullmatch(artifact.sha256)
    )

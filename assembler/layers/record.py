"""What the store knows of the files that were made: the digests of each step's outputs, by the step's key.

That key, unlike the one in a manifest, depends on secrets. So that manifests of what has secrets count, too, the store
also has a mark for each pair of a published key and what was made.

An output directory may come from anybody, and its manifest proves nothing. A file in it counts as built only when it is
what this store has recorded for that key.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from assembler import jsontext
from assembler.hostfile import HostFileError, open_own, read_own
from assembler.image.keys import digest
from assembler.image.manifest import Artifact, Layers, StepResult, made_of
from assembler.layers.step import Published, Step
from assembler.lockfile.values import SHA256
from assembler.store.objects import CHUNK, Store, StoreError
from assembler.tree.digest import sha256_of

LARGEST = 4 << 20
"""Bytes of a record at most."""
_KEY = re.compile(SHA256)


def remember(store: Store, step: Step, made: StepResult) -> None:
    """Record in `store` what `step` made. A store that cannot be written to knows nothing of it later."""
    data = _data(made)

    def make(path: Path) -> None:
        path.write_bytes(data)

    with suppress(StoreError):
        for key in dict.fromkeys((step.key, made.key if made.key == step.key else _mark(made))):
            store.derived(_kind(step.label), key, make, sound=lambda path: path.read_bytes() == data)


def _data(made: StepResult) -> bytes:
    document = {
        "outputs": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in made.outputs],
        "contents": dict(made.contents),
        "facts": dict(made.metadata),
    }
    return json.dumps(document, sort_keys=True).encode()


def _mark(made: StepResult) -> str:
    return digest(key=made.key, made=_data(made))


def recall(store: Store, label: str, key: str, inputs: Mapping[str, str]) -> StepResult | None:
    """What `store` has recorded of the step `label` with that key, told with `inputs`; None when it has nothing."""
    if not _KEY.fullmatch(key) or not store.has_derived(_kind(label), key):
        return None
    try:
        document = jsontext.parse(read_own(store.results / _kind(label) / key, LARGEST), limit=LARGEST)
        return made_of({**document, "key": key, "inputs": dict(inputs)})
    except (HostFileError, ValueError, KeyError, TypeError):
        return None


def still_there(step: Step, told: Published, out: Path, store: Store) -> StepResult | None:
    """What was made of the same inputs, when all its files are in `out` and what `store` has recorded of them.

    It is as a manifest has it; `told` is how that tells of `step`.
    """
    made = recall(store, step.label, step.key, told.inputs)
    if made is None or [artifact.name for artifact in made.outputs] != list(step.outputs):
        return None
    if not all(intact(out / artifact.name, artifact) for artifact in made.outputs):
        return None
    return replace(made, key=told.key)


def known(before: Layers, store: Store) -> Layers:
    """Those steps of a manifest that `store` has recorded under their keys, with what it says of them."""
    found = {
        layer: {
            name: recalled
            for name, made in steps.items()
            if made.key == digest(step=f"{layer}.{name}", inputs=dict(made.inputs))
            and (recalled := _recalled(store, f"{layer}.{name}", made)) is not None
        }
        for layer, steps in before.items()
    }
    return {layer: steps for layer, steps in found.items() if steps}


def _recalled(store: Store, label: str, made: StepResult) -> StepResult | None:
    """What `store` has recorded of a manifest's entry."""
    for key in (made.key, _mark(made)):
        recalled = recall(store, label, key, made.inputs)
        if recalled is not None:
            return replace(recalled, key=made.key)
    return None


def _kind(label: str) -> str:
    return f"made-{label}-1"


def intact(path: Path, artifact: Artifact) -> bool:
    """Whether a file is itself, and no link to another one, what was made."""
    try:
        with open_own(path) as stream:
            if stream.seek(0, 2) != artifact.size:
                return False
            stream.seek(0)
            return sha256_of(iter(lambda: stream.read(CHUNK), b"")) == artifact.sha256
    except (HostFileError, OSError):
        return False


def unknown(before: Layers, after: Mapping[Any, Mapping[str, StepResult]]) -> tuple[str, ...]:
    """The names of files in a manifest that are no longer in it."""
    names = {artifact.name for steps in after.values() for made in steps.values() for artifact in made.outputs}
    gone = {artifact.name for steps in before.values() for made in steps.values() for artifact in made.outputs}
    return tuple(sorted(gone - names))

"""The build: from a recipe and its lock to the files in the output folder, step by step."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from assembler.layers.inputs import Inputs
from assembler.layers.known import known, remember
from assembler.layers.livecd import built_from
from assembler.layers.manifest import FILE, Artifact, Layers, Made, Manifest, read_layers
from assembler.layers.outputs import Outputs, outputs
from assembler.layers.plan import plan
from assembler.layers.selection import selected
from assembler.layers.step import FACTS, LayerName, Published, Step, facts, published
from assembler.store.objects import Store, sha256_of

PROVENANCE = "provenance.json"
"""What all outputs were built from: see audit/provenance.py."""


def build(inputs: Inputs, out: Path, *, only: Collection[str] = (), skip: Collection[str] = ()) -> Manifest:
    """Build the layers of a recipe that `selected` takes into `out`; returns what manifest.json says.

    A file in `out` that a former build made of the same inputs, and that is still what it was, stays. Other layers that
    these need are taken from the store or made, but their files in `out` are left alone. Nothing in `out` changes
    unless everything succeeds. Raises AssembleError of many kinds, and OSError when a disk is full.
    """
    steps = plan(inputs)
    layers = selected(steps, only, skip)
    before = former(inputs, out)
    return bring_up_to_date(
        steps,
        before,
        out,
        inputs.store,
        layers=layers,
        manifest=lambda done: _manifest(inputs, done),
        also=lambda made: {PROVENANCE: built_from(inputs, {each.name: each.sha256 for each in made.artifacts})},
    )


def bring_up_to_date(
    steps: Sequence[Step],
    before: Layers,
    out: Path,
    store: Store,
    *,
    layers: Collection[LayerName],
    manifest: Callable[[Layers], Manifest],
    also: Callable[[Manifest], Mapping[str, bytes]] = lambda _: {},
) -> Manifest:
    """As :func:`build`, for any steps; `before` is what a former build left in `out`.

    `also` makes further files, which tell of the others.
    """
    told = published(steps)
    done: dict[LayerName, dict[str, Made]] = {
        layer: dict(steps) for layer, steps in before.items() if layer not in layers
    }
    with outputs(out) as made:
        for step in steps:
            if step.layer in layers:
                done.setdefault(step.layer, {})[step.name] = _done(step, told[step.label], before, made, store)
        result = manifest(done)
        for name, data in {**also(result), FILE: result.json()}.items():
            made.path(name).write_bytes(data)
    return result


def former(inputs: Inputs, out: Path) -> Layers:
    """What a former build of the same image left in `out`."""
    return read_layers(out, name=inputs.recipe.name, architecture=inputs.lock.architecture)


def still_there(step: Step, told: Published, before: Layers, out: Path, store: Store) -> Made | None:
    """What a former build made of the same inputs, when all its files are in `out` and still what they were.

    That they are is `store`'s word, not that of the manifest, from which `before` comes; `told` is `step` as it is told
    of there.
    """
    made = before.get(step.layer, {}).get(step.name)
    if made is None or made.key != told.key or {artifact.name for artifact in made.outputs} != set(step.outputs):
        return None
    if dict(made.inputs) != dict(told.inputs) or not known(store, step.key, made):
        return None
    return made if all(intact(out / artifact.name, artifact) for artifact in made.outputs) else None


def intact(path: Path, artifact: Artifact) -> bool:
    """Whether the file at `path` has the size and digest of `artifact`."""
    try:
        return path.stat().st_size == artifact.size and sha256_of(path) == artifact.sha256
    except OSError:
        return False


def _done(step: Step, told: Published, before: Layers, made: Outputs, store: Store) -> Made:
    there = still_there(step, told, before, made.folder, store)
    if there is not None:
        return there
    if not step.kept:
        step.make(made.staging)
        contents, about = {}, {}
    else:
        result = step.result(store)
        contents = {name: value for name, value in result.digests.items() if name not in {*step.outputs, FACTS}}
        about = facts(result)
        for name in step.outputs:
            made.copy(result.path(name), name)
    if step.key != told.key and not step.discreet:
        made.private.update(step.outputs)
    done = Made(
        key=told.key,
        inputs=dict(told.inputs),
        outputs=tuple(made.record(name) for name in step.outputs),
        contents=contents,
        facts=about,
    )
    remember(store, step.key, done)
    return done


def _manifest(inputs: Inputs, layers: Layers) -> Manifest:
    lock = inputs.lock
    return Manifest(
        name=inputs.recipe.name,
        architecture=lock.architecture,
        source_date_epoch=lock.source_date_epoch,
        recipe_sha256=lock.recipe_sha256,
        lock_sha256=hashlib.sha256(inputs.lock_text).hexdigest(),
        layers=layers,
        packages=tuple(
            {
                "name": package.name,
                "version": package.version,
                "architecture": package.architecture,
                "source": package.source,
                "sha256": package.sha256,
            }
            for package in lock.role("rootfs")
        ),
    )

"""The build: from a recipe and its lock to the files in the output directory, step by step."""

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from assembler.image import libraries
from assembler.image.manifest import Layers, Manifest, StepResult, read_layers
from assembler.image.names import FACTS, LIBRARY, MANIFEST, PROVENANCE, LayerName
from assembler.layers import cloudinit
from assembler.layers.context import BuildContext
from assembler.layers.livecd import Origin, on_medium
from assembler.layers.outputs import Outputs, outputs
from assembler.layers.plan import plan
from assembler.layers.record import known, remember, still_there, unknown
from assembler.layers.selection import selected
from assembler.layers.step import Published, Step, metadata, published
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store

_LOG = logging.getLogger(__name__)


def build(
    context: BuildContext,
    out: Path,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
) -> Manifest:
    """Build the layers of a recipe that `selected` takes into `out`; returns what manifest.json says.

    A file in `out` that is what the store has recorded for the same inputs stays. Other layers that these need are
    taken from the store or made, but their files in `out` are left alone. Nothing in `out` changes unless everything
    succeeds. The reporter is warned of libraries that are others than in the lock, and of what a seed asks for and does
    not get. Raises AssembleError of many kinds, and OSError when a disk is full.
    """
    if "cloudinit" not in skip and (not only or "cloudinit" in only):
        cloudinit.check(context)
    steps = plan(context)
    layers = selected(steps, only, skip)
    before = previous(context, out)
    if not context.lock.libraries:
        context.reporter.info("the lock does not name the libraries that write formats: see assemble lock --migrate")
    for text in other_libraries(context, steps, layers):
        context.reporter.warn(text)
    return bring_up_to_date(
        steps,
        before,
        out,
        context.means.store,
        layers=layers,
        manifest=lambda done: _manifest(context, done),
        also=lambda made: {
            PROVENANCE: Origin.of(context).provenance({each.name: each.sha256 for each in made.artifacts})
        },
        reporter=context.reporter,
    )


def other_libraries(context: BuildContext, steps: Sequence[Step], layers: Collection[LayerName]) -> list[str]:
    """Which outputs of `layers` may differ, as libraries are others than in the lock; none when that names none."""
    locked = {one.name: one.version for one in context.lock.libraries}
    by_outputs: dict[tuple[str, ...], list[str]] = {}
    for name, text in libraries.differences(locked, context.libraries, "the lock").items():
        affected = [step for step in _made_with(name, steps) if step.layer in layers]
        outputs = tuple(output for step in affected for output in step.outputs)
        by_outputs.setdefault(outputs, []).append(text)
    return [
        f"{libraries.listed(outputs)} may have other bytes than when it was locked: {'; '.join(texts)}"
        for outputs, texts in by_outputs.items()
        if outputs
    ]


def _made_with(library: str, steps: Sequence[Step]) -> list[Step]:
    """Those steps that `library` writes, and those that are made of them."""
    found: dict[str, Step] = {}
    for step in steps:
        if f"{LIBRARY} {library}" in step.inputs or not found.keys().isdisjoint(step.inputs):
            found[step.label] = step
    return list(found.values())


def bring_up_to_date(
    steps: Sequence[Step],
    before: Layers,
    out: Path,
    store: Store,
    *,
    layers: Collection[LayerName],
    manifest: Callable[[Layers], Manifest],
    also: Callable[[Manifest], Mapping[str, bytes]] = lambda _: {},
    reporter: Reporter = SILENT,
) -> Manifest:
    """As :func:`build`, for any steps; `before` is what the manifest in `out` says.

    `also` makes further files, which tell of the others. The reporter is warned of files of other layers that `store`
    knows nothing of, and that the new manifest therefore leaves out.
    """
    told = published(steps)
    left = {layer: steps for layer, steps in before.items() if layer not in layers}
    done: dict[LayerName, dict[str, StepResult]] = {layer: dict(steps) for layer, steps in known(left, store).items()}
    if names := unknown(left, done):
        reporter.warn(
            f"this store has not made {', '.join(names)}, whatever {MANIFEST} says: the manifest leaves them out"
        )
    with outputs(out) as made:
        for step in steps:
            if step.layer in layers:
                done.setdefault(step.layer, {})[step.name] = _done(step, told[step.label], made, store)
        result = manifest(done)
        for name, data in {**also(result), MANIFEST: result.json()}.items():
            made.path(name).write_bytes(data)
    return result


def previous(context: BuildContext, out: Path) -> Layers:
    """What the manifest in `out` says that a previous build of the same image made."""
    return read_layers(out, name=context.recipe.name, architecture=context.lock.architecture)


def _done(step: Step, told: Published, made: Outputs, store: Store) -> StepResult:
    before = still_there(step, told, made.directory, store)
    if before is not None:
        _LOG.debug("%s, key %s: unchanged in the output directory", step.label, told.key)
        return before
    # The key that tells nothing of secrets.
    _LOG.debug("%s, key %s: %s", step.label, told.key, "in the store" if step.in_store(store) else "to be made")
    if not step.cached:
        step.make(made.staging)
        contents, about = {}, {}
    else:
        there = step.result(store)
        contents = {name: value for name, value in there.digests.items() if name not in {*step.outputs, FACTS}}
        about = metadata(there)
        for name in step.outputs:
            made.copy(there.path(name), name)
    if step.key != told.key and not step.discreet:
        made.private.update(step.outputs)
    result = StepResult(
        key=told.key,
        inputs=dict(told.inputs),
        outputs=tuple(made.record(name) for name in step.outputs),
        contents=contents,
        metadata=about,
    )
    remember(store, step, result)
    return result


def _manifest(context: BuildContext, layers: Layers) -> Manifest:
    lock = context.lock
    return Manifest(
        name=context.recipe.name,
        architecture=lock.architecture,
        source_date_epoch=lock.source_date_epoch,
        recipe_sha256=lock.recipe_sha256,
        lock_sha256=hashlib.sha256(on_medium(lock)).hexdigest(),
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

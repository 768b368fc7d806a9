"""Why a build would make each step of a recipe anew or not, without making anything."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assembler.image.manifest import Layers, StepResult
from assembler.image.names import CODE, LIBRARY, LayerName
from assembler.layers.record import intact, still_there
from assembler.layers.step import Published, Step, published
from assembler.store.objects import Store

State = Literal["unchanged", "stored", "make", "idle"]
"""What is in the output directory stays as it is; the result is taken from the store; it is made; nothing asks for
it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would become of one step."""

    step: Step
    state: State
    reasons: tuple[str, ...]
    """Why it is not unchanged: the inputs that changed, by name, or who needs it."""


def explain(
    steps: Sequence[Step], before: Layers, out: Path, store: Store, layers: Collection[LayerName]
) -> tuple[Explanation, ...]:
    """What building `layers` into `out` would do with each of `steps`; `before` is what a previous build left there."""
    told = published(steps)
    there = {step.label for step in steps if step.layer in layers and still_there(step, told[step.label], out, store)}
    users: dict[str, list[str]] = {step.label: [] for step in steps}
    explained: list[Explanation] = []
    for step in reversed(steps):
        asked = step.layer in layers and step.label not in there
        cached = step.in_store(store)
        if (asked or users[step.label]) and not cached:
            state: State = "make"
            for name in users.keys() & step.inputs.keys():
                users[name].append(step.label)
        else:
            state = "stored" if asked else "unchanged" if step.label in there else "idle"
        reasons: tuple[str, ...] = ()
        if asked:
            reasons = changes(step, told[step.label], before.get(step.layer, {}).get(step.name), out)
        elif state == "make":
            reasons = (f"not in the store, and needed for {', '.join(sorted(users[step.label]))}",)
        explained.append(Explanation(step=step, state=state, reasons=reasons))
    return tuple(reversed(explained))


def changes(step: Step, told: Published, previous: StepResult | None, out: Path) -> tuple[str, ...]:
    """How the inputs of `step`, `told` as in a manifest, differ from those that `previous` was made of, in words."""
    if previous is None:
        return ("not built into this directory before",)
    if previous.key == told.key:
        if step.key == told.key or not all(intact(out / artifact.name, artifact) for artifact in previous.outputs):
            return ("its files in this directory are missing, have been changed, or were not made with this store",)
        secrets = ", ".join(sorted(step.secrets)) or "of a step that it is made of"
        return (f"a secret has changed ({secrets}), or it was not made with this store",)
    now = told.inputs
    texts = [_change(name, previous.inputs.get(name), now.get(name)) for name in sorted({*now, *previous.inputs})]
    return tuple(text for text in texts if text)


def _change(name: str, old: str | None, new: str | None) -> str:
    if old == new:
        return ""
    shown = "the assembler itself" if name == CODE else name
    if old is None or new is None:
        return f"{shown} is {'new' if old is None else 'gone'}"
    was, becomes = (text if name.startswith(f"{LIBRARY} ") else text.rpartition(" ")[0] for text in (old, new))
    return f"{shown} changed" + (f" from {was} to {becomes}" if was != becomes else "")

"""Which layers of a recipe a build is to bring up to date."""

from collections.abc import Collection, Sequence

from assembler.errors import AssembleError
from assembler.image.names import LAYERS, LayerName
from assembler.layers.step import Step
from assembler.recipe.document import did_you_mean


def selected(steps: Sequence[Step], only: Collection[str] = (), skip: Collection[str] = ()) -> tuple[LayerName, ...]:
    """The layers of `steps` that are in `only`, by default all, and not in `skip`.

    Raises AssembleError for a name that is no layer's, a layer that the recipe does not have, and when none is left.
    """
    present = tuple(layer for layer in LAYERS if any(step.layer == layer for step in steps))
    for name in (*only, *skip):
        if name not in LAYERS:
            hint = did_you_mean(name, LAYERS) or f"the layers are {', '.join(present)}"
            raise AssembleError(f"there is no layer {name}", hint=hint)
        if name not in present and name in only:
            raise AssembleError(f"this recipe has no layer {name}", hint=f"its layers are {', '.join(present)}")
    chosen = tuple(layer for layer in present if (not only or layer in only) and layer not in skip)
    if not chosen:
        raise AssembleError("no layer is left to be built", hint=f"the recipe's layers are {', '.join(present)}")
    return chosen

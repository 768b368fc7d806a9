"""Contents that take long to compute: whoever has a store keeps them there, under all that they are made of."""

from collections.abc import Callable, Mapping, Sequence

from assembler.tree.content import Content

Make = Callable[[], Mapping[str, bytes]]
"""Computes files, by name."""
Keep = Callable[[str, Sequence[object], Make], Mapping[str, Content]]
"""What files come to, by name: told what they are (``depmod-1``: the kind, and the version of what computes them), what
they are made of (texts, numbers and contents, in tuples and lists), and how. Raises what computing raises."""


def at_once(_kind: str, _inputs: Sequence[object], make: Make) -> Mapping[str, Content]:
    """Keeps nothing."""
    return make()

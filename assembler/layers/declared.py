"""What a step is made of, as a value: its fields are the step's key, and all that making it can see.

A step is declared as a frozen dataclass with a method ``make``. Each field says how it counts among the step's inputs:
another step, the tools and a kernel by their types, everything else by an annotation. A field that says nothing is
refused, so what is made cannot depend on something that the key does not have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, get_type_hints, runtime_checkable

from assembler.image.keys import digest
from assembler.image.names import LIBRARY, LayerName
from assembler.layers.context import Means
from assembler.layers.step import Step, of_packages, of_table, of_values
from assembler.lockfile.model import LockedToolbox

Inputs = Mapping[str, str]
"""As :attr:`Step.inputs`."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How a field counts: as inputs by name, and as secret ones."""

    of: Callable[[Any], Inputs] = lambda _: {}
    secret: Callable[[Any], Inputs] = lambda _: {}


@dataclass(frozen=True, slots=True)
class Ignored:
    """A field that decides no byte, and `why`."""

    why: str


class Declared(Protocol):
    """A frozen dataclass that a step is declared with."""

    __dataclass_fields__: ClassVar[Any]

    def make(self, means: Means, directory: Path) -> None:
        """Write the result into the directory, which is there and empty; errors as of :attr:`Step.make`."""


@runtime_checkable
class MadeByStep(Protocol):
    """What stands for a step: a root file system, a kernel."""

    @property
    def step(self) -> Step:
        """The step."""


def value(name: str) -> Counts:
    """Counts as the input `name`, a value of any kind."""
    return Counts(lambda given: of_values(**{name: given}))


def table(name: str) -> Counts:
    """Counts key by key, as a whole table of the recipe does."""
    return Counts(lambda given: of_table(name, given))


def packages(kind: str) -> Counts:
    """Counts by versions and digests of locked packages, which are called `kind`."""
    return Counts(lambda given: of_packages(kind, given))


def data(name: str) -> Counts:
    """Counts by the digests of bytes; `name` has ``{}`` in the place of the key of each."""
    return Counts(_digests(name))


def secret_data(name: str) -> Counts:
    """The same for bytes that are secret."""
    return Counts(secret=_digests(name))


def _digests(name: str) -> Callable[[Mapping[str, bytes]], Inputs]:
    return lambda given: {name.format(key): digest(data=one) for key, one in given.items()}


def versions(kind: str) -> Counts:
    """Counts by versions, by name; these are called `kind`."""
    return Counts(lambda given: {f"{kind} {name}": version for name, version in given.items()})


PARTS = Counts(lambda given: counted(given)[0], secret=lambda given: counted(given)[1])
"""Counts as its fields do, in a dataclass of its own."""
Epoch = Annotated[int, value("epoch")]
"""SOURCE_DATE_EPOCH in seconds."""
Libraries = Annotated[Mapping[str, str], versions(LIBRARY)]
"""Versions of the libraries that write the result: see image/libraries.py."""


def step_of(  # one keyword a field of Step
    declared: Declared,
    means: Means,
    *,
    layer: LayerName,
    name: str,
    outputs: tuple[str, ...] = (),
    discreet: bool = False,
    cached: bool = True,
) -> Step:
    """The step that is declared so; see :class:`Step` for the rest."""
    inputs, secrets = counted(declared)
    return Step(
        layer=layer,
        name=name,
        inputs=inputs,
        secrets=secrets,
        make=partial(declared.make, means),
        outputs=outputs,
        discreet=discreet,
        cached=cached,
    )


def counted(declared: Any) -> tuple[Inputs, Inputs]:
    """The inputs of what is declared, and those that are secret.

    Raises TypeError for a field that says nothing, and for two that count by the same name.
    """
    inputs: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, how in _counts(type(declared)).items():
        given = getattr(declared, name)
        if how is None:
            _add(inputs, _by_type(name, given))
        elif isinstance(how, Counts):
            _add(inputs, how.of(given))
            _add(secrets, how.secret(given))
    return inputs, secrets


def _add(known: dict[str, str], more: Inputs) -> None:
    if both := sorted(known.keys() & more.keys()):
        raise TypeError(f"two fields count as {', '.join(both)}")
    known.update(more)


def _by_type(name: str, given: object) -> Inputs:
    if isinstance(given, Step):
        return {given.label: given.key}
    if isinstance(given, MadeByStep):
        return {given.step.label: given.step.key}
    if isinstance(given, LockedToolbox):
        return of_packages("tool", given.packages)
    raise TypeError(f"the field {name} does not say how it counts")


def _counts(declared: type[Any]) -> Mapping[str, Counts | Ignored | None]:
    """How each field of a dataclass counts; None for those that tell by their type."""
    hints = get_type_hints(declared, include_extras=True)
    found: dict[str, Counts | Ignored | None] = {}
    for each in fields(declared):
        said = [one for one in getattr(hints[each.name], "__metadata__", ()) if isinstance(one, Counts | Ignored)]
        if len(said) > 1:
            raise TypeError(f"the field {each.name} says twice how it counts")
        found[each.name] = said[0] if said else None
    return found

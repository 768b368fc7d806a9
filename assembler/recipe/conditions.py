"""Tables of a recipe file that count on a condition: ``[profile.NAME]``, which whoever builds asks for, and
``[architecture.NAME]``, for images of that architecture.

Each holds what a recipe on top of its file could say, and is laid over it: first the table of the architecture, then
the profiles in the order in which they are asked for, each followed by its own table of the architecture. Then comes
the next file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assembler.architecture import ARCHITECTURES
from assembler.errors import AssembleError, Place
from assembler.recipe.document import RecipeError, did_you_mean
from assembler.recipe.shapes import PROFILE_NAME
from assembler.recipe.tables import ARCHITECTURE, EXTENDS, PROFILE
from assembler.toml.document import Node, dotted
from assembler.toml.positions import Path as KeyPath

MAX_PROFILES = 32
"""Names of profiles in one recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """A file, or a profile of one, taken apart."""

    own: Node
    """What it says whatever the conditions."""
    architectures: dict[str, Node] = field(default_factory=dict)
    profiles: dict[str, "Conditional"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What decides which conditions are met."""

    profiles: tuple[str, ...] = ()
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a table counts on: a profile, an architecture, or both."""

    profile: str = ""
    architecture: str = ""

    def is_met(self, context: Context) -> bool:
        """Whether a table with this condition counts in `context`."""
        return self.profile in {"", *context.profiles} and self.architecture in {"", context.architecture}

    @property
    def key(self) -> str:
        """The dotted key of its table in a file."""
        path: KeyPath = (PROFILE, self.profile) if self.profile else ()
        return dotted((*path, ARCHITECTURE, self.architecture) if self.architecture else path)


def taken_apart(document: Node) -> tuple[Conditional, list[RecipeError]]:
    """A recipe file by its conditions, and what is wrong with these. Takes their tables out of `document`."""
    errors: list[RecipeError] = []
    architectures = _architectures(document, errors)
    profiles = {}
    for name, table in _tables(document, PROFILE, errors):
        if not re.fullmatch(PROFILE_NAME.pattern, name):
            errors.append(RecipeError(f"is not {PROFILE_NAME.name}", where=table.place(), hint=PROFILE_NAME.hint))
            continue
        _refuse(table, (EXTENDS, PROFILE), "a profile", errors)
        profiles[name] = Conditional(own=table, architectures=_architectures(table, errors))
    return Conditional(own=document, architectures=architectures, profiles=profiles), errors


def _architectures(document: Node, errors: list[RecipeError]) -> dict[str, Node]:
    found = {}
    for name, table in _tables(document, ARCHITECTURE, errors):
        if name not in ARCHITECTURES:
            hint = did_you_mean(name, ARCHITECTURES) or f"known are: {', '.join(ARCHITECTURES)}"
            errors.append(RecipeError("is no architecture that images are made for", where=table.place(), hint=hint))
            continue
        _refuse(table, (EXTENDS, PROFILE, ARCHITECTURE, "arch"), "a table of an architecture", errors)
        found[name] = table
    arch = document.value.get("arch") if isinstance(document.value, dict) else None
    if arch is not None and isinstance(arch.value, dict):
        hint = f'a table for images of one architecture is [{ARCHITECTURE}.NAME]; the image\'s own is arch = "NAME"'
        errors.append(RecipeError("must be a string, not a table", where=arch.place(), hint=hint))
        del document.value["arch"]  # type: ignore[union-attr,arg-type]  # a dict, as was seen
    return found


def _tables(document: Node, key: str, errors: list[RecipeError]) -> Iterator[tuple[str, Node]]:
    """The tables in the table `key` of `document`, which is taken out of it."""
    node = document.value.pop(key, None) if isinstance(document.value, dict) else None
    if node is None:
        return
    if not isinstance(node.value, dict):
        errors.append(RecipeError("must be a table of tables", where=node.place(), hint=f"as [{key}.NAME]"))
        return
    for name, table in node.value.items():
        if isinstance(table.value, dict):
            yield name, table
        else:
            errors.append(RecipeError("must be a table", where=table.place(), hint=f"as [{key}.NAME.rootfs]"))


def _refuse(table: Node, keys: Sequence[str], what: str, errors: list[RecipeError]) -> None:
    """Take `keys` out of a `table`, in which they mean nothing."""
    assert isinstance(table.value, dict)
    for key in keys:
        if (found := table.value.pop(key, None)) is not None:
            hint = "move it to the top of the file, or into a recipe on top of this one"
            errors.append(RecipeError(f"cannot stand in {what}", where=found.place(), hint=hint))


def known(files: Sequence[Conditional]) -> list[str]:
    """The names of all profiles that the files of a recipe have, in their order."""
    return list(dict.fromkeys(name for file in files for name in file.profiles))


def unknown(files: Sequence[Conditional], profiles: Sequence[str], path: Path) -> list[AssembleError]:
    """An error for each of `profiles` that the recipe at `path` does not have, and one if it has too many."""
    there, errors = known(files), list[AssembleError]()
    for name in profiles:
        if name not in there:
            listed = f"it has: {', '.join(sorted(there))}" if there else "it has none"
            hint = " ".join(filter(None, (did_you_mean(name, there), listed)))
            where = Place(file=str(path), key=f"--{PROFILE} {name}")
            errors.append(RecipeError(f"the recipe has no profile {name}", where=where, hint=hint))
    if len(there) > MAX_PROFILES:
        errors.append(RecipeError(f"a recipe has at most {MAX_PROFILES} profiles", where=Place(file=str(path))))
    return errors


def chosen(files: Sequence[Conditional], context: Context) -> list[Node]:
    """What is laid over one another in `context`, the most basic first."""
    found = []
    for file in files:
        for each in (file, *(file.profiles[name] for name in context.profiles if name in file.profiles)):
            found.append(each.own)
            if context.architecture in each.architectures:
                found.append(each.architectures[context.architecture])
    return found


def unmet(files: Sequence[Conditional], context: Context) -> list[Condition]:
    """The conditions of all tables that do not count in `context`."""
    found = dict.fromkeys(Condition(architecture=name) for file in files for name in file.architectures)
    for file in files:
        for name, profile in file.profiles.items():
            found[Condition(name)] = None
            found |= dict.fromkeys(Condition(name, architecture) for architecture in profile.architectures)
    return [condition for condition in found if not condition.is_met(context)]


def nameless(files: Sequence[Conditional], context: Context) -> tuple[str, ...]:
    """Those of the chosen profiles that give the image no name: it has theirs after its own.

    So the images of different profiles have different names, and locks.
    """
    having = {
        name
        for file in files
        for name, profile in file.profiles.items()
        for table in (profile.own, *profile.architectures.values())
        if isinstance(table.value, dict) and "name" in table.value
    }
    return tuple(name for name in context.profiles if name not in having)


def without_condition(path: KeyPath) -> KeyPath:
    """Where what stands at `path` of a file ends up: without the tables of conditions around it."""
    while len(path) > 1 and path[0] in {PROFILE, ARCHITECTURE}:
        path = path[2:]
    return path


def part(node: Node) -> tuple[Path, KeyPath]:
    """The part of a recipe that `node` stands in: a file, and the tables of conditions around it."""
    return node.file, node.path[: len(node.path) - len(without_condition(node.path))]

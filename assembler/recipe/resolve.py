"""The parts of a recipe, laid over one another, with values in place of arguments, and checked: what needs no files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic import ValidationError

from assembler import architecture
from assembler.errors import AssembleError
from assembler.recipe import arguments, conditions
from assembler.recipe.checks import check
from assembler.recipe.conditions import Condition, Conditional, Context
from assembler.recipe.document import RecipeError
from assembler.recipe.extend import Change, merge
from assembler.recipe.model import Recipe, Scripts
from assembler.recipe.parameters import each_of
from assembler.recipe.tables import ARCHITECTURE
from assembler.recipe.validation import explanations
from assembler.toml.document import Node, count, place, plain
from assembler.toml.positions import Path as KeyPath

MAX_ERRORS = 100
"""What is wrong in a recipe, told at once; who mends that many is told of the rest then."""
MAX_CHECKED = 100_000
"""Values that are looked at for tables whose condition is not met: all those of the recipe, for each of them."""
_BY_ARGUMENT = ("kernel", "modules_key")
"""A key whose value a recipe may not have itself."""

InPlace = Callable[[Node, dict[str, Any]], Sequence[tuple[KeyPath, AssembleError]]]
"""Puts the text of certificates, and the digests of packages, in the place of the names of their files in plain values
of a document. Returns what is wrong, each with the path of what nothing else is said of.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a recipe is given from outside of its files."""

    args: Mapping[str, str] = field(repr=False)
    scripts: Scripts | None = None
    """What becomes of maintainer scripts instead of what the recipe says."""
    outside: set[str] = field(default_factory=set)
    """Names of files that were read outside of the project."""
    hidden: set[str] = field(default_factory=set, repr=False)
    """Values that errors must not show; added to as they become known."""


@dataclass(slots=True, kw_only=True)
class Resolved:
    """A recipe without its files."""

    root: Node
    data: dict[str, Any]
    """The plain values of `root`, with certificates in place of the names of their files, and digests of packages."""
    recipe: Recipe | None = None
    """None when it is wrong."""
    errors: list[AssembleError] = field(default_factory=list)
    wrong: set[KeyPath] = field(default_factory=set)
    """Where something is wrong."""
    changes: Sequence[Change] = ()
    appended: Mapping[KeyPath, Sequence[Node]]
    """Texts that were appended to others, by the path of these."""
    values: arguments.Values
    written: Mapping[KeyPath, str]
    """Strings with references to arguments, as the recipe has them; see :func:`arguments.written`."""
    defaults: Mapping[str, str]
    """Of arguments that were given."""

    def problem(self, where: KeyPath, what: str, hint: str) -> None:
        """Note that something is wrong; one cause a value: the first is the one nearest to what was written."""
        if len(self.errors) < MAX_ERRORS and not any(where[:depth] in self.wrong for depth in range(len(where) + 1)):
            self.wrong.add(where)
            self.errors.append(RecipeError(what, where=place(self.root, where), hint=hint))

    def require(self, context: Context) -> None:
        """Note it when the recipe, resolved in `context`, is for another architecture than that."""
        if context.architecture != _architecture(self.root):
            what = f"is another one with [{ARCHITECTURE}.{context.architecture}] than without"
            self.problem(("arch",), what, "no such table may change the arguments that it depends on")


def context_of(files: Sequence[Conditional], profiles: Sequence[str], given: Given) -> Context:
    """What decides which conditions are met: the `profiles`, and the architecture that the recipe then says."""
    context = Context(tuple(dict.fromkeys(profiles)))
    root = merge([_only(part, "arch", "args") for part in conditions.chosen(files, context)]).root
    arguments.override(root, given.args)
    arguments.substitute(root)
    return Context(context.profiles, _architecture(root))


def _only(table: Node, *keys: str) -> Node:
    value = {key: table.value[key] for key in keys if key in table.value} if isinstance(table.value, dict) else {}
    return Node(value, table.file, table.path, table.position)


def _architecture(root: Node) -> str:
    node = root.value.get("arch") if isinstance(root.value, dict) else None
    if node is None:
        return architecture.DEFAULT.name
    return node.value if isinstance(node.value, str) else ""


def resolve(files: Sequence[Conditional], context: Context, given: Given, put_in_place: InPlace) -> Resolved:
    """The recipe of `files` in `context`, with all that is wrong in it, but for its files."""
    merged = merge(conditions.chosen(files, context))
    root = merged.root
    _name(root, conditions.nameless(files, context))
    if given.scripts:
        _say(root, given.scripts)
    defaults = arguments.Values.of(root).values
    found: list[AssembleError] = [*merged.errors, *arguments.given_only(root, _BY_ARGUMENT)]
    found += arguments.override(root, given.args)
    given.hidden.update(arguments.hidden(root, given.args, given.outside))
    written = arguments.written(root)
    values = arguments.substitute(root)
    resolved = Resolved(
        root=root,
        values=values,
        data={},
        errors=found,
        changes=merged.changes,
        appended=merged.appended,
        written=written,
        defaults={name: defaults[name] for name in given.args if name in defaults},
    )
    for each in values.problems:
        resolved.problem(*each)
    _take_apart(resolved)
    resolved.data = plain(root)
    for key, error in put_in_place(root, resolved.data):
        resolved.wrong.add(key)
        resolved.errors.append(error)
    try:
        resolved.recipe = Recipe.model_validate(resolved.data)
    except ValidationError as error:
        for each in islice(explanations(error, Recipe), MAX_ERRORS):
            resolved.problem(*each)
    for each in check(resolved.data):
        resolved.problem(*each)
    return resolved


def _take_apart(resolved: Resolved) -> None:
    """Make one value of each kernel parameter; arguments may have brought several at once, or none."""
    livecd = resolved.root.value.get("livecd") if isinstance(resolved.root.value, dict) else None
    cmdline = livecd.value.get("cmdline") if livecd is not None and isinstance(livecd.value, dict) else None
    if cmdline is None or not isinstance(cmdline.value, list):
        return
    at: KeyPath = ("livecd", "cmdline")
    written = {path: text for path, text in resolved.written.items() if path[:2] != at}
    found: list[Node] = []
    for index, item in enumerate(cmdline.value):
        for part in each_of(item):
            if text := resolved.written.get((*at, index)):
                written[*at, len(found)] = text
            found.append(part)
    cmdline.value = found
    resolved.written = written


def _name(root: Node, profiles: Sequence[str]) -> None:
    """Put `profiles` after the image's name."""
    name = root.value.get("name") if isinstance(root.value, dict) else None
    if name is not None and isinstance(name.value, str):
        name.value = "-".join([name.value, *profiles])


def _say(root: Node, scripts: Scripts) -> None:
    """Put `scripts` into the document `root`, in the place of what it says of them."""
    if isinstance(root.value, dict):
        rootfs = root.value.setdefault("rootfs", Node({}, root.file, ("rootfs",), root.position))
        if isinstance(rootfs.value, dict):
            rootfs.value["scripts"] = Node(scripts, root.file, ("rootfs", "scripts"), root.position)


def wrong_elsewhere(
    files: Sequence[Conditional], context: Context, given: Given, put_in_place: InPlace
) -> list[AssembleError]:
    """What is wrong in tables of a recipe whose condition is not met in `context`.

    Each is looked at as if it were met: over the files alone, and where something is wrong then, with all profiles
    that there are. What is wrong in one of these only is a matter of what is asked for together, and no error.
    """
    unmet = conditions.unmet(files, context)
    size = sum(count(part) for file in files for part in _parts(file))
    if size * len(unmet) > MAX_CHECKED:
        why = f"it has {size} values, and {len(unmet)} such tables"
        return [RecipeError("tables with a condition are too many", where=files[-1].own.place(), why=why)]
    errors: dict[object, AssembleError] = {}
    for condition in unmet:
        alone = (condition.profile,) if condition.profile else ()
        others = tuple(name for name in conditions.known(files) if name != condition.profile)

        def wrong(profiles: Sequence[str], condition: Condition = condition) -> dict[object, AssembleError]:
            at = context_of(files, profiles, given)
            asked = Context(at.profiles, condition.architecture or at.architecture)
            return _in_table(resolve(files, asked, given, put_in_place), condition)

        if found := wrong(alone):
            again = wrong((*others, *alone))
            errors |= {key: error for key, error in found.items() if key in again}
    return list(errors.values())


def _parts(file: Conditional) -> list[Node]:
    inner = (part for profile in file.profiles.values() for part in _parts(profile))
    return [file.own, *file.architectures.values(), *inner]


def _in_table(resolved: Resolved, condition: Condition) -> dict[object, AssembleError]:
    """Errors that speak of what stands in the table of `condition`, by their place and what they say."""
    return {
        (error.where, error.what): error
        for error in resolved.errors
        if f"{error.where.key}.".startswith(f"{condition.key}.")
    }

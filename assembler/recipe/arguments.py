"""Arguments: ``${NAME}`` in the strings of a recipe.

Only upper-case names in braces count, because recipes hold shell and systemd text: ``$HOME``, ``${home}``, ``$(date)``,
``$$`` and ``${HOME:-/}`` are what they are. ``$${NAME}`` stands for the text ``${NAME}``.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from assembler.errors import Place
from assembler.recipe.document import RecipeError, did_you_mean
from assembler.recipe.given import Arguments
from assembler.recipe.shapes import REFERENCE
from assembler.toml.document import Node, inside, place
from assembler.toml.positions import Path as KeyPath

MAX_PROBLEMS = 100
"""References that are told to be wrong, all at once."""
MAX_SUBSTITUTED = 16 << 20
"""Characters that references to arguments become, all together."""

_REFERENCE = re.compile(rf"(\$?)({REFERENCE})")


def hidden(root: Node, given: Mapping[str, str], outside: Collection[str]) -> set[str]:
    """Values in the ``[args]`` of `root` that errors must not show: secrets, and what is of files in `outside`."""
    found = (node.value for node in _table(root).values() if str(node.file) in outside)
    return {given[name] for name in secret(given)} | {value for value in found if isinstance(value, str)}


def secret(given: Mapping[str, str]) -> set[str]:
    """The names of those `given` arguments that are secrets: they do not stand on the command line."""
    return given.keys() - given.open if isinstance(given, Arguments) else set()


def given_only(root: Node, path: KeyPath) -> list[RecipeError]:
    """What is wrong with the value at `path` of `root`, a document, which nobody may read there: it has to be one
    reference, to an argument that is empty by default.
    """
    node: Node | None = root
    for name in map(str, path):
        node = node.value.get(name) if node and isinstance(node.value, dict) else None
    if node is None or not isinstance(node.value, str) or not node.value:
        return []
    match = re.fullmatch(REFERENCE, node.value)
    default = _table(root).get(node.value[2:-1]) if match else None
    if default is not None and default.value == "":
        return []
    key = ".".join(map(str, path))
    return [
        RecipeError(
            f"{key} stands in the recipe",
            where=place(root, path),
            why="it is a secret, and everybody who has the recipe would have it",
            hint='declare an argument, NAME = "" under [args], write ${NAME} here, and give --arg-file NAME=FILE',
        )
    ]


def override(root: Node, given: Mapping[str, str]) -> list[RecipeError]:
    """Put the values of ``--arg`` into the ``[args]`` of `root`, a document; returns those that it does not declare."""
    declared = _table(root)
    errors = []
    for name, value in given.items():
        if name in declared:
            declared[name].value = value
            continue
        known = ", ".join(sorted(declared)) or "none"
        errors.append(
            RecipeError(
                f"the recipe has no argument {name}",
                where=Place(file=str(root.file), key=f"--arg {name}"),
                hint=did_you_mean(name, declared) or f"it has: {known}",
            )
        )
    return errors


def names(text: str) -> list[str]:
    """The arguments that `text` refers to."""
    return [reference[2:-1] for escape, reference in _REFERENCE.findall(text) if not escape]


def withheld(text: str, values: Mapping[str, str], secret: Collection[str]) -> str:
    """`text` as a recipe has it, with `values` in place of references, but for those to `secret` arguments.

    Where that would be another text once these are given, all its references stay.
    """
    others = {name: escaped(value) for name, value in values.items() if name not in secret}
    shown = _REFERENCE.sub(lambda match: match[0] if match[1] else others.get(match[2][2:-1], match[0]), text)
    return shown if _given(shown, values) == _given(text, values) else text


def _given(text: str, values: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: match[2] if match[1] else values.get(match[2][2:-1], match[2]), text)


def escaped(text: str) -> str:
    """What stands for `text` in a recipe: nothing in it is a reference."""
    return re.sub(REFERENCE, lambda found: f"${found[0]}", text)


def written(root: Node) -> dict[KeyPath, str]:
    """Every string outside ``[args]`` with something like a reference in it, by its path."""
    found: dict[KeyPath, str] = {}

    def visit(node: Node, path: KeyPath) -> None:
        if isinstance(node.value, str) and "${" in node.value:
            found[path] = node.value
        for key, item in inside(node):
            visit(item, (*path, key))

    for key, node in inside(root):
        if key != "args":
            visit(node, (key,))
    return found


@dataclass(slots=True)
class Values:
    """The values of a recipe's arguments, for the places that refer to them."""

    values: Mapping[str, str]
    room: int = MAX_SUBSTITUTED
    problems: list[tuple[KeyPath, str, str]] = field(default_factory=list)
    """What is wrong, as key path, cause and hint."""

    @classmethod
    def of(cls, root: Node) -> "Values":
        """Those of the document `root`."""
        return cls({name: node.value for name, node in _table(root).items() if isinstance(node.value, str)})

    def put_in(self, text: str, path: KeyPath) -> str:
        """`text`, which stands at `path`, with values in the place of references; those that are wrong stay."""
        return _REFERENCE.sub(lambda match: self._resolve(match, path), text) if "${" in text else text

    def _resolve(self, match: re.Match[str], path: KeyPath) -> str:
        escape, reference = match.groups()
        if escape or len(self.problems) >= MAX_PROBLEMS:
            return reference
        name = reference[2:-1]
        if name in self.values:
            self.room -= len(self.values[name])
            if self.room >= 0:
                return self.values[name]
            why = f"arguments would become more than {MAX_SUBSTITUTED >> 20} Mi characters"
            self.problems.append((path, why, "use long ones less often"))
            return reference
        near = did_you_mean(name, self.values) or f"declare {name} under [args]"
        hint = f"{near}; for that text itself write ${reference}"
        self.problems.append((path, f"{reference} is not an argument of this recipe", hint))
        return reference


def substitute(root: Node) -> Values:
    """Replace the references in every string outside ``[args]``, changing `root`; returns the values, and with them
    what is wrong.
    """
    values = Values.of(root)

    def visit(node: Node, path: KeyPath) -> None:
        for key, item in inside(node):
            visit(item, (*path, key))
        if isinstance(node.value, str):
            node.value = values.put_in(node.value, path)

    for key, node in inside(root):
        if key != "args":
            visit(node, (key,))
    return values


def _table(root: Node) -> dict[str, Node]:
    args = root.value.get("args") if isinstance(root.value, dict) else None
    return args.value if args is not None and isinstance(args.value, dict) else {}

"""A loaded recipe as it is after ``extends``, conditions and arguments, each value with where it comes from.

What is shown is a recipe again, and means the same where nothing is withheld: the names of files are relative to the
recipe. Secrets are withheld: passwords and keys, the text of private files, arguments that are neither on the command
line nor in a public place. An argument stands in their place. So is what stands in files outside of the project; see
:func:`assembler.recipe.load.discreet`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assembler.carried import RECIPES
from assembler.recipe import arguments, certificates, debs
from assembler.recipe.additions import File
from assembler.recipe.builtin import PREFIX
from assembler.recipe.checks import named_files, named_trees
from assembler.recipe.conditions import part
from assembler.recipe.load import History, LoadedRecipe
from assembler.recipe.model import Answer, Recipe
from assembler.recipe.portable import ANSWER, PASSWORD, USER
from assembler.recipe.shapes import REFERENCE
from assembler.recipe.strict import Strict
from assembler.recipe.tables import KEYED, table_at
from assembler.releases import RELEASES
from assembler.toml.document import Node, at, inside, plain
from assembler.toml.positions import Path as KeyPath

_NAMES = {
    "root_password": PASSWORD,
    "password": USER.removesuffix("_"),
    "value": ANSWER.removesuffix("_"),
    "content": "PRIVATE_FILE",
}
"""What the argument is called that stands in the place of a secret, by the key of that."""
_OPEN = ("", "!")
"""What is no secret, wherever it stands: nothing, and no password."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A line of a recipe file."""

    file: str
    line: int
    """1-based; 0 for the file as a whole."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value, or a table of an array, comes from."""

    spot: Spot
    part: object
    """What tells the parts of a recipe apart: values with the same one stand in the same file and table."""
    added: tuple[Spot, ...] = ()
    """Where texts stand that were appended to it."""
    given: str = ""
    """The option of the command line that gave it, or added to it."""
    arguments: tuple[str, ...] = ()
    """The arguments in it."""
    withheld: bool = False
    """Whether something else is shown in its place."""
    instead: tuple[Spot, ...] = ()
    """Where the values stand that it took the place of, the last first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Something that is not in the recipe any more, or is not shown."""

    path: KeyPath
    """Of the list that it was in, or of the value."""
    value: str = ""
    """What it was; empty where that is not shown."""
    spot: Spot
    by: Spot | None = None
    """What took it away; None where it is there, and not shown as it stands outside of the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A recipe to be shown."""

    file: str
    architecture: str
    profiles: tuple[str, ...]
    parts: tuple[tuple[str, KeyPath], ...]
    """What was laid over one another, the most basic first: files, and tables in them."""
    values: Mapping[str, Any]
    """A recipe of plain values, in the order of the reference."""
    origins: Mapping[KeyPath, Origin]
    """Of each value in it that is no table and no array, unless that is empty; and of arrays and tables in arrays."""
    lost: tuple[Lost, ...]


def shown(loaded: LoadedRecipe) -> Shown:
    """What there is to show of `loaded`."""
    assert loaded.root is not None
    assert loaded.history is not None
    showing = _Showing(loaded, loaded.root, loaded.history)
    values = showing.recipe()
    return Shown(
        file=str(loaded.path),
        architecture=loaded.recipe.arch,
        profiles=loaded.history.profiles,
        parts=tuple((_called(file), path) for file, path in loaded.history.parts),
        values=values,
        origins=showing.origins,
        lost=tuple(showing.lost),
    )


_NOTHING = object()


@dataclass(slots=True)
class _Showing:
    loaded: LoadedRecipe
    root: Node
    known: History
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    """Arguments whose value is not shown, with the one that is shown instead."""
    places: dict[KeyPath, str] = field(default_factory=dict)
    """Where secrets stand, with the reference that is shown instead."""
    files: set[KeyPath] = field(default_factory=set)
    """Where names of files stand that are relative to the recipe file which has them."""
    instead: dict[tuple[Path, KeyPath], list[Node]] = field(default_factory=dict)
    """What values of the recipe took the place of, by the value's file and path in that."""

    def recipe(self) -> dict[str, Any]:
        data = plain(self.root)
        self.files = {path for path, _ in (*named_files(data), *certificates.names(data), *debs.names(data))}
        self.files |= {path for path, _, _ in named_trees(data)}
        self.files |= {("rootfs", "trees", index, "source") for index in range(len(self.known.said.rootfs.trees))}
        for change in self.known.changes:
            if change.removed:
                self.lost.append(self._removed(change.path, change.was, change.by))
            else:
                was = change.was
                self.instead[change.by.file, change.by.path] = [was, *self.instead.get((was.file, was.path), ())]
        self._find_secrets()
        values = self._build(self.root, (), ())
        assert isinstance(values, dict)
        for where, reference in self.places.items():
            name = reference[2:-1]
            if name not in values.get("args", {}) and ("args", name) not in self.origins:
                values.setdefault("args", {})[name] = self.secrets[name]
                node = at(self.root, where)
                self.origins["args", name] = Origin(spot=_spot(node), part=part(node), withheld=True)
        self._by_release(values.get("debian", {}))
        ordered: dict[str, Any] = _ordered(values, ())
        return ordered

    def _by_release(self, debian: dict[str, Any]) -> None:
        """Put the name of a release in the place of its sources."""
        for release in RELEASES.values():
            if debian.get("sources") == arguments.escaped(release.sources):
                del debian["sources"]
                debian["release"] = release.name
                self.origins["debian", "release"] = self.origins.pop(("debian", "sources"))

    def _removed(self, path: KeyPath, was: Node, by: Node) -> Lost:
        table = table_at(path[:-1])
        key = KEYED.get((table, str(path[-1]))) if table else None
        node = was.value.get(key) if key and isinstance(was.value, dict) else was
        text = node.value if node and isinstance(node.value, str) and not self._outside(node) else ""
        return Lost(path=path, value=text, spot=_spot(was), by=_spot(by))

    def _outside(self, node: Node) -> bool:
        return str(node.file) in self.loaded.outside

    def _find_secrets(self) -> None:
        """Find out which values and arguments are not shown."""
        args = self.root.value.get("args") if isinstance(self.root.value, dict) else None
        declared: dict[str, Node] = args.value if args and isinstance(args.value, dict) else {}
        for name, node in declared.items():
            if self._outside(node):
                self.secrets[name] = ""
            elif name in self.known.secret:
                self.secrets[name] = self.known.defaults[name]
        found = list(_secret(self.root, (), self.known.said))
        public = {
            name
            for path, text in self.known.written.items()
            if not any(path[: len(where)] == where for where, _, _ in found)
            for name in arguments.names(text)
        }
        for path, node, holder in found:
            raw = self.known.written.get(path, "")
            whole = re.fullmatch(REFERENCE, raw)
            if isinstance(node.value, str) and node.value in _OPEN and not raw:
                continue
            default = type(holder).model_fields[str(path[-1])].default
            instead = default if isinstance(default, str) else ""
            for name in arguments.names(raw):
                if whole or not isinstance(holder, File) or name not in public:
                    self.secrets[name] = instead if whole else ""
            name = raw[2:-1] if whole else self._new_name(_NAMES.get(str(path[-1]), str(path[-1]).upper()), declared)
            self.secrets.setdefault(name, instead)
            self.places[path] = f"${{{name}}}"

    def _new_name(self, name: str, declared: Mapping[str, Node]) -> str:
        taken = {*declared, *self.secrets}
        number, found = 1, name
        while found in taken:
            number += 1
            found = f"{name}_{number}"
        return found

    def _build(self, node: Node, at: KeyPath, to: KeyPath) -> Any:
        """The plain value of `node`, which stands at `at`, to be shown at `to`; `_NOTHING` when it is not shown."""
        if at in self.places:
            self.origins[to] = self._origin(node, at, withheld=True)
            return self.places[at]
        if isinstance(node.value, dict):
            if to and (isinstance(to[-1], int) or not node.value):
                self.origins[to] = self._origin(node, at)
            built = {key: self._build(item, (*at, key), (*to, key)) for key, item in node.value.items()}
            found = {key: value for key, value in built.items() if value is not _NOTHING}
            return found if found or not node.value else _NOTHING
        if isinstance(node.value, list):
            self.origins[to] = self._origin(node, at)
            items: list[Any] = []
            for index, item in enumerate(node.value):
                value = self._build(item, (*at, index), (*to, len(items)))
                items += [value] if value is not _NOTHING else []
            return items if items or not node.value else _NOTHING
        return self._scalar(node, at, to)

    def _scalar(self, node: Node, at: KeyPath, to: KeyPath) -> Any:
        if at[0] == "args" and at[-1] in self.secrets:
            self.origins[to] = self._origin(node, at, withheld=True)
            return self.secrets[str(at[-1])]
        if self._outside(node) or any(map(self._outside, self.known.appended.get(at, ()))):
            path = to[:-1] if isinstance(to[-1], int) else to
            self.lost.append(Lost(path=path, spot=_spot(node)))
            return _NOTHING
        self.origins[to] = self._origin(node, at)
        if not isinstance(node.value, str) or at[0] == "args":
            return node.value
        text = arguments.escaped(node.value)
        if (raw := self.known.written.get(at)) is not None and self.secrets.keys() & arguments.names(raw):
            text = arguments.withheld(raw, arguments.Values.of(self.root).values, self.secrets)
        return self._relative(text, node.file.parent) if at in self.files else text

    def _relative(self, name: str, directory: Path) -> str:
        """What the file `name` of a recipe in `directory` is called by one beside the recipe that is shown."""
        home = self.loaded.path.parent
        if directory == home or name.startswith((PREFIX, "/", "${")):
            return name
        if directory.is_relative_to(RECIPES):
            return PREFIX + os.path.normpath(directory.relative_to(RECIPES) / name)
        return f"{arguments.escaped(os.path.relpath(directory, home))}/{name}"

    def _origin(self, node: Node, at: KeyPath, *, withheld: bool = False) -> Origin:
        given = ""
        if at == ("rootfs", "scripts") and self.known.scripts:
            given = "--scripts"
        elif at == ("name",) and self.known.nameless:
            given = " ".join(f"--profile {name}" for name in self.known.nameless)
        elif at[:1] == ("args",) and at[-1] in self.known.defaults:
            given = "--arg-file" if at[-1] in self.known.secret else "--arg"
        return Origin(
            spot=_spot(node),
            part=part(node),
            added=tuple(map(_spot, self.known.appended.get(at, ()))),
            given=given,
            arguments=tuple(dict.fromkeys(arguments.names(self.known.written.get(at, "")))),
            withheld=withheld,
            instead=tuple(map(_spot, self.instead.get((node.file, node.path), ()))),
        )


def _secret(node: Node, path: KeyPath, model: Any) -> Iterator[tuple[KeyPath, Node, Strict]]:
    """Every value that is a secret where it stands: its path, itself, and the table that it is in.

    `model` is what `node` became.
    """
    for key, item in inside(node):
        if isinstance(model, Strict):
            info = type(model).model_fields.get(str(key))
            if isinstance(model, File):
                private = key == "content" and model.private
            else:
                private = info is not None and not info.repr and (not isinstance(model, Answer) or model.private)
            if private:
                yield (*path, key), item, model
                continue
        yield from _secret(item, (*path, key), _inner(model, key))


def _inner(model: Any, key: str | int) -> Any:
    """What is at `key` of a table or array of a recipe; None for what has another form there than in its file."""
    if isinstance(model, Strict):
        return getattr(model, str(key), None)
    if isinstance(model, dict):
        return model.get(key)
    return model[key] if isinstance(model, list) and isinstance(key, int) else None


def _ordered(value: Any, path: KeyPath) -> Any:
    """The same with the keys of each table in the order of the reference."""
    if isinstance(value, list):
        return [_ordered(item, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    table = table_at(path) if path else Recipe
    order = {name: number for number, name in enumerate(table.model_fields if table else ())}
    keys = sorted(value, key=lambda key: order.get(key, len(order)))
    return {key: _ordered(value[key], (*path, key)) for key in keys}


def _spot(node: Node) -> Spot:
    return Spot(_called(node.file), node.position.line)


def _called(file: Path) -> str:
    """What people call a recipe file."""
    return PREFIX + file.relative_to(RECIPES).as_posix() if file.is_relative_to(RECIPES) else str(file)

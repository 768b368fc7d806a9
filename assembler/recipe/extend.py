"""``extends``: a recipe on top of others.

The files that a recipe names are read first, in their order, each after its own bases and each only once; then they are
laid over one another, the recipe itself last. Tables merge key by key, everything else is replaced by the later file.
``LIST_add`` appends to the list that the files before have, instead of replacing it; so does ``sources_add``, a text.
``LIST_remove`` takes away from it. What a later file says of a file in the image, or of a unit, stands for what those
before say of the same. Tables that count on a condition are laid over their file in the same way; see conditions.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assembler.errors import AssembleError, Place, Problems
from assembler.reading import Reach, UnreadableError
from assembler.recipe.builtin import located
from assembler.recipe.conditions import part, without_condition
from assembler.recipe.document import MAX_RECIPE, MOST_VALUES, RecipeError, did_you_mean, parse, read_bytes
from assembler.recipe.model import Recipe
from assembler.recipe.parameters import apart
from assembler.recipe.strict import Strict
from assembler.recipe.tables import (
    ADD,
    EXCLUSIVE,
    EXTENDS,
    KEYED,
    NAMED,
    PARAGRAPHS,
    REMOVE,
    REPEATED,
    WORDS,
    appendable,
    reducible,
    table_of,
    values_of,
)
from assembler.releases import DEFAULT, RELEASES
from assembler.toml.document import Node, count
from assembler.toml.positions import Path as KeyPath
from assembler.toml.positions import Position

MAX_RECIPES = 64
"""Files in one recipe."""


def read_chain(path: Path, reach: Reach, outside: set[str]) -> list[Node]:
    """The documents of `path` and all that it extends, the most basic first, without their ``extends``.

    The names of those outside of the project are added to `outside`. Raises Problems with every file that is missing,
    out of reach or no TOML, and every cycle.
    """
    reader = _Reader(reach, outside)
    reader.enter(str(path), Path(), Place(file=str(path)), ())
    if not reader.errors and sum(map(count, reader.chain)) > MOST_VALUES:
        what = f"its files have more than {MOST_VALUES} values together"
        reader.errors.append(RecipeError(what, where=Place(file=str(path))))
    if reader.errors:
        raise Problems(reader.errors)
    return reader.chain


class _Reader:
    def __init__(self, reach: Reach, outside: set[str]) -> None:
        self.reach = reach
        self.outside = outside
        self.chain: list[Node] = []
        self.errors: list[AssembleError] = []
        self.seen: set[Path] = set()

    def enter(self, name: str, directory: Path, where: Place, above: tuple[Path, ...]) -> None:
        """Visit what is called `name` in `directory`."""
        try:
            path = located(name, directory, where, recipe=True)
        except RecipeError as error:
            self.errors.append(error)
        else:
            self.visit(path, where, above)

    def visit(self, path: Path, where: Place, above: tuple[Path, ...]) -> None:
        try:
            real = self.reach.find(path)
        except UnreadableError:
            real = path  # reading it says what is wrong
        if real in above:
            circle = " -> ".join(step.name for step in (*above[above.index(real) :], real))
            self.errors.append(RecipeError("a recipe cannot extend itself", where=where, why=circle))
            return
        if real in self.seen:
            return
        self.seen.add(real)
        if len(self.seen) > MAX_RECIPES:
            if len(self.seen) == MAX_RECIPES + 1:
                self.errors.append(RecipeError(f"a recipe has at most {MAX_RECIPES} files", where=where))
            return
        try:
            data, own = read_bytes(path, limit=MAX_RECIPE, where=where, what="the recipe", reach=self.reach)
            if not own:
                self.outside.add(str(path))
            document = parse(data, path)
        except RecipeError as error:
            self.errors.append(error)
            return
        for base in self.bases(document):
            self.enter(str(base.value), path.parent, base.place(), (*above, real))
        self.chain.append(document)

    def bases(self, document: Node) -> list[Node]:
        table: Any = document.value
        node = table.pop(EXTENDS, None)
        if node is None:
            return []
        names = node.value if isinstance(node.value, list) else [node]
        if len(names) > MAX_RECIPES:
            self.errors.append(RecipeError(f"a recipe has at most {MAX_RECIPES} files", where=node.place()))
            return []
        if not all(isinstance(name.value, str) and name.value for name in names):
            self.errors.append(RecipeError("must be a file name or an array of file names", where=node.place()))
            return []
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that a part of a recipe says, and that a later one takes away or says otherwise."""

    path: KeyPath
    """Of the value, or of the list that it was in."""
    was: Node
    by: Node
    """What stands for it, or takes it away."""
    removed: bool = False
    """Whether nothing stands for it."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Parts of a recipe laid over one another."""

    root: Node
    errors: list[RecipeError] = field(default_factory=list)
    """What is wrong with keys that end in `ADD` and `REMOVE`, and with sources."""
    changes: list[Change] = field(default_factory=list)
    appended: dict[KeyPath, list[Node]] = field(default_factory=dict)
    """Texts that were appended to others, by the path of these."""


def merge(parts: Sequence[Node]) -> Merged:
    """`parts` laid over one another. Their nodes stay as they are: those of the result are others."""
    result = Merged(Node({}, parts[-1].file, (), Position(0, 0)))
    for document in parts:
        result.root.value = _lay(result.root, document, Recipe, result).value
    assert isinstance(result.root.value, dict)
    debian = result.root.value.get("debian")
    if debian is not None and isinstance(debian.value, dict):
        _say_sources(debian.value, result.errors)
    return result


def _say_sources(debian: dict[str, Node], errors: list[RecipeError]) -> None:
    """Put the archives of a release in the place of its name, and what is added to a text that nobody has."""
    release, sources, more = debian.get("release"), debian.get("sources"), debian.pop(f"sources{ADD}", None)
    known = RELEASES.get(release.value) if release is not None and isinstance(release.value, str) else None
    if release is not None and sources is not None:
        hint = "leave one of them out, or say sources of that release"
        errors.append(RecipeError("counts for nothing beside sources", where=release.place(), hint=hint))
    elif known is not None or more is not None:
        place = release or more
        assert place is not None
        texts = [(known or DEFAULT).sources, *([str(more.value)] if more else ())]
        debian["sources"] = Node("\n\n".join(texts), place.file, place.path, place.position)
    if known is not None:
        del debian["release"]


def _lay(base: Node | None, later: Node, annotation: Any, merging: Merged) -> Node:
    """`later` over `base`; `annotation` is the type of what is there."""
    if isinstance(later.value, list):
        items = [_lay(None, item, table_of(annotation), merging) for item in later.value]
        return Node(items, later.file, later.path, later.position)
    if not isinstance(later.value, dict):
        return replace(later)
    values = values_of(annotation)
    table = None if values else table_of(annotation)
    merged = dict(base.value) if base is not None and isinstance(base.value, dict) else {}
    appended = {name + ADD: name for name in appendable(table)} if table else {}
    removed = {name + REMOVE: name for name in reducible(table)} if table else {}
    # What is taken away was there before, and an addition comes after what the same file puts in the list's place.
    for key, given in sorted(later.value.items(), key=lambda item: (item[0] in appended, item[0] not in removed)):
        name = appended.get(key) or removed.get(key) or key
        node = apart(given) if table and (table, name) in WORDS else given
        field = table.model_fields.get(name) if table else None
        inner = field.annotation if field else values[1] if values else None
        if table and (table, name) in PARAGRAPHS and key in appended:
            _append_text(merged, name, node, merging)
        elif key in appended:
            more = _lay(None, node, inner, merging)
            _make_room(merged, name, more, table, merging)
            _append(merged, name, more, merging.errors, again=table is not None and (table, name) not in REPEATED)
        elif key in removed:
            assert table is not None
            _remove(merged, name, node, table, merging)
        else:
            before = merged.get(key)
            merged[key] = _lay(before, node, inner, merging)
            if before is not None and not (isinstance(before.value, dict) and isinstance(node.value, dict)):
                path = without_condition(node.path)
                merging.changes.append(Change(path=path, was=before, by=merged[key]))
            merged.pop(key + ADD, None)
            merging.appended.pop(without_condition(node.path), None)
            _make_room(merged, name, merged[key], table, merging)
    return Node(merged, later.file, later.path, later.position)


def _append(merged: dict[str, Node], name: str, more: Node, errors: list[RecipeError], *, again: bool) -> None:
    """`again`: a text that a part before has is not added again. Twice in one part remains, and is a mistake."""
    if not isinstance(more.value, list):
        errors.append(RecipeError("must be an array", where=more.place()))
        return
    have = merged.get(name)
    if have is None:
        merged[name] = more
    elif isinstance(have.value, list):
        known = {item.value for item in have.value if isinstance(item.value, str) and part(item) != part(more)}
        new = [item for item in more.value if not (again and isinstance(item.value, str) and item.value in known)]
        merged[name] = Node([*have.value, *new], have.file, have.path, have.position)


def _make_room(merged: dict[str, Node], name: str, more: Node, table: type[Strict] | None, merging: Merged) -> None:
    """Take out what recipes below have and `more`, of the list `name`, stands for or contradicts."""
    if table is None or not isinstance(more.value, list):
        return
    others = [other for other in EXCLUSIVE.get(table, ()) if other != name and name in EXCLUSIVE[table]]
    if key := KEYED.get((table, name)):
        others = [name]
    new = {called: item for item in more.value if (called := _key(item, key)) is not None}
    for other in others:
        have = merged.get(other)
        if have is None or have is more or not isinstance(have.value, list):
            continue
        kept = []
        for item in have.value:
            if part(item) == part(more) or (by := new.get(_key(item, key))) is None:
                kept.append(item)
            else:
                path = (*without_condition(more.path)[:-1], other)
                merging.changes.append(Change(path=path, was=item, by=by, removed=other != name))
        merged[other] = Node(kept, have.file, have.path, have.position)


def _remove(merged: dict[str, Node], name: str, less: Node, table: type[Strict], merging: Merged) -> None:
    if not isinstance(less.value, list):
        merging.errors.append(RecipeError("must be an array", where=less.place()))
        return
    have = merged.get(name)
    items = have.value if have is not None and isinstance(have.value, list) else []
    key, name_of = KEYED.get((table, name)), NAMED.get((table, name))
    path = (*without_condition(less.path)[:-1], name)
    for each in less.value:
        gone = [item for item in items if _is_called(_key(item, key), each.value, name_of)]
        merging.changes.extend(Change(path=path, was=item, by=each, removed=True) for item in gone)
        if not gone:
            known = [text for item in items if isinstance(text := _key(item, key), str)]
            hint = did_you_mean(str(each.value), known) or "leave it out"
            merging.errors.append(RecipeError(f"no recipe below has it in {name}", where=each.place(), hint=hint))
        items = [item for item in items if not any(item is one for one in gone)]
    if have is not None:
        merged[name] = Node(items, have.file, have.path, have.position)


def _key(item: Node, key: str | None) -> object:
    """What tells `item` of a list from others: its value, or that of its `key`."""
    if not key:
        return item.value if isinstance(item.value, str) else None
    inner = item.value.get(key) if isinstance(item.value, dict) else None
    return inner.value if inner is not None and isinstance(inner.value, str) else None


def _is_called(item: object, name: object, name_of: Callable[[str], str] | None) -> bool:
    """Whether `item` is `name`, or has that name, if `name_of` says what its name is."""
    return item == name or (name_of is not None and isinstance(item, str) and name_of(item) == name)


def _append_text(merged: dict[str, Node], name: str, more: Node, merging: Merged) -> None:
    """The same for a text of paragraphs; where no file before has it, under its own name, until all are there."""
    if not isinstance(more.value, str):
        merging.errors.append(RecipeError("must be a string", where=more.place()))
        return
    place = name if name in merged else name + ADD
    have = merged.get(place, Node("", more.file, more.path, more.position))
    if isinstance(have.value, str):
        text = f"{have.value}\n\n{more.value}"
        merged[place] = Node(text, have.file, have.path, have.position)
        merging.appended.setdefault((*without_condition(more.path)[:-1], name), []).append(more)

"""``extends``: a recipe on top of others.

The files that a recipe names are read first, in their order, each after its own bases and each only once; then they are
laid over one another, the recipe itself last. Tables merge key by key, everything else is replaced by the later file.
``LIST_add`` appends to the list that the files before have, instead of replacing it; so does ``sources_add``, a text.
"""

from pathlib import Path
from typing import Any

from assembler.errors import AssembleError, Place, Problems
from assembler.reading import Reach, UnreadableError
from assembler.recipe.builtin import located
from assembler.recipe.document import MAX_RECIPE, MOST_VALUES, RecipeError, parse, read_bytes
from assembler.recipe.model import Recipe, Strict
from assembler.recipe.tables import ADD, PARAGRAPHS, appendable, table_of
from assembler.toml.document import Node, count

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
        node = table.pop("extends", None)
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


def merge(chain: list[Node]) -> tuple[Node, list[RecipeError]]:
    """`chain` laid over one another, and what is wrong with its ``_add`` keys."""
    errors: list[RecipeError] = []
    last = chain[-1]
    result = Node({}, last.file, (), last.position)
    for document in chain:
        result.value = _lay(result, document, Recipe, errors).value
    return result, errors


def _lay(base: Node | None, later: Node, table: type[Strict] | None, errors: list[RecipeError]) -> Node:
    """`later` over `base`; `table` is the type of the table there, or of the tables in the array there."""
    if isinstance(later.value, list):
        items = [_lay(None, item, table, errors) for item in later.value]
        return Node(items, later.file, later.path, later.position)
    if not isinstance(later.value, dict):
        return later
    merged = dict(base.value) if base is not None and isinstance(base.value, dict) else {}
    appended = {name + ADD: name for name in appendable(table)} if table else {}
    # An addition comes after what the same file puts in the list's place.
    for key, node in sorted(later.value.items(), key=lambda item: item[0] in appended):
        name = appended.get(key, key)
        field = table.model_fields.get(name) if table else None
        inner = table_of(field.annotation) if field else None
        if table and (table, name) in PARAGRAPHS and key in appended:
            _append_text(merged, name, node, str(table.model_fields[name].default), errors)
        elif key in appended:
            _append(merged, name, _lay(None, node, inner, errors), errors)
        else:
            merged[key] = _lay(merged.get(key), node, inner, errors)
    return Node(merged, later.file, later.path, later.position)


def _append(merged: dict[str, Node], name: str, more: Node, errors: list[RecipeError]) -> None:
    if not isinstance(more.value, list):
        errors.append(RecipeError("must be an array", where=more.place()))
        return
    have = merged.get(name)
    if have is None:
        merged[name] = more
    elif isinstance(have.value, list):
        merged[name] = Node([*have.value, *more.value], have.file, have.path, have.position)


def _append_text(merged: dict[str, Node], name: str, more: Node, default: str, errors: list[RecipeError]) -> None:
    """The same for a text of paragraphs, which is its default where no recipe has it."""
    have = merged.get(name)
    before = have.value if have else default
    if not isinstance(more.value, str):
        errors.append(RecipeError("must be a string", where=more.place()))
    elif isinstance(before, str):
        place = have or more
        merged[name] = Node(f"{before}\n\n{more.value}", place.file, place.path, place.position)

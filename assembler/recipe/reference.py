"""The reference of recipes as a page of Markdown, generated from the types, their defaults, docstrings and examples.

``docs/recipe.md`` is what ``assemble schema --reference`` prints; a test keeps it current.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from assembler.architecture import ARCHITECTURES, DEFAULT
from assembler.recipe.arguments import MAX_SUBSTITUTED
from assembler.recipe.checks import MAX_STEPS
from assembler.recipe.conditions import MAX_PROFILES
from assembler.recipe.document import MAX_RECIPE
from assembler.recipe.examples import EXAMPLES
from assembler.recipe.extend import MAX_RECIPES
from assembler.recipe.load import MAX_SEED
from assembler.recipe.model import Recipe
from assembler.recipe.named import MAX_FILE, MAX_FILES
from assembler.recipe.shapes import Shape
from assembler.recipe.strict import Strict
from assembler.recipe.tables import ADD, PARAGRAPHS, REMOVE, appendable, reducible, table_of
from assembler.toml import writing

_OTHER = next(name for name in ARCHITECTURES if name != DEFAULT.name)
"""An architecture for which something may be otherwise."""
_LONG = 90
"""Characters of a value that stands within a line."""

_HEAD = f"""\
# Recipe reference

This page is generated from the types in `assembler/recipe/model.py`: `assemble schema --reference > docs/recipe.md`.
`assemble schema` prints the same as JSON Schema, by which an editor completes and checks recipes. The recipes that
come with the assembler name it in their first line: `#:schema recipe.schema.json`.

A recipe is a [TOML 1.0](https://toml.io/en/v1.0.0) file. Unknown keys are errors, and values are never converted: a
number in quotes is a string. A build says all that is wrong at once, with file, line and column. Only `name` is
required.

## On top of others

```toml
extends = "livecd.toml"            # or an array of files, each relative to this one

[rootfs]
packages_add = ["chrony"]          # appends to the list of the recipe extended
packages_remove = ["systemd-timesyncd"]   # takes away from it
hostname = "node-1"                # replaces its value
```

The files that `extends` names are read first, each after its own and each only once. Tables merge key by key.
Everything else is replaced by the later file. For each list there is a second key with `{ADD}` at its end, which
appends instead, and for lists of names another one with `{REMOVE}`, which takes away. A file of `rootfs.files` stands
for one of the same path in a file before, and a unit is in that of `enable`, `disable` and `mask` in which the last
file has it.

## Profiles and architectures

```toml
[profile.debug.rootfs]             # counts with --profile debug
packages_add = ["gdb", "strace"]

[architecture.{_OTHER}.kernel]        # counts for images of that architecture
package = "linux-image-cloud-{_OTHER}"
```

A table `[profile.NAME]` or `[architecture.NAME]` holds what a recipe on top of its file could say, but for `extends`;
one of an architecture has no `arch` either. Several profiles may be asked for: `--profile debug --profile tiny`.

What a file says comes first, then its table of the image's architecture, then its profiles in the order of the command
line, each followed by its own table of the architecture (`[profile.debug.architecture.{_OTHER}]`). The next file is
laid over all of that. Profiles of the recipes extended count by the same names. Which architecture it is, is found out
without tables of architectures: from `arch`, profiles and arguments.

**The image of a profile has a name of its own**, and so a lock of its own: `livecd-debug` and `livecd-debug.lock.toml`
with `--profile debug`. A profile that has a `name` gives it another one. An architecture adds nothing to the name; say
`name = "node-${{ARCH}}"` where an argument decides it.

Tables that do not count are checked, too: keys, values, and how they go together with the files of the recipe. What
is wrong only because another profile is there or is missing, and files that are missing, are told when the profile is
asked for.

`assemble show RECIPE.toml` prints what a recipe comes to, and where each value is from; see
[command-line.md](command-line.md#what-a-recipe-comes-to).

## Arguments

```toml
[args]
HOSTNAME = "node-1"                # the default; --arg HOSTNAME=node-2 gives another

[rootfs]
hostname = "${{HOSTNAME}}"
```

`${{NAME}}` in any string becomes the argument's value. Only upper-case names in braces count, as recipes hold shell
and systemd text: `$HOME` and `$(date)` are what they are. `$${{NAME}}` stands for the text `${{NAME}}`. Secrets come
with `--arg-file NAME=PATH`; see [secrets.md](secrets.md).

## Files and limits

A recipe names files relative to the recipe file that says so. They lie below its project; see
[building.md](building.md#what-a-recipe-may-read).

| what | at most |
|---|---|
| a recipe file | {MAX_RECIPE >> 20} MiB |
| recipe files that extend one another | {MAX_RECIPES} |
| profiles | {MAX_PROFILES} |
| a file that a recipe names | {MAX_FILE >> 20} MiB |
| all files that a recipe names | {MAX_FILES >> 20} MiB |
| a file of the cloud-init seed | {MAX_SEED >> 20} MiB |
| steps of its own | {MAX_STEPS} |
| text that arguments become | {MAX_SUBSTITUTED >> 20} MiB |

## What goes together

- Exactly one of `content`, `source` and `link` says what a file is. No path is given twice. A link has neither mode
  nor owner.
- A unit is in one of `enable`, `disable` and `mask` at most. No list names anything twice.
- Exactly one of `script` and `file` says what a step executes. Nothing that it brings along has the place of another.
- No two users, and no two groups, get the same number from `rootfs.ids`.
- With `kernel.source = "distro"`, the keys of a compiled kernel are errors: `url`, `sha256`, `version`, `base` and
  `fragments`. With `"vanilla"` either `url` and `sha256` are given, or `package` names a package of source.
- A part of Kubernetes whose `source` is not `upstream` has no version, address or digest. Debian has neither kubelet
  nor kubeadm, and Docker's archive nothing but containerd, which conflicts with Debian's runc.
- An entry of `kernel.modules` has either `package`, or `url` and `sha256`. `kernel.modules_key` is an argument that is
  empty by default, and nothing else.
- What `rootfs.certificates`, `units`, `sysctl` and `modules` make is in no entry of `rootfs.files`.
- A login in an address (`https://user:password@host/`) is refused everywhere; see [secrets.md](secrets.md).
"""


@dataclass(slots=True)
class _Table:
    type: type[Strict]
    paths: list[str] = field(default_factory=list)
    """Where a recipe has such tables, as ``rootfs.files``."""
    array: bool = False

    @property
    def name(self) -> str:
        """How the table is called at the top of its section."""
        if not self.paths:
            return "top level"
        return "`, `".join(f"[[{path}]]" if self.array else f"[{path}]" for path in self.paths)


def reference() -> str:
    """The page, with a final line feed."""
    return "\n".join([_HEAD, *(line for table in _tables() for line in _section(table))])


def example(table: type[Strict], key: str) -> Any:
    """The first value that an example of `table` gives its `key`. Raises LookupError when none does."""
    for text in EXAMPLES[table.__name__]:
        for found in _values(tomllib.loads(text), _paths()[table.__name__]):
            if key in found:
                return found[key]
    raise LookupError(f"no example of {table.__name__}.{key}")


def _tables() -> list[_Table]:
    """Every type of table in the order of the recipe, an inner one after the one that it is in."""
    found: dict[str, _Table] = {}

    def visit(table: type[Strict], path: str, *, array: bool) -> None:
        entry = found.setdefault(table.__name__, _Table(table, array=array))
        if path:
            entry.paths.append(path)
        for name, info in table.model_fields.items():
            inner = table_of(info.annotation)
            if inner is not None:
                at = ".".join(filter(None, (path, name, *_any_keys(info.annotation))))
                visit(inner, at, array=get_origin(info.annotation) is list)

    visit(Recipe, "", array=False)
    return list(found.values())


def _any_keys(annotation: Any) -> Iterator[str]:
    """What stands in a path for the keys of tables that have any keys, as ``PACKAGE`` for "a package"."""
    if get_origin(annotation) is dict:
        of_keys, of_values = get_args(annotation)
        yield next(_shapes(of_keys, list(of_keys.__metadata__))).name.split()[-1].upper()
        yield from _any_keys(of_values)


def _paths() -> dict[str, list[str]]:
    return {table.type.__name__: table.paths for table in _tables()}


def _values(document: dict[str, Any], paths: list[str]) -> Iterator[dict[str, Any]]:
    """The tables at `paths` of a recipe's piece."""
    for path in paths or [""]:
        found: list[Any] = [document]
        for part in filter(None, path.split(".")):
            inside = [each.values() if part.isupper() else [each.get(part, {})] for each in found]
            found = [each for values in inside for each in values if isinstance(each, dict | list)]
        for value in found:
            yield from value if isinstance(value, list) else [value]


def _section(table: _Table) -> Iterator[str]:
    title = "Top level" if not table.paths else f"`{table.name}`"
    if len(table.paths) > 2:
        title = f"`[{table.paths[0].rpartition('.')[0]}.PART]`"
    yield f"## {title}\n"
    yield f"{_flow(table.type.__doc__ or '')}\n"
    if len(table.paths) > 2:
        yield f"These are {', '.join(f'`[{path}]`' for path in table.paths)}.\n"
    yield from (f"```toml\n{text}```\n" for text in EXAMPLES[table.type.__name__])
    for name, info in table.type.model_fields.items():
        inner = table_of(info.annotation)
        if inner is None or info.description:
            yield from _key(table, name, info)


def _key(table: _Table, name: str, info: FieldInfo) -> Iterator[str]:
    prefix = table.paths[0] if len(table.paths) == 1 else (table.paths or [""])[0].rpartition(".")[0] + ".PART"
    yield f"### `{f'{prefix}.' if table.paths else ''}{name}`\n"
    facts = [_type(info.annotation, info.metadata), _default(info)]
    if table_of(info.annotation) is None and len(text := as_toml(example(table.type, name))) <= _LONG:
        facts.append(f"for example `{text}`")
    yield f"{facts[0][0].upper()}{'; '.join(facts)[1:]}.\n"
    if info.description:
        yield f"{_flow(info.description)}\n"
    hints = list(dict.fromkeys(shape.hint for shape in _shapes(info.annotation, info.metadata)))
    if hints:
        yield f"Allowed: {'; '.join(hints)}.\n"
    if name in appendable(table.type):
        what = "paragraphs to the text" if (table.type, name) in PARAGRAPHS else "to the list"
        less = f"; `{name}{REMOVE}` takes away from it" if name in reducible(table.type) else ""
        yield f"`{name}{ADD}` appends {what} of the recipes extended{less}.\n"


def _flow(text: str) -> str:
    """A docstring as one paragraph."""
    return " ".join(text.split()).replace("``", "`")


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.get_default()
    if isinstance(default, Strict):
        return "optional"
    if default is None:
        return "absent unless given"
    text = as_toml(default)
    return f"default `{text}`" if len(text) <= _LONG else f"the default is\n\n```\n{default}```\n\nThe example is above"


def _shapes(annotation: Any, metadata: list[Any]) -> Iterator[Shape]:
    yield from (each for each in metadata if isinstance(each, Shape))
    for inner in get_args(annotation):
        yield from _shapes(inner, list(getattr(inner, "__metadata__", ())))


def _type(annotation: Any, metadata: list[Any]) -> str:
    """What values of a type are called, with an article."""
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        metadata = [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])]
    shape = next(_shapes(None, metadata), None)
    origin, inner = get_origin(annotation), get_args(annotation)
    if shape is not None:
        return shape.name
    if origin is Literal:
        return f"one of {', '.join(f'`{as_toml(value)}`' for value in inner)}"
    if origin is list:
        return "an array of tables" if table_of(inner[0]) else f"an array; each is {_type(inner[0], [])}"
    if origin is dict:
        return f"a table; each key is {_type(inner[0], [])}, each value {_type(inner[1], [])}"
    if inner and origin in {Union, UnionType}:
        return " or ".join(_type(part, metadata) for part in inner if part is not NoneType)
    if table_of(annotation):
        return "a table"
    if annotation is int:
        return f"an integer{_range(metadata)}"
    return {str: "a string", bool: "a boolean"}[annotation]


def _range(metadata: list[Any]) -> str:
    bounds = {name: getattr(each, name) for each in metadata for name in ("ge", "le", "lt") if hasattr(each, name)}
    return f" from {bounds['ge']} to {bounds.get('le', bounds.get('lt', 0) - 1)}" if bounds else ""


def as_toml(value: Any) -> str:
    """A value as TOML in one line."""
    match value:
        case dict():
            pairs = ", ".join(f"{writing.key(name)} = {as_toml(inner)}" for name, inner in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return f"[{', '.join(map(as_toml, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)

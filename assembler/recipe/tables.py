"""Looking up the types of a recipe by key path, for messages, merging and the schema."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin

from assembler.recipe.initrd import Initrd
from assembler.recipe.model import Debconf, Debian, Kernel, Kubernetes, Livecd, Recipe, Rootfs
from assembler.recipe.names import request
from assembler.recipe.parameters import name_of
from assembler.recipe.strict import Strict
from assembler.toml.positions import Path as KeyPath

ADD = "_add"
"""What is put after the name of a list to append to what a base recipe has: ``packages_add``."""
REMOVE = "_remove"
"""What is put after it to take away from that: ``packages_remove``."""
EXTENDS = "extends"
"""The key of a file that names those below it; see extend.py."""
PROFILE, ARCHITECTURE = "profile", "architecture"
"""The keys of a file with tables that count on a condition; see conditions.py."""
KEYED: Mapping[tuple[type[Strict], str], str] = MappingProxyType(
    {(Rootfs, "files"): "path", (Rootfs, "directories"): "path", (Initrd, "files"): "path"}
)
"""Lists of tables that are told apart by one of their keys: one in a recipe on top stands for one below."""
WORDS = frozenset({(Livecd, "cmdline")})
"""Lists of kernel parameters, which may be given as one text."""
NAMED: Mapping[tuple[type[Strict], str], Callable[[str], str]] = MappingProxyType(
    {(Rootfs, "packages"): lambda text: request(text)[0], (Livecd, "cmdline"): name_of}
)
"""Lists of what has a name and something after it (a version or a suite, a value): the name is enough to take it away.
"""
EXCLUSIVE: Mapping[type[Strict], tuple[str, ...]] = MappingProxyType({Rootfs: ("enable", "disable", "mask")})
"""Lists of which one at most has the same text: what a recipe on top puts into one is taken out of the others."""
REPEATED = frozenset(
    {
        (Rootfs, "rules"),
        (Rootfs, "certificates"),
        (Kernel, "fragments"),
        (Kubernetes, "manifests"),
        (Debconf, "preseed"),
        *WORDS,
    }
)
"""Lists to which a text is added that they have: of files, whose names are relative to the recipe, so that it may be
another one; and of kernel parameters, of which the last counts."""
PARAGRAPHS = frozenset({(Debian, "sources")})
"""Texts to which paragraphs are appended in the same way."""


def table_of(annotation: Any) -> type[Strict] | None:
    """The table that a field holds: itself, or in an array, or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    return next((table for table in map(table_of, get_args(annotation)) if table), None)


def table_at(path: KeyPath, root: type[Strict] = Recipe) -> type[Strict] | None:
    """The type of the table at `path` of a document of the type `root`; None where no table with known keys is."""
    annotation: Any = root
    for part in path:
        if isinstance(part, str):
            annotation = _below(annotation, part)
    return None if values_of(annotation) else table_of(annotation)


def _below(annotation: Any, key: str) -> Any:
    """The type of what is at `key` of a table, or of a table in an array."""
    if values := values_of(annotation):
        return values[1]
    table = table_of(annotation)
    field = table.model_fields.get(key) if table else None
    return field.annotation if field else None


def values_of(annotation: Any) -> tuple[Any, ...]:
    """The types of the keys and values of a table that has any keys; nothing for other types."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_args(annotation) if get_origin(annotation) is dict else ()


def appendable(table: type[Strict]) -> list[str]:
    """The fields of `table` that a recipe on top may append to: lists, and texts of paragraphs."""
    return [
        name
        for name, field in table.model_fields.items()
        if get_origin(field.annotation) is list or (table, name) in PARAGRAPHS
    ]


def reducible(table: type[Strict]) -> list[str]:
    """The fields of `table` that a recipe on top may take something away from: lists of texts, and those in `KEYED`."""
    return [
        name
        for name in appendable(table)
        if (table, name) in KEYED
        or (table_of(table.model_fields[name].annotation) is None and (table, name) not in PARAGRAPHS)
    ]


def keys(table: type[Strict], root: type[Strict] = Recipe) -> list[str]:
    """All keys that a file of the type `root` may use in `table`: a recipe may extend others and append to lists."""
    if root is not Recipe:
        return list(table.model_fields)
    extra = [EXTENDS, PROFILE, ARCHITECTURE] if table is Recipe else []
    further = [*(name + ADD for name in appendable(table)), *(name + REMOVE for name in reducible(table))]
    return [*table.model_fields, *further, *extra]


def homes(key: str, root: type[Strict] = Recipe) -> list[str]:
    """Names of the top-level tables that have a field `key`."""
    return [
        name
        for name, field in root.model_fields.items()
        if (table := table_of(field.annotation)) is not None and key in keys(table, root)
    ]

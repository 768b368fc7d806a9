"""The .debs that a recipe brings itself: by their digests they are a part of it, wherever the files are.

They are read here to be told from others, and once more when the recipe is locked. A file that is not there need not be
when the recipe says its digest: whoever has a recipe and its lock may have the package in the store.
"""

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from assembler.errors import Place
from assembler.reading import Reach
from assembler.recipe.builtin import located
from assembler.recipe.document import MissingFileError, RecipeError, explained
from assembler.recipe.names import FILE_PATH
from assembler.toml.document import Node, place
from assembler.toml.positions import Path as KeyPath

MAX_DEBS = 4000
""".debs in a directory; a recipe on a medium lists them."""
MAX_ENTRIES = 50_000
"""Whatever else is in it."""
MAX_DEPTH = 50
"""Directories in one another there."""
_LONGEST = 1024
"""Characters of a path below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFiles:
    """Where on this machine packages of a recipe are."""

    reach: Reach
    """What may be read."""
    debs: dict[str, Path] = field(default_factory=dict)
    """The .debs that the recipe brings and that are here, by their SHA-256 (hex)."""
    archives: dict[str, Path] = field(default_factory=dict)
    """Directories of archives that it names relative to itself, by :func:`root_of`."""


def root_of(path: str) -> str:
    """What a lock calls the archive in the directory that a recipe names by `path`: ``file:vendor``, or
    ``file:///srv/archive``.
    """
    quoted = quote(carried(path), safe="/~+:@!$&'()*,;=")
    return f"file://{quoted}" if path.startswith("/") else f"file:{quoted}"


def carried(path: str) -> str:
    """How a recipe on a medium calls what a recipe names by `path`: never by a way out of its own directory."""
    path = posixpath.normpath(path)
    return f"/{path.lstrip('/')}" if path.startswith("/") else re.sub(r"^(?:\.\.(?:/|$))+", "", path) or "."


def put_in_place(
    root: Node, data: dict[str, Any], local: LocalFiles, outside: set[str]
) -> list[tuple[KeyPath, RecipeError]]:
    """Put the digests of .debs into `data`, the values of `root`, wherever it names them by their paths.

    Where they are is noted in `local`, and names of files outside of the project in `outside`. Returns what is wrong,
    each with the key path of what is wrong.
    """
    errors: list[tuple[KeyPath, RecipeError]] = []
    for key, table in _named(data.get("debian")):
        where, name = place(root, key), table["path"]
        try:
            path = located(name, Path(where.file).parent, where)
            if key[1] == "archives" and table.get("suites"):
                _require_same(local.archives.setdefault(root_of(name), path), path, where)
                continue
            with explained(path, where=where, what="it", reach=local.reach):
                own = local.reach.owns(local.reach.find(path))
            if key[1] == "debs":
                table["sha256"] = _deb(path, table.get("sha256"), where, local)
            else:
                table["files"] = _directory(path, table.get("files"), where, local)
        except RecipeError as error:
            errors.append((key, error))
        else:
            if not own:
                outside |= {str(path), name}
    return errors


def names(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """The key path and name of each file and directory with packages."""
    return ((key, table["path"]) for key, table in _named(data.get("debian")))


def _named(debian: Any) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """The tables that name something by its path, each with the key path of that."""
    for name in ("debs", "archives"):
        tables = debian.get(name) if isinstance(debian, dict) else None
        for index, table in enumerate(tables if isinstance(tables, list) else ()):
            if isinstance(table, dict) and isinstance(table.get("path"), str) and table["path"]:
                yield ("debian", name, index, "path"), table


def _deb(path: Path, given: object, where: Place, local: LocalFiles) -> object:
    """The digest of the .deb at `path`, which is noted in `local`; the `given` one when there is no such file."""
    _require_name(path.name, where)
    try:
        digest = _digest(path, where, local.reach)
    except MissingFileError:
        if given:
            return given
        raise
    if given and given != digest:
        raise RecipeError("it is another file than sha256 says", where=where, why=f"its SHA-256 is {digest}")
    local.debs[digest] = path
    return digest


def _directory(path: Path, given: object, where: Place, local: LocalFiles) -> object:
    """The digests of the .debs below `path`, by their paths there; those that are there are noted in `local`.

    They are the `given` ones, which need not be there, or all that are.
    """
    if isinstance(given, dict) and given:
        for name, digest in given.items():
            if isinstance(name, str) and re.fullmatch(FILE_PATH, name):
                with suppress(MissingFileError):
                    if _digest(path / name, where, local.reach) != digest:
                        raise RecipeError("a .deb is another file than files says", where=where, why=name)
                    local.debs[digest] = path / name
        return given
    with explained(path, where=where, what="the directory", reach=local.reach):
        real = local.reach.find(path)
    digests = {name: _digest(path / name, where, local.reach) for name in sorted(_below(real, where))}
    if not digests:
        hint = "an archive with a signed Release has suites: ./ when that lies in the directory itself"
        raise RecipeError("the directory has no .debs", where=where, why=str(path), hint=hint)
    local.debs.update({digest: path / name for name, digest in digests.items()})
    return digests


def _below(real: Path, where: Place) -> Iterator[str]:
    """The paths of .debs below the directory `real`. Links to directories, and what is hidden, are passed over."""
    seen, debs, directories = 0, 0, [""]
    while directories:
        prefix = directories.pop()
        try:
            with os.scandir(real / prefix) as entries:
                listed = list(entries)
        except FileNotFoundError as error:
            raise MissingFileError("the directory is missing", where=where, why=str(real)) from error
        except OSError as error:
            hint = "a .deb alone is named in debian.debs" if prefix == "" and real.suffix == ".deb" else ""
            why = error.strerror or str(error)
            raise RecipeError("the directory cannot be read", where=where, why=why, hint=hint) from error
        seen += len(listed)
        for entry in listed:
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                directories.append(f"{name}/")
            elif entry.name.endswith(".deb"):
                _require_name(name, where)
                debs += 1
                yield name
        if debs > MAX_DEBS or seen > MAX_ENTRIES or prefix.count("/") > MAX_DEPTH:
            why = f"at most {MAX_DEBS} .debs, {MAX_ENTRIES} files and {MAX_DEPTH} directories in one another are read"
            raise RecipeError("the directory is too large", where=where, why=why)


def _require_same(known: Path, path: Path, where: Place) -> None:
    if known != path:
        raise RecipeError("another archive is called so, too", where=where, why=f"it is {known}", hint="rename one")


def _require_name(name: str, where: Place) -> None:
    if len(name) > _LONGEST or not re.fullmatch(FILE_PATH, name):
        hint = "rename it: printable ASCII, at most 1024 characters"
        raise RecipeError("a .deb has a name that no lock has", where=where, why=ascii(name[:200]), hint=hint)


def _digest(path: Path, where: Place, reach: Reach) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with explained(path, where=where, what="the package", reach=reach):
        return reach.measure(path)[2]

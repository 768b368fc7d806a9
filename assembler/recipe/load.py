"""From a recipe file to a checked recipe: reading, extending, arguments, types, and the files that it names."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assembler.errors import AssembleError, Place, Problems
from assembler.reading import Reach, UnreadableError
from assembler.recipe import arguments, brought, certificates, debs, names
from assembler.recipe.additions import File
from assembler.recipe.builtin import located
from assembler.recipe.checks import named_files, named_trees
from assembler.recipe.conditions import chosen, known, nameless, part, taken_apart, unknown
from assembler.recipe.document import RecipeError
from assembler.recipe.extend import Change, read_chain
from assembler.recipe.given import without
from assembler.recipe.in_full import in_full
from assembler.recipe.model import Recipe, Scripts
from assembler.recipe.named import MAX_FILE, NamedFile, NamedFiles
from assembler.recipe.resolve import MAX_ERRORS, Given, context_of, resolve, wrong_elsewhere
from assembler.toml.document import Node, at, dotted, place
from assembler.toml.positions import Path as KeyPath

MAX_SEED = 1 << 20
"""Bytes of a file of the cloud-init seed; clouds take 16 to 64 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a recipe became what it is, besides the places of its nodes."""

    said: Recipe
    """What its files say, in short: `root` as a recipe."""
    parts: tuple[tuple[Path, KeyPath], ...]
    """What was laid over one another: file, and path of the table in it."""
    profiles: tuple[str, ...]
    """Those that were asked for."""
    nameless: tuple[str, ...]
    """Those of which the image has its name, after that in its files."""
    written: Mapping[KeyPath, str]
    """Strings with references to arguments, as the files have them."""
    defaults: Mapping[str, str]
    """Of the arguments that were given, by name."""
    secret: frozenset[str]
    """Names of those that are secrets."""
    scripts: bool
    """Whether `rootfs.scripts` was given."""
    changes: Sequence[Change]
    """What no longer counts."""
    appended: Mapping[KeyPath, Sequence[Node]]
    """Texts that were appended to others, by the path of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRecipe:
    """A recipe, complete and free of contradictions."""

    recipe: Recipe
    path: Path
    """The recipe file, as it was named: one that comes along has a name in the working directory (see builtin.py)."""
    sources: tuple[Path, ...]
    """All recipe files that went into it, the most basic first, that of `path` last."""
    sha256: str
    """Of the canonical JSON of the recipe after ``extends`` and arguments, without what equals its default: neither
    comments, order, line ends nor a new kind of key change it. The contents of `files` are not part of it."""
    inputs_sha256: str
    """The same of those parts only that decide what is locked: another password or host name needs no new lock."""
    files: Mapping[str, NamedFile]
    """By the key that names them: ``rootfs.files[2].source``, ``cloudinit.user_data``."""
    reach: Reach
    """What the recipe may read."""
    local: debs.LocalFiles
    """Where packages of it are on this machine."""
    outside: frozenset[str] = frozenset()
    """Names of files that were read outside of the project, because whoever runs the recipe allows it."""
    hidden: frozenset[str] = field(default=frozenset(), repr=False)
    """Values of arguments that are secrets, or stand in these files."""

    root: Node | None = field(default=None, repr=False, compare=False)
    """The recipe's values, each with where it stands."""
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """What stands in `recipe` at length, with the key that said it in short; see recipe/expand.py."""
    history: History | None = field(default=None, repr=False, compare=False)

    @contextmanager
    def discreet(self) -> Iterator[None]:
        """Within, errors tell no secrets, and nothing of what files outside of the project hold; see `discreet`.

        Those that speak of a key of the recipe say in which file and line it is.
        """
        try:
            yield
        except Problems as error:
            raise Problems([self.told(one) for one in error.errors]) from error
        except AssembleError as error:
            if (told := self.told(error)) is error:
                raise
            raise told from error

    def told(self, error: AssembleError) -> AssembleError:
        """`error` as :meth:`discreet` lets it be told."""
        error.where = self._located(error.where)
        if (against := self._located(error.against)).file:
            error.details = (*error.details, f"the other is at {against}")
            error.hint = error.hint or "leave one out; packages_remove does that for what another recipe asks for"
        error.against = Place()
        return _told(error, self.outside, self.hidden)

    def _located(self, where: Place) -> Place:
        """`where` with the line that says so, if it is of the recipe."""
        key = where.key
        if where.package and not (key or where.file) and (index := self._requested(where.package)) is not None:
            key = f"rootfs.packages[{index}]"
        key = self._as_written(key)
        if key and not where.file and self.root and (found := _find(self.root, key)):
            line, column = found.position.line, found.position.column
            return replace(where, key=key, file=str(found.file), line=line, column=column)
        return where

    def _as_written(self, key: str) -> str:
        """The key that said what `key` is of, which may stand at length."""
        made, dot, _ = key.partition("].")
        return self.origins.get(made + "]" if dot else key, key)

    def _requested(self, package: str) -> int | None:
        """Which of the recipe's packages is `package`."""
        called = [names.request(each)[0] for each in self.recipe.rootfs.packages]
        return called.index(package) if package in called else None

    @property
    def lock_path(self) -> Path:
        """Where this recipe's lock is: beside it, or in the working directory for one that comes along."""
        return self.path.with_name(f"{self.recipe.name}.lock.toml")


_NO_INPUTS: dict[str, Any] = {
    "args": True,  # their values are in place already
    "debian": {
        # What comes from there is signed, whoever sends it.
        "mirror": True,
        "mirror_security": True,
        # What is there is known by its digest.
        "archives": {"__all__": {"path"}},
        "debs": {"__all__": {"path"}},
    },
    "rootfs": {
        "first_boot",
        "rules",
        "scripts",
        "debconf",
        "run",
        "ids",
        "hostname",
        "root_password",
        "locale",
        "timezone",
        "exclude",
        "include",
        "enable",
        "disable",
        "mask",
        "directories",
        "users",
        "groups",
        "locales",
        "keymap",
        "remove",
    },
    "artifacts": True,
    "kernel": {"base", "fragments", "modules_key"},
    "kubernetes": {"manifests"},
    "initrd": True,
    "livecd": True,
    "cloudinit": True,
}
"""What has no say in which packages and files a lock names."""


def _inputs(recipe: Recipe) -> str:
    """The digest of what decides what is locked: of files, those that have an address."""
    files = [File(path="/x", url=file.url, sha256=file.sha256) for file in recipe.rootfs.files if file.url]
    rootfs = recipe.rootfs.model_copy(update={"files": files})
    return digest(recipe.model_copy(update={"rootfs": rootfs}), exclude=_NO_INPUTS)


def digest(recipe: Recipe, *, exclude: dict[str, Any] | None = None) -> str:
    """SHA-256 (hex) of a recipe's canonical JSON, `exclude` (as pydantic's model_dump takes it) left out."""
    values = recipe.model_dump(mode="json", exclude_defaults=True, exclude=exclude)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def discreet(outside: Collection[str], hidden: Collection[str]) -> Iterator[None]:
    """Within, an error that speaks of a file in `outside` says where in it something is wrong, and not what is there.

    In the texts of all errors, values in `hidden` are ellipses. A recipe may be a stranger's: what it is allowed to
    take from elsewhere is for the image, not for a log.
    """
    try:
        yield
    except Problems as error:
        raise Problems([_told(one, outside, hidden) for one in error.errors]) from error
    except AssembleError as error:
        if (told := _told(error, outside, hidden)) is error:
            raise
        raise told from error


def _told(error: AssembleError, outside: Collection[str], hidden: Collection[str]) -> AssembleError:
    return _without(_discreet(error, outside), hidden)


def _without(error: AssembleError, hidden: Collection[str]) -> AssembleError:
    texts = [error.what, error.why, error.hint, *error.details]
    what, why, hint, *details = told = [without(text, hidden) for text in texts]
    return error if told == texts else AssembleError(what, where=error.where, why=why, hint=hint, details=details)


def _discreet(error: AssembleError, outside: Collection[str]) -> AssembleError:
    file, texts = error.where.file, (error.what, error.why, error.hint, *error.details)
    name = next(
        (
            name
            for name in sorted(outside)
            if file == name or file.startswith(f"{name}, ") or any(f"{name}:" in text for text in texts)
        ),
        "",
    )
    if not name:
        return error
    place = error.where if file.startswith(name) else Place()
    return AssembleError(
        "something is wrong in a file outside of the recipe's project",
        where=Place(file=name, line=place.line, column=place.column),
        hint="what it holds is shown only where it is of the project (--project)",
    )


def load(
    path: Path,
    args: Mapping[str, str] | None = None,
    *,
    profiles: Sequence[str] = (),
    project: Path | None = None,
    allow_read: Sequence[Path] = (),
    scripts: Scripts | None = None,
) -> LoadedRecipe:
    """The recipe in the file `path` with `profiles`, with `args` in place of its arguments' defaults, and as if it said
    `scripts`.

    It reads only files below its `project`, by default the directory that it is in, and recipes that come with the
    assembler; and what is below `allow_read`. Raises Problems with everything that is wrong in it at once, each with
    its file, line, column and key. Values of `Arguments` that do not stand on the command line are in no error.
    """
    try:
        reach = Reach.of(path, project, allow_read)
    except UnreadableError as error:
        raise Problems(
            [RecipeError("the recipe cannot be read", where=Place(file=str(path)), why=error.why)]
        ) from error
    given = Given(args=args or {}, scripts=scripts)
    with discreet(given.outside, given.hidden):
        return _load(path, profiles, reach, given)


def profiles_of(path: Path) -> list[str]:
    """The names of the profiles that the recipe in the file `path` and those below it have. Raises Problems."""
    try:
        chain = read_chain(path, Reach.of(path), set())
    except UnreadableError as error:
        raise Problems([RecipeError("the recipe cannot be read", where=Place(file=str(path)))]) from error
    return known([taken_apart(document)[0] for document in chain])


def _load(path: Path, profiles: Sequence[str], reach: Reach, given: Given) -> LoadedRecipe:
    outside = given.outside
    chain = read_chain(path, reach, outside)
    parts, errors = [], list[AssembleError]()
    for document in chain:
        taken, found = taken_apart(document)
        parts.append(taken)
        errors += found
    errors += unknown(parts, profiles, path)
    context = context_of(parts, profiles, given)
    local = debs.LocalFiles(reach=reach)

    def put_in_place(root: Node, data: dict[str, Any]) -> list[tuple[KeyPath, AssembleError]]:
        found = certificates.put_in_place(root, data, reach, outside)
        return [*((("debian", "archives"), error) for error in found), *debs.put_in_place(root, data, local, outside)]

    def leave_out(_: Node, data: dict[str, Any]) -> list[tuple[KeyPath, AssembleError]]:
        certificates.leave_out(data)
        return []

    resolved = resolve(parts, context, given, put_in_place)
    resolved.require(context)
    errors += resolved.errors
    room = MAX_ERRORS - len(errors)
    errors += wrong_elsewhere(parts, context, given, leave_out)[: max(room, 0)]
    root, recipe = resolved.root, resolved.recipe
    files = NamedFiles(reach, outside)
    for key, called, name in _named(resolved.data):
        if key in resolved.wrong or len(errors) >= MAX_ERRORS or files.full:
            continue
        try:
            _read(root, key, called, name, files)
        except RecipeError as error:
            errors.append(error)
    try:
        brought.require_listable(files.found, place(root, ("rootfs", "run")))
    except RecipeError as error:
        errors.append(error)
    at_length = None
    if recipe is not None and not errors:
        at_length, wrong = in_full(recipe, root, files, resolved.values)
        errors += wrong
    if errors or recipe is None or at_length is None:
        raise Problems(sorted(errors, key=lambda error: (error.where.file, error.where.line, error.where.column)))
    return LoadedRecipe(
        recipe=at_length.recipe,
        path=path,
        sources=tuple(document.file for document in chain),
        sha256=digest(at_length.recipe),
        inputs_sha256=_inputs(at_length.recipe),
        files=files.found,
        reach=reach,
        local=local,
        outside=frozenset(outside),
        hidden=frozenset(given.hidden),
        root=root,
        origins=at_length.origins,
        history=History(
            said=recipe,
            parts=tuple(map(part, chosen(parts, context))),
            profiles=context.profiles,
            nameless=nameless(parts, context),
            written=resolved.written,
            defaults=resolved.defaults,
            secret=frozenset(arguments.secret(given.args)),
            scripts=given.scripts is not None,
            changes=resolved.changes,
            appended=resolved.appended,
        ),
    )


def _named(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """Every host file or directory that a recipe names: its key path, what its files are called, and its name."""
    for key, name in named_files(data):
        if name:
            yield key, dotted(key), name
    for key, target, name in named_trees(data):
        if name and target and isinstance(key[2], int):
            yield key, brought.key(key[2], target), name


def _read(root: Node, key: KeyPath, called: str, name: str, files: NamedFiles) -> None:
    """Read the file, or the files of the directory, that the recipe names at `key`. Raises RecipeError."""
    where = place(root, key)
    file = located(name, at(root, key).file.parent, where)
    if key[:2] == ("rootfs", "run") and "files" in key:
        for target, path in brought.places(file, called, where, files.reach):
            files.read(target, path, where, called=name)
    elif key[:2] == ("rootfs", "files"):
        files.read_any(called, file, where, called=name)
    else:
        files.read(called, file, where, called=name, limit=MAX_SEED if key[0] == "cloudinit" else MAX_FILE)


def _find(node: Node, key: str) -> Node | None:
    """The value that a dotted key speaks of, as :func:`assembler.toml.document.dotted` writes it."""
    found: list[tuple[Node, KeyPath]] = [(node, ())]
    while found:
        node, path = found.pop()
        name = dotted(path)
        if name == key:
            return node
        if key.startswith(name):
            if isinstance(node.value, dict):
                found += [(inner, (*path, part)) for part, inner in node.value.items()]
            elif isinstance(node.value, list):
                found += [(inner, (*path, index)) for index, inner in enumerate(node.value)]
    return None

"""Files and directories of a recipe, put into a configured tree; and what it removes at last."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from assembler.configure.errors import SettingError
from assembler.errors import AssembleError, Place, Problems
from assembler.patterns import pattern_to_regex
from assembler.programs.accounts import AccountError, Accounts
from assembler.programs.sysusers import sysusers
from assembler.recipe.additions import Directory, File
from assembler.recipe.model import Rootfs
from assembler.tree.content import Content
from assembler.tree.staging import Inode, Kind, Tree, TreeError

_SYSUSERS = ("/etc/sysusers.d/", "/usr/lib/sysusers.d/", "/usr/local/lib/sysusers.d/")
"""Where sysusers.d(5) are."""


def put_in(tree: Tree, recipe: Rootfs, files: Mapping[str, Content], epoch: int) -> Iterator[tuple[str, AssembleError]]:
    """Put the files and directories of `recipe` into `tree`; returns what is wrong, each with the key that it is of.

    `files` has what keys name, as ``rootfs.files[3].source``. Files of sysusers.d(5) come first, and then the accounts
    that they are for, as others may belong to these; `epoch` in seconds is their day.
    """
    named = [(f"rootfs.files[{index}]", file) for index, file in enumerate(recipe.files)]
    first = [each for each in named if _is_of_sysusers(each[1])]
    written: dict[str, str] = {}
    yield from _files(tree, first, files, written)
    if first:
        try:
            sysusers(tree, epoch=epoch)
        except (AccountError, TreeError) as error:
            yield first[0][0], error
    for index, directory in enumerate(recipe.directories):
        try:
            _directory(tree, directory)
        except AssembleError as error:
            yield f"rootfs.directories[{index}]", error
    yield from _files(tree, [each for each in named if each not in first], files, written)


def _is_of_sysusers(file: File) -> bool:
    return file.path.startswith(_SYSUSERS) and file.path.endswith(".conf")


def _files(
    tree: Tree, named: Sequence[tuple[str, File]], files: Mapping[str, Content], written: dict[str, str]
) -> Iterator[tuple[str, AssembleError]]:
    for key, file in named:
        try:
            _require_free(tree, file, key, written)
            _file(tree, file, files, key)
        except AssembleError as error:
            yield key, error


def _require_free(tree: Tree, file: File, key: str, written: dict[str, str]) -> None:
    """Raise SettingError when another file of the recipe is at the same place, by another name; note it otherwise.

    `written` are the keys of the files before it, by their places.
    """
    parent, _, name = file.path.rpartition("/")
    place = f"{tree.resolve(parent or '/', follow=True).rstrip('/')}/{name}"
    other = written.setdefault(place, key)
    if other != key:
        raise SettingError(
            "two files of the recipe are at the same place",
            where=Place(path=file.path),
            why=f"{other} is at {place}, too",
            hint="remove one of them",
        )


def _file(tree: Tree, file: File, files: Mapping[str, Content], key: str) -> None:
    """One file; parents that are missing are made, what is there is replaced but for a directory."""
    found = tree.get(file.path)
    if found is not None and found.kind is Kind.DIR:
        raise SettingError("a directory is in the way of a file", where=Place(path=file.path))
    if file.link is not None:
        tree.symlink(file.link, file.path, parents=True)
        return
    key = f"{key}.{'source' if file.source is not None else 'url'}"
    data = (file.content or "").encode() if file.content is not None else files[key]
    uid, gid = _owner(tree, file)
    tree.put(file.path, Inode(Kind.FILE, int(file.mode, 8), uid, gid, tree.mtime, content=data), parents=True)


def _directory(tree: Tree, directory: Directory) -> None:
    """One directory, which is made where it is missing."""
    found = tree.get(directory.path, follow=True)
    if found is not None and found.kind is not Kind.DIR:
        raise SettingError("a file is in the way of a directory", where=Place(path=directory.path))
    made = found or tree.mkdir(directory.path, parents=True)
    made.uid, made.gid = _owner(tree, directory, made)
    if directory.mode:
        made.mode = int(directory.mode, 8)


def _owner(tree: Tree, owned: File | Directory, otherwise: Inode | None = None) -> tuple[int, int]:
    """The numbers of user and group; those of `otherwise` where the recipe does not say. Raises SettingError."""
    accounts = Accounts(tree)
    try:
        uid = accounts.uid(owned.owner) if owned.owner or otherwise is None else otherwise.uid
        gid = accounts.gid(owned.group) if owned.group or otherwise is None else otherwise.gid
    except AccountError as error:
        hint = "the accounts are those of the image's packages, and of rootfs.users and rootfs.groups"
        raise SettingError(error.what, where=Place(path=owned.path), hint=hint) from error
    return uid, gid


def remove(tree: Tree, patterns: Sequence[str], conffiles: Collection[str]) -> None:
    """Remove what `patterns` fit, with all below it. `conffiles` are those that dpkg knows.

    Raises Problems for patterns that fit nothing, and those that take a conffile away without naming it: dpkg would say
    nothing of it, and never bring it back.
    """
    problems: list[AssembleError] = []
    for index, pattern in enumerate(patterns):
        where = Place(key=f"rootfs.remove[{index}]")
        regex = pattern_to_regex(pattern)
        fits = [path for path, _ in tree.walk() if path != "/" and regex.match(path)]
        lost = sorted(path for path, _ in tree.walk() if path in conffiles and _is_below(path, fits))
        if not fits:
            hint = "leave it out; * stands for / too"
            problems.append(SettingError("nothing in the image fits this", where=where, why=pattern, hint=hint))
        elif lost and lost != [pattern]:
            others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            why = f"{lost[0]}{others}: dpkg takes a conffile that is missing for deleted, and never brings it back"
            hint = "if that is meant, name each by its whole path"
            problems.append(SettingError("this takes conffiles away", where=where, why=why, hint=hint))
        else:
            for path in fits:
                tree.discard(path)
    if problems:
        raise Problems(problems)


def _is_below(path: str, tops: Sequence[str]) -> bool:
    return any(path == top or path.startswith(f"{top}/") for top in tops)

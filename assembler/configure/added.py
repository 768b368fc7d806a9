"""Files and directories of a recipe, put into a configured tree; and what it removes at last."""

from collections.abc import Iterator, Mapping, Sequence

from assembler.configure.errors import SettingError
from assembler.debian.dpkg_database import conffiles
from assembler.debian.package import Unpacked
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
    first, others = list[tuple[str, File]](), list[tuple[str, File]]()
    for index, file in enumerate(recipe.files):
        (first if _is_of_sysusers(file) else others).append((f"rootfs.files[{index}]", file))
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
    yield from _files(tree, others, files, written)


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
    if file.content is not None:
        data: Content = file.content.encode()
    else:
        data = files[f"{key}.{'url' if file.source is None else 'source'}"]
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


def remove(tree: Tree, patterns: Sequence[str], packages: Sequence[Unpacked]) -> None:
    """Remove what `patterns` fit, with all below it, from `tree`, which has these packages.

    Raises Problems for patterns that fit nothing, and those that take a conffile away without naming it: dpkg would say
    nothing of it, and never bring it back.
    """
    if not patterns:
        return
    problems: list[AssembleError] = []
    known = {path for package in packages for path, _ in conffiles(package)}
    for index, pattern in enumerate(patterns):
        where = Place(key=f"rootfs.remove[{index}]")
        regex = pattern_to_regex(pattern)
        gone: set[str] = set()
        lost: list[str] = []
        fits: list[str] = []
        for path, _ in tree.walk():
            if path != "/" and regex.match(path):
                fits.append(path)
            # A directory is walked before what is in it.
            if fits and (fits[-1] == path or path.rpartition("/")[0] in gone):
                gone.add(path)
                if path in known:
                    lost.append(path)
        if not fits:
            hint = "leave it out; * stands for / too"
            problems.append(SettingError("nothing in the image fits this", where=where, why=pattern, hint=hint))
        elif lost and lost != [pattern]:
            others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            why = f"{min(lost)}{others}: dpkg takes a conffile that is missing for deleted, and never brings it back"
            hint = "if that is meant, name each by its whole path"
            problems.append(SettingError("this takes conffiles away", where=where, why=why, hint=hint))
        else:
            for path in fits:
                tree.discard(path)
    if problems:
        raise Problems(problems)

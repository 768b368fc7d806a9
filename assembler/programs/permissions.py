"""chmod(1), chown(1) and chgrp(1), after POSIX.1-2017 and GNU coreutils 9.

An operand that fails does not keep the others from being dealt with; the exit status is 1 then.
"""

import re
from collections.abc import Callable, Iterator

from assembler.programs.accounts import AccountError, Accounts
from assembler.programs.capabilities import XATTR
from assembler.programs.context import Action, ExecutionContext, Maker, each, known_options, look
from assembler.programs.modes import Mode, parse_mode
from assembler.tree.staging import Inode, Kind, Tree

_LOOKS_LIKE_OPTION = re.compile(r"-[rwxXstugo]+")
"""A mode that takes permissions away, in the place of an option."""


def give(inode: Inode, uid: int | None, gid: int | None) -> None:
    """Change the owner and group of an inode as root; None leaves one as it is.

    Linux takes privileges from a file on the way (chown(2)): the set-user-ID bit, the set-group-ID bit where the group
    may execute, and capabilities.
    """
    inode.uid = inode.uid if uid is None else uid
    inode.gid = inode.gid if gid is None else gid
    if inode.kind is not Kind.DIR and inode.kind is not Kind.SYMLINK:
        inode.mode &= ~0o4000
        if inode.mode & 0o010:
            inode.mode &= ~0o2000
        inode.xattrs.pop(XATTR, None)


def change_owner(tree: Tree, inode: Inode, user: str, group: str) -> None:
    """Give an inode to a user and group by name or number; an empty one stays as it is. Raises AccountError."""
    accounts = Accounts(tree)
    give(inode, accounts.uid(user) if user else None, accounts.gid(group) if group else None)


def _below(top: Inode) -> Iterator[Inode]:
    """An inode and all below it, links themselves, as fts(3) visits them physically."""
    pending = [top]
    while pending:
        inode = pending.pop()
        yield inode
        pending += inode.children.values()


def _referred(arguments: list[str]) -> tuple[str, list[str]] | None:
    """The file of ``--reference=FILE``, and the paths; None where there is none, or another option."""
    files = [word for word in arguments if word.startswith("--reference=")]
    paths = [word for word in arguments if word not in files]
    if len(files) != 1 or not paths or any(word.startswith("-") for word in paths):
        return None
    return files[0].partition("=")[2], paths


def _as_another(arguments: list[str], change: Callable[[Inode, Inode], None]) -> Action | None:
    """What gives files what another one has, which `change` takes after them."""
    referred = _referred(arguments)
    if referred is None:
        return None
    name, paths = referred

    def run(context: ExecutionContext) -> int:
        reference = look(context.tree, name) if name else None
        if reference is None:
            return 1

        def as_that(path: str) -> bool:
            inode = look(context.tree, path) if path else None
            if inode is not None:
                change(inode, reference)
            return inode is not None

        return each(paths, as_that)

    return run


def _take_mode(inode: Inode, reference: Inode) -> None:
    inode.mode = reference.mode


def chmod(arguments: list[str]) -> Action | None:
    """``chmod``, with a mode of any kind, or that of another file (``--reference``)."""
    if any(word.startswith("--reference") for word in arguments):
        return _as_another(arguments, _take_mode)
    recursive, words, surprising = False, list[str](), False
    for number, word in enumerate(arguments):
        if word == "--":
            words += arguments[number + 1 :]
            break
        if _LOOKS_LIKE_OPTION.fullmatch(word):
            # GNU's habit: an option that is a mode counts as one, wherever it is; further ones go on from it.
            if surprising or words:
                return None
            words.append(word)
            surprising = True
        elif word in {"-R", "--recursive"}:
            recursive = True
        elif word.startswith("-") and word not in {"-f", "--silent", "--quiet", "-v", "--verbose", "-c", "--changes"}:
            return None
        elif not word.startswith("-"):
            words.append(word)
    mode = parse_mode(words[0]) if len(words) > 1 else None
    if mode is None:
        return None

    def run(context: ExecutionContext) -> int:
        def change(path: str) -> bool:
            top = look(context.tree, path)
            if top is None:
                return False
            good = True
            for inode in _below(top) if recursive else [top]:
                if inode.kind is not Kind.SYMLINK:
                    good = _change(inode, mode, context.umask, surprising=surprising) and good
            return good

        return each(words[1:], change)

    return run


def _change(inode: Inode, mode: Mode, umask: int, *, surprising: bool) -> bool:
    """Give an inode its new mode; whether it is what somebody expects who does not think of the umask."""
    directory = inode.kind is Kind.DIR
    naive = mode.applied(inode.mode, directory=directory, umask=0)
    inode.mode = mode.applied(inode.mode, directory=directory, umask=umask)
    return not surprising or not inode.mode & ~naive


def make_chown(*, group_only: bool) -> Maker:
    """``chown``; ``chgrp`` when `group_only`."""

    def take_owner(inode: Inode, reference: Inode) -> None:
        give(inode, None if group_only else reference.uid, reference.gid)

    def make(arguments: list[str]) -> Action | None:
        if any(word.startswith("--reference") for word in arguments):
            return _as_another(arguments, take_owner)
        parsed = known_options(
            arguments, "R|recursive h|no-dereference dereference f|silent|quiet v|verbose c|changes P"
        )
        if parsed is None or len(parsed[1]) < 2:
            return None
        options, (owner, *paths) = parsed
        recursive = "R" in options
        itself = recursive or "h" in options
        if "dereference" in options and itself:
            return None

        def run(context: ExecutionContext) -> int:
            try:
                uid, gid = _numbers(Accounts(context.tree), owner, group_only=group_only)
            except AccountError:
                return 1

            def change(path: str) -> bool:
                top = look(context.tree, path, follow=not itself)
                if top is None:
                    return False
                for inode in _below(top) if recursive else [top]:
                    give(inode, uid, gid)
                return True

            return each(paths, change)

        return run

    return make


def _numbers(accounts: Accounts, owner: str, *, group_only: bool) -> tuple[int | None, int | None]:
    """The user and group that ``USER[:[GROUP]]`` means; None for one that stays. Raises AccountError."""
    user, separator, group = ("", ":", owner) if group_only else owner.partition(":")
    if not separator and "." in owner and accounts.user(owner) is None:
        # As it was written formerly.
        user, separator, group = owner.partition(".")
    uid = accounts.uid(user) if user else None
    if group:
        return uid, accounts.gid(group)
    if separator and user:
        # The login group, which only a name has.
        entry = accounts.user(user)
        if entry is None:
            raise AccountError(f"there is no user {user!r}")
        return uid, entry.gid
    return uid, None

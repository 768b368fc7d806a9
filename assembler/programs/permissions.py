"""chmod, chown and chgrp of GNU coreutils: modes and owners."""

import re

from assembler.errors import Place
from assembler.programs import (
    accounts,
)
from assembler.programs.context import Action, CommandError, ExecutionContext, Maker, known_options
from assembler.tree.staging import Inode, Kind, Tree


def change_owner(tree: Tree, inode: Inode, user: str, group: str) -> None:
    """Give an inode to a user and group by name or number; an empty one stays as it is."""
    table = accounts.Accounts(tree)
    if user:
        inode.uid = table.uid(user)
    if group:
        inode.gid = table.gid(group)


def parse_mode(text: str, old: int) -> int | None:
    """Mode bits after ``chmod text``, octal or symbolic (without ``X`` and copying); None when not understood."""
    if re.fullmatch(r"[0-7]{1,5}", text):
        return int(text, 8)
    mode = old
    for clause in text.split(","):
        match = re.fullmatch(r"([ugoa]*)([-+=])([rwxst]*)", clause)
        if match is None:
            return None
        who = match.group(1).replace("a", "ugo") or "ugo"
        bits = 0
        for user, shift, setid in (("u", 6, 0o4000), ("g", 3, 0o2000), ("o", 0, 0)):
            if user in who:
                for letter in match.group(3):
                    bits |= {"r": 4 << shift, "w": 2 << shift, "x": 1 << shift, "s": setid, "t": 0}[letter]
        if "t" in match.group(3):
            bits |= 0o1000
        if match.group(2) == "+":
            mode |= bits
        elif match.group(2) == "-":
            mode &= ~bits
        else:
            covered = sum(7 << shift for user, shift in (("u", 6), ("g", 3), ("o", 0)) if user in who)
            mode = (mode & ~covered) | bits
    return mode


def _each(tree: Tree, path: str, *, recursive: bool) -> list[Inode]:
    if not tree.lexists(path):
        raise CommandError("no such file", where=Place(path=path))
    if not recursive:
        return [tree.at(path, follow=True)]
    return [inode for _, inode in tree.walk(path) if inode.kind is not Kind.SYMLINK]


def chmod(arguments: list[str]) -> Action | None:
    """``chmod``, with one mode that is understood."""
    recursive = arguments[:1] == ["-R"]
    words = arguments[1:] if recursive else arguments
    if len(words) < 2 or parse_mode(words[0], 0) is None or any(word.startswith("-") for word in words[1:]):
        return None

    def run(context: ExecutionContext) -> int:
        for path in words[1:]:
            if not context.tree.exists(path):
                return 1
            for inode in _each(context.tree, path, recursive=recursive):
                inode.mode = parse_mode(words[0], inode.mode) or 0
        return 0

    return run


def make_chown(*, group_only: bool) -> Maker:
    """``chown``; ``chgrp`` when `group_only`."""

    def make(arguments: list[str]) -> Action | None:
        parsed = known_options(arguments, "R|recursive h|no-dereference f|silent|quiet")
        if parsed is None or len(parsed[1]) < 2:
            return None
        options, (owner, *paths) = parsed
        user, separator, group = ("", ":", owner) if group_only else owner.partition(":")

        def run(context: ExecutionContext) -> int:
            primary = group
            if separator and not group:
                entry = accounts.Accounts(context.tree).user(user)
                primary = str(entry.gid) if entry is not None else ""
            for path in paths:
                if not context.tree.lexists(path):
                    return 1
                for inode in _each(context.tree, path, recursive="R" in options):
                    change_owner(context.tree, inode, user, primary)
            return 0

        return run

    return make

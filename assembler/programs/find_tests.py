"""What find asks of a file: each test as a question, after GNU findutils 4.9 to 4.10."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from assembler.programs.accounts import Accounts
from assembler.programs.inputs import Failure, found
from assembler.programs.modes import parse_mode
from assembler.shell import patterns
from assembler.shell.process import Process, as_path, as_text
from assembler.shell.streams import Refused
from assembler.tree.content import size_of
from assembler.tree.staging import Inode, Kind


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that find has come to."""

    path: str
    """As it is printed."""
    place: str
    """In the tree."""
    inode: Inode
    depth: int


Test = Callable[[Seen], bool]
_TYPES = {
    Kind.FILE: "f", Kind.DIR: "d", Kind.SYMLINK: "l", Kind.FIFO: "p", Kind.CHAR: "c", Kind.BLOCK: "b",
}  # fmt: skip
_UNITS = {"": 512, "b": 512, "c": 1, "w": 2, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MAX_PATTERN = 500
_MAX_NUMBER = 1 << 60


def make(process: Process, name: str, argument: str) -> Test:
    """The test of a name (without its dash) and an argument. Raises Failure where it is not valid, and Refused."""
    maker = TESTS.get(name)
    if maker is None:
        raise Refused("a test of find that is not computed", why=f"-{name}")
    return maker(process, argument)


def _pattern(argument: str, *, whole: bool, fold: bool = False) -> Test:
    if len(argument) > _MAX_PATTERN:
        raise Refused("a long pattern", why=argument[:80])
    if re.search(r"(?<!\\)(\\\\)*\\\Z", argument):
        raise Refused("a pattern that ends in a backslash", why=argument)
    if "[^" in argument or re.search(r"\[[^]]*/", argument):
        raise Refused("a bracket expression of find", why=argument)
    special = re.search(r"[?\[]", argument) is not None
    if fold and not argument.isascii():
        raise Refused("a pattern of any case that is not ASCII", why=argument)

    def test(seen: Seen) -> bool:
        name = seen.path if whole else base(seen.path)
        if not name.isascii() and (special or fold):
            raise Refused("a pattern for a name that is not ASCII", why=name)
        try:
            return patterns.matches(name.lower(), argument.lower()) if fold else patterns.matches(name, argument)
        except patterns.PatternError as error:
            raise Refused("a pattern that is not understood", why=argument) from error

    return test


def base(path: str) -> str:
    """The last component of a path."""
    return path.rstrip("/").rsplit("/", 1)[-1] or path[:1]


def _type(argument: str) -> Test:
    wanted = argument.split(",")
    if not all(re.fullmatch(r"[bcdpfls]", each) for each in wanted) or len(set(wanted)) < len(wanted):
        raise Failure(f"the type {argument}")
    return lambda seen: _TYPES[seen.inode.kind] in wanted


def _type_behind(process: Process, argument: str) -> Test:
    """``-xtype``: of what a link leads to; a link that leads nowhere is one."""
    wanted = argument.split(",")
    if not all(re.fullmatch(r"[bcdpfls]", each) for each in wanted) or len(set(wanted)) < len(wanted):
        raise Failure(f"the type {argument}")

    def test(seen: Seen) -> bool:
        there = found(process.tree, seen.place)
        if there.inode is None and there.error not in {"ENOENT", "ENOTDIR"}:
            raise Refused("the type of a link that leads in circles", why=seen.path)
        return _TYPES[(there.inode or seen.inode).kind] in wanted

    return test


def _permissions(argument: str) -> Test:
    sign = argument[:1] if argument[:1] in {"-", "/"} else ""
    text = argument[len(sign) :]
    if re.fullmatch(r"[0-7]{1,5}", text) and int(text, 8) <= 0o7777:
        bits = int(text, 8)
    else:
        mode = parse_mode(text) if re.fullmatch(r"[ugoa]+[-+=][rwxst]*(,[ugoa]+[-+=][rwxst]*)*", text) else None
        if mode is None:
            raise Refused("permissions of find that are not computed", why=argument)
        bits = mode.applied(0)
    if sign == "-":
        return lambda seen: seen.inode.mode & bits == bits
    if sign == "/":
        return lambda seen: not bits or bool(seen.inode.mode & bits)
    return lambda seen: seen.inode.mode == bits


def _compared(argument: str, value: Callable[[Seen], int]) -> Test:
    """A number: exactly, or more (``+``) or less (``-``) than it."""
    match = re.fullmatch(r"([-+]?)([0-9]+)", argument)
    if match is None or int(match.group(2)) > _MAX_NUMBER:
        raise Refused("a number of find that is not computed", why=argument)
    sign, number = match.group(1), int(match.group(2))
    if sign == "+":
        return lambda seen: value(seen) > number
    if sign == "-":
        return lambda seen: value(seen) < number
    return lambda seen: value(seen) == number


def _size(argument: str) -> Test:
    match = re.fullmatch(r"([-+]?[0-9]+)([bcwkMG]?)", argument)
    if match is None:
        raise Refused("a size of find that is not computed", why=argument)
    unit = _UNITS[match.group(2)]

    def value(seen: Seen) -> int:
        if seen.inode.kind is Kind.SYMLINK:
            return -(-len(as_text(seen.inode.target)) // unit)
        if seen.inode.kind is not Kind.FILE:
            raise Refused("the size of what is no file", why=seen.path)
        return -(-size_of(seen.inode.content) // unit)

    return _compared(match.group(1), value)


def _user(process: Process, argument: str) -> Test:
    user = Accounts(process.tree).user(as_path(argument))
    uid = user.uid if user else _id(argument)
    return lambda seen: seen.inode.uid == uid


def _group(process: Process, argument: str) -> Test:
    group = Accounts(process.tree).group(as_path(argument))
    gid = group.gid if group else _id(argument)
    return lambda seen: seen.inode.gid == gid


def _id(argument: str) -> int:
    if argument[:1] in {"+", "-"}:
        raise Refused("a user or group with a sign", why=argument)
    if not re.fullmatch(r"[0-9]{1,9}", argument):
        raise Failure(f"the user or group {argument}")
    return int(argument)


def _empty(seen: Seen) -> bool:
    if seen.inode.kind is Kind.DIR:
        return not seen.inode.children
    return seen.inode.kind is Kind.FILE and not size_of(seen.inode.content)


def _nobody(process: Process, kind: str) -> Test:
    accounts = Accounts(process.tree)
    if kind == "nouser":
        users = {user.uid for user in accounts.users()}
        return lambda seen: seen.inode.uid not in users
    groups = {group.gid for group in accounts.groups()}
    return lambda seen: seen.inode.gid not in groups


TESTS: dict[str, Callable[[Process, str], Test]] = {
    "name": lambda _process, argument: _pattern(argument, whole=False),
    "iname": lambda _process, argument: _pattern(argument, whole=False, fold=True),
    "path": lambda _process, argument: _pattern(argument, whole=True),
    "wholename": lambda _process, argument: _pattern(argument, whole=True),
    "type": lambda _process, argument: _type(argument),
    "xtype": _type_behind,
    "perm": lambda _process, argument: _permissions(argument),
    "user": _user,
    "group": _group,
    "uid": lambda _process, argument: _compared(argument, lambda seen: seen.inode.uid),
    "gid": lambda _process, argument: _compared(argument, lambda seen: seen.inode.gid),
    "size": lambda _process, argument: _size(argument),
}
"""Tests with an argument, by name."""
PLAIN_TESTS: dict[str, Callable[[Process], Test]] = {
    "empty": lambda _process: _empty,
    "true": lambda _process: lambda _seen: True,
    "false": lambda _process: lambda _seen: False,
    "nouser": lambda process: _nobody(process, "nouser"),
    "nogroup": lambda process: _nobody(process, "nogroup"),
    "executable": lambda process: lambda seen: _executable(process, seen),
}
"""Tests without one."""


def _executable(process: Process, seen: Seen) -> bool:
    inode = found(process.tree, seen.place).inode
    return inode is not None and (inode.kind is Kind.DIR or bool(inode.mode & 0o111))

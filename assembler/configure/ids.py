"""Numbers of users and groups, put into a configured tree: those that a lock keeps, and those that a recipe fixes.

Packages get their numbers in the order in which dpkg would configure them, so one package more can move those of
others. Whoever has the number that another account is to have gets the one that becomes free. What is computed and what
is executed are dealt with alike, when all of it is there.
"""

import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assembler.configure.leftovers import is_list
from assembler.errors import AssembleError, Place, Problems
from assembler.lockfile.model import FIRST_ACCOUNT, LAST_ACCOUNT, LockedAccounts
from assembler.lockfile.values import ACCOUNT
from assembler.programs.accounts import Accounts
from assembler.recipe.document import did_you_mean
from assembler.recipe.model import Ids
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind, Tree

_FIRST_OF_PEOPLE = 1000
"""Numbers below are those of system accounts (Debian policy 9.2.2)."""
_ACL_HEADER, _ACL_ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
"""A version, and entries of tag, permissions and number (linux/posix_acl_xattr.h)."""
_ACL_USER, _ACL_GROUP = 2, 8
"""Tags of entries that have a number."""
_MOST = 10_000
"""Users, and groups, that a lock keeps."""
_LARGEST_SEARCHED = 1 << 20
"""Bytes of a file that is searched for numbers."""
_NOT_SEARCHED = re.compile(r"/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-?|/var/(?:lib/dpkg|cache)/.*")
"""The accounts themselves; and what has no numbers of accounts, but many others."""


class IdError(AssembleError):
    """A number that an account cannot have."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Accounts that have another number now: old and new number by name."""

    users: Mapping[str, tuple[int, int]]
    groups: Mapping[str, tuple[int, int]]


def fix(tree: Tree, ids: Ids, kept: LockedAccounts = LockedAccounts()) -> Moved:  # noqa: B008  an immutable value
    """Give the accounts of `tree` the numbers that the lock has `kept`, then those in `ids`, and with them all that
    they own. What a recipe does not name of its own accord need not be there, and whoever is not in the lock does not
    get a number that the lock keeps for an account that is gone.

    Raises Problems for accounts in `ids` that are not there and numbers that belong to Debian's own accounts.
    """
    if not (ids.users or ids.groups or kept.users or kept.groups):
        return Moved({}, {})
    accounts = Accounts(tree)
    errors: list[AssembleError] = []
    had = {
        "users": {user.name: user.uid for user in accounts.users()},
        "groups": {group.name: group.gid for group in accounts.groups()},
    }
    users = _exchange("users", ids.users, dict(kept.users), had["users"], errors)
    groups = _exchange("groups", ids.groups, dict(kept.groups), had["groups"], errors)
    if errors:
        raise Problems(errors)
    if users or groups:
        accounts.renumber(users, groups)
        accounts.save()
        done: set[int] = set()
        for _, inode in tree.walk():
            if id(inode) not in done:
                done.add(id(inode))
                _own(inode, users, groups)
    return Moved(_by_name(had["users"], users), _by_name(had["groups"], groups))


def _by_name(had: Mapping[str, int], numbers: Mapping[int, int]) -> dict[str, tuple[int, int]]:
    return {name: (number, numbers[number]) for name, number in had.items() if number in numbers}


def _own(inode: Inode, users: Mapping[int, int], groups: Mapping[int, int]) -> None:
    inode.uid = users.get(inode.uid, inode.uid)
    inode.gid = groups.get(inode.gid, inode.gid)
    for name in filter(is_list, inode.xattrs):
        inode.xattrs[name] = _of_acl(inode.xattrs[name], users, groups)


def _of_acl(value: bytes, users: Mapping[int, int], groups: Mapping[int, int]) -> bytes:
    """An access control list with other numbers, its entries in the order that acl(5) has."""
    numbers = {_ACL_USER: users, _ACL_GROUP: groups}
    body = value[_ACL_HEADER.size :]
    if len(body) % _ACL_ENTRY.size:
        return value
    entries = [
        (tag, number if tag not in numbers else numbers[tag].get(number, number), permissions)
        for tag, permissions, number in _ACL_ENTRY.iter_unpack(body)
    ]
    packed = (_ACL_ENTRY.pack(tag, permissions, number) for tag, number, permissions in sorted(entries))
    return value[: _ACL_HEADER.size] + b"".join(packed)


def _exchange(
    kind: str,
    wanted: Mapping[str, int],
    kept: Mapping[str, int],
    known: Mapping[str, int],
    errors: list[AssembleError],
) -> dict[int, int]:
    """The new number of each old one that changes."""
    # Names that share a number move together, and the first stands for them.
    first = {number: name for name, number in reversed(list(known.items()))}
    numbers = {name: number for number, name in first.items()}
    for name, number in kept.items():
        if name not in wanted and numbers.get(name, 0) >= FIRST_ACCOUNT:
            _give(numbers, name, number)
    for name, number in wanted.items():
        where = Place(key=f"rootfs.ids.{kind}.{name}")
        if name not in known:
            hint = did_you_mean(name, known) or "only accounts that the image's packages make can be given a number"
            errors.append(IdError(f"the image has no such {kind.removesuffix('s')}", where=where, hint=hint))
            continue
        if known[name] < FIRST_ACCOUNT:
            why = f"{name} has {known[name]} on every Debian system"
            errors.append(IdError("this number is not for a recipe to choose", where=where, why=why))
            continue
        _give(numbers, first[known[name]], number)
    reserved = {number for name, number in kept.items() if name not in known}
    for name, number in numbers.items():
        if number in reserved and name not in wanted:
            numbers[name] = _free(number, {*reserved, *numbers.values()})
    return {known[name]: number for name, number in numbers.items() if known[name] != number}


def _give(numbers: dict[str, int], name: str, number: int) -> None:
    """Exchange numbers so that `name` has `number`."""
    holder = next((other for other, has in numbers.items() if has == number), name)
    numbers[holder], numbers[name] = numbers[name], number


def _free(number: int, taken: Collection[int]) -> int:
    """The lowest number that is free where `number` is; `number` when none is."""
    low, high = (FIRST_ACCOUNT, _FIRST_OF_PEOPLE) if number < _FIRST_OF_PEOPLE else (_FIRST_OF_PEOPLE, LAST_ACCOUNT + 1)
    return next((each for each in range(low, high) if each not in taken), number)


def numbers(tree: Tree, kept: LockedAccounts) -> LockedAccounts:
    """What a lock is to keep: the numbers of the accounts of `tree` that are given one after the other, and those that
    it has `kept` of accounts that are gone, so that nobody inherits what they own on the disks of nodes.

    Raises IdError when they are too many.
    """
    accounts = Accounts(tree)
    return LockedAccounts(
        users=_kept([(user.name, user.uid) for user in accounts.users()], kept.users),
        groups=_kept([(group.name, group.gid) for group in accounts.groups()], kept.groups),
    )


def without(kept: LockedAccounts, ids: Ids) -> LockedAccounts:
    """`kept` but for those whose numbers a recipe fixes."""
    return LockedAccounts(
        users=tuple(each for each in kept.users if each[0] not in ids.users),
        groups=tuple(each for each in kept.groups if each[0] not in ids.groups),
    )


def _kept(here: Sequence[tuple[str, int]], before: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    given = {
        name: number
        # The first of two lines with the same name is the one that counts.
        for name, number in reversed(here)
        if FIRST_ACCOUNT <= number <= LAST_ACCOUNT and re.fullmatch(ACCOUNT, name)
    }
    if len(given) > _MOST:
        raise IdError("the image has more accounts than a lock keeps", why=f"{len(given)} of at most {_MOST}")
    return tuple(sorted({**dict(before), **given}.items()))


def unmapped(tree: Tree, moved: Moved, shipped: Collection[str]) -> Iterator[IdError]:
    """Files that scripts made, not `shipped` by packages, which may have the former number of an account in their text:
    what stands there cannot be told from any other number, and stays. Comments do not count.
    """
    had = {f"{old}": f"{kind} {name}, which has {new} now" for kind, name, old, new in _listed(moved)}
    if not had:
        return
    pattern = re.compile(rf"(?<![\w.+/-])(?:{'|'.join(had)})(?![\w.+/-])".encode())
    for path, inode in tree.walk():
        if inode.kind is not Kind.FILE or path in shipped or size_of(inode.content) > _LARGEST_SEARCHED:
            continue
        if _NOT_SEARCHED.fullmatch(path):
            continue
        data = read(inode.content)
        if b"\0" in data:
            continue
        for number, line in enumerate(data.splitlines(), start=1):
            if not line.lstrip().startswith((b"#", b";", b"//")) and (found := pattern.search(line)):
                old = found.group().decode()
                yield IdError(
                    f"a script wrote {old} into a file, and that may have been the number of {had[old]}",
                    where=Place(path=path),
                    why=f"line {number}",
                    hint="see whether it is; rootfs.files can put another file in its place",
                )
                break


def _listed(moved: Moved) -> Iterator[tuple[str, str, int, int]]:
    for kind, names in (("user", moved.users), ("group", moved.groups)):
        for name, (old, new) in names.items():
            yield kind, name, old, new

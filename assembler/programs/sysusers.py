"""systemd-sysusers(8), which makes the users and groups of sysusers.d(5)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from assembler.errors import Place
from assembler.programs.accounts import NOLOGIN, AccountError, Accounts, PasswdEntry, check_name, day_of, number_of
from assembler.programs.specifiers import Specifiers, conf_files, unquote
from assembler.tree.staging import Tree

SYSTEM_MAX = 999
"""Last id for system accounts, as login.defs(5) and adduser.conf(5) have it."""


@dataclass(slots=True)
class _Item:
    """A user or group that sysusers.d(5) asks for."""

    name: str
    uid: int | None = None
    gid: int | None = None
    group: str = ""
    gecos: str = ""
    home: str = ""
    shell: str = ""
    locked: bool = False


@dataclass(slots=True)
class _Wanted:
    users: dict[str, _Item] = field(default_factory=dict)
    groups: dict[str, _Item] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    """Users by the group they belong to."""
    ranges: list[tuple[int, int]] = field(default_factory=list)


def sysusers(tree: Tree, names: Sequence[str] = (), *, epoch: int | None = None) -> None:
    """systemd-sysusers(8) on the named files of sysusers.d(5), or on all.

    Numbers are given out from 999 down, groups before users. A file that is missing is an error, as for the program.
    `epoch` (seconds, default the tree's) gives the last-change day. Raises AccountError.
    """
    wanted = _Wanted()
    for path in conf_files(tree, "sysusers.d", names):
        for number, line in enumerate(tree.read_text(path).splitlines(), start=1):
            if line.strip() and line.lstrip()[0] not in "#;":
                _parse_sysuser(tree, line, wanted, Place(path=path, line=number))
    for group, users in wanted.members.items():
        for user in users:
            wanted.users.setdefault(user, _Item(user))
        if group not in wanted.users:
            wanted.groups.setdefault(group, _Item(group))
    accounts = Accounts(tree)
    if (
        not any(accounts.user(name) is None for name in wanted.users)
        and not any(accounts.group(name) is None for name in wanted.groups)
        and not wanted.members
    ):
        return
    accounts.require_shadow()
    day = str(day_of(tree, epoch))
    allocate = _Allocator(accounts, wanted.ranges or [(1, SYSTEM_MAX)])
    for item in wanted.groups.values():
        allocate.group(item)
    for item in wanted.users.values():
        # Only who asks for a number and names no group is kept from the number of another's group.
        queued = wanted.groups.get(item.group or item.name)
        strict = item.gid is not None or queued is not None or bool(item.group)
        if item.gid is None:
            if queued is not None:
                item.gid = queued.gid
            elif item.group:
                item.gid = accounts.gid(item.group)
            else:
                allocate.group(item)
        allocate.user(item, day, strict=strict)
    for group, users in wanted.members.items():
        for user in users:
            accounts.add_member(group, user, sort=True)
    accounts.save()


def _downwards(ranges: Sequence[tuple[int, int]]) -> Iterator[int]:
    """The numbers in `ranges`, each once, from the highest to the lowest; one by one, as a range may be huge."""
    lowest = max(high for _, high in ranges) + 1
    for low, high in sorted(ranges, key=lambda limits: limits[1], reverse=True):
        yield from range(min(high, lowest - 1), low - 1, -1)
        lowest = min(low, lowest)


class _Allocator:
    """Gives out numbers downwards; one search pointer for users and groups, as in the program."""

    def __init__(self, accounts: Accounts, ranges: Sequence[tuple[int, int]]) -> None:
        self.accounts = accounts
        self.numbers = _downwards(ranges)

    def _gid_is_free(self, gid: int, name: str) -> bool:
        user = self.accounts.user_by_id(gid)
        return self.accounts.group_by_id(gid) is None and (user is None or user.name == name)

    def _uid_is_free(self, uid: int, name: str) -> bool:
        group = self.accounts.group_by_id(uid)
        return self.accounts.user_by_id(uid) is None and (group is None or group.name == name)

    def _next(self, is_free: Callable[[int, str], bool], name: str) -> int:
        for number in self.numbers:
            if is_free(number, name):
                return number
        raise AccountError(f"no system id is left for {name!r}")

    def group(self, item: _Item) -> None:
        """Have the group of `item`, and put its number there."""
        found = self.accounts.group(item.name)
        if found is not None:
            item.gid = found.gid
            return
        gid = item.gid
        if gid is None and item.uid is not None and self._gid_is_free(item.uid, item.name):
            gid = item.uid
        if gid is None or self.accounts.group_by_id(gid) is not None:
            gid = self._next(self._gid_is_free, item.name)
        item.gid = gid
        self.accounts.add_group(item.name, gid, password="!*")  # noqa: S106  the mark for "no password" of sysusers

    def user(self, item: _Item, day: str, *, strict: bool) -> None:
        """Have the user `item`, whose group has been seen to; `strict` takes its number even if a group has it."""
        if self.accounts.user(item.name) is not None:
            return
        uid = item.uid
        if uid is not None and not (
            self.accounts.user_by_id(uid) is None if strict else self._uid_is_free(uid, item.name)
        ):
            uid = None
        if uid is None and item.gid is not None and self._uid_is_free(item.gid, item.name):
            uid = item.gid
        if uid is None:
            uid = self._next(self._uid_is_free, item.name)
        assert item.gid is not None
        root = uid == 0
        user = PasswdEntry(
            item.name, "x", uid, item.gid, item.gecos, item.home or ("/root" if root else "/"),
            item.shell or ("/bin/bash" if root else NOLOGIN),
        )  # fmt: skip
        self.accounts.add_user(user, ["!*", day, "", "", "", "", "1" if item.locked else "", ""])


def _parse_sysuser(tree: Tree, line: str, wanted: _Wanted, where: Place) -> None:
    """Take in one line of sysusers.d(5); the first line about a name wins."""
    specifiers = Specifiers(tree)
    words = [specifiers.expand(word, where) for word in unquote(line, where)]
    kind, name, number, gecos, home, shell = [*words, *[""] * 6][:6]
    number, gecos, home, shell = ("" if word == "-" else word for word in (number, gecos, home, shell))
    if kind == "r":
        low, _, high = number.partition("-")
        first, last = number_of(low), number_of(high or low)
        if first is None or last is None:
            raise AccountError(f"{number!r} is no range of ids", where=where)
        wanted.ranges.append((first, last))
        return
    check_name(name, where)
    if kind == "m":
        wanted.members.setdefault(number, []).append(name)
        return
    if kind not in {"u", "u!", "g"}:
        raise AccountError(f"unknown type {kind!r} in sysusers.d", where=where)
    item = _Item(name, gecos=gecos, home=home, shell=shell, locked=kind == "u!")
    uid, _, gid = number.partition(":")
    if number.startswith("/"):
        inode = tree.get(number, follow=True)
        if inode is not None:
            item.uid, item.gid = (None, inode.gid) if kind == "g" else (inode.uid, inode.gid)
    elif kind == "g":
        item.gid = number_of(uid)
    else:
        item.uid, item.gid = number_of(uid), number_of(gid)
        if item.gid is None:
            item.group = gid
    if number and not number.startswith("/") and number_of(uid) is None and uid not in {"", "-"}:
        raise AccountError(f"{number!r} is no id", where=where)
    (wanted.groups if kind == "g" else wanted.users).setdefault(name, item)

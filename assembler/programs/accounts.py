"""Users and groups: the files passwd(5), group(5), shadow(5) and gshadow(5), and how they are changed.

Not written are the lock ``/etc/.pwd.lock`` and the backups (``passwd-``): they say nothing about the accounts, and
every program makes them when it needs them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assembler.errors import Place
from assembler.programs.options import ProgramError
from assembler.tree.bounds import MAX_OWNER
from assembler.tree.staging import Tree

DAY = 86400
"""Seconds; shadow(5) counts in days."""
NOLOGIN = "/usr/sbin/nologin"
_BAD_NAME = re.compile(r"^[-+~]|[:,/\s]|^-?\d+$|^\.\.?$|^$")


class AccountError(ProgramError):
    """A user or group that cannot be made as asked."""


class NoAccount(AccountError):
    """A user or group that is asked for and not there."""


@dataclass(frozen=True, slots=True)
class PasswdEntry:
    """A line of passwd(5)."""

    name: str
    password: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A line of group(5)."""

    name: str
    password: str
    gid: int
    members: tuple[str, ...]


class AccountFile:
    """A colon-separated file; a line with another number of fields (a comment, NIS) is kept as it is."""

    def __init__(self, tree: Tree, path: str, width: int, mode: int) -> None:
        self.tree, self.path, self.width, self.mode = tree, path, width, mode
        self.present = tree.is_file(path)
        self.rows: list[list[str]] = []
        if self.present:
            self.rows = [line.split(":") for line in tree.read_text(path).split("\n") if line]

    def __iter__(self) -> Iterator[list[str]]:
        return (row for row in self.rows if len(row) == self.width and row[0][:1] not in {"+", "-"})

    def find(self, name: str) -> list[str] | None:
        """The fields of the first line with that name."""
        return next((row for row in self if row[0] == name), None)

    def append(self, *fields: str) -> None:
        """Add a line at the end, but before the ``+`` and ``-`` lines of NIS."""
        at = next((i for i, row in enumerate(self.rows) if row[0][:1] in {"+", "-"}), len(self.rows))
        self.rows.insert(at, list(fields))

    def save(self) -> None:
        """Write the file. Raises AccountError."""
        if any(set(field) & {":", "\n", "\0"} for row in self.rows for field in row):
            raise AccountError("a field has a character that would make it others", where=Place(path=self.path))
        text = "".join(":".join(row) + "\n" for row in self.rows)
        self.tree.write(self.path, text.encode("utf-8", "surrogateescape"), self.mode)
        self.present = True


class Accounts:
    """The account files of a tree. Read once; :meth:`save` writes back what changed."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._passwd = AccountFile(tree, "/etc/passwd", 7, 0o644)
        self._group = AccountFile(tree, "/etc/group", 4, 0o644)
        # Mode 0 until shadowconfig(8) gives them to group shadow, as systemd-sysusers makes them.
        self._shadow = AccountFile(tree, "/etc/shadow", 9, 0)
        self._gshadow = AccountFile(tree, "/etc/gshadow", 4, 0)

    # --- looking -------------------------------------------------------------------------------------------------

    def users(self) -> list[PasswdEntry]:
        """All users in the order of the file; lines with numbers that are none are left out."""
        return [
            PasswdEntry(row[0], row[1], uid, gid, row[4], row[5], row[6])
            for row in self._passwd
            if (uid := number_of(row[2])) is not None and (gid := number_of(row[3])) is not None
        ]

    def groups(self) -> list[GroupEntry]:
        """All groups in the order of the file."""
        return [
            GroupEntry(row[0], row[1], gid, tuple(m for m in row[3].split(",") if m))
            for row in self._group
            if (gid := number_of(row[2])) is not None
        ]

    def user(self, name: str) -> PasswdEntry | None:
        """The user of that name (getpwnam(3))."""
        return next((user for user in self.users() if user.name == name), None)

    def user_by_id(self, uid: int) -> PasswdEntry | None:
        """The first user with that number (getpwuid(3))."""
        return next((user for user in self.users() if user.uid == uid), None)

    def group(self, name: str) -> GroupEntry | None:
        """The group of that name (getgrnam(3))."""
        return next((group for group in self.groups() if group.name == name), None)

    def group_by_id(self, gid: int) -> GroupEntry | None:
        """The first group with that number (getgrgid(3))."""
        return next((group for group in self.groups() if group.gid == gid), None)

    def uid(self, name: str) -> int:
        """The number of a user given by name or number, as ``chown`` takes it. Raises AccountError."""
        user = self.user(name)
        if user is not None:
            return user.uid
        return _numbered(name, "user", "/etc/passwd")

    def gid(self, name: str) -> int:
        """The number of a group given by name or number, as ``chgrp`` takes it. Raises AccountError."""
        group = self.group(name)
        if group is not None:
            return group.gid
        return _numbered(name, "group", "/etc/group")

    # --- changing ------------------------------------------------------------------------------------------------

    def add_group(self, name: str, gid: int, *, password: str = "!") -> None:  # noqa: S107  the lock mark of gshadow(5)
        """Append a group; gshadow gets a line with `password` when there is such a file."""
        self._group.append(name, "x" if self._gshadow.present else password, str(gid), "")
        if self._gshadow.present:
            self._gshadow.append(name, password, "", "")

    def add_user(self, user: PasswdEntry, shadow: Sequence[str]) -> None:
        """Append a user; `shadow` is fields two to nine of its line in shadow, used when there is such a file."""
        password = "x" if self._shadow.present else shadow[0]
        self._passwd.append(user.name, password, str(user.uid), str(user.gid), user.gecos, user.home, user.shell)
        if self._shadow.present:
            self._shadow.append(user.name, *shadow)

    def require_shadow(self) -> None:
        """Have shadow and gshadow written even where there are none yet."""
        self._shadow.present = self._gshadow.present = True

    def add_member(self, group: str, user: str, *, sort: bool = False) -> None:
        """Add a user to a group's members, in group and gshadow, unless it is one; `sort` puts them all in order.

        Raises AccountError.
        """
        if self._group.find(group) is None:
            raise NoAccount(f"there is no group {group!r}", where=Place(path="/etc/group"))
        for row in (self._group.find(group), self._gshadow.find(group)):
            if row is not None:
                members = [member for member in row[3].split(",") if member]
                if user not in members:
                    members.append(user)
                    row[3] = ",".join(sorted(members) if sort else members)

    def set_members(self, user: str, groups: Sequence[str]) -> None:
        """Make `groups` exactly the groups that list `user` as a member."""
        for table in (self._group, self._gshadow):
            for row in table:
                members = [member for member in row[3].split(",") if member]
                if user in members and row[0] not in groups:
                    row[3] = ",".join(member for member in members if member != user)
        for group in groups:
            self.add_member(group, user)

    def change_user(self, name: str, **fields: str) -> None:
        """Set fields of a passwd line by name: password, uid, gid, gecos, home, shell. Raises AccountError."""
        row = self._passwd.find(name)
        if row is None:
            raise NoAccount(f"there is no user {name!r}", where=Place(path="/etc/passwd"))
        for key, value in fields.items():
            row[("name", "password", "uid", "gid", "gecos", "home", "shell").index(key)] = value

    def change_shadow(self, name: str, change: Callable[[list[str]], None]) -> None:
        """Apply `change` to the nine fields of a user's shadow line, if there is one."""
        row = self._shadow.find(name)
        if row is not None:
            change(row)

    def renumber(self, users: Mapping[int, int], groups: Mapping[int, int]) -> None:
        """Exchange numbers: each old one in `users` and `groups` for its new one, in passwd and group."""
        for table, columns in ((self._passwd, ((2, users), (3, groups))), (self._group, ((2, groups),))):
            for row in table:
                for column, numbers in columns:
                    number = number_of(row[column])
                    if number is not None:
                        row[column] = str(numbers.get(number, row[column]))

    def save(self) -> None:
        """Write the files back; shadow and gshadow only where they are in use."""
        self._passwd.save()
        self._group.save()
        for table in (self._shadow, self._gshadow):
            if table.present:
                table.save()

    def convert(self, day: int, *, has_minimum: bool = True) -> None:
        """Move passwords to shadow and gshadow (pwconv(8), grpconv(8)); `day` is the last change.

        `has_minimum` is whether the least days between changes are written, as shadow did before 4.20.
        """
        for plain, secret in ((self._passwd, self._shadow), (self._group, self._gshadow)):
            names = {row[0] for row in plain}
            secret.rows = [row for row in secret.rows if row[0] in names]
            secret.present = True
        limits = password_limits(login_defs(self.tree), has_minimum=has_minimum)
        for row in self._passwd:
            entry = self._shadow.find(row[0])
            if entry is None:
                self._shadow.append(row[0], row[1], str(day), *limits, "", "", "")
            elif row[1] != "x":
                entry[1:3] = [row[1], str(day)]
            row[1] = "x"
        for row in self._group:
            entry = self._gshadow.find(row[0])
            if entry is None:
                self._gshadow.append(row[0], row[1], "", row[3])
            elif row[1] != "x":
                entry[1], entry[3] = row[1], row[3]
            row[1] = "x"


def number_of(text: str) -> int | None:
    """The number of a user or group, as text; None when it is none that 32 bits hold."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > MAX_OWNER:
        return None
    return int(text)


def _numbered(text: str, kind: str, file: str) -> int:
    number = number_of(text.removeprefix("+"))
    if number is not None:
        return number
    if text.isdecimal():
        why = f"the largest is {MAX_OWNER}"
        raise NoAccount(f"there is no {kind} with the number {text[:20]}", where=Place(path=file), why=why)
    raise NoAccount(f"there is no {kind} {text!r}", where=Place(path=file))


def parse_number(text: str, base: int = 10) -> int:
    """A number from a command line or a configuration file. Raises AccountError."""
    try:
        return int(text, base)
    except ValueError as error:
        raise AccountError(f"{text!r} is no number") from error


def day_of(tree: Tree, epoch: int | None) -> int:
    """The day that `epoch` (seconds, default the tree's) is in, as shadow(5) counts."""
    return (tree.mtime if epoch is None else epoch) // DAY


def login_defs(tree: Tree) -> dict[str, str]:
    """login.defs(5) over its defaults."""
    values = {
        "UID_MIN": "1000", "UID_MAX": "60000", "GID_MIN": "1000", "GID_MAX": "60000", "SYS_UID_MIN": "101",
        "SYS_UID_MAX": "999", "SYS_GID_MIN": "101", "SYS_GID_MAX": "999", "USERGROUPS_ENAB": "no",
        "SUB_UID_MIN": "100000", "SUB_UID_COUNT": "65536", "SUB_GID_MIN": "100000", "SUB_GID_COUNT": "65536",
    }  # fmt: skip
    if tree.is_file("/etc/login.defs"):
        for line in tree.read_text("/etc/login.defs").splitlines():
            words = line.split()
            if len(words) >= 2 and not words[0].startswith("#"):
                values[words[0]] = words[1].strip('"')
    return values


def password_limits(defs: Mapping[str, str], *, has_minimum: bool) -> list[str]:
    """The three fields of shadow(5) with days, as login.defs has them."""
    least = defs.get("PASS_MIN_DAYS", "") if has_minimum else ""
    return [least, defs.get("PASS_MAX_DAYS", ""), defs.get("PASS_WARN_AGE", "")]


def check_name(name: str, where: Place | None = None) -> None:
    """Raise AccountError for what is no name for a user or group."""
    if _BAD_NAME.search(name):
        raise AccountError(f"{name!r} is no name for a user or group", where=where)

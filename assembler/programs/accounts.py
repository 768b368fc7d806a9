"""Users and groups: passwd(5), group(5), shadow(5), gshadow(5), subuid(5) and the programs that change them.

The functions take the arguments of the program whose name they bear and leave in the tree what it leaves: adduser(8)
and addgroup(8) of Debian's adduser, useradd(8), groupadd(8), usermod(8) and shadowconfig(8) of shadow, and
systemd-sysusers(8) with sysusers.d(5). Not written are the lock ``/etc/.pwd.lock`` and the backups (``passwd-``):
they say nothing about the accounts, and every program makes them when it needs them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assembler.errors import AssembleError, Place
from assembler.programs.options import parse_options
from assembler.programs.specifiers import Specifiers, conf_files, unquote
from assembler.tree.bounds import MAX_OWNER
from assembler.tree.staging import Kind, Tree

DAY = 86400
"""Seconds; shadow(5) counts in days."""
SYSTEM_MAX = 999
"""Last id for system accounts, as login.defs(5) and adduser.conf(5) have it."""
NOLOGIN = "/usr/sbin/nologin"
_BAD_NAME = re.compile(r"^[-+~]|[:,/\s]|^-?\d+$|^\.\.?$|^$")


class AccountError(AssembleError):
    """A user or group that cannot be made as asked."""


@dataclass(frozen=True, slots=True)
class User:
    """A line of passwd(5)."""

    name: str
    password: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class Group:
    """A line of group(5)."""

    name: str
    password: str
    gid: int
    members: tuple[str, ...]


class _Table:
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
        return next((row for row in self if row[0] == name), None)

    def append(self, *fields: str) -> None:
        """Add a line at the end, but before the ``+`` and ``-`` lines of NIS."""
        at = next((i for i, row in enumerate(self.rows) if row[0][:1] in {"+", "-"}), len(self.rows))
        self.rows.insert(at, list(fields))

    def save(self) -> None:
        if any(set(field) & {":", "\n", "\0"} for row in self.rows for field in row):
            raise AccountError("a field has a character that would make it others", where=Place(path=self.path))
        text = "".join(":".join(row) + "\n" for row in self.rows)
        self.tree.write(self.path, text.encode("utf-8", "surrogateescape"), self.mode)
        self.present = True


class Accounts:
    """The account files of a tree. Read once; :meth:`save` writes back what changed."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._passwd = _Table(tree, "/etc/passwd", 7, 0o644)
        self._group = _Table(tree, "/etc/group", 4, 0o644)
        # Mode 0 until shadowconfig(8) gives them to group shadow, as systemd-sysusers makes them.
        self._shadow = _Table(tree, "/etc/shadow", 9, 0)
        self._gshadow = _Table(tree, "/etc/gshadow", 4, 0)

    # --- looking -------------------------------------------------------------------------------------------------

    def users(self) -> list[User]:
        """All users in the order of the file; lines with numbers that are none are left out."""
        return [
            User(row[0], row[1], uid, gid, row[4], row[5], row[6])
            for row in self._passwd
            if (uid := number_of(row[2])) is not None and (gid := number_of(row[3])) is not None
        ]

    def groups(self) -> list[Group]:
        """All groups in the order of the file."""
        return [
            Group(row[0], row[1], gid, tuple(m for m in row[3].split(",") if m))
            for row in self._group
            if (gid := number_of(row[2])) is not None
        ]

    def user(self, name: str) -> User | None:
        """The user of that name (getpwnam(3))."""
        return next((user for user in self.users() if user.name == name), None)

    def user_by_id(self, uid: int) -> User | None:
        """The first user with that number (getpwuid(3))."""
        return next((user for user in self.users() if user.uid == uid), None)

    def group(self, name: str) -> Group | None:
        """The group of that name (getgrnam(3))."""
        return next((group for group in self.groups() if group.name == name), None)

    def group_by_id(self, gid: int) -> Group | None:
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

    def add_user(self, user: User, shadow: Sequence[str]) -> None:
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
            raise AccountError(f"there is no group {group!r}", where=Place(path="/etc/group"))
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
            raise AccountError(f"there is no user {name!r}", where=Place(path="/etc/passwd"))
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

    def convert(self, day: int) -> None:
        """Move passwords to shadow and gshadow (pwconv(8), grpconv(8)); `day` is the last change."""
        for plain, secret in ((self._passwd, self._shadow), (self._group, self._gshadow)):
            names = {row[0] for row in plain}
            secret.rows = [row for row in secret.rows if row[0] in names]
            secret.present = True
        limits = [_login_defs(self.tree).get(key, "") for key in ("PASS_MIN_DAYS", "PASS_MAX_DAYS", "PASS_WARN_AGE")]
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
    number = number_of(text)
    if number is not None:
        return number
    if text.isdecimal():
        why = f"the largest is {MAX_OWNER}"
        raise AccountError(f"there is no {kind} with the number {text[:20]}", where=Place(path=file), why=why)
    raise AccountError(f"there is no {kind} {text!r}", where=Place(path=file))


def _number(text: str, base: int = 10) -> int:
    """A number from a command line or a configuration file. Raises AccountError."""
    try:
        return int(text, base)
    except ValueError as error:
        raise AccountError(f"{text!r} is no number") from error


def _day(tree: Tree, epoch: int | None) -> int:
    return (tree.mtime if epoch is None else epoch) // DAY


# --- base-passwd and shadow -----------------------------------------------------------------------------------------


def base_passwd(tree: Tree) -> None:
    """What base-passwd does on a fresh install: the master files as passwd and group, empty subuid and subgid."""
    for name in ("passwd", "group"):
        if not tree.exists(f"/etc/{name}"):
            tree.write(f"/etc/{name}", tree.read(f"/usr/share/base-passwd/{name}.master"))
    for name in ("subuid", "subgid"):
        if not tree.exists(f"/etc/{name}"):
            tree.write(f"/etc/{name}", b"")


def shadowconfig(tree: Tree, *, epoch: int | None = None) -> None:
    """``shadowconfig on``: shadow and gshadow for all accounts, with their modes and owners.

    `epoch` (seconds, default the tree's) gives the day of the last change.
    """
    accounts = Accounts(tree)
    accounts.convert(_day(tree, epoch))
    accounts.save()
    shadow = accounts.gid("shadow")
    for name, mode, gid in (
        ("passwd", 0o644, 0),
        ("group", 0o644, 0),
        ("shadow", 0o640, shadow),
        ("gshadow", 0o640, shadow),
    ):
        tree.chmod(f"/etc/{name}", mode)
        tree.chown(f"/etc/{name}", 0, gid)


def set_password(tree: Tree, name: str, hashed: str, *, epoch: int | None = None) -> None:
    """Give a user a password that crypt(5) has hashed (``chpasswd -e``). Raises AccountError."""
    accounts = Accounts(tree)
    accounts.change_user(name, password="x" if tree.is_file("/etc/shadow") else hashed)
    day = str(_day(tree, epoch))

    def change(row: list[str]) -> None:
        row[1:3] = [hashed, day]

    accounts.change_shadow(name, change)
    accounts.save()


def _login_defs(tree: Tree) -> dict[str, str]:
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


def _free_id(used: set[int], low: int, high: int, *, system: bool) -> int:
    """The id that useradd(8) and groupadd(8) choose: below the lowest (system) or above the highest in use."""
    taken = [number for number in used if low <= number <= high]
    if system:
        number = min(taken, default=high + 1) - 1
        order = range(high, low - 1, -1)
    else:
        number = max(taken, default=low - 1) + 1
        order = range(low, high + 1)
    if low <= number <= high:
        return number
    for number in order:
        if number not in used:
            return number
    raise AccountError(f"no id is free between {low} and {high}")


def groupadd(tree: Tree, arguments: Sequence[str]) -> None:
    """groupadd(8). With ``-f`` a group that exists is success. Raises AccountError."""
    specification = "gid|g= force|f system|r non-unique|o key|K= password|p= users|U="
    options, names = parse_options(arguments, specification, program="groupadd")
    if len(names) != 1:
        raise AccountError("groupadd takes one name", why=" ".join(arguments))
    accounts = Accounts(tree)
    name = names[0]
    force = "force" in options
    if accounts.group(name) is not None:
        if force:
            return
        raise AccountError(f"group {name!r} already exists", where=Place(path="/etc/group"))
    wanted = options.get("gid")
    used = {group.gid for group in accounts.groups()}
    if wanted is not None and _number(wanted) in used and "non-unique" not in options and not force:
        raise AccountError(f"GID {wanted} already exists", where=Place(path="/etc/group"))
    if wanted is None or (_number(wanted) in used and "non-unique" not in options):
        system = "system" in options
        defs = _login_defs(tree)
        prefix = "SYS_" if system else ""
        gid = _free_id(used, _number(defs[prefix + "GID_MIN"]), _number(defs[prefix + "GID_MAX"]), system=system)
    else:
        gid = _number(wanted)
    accounts.add_group(name, gid, password=options.get("password", "!"))
    for user in filter(None, options.get("users", "").split(",")):
        accounts.add_member(name, user)
    accounts.save()


def useradd(tree: Tree, arguments: Sequence[str], *, epoch: int | None = None) -> None:
    """useradd(8), without ``-D``. `epoch` (seconds, default the tree's) gives the last-change day.

    Raises AccountError.
    """
    options, names = parse_options(
        arguments,
        "base-dir|b= comment|c= home-dir|home|d= expiredate|e= inactive|f= gid|g= groups|G= skel|k= key|K="
        " no-log-init|l create-home|m no-create-home|M no-user-group|N non-unique|o password|p= system|r shell|s="
        " uid|u= user-group|U badname add-subids-for-system|F",
        program="useradd",
        repeated={"key"},
    )
    if len(names) != 1:
        raise AccountError("useradd takes one name", why=" ".join(arguments))
    name = names[0]
    accounts = Accounts(tree)
    if accounts.user(name) is not None:
        raise AccountError(f"user {name!r} already exists", where=Place(path="/etc/passwd"))
    defs = _login_defs(tree)
    for pair in options.get("key", "").split("\n"):
        key, equals, value = pair.partition("=")
        if equals:
            defs[key] = value
    system = "system" in options
    prefix = "SYS_" if system else ""
    uids = {user.uid for user in accounts.users()}
    gids = {group.gid for group in accounts.groups()}
    wanted = options.get("uid")
    if wanted is None:
        uid = _free_id(uids, _number(defs[prefix + "UID_MIN"]), _number(defs[prefix + "UID_MAX"]), system=system)
    elif _number(wanted) in uids and "non-unique" not in options:
        raise AccountError(f"UID {wanted} is not unique", where=Place(path="/etc/passwd"))
    else:
        uid = _number(wanted)
    primary = options.get("gid")
    own = "user-group" in options or defs["USERGROUPS_ENAB"] == "yes"
    if primary is not None:
        gid = accounts.gid(primary)
        if accounts.group_by_id(gid) is None:
            raise AccountError(f"there is no group {primary!r}", where=Place(path="/etc/group"))
    elif own and "no-user-group" not in options:
        if accounts.group(name) is not None:
            raise AccountError(f"group {name!r} already exists", where=Place(path="/etc/group"))
        gid = uid
        if gid in gids:
            gid = _free_id(gids, _number(defs[prefix + "GID_MIN"]), _number(defs[prefix + "GID_MAX"]), system=system)
        accounts.add_group(name, gid)
    else:
        gid = 100
    home = options.get("home-dir") or f"{options.get('base-dir') or '/home'}/{name}"
    limits = ["", "", ""] if system else [defs.get(k, "") for k in ("PASS_MIN_DAYS", "PASS_MAX_DAYS", "PASS_WARN_AGE")]
    user = User(name, "x", uid, gid, options.get("comment", ""), home, options.get("shell", "/bin/sh"))
    accounts.add_user(
        user,
        [options.get("password", "!"), str(_day(tree, epoch)), *limits, options.get("inactive", ""), "", ""],
    )
    for group in filter(None, options.get("groups", "").split(",")):
        accounts.add_member(group, name)
    accounts.save()
    if not system and _number(defs["UID_MIN"]) <= uid <= _number(defs["UID_MAX"]):
        for kind in ("UID", "GID"):
            _add_subordinate(
                tree,
                f"/etc/sub{kind.lower()}",
                name,
                _number(defs[f"SUB_{kind}_MIN"]),
                _number(defs[f"SUB_{kind}_COUNT"]),
            )
    if "create-home" in options and not tree.exists(home):
        tree.mkdir(home, _number(defs.get("HOME_MODE", "0755"), 8), uid, gid, parents=True)
        _copy_skeleton(tree, options.get("skel", "/etc/skel"), home, user)


def _add_subordinate(tree: Tree, path: str, name: str, low: int, count: int) -> None:
    """Append the next free range to subuid(5) or subgid(5), if there is such a file."""
    if not tree.is_file(path) or not count:
        return
    table = _Table(tree, path, 3, 0o644)
    if table.find(name) is None:
        start = max((_number(row[1]) + _number(row[2]) for row in table), default=low)
        table.append(name, str(max(start, low)), str(count))
        table.save()


def _copy_skeleton(tree: Tree, source: str, home: str, user: User, ignore: str = "$^") -> None:
    """Copy the files of `source` into a new home, owned by its user."""
    if not tree.is_dir(source):
        return
    top = tree.resolve(source, follow=True)
    for path, inode in list(tree.walk(top)):
        below = path[len(top) :]
        if not below or re.search(ignore, "." + below):
            continue
        if inode.kind is Kind.DIR:
            made = tree.mkdir(home + below, inode.mode)
        elif inode.kind is Kind.SYMLINK:
            made = tree.symlink(inode.target, home + below)
        elif inode.kind is Kind.FILE:
            made = tree.write(home + below, inode.content, inode.mode)
        else:
            continue
        made.uid, made.gid = user.uid, user.gid


def usermod(tree: Tree, arguments: Sequence[str], *, epoch: int | None = None) -> None:
    """usermod(8) for the options ``-a -G -c -d -g -s -p -L -U -e``. Raises AccountError."""
    options, names = parse_options(
        arguments,
        "append|a groups|G= comment|c= home|d= gid|g= shell|s= password|p= lock|L unlock|U expiredate|e= uid|u=",
        program="usermod",
    )
    if len(names) != 1:
        raise AccountError("usermod takes one name", why=" ".join(arguments))
    name = names[0]
    accounts = Accounts(tree)
    fields = {
        key: value
        for key, value in (
            ("gecos", options.get("comment")), ("home", options.get("home")), ("shell", options.get("shell")),
            ("uid", options.get("uid")),
        )
        if value is not None
    }  # fmt: skip
    primary = options.get("gid")
    if primary is not None:
        fields["gid"] = str(accounts.gid(primary))
    accounts.change_user(name, **fields)
    groups = options.get("groups")
    if groups is not None:
        listed = [group for group in groups.split(",") if group]
        if "append" not in options:
            accounts.set_members(name, listed)
        for group in listed:
            accounts.add_member(group, name)

    def change(row: list[str]) -> None:
        password = options.get("password")
        if password is not None:
            row[1:3] = [password, str(_day(tree, epoch))]
        if "lock" in options and not row[1].startswith("!"):
            row[1] = "!" + row[1]
        if "unlock" in options:
            row[1] = row[1].removeprefix("!")
        expires = options.get("expiredate")
        if expires is not None:
            if expires and not expires.isdecimal():
                raise AccountError(f"usermod takes the expiry as a day number here, not {expires!r}")
            row[7] = expires

    accounts.change_shadow(name, change)
    accounts.save()


# --- Debian's adduser -----------------------------------------------------------------------------------------------

_ADDUSER_OPTIONS = (
    "add-extra-groups|add_extra_groups allow-all-names allow-bad-names|allow-badname|force-badname comment|gecos="
    " conf|c= debug stdoutmsglevel= stderrmsglevel= logmsglevel= disabled-login disabled-password firstgid= firstuid="
    " gid= group home= ingroup= lastgid= lastuid= no-create-home quiet|q shell= system uid= verbose"
)


def _adduser_conf(tree: Tree, options: Mapping[str, str]) -> dict[str, str]:
    """adduser.conf(5) over its defaults, keys in upper case."""
    path = options.get("conf", "/etc/adduser.conf")
    values = {
        "FIRST_SYSTEM_UID": "100", "LAST_SYSTEM_UID": "999", "FIRST_SYSTEM_GID": "100", "LAST_SYSTEM_GID": "999",
        "FIRST_UID": "1000", "LAST_UID": "59999", "FIRST_GID": "1000", "LAST_GID": "59999", "DSHELL": "/bin/bash",
        "DHOME": "/home", "SKEL": "/etc/skel", "SKEL_IGNORE_REGEX": r"\.(dpkg|ucf)-(old|new|dist|save)$",
        "USERGROUPS": "yes", "USERS_GROUP": "users", "DIR_MODE": "0700", "SYS_DIR_MODE": "0755", "EXTRA_GROUPS": "",
        "ADD_EXTRA_GROUPS": "0",
    }  # fmt: skip
    if tree.is_file(path):
        for line in tree.read_text(path).splitlines():
            match = re.match(r"(\w+)\s*=\s*(.*)", line.strip())
            if match:
                values[match[1].upper()] = match[2].strip("\"'")
    return values


def _first_free(used: set[int], low: str, high: str) -> int:
    for number in range(_number(low), _number(high) + 1):
        if number not in used:
            return number
    raise AccountError(f"no id is free between {low} and {high}")


def addgroup(tree: Tree, arguments: Sequence[str]) -> None:
    """addgroup(8), with ``--system`` or not. A system group that exists is success. Raises AccountError."""
    options, names = parse_options(arguments, _ADDUSER_OPTIONS, program="addgroup", single_dash=True)
    if len(names) != 1:
        raise AccountError("addgroup takes one name", why=" ".join(arguments))
    accounts = Accounts(tree)
    _add_group(accounts, _adduser_conf(tree, options), names[0], options)
    accounts.save()


def adduser(tree: Tree, arguments: Sequence[str], *, epoch: int | None = None) -> None:
    """adduser(8): a system user, a user, a group, or (two names) a user into a group.

    Nothing is asked: a user gets no password (``--disabled-password`` is as good as given) and an empty comment when
    there is none. `epoch` (seconds, default the tree's) gives the last-change day. Raises AccountError.
    """
    options, names = parse_options(arguments, _ADDUSER_OPTIONS, program="adduser", single_dash=True)
    if "group" in options and "system" not in options:
        addgroup(tree, arguments)
        return
    accounts = Accounts(tree)
    if len(names) == 2 and "system" not in options:
        user, group = names
        if accounts.user(user) is None:
            raise AccountError(f"there is no user {user!r}", where=Place(path="/etc/passwd"))
        accounts.add_member(group, user)
        accounts.save()
        return
    if len(names) != 1:
        raise AccountError("adduser takes one name, or a user and a group", why=" ".join(arguments))
    _add_user(tree, accounts, _adduser_conf(tree, options), names[0], options, epoch=epoch)


def _check_name(name: str, where: Place | None = None) -> None:
    if _BAD_NAME.search(name):
        raise AccountError(f"{name!r} is no name for a user or group", where=where)


def _add_group(accounts: Accounts, conf: Mapping[str, str], name: str, options: Mapping[str, str]) -> None:
    _check_name(name)
    system = "system" in options
    wanted = options.get("gid")
    found = accounts.group(name)
    low, high = ("FIRST_SYSTEM_GID", "LAST_SYSTEM_GID") if system else ("FIRST_GID", "LAST_GID")
    if found is not None:
        if system and _number(conf[low]) <= found.gid <= _number(conf[high]) and wanted in {None, str(found.gid)}:
            return
        raise AccountError(f"group {name!r} already exists", where=Place(path="/etc/group"))
    used = {group.gid for group in accounts.groups()}
    if wanted is None:
        gid = _first_free(used, options.get("firstgid", conf[low]), options.get("lastgid", conf[high]))
    elif _number(wanted) in used:
        raise AccountError(f"GID {wanted} is already in use", where=Place(path="/etc/group"))
    else:
        gid = _number(wanted)
    accounts.add_group(name, gid)


def _add_user(
    tree: Tree, accounts: Accounts, conf: Mapping[str, str], name: str, options: Mapping[str, str], *, epoch: int | None
) -> None:
    _check_name(name)
    system = "system" in options
    found = accounts.user(name)
    first, last = ("FIRST_SYSTEM_UID", "LAST_SYSTEM_UID") if system else ("FIRST_UID", "LAST_UID")
    wanted = options.get("uid")
    if found is not None:
        if system and _number(conf[first]) <= found.uid <= _number(conf[last]) and wanted in {None, str(found.uid)}:
            return
        raise AccountError(f"user {name!r} already exists", where=Place(path="/etc/passwd"))
    users = {user.uid for user in accounts.users()}
    groups = {group.gid for group in accounts.groups()}
    if wanted is not None and _number(wanted) in users:
        raise AccountError(f"UID {wanted} is already in use", where=Place(path="/etc/passwd"))
    makes_group = "group" in options or (
        not system and conf["USERGROUPS"] == "yes" and not {"ingroup", "gid"} & set(options)
    )
    low, high = options.get("firstuid", conf[first]), options.get("lastuid", conf[last])
    # A user with a group of its own gets one number for both; a system user takes the first free of each.
    used = users | groups if makes_group and not system else users
    uid = _number(wanted) if wanted is not None else _first_free(used, low, high)
    if makes_group:
        existing = accounts.group(name)
        if existing is not None:
            gid = existing.gid
        else:
            gid = uid
            if system and wanted is None:
                gid = _first_free(
                    groups,
                    options.get("firstgid", conf["FIRST_SYSTEM_GID"]),
                    options.get("lastgid", conf["LAST_SYSTEM_GID"]),
                )
            accounts.add_group(name, gid)
    elif "ingroup" in options or "gid" in options:
        gid = accounts.gid(options.get("ingroup", options.get("gid", "")))
        if accounts.group_by_id(gid) is None:
            raise AccountError(f"there is no group {gid}", where=Place(path="/etc/group"))
    else:
        gid = accounts.gid("nogroup") if system else accounts.gid(conf["USERS_GROUP"])
    home = options.get("home") or ("/nonexistent" if system else f"{conf['DHOME']}/{name}")
    closed = system or "disabled-login" in options
    shell = options.get("shell") or (NOLOGIN if closed else conf["DSHELL"])
    accounts.save()
    call = ["-d", home, "-g", str(gid), "-s", shell, "-u", str(uid), name]
    useradd(tree, ["-r", *call] if system else call, epoch=epoch)
    accounts = Accounts(tree)
    accounts.change_user(name, gecos=options.get("comment", ""))
    if not system:
        extra = conf["EXTRA_GROUPS"].split() if conf["ADD_EXTRA_GROUPS"] == "1" or "add-extra-groups" in options else []
        own = [] if "ingroup" in options or "gid" in options else [conf["USERS_GROUP"]]
        for group in (*own, *extra):
            if accounts.group(group) is not None and accounts.gid(group) != gid:
                accounts.add_member(group, name)
    accounts.save()
    if re.match(r"/+nonexistent(/|$)", home) or "no-create-home" in options or tree.exists(home):
        return
    made = tree.mkdir(home, parents=True)
    made.uid, made.gid, made.mode = uid, gid, _number(conf["SYS_DIR_MODE" if system else "DIR_MODE"], 8)
    if not system:
        user = accounts.user(name)
        assert user is not None
        _copy_skeleton(tree, conf["SKEL"], home, user, conf["SKEL_IGNORE_REGEX"])


# --- systemd-sysusers -----------------------------------------------------------------------------------------------


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
    day = str(_day(tree, epoch))
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
        user = User(
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
    _check_name(name, where)
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

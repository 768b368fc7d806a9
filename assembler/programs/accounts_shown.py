"""getent, id, whoami and groups: users and groups that are known, after glibc 2.36 to 2.41 and coreutils 9.1 to 9.7.

Users and groups are those of the files. Others that ``/etc/nsswitch.conf`` names know nothing in a root file system
where nothing runs, but for the two that nss-systemd(8) makes up: these are refused where the files do not have them.
Scripts are carried out as root; which further groups its process has depends on who started it, and is refused.
"""

import re
from collections.abc import Callable

from assembler.programs.accounts import Accounts, GroupEntry, PasswdEntry
from assembler.programs.inputs import options_of
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import Refused

_MAX_ID = 1 << 32
_SILENT = frozenset({"files", "systemd", "compat", "sss", "winbind"})
_RECORDS = (
    "/etc/userdb",
    "/run/userdb",
    "/run/host/userdb",
    "/usr/local/lib/userdb",
    "/usr/lib/userdb",
    "/run/systemd/userdb",
)
_MADE_UP = frozenset({"root", "nobody", "nogroup", "0", "65534"})
"""What nss-systemd knows without any file."""


def getent(process: Process) -> int:
    """``getent passwd`` and ``getent group``."""
    options, words = options_of(process, "")
    del options
    if not words:
        process.complain("getent: wrong number of arguments")
        return 1
    database, *keys = words
    if database not in {"passwd", "group"}:
        raise Refused("a database of getent", why=database)
    more = sources(process, database)
    known = _Known(process)
    if not keys:
        if database == "passwd":
            process.print("".join(map(_passwd_line, known.users)))
        else:
            process.print("".join(map(_group_line, known.groups)))
        return 0
    status = 0
    for key in keys:
        user = known.user(as_path(key), strict=True) if database == "passwd" else None
        group = known.group(as_path(key), strict=True) if database == "group" else None
        if user is not None:
            process.print(_passwd_line(user))
        elif group is not None:
            process.print(_group_line(group))
        else:
            if more and key in _MADE_UP:
                raise Refused("a user or group that nss-systemd makes up", why=key)
            status = 2
    return status


def sources(process: Process, database: str) -> bool:
    """Whether others than the files are asked for `database`. Raises Refused where these may know something."""
    tree = process.tree
    listed: list[str] = []
    if tree.is_file("/etc/nsswitch.conf"):
        for line in tree.read_text("/etc/nsswitch.conf").split("\n"):
            name, colon, rest = line.partition("#")[0].partition(":")
            if colon and name.strip() == database:
                listed = rest.split()
    if set(listed) - _SILENT or (listed and listed[0] not in {"files", "compat"}):
        raise Refused(f"accounts that come from elsewhere ({database}: {' '.join(listed)})")
    if any(tree.names(path) for path in _RECORDS):
        raise Refused("accounts that have records of systemd's")
    if "compat" in listed and re.search(r"^[-+]", tree.read_text(f"/etc/{database}"), re.MULTILINE):
        raise Refused("accounts of NIS")
    return "systemd" in listed


class _Known:
    """The users and groups of the files."""

    def __init__(self, process: Process) -> None:
        accounts = Accounts(process.tree)
        self.users = accounts.users()
        self.groups = accounts.groups()
        process.budget.spend(16 * (len(self.users) + len(self.groups)))

    def user(self, key: str, *, strict: bool = False) -> PasswdEntry | None:
        """A user by name or number; `strict`: a number is no name."""
        number = _number(key)
        by_name = next((user for user in self.users if user.name == key), None)
        if by_name is not None and not (strict and number is not None):
            return by_name
        return next((user for user in self.users if user.uid == number), None)

    def named(self, name: str) -> PasswdEntry | None:
        """A user by name alone."""
        return next((user for user in self.users if user.name == name), None)

    def group(self, key: str, *, strict: bool = False) -> GroupEntry | None:
        """A group by name or number; `strict`: a number is no name."""
        number = _number(key)
        by_name = next((group for group in self.groups if group.name == key), None)
        if by_name is not None and not (strict and number is not None):
            return by_name
        return next((group for group in self.groups if group.gid == number), None)


def _number(key: str) -> int | None:
    if re.fullmatch(r"[0-9]+", key, re.ASCII):
        number = int(key)
        if number >= _MAX_ID - 1:
            raise Refused("a number of a user or group that is too large", why=key)
        return number
    if re.match(r"[-+\s]*[0-9]", key, re.ASCII):
        # strtoul(3) would take some of these.
        raise Refused("a name of a user or group that begins as a number does", why=key)
    return None


def _passwd_line(user: PasswdEntry) -> str:
    fields = (user.name, user.password, str(user.uid), str(user.gid), user.gecos, user.home, user.shell)
    return as_text(":".join(fields)) + "\n"


def _group_line(group: GroupEntry) -> str:
    return as_text(":".join((group.name, group.password, str(group.gid), ",".join(group.members)))) + "\n"


# --- id and its kin --------------------------------------------------------------------------------------------------


def id_of(process: Process) -> int:
    """``id``, with ``-u``, ``-g``, ``-G`` and ``-n``, of users and of root."""
    options, names = options_of(process, "u|user g|group G|groups n|name r|real z|zero")
    kinds = {"u", "g", "G"} & options.keys()
    if len(kinds) > 1 or "z" in options or ({"n", "r"} & options.keys() and not kinds):
        raise Refused("options of id that do not go together, or -z")
    more = sources(process, "passwd")
    sources(process, "group")
    known = _Known(process)
    if not names:
        if not kinds & {"u", "g"}:
            raise Refused("the groups that the process of a script has")
        user = known.user("0")
        return _tell(process, known, min(kinds), "n" in options, user or PasswdEntry("root", "", 0, 0, "", "", ""))
    status = 0
    for name in names:
        user = known.user(as_path(name)) if name else None
        if user is None:
            if more and name in _MADE_UP:
                raise Refused("a user that nss-systemd makes up", why=name)
            process.complain(f"id: {name!r}: no such user")
            status = 1
            continue
        status = _tell(process, known, min(kinds, default=""), "n" in options, user) or status
    return status


def _tell(process: Process, known: _Known, kind: str, named: bool, user: PasswdEntry) -> int:  # noqa: FBT001
    """Print what is asked for of a user; 1 when a name is not known."""

    def group_name(gid: int) -> str | None:
        return next((as_text(group.name) for group in known.groups if group.gid == gid), None)

    def user_name(uid: int) -> str | None:
        return next((as_text(other.name) for other in known.users if other.uid == uid), None)

    # The first user with that number decides of the group that these begin with.
    first = next(other for other in [*known.users, user] if other.uid == user.uid)
    groups = [first.gid, *(group.gid for group in known.groups if user.name in group.members)]
    groups = list(dict.fromkeys(groups))
    name_of: Callable[[int], str | None]
    if kind == "u":
        shown, name_of = [user.uid], user_name
    elif kind in {"g", "G"}:
        more = [gid for gid in groups if gid != user.gid] if kind == "G" else []
        shown, name_of = [user.gid, *more], group_name
    else:
        process.print(
            f"uid={_both(user.uid, user_name)} gid={_both(user.gid, group_name)} "
            f"groups={','.join(_both(gid, group_name) for gid in groups)}\n"
        )
        return 0
    if not named:
        process.print(" ".join(map(str, shown)) + "\n")
        return 0
    texts = [name_of(number) for number in shown]
    if None in texts:
        process.complain("id: cannot find a name")
    process.print(" ".join(text or str(number) for text, number in zip(texts, shown, strict=True)) + "\n")
    return 1 if None in texts else 0


def _both(number: int, name_of: Callable[[int], str | None]) -> str:
    name = name_of(number)
    return str(number) if name is None else f"{number}({name})"


def whoami(process: Process) -> int:
    """``whoami``: root, whatever its name."""
    _, names = options_of(process, "")
    if names:
        process.complain("whoami: extra operand")
        return 1
    sources(process, "passwd")
    user = _Known(process).user("0")
    if user is None:
        raise Refused("the name of a user without one")
    process.print(as_text(user.name) + "\n")
    return 0


def groups(process: Process) -> int:
    """``groups`` of users."""
    _, names = options_of(process, "")
    if not names:
        raise Refused("the groups that the process of a script has")
    more = sources(process, "passwd")
    sources(process, "group")
    known = _Known(process)
    status = 0
    for name in names:
        user = known.named(as_path(name))
        if user is None:
            if more and name in _MADE_UP:
                raise Refused("a user that nss-systemd makes up", why=name)
            process.complain(f"groups: {name!r}: no such user")
            status = 1
            continue
        process.print(f"{name} : ")
        status = _tell(process, known, "G", True, user) or status
    return status


PROGRAMS: dict[str, Program] = {"getent": getent, "groups": groups, "id": id_of, "whoami": whoami}
"""Programs by name."""

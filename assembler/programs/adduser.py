"""adduser(8) and addgroup(8) of Debian's adduser: 3.134, which is bookworm's, to 3.159.

Versions differ in the numbers that they give, in comments and in their exit status: :class:`Ways`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assembler.errors import Place
from assembler.programs.accounts import NOLOGIN, AccountError, Accounts, NoAccount, check_name, parse_number
from assembler.programs.options import UsageError, parse_options
from assembler.programs.shadow import copy_skeleton, useradd
from assembler.tree.staging import Tree


@dataclass(frozen=True, slots=True)
class Ways:
    """What differs from version to version; as it stands here, 3.152 does it, which is trixie's."""

    is_old: bool = False
    """3.134: comments go through chfn(1), which makes four fields of them, and whatever fails has exit status 1."""
    same_number: bool = False
    """3.159: a system user with a group of its own has one number for both, another one that of its group if it can."""
    has_minimum: bool = True
    """The passwords of users get the least days between changes: shadow before 4.20."""

    def failed(self, error: AccountError, status: int) -> AccountError:
        """`error` with an exit status of today's."""
        return error.exits(1 if self.is_old else status)


_TODAY = Ways()
_EXISTS, _NOT_THERE, _OTHER, _IN_USE, _NO_MEMBER, _CALL_FAILED = 11, 12, 13, 21, 42, 82
"""Exit statuses."""
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
    for number in range(parse_number(low), parse_number(high) + 1):
        if number not in used:
            return number
    raise AccountError(f"no id is free between {low} and {high}")


def addgroup(tree: Tree, arguments: Sequence[str], *, ways: Ways = _TODAY) -> None:
    """addgroup(8), with ``--system`` or not. A system group that exists is success. Raises AccountError."""
    options, names = parse_options(arguments, _ADDUSER_OPTIONS, program="addgroup", single_dash=True)
    if len(names) != 1:
        raise AccountError("addgroup takes one name", why=" ".join(arguments))
    accounts = Accounts(tree)
    _add_group(accounts, _adduser_conf(tree, options), names[0], options, ways)
    accounts.save()


def deluser(tree: Tree, arguments: Sequence[str], *, ways: Ways = _TODAY) -> None:
    """deluser(8) of a user out of a group, who is not there or is no member, which fails.

    Raises AccountError, and UsageError for all else.
    """
    options, names = parse_options(arguments, "quiet|q", program="deluser", single_dash=True)
    if len(names) != 2:
        raise UsageError("deluser with these arguments", why=" ".join([*options, *names]))
    accounts = Accounts(tree)
    user, group = accounts.user(names[0]), accounts.group(names[1])
    if user is None:
        raise AccountError(f"there is no user {names[0]!r}").exits(2 if ways.is_old else _NOT_THERE)
    if group is None:
        raise AccountError(f"there is no group {names[1]!r}").exits(3 if ways.is_old else _NOT_THERE)
    if group.gid == user.gid or user.name in group.members:
        raise UsageError("deluser of a member", why=" ".join(names))
    raise AccountError(f"{names[0]!r} is no member of {names[1]!r}").exits(6 if ways.is_old else _NO_MEMBER)


def adduser(tree: Tree, arguments: Sequence[str], *, epoch: int | None = None, ways: Ways = _TODAY) -> None:
    """adduser(8): a system user, a user, a group, or (two names) a user into a group.

    Nothing is asked: a user gets no password (``--disabled-password`` is as good as given) and an empty comment when
    there is none. `epoch` (seconds, default the tree's) gives the last-change day. Raises AccountError.
    """
    options, names = parse_options(arguments, _ADDUSER_OPTIONS, program="adduser", single_dash=True)
    if "group" in options and "system" not in options:
        addgroup(tree, arguments, ways=ways)
        return
    accounts = Accounts(tree)
    try:
        if len(names) == 2 and "system" not in options:
            _join(accounts, *names)
        elif len(names) == 1:
            _add_user(tree, accounts, names[0], options, ways, epoch=epoch)
        else:
            _refuse(arguments)
    except NoAccount as error:
        raise ways.failed(error, _NOT_THERE) from error


def _join(accounts: Accounts, user: str, group: str) -> None:
    if accounts.user(user) is None:
        raise NoAccount(f"there is no user {user!r}", where=Place(path="/etc/passwd"))
    accounts.add_member(group, user)
    accounts.save()


def _refuse(arguments: Sequence[str]) -> None:
    raise AccountError("adduser takes one name, or a user and a group", why=" ".join(arguments))


def _is_within(number: int, conf: Mapping[str, str], first: str, last: str) -> bool:
    return parse_number(conf[first]) <= number <= parse_number(conf[last])


def _add_group(accounts: Accounts, conf: Mapping[str, str], name: str, options: Mapping[str, str], ways: Ways) -> None:
    check_name(name)
    system = "system" in options
    wanted = options.get("gid")
    found = accounts.group(name)
    low, high = ("FIRST_SYSTEM_GID", "LAST_SYSTEM_GID") if system else ("FIRST_GID", "LAST_GID")
    if found is not None:
        if system and _is_within(found.gid, conf, low, high) and (ways.is_old or wanted in {None, str(found.gid)}):
            return
        error = AccountError(f"group {name!r} already exists", where=Place(path="/etc/group"))
        raise ways.failed(error, _OTHER if system else _EXISTS)
    used = {group.gid for group in accounts.groups()}
    if wanted is None:
        gid = _first_free(used, options.get("firstgid", conf[low]), options.get("lastgid", conf[high]))
    elif parse_number(wanted) in used:
        error = AccountError(f"GID {wanted} is already in use", where=Place(path="/etc/group"))
        raise ways.failed(error, _OTHER if system and not ways.is_old else _IN_USE)
    else:
        gid = parse_number(wanted)
    accounts.add_group(name, gid)


def _add_user(
    tree: Tree, accounts: Accounts, name: str, options: Mapping[str, str], ways: Ways, *, epoch: int | None
) -> None:
    conf = _adduser_conf(tree, options)
    check_name(name)
    system = "system" in options
    makes_group = "group" in options or (
        not system and conf["USERGROUPS"] == "yes" and not {"ingroup", "gid"} & set(options)
    )
    if _is_there(accounts, conf, name, options, ways, makes_group=makes_group):
        return
    uid, gid, new_group = _numbers(accounts, conf, name, options, ways, makes_group=makes_group)
    home = options.get("home") or ("/nonexistent" if system else f"{conf['DHOME']}/{name}")
    closed = system or "disabled-login" in options
    shell = options.get("shell") or (NOLOGIN if closed else conf["DSHELL"])
    accounts.save()
    call = ["-d", home, "-g", str(gid), "-s", shell, "-u", str(uid), name]
    useradd(tree, ["-r", *call] if system else call, epoch=epoch, has_minimum=ways.has_minimum)
    accounts = Accounts(tree)
    comment = options.get("comment")
    if comment is not None:
        if ways.is_old and "=" in comment:
            raise AccountError("chfn takes no such comment", why=comment)
        accounts.change_user(name, gecos=_four_fields(comment) if ways.is_old else comment)
    if not system:
        extra = conf["EXTRA_GROUPS"].split() if conf["ADD_EXTRA_GROUPS"] == "1" or "add-extra-groups" in options else []
        own = [conf["USERS_GROUP"]] if conf["USERGROUPS"] == "yes" else []
        for group in (*own, *extra):
            if accounts.group(group) is not None and accounts.gid(group) != gid:
                accounts.add_member(group, name)
    accounts.save()
    if re.match(r"/+nonexistent(/|$)", home) or "no-create-home" in options:
        return
    # 3.159 gives a home that is there to a system user as if it were new.
    if tree.exists(home) and not (system and ways.same_number and tree.is_dir(home)):
        return
    made = tree.mkdir(home, parents=True)
    # Where a system user's group was there before, its home has the number that a new one would have had.
    made.uid, made.gid = uid, new_group if system else gid
    made.mode = parse_number(conf["SYS_DIR_MODE" if system else "DIR_MODE"], 8)
    if not system:
        user = accounts.user(name)
        assert user is not None
        copy_skeleton(tree, conf["SKEL"], home, user, conf["SKEL_IGNORE_REGEX"])


def _is_there(
    accounts: Accounts, conf: Mapping[str, str], name: str, options: Mapping[str, str], ways: Ways, *, makes_group: bool
) -> bool:
    """Whether a system user is there as wanted. Raises AccountError where somebody or something is in the way."""
    system = "system" in options
    wanted = options.get("uid")
    found = accounts.user(name)
    if found is not None:
        within = system and _is_within(found.uid, conf, "FIRST_SYSTEM_UID", "LAST_SYSTEM_UID")
        if within and wanted in {None, str(found.uid)}:
            return True
        error = AccountError(f"user {name!r} already exists", where=Place(path="/etc/passwd"))
        raise ways.failed(error, _OTHER if system else _EXISTS)
    if makes_group and not system and accounts.group(name) is not None:
        raise ways.failed(AccountError(f"group {name!r} already exists", where=Place(path="/etc/group")), _EXISTS)
    if wanted is None:
        return False
    number = parse_number(wanted)
    if accounts.user_by_id(number) is not None and system:
        raise ways.failed(AccountError(f"UID {wanted} is already in use", where=Place(path="/etc/passwd")), _OTHER)
    if makes_group and accounts.group(name) is None and accounts.group_by_id(number) is not None:
        error = AccountError(f"GID {wanted} is already in use", where=Place(path="/etc/group"))
        raise ways.failed(error, _CALL_FAILED if system else _IN_USE)
    if accounts.user_by_id(number) is not None:
        error = AccountError(f"UID {wanted} is already in use", where=Place(path="/etc/passwd"))
        raise ways.failed(error, _CALL_FAILED)
    return False


def _numbers(
    accounts: Accounts, conf: Mapping[str, str], name: str, options: Mapping[str, str], ways: Ways, *, makes_group: bool
) -> tuple[int, int, int]:
    """The numbers of a new user, of its group, which is made where it has its own, and of a group that would be new."""
    system = "system" in options
    kind = "SYSTEM_" if system else ""
    low, high = options.get("firstuid", conf[f"FIRST_{kind}UID"]), options.get("lastuid", conf[f"LAST_{kind}UID"])
    users = {user.uid for user in accounts.users()}
    groups = {group.gid for group in accounts.groups()}
    wanted = options.get("uid")
    if makes_group:
        existing = accounts.group(name)
        # A user with a group of its own gets one number for both; system users did not before 3.159.
        both = not system or ways.same_number
        if wanted is not None:
            uid = new = parse_number(wanted)
        else:
            uid = new = _first_free(users | groups if both else users, low, high)
            if not both:
                first = options.get("firstgid", conf["FIRST_SYSTEM_GID"])
                new = _first_free(groups, first, options.get("lastgid", conf["LAST_SYSTEM_GID"]))
        if existing is None:
            accounts.add_group(name, new)
        return uid, existing.gid if existing else new, new
    if "ingroup" in options or "gid" in options:
        gid = accounts.gid(options.get("ingroup", options.get("gid", "")))
        if accounts.group_by_id(gid) is None:
            raise NoAccount(f"there is no group {gid}", where=Place(path="/etc/group"))
    else:
        gid = accounts.gid("nogroup") if system else accounts.gid(conf["USERS_GROUP"])
    if wanted is not None:
        return parse_number(wanted), gid, gid
    prefers = ways.same_number and (system or "ingroup" in options)
    if prefers and gid not in users and parse_number(low) <= gid <= parse_number(high):
        return gid, gid, gid
    return _first_free(users if system or "ingroup" in options else users | groups, low, high), gid, gid


def _four_fields(comment: str) -> str:
    """A comment as chfn(1) writes it, field by field."""
    fields = [*comment.rstrip(",").split(","), *[""] * 5]
    return ",".join(fields[:4]) + (f",{fields[4]}" if fields[4] else "")

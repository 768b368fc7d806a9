"""adduser(8) and addgroup(8) of Debian's adduser."""

import re
from collections.abc import Mapping, Sequence

from assembler.errors import Place
from assembler.programs.accounts import NOLOGIN, AccountError, Accounts, check_name, parse_number
from assembler.programs.options import parse_options
from assembler.programs.shadow import copy_skeleton, useradd
from assembler.tree.staging import Tree

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


def _add_group(accounts: Accounts, conf: Mapping[str, str], name: str, options: Mapping[str, str]) -> None:
    check_name(name)
    system = "system" in options
    wanted = options.get("gid")
    found = accounts.group(name)
    low, high = ("FIRST_SYSTEM_GID", "LAST_SYSTEM_GID") if system else ("FIRST_GID", "LAST_GID")
    if found is not None:
        if (
            system
            and parse_number(conf[low]) <= found.gid <= parse_number(conf[high])
            and wanted in {None, str(found.gid)}
        ):
            return
        raise AccountError(f"group {name!r} already exists", where=Place(path="/etc/group"))
    used = {group.gid for group in accounts.groups()}
    if wanted is None:
        gid = _first_free(used, options.get("firstgid", conf[low]), options.get("lastgid", conf[high]))
    elif parse_number(wanted) in used:
        raise AccountError(f"GID {wanted} is already in use", where=Place(path="/etc/group"))
    else:
        gid = parse_number(wanted)
    accounts.add_group(name, gid)


def _add_user(
    tree: Tree, accounts: Accounts, conf: Mapping[str, str], name: str, options: Mapping[str, str], *, epoch: int | None
) -> None:
    check_name(name)
    system = "system" in options
    found = accounts.user(name)
    first, last = ("FIRST_SYSTEM_UID", "LAST_SYSTEM_UID") if system else ("FIRST_UID", "LAST_UID")
    wanted = options.get("uid")
    if found is not None:
        if (
            system
            and parse_number(conf[first]) <= found.uid <= parse_number(conf[last])
            and wanted in {None, str(found.uid)}
        ):
            return
        raise AccountError(f"user {name!r} already exists", where=Place(path="/etc/passwd"))
    users = {user.uid for user in accounts.users()}
    groups = {group.gid for group in accounts.groups()}
    if wanted is not None and parse_number(wanted) in users:
        raise AccountError(f"UID {wanted} is already in use", where=Place(path="/etc/passwd"))
    makes_group = "group" in options or (
        not system and conf["USERGROUPS"] == "yes" and not {"ingroup", "gid"} & set(options)
    )
    low, high = options.get("firstuid", conf[first]), options.get("lastuid", conf[last])
    # A user with a group of its own gets one number for both; a system user takes the first free of each.
    used = users | groups if makes_group and not system else users
    uid = parse_number(wanted) if wanted is not None else _first_free(used, low, high)
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
    made.uid, made.gid, made.mode = uid, gid, parse_number(conf["SYS_DIR_MODE" if system else "DIR_MODE"], 8)
    if not system:
        user = accounts.user(name)
        assert user is not None
        copy_skeleton(tree, conf["SKEL"], home, user, conf["SKEL_IGNORE_REGEX"])

"""The programs of shadow 4.13 to 4.20: useradd(8), groupadd(8), usermod(8), chsh(1), chfn(1), shadowconfig(8)
and chpasswd(8).

The functions take the arguments of the program whose name they bear and leave in the tree what it leaves. Those that
make lines of shadow are told whether these have the least days between changes, as before 4.20.
"""

import re
from collections.abc import Mapping, Sequence

from assembler.errors import Place
from assembler.programs.accounts import (
    AccountError,
    AccountFile,
    Accounts,
    NoAccount,
    PasswdEntry,
    day_of,
    login_defs,
    parse_number,
    password_limits,
)
from assembler.programs.options import UsageError, parse_options
from assembler.tree.staging import Kind, Tree

_NAME_IN_USE, _NUMBER_IN_USE, NOT_FOUND, _HOME_IS_THERE = 9, 4, 6, 12
"""Exit statuses."""
_OTHER_FIELD = frozenset(":,=")
"""What no field may have that chsh and chfn write."""


def shadowconfig(tree: Tree, *, epoch: int | None = None, has_minimum: bool = True) -> None:
    """``shadowconfig on``: shadow and gshadow for all accounts, with their modes and owners.

    `epoch` (seconds, default the tree's) gives the day of the last change.
    """
    accounts = Accounts(tree)
    accounts.convert(day_of(tree, epoch), has_minimum=has_minimum)
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
    day = str(day_of(tree, epoch))

    def change(row: list[str]) -> None:
        row[1:3] = [hashed, day]

    accounts.change_shadow(name, change)
    accounts.save()


def chsh(tree: Tree, arguments: Sequence[str]) -> None:
    """chsh(1) as root, with ``-s``. Raises AccountError, UsageError."""
    options, names = parse_options(arguments, "shell|s=", program="chsh")
    shell = options.get("shell", "")
    _require_pam(tree, "chsh")
    if len(names) != 1 or not shell or not re.fullmatch(r"[!-~]+", shell):
        raise UsageError("chsh with these arguments", why=" ".join(arguments))
    if set(shell) & _OTHER_FIELD:
        raise AccountError(f"{shell!r} is no shell")
    accounts = Accounts(tree)
    accounts.change_user(names[0], shell=shell)
    accounts.save()


def chfn(tree: Tree, arguments: Sequence[str]) -> None:
    """chfn(1) as root, with ``-f``: the full name, which is the first of the fields in the comment.

    Raises AccountError, UsageError.
    """
    options, names = parse_options(arguments, "full-name|f=", program="chfn")
    full = options.get("full-name")
    _require_pam(tree, "chfn")
    if len(names) != 1 or full is None or not re.fullmatch(r"[ -~]{0,60}", full):
        raise UsageError("chfn with these arguments", why=" ".join(arguments))
    if set(full) & _OTHER_FIELD:
        raise AccountError(f"{full!r} is no name")
    accounts = Accounts(tree)
    user = accounts.user(names[0])
    _, *others = user.gecos.split(",") if user is not None else [""]
    if len(others) > 3 or "=" in "".join(others):
        raise UsageError("chfn of a user with further fields", why=names[0])
    accounts.change_user(names[0], gecos=",".join([full, *others, "", "", ""][:4]))
    accounts.save()


def _require_pam(tree: Tree, program: str) -> None:
    """Raise UsageError where it is not plain that root may call a program."""
    if not all(tree.is_file(f"/etc/pam.d/{name}") for name in (program, "common-account")):
        raise UsageError(f"{program} without its configuration of PAM")


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
        raise AccountError(f"group {name!r} already exists", where=Place(path="/etc/group")).exits(_NAME_IN_USE)
    wanted = options.get("gid")
    used = {group.gid for group in accounts.groups()}
    if wanted is not None and parse_number(wanted) in used and "non-unique" not in options and not force:
        raise AccountError(f"GID {wanted} already exists", where=Place(path="/etc/group")).exits(_NUMBER_IN_USE)
    if wanted is None or (parse_number(wanted) in used and "non-unique" not in options):
        system = "system" in options
        defs = login_defs(tree)
        prefix = "SYS_" if system else ""
        gid = _free_id(
            used, parse_number(defs[prefix + "GID_MIN"]), parse_number(defs[prefix + "GID_MAX"]), system=system
        )
    else:
        gid = parse_number(wanted)
    accounts.add_group(name, gid, password=options.get("password", "!"))
    for user in filter(None, options.get("users", "").split(",")):
        accounts.add_member(name, user)
    accounts.save()


def useradd(tree: Tree, arguments: Sequence[str], *, epoch: int | None = None, has_minimum: bool = True) -> None:
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
        raise AccountError(f"user {name!r} already exists", where=Place(path="/etc/passwd")).exits(_NAME_IN_USE)
    defs = login_defs(tree)
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
        uid = _free_id(
            uids, parse_number(defs[prefix + "UID_MIN"]), parse_number(defs[prefix + "UID_MAX"]), system=system
        )
    elif parse_number(wanted) in uids and "non-unique" not in options:
        raise AccountError(f"UID {wanted} is not unique", where=Place(path="/etc/passwd")).exits(_NUMBER_IN_USE)
    else:
        uid = parse_number(wanted)
    primary = options.get("gid")
    own = "user-group" in options or defs["USERGROUPS_ENAB"] == "yes"
    if primary is not None:
        gid = accounts.gid(primary)
        if accounts.group_by_id(gid) is None:
            raise NoAccount(f"there is no group {primary!r}", where=Place(path="/etc/group"))
    elif own and "no-user-group" not in options:
        if accounts.group(name) is not None:
            raise AccountError(f"group {name!r} already exists", where=Place(path="/etc/group")).exits(_NAME_IN_USE)
        gid = uid
        if gid in gids:
            gid = _free_id(
                gids, parse_number(defs[prefix + "GID_MIN"]), parse_number(defs[prefix + "GID_MAX"]), system=system
            )
        accounts.add_group(name, gid)
    else:
        gid = 100
    home = options.get("home-dir") or f"{options.get('base-dir') or '/home'}/{name}"
    limits = ["", "", ""] if system else password_limits(defs, has_minimum=has_minimum)
    user = PasswdEntry(name, "x", uid, gid, options.get("comment", ""), home, options.get("shell", "/bin/sh"))
    accounts.add_user(
        user,
        [options.get("password", "!"), str(day_of(tree, epoch)), *limits, options.get("inactive", ""), "", ""],
    )
    for group in filter(None, options.get("groups", "").split(",")):
        accounts.add_member(group, name)
    accounts.save()
    if not system and parse_number(defs["UID_MIN"]) <= uid <= parse_number(defs["UID_MAX"]):
        for kind in ("UID", "GID"):
            _add_subordinate(
                tree,
                f"/etc/sub{kind.lower()}",
                name,
                parse_number(defs[f"SUB_{kind}_MIN"]),
                parse_number(defs[f"SUB_{kind}_COUNT"]),
            )
    if "create-home" in options and not tree.exists(home):
        tree.mkdir(home, parse_number(defs.get("HOME_MODE", "0755"), 8), uid, gid, parents=True)
        copy_skeleton(tree, options.get("skel", "/etc/skel"), home, user)


def _add_subordinate(tree: Tree, path: str, name: str, low: int, count: int) -> None:
    """Append the next free range to subuid(5) or subgid(5), if there is such a file."""
    if not tree.is_file(path) or not count:
        return
    table = AccountFile(tree, path, 3, 0o644)
    if table.find(name) is None:
        start = max((parse_number(row[1]) + parse_number(row[2]) for row in table), default=low)
        table.append(name, str(max(start, low)), str(count))
        table.save()


def copy_skeleton(tree: Tree, source: str, home: str, user: PasswdEntry, ignore: str = "$^") -> None:
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


def _no_files_to_give(tree: Tree, user: PasswdEntry | None, fields: Mapping[str, str]) -> None:
    """Raise UsageError where usermod would change owners below a home, or of a mailbox, as a number changes."""
    numbers = {"uid", "gid"} & {key for key, value in fields.items() if user and value != str(getattr(user, key))}
    if user is None or not numbers:
        return
    for path in (fields.get("home", user.home), f"/var/mail/{user.name}" if "uid" in numbers else ""):
        if path.startswith("/") and tree.exists(path):
            raise UsageError("usermod would give files to another number", why=path)


def _nothing_to_move(tree: Tree, user: PasswdEntry | None, fields: Mapping[str, str]) -> None:
    """Raise UsageError where usermod would move a home, AccountError where there is something in its new place."""
    if "home" not in fields or fields.keys() & {"uid", "gid"}:
        raise UsageError("usermod --move-home with these options")
    if user is None or fields["home"] == user.home:
        return
    if tree.exists(fields["home"]):
        raise AccountError("the new home is there already", where=Place(path=fields["home"])).exits(_HOME_IS_THERE)
    if tree.exists(user.home):
        raise UsageError("usermod would move a home", why=user.home)


def passwd(tree: Tree, arguments: Sequence[str]) -> None:
    """``passwd --lock USER``. Raises AccountError, UsageError."""
    options, names = parse_options(arguments, "lock|l quiet|q", program="passwd")
    if "lock" not in options or len(names) != 1:
        raise UsageError("passwd with these arguments", why=" ".join(arguments))
    accounts = Accounts(tree)
    if accounts.user(names[0]) is None:
        raise AccountError(f"there is no user {names[0]!r}")

    accounts.change_shadow(names[0], _lock)
    accounts.save()


def _lock(row: list[str]) -> None:
    """Have the password of a line of shadow be none that fits."""
    if not row[1].startswith("!"):
        row[1] = "!" + row[1]


def usermod(tree: Tree, arguments: Sequence[str], *, epoch: int | None = None) -> None:
    """usermod(8) for the options ``-a -G -c -d -g -s -p -L -U -e -m -u``. Raises AccountError, UsageError."""
    options, names = parse_options(
        arguments,
        "append|a groups|G= comment|c= home|d= gid|g= shell|s= password|p= lock|L unlock|U expiredate|e= uid|u="
        " move-home|m",
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
    _no_files_to_give(tree, accounts.user(name), fields)
    if "move-home" in options:
        _nothing_to_move(tree, accounts.user(name), fields)
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
            row[1:3] = [password, str(day_of(tree, epoch))]
        if "lock" in options:
            _lock(row)
        # Nobody may come in without a password: where there would be none, it stays locked.
        if "unlock" in options and row[1] != "!":
            row[1] = row[1].removeprefix("!")
        expires = options.get("expiredate")
        if expires is not None:
            if expires and not expires.isdecimal():
                raise UsageError("usermod takes the expiry as a day number here", why=expires)
            row[7] = expires

    accounts.change_shadow(name, change)
    accounts.save()

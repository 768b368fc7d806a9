"""Users and groups of a recipe's own, as adduser(8) and addgroup(8) make them."""

from collections.abc import Iterator

from assembler.configure import passwords
from assembler.configure.errors import SettingError
from assembler.errors import AssembleError, Place, Problems
from assembler.programs.accounts import AccountError, Accounts
from assembler.programs.adduser import addgroup, adduser
from assembler.programs.shadow import set_password
from assembler.recipe.additions import User
from assembler.recipe.document import did_you_mean
from assembler.recipe.model import Ids, Rootfs
from assembler.tree.staging import Inode, Kind, Tree, TreeError


def add(tree: Tree, recipe: Rootfs, epoch: int) -> None:
    """Make the groups and users of `recipe` in `tree`, with homes and keys; `epoch` in seconds is their day.

    Those that are there stay, and get what the recipe says of them. Where somebody else has a number that it says,
    another is taken, for configure/ids.py to exchange.
    Raises Problems with all that cannot be made.
    """
    problems: list[AssembleError] = []
    for name, group in recipe.groups.items():
        try:
            accounts = Accounts(tree)
            if accounts.group(name) is None:
                free = group.gid is not None and accounts.group_by_id(group.gid) is None
                number = ["--gid", str(group.gid)] if free else []
                addgroup(tree, [*(["--system"] if group.system else []), *number, name])
        except (AccountError, TreeError) as error:
            problems.append(SettingError.of(f"rootfs.groups.{name}", error))
    for name, user in passwords.of_users(recipe).items():
        try:
            _add(tree, name, user, epoch)
            if user.has_password:
                set_password(tree, name, user.password, epoch=epoch)
        except (AccountError, TreeError, SettingError) as error:
            problems.append(SettingError.of(f"rootfs.users.{name}", error))
        problems += _join(tree, name, user)
    if problems:
        raise Problems(problems)


def _join(tree: Tree, name: str, user: User) -> Iterator[SettingError]:
    """Make a user a member of its further groups; those that there are not are told of."""
    accounts = Accounts(tree)
    for index, group in enumerate(user.groups if accounts.user(name) else ()):
        if accounts.group(group) is None:
            hint = did_you_mean(group, [each.name for each in accounts.groups()]) or "add it to rootfs.groups"
            where = Place(key=f"rootfs.users.{name}.groups[{index}]")
            yield SettingError(f"there is no group {group!r}", where=where, hint=hint)
        else:
            accounts.add_member(group, name)
    accounts.save()


def numbers(recipe: Rootfs) -> Ids:
    """The numbers that `recipe` says of accounts, here and there."""
    users = {name: user.uid for name, user in recipe.users.items() if user.uid is not None}
    groups = {name: group.gid for name, group in recipe.groups.items() if group.gid is not None}
    own = {name: number for name, number in users.items() if not recipe.users[name].group and name not in groups}
    return Ids(users={**users, **recipe.ids.users}, groups={**own, **groups, **recipe.ids.groups})


def _add(tree: Tree, name: str, user: User, epoch: int) -> None:
    if Accounts(tree).user(name) is None:
        adduser(tree, [*_options(tree, name, user), name], epoch=epoch)
        if user.system and user.home and not tree.exists(user.home):
            raise SettingError("adduser(8) makes no such home directory", where=Place(path=user.home))
    else:
        _change(tree, name, user)
    if user.shell and not tree.exists(user.shell):
        raise SettingError("the image has no such shell", where=Place(path=user.shell), hint="add its package")
    if user.ssh_authorized_keys:
        _authorize(tree, name, user)


def _options(tree: Tree, name: str, user: User) -> Iterator[str]:
    accounts = Accounts(tree)
    yield "--disabled-password"
    if user.uid is not None and not (accounts.user_by_id(user.uid) or accounts.group_by_id(user.uid)):
        yield from ("--uid", str(user.uid))
    if user.system:
        yield "--system"
    if user.group:
        yield from ("--ingroup", user.group)
    elif user.system:
        yield "--group"
    elif accounts.group(name) is not None:
        # One that the recipe adds by itself, for its number.
        yield from ("--ingroup", name)
    if user.comment:
        yield from ("--comment", user.comment)
    if user.home:
        yield from ("--home", user.home)
    if user.shell:
        yield from ("--shell", user.shell)


def _change(tree: Tree, name: str, user: User) -> None:
    """Say more of a user that is there, as usermod(8) does: its files stay where they are."""
    accounts = Accounts(tree)
    said: dict[str, str] = {"gecos": user.comment, "home": user.home, "shell": user.shell}
    accounts.change_user(name, **{key: value for key, value in said.items() if value})
    accounts.save()
    if user.group:
        raise SettingError(
            "the user is there already, with a group of its own",
            where=Place(path="/etc/passwd"),
            hint="leave out group; groups says which others it is a member of",
        )


def _authorize(tree: Tree, name: str, user: User) -> None:
    """``~/.ssh/authorized_keys``, which sshd(8) accepts when nobody else could have written it."""
    accounts = Accounts(tree)
    account = accounts.user(name)
    assert account is not None
    if not tree.is_dir(account.home):
        what = "the user has no home directory for SSH keys"
        raise SettingError(what, where=Place(path=account.home), hint="give it one with home")
    directory, text = f"{account.home}/.ssh", "".join(f"{key}\n" for key in user.ssh_authorized_keys)
    if not tree.is_dir(directory):
        tree.put(directory, Inode(Kind.DIR, 0o700, account.uid, account.gid, tree.mtime))
    file = Inode(Kind.FILE, 0o600, account.uid, account.gid, tree.mtime, content=text.encode())
    tree.put(f"{directory}/authorized_keys", file)

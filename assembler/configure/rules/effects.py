"""The declared parts of a rule, each as what it does to the tree."""

from collections.abc import Callable, Iterator

from assembler.configure.rules.model import Alternative, Directory, File, Group, Link, Mode, Rule, Units, User
from assembler.errors import AssembleError, Place
from assembler.programs import adduser, alternatives, capabilities
from assembler.programs.accounts import Accounts
from assembler.programs.context import ExecutionContext
from assembler.programs.permissions import change_owner
from assembler.programs.systemd import Systemctl
from assembler.tree.staging import Inode, Kind

Effect = Callable[[ExecutionContext], None]


class EffectError(AssembleError):
    """Something that a rule declares and that the tree cannot have."""


def effects(rule: Rule) -> Iterator[Effect]:
    """What `rule` declares, in its order."""
    for group in rule.groups:
        yield _group(group)
    for user in rule.users:
        yield _user(user)
    for directory in rule.directories:
        yield _directory(directory)
    for file in rule.files:
        yield _file(file)
    for link in rule.links:
        yield _link(link)
    for mode in rule.modes:
        yield _mode(mode)
    for alternative in rule.alternatives:
        yield _alternative(alternative)
    if rule.units != Units():
        yield _units(rule.units)


def _group(group: Group) -> Effect:
    number = [] if group.gid is None else ["--gid", str(group.gid)]

    def run(context: ExecutionContext) -> None:
        adduser.addgroup(context.tree, ["--system", *number, group.name])

    return run


def _user(user: User) -> Effect:
    number = [] if user.uid is None else ["--uid", str(user.uid)]
    primary = ["--group"] if user.group is None else ["--ingroup", user.group]
    arguments = ["--system", "--no-create-home", "--home", user.home, "--shell", user.shell, *number, *primary]
    if user.comment:
        arguments += ["--comment", user.comment]

    def run(context: ExecutionContext) -> None:
        adduser.adduser(context.tree, [*arguments, user.name])
        table = Accounts(context.tree)
        for name in user.groups:
            table.add_member(name, user.name)
        table.save()

    return run


def _directory(directory: Directory) -> Effect:
    def run(context: ExecutionContext) -> None:
        inode = context.tree.mkdir(directory.path, parents=True)
        change_owner(context.tree, inode, directory.owner, directory.group)
        inode.mode = int(directory.mode, 8)

    return run


def _file(file: File) -> Effect:
    def run(context: ExecutionContext) -> None:
        tree = context.tree
        found = tree.get(file.path)
        if found is not None and found.kind is Kind.DIR:
            raise EffectError("a directory is in the way of a file", where=Place(path=file.path))
        inode = Inode(Kind.FILE, 0, mtime=tree.mtime, content=file.content.encode())
        change_owner(tree, tree.put(file.path, inode, parents=True), file.owner, file.group)
        inode.mode = int(file.mode, 8)

    return run


def _link(link: Link) -> Effect:
    def run(context: ExecutionContext) -> None:
        context.tree.symlink(link.target, link.path, parents=True)

    return run


def _mode(mode: Mode) -> Effect:
    def run(context: ExecutionContext) -> None:
        tree = context.tree
        if not tree.lexists(mode.path):
            hint = "does its package ship it, and does the recipe not exclude it?"
            raise EffectError("the image has no such file", where=Place(path=mode.path), hint=hint)
        inode = tree.at(mode.path, follow=True)
        change_owner(tree, inode, mode.owner or "", mode.group or "")
        if mode.mode is not None:
            inode.mode = int(mode.mode, 8)
        if mode.capabilities is not None:
            capabilities.setcap(tree, [mode.capabilities, mode.path])

    return run


def _alternative(alternative: Alternative) -> Effect:
    names = (alternative.link, alternative.name, alternative.path, str(alternative.priority))
    slaves = [word for slave in alternative.slaves for word in ("--slave", slave.link, slave.name, slave.path)]

    def run(context: ExecutionContext) -> None:
        alternatives.update_alternatives(context.tree, ["--install", *names, *slaves])

    return run


def _units(units: Units) -> Effect:
    def run(context: ExecutionContext) -> None:
        systemctl = Systemctl(context.tree)
        systemctl.enable(*units.enable)
        systemctl.disable(*units.disable)
        systemctl.mask(*units.mask)

    return run

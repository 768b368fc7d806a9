"""update-alternatives(1): one name, several programs that provide it.

Links, ``/etc/alternatives`` and the state files under ``/var/lib/dpkg/alternatives`` come out as the program leaves
them, byte for byte; its log does not.
"""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field

from assembler.errors import Place
from assembler.programs.options import ProgramError, UsageError
from assembler.tree.staging import Kind, Tree

ADMIN = "/var/lib/dpkg/alternatives"
LINKS = "/etc/alternatives"


class AlternativeError(ProgramError):
    """An alternative that cannot be set up as asked."""

    status = 2


@dataclass(slots=True)
class _Choice:
    """One provider of a name, with the paths for the slaves it has, by slave name."""

    path: str
    priority: int
    slaves: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """The state file of one name; see deb-alternative-status(5) for the words."""

    name: str
    link: str = ""
    automatic: bool = True
    slave_links: dict[str, str] = field(default_factory=dict)
    choices: list[_Choice] = field(default_factory=list)

    @classmethod
    def load(cls, tree: Tree, name: str) -> "_Group":
        group = cls(name)
        path = f"{ADMIN}/{name}"
        if not tree.is_file(path):
            return group
        lines = iter(tree.read_text(path).split("\n"))
        try:
            group.automatic = next(lines) == "auto"
            group.link = next(lines)
            while slave := next(lines):
                group.slave_links[slave] = next(lines)
            while choice := next(lines):
                entry = _Choice(choice, int(next(lines)))
                for slave in group.slave_links:
                    target = next(lines)
                    if target:
                        entry.slaves[slave] = target
                group.choices.append(entry)
        except (StopIteration, ValueError) as error:
            raise AlternativeError("the state file is damaged", where=Place(path=path)) from error
        return group

    def save(self, tree: Tree) -> None:
        lines = ["auto" if self.automatic else "manual", self.link]
        slaves = sorted(self.slave_links)
        for slave in slaves:
            lines += [slave, self.slave_links[slave]]
        lines.append("")
        self.choices.sort(key=lambda choice: choice.path)
        for choice in self.choices:
            lines += [choice.path, str(choice.priority), *(choice.slaves.get(slave, "") for slave in slaves)]
        lines += ["", ""]
        tree.write(f"{ADMIN}/{self.name}", "\n".join(lines).encode("utf-8", "surrogateescape"), parents=True)

    def choice(self, path: str) -> _Choice | None:
        return next((choice for choice in self.choices if choice.path == path), None)

    def best(self, current: str | None) -> _Choice | None:
        """The choice of the highest priority; among equals the current one, else the first."""
        best = self.choice(current) if current else None
        for choice in self.choices:
            if best is None or choice.priority > best.priority:
                best = choice
        return best


def _target(tree: Tree, path: str) -> str | None:
    inode = tree.get(path)
    return inode.target if inode is not None and inode.kind is Kind.SYMLINK else None


def _point(tree: Tree, name: str, link: str, target: str) -> None:
    """Link `link` to the name under ``/etc/alternatives``, and that to `target`; a real file at `link` stays."""
    inode = tree.get(link)
    if _target(tree, f"{LINKS}/{name}") != target:
        _link(tree, target, f"{LINKS}/{name}")
    if inode is None or (inode.kind is Kind.SYMLINK and inode.target != f"{LINKS}/{name}"):
        _link(tree, f"{LINKS}/{name}", link)


def _link(tree: Tree, target: str, path: str) -> None:
    """Make a link. One that is new has the time of its target, which is not followed (dpkg 1.21.2 and later)."""
    like = tree.get(target) if tree.get(path) is None else None
    made = tree.symlink(target, path, parents=True)
    if like is not None:
        made.mtime = like.mtime


def _unlink(tree: Tree, name: str, link: str) -> None:
    for path in (link, f"{LINKS}/{name}"):
        if _target(tree, path) is not None:
            tree.remove(path)


def _apply(tree: Tree, group: _Group, choice: _Choice) -> None:
    """Make the links of a name lead to `choice`; slaves that it lacks, or whose file is missing, go."""
    _point(tree, group.name, group.link, choice.path)
    for slave, link in group.slave_links.items():
        target = choice.slaves.get(slave)
        if target is not None and tree.exists(target):
            directory = posixpath.dirname(link)
            if tree.is_dir(directory):
                _point(tree, slave, link, target)
        else:
            _unlink(tree, slave, link)


def install(
    tree: Tree, link: str, name: str, path: str, *, priority: int, slaves: Sequence[tuple[str, str, str]] = ()
) -> None:
    """``--install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]...``; `slaves` are (link, name, path).

    Raises AlternativeError when `path` is not there or the name is in use in another way.
    """
    if not tree.exists(path):
        raise AlternativeError(f"there is no alternative for {name}", where=Place(path=path))
    group = _Group.load(tree, name)
    old_link = group.link
    if old_link and old_link != link and _target(tree, old_link) == f"{LINKS}/{name}":
        tree.rename(old_link, link, parents=True)
    group.link = link
    for slave_link, slave, _ in slaves:
        old = group.slave_links.get(slave)
        if old is not None and old != slave_link and _target(tree, old) == f"{LINKS}/{slave}":
            tree.rename(old, slave_link, parents=True)
        group.slave_links[slave] = slave_link
    current = _target(tree, f"{LINKS}/{name}")
    choice = group.choice(path)
    if choice is None:
        choice = _Choice(path, priority)
        group.choices.append(choice)
    choice.priority = priority
    choice.slaves = {slave: target for _, slave, target in slaves}
    _drop_unused_slaves(tree, group)
    if current is None:
        group.automatic = True
    chosen = group.best(current) if group.automatic else group.choice(current or "")
    group.save(tree)
    if chosen is not None:
        _apply(tree, group, chosen)


def _drop_unused_slaves(tree: Tree, group: _Group) -> None:
    for slave in list(group.slave_links):
        if not any(slave in choice.slaves for choice in group.choices):
            _unlink(tree, slave, group.slave_links.pop(slave))


def remove(tree: Tree, name: str, path: str | None = None) -> None:
    """``--remove NAME PATH``, or ``--remove-all NAME`` without a path. What is not there is no error."""
    group = _Group.load(tree, name)
    current = _target(tree, f"{LINKS}/{name}")
    kept = [choice for choice in group.choices if path is not None and choice.path != path]
    if len(kept) == len(group.choices):
        return
    group.choices = kept
    if not kept:
        _unlink(tree, name, group.link)
        for slave, link in group.slave_links.items():
            _unlink(tree, slave, link)
        tree.discard(f"{ADMIN}/{name}")
        return
    if group.choice(current or "") is None:
        group.automatic = True
    _drop_unused_slaves(tree, group)
    chosen = group.best(current) if group.automatic else group.choice(current or "")
    group.save(tree)
    if chosen is not None:
        _apply(tree, group, chosen)


def select(tree: Tree, name: str, path: str | None) -> None:
    """``--set NAME PATH``; with None ``--auto NAME``. Raises AlternativeError for a path that is no choice."""
    group = _Group.load(tree, name)
    group.automatic = path is None
    chosen = group.best(_target(tree, f"{LINKS}/{name}")) if path is None else group.choice(path)
    if chosen is None:
        raise AlternativeError(f"{path or name} is no registered alternative", where=Place(path=f"{ADMIN}/{name}"))
    group.save(tree)
    _apply(tree, group, chosen)


def listed(tree: Tree, name: str) -> str | None:
    """What ``--list NAME`` prints. None when there is no such name, or when the file of a choice is missing."""
    group = _whole(tree, name)
    return None if group is None else "".join(f"{choice.path}\n" for choice in group.choices)


def queried(tree: Tree, name: str) -> str | None:
    """What ``--query NAME`` prints. None as for :func:`listed`."""
    group = _whole(tree, name)
    if group is None:
        return None
    slaves = sorted(group.slave_links)
    current = _target(tree, f"{LINKS}/{name}")
    best = group.best(current)
    lines = [f"Name: {name}", f"Link: {group.link}"]
    if slaves:
        lines += ["Slaves:", *(f" {slave} {group.slave_links[slave]}" for slave in slaves)]
    lines.append(f"Status: {'auto' if group.automatic else 'manual'}")
    if best is not None:
        lines.append(f"Best: {best.path}")
    lines.append(f"Value: {current or 'none'}")
    for choice in group.choices:
        lines += ["", f"Alternative: {choice.path}", f"Priority: {choice.priority}"]
        if slaves:
            lines += ["Slaves:", *(f" {slave} {choice.slaves[slave]}" for slave in slaves if slave in choice.slaves)]
    return "".join(f"{line}\n" for line in lines)


def _whole(tree: Tree, name: str) -> _Group | None:
    group = _Group.load(tree, name)
    return group if group.choices and all(tree.exists(choice.path) for choice in group.choices) else None


def update_alternatives(tree: Tree, arguments: Sequence[str]) -> bool:
    """A command line of update-alternatives; False is exit status 2 of ``--query`` and ``--list`` for an unknown name.

    Raises AlternativeError, or UsageError.
    """
    words = [word for word in arguments if word not in {"--quiet", "--force", "--skip-auto", "--verbose"}]
    action, *rest = words or [""]
    if action == "--install" and len(rest) >= 4 and rest[3].lstrip("-").isdecimal():
        link, name, path, priority, *more = rest
        slaves = []
        while len(more) >= 4 and more[0] == "--slave":
            slaves.append((more[1], more[2], more[3]))
            more = more[4:]
        if not more:
            install(tree, link, name, path, priority=int(priority), slaves=slaves)
            return True
    elif (action, len(rest)) in {("--remove", 2), ("--remove-all", 1)}:
        remove(tree, *rest)
        return True
    elif (action, len(rest)) in {("--set", 2), ("--auto", 1)}:
        select(tree, rest[0], rest[1] if action == "--set" else None)
        return True
    elif action in {"--query", "--list", "--display"} and len(rest) == 1:
        return tree.is_file(f"{ADMIN}/{rest[0]}")
    raise UsageError("update-alternatives is called in a way not known here", why=" ".join(arguments))

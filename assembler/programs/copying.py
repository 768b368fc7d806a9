"""cp and install, after POSIX.1-2017 and GNU coreutils 9.

An operand that fails does not keep the others from being dealt with; the exit status is 1 then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assembler.programs.accounts import AccountError, Accounts
from assembler.programs.context import Action, ExecutionContext, each, known_options, look
from assembler.programs.files import each_placed
from assembler.programs.modes import Mode, parse_mode
from assembler.programs.options import UsageError
from assembler.programs.permissions import give
from assembler.tree.content import Content
from assembler.tree.staging import Inode, Kind, Tree

_MOST = 200_000
"""Files and directories that all scripts of an image copy; looking through the tree counts as so many of them:"""
_SEARCH = 1000
_DEEPEST = 200
"""Directories in one another that are copied."""


@dataclass(slots=True)
class _Copying:
    """One call of cp."""

    context: ExecutionContext
    recursive: bool
    follow: bool
    """Whether links in operands are followed."""
    keep: bool
    """Whether modes, owners and times are kept,"""
    everything: bool
    """and attributes."""
    keep_existing: bool
    links: bool = False
    """Whether hard links are kept."""
    done: dict[Inode, str] = field(default_factory=dict)
    """Where files have gone, which may have further names."""
    made: set[str] = field(default_factory=set)
    """Where operands have gone."""
    seen: set[tuple[str, Inode]] = field(default_factory=set)
    """Operands that are no directories."""

    @property
    def tree(self) -> Tree:
        """What is copied in."""
        return self.context.tree

    def operand(self, source: str, place: str) -> bool:
        inode = look(self.tree, source, follow=self.follow)
        if inode is None or (inode.kind is Kind.DIR and not self.recursive):
            return False
        named = self.tree.resolve(source), inode
        if named in self.seen:
            # There is but a warning, however its directory is named.
            return True
        there = self.tree.resolve(place)
        if there in self.made and inode.kind is not Kind.DIR:
            return False
        here = self.tree.resolve(source, follow=self.follow or source.endswith("/"))
        if inode.kind is Kind.DIR and (there == here or there.startswith(f"{here.rstrip('/')}/")):
            raise UsageError("a directory is copied into itself", why=source)
        if inode.kind is Kind.SYMLINK and self.tree.get(there) is self.tree.get(source, follow=True) is not None:
            raise UsageError("a link is copied to where it leads", why=source)
        if place.endswith("/") and not self.tree.is_dir(place) and inode.kind is not Kind.DIR:
            return False
        copied = self.copy(inode, there)
        self.made.add(there)
        if inode.kind is not Kind.DIR:
            self.seen.add(named)
        return copied

    def copy(self, inode: Inode, place: str) -> bool:
        """Copy an inode to a place that is resolved."""
        self._count(1)
        if place.count("/") > _DEEPEST:
            raise UsageError("directories are too deep to be copied", why=f"more than {_DEEPEST}")
        if inode.kind not in {Kind.FILE, Kind.DIR, Kind.SYMLINK}:
            raise UsageError("devices and pipes are not copied", why=place)
        found = self.tree.get(place)
        if inode.kind is Kind.DIR:
            return self._directory(inode, found, place)
        if found is not None and self.keep_existing:
            # A file is not written through a link that leads nowhere, whoever asked.
            return inode.kind is not Kind.FILE or self.tree.exists(place)
        if found is not None and found.kind is Kind.DIR:
            return False
        if found is inode:
            return False
        if self.links and inode in self.done:
            if found is not None:
                self.tree.remove(place)
            self.tree.link(self.done[inode], place)
            return True
        if inode.kind is Kind.SYMLINK:
            made = self.tree.symlink(inode.target, place)
            if self.keep:
                made.uid, made.gid, made.mtime = inode.uid, inode.gid, inode.mtime
            self.done[inode] = place
            return True
        return self._file(inode, found, place)

    def _file(self, inode: Inode, found: Inode | None, place: str) -> bool:
        if found is not None and found.kind is Kind.SYMLINK:
            # What it leads to is written to, unless it leads nowhere.
            found = self.tree.get(place, follow=True)
            if found is None or found is inode or found.kind is Kind.DIR:
                return False
        if found is not None and found.kind is not Kind.FILE:
            raise UsageError("devices and pipes are not written to", why=place)
        if found is not None and self.links and self._names(found) > 1:
            # It is not to be one of several names of the new file.
            self.tree.remove(self.tree.resolve(place, follow=True))
        made = self.tree.write(place, inode.content, inode.mode & 0o777 & ~self.context.umask)
        if self.keep:
            self._as(inode, made)
        self.done[inode] = place
        return True

    def _directory(self, inode: Inode, found: Inode | None, place: str) -> bool:
        if found is not None and found.kind is Kind.SYMLINK:
            raise UsageError("a directory is copied to a link", why=place)
        if found is not None and found.kind is not Kind.DIR:
            return False
        made = found
        if made is None:
            made = self.tree.mkdir(place)
            made.mode = inode.mode & 0o1777 & ~self.context.umask | made.mode & 0o2000
        good = True
        for name in sorted(inode.children):
            good = self.copy(inode.children[name], f"{place.rstrip('/')}/{name}") and good
        if self.keep:
            self._as(inode, made)
        return good

    def _count(self, number: int) -> None:
        self.context.copied += number
        if self.context.copied > _MOST:
            raise UsageError("scripts copy too many files", why=f"more than {_MOST}")

    def _names(self, inode: Inode) -> int:
        """How many names a file has."""
        self._count(_SEARCH)
        return sum(each is inode for _, each in self.tree.walk())

    def _as(self, inode: Inode, made: Inode) -> None:
        """Have `made` be as `inode`."""
        give(made, inode.uid, inode.gid)
        made.mode, made.mtime = inode.mode, inode.mtime
        if self.everything:
            made.xattrs.update(inode.xattrs)


def cp(arguments: list[str]) -> Action | None:
    """``cp``, without backups, links in the place of copies, and choices of what is kept."""
    # -Z sets the default SELinux context, which nothing in the tree has.
    parsed = known_options(
        arguments, "p a|archive d f|force n|no-clobber r|R|recursive P|no-dereference L|dereference Z v|verbose"
        " T|no-target-directory l|link",
    )  # fmt: skip
    if parsed is None or len(parsed[1]) < 2:
        return None
    options, (*sources, path) = parsed
    physical, archive = {"a", "d", "P"} & options.keys(), "a" in options
    recursive = archive or "r" in options
    if ("T" in options and len(sources) > 1) or ("L" in options and (recursive or physical)):
        return None
    if "l" in options:
        return _linking(sources, path) if options.keys() == {"l"} else None

    def run(context: ExecutionContext) -> int:
        copying = _Copying(
            context,
            recursive=recursive,
            follow=not physical and not recursive,
            keep=archive or "p" in options,
            everything=archive,
            keep_existing="n" in options,
            links=archive or "d" in options,
        )
        return each_placed(context.tree, sources, path, copying.operand, itself="T" in options)

    return run


def _linking(sources: Sequence[str], path: str) -> Action:
    """``cp -l``: further names of files, in the place of copies."""

    def run(context: ExecutionContext) -> int:
        tree = context.tree

        def link(source: str, place: str) -> bool:
            inode = look(tree, source, follow=False)
            if inode is None or inode.kind is Kind.DIR:
                return False
            if inode.kind is not Kind.FILE or tree.lexists(place) or place.endswith("/"):
                raise UsageError("cp -l of what is no file, or to what is there", why=place)
            tree.put(place, inode)
            return True

        return each_placed(tree, sources, path, link)

    return run


def install(arguments: list[str]) -> Action | None:
    """``install``, without backups and stripping."""
    parsed = known_options(
        arguments, "d|directory D m|mode= o|owner= g|group= p|preserve-timestamps v|verbose c T|no-target-directory Z"
    )
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    mode = parse_mode(options["m"]) if "m" in options else None
    if mode is None and "m" in options:
        return None
    if "d" in options:
        return None if {"D", "T", "p"} & options.keys() else _directories(paths, mode, options)
    if len(paths) < 2 or ("T" in options and len(paths) > 2) or ("D" in options and len(paths) > 2):
        return None
    *sources, path = paths

    def run(context: ExecutionContext) -> int:
        tree = context.tree
        owner = _owner(tree, options)
        if owner is None:
            return 1
        made = set[str]()

        def put(source: str, place: str) -> bool:
            if "D" in options:
                tree.mkdir(tree.resolve(place).rpartition("/")[0] or "/", parents=True)
            content, mtime = _source(tree, source)
            found = tree.get(place)
            if content is None or place.endswith("/") or (found is not None and found.kind is Kind.DIR):
                return False
            if found is not None and tree.resolve(place) in {*made, tree.resolve(source, follow=True)}:
                return False
            if tree.resolve(source) == tree.resolve(place):
                raise UsageError("a link is installed in its own place", why=source)
            tree.discard(place)
            inode = tree.write(place, content, 0o600)
            give(inode, *owner)
            inode.mode = 0o755 if mode is None else mode.applied(0, umask=0)
            if "p" in options:
                inode.mtime = mtime
            made.add(tree.resolve(place))
            return True

        return each_placed(tree, sources, path, put, itself="T" in options)

    return run


def _source(tree: Tree, path: str) -> tuple[Content | None, int]:
    """The content of a file and its time; None for what is none."""
    if path == "/dev/null":
        return b"", tree.mtime
    inode = look(tree, path)
    return (inode.content, inode.mtime) if inode is not None and inode.kind is Kind.FILE else (None, 0)


def _owner(tree: Tree, options: Mapping[str, str]) -> tuple[int | None, int | None] | None:
    """The numbers of the user and group named; None when there is no such one."""
    accounts = Accounts(tree)
    try:
        return (
            accounts.uid(options["o"]) if "o" in options else None,
            accounts.gid(options["g"]) if "g" in options else None,
        )
    except AccountError:
        return None


def _directories(paths: list[str], mode: Mode | None, options: Mapping[str, str]) -> Action:
    def run(context: ExecutionContext) -> int:
        tree = context.tree
        owner = _owner(tree, options)
        if owner is None:
            return 1

        def make(path: str) -> bool:
            if tree.lexists(path) and not tree.is_dir(path):
                return False
            new = not tree.lexists(path)
            if mode is not None and mode.copies and not new:
                # They are those of a mode of nothing.
                raise UsageError("install of a directory that is there, with permissions of others", why=path)
            made = tree.mkdir(path, parents=True)
            give(made, *owner)
            old = made.mode & 0o6000 if new else made.mode
            made.mode = 0o755 if mode is None else mode.applied(old, directory=True, umask=0)
            return True

        return each(paths, make)

    return run

"""mkdir, rmdir, rm, touch, ln, cp, mv, install and cmp, after POSIX.1-2017 and GNU coreutils."""

import posixpath

from assembler.programs.context import Action, ExecutionContext, known_options
from assembler.programs.permissions import change_owner, parse_mode
from assembler.tree.content import Content
from assembler.tree.staging import Inode, Kind, Tree


def mkdir(arguments: list[str]) -> Action | None:
    """``mkdir``, without contexts."""
    parsed = known_options(arguments, "p|parents m|mode= v|verbose")
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    mode = parse_mode(options.get("m", "755"), 0)
    if mode is None:
        return None

    def run(context: ExecutionContext) -> int:
        for path in paths:
            if context.tree.lexists(path) and ("p" not in options or not context.tree.is_dir(path)):
                return 1
            context.tree.mkdir(path, mode, parents="p" in options)
        return 0

    return run


def rmdir(arguments: list[str]) -> Action | None:
    """``rmdir``, without ``--parents``."""
    parsed = known_options(arguments, "ignore-fail-on-non-empty p|parents")
    if parsed is None or "p" in parsed[0]:
        return None
    options, paths = parsed

    def run(context: ExecutionContext) -> int:
        for path in paths:
            inode = context.tree.get(path)
            if inode is None or inode.kind is not Kind.DIR or inode.children:
                return 0 if inode is not None and inode.children and options else 1
            context.tree.remove(path)
        return 0

    return run


def rm(arguments: list[str]) -> Action | None:
    """``rm``, but never of a root directory."""
    parsed = known_options(arguments, "f|force r|R|recursive v|verbose")
    if parsed is None or not parsed[1] or any(path.strip("/.") == "" for path in parsed[1]):
        return None
    options, paths = parsed

    def run(context: ExecutionContext) -> int:
        status = 0
        for path in paths:
            inode = context.tree.get(path)
            if inode is None:
                status = status if "f" in options else 1
            elif inode.kind is Kind.DIR and "r" not in options:
                status = 1
            else:
                context.tree.discard(path)
        return status

    return run


def touch(arguments: list[str]) -> Action | None:
    """``touch``, without options."""
    if not arguments or any(argument.startswith("-") for argument in arguments):
        return None

    def run(context: ExecutionContext) -> int:
        for path in arguments:
            if not context.tree.exists(path):
                context.write(path, b"")
        return 0

    return run


def ln(arguments: list[str]) -> Action | None:
    """``ln`` of one file, without backups."""
    parsed = known_options(arguments, "s|symbolic f|force n|no-dereference r|relative T|no-target-directory v|verbose")
    if parsed is None or len(parsed[1]) != 2:
        return None
    options, (target, path) = parsed

    def run(context: ExecutionContext) -> int:
        place = path
        if "T" not in options and not ("n" in options and not _is_real_dir(context.tree, path)):
            place = _into(context.tree, target, path)
        found = context.tree.get(place)
        if found is not None and ("f" not in options or found.kind is Kind.DIR):
            return 1
        if "s" not in options:
            context.tree.link(target, place)
            return 0
        text = target
        if "r" in options:
            directory = context.tree.resolve(posixpath.dirname(place) or "/", follow=True)
            text = posixpath.relpath(context.tree.resolve(target, follow=True), directory)
        context.tree.symlink(text, place)
        return 0

    return run


def _is_real_dir(tree: Tree, path: str) -> bool:
    inode = tree.get(path)
    return inode is not None and inode.kind is Kind.DIR


def _into(tree: Tree, source: str, path: str) -> str:
    """`path`, or the name of `source` in it when it is a directory."""
    return f"{path.rstrip('/')}/{posixpath.basename(source.rstrip('/'))}" if tree.is_dir(path) else path


def cp(arguments: list[str]) -> Action | None:
    """``cp`` of one file, without backups."""
    # -Z sets the default SELinux context, which nothing in the tree has.
    parsed = known_options(arguments, "p a|archive d f|force n|no-clobber Z v|verbose T|no-target-directory")
    if parsed is None or len(parsed[1]) != 2:
        return None
    options, (source, path) = parsed

    def run(context: ExecutionContext) -> int:
        inode = context.tree.get(source, follow="a" not in options and "d" not in options)
        if inode is None or inode.kind is Kind.DIR:
            return 1
        place = path if "T" in options else _into(context.tree, source, path)
        if "n" in options and context.tree.lexists(place):
            return 0
        if inode.kind is Kind.SYMLINK:
            context.tree.symlink(inode.target, place)
            return 0
        new = context.tree.write(place, inode.content, inode.mode & ~0o022 & 0o777)
        if "p" in options or "a" in options:
            new.mode, new.uid, new.gid, new.mtime = inode.mode, inode.uid, inode.gid, inode.mtime
        return 0

    return run


def mv(arguments: list[str]) -> Action | None:
    """``mv`` of one file, without backups."""
    parsed = known_options(arguments, "f|force n|no-clobber v|verbose T|no-target-directory")
    if parsed is None or len(parsed[1]) != 2:
        return None
    options, (source, path) = parsed

    def run(context: ExecutionContext) -> int:
        if not context.tree.lexists(source):
            return 1
        place = path if "T" in options else _into(context.tree, source, path)
        if "n" in options and context.tree.lexists(place):
            return 0
        context.tree.rename(source, place)
        return 0

    return run


def install(arguments: list[str]) -> Action | None:
    """``install`` of one file, or of directories."""
    parsed = known_options(arguments, "d|directory D m|mode= o|owner= g|group= p|preserve-timestamps v|verbose T")
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    mode = parse_mode(options.get("m", "755"), 0)
    if mode is None or ("d" not in options and len(paths) != 2):
        return None

    def run(context: ExecutionContext) -> int:
        tree = context.tree
        if "d" in options:
            made = [tree.mkdir(path, parents=True) for path in paths]
        else:
            content: Content = b""
            if paths[0] != "/dev/null":
                source = tree.get(paths[0], follow=True)
                if source is None or source.kind is not Kind.FILE:
                    return 1
                content = source.content
            place = paths[1] if "T" in options else _into(tree, paths[0], paths[1])
            inode = Inode(Kind.FILE, mode, mtime=tree.mtime, content=content)
            made = [tree.put(place, inode, parents="D" in options)]
        for inode in made:
            inode.mode = mode
            change_owner(tree, inode, options.get("o", ""), options.get("g", ""))
        return 0

    return run


def cmp(arguments: list[str]) -> Action | None:
    """``cmp``, of which only the exit status is of use."""
    names = [argument for argument in arguments if argument not in {"-s", "--quiet", "--silent"}]
    if len(names) != 2 or any(name.startswith("-") for name in names):
        return None

    def run(context: ExecutionContext) -> int:
        if not all(context.tree.is_file(name) for name in names):
            return 2
        return 0 if context.tree.read(names[0]) == context.tree.read(names[1]) else 1

    return run

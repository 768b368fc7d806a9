"""mkdir, rmdir, rm, touch, ln, mv and cmp, after POSIX.1-2017 and GNU coreutils 9.

An operand that fails does not keep the others from being dealt with; the exit status is 1 then. cp and install are in
`copying.py`.
"""

import posixpath
from collections.abc import Callable, Sequence

from assembler.programs.context import Action, ExecutionContext, each, known_options, look
from assembler.programs.modes import parse_mode
from assembler.programs.options import UsageError
from assembler.tree.staging import Inode, Kind, Tree, TreeError


def each_placed(
    tree: Tree, sources: Sequence[str], path: str, do: Callable[[str, str], bool], *, itself: bool = False
) -> int:
    """The exit status of a command that does something with each source and the place for it: in `path` when that is a
    directory, which it has to be for several, and at `path` otherwise or when that is meant `itself`.
    """
    inside = not itself and tree.is_dir(path)
    if len(sources) > 1 and not inside:
        return 1
    return each(sources, lambda source: do(source, _into(source, path) if inside else path))


def mkdir(arguments: list[str]) -> Action | None:
    """``mkdir``; without SELinux, the default context is none."""
    parsed = known_options(arguments, "p|parents m|mode= v|verbose Z")
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    mode = parse_mode(options["m"]) if "m" in options else None
    if "m" in options and mode is None:
        return None

    def run(context: ExecutionContext) -> int:
        umask, usual = context.umask, 0o777 & ~context.umask
        if mode is not None:
            least, most = mode.applied(0, umask=umask), mode.applied(0o777, umask=umask)
            if most & ~0o777 and least != most:
                # The umask counts in another way.
                raise UsageError("clauses that add further bits to what there is", why=options["m"])

        def make(path: str) -> bool:
            tree = context.tree
            if "p" in options and tree.is_dir(path):
                return True
            if tree.lexists(path):
                return False
            made = tree.mkdir(path, usual, parents="p" in options, above=usual | 0o300)
            if mode is not None:
                # Clauses go on from what everybody may do, and from the bit of the directory above.
                made.mode = mode.applied(0o777 | made.mode & 0o2000, directory=True, umask=umask)
            return True

        return each(paths, make)

    return run


def rmdir(arguments: list[str]) -> Action | None:
    """``rmdir``; with ``-p`` the parents of a directory that was removed go, too, as long as they can."""
    parsed = known_options(arguments, "p|parents ignore-fail-on-non-empty v|verbose")
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    if "p" in options and any({".", ".."} & set(path.split("/")) for path in paths):
        return None

    def run(context: ExecutionContext) -> int:
        def fails(path: str) -> bool | None:
            """None when the directory is removed, else whether that is a failure."""
            inode = context.tree.get(path)
            if not path or inode is None or inode.kind is not Kind.DIR or posixpath.basename(path.rstrip("/")) == ".":
                return True
            if inode.children:
                return "ignore-fail-on-non-empty" not in options
            context.tree.remove(path)
            return None

        def remove(path: str) -> bool:
            failed = fails(path)
            while failed is None and "p" in options and (path := posixpath.dirname(path.rstrip("/"))):
                failed = fails(path)
            return not failed

        return each(paths, remove)

    return run


def rm(arguments: list[str]) -> Action | None:
    """``rm``, but never of a root directory."""
    parsed = known_options(arguments, "f|force r|R|recursive d|dir v|verbose")
    if parsed is None or not parsed[1] or any(path.strip("/.") == "" for path in parsed[1]):
        return None
    options, paths = parsed

    def run(context: ExecutionContext) -> int:
        def remove(path: str) -> bool:
            inode = context.tree.get(path)
            if inode is None:
                return "f" in options
            if path.endswith("/") and inode.kind is not Kind.DIR:
                found = context.tree.get(path, follow=True)
                if found is None or found.kind is not Kind.DIR:
                    return "f" in options
                if "d" in options:
                    raise UsageError("a link with a slash at its end is removed", why=path)
                if "r" not in options:
                    return False
                # What is below goes, and then the link is no directory, which -f does not mind.
                for name in list(found.children):
                    context.tree.discard(f"{path}{name}")
                return "f" in options
            if inode.kind is Kind.DIR:
                if posixpath.basename(path.rstrip("/")) in {".", ".."}:
                    return False
                if "r" not in options and ("d" not in options or inode.children):
                    return False
            context.tree.discard(path)
            return True

        return each(paths, remove)

    return run


def touch(arguments: list[str]) -> Action | None:
    """``touch`` with the time that it is, or that of another file."""
    parsed = known_options(arguments, "c|no-create h|no-dereference r|reference=")
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    follow = "h" not in options

    def run(context: ExecutionContext) -> int:
        tree = context.tree
        time = tree.mtime
        if "r" in options:
            reference = look(tree, options["r"], follow=follow)
            if reference is None:
                return 1
            time = reference.mtime

        def touched(path: str) -> bool:
            is_slashed = path.endswith("/")
            inode = tree.get(path, follow=follow or is_slashed)
            if inode is None and "c" in options:
                # Not where a file is taken for a directory: that is a TreeError.
                return bool(tree.resolve(path))
            if is_slashed and (inode is None or inode.kind is not Kind.DIR):
                return False
            if inode is None:
                if not follow:
                    return False
                context.write(path, b"")
                inode = tree.at(path, follow=True)
            inode.mtime = time
            return True

        return each(paths, touched)

    return run


def ln(arguments: list[str]) -> Action | None:
    """``ln``, without backups."""
    parsed = known_options(arguments, "s|symbolic f|force n|no-dereference r|relative T|no-target-directory v|verbose")
    if parsed is None or len(parsed[1]) < 2 or ("r" in parsed[0] and "s" not in parsed[0]):
        return None
    options, (*targets, path) = parsed
    if "T" in options and len(targets) > 1:
        return None

    def run(context: ExecutionContext) -> int:
        tree = context.tree
        made = set[str]()

        def link(target: str, place: str) -> bool:
            found = tree.get(place)
            if place.endswith("/") or posixpath.basename(place) in {".", ".."}:
                return False
            if found is not None:
                if "f" not in options or found.kind is Kind.DIR or tree.resolve(place) in made:
                    return False
                if found is tree.get(target, follow="s" in options):
                    if tree.resolve(target) == tree.resolve(place):
                        if "r" in options:
                            raise UsageError("a relative link is made in its own place", why=target)
                        return False
                    if _is_link(tree, target):
                        raise UsageError("a link is made in the place of what it leads to", why=target)
                    if "s" not in options:
                        # A further name of the same file stays one.
                        return True
            if "s" not in options:
                linked = look(tree, target, follow=False)
                if linked is None or linked.kind is Kind.DIR:
                    return False
                tree.put(place, linked)
            else:
                text = target
                if "r" in options:
                    directory = tree.resolve(posixpath.dirname(place) or "/", follow=True)
                    try:
                        text = posixpath.relpath(tree.resolve(target, follow=True), directory)
                    except TreeError as error:
                        raise UsageError("a relative link to what cannot be", why=target) from error
                tree.symlink(text, place)
            if "s" not in options:
                # Symbolic links may replace one another.
                made.add(tree.resolve(place))
            return True

        itself = "T" in options or ("n" in options and _is_link(tree, path))
        return each_placed(tree, targets, path, link, itself=itself)

    return run


def _is_link(tree: Tree, path: str) -> bool:
    """Whether `path` is a symbolic link itself."""
    inode = tree.get(path)
    return inode is not None and inode.kind is Kind.SYMLINK and not path.endswith("/")


def _into(source: str, directory: str) -> str:
    """The place in a directory that has the name of `source`."""
    return f"{directory.rstrip('/')}/{posixpath.basename(source.rstrip('/'))}"


def mv(arguments: list[str]) -> Action | None:
    """``mv``, without backups."""
    parsed = known_options(arguments, "f|force n|no-clobber v|verbose T|no-target-directory Z")
    if parsed is None or len(parsed[1]) < 2:
        return None
    options, (*sources, path) = parsed
    # The last of the two would count.
    if ("T" in options and len(sources) > 1) or {"f", "n"} <= options.keys():
        return None

    def run(context: ExecutionContext) -> int:
        tree = context.tree
        made = set[str]()

        def move(source: str, place: str) -> bool:
            moved = tree.get(source)
            found = tree.get(place)
            if moved is not None and found is not None and "n" in options:
                if moved.kind is Kind.DIR and found.kind is Kind.SYMLINK and place.endswith("/"):
                    raise UsageError("a directory is moved to a link with a slash at its end", why=place)
                return True
            if moved is None and found is not None and "n" in options:
                raise UsageError("mv -n of what is not there to what is there", why=source)
            if moved is None or (source.endswith("/") and moved.kind is not Kind.DIR):
                return False
            here, there = tree.resolve(source), tree.resolve(place)
            if moved.kind is Kind.SYMLINK and found is not None and found is tree.get(source, follow=True):
                raise UsageError("a link is moved to where it leads", why=source)
            if not _may_replace(moved, found, place) or here == there or there.startswith(f"{here}/") or there in made:
                return False
            if posixpath.basename(source.rstrip("/")) in {".", ".."}:
                return False
            tree.rename(source, place)
            made.add(there)
            return True

        return each_placed(tree, sources, path, move, itself="T" in options)

    return run


def _may_replace(moved: Inode, found: Inode | None, place: str) -> bool:
    if found is None:
        return not place.endswith("/") or moved.kind is Kind.DIR
    if found is moved:
        return False
    if found.kind is Kind.DIR:
        return moved.kind is Kind.DIR and not found.children
    return moved.kind is not Kind.DIR and not place.endswith("/")


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

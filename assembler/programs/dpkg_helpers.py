"""dpkg-trigger(1), dpkg-statoverride(1) and dpkg-divert(1), with the databases that they keep."""

import posixpath
import re
from collections.abc import Sequence

from assembler.errors import Place
from assembler.programs.accounts import Accounts
from assembler.programs.context import Action, CommandError, ExecutionContext, known_options
from assembler.programs.options import UsageError
from assembler.programs.permissions import change_owner
from assembler.tree.staging import Tree

STATOVERRIDE = "/var/lib/dpkg/statoverride"
DIVERSIONS = "/var/lib/dpkg/diversions"


def trigger(arguments: list[str]) -> Action | None:
    """``dpkg-trigger NAME``: note that the trigger is activated."""
    parsed = known_options(arguments, "by-package= await no-await no-act check-supported")
    if parsed is None:
        return None
    options, names = parsed
    if "check-supported" in options and not names:
        return lambda _context: 0
    # Names are what deb-triggers(5) has; dpkg fails with others.
    if "check-supported" in options or len(names) != 1 or not re.fullmatch("[!-~]+", names[0]):
        return None

    def run(context: ExecutionContext) -> int:
        if "no-act" not in options and names[0] not in context.triggers:
            context.triggers.append(names[0])
        return 0

    return run


def statoverride(arguments: list[str]) -> Action | None:
    """``dpkg-statoverride`` with ``--add``, ``--remove`` or ``--list``."""
    parsed = known_options(arguments, "update add list remove force force-all force-statoverride-add quiet")
    if parsed is None:
        return None
    options, rest = parsed
    if set(options) <= {"list", "quiet"} and len(rest) == 1:
        return lambda context: 0 if rest[0] in statoverrides(context.tree) else 1
    if {"remove"} <= options.keys() <= {"remove", "update", "quiet"} and len(rest) == 1:
        return None if posixpath.normpath(rest[0]) != rest[0] else lambda context: _no_override(context.tree, rest[0])
    if "add" in options and "remove" not in options and len(rest) == 4 and re.fullmatch("0*[0-7]{1,4}", rest[2]):
        user, group, mode, path = rest
        if any(re.search(r"\s|^#", word) for word in (user, group)) or "\n" in path or posixpath.normpath(path) != path:
            return None
        forced = {"force", "force-all", "force-statoverride-add"} & options.keys()

        def run(context: ExecutionContext) -> int:
            entries = statoverrides(context.tree)
            if path in entries and not forced:
                raise CommandError("there is an override already", where=Place(path=path))
            accounts = Accounts(context.tree)
            for kind, name, found in (("user", user, accounts.user(user)), ("group", group, accounts.group(group))):
                if found is None and not re.fullmatch("#[0-9]+", name):
                    raise CommandError(f"there is no {kind} {name!r}", where=Place(path=path))
            entries[path] = f"{user} {group} {int(mode, 8):o} {path}"
            text = "".join(f"{line}\n" for line in entries.values())
            context.tree.write(STATOVERRIDE, text.encode(), parents=True)
            if "update" in options and context.tree.exists(path):
                change_owner(context.tree, context.tree.at(path, follow=True), user, group)
                context.tree.chmod(path, int(mode, 8))
            return 0

        return run
    return None


def _no_override(tree: Tree, path: str) -> int:
    entries = statoverrides(tree)
    if path not in entries:
        raise CommandError("there is no override", where=Place(path=path))
    del entries[path]
    tree.write(STATOVERRIDE, "".join(f"{line}\n" for line in entries.values()).encode())
    return 0


def statoverrides(tree: Tree) -> dict[str, str]:
    """The lines of dpkg's statoverride database by path."""
    if not tree.is_file(STATOVERRIDE):
        return {}
    lines = tree.read_text(STATOVERRIDE).split("\n")[:-1]
    if not all(line.count(" ") >= 3 for line in lines):
        raise CommandError("dpkg's database of overrides is damaged", where=Place(path=STATOVERRIDE))
    return {line.split(" ", 3)[3]: line for line in lines}


def diversions(tree: Tree) -> list[tuple[str, str, str]]:
    """The diversions of dpkg: (path, diverted to, package or ``:`` for a local one)."""
    if not tree.is_file(DIVERSIONS):
        return []
    lines = tree.read_text(DIVERSIONS).split("\n")[:-1]
    if len(lines) % 3:
        raise CommandError("dpkg's database of diversions is damaged", where=Place(path=DIVERSIONS))
    return list(zip(lines[::3], lines[1::3], lines[2::3], strict=True))


def _write_diversions(tree: Tree, entries: Sequence[tuple[str, str, str]]) -> None:
    tree.write(DIVERSIONS, "".join(f"{line}\n" for entry in entries for line in entry).encode(), parents=True)


def divert(arguments: list[str]) -> Action | None:
    """``dpkg-divert`` with ``--add`` or ``--remove``, and with or without ``--rename``."""
    parsed = known_options(arguments, "quiet local package= divert= rename no-rename add remove")
    if parsed is None or len(parsed[1]) != 1:
        return None
    options, (path,) = parsed
    if ("rename" in options) is ("no-rename" in options):
        return None
    to = options.get("divert", f"{path}.distrib")
    if any("\n" in word for word in (path, to, options.get("package", ""))):
        return None

    def run(context: ExecutionContext) -> int:
        package = ":" if "local" in options else options.get("package", context.package)
        entries = diversions(context.tree)
        clashing = [entry for entry in entries if entry != (path, to, package) and {path, to} & set(entry[:2])]
        if "remove" in options:
            # Whose it is, and where to, counts where it is said.
            said = (path, options.get("divert"), package or None)
            found = [entry for entry in entries if entry[0] == path]
            if any(want not in {None, has} for entry in found for want, has in zip(said, entry, strict=True)):
                raise CommandError("another diversion is in its place", where=Place(path=path))
            to_there = found[0][1] if found else ""
            if found and "rename" in options and context.tree.lexists(to_there):
                raise UsageError("a file is moved back from a diversion", where=Place(path=to_there))
            if found:
                _write_diversions(context.tree, [entry for entry in entries if entry[0] != path])
        elif clashing:
            raise CommandError("another diversion is in its place", where=Place(path=path))
        elif (path, to, package) not in entries:
            if "rename" in options and context.tree.lexists(to):
                # Whose file that is depends on the order of unpacking, and here all are unpacked.
                raise UsageError("a file is in the way of a diversion", where=Place(path=to))
            # A package's own files are not diverted. Those of others are unpacked before this script runs here, so that
            # they are moved whatever the order of unpacking would have made of them.
            if "rename" in options and context.tree.lexists(path) and package not in context.owners(path):
                context.tree.rename(path, to)
            _write_diversions(context.tree, [*entries, (path, to, package)])
        return 0

    return run

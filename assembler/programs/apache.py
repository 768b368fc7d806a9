"""a2enmod(8), a2enconf(8) and a2ensite(8): the links that turn parts of Apache's configuration on."""

import re
from collections.abc import Iterator, Sequence

from assembler.errors import AssembleError, Place
from assembler.programs.options import parse_options
from assembler.tree.staging import Kind, Tree

_CONFIG = "/etc/apache2"
_STATE = "/var/lib/apache2"
PROGRAMS = {"a2enmod": ("mods", "module", ".load"), "a2enconf": ("conf", "conf", ".conf"),
          "a2ensite": ("sites", "site", ".conf")}  # fmt: skip
"""Per program: the stem of its directories, what its notes are filed under, the end of its files' names."""


class ApacheError(AssembleError):
    """A part of Apache's configuration that cannot be turned on."""


def enable(tree: Tree, arguments: Sequence[str], *, program: str) -> None:
    """``a2enmod -m -q NAME...`` and the like; modules bring those that they depend on. Raises ApacheError.

    `program` is one of :data:`PROGRAMS`.
    """
    options, names = parse_options(arguments, "quiet|q maintmode|m force|f", program=program)
    by = "maint" if "maintmode" in options else "admin"
    for name in names:
        _enable(tree, program, name.removesuffix(PROGRAMS[program][2]), by)


def _enable(tree: Tree, program: str, name: str, by: str) -> None:
    stem, kind, suffix = PROGRAMS[program]
    available, enabled = f"{_CONFIG}/{stem}-available", f"{_CONFIG}/{stem}-enabled"
    file = f"{available}/{name}{suffix}"
    if re.search(r"[*?\[{]", name) or not tree.is_file(file) or name == "cgi":
        raise ApacheError(f"{program} {name} is not known here", where=Place(path=file))
    header = list(_header(tree.read_text(file)))
    for key, names in header:
        for other in names:
            if key == "Depends" and program == "a2enmod":
                _enable(tree, program, other, by)
            elif key == "Depends" and not tree.exists(f"{_CONFIG}/mods-enabled/{other}.load"):
                raise ApacheError(f"{name} needs the module {other}", where=Place(path=file))
            elif key == "Conflicts" and tree.exists(f"{enabled}/{other}{suffix}"):
                raise ApacheError(f"{name} conflicts with {other}", where=Place(path=file))
    if tree.lexists(f"{enabled}/{name}{suffix}"):
        return
    for end in dict.fromkeys((".conf", suffix)) if program == "a2enmod" else (suffix,):
        if tree.exists(f"{available}/{name}{end}"):
            tree.symlink(f"../{stem}-available/{name}{end}", f"{enabled}/{name}{end}")
    directory = f"{_STATE}/{kind}"
    if tree.is_dir(directory):
        notes = [path for path, inode in tree.walk(directory) if inode.kind is Kind.FILE and path.endswith(f"/{name}")]
        for path in notes:
            tree.remove(path)
    tree.write(f"{directory}/enabled_by_{by}/{name}", b"", parents=True)


def _header(text: str) -> Iterator[tuple[str, list[str]]]:
    """The ``# Depends:`` and ``# Conflicts:`` lines in the comment at the top of a file, the first of each."""
    seen: set[str] = set()
    for line in text.splitlines():
        match = re.match(r"# (Depends|Conflicts):\s(.*)", line)
        if match and match[1] not in seen:
            seen.add(match[1])
            yield match[1], match[2].split()
        if not re.match(r"\s*(#.*)?$", line):
            return

"""dpkg, as far as it answers questions and changes nothing, after dpkg 1.21 to 1.22."""

import re

from assembler.debian.version import compare
from assembler.programs.dpkg_query import query
from assembler.programs.packages_known import Packages
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_RELATIONS: dict[str, tuple[bool, bool, bool, bool, bool, bool]] = {
    # earlier, equal, later; the first is empty, the second is, both are
    "lt": (True, False, False, True, False, False),
    "le": (True, True, False, True, False, True),
    "eq": (False, True, False, False, False, True),
    "ne": (True, False, True, True, True, False),
    "ge": (False, True, True, False, True, True),
    "gt": (False, False, True, False, True, False),
    "lt-nl": (True, False, False, False, True, False),
    "le-nl": (True, True, False, False, True, True),
    "ge-nl": (False, True, True, True, False, True),
    "gt-nl": (False, False, True, True, False, False),
}
_SYMBOLS = {"<<": "lt", "<=": "le", "<": "le", "=": "eq", ">=": "ge", ">": "ge", ">>": "gt"}
_USAGE = 2
_MAX_VERSION = 500
_MAX_EPOCH = (1 << 31) - 1
_QUERIES = {
    "-s": "-s", "--status": "-s", "-l": "-l", "--list": "-l", "-L": "-L", "--listfiles": "-L", "-S": "-S",
    "--search": "-S",
}  # fmt: skip


def dpkg(process: Process, packages: Packages | None) -> int:
    """``dpkg --compare-versions``, ``--print-architecture``, ``--get-selections``, ``-s``, ``-l``, ``-L``, ``-S``."""
    words = list(process.arguments)
    action = words.pop(0) if words else ""
    if action in _QUERIES:
        process.arguments = [_QUERIES[action], *words]
        return query(process, packages)
    if action == "--compare-versions":
        return _compare(process, words)
    if packages is None:
        raise Refused("what dpkg knows of packages", why=" ".join(process.arguments))
    if action == "--print-architecture" and not words:
        process.print(f"{packages.architecture}\n")
        return 0
    if action == "--print-foreign-architectures" and not words:
        if any(package.architecture not in {packages.architecture, "all", ""} for package in packages.known()):
            raise Refused("packages of several architectures")
        return 0
    if action == "--get-selections" and not words:
        return _selections(process, packages)
    raise Refused("dpkg with these arguments", why=" ".join(process.arguments)[:200])


def _compare(process: Process, words: list[str]) -> int:
    if words[:1] == ["--"]:
        words.pop(0)
    elif words and words[0].startswith("-"):
        raise Refused("dpkg with these arguments", why=" ".join(process.arguments)[:200])
    if len(words) != 3:
        process.complain("dpkg: --compare-versions takes three arguments")
        return _USAGE
    left, name, right = words
    relation = _RELATIONS.get(_SYMBOLS.get(name, name))
    if relation is None:
        process.complain("dpkg: bad relation")
        return _USAGE
    if name in {"<", ">"}:
        process.complain("dpkg: an obsolete relation")
    valid = [_judged(process, version) for version in (left, right)]
    if not all(valid):
        return _USAGE
    left, right = left.strip(" \t\n\v\f\r"), right.strip(" \t\n\v\f\r")
    if not _is_informative(left) or not _is_informative(right):
        at = 5 if not _is_informative(left) and not _is_informative(right) else 3 if not _is_informative(left) else 4
        return 0 if relation[at] else 1
    order = compare(left, right)
    return 0 if relation[(order > 0) - (order < 0) + 1] else 1


def _is_informative(version: str) -> bool:
    return version not in {"", "<unknown>"}


def _judged(process: Process, version: str) -> bool:
    """Whether a version can be compared; about an odd one dpkg warns."""
    if not _is_informative(version):
        return True
    if not version.isascii() or "\0" in version or len(version) > _MAX_VERSION:
        raise Refused("a version that is long or not ASCII", why=version[:80])
    text = version.strip(" \t\n\v\f\r")
    epoch, colon, rest = text.partition(":")
    body = rest if colon else text
    upstream, hyphen, revision = body.rpartition("-")
    if not hyphen:
        upstream = body
    if colon and not re.fullmatch(r"[0-9]{1,10}", epoch) and re.fullmatch(r"\s*[-+]?[0-9]+", epoch):
        raise Refused("an epoch with a sign or of many digits", why=version)
    if (
        not text
        or re.search(r"\s", text)
        or (colon and not re.fullmatch(r"[0-9]+", epoch))
        or (colon and int(epoch) > _MAX_EPOCH)
        or not body
        or (hyphen and not revision)
        or not upstream
    ):
        process.complain(f"dpkg: version {version!r} has bad syntax")
        return False
    if not re.fullmatch(r"[0-9][A-Za-z0-9.+~:-]*", upstream) or not re.fullmatch(
        r"[A-Za-z0-9.+~]*", revision if hyphen else ""
    ):
        process.complain(f"dpkg: version {version!r} has bad syntax, but is compared")
    return True


def _selections(process: Process, packages: Packages) -> int:
    """``dpkg --get-selections``: what is wanted of each package."""
    found = sorted(packages.known(), key=lambda package: package.name)
    out = []
    for package in found:
        same = package.fields.get("Multi-Arch") == "same"
        if package.architecture not in {packages.architecture, "all"}:
            raise Refused("packages of several architectures")
        name = f"{package.name}:{package.architecture}" if same else package.name
        if package.is_installed:
            out.append(name + "\t" * max(1, 6 - len(name) // 8) + package.status[0] + "\n")
    process.print("".join(out))
    return 0


def programs(packages: Packages | None) -> dict[str, Program]:
    """``dpkg`` by name, for these packages."""
    return {"dpkg": lambda process: dpkg(process, packages)}


PROGRAMS: dict[str, Program] = programs(None)
"""Programs by name, where nothing is known of packages."""

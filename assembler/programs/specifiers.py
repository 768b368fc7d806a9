"""What sysusers.d(5), tmpfiles.d(5) and unit files share: where the files are, quoting, and ``%`` specifiers."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from assembler.errors import AssembleError, Place
from assembler.tree.staging import Kind, Tree

CONF_ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
"""Directories that hold ``*.d`` directories, highest precedence first (tmpfiles.d(5), "Configuration Directories")."""
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_NUMBERED = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})")


class ConfError(AssembleError):
    """A configuration file that is missing or cannot be understood."""


class NoValue(ConfError):
    """A specifier that has no value in an image: the machine id, the host's name, the running kernel."""


def is_masked(tree: Tree, path: str) -> bool:
    """Whether a configuration file is switched off: a link to ``/dev/null`` or an empty file."""
    inode = tree.get(path)
    if inode is not None and inode.kind is Kind.SYMLINK and inode.target == "/dev/null":
        return True
    inode = tree.get(path, follow=True)
    return inode is not None and inode.kind is Kind.FILE and inode.content == b""


def conf_files(
    tree: Tree, directory: str, names: Sequence[str] = (), *, roots: Sequence[str] = CONF_ROOTS, suffix: str = ".conf"
) -> list[str]:
    """Absolute paths of the files in ``directory`` under all roots, the first root winning for each name, sorted by
    name.

    With `names` (or absolute paths), those files in the order given; ConfError when one is in no root.
    """
    if names:
        found = []
        for name in names:
            candidates = [name] if name.startswith("/") else [f"{root}/{directory}/{name}" for root in roots]
            path = next((path for path in candidates if tree.is_file(path)), None)
            if path is None:
                raise ConfError(f"there is no {name} in {directory}", hint="the package that ships it may be missing")
            found.append(path)
        return found
    paths: dict[str, str] = {}
    for root in roots:
        for name in tree.names(f"{root}/{directory}"):
            if name.endswith(suffix):
                paths.setdefault(name, f"{root}/{directory}/{name}")
    return [paths[name] for name in sorted(paths) if tree.is_file(paths[name]) and not is_masked(tree, paths[name])]


def unquote(line: str, where: Place, *, maximum: int = 0, unescape: bool = False) -> list[str]:
    r"""Split a line into words, single and double quotes and backslashes taken as systemd does.

    After `maximum` words (0: no limit) the rest of the line is one more word, as it stands. `unescape` reads C escapes
    (``\n``, ``\x20``). Raises ConfError on an unbalanced quote or bad escape.
    """
    words: list[str] = []
    at, end = 0, len(line)
    while True:
        while at < end and line[at] in " \t\n\r":
            at += 1
        if at >= end:
            return words
        if maximum and len(words) == maximum:
            return [*words, line[at:].rstrip()]
        word, quote = "", ""
        while at < end and (quote or line[at] not in " \t\n\r"):
            char = line[at]
            at += 1
            if char == "\\":
                if at >= end:
                    raise ConfError("a backslash at the end of the line", where=where)
                numbered = _NUMBERED.match(line, at) if unescape else None
                if numbered:
                    word += _character(numbered, where)
                    at = numbered.end()
                else:
                    word += _ESCAPES.get(line[at], line[at]) if unescape else line[at]
                    at += 1
            elif char == quote:
                quote = ""
            elif not quote and char in "\"'":
                quote = char
            else:
                word += char
        if quote:
            raise ConfError("an unbalanced quote", where=where)
        words.append(word)


def _character(numbered: re.Match[str], where: Place) -> str:
    r"""What a numbered escape stands for: a byte (``\x``, octal) or a code point (``\u``, ``\U``)."""
    byte = int(numbered[1], 16) if numbered[1] else int(numbered[4], 8) if numbered[4] else None
    if byte is not None and byte <= 0xFF:
        return bytes((byte,)).decode("utf-8", "surrogateescape")
    point = int(numbered[2] or numbered[3] or "110000", 16)
    if point > 0x10FFFF or 0xD800 <= point < 0xE000:
        raise ConfError("an escape that is no character", where=where)
    return chr(point)


class Specifiers:
    """Expands ``%`` specifiers for the system manager of a tree (systemd.unit(5), "Specifiers")."""

    def __init__(self, tree: Tree, extra: Mapping[str, str] | None = None) -> None:
        """`extra` holds further specifiers by letter; they win."""
        self._tree = tree
        self._extra = extra or {}

    @cached_property
    def _os_release(self) -> dict[str, str]:
        values = {}
        for path in ("/etc/os-release", "/usr/lib/os-release"):
            if self._tree.is_file(path):
                for line in self._tree.read_text(path).splitlines():
                    key, _, value = line.partition("=")
                    values[key] = value.strip("\"'")
                break
        return values

    @cached_property
    def _values(self) -> dict[str, str]:
        release = self._os_release
        values = {
            "%": "%", "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc", "T": "/tmp",  # noqa: S108  names of directories in the image
            "V": "/var/tmp", "u": "root", "U": "0", "g": "root", "G": "0", "h": "/root", "s": "/bin/sh",  # noqa: S108  likewise
            "o": release.get("ID", ""), "w": release.get("VERSION_ID", ""), "M": release.get("IMAGE_ID", ""),
            "A": release.get("IMAGE_VERSION", ""), "B": release.get("BUILD_ID", ""), "W": release.get("VARIANT_ID", ""),
        }  # fmt: skip
        if self._tree.is_file("/etc/machine-id"):
            machine = self._tree.read_text("/etc/machine-id").strip()
            if re.fullmatch("[0-9a-f]{32}", machine):
                values["m"] = machine
        return {**values, **self._extra}

    def expand(self, text: str, where: Place) -> str:
        """`text` with its specifiers replaced. Raises NoValue for one that only a running machine knows."""
        if "%" not in text:
            return text

        def value(match: re.Match[str]) -> str:
            found = self._values.get(match[1])
            if found is None:
                raise NoValue(f"%{match[1]} has no value in an image", where=where)
            return found

        return re.sub(r"%(.)", value, text)

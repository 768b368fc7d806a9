"""gtk-update-icon-cache(1) of GTK 3.24 and 4.18 to 4.24: which icons there are in a theme, as `icon_cache` has them.

A theme with pixel data in its cache, or in which a name is not one that GTK finds valid, is refused.
"""

import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from assembler.programs.icon_cache import DATA, PNG, SVG, XPM, Image, cache
from assembler.programs.icon_data import IconData, icon_data
from assembler.programs.inputs import options_of
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import Budget, Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind, Tree

_KINDS = {".png": PNG, ".svg": SVG, ".xpm": XPM, "icon": DATA}
_NO_FILE = Image(0)
_PLAIN = [Image(flags) for flags in range(2 * DATA)]
"""Images that nothing more is known of, by their flags."""
_ICON = re.compile(r"(.*)\.(?:png|svg|xpm|icon)", re.DOTALL)
_VALID = re.compile(r"[!-~]{1,1000}")
"""What GTK takes for a sound name or path; it leaves a temporary file behind where there is another."""
_MAX_ENTRIES = 400_000
_MAX_DIRECTORIES = 0xFFFF
_ENTRIES_A_STEP, _BYTES_A_STEP = 40, 1 << 8
"""Entries, and bytes of .icon files and of names, that count as a command of a script."""
_MAX_DEPTH = 32
_MAX_DATA = 1 << 16
"""Bytes of an .icon file."""
_MAX_LINKS = 20
"""Links to links in one directory; any more are looked up one by one."""


def update_icon_cache(process: Process) -> int:
    """``gtk-update-icon-cache [-f] [-t] [-q] [-i] THEME``."""
    if not process.arguments:
        return 0
    options, names = options_of(process, "f|force t|ignore-theme-index i|index-only q|quiet")
    if len(names) != 1 or not names[0].startswith("/"):
        raise Refused("gtk-update-icon-cache with these arguments", why=" ".join(process.arguments)[:200])
    tree, theme = process.tree, process.place(names[0].rstrip("/"))
    if "t" not in options and not tree.is_file(f"{theme}/index.theme"):
        process.complain("gtk-update-icon-cache: No theme index file.")
        return 1
    if not tree.is_dir(theme):
        raise Refused("an icon cache of what is no directory", why=theme)
    target = f"{theme}/icon-theme.cache"
    if "f" not in options and tree.exists(target):
        raise Refused("whether an icon cache is as new as its icons", why=theme)
    found = tree.get(target)
    if found is not None and found.kind not in {Kind.FILE, Kind.SYMLINK}:
        raise Refused("what is in the way of an icon cache", why=target)
    content = _Theme(tree, theme, process.budget).cache()
    tree.discard(target)
    if content:
        tree.write(target, content, 0o644 & ~process.umask)
        if "q" not in options:
            process.complain("gtk-update-icon-cache: Cache file created successfully.")
    return 0


@dataclass(slots=True)
class _Theme:
    """A theme that is looked through."""

    tree: Tree
    path: str
    budget: Budget
    _entries: int = 0
    _directories: list[bytes] = field(default_factory=list)
    _images: dict[int, dict[bytes, Image]] = field(default_factory=dict)
    """By the number of their directory."""
    _names: dict[str, tuple[bytes, int] | None] = field(default_factory=dict)
    """What is known of names of files."""
    _data: dict[str, IconData] = field(default_factory=dict)
    """What .icon files say, by the path of the file and of where a link leads."""

    def cache(self) -> bytes:
        """The theme's cache; empty when there is no icon."""
        self._directory("", self.tree.at(self.path, follow=True), 0)
        self.budget.look(sum(map(len, self._names)), _BYTES_A_STEP)
        return cache(self._directories, self._images)

    def _directory(self, below: str, inode: Inode, depth: int) -> None:
        """scan_directory()."""
        self._count(len(inode.children))
        if depth > _MAX_DEPTH:
            raise Refused("directories of icons within one another", why=self.path)
        images: dict[bytes, Image] = {}
        number = 0
        for name in _sorted(inode.children):
            child = self._followed(below, inode, name)
            if child is None:
                continue
            if child.kind is Kind.DIR:
                self._directory(f"{below}/{name}", child, depth + 1)
            elif child.kind is Kind.FILE and below and (icon := self._icon(name)) is not None:
                if not images:
                    number = len(self._directories)
                    if number > _MAX_DIRECTORIES:
                        raise Refused("a theme of very many directories", why=self.path)
                    self._directories.append(_valid(below)[1:])
                self._add(images, icon, f"{below}/{name}", child)
        if images:
            self._images[number] = images

    def _count(self, entries: int) -> None:
        self._entries += entries
        if self._entries > _MAX_ENTRIES:
            raise Refused("a theme of very many icons", why=self.path)
        self.budget.look(entries, _ENTRIES_A_STEP)

    def _followed(self, below: str, directory: Inode, name: str) -> Inode | None:
        """What an entry of a directory leads to; None for nothing."""
        child: Inode | None = directory.children[name]
        for _ in range(_MAX_LINKS):
            if child is None or child.kind is not Kind.SYMLINK:
                return child
            if "/" in child.target or child.target in {"", ".", ".."}:
                break
            child = directory.children.get(child.target)
        return self.tree.get(f"{self.path}{below}/{name}", follow=True)

    def _icon(self, name: str) -> tuple[bytes, int] | None:
        """The icon that a file of that name is of, and its kind; None for any other file."""
        if name not in self._names:
            icon = _ICON.fullmatch(name)
            self._names[name] = (_valid(icon.group(1)), _KINDS[name[-4:]]) if icon else None
        return self._names[name]

    def _add(self, images: dict[bytes, Image], icon: tuple[bytes, int], path: str, inode: Inode) -> None:
        name, kind = icon
        before = images.get(name, _NO_FILE)
        data = self._said(self.path + path, inode) if kind == DATA else before.data
        flags = before.flags | kind
        images[name] = _PLAIN[flags] if data is None else Image(flags, data)

    def _said(self, path: str, inode: Inode) -> IconData:
        """maybe_cache_icon_data(): one value for a file and for all links to it that are seen to lead there."""
        end = self._end(path)
        ours, its = self._data.get(path), self._data.get(end)
        if ours is not its and ours is not None and its is not None:
            raise Refused("different data of one icon", why=path)
        data = ours or its
        if data is None:
            if size_of(inode.content) > _MAX_DATA:
                raise Refused("a large .icon file", why=path)
            self.budget.look(size_of(inode.content), _BYTES_A_STEP)
            data = icon_data(read(inode.content), path)
        self._data[path] = self._data[end] = data
        return data

    def _end(self, path: str) -> str:
        """follow_links() and canonicalize_filename(): links at the end of a path only."""
        for _ in range(_MAX_LINKS):
            inode = self.tree.get(path)
            if inode is None or inode.kind is not Kind.SYMLINK:
                break
            path = inode.target if inode.target.startswith("/") else f"{path.rpartition('/')[0]}/{inode.target}"
        return posixpath.normpath("/" + path.lstrip("/"))


def _sorted(names: Collection[str]) -> list[str]:
    """Names in the order of their bytes."""
    return sorted(names) if all(map(str.isascii, names)) else sorted(names, key=as_text)


def _valid(text: str) -> bytes:
    if not _VALID.fullmatch(text):
        raise Refused("an icon whose name is not valid in a cache", why=text)
    return text.encode()


PROGRAMS: dict[str, Program] = {"gtk-update-icon-cache": update_icon_cache}
"""Programs by name."""

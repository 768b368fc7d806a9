"""mkfontscale(1) 1.1.3 and 1.2.3 of xfonts-utils as mkfontdir calls it: the bitmap fonts of a directory, in fonts.dir,
and encodings, in encodings.dir.

Of files with fonts of one name, the one that is read first may win. 1.2.3 reads them in the order of their names, 1.1.3
in that of the directory's entries, which is another one on each disk.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from assembler.programs.font_encodings import encoding_names
from assembler.programs.font_names import font_name
from assembler.programs.packages_known import Packages, is_before
from assembler.shell.process import Process, as_text
from assembler.shell.streams import OrderShows, Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind

_MAX_ENTRIES = 20_000
_MAX_INDEX = 1 << 22
_BUCKETS = 1 << 10
_FROM_INDEX = 100
_LINE = re.compile(rb"(\S{1,1024})[ \t]+([^\s][^\n]{0,1023})")
_BY_ENDING = ((b".otf", 6), (b".OTF", 6), (b".ttf", 5), (b".TTF", 5), (b".pcf", 4), (b".PCF", 4), (b".gz", 3),
              (b".Z", 2), (b".bdf", 1), (b".BDF", 1))  # fmt: skip
_WRITTEN = b"fonts.dir"
"""Empty when it is looked at: it is being written."""


@dataclass(slots=True)
class _Entry:
    """A font in the index."""

    file: bytes
    priority: int
    """That of the file that was found first, even where another one won."""


def mkfontscale(process: Process, packages: Packages | None) -> int:
    """``mkfontscale -b -s -l [-e ENCODINGS]... DIRECTORY``."""
    words = list(process.arguments)
    if words[:3] != ["-b", "-s", "-l"]:
        raise Refused("mkfontscale with these arguments", why=" ".join(words)[:200])
    del words[:3]
    sources = []
    while len(words) > 1 and words[0] == "-e":
        sources.append(words[1])
        del words[:2]
    if len(words) != 1 or any(not re.fullmatch(r"/[!-~]*[!-.0-~]", word) for word in (*sources, *words)):
        raise Refused("mkfontscale with these arguments", why=" ".join(process.arguments)[:200])
    encodings: list[bytes] = []
    for source in sources:
        found = _encodings(process, source)
        if found is None:
            process.complain("mkfontscale: opendir: No such file or directory")
            return 1
        encodings += found
    place = process.place(words[0])
    directory = process.tree.get(place, follow=True)
    if directory is None or directory.kind is not Kind.DIR:
        process.complain("mkfontscale: scandir: No such file or directory")
        return 0
    fonts = _fonts(process, place, directory, is_sorted=not is_before(packages, "xfonts-utils", "1:7.7+6", "1:7.7+7"))
    lines = sorted((entry.file, name) for (_, name), entry in fonts.items())
    _write(process, f"{place}/fonts.dir", [b"%s %s" % line for line in lines])
    process.tree.discard(f"{place}/encodings.dir")
    if encodings:
        _write(process, f"{place}/encodings.dir", sorted(encodings))
    return 0


def _write(process: Process, path: str, lines: list[bytes]) -> None:
    content = b"".join(b"%s\n" % line for line in (b"%d" % len(lines), *lines))
    process.tree.write(path, content, 0o666 & ~process.umask)


def _entries(process: Process, place: str, directory: Inode) -> Mapping[bytes, tuple[Inode, bool]]:
    """The regular files in a directory by name, and whether the entry is a link, in the order of their names."""
    if len(directory.children) > _MAX_ENTRIES:
        raise Refused("very many fonts", why=place)
    found = {}
    for name, inode in directory.children.items():
        process.budget.step()
        file = process.tree.get(f"{place}/{name}", follow=True)
        if file is not None and file.kind not in {Kind.FILE, Kind.DIR}:
            raise Refused("a font that is no file", why=f"{place}/{name}")
        if file is not None and file.kind is Kind.FILE:
            found[as_text(name).encode("latin-1")] = file, inode.kind is Kind.SYMLINK
    return dict(sorted(found.items()))


def _encodings(process: Process, source: str) -> list[bytes] | None:
    """readEncodings(): lines of encodings.dir; None where there is no directory."""
    place = process.place(source)
    directory = process.tree.get(place, follow=True)
    if directory is None or directory.kind is not Kind.DIR:
        return None
    found = []
    for name, (inode, _) in _entries(process, place, directory).items():
        process.budget.look(size_of(inode.content), 1 << 14)
        path = source.encode("latin-1") + b"/" + name
        found += [b"%s %s" % (encoding, path) for encoding in encoding_names(inode.content, place)]
    return found


def _fonts(process: Process, place: str, directory: Inode, *, is_sorted: bool) -> dict[tuple[int, bytes], _Entry]:
    """doDirectory(): fonts by their names, which are the same when they are in the same bucket, too."""
    fonts: dict[tuple[int, bytes], _Entry] = {}
    for name, file in _index(process, f"{place}/fonts.scale"):
        fonts.setdefault(_key(name), _Entry(file, _FROM_INDEX))
    several: dict[tuple[int, bytes], list[int]] = {}
    for file, (inode, is_link) in reversed([*_entries(process, place, directory).items()]):
        if file.endswith(b".bz2"):
            raise Refused("a font that is compressed with bzip2", why=place)
        font = None if file == _WRITTEN else _name(process, inode, place, file)
        if font is None:
            continue
        key, priority = _key(font), _priority(file) * 2 + (not is_link)
        entry = fonts.setdefault(key, _Entry(file, priority))
        several.setdefault(key, []).append(priority)
        if priority > entry.priority:
            entry.file = file
    if not is_sorted:
        for key, priorities in several.items():
            if fonts[key].priority != _FROM_INDEX and _depends_on_order(priorities):
                raise OrderShows("fonts of one name, of which the first in a directory counts", why=place)
    return fonts


def _name(process: Process, inode: Inode, place: str, file: bytes) -> bytes | None:
    return font_name(inode.content, f"{place}/{file.decode('latin-1')}", process.budget)


def _depends_on_order(priorities: list[int]) -> bool:
    """Whether which of some files wins depends on which is found first: the best of two wins, and the first of equals;
    of three, a later one that is better than the first.
    """
    return len(priorities) > 1 and not (len(priorities) == 2 and len(set(priorities)) == 2)


def _key(name: bytes) -> tuple[int, bytes]:
    """putHash(): a font's bucket, in which case counts, and its name, in which it does not."""
    value = 0
    for byte in name:
        value = ((value << 5) + (value >> 5) + byte) & 0xFFFFFFFF
    return value % _BUCKETS, name.lower()


def _priority(file: bytes) -> int:
    """filePrio()."""
    if len(file) < 4:
        return 0
    return next((priority for ending, priority in _BY_ENDING if file.endswith(ending)), 0)


def _index(process: Process, path: str) -> list[tuple[bytes, bytes]]:
    """readFontScale(): names and files of fonts.scale. Raises Refused unless it is in a plain form."""
    inode = process.tree.get(path, follow=True)
    if inode is None:
        return []
    if inode.kind is not Kind.FILE or size_of(inode.content) > _MAX_INDEX:
        raise Refused("an unusual fonts.scale", why=path)
    first, *lines = read(inode.content).removesuffix(b"\n").split(b"\n")
    matches = [_LINE.fullmatch(line) for line in lines]
    if not re.fullmatch(rb"[0-9]{1,6}", first) or int(first) != len(lines) or None in matches:
        raise Refused("an unusual fonts.scale", why=path)
    return [(match.group(2), match.group(1)) for match in matches if match]

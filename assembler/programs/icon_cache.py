"""The cache of a theme of icons (``icon-theme.cache``, version 1.0), after docs/iconcache.txt of GTK, written as the
gtk-update-icon-cache of GTK 3.24 and 4.18 to 4.24 does: updateiconcache.c from scan_directory() on.

That program reads the names of each directory in the order of their bytes, so that nothing of what it writes depends on
a file system. It has icons in the order of a table of GLib's, and uses a string again that it has written before.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assembler.programs.glib_hash import StringSet
from assembler.programs.icon_data import IconData

XPM, SVG, PNG, DATA = 1, 2, 4, 8
_SIZES = (
    11, 19, 37, 73, 109, 163, 251, 367, 557, 823, 1237, 1861, 2777, 4177, 6247, 9371, 14057, 21089, 31627, 47431, 71143,
    106721, 160073, 240101, 360163,
)  # fmt: skip
"""Numbers of buckets: g_spaced_primes_closest() of GLib."""
_START, _NONE = 12, 0xFFFFFFFF
_PLANNED = -1
"""The place of a string for which there is room, and that is not written yet."""


@dataclass(frozen=True, slots=True)
class Image:
    """An icon in one directory."""

    flags: int
    """The kinds of files that there are of it: `XPM` and so on, added up."""
    data: IconData | None = None
    """What its .icon file says; files that are links to one another share the value."""


_Use = tuple[int, Image]
"""The number of a directory, and an image in it."""


def cache(directories: Sequence[bytes], images_of: Mapping[int, Mapping[bytes, Image]]) -> bytes:
    """The cache of a theme: the paths of its directories below it, in the order in which one was seen to have an icon,
    and the icons of each by name in the order of its files, as soon as a directory is read to its end. Empty when there
    is no icon.
    """
    table, icons = StringSet(), dict[bytes, list[_Use]]()
    for number, images in images_of.items():
        for name in _in_order(images, table):
            image = images[name]
            if name in icons:
                if image.flags != DATA:
                    icons[name].append((number, image))
            elif image.flags != DATA:
                table.add(name)
                icons[name] = [(number, image)]
    if not icons:
        return b""
    size = next(size for size in _SIZES if size > len(icons) // 3)
    buckets: list[list[bytes]] = [[] for _ in range(size)]
    for name in table:
        buckets[_bucket(name) % size].append(name)
    writer = _Writer()
    writer.data += struct.pack(f">HHIII{4 * size}x", 1, 0, _START, 0, size)
    firsts = [_NONE] * size
    for number, names in enumerate(buckets):
        names.reverse()
        if names:
            firsts[number] = len(writer.data)
        for name in names:
            writer.icon(name, icons[name][::-1], is_last=name is names[-1])
    struct.pack_into(f">{size}I", writer.data, _START + 4, *firsts)
    struct.pack_into(">I", writer.data, 8, len(writer.data))
    writer.strings(directories, width=1)
    return bytes(writer.data)


def _in_order(images: Mapping[bytes, Image], table: StringSet) -> Iterable[bytes]:
    """The names of a directory's icons as its own table has them, where that is of account: several are new."""
    if len(images) - len(table.known.intersection(images)) < 2:
        return images
    own = StringSet()
    for name in images:
        own.add(name)
    return own


def _bucket(name: bytes) -> int:
    """icon_name_hash()."""
    value = 0
    for byte in name:
        value = (value * 31 + byte - ((byte & 0x80) << 1)) & 0xFFFFFFFF
    return value


def _padded(text: bytes) -> bytes:
    return text + bytes(4 - len(text) % 4)


class _Writer:
    """What is written so far."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._pool: dict[bytes, int] = {}
        """Strings with their places."""
        self._places: dict[int, int] = {}
        """Where values of IconData are, by identity; 0 for one without anything in it."""

    def icon(self, name: bytes, uses: Sequence[_Use], *, is_last: bool) -> None:
        """write_bucket(), for one icon."""
        start = len(self.data)
        text = b"" if name in self._pool else _padded(name)
        self._pool.setdefault(name, start + 12)
        images = start + 12 + len(text)
        place = images + 4 + 8 * len(uses)
        entries, described = [len(uses)], []
        for number, image in uses:
            if image.data is None:
                entries += (number << 16 | image.flags, 0)
                continue
            size = self._size(image.data)
            described.append((image.data, size))
            entries += (number << 16 | image.flags, place)
            place += 8 + size
        self.data += struct.pack(">III", _NONE if is_last else place, self._pool[name], images) + text
        self.data += struct.pack(f">{len(entries)}I", *entries)
        for data, size in described:
            self._describe(data, size)

    def _size(self, data: IconData) -> int:
        """get_image_meta_data_size(): bytes of data that are met for the first time; from now on they have room."""
        if id(data) in self._places:
            return 0
        self._places[id(data)] = 0
        size = 12 if data != IconData() else 0
        size += (8 if data.rectangle else 0) + (4 + 2 * len(data.points) if data.points else 0)
        if data.names:
            size += 4 + 4 * len(data.names)
        for text in data.names:
            if text not in self._pool:
                size += len(_padded(text))
                self._pool[text] = _PLANNED
        return size

    def _describe(self, data: IconData, size: int) -> None:
        """write_icon_data(), or a reference to what it has written before."""
        if size:
            self._places[id(data)] = len(self.data) + 8
        self.data += struct.pack(">II", 0, self._places[id(data)])
        if not size:
            return
        rectangle = len(self.data) + 12
        points = rectangle + (8 if data.rectangle else 0)
        names = points + (4 + 2 * len(data.points) if data.points else 0)
        self.data += struct.pack(
            ">III", rectangle if data.rectangle else 0, points if data.points else 0, names if data.names else 0
        )
        self.data += struct.pack(f">{len(data.rectangle)}H", *data.rectangle)
        if data.points:
            self.data += struct.pack(f">I{len(data.points)}H", len(data.points) // 2, *data.points)
        if data.names:
            self.strings(data.names, width=2)

    def strings(self, texts: Sequence[bytes], *, width: int) -> None:
        """How many groups of `width` strings there are, where each string is, and those that were not written yet."""
        place, new = len(self.data) + 4 + 4 * len(texts), bytearray()
        for text in texts:
            if self._pool.get(text, _PLANNED) == _PLANNED:
                self._pool[text] = place + len(new)
                new += _padded(text)
        places = [self._pool[text] for text in texts]
        self.data += struct.pack(f">I{len(places)}I", len(texts) // width, *places) + new

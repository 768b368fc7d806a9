"""What bitmap fonts are called: their XLFD (X Logical Font Description), as mkfontscale 1.1.3 to 1.2.3 finds it in
files of the formats PCF and BDF 2.1, compressed with gzip or not (ident.c).

What it would ask FreeType about is refused where that could find a bitmap font; outlines are passed over.
"""

import re
import struct

from assembler.shell.streams import Budget, Refused
from assembler.tree.compressed import DAMAGE, expanding
from assembler.tree.content import Content, read, size_of

_GZIP = b"\x1f\x8b"
_PCF = b"\x01fcp"
_MAX_FILE = 1 << 25
"""Bytes of a file, and of what it holds when it is compressed."""
_PIECE, _BYTES_A_STEP = 1 << 12, 1 << 13
_PROPERTIES, _MOST_TABLES, _MOST_PROPERTIES, _MOST_TEXT = 1, 1000, 1000, 100_000
_MSB_FIRST = 4
_KEYWORD = re.compile(rb"([A-Z]{1,19})([ \n])")
_MAX_LINE = 1 << 16
_MAX_NAME = 999
_OUTLINES = (b"\0\1\0\0", b"OTTO", b"true")
_OF_BITMAPS = frozenset({b"EBLC", b"EBDT", b"bloc", b"bdat", b"bhed", b"CBLC", b"CBDT", b"sbix"})
_MAY_BE_BITMAPS = (_PCF, b"MZ", b"\0\2", b"\0\3", b"\x1f\x9d", b"BZh", b"ttcf", b"typ1", b"wOF", b"\xa5kbd", b"\xa5lst")
"""PCF, fonts of Windows, files of compress and bzip2, collections, and the rest of what wraps tables of TrueType."""


class _Font:
    """A file that is read from its beginning, uncompressed."""

    def __init__(self, content: Content, path: str, budget: Budget) -> None:
        self._path, self._budget = path, budget
        if size_of(content) > _MAX_FILE:
            raise self.odd("a very large font")
        budget.look(size_of(content), _BYTES_A_STEP)
        data = read(content)
        self._stream = expanding(data, ".gz") if data.startswith(_GZIP) else None
        self._held = bytearray() if self._stream else bytearray(data)
        self._position = 0

    @property
    def is_compressed(self) -> bool:
        """Whether it is compressed with gzip."""
        return self._stream is not None

    def odd(self, what: str = "a font that is not understood") -> Refused:
        """What to raise for it."""
        return Refused(what, why=self._path)

    def _fill(self, size: int) -> None:
        while self._stream is not None and len(self._held) < size:
            if len(self._held) > _MAX_FILE:
                raise self.odd("a very large font")
            try:
                piece = self._stream.read(_PIECE)
            except DAMAGE as error:
                raise self.odd("a font that is not compressed soundly") from error
            if not piece:
                return
            self._budget.look(len(piece), _BYTES_A_STEP)
            self._held += piece

    def begin(self, size: int) -> bytes:
        """At most so many bytes of its beginning."""
        self._fill(size)
        return bytes(self._held[:size])

    def whole(self) -> bytes:
        """All of it."""
        return self.begin(_MAX_FILE)

    def seek(self, position: int) -> None:
        """Go on there."""
        self._position = position

    def unpack(self, form: str) -> tuple[int, ...]:
        """Numbers that come next."""
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def take(self, size: int) -> bytes:
        """Bytes that come next."""
        end = self._position + size
        if not 0 <= self._position <= end <= _MAX_FILE:
            raise self.odd()
        self._fill(end)
        if len(self._held) < end:
            raise self.odd()
        found = bytes(self._held[self._position : end])
        self._position = end
        return found

    def line(self) -> bytes:
        """The line that comes next, with its end."""
        end = -1
        size = 0
        while end < 0 and size < _MAX_LINE:
            size += _PIECE
            self._fill(self._position + size)
            end = self._held.find(b"\n", self._position, self._position + size)
        if end < 0:
            raise self.odd()
        return self.take(end + 1 - self._position)


def font_name(content: Content, path: str, budget: Budget) -> bytes | None:
    """What the font in a regular file is called; None when there is no bitmap font in it.

    What is read counts in `budget`. Raises Refused.
    """
    if not size_of(content):
        return None
    font = _Font(content, path, budget)
    begin = font.begin(4)
    if begin == _PCF:
        return _pcf(font)
    if begin == b"STAR":
        return _bdf(font)
    _refuse_bitmaps(font)
    return None


def _pcf(font: _Font) -> bytes:
    font.seek(4)
    (count,) = font.unpack("<i")
    if not 0 < count <= _MOST_TABLES:
        raise font.odd()
    tables = [font.unpack("<iiii") for _ in range(count)]
    position = next((table[3] for table in tables if table[0] == _PROPERTIES), -1)
    font.seek(position)
    (form,) = font.unpack("<i")
    order = ">" if form & _MSB_FIRST else "<"
    (count,) = font.unpack(f"{order}i")
    if form & ~0xFF or not 0 < count <= _MOST_PROPERTIES:
        raise font.odd()
    properties = [font.unpack(f"{order}IBI") for _ in range(count)]
    font.take(-count % 4)
    (size,) = font.unpack(f"{order}i")
    if not 4 < size <= _MOST_TEXT:
        raise font.odd()
    texts = font.take(size)
    for name, is_text, value in properties:
        if is_text and name < size - 4 and value < size and texts.startswith(b"FONT\0", name):
            return _checked(font, texts[value:].partition(b"\0"))
    raise font.odd()


def _checked(font: _Font, parts: tuple[bytes, bytes, bytes]) -> bytes:
    if not parts[1] or b"\n" in parts[0]:
        raise font.odd()
    return parts[0]


def _bdf(font: _Font) -> bytes:
    if not font.line().startswith(b"STARTFONT "):
        raise font.odd()
    while True:
        line = font.line()
        keyword = _KEYWORD.match(line)
        if keyword is None or keyword.group(1) == b"CHARS" or line == b"FONT\n":
            raise font.odd()
        if keyword.group(1) == b"FONT":
            name = line[len("FONT ") : -1].lstrip(b" ")
            if not 0 < len(name) <= _MAX_NAME or b"\0" in name:
                raise font.odd()
            return name


def _refuse_bitmaps(font: _Font) -> None:
    """Raise Refused for what FreeType may take for a bitmap font. It takes compressed files for PCF only."""
    if font.is_compressed:
        return
    data = font.whole()
    if data.startswith(_OUTLINES):
        names = [data[at : at + 4] for at in range(12, 12 + 16 * int.from_bytes(data[4:6], "big"), 16)]
        if _OF_BITMAPS.intersection(names) or not {b"glyf", b"CFF ", b"CFF2"}.intersection(names):
            raise font.odd("bitmaps in a font with outlines")
    elif data.startswith(_MAY_BE_BITMAPS) or b"STARTFONT" in data:
        raise font.odd()

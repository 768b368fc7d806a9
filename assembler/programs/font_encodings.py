"""What files of encodings of fonts are for, as FontEncIdentify() of libfontenc 1.1.4 to 1.1.8 reads their headers."""

import re

from assembler.shell.streams import Refused
from assembler.tree.compressed import DAMAGE, expanding
from assembler.tree.content import Content, read, size_of

_MAX_FILE = 1 << 22
_PIECE = 1 << 12
_MAX_HEADER = 1 << 16
_MAX_ALIASES = 20
_COMMENT = re.compile(rb"[ \t]*(?:#[^\0\n]*)?")
_WORD = rb"([A-Za-z/_.-][!\"$-~]{0,98})"
_START = re.compile(rb"STARTENCODING[ \t]+" + _WORD, re.IGNORECASE)
_ALIAS = re.compile(rb"ALIAS[ \t]+" + _WORD, re.IGNORECASE)
_NUMBERS = re.compile(rb"(?:SIZE|FIRSTINDEX)(?:[ \t]+(?:0[xX])?[0-9A-Fa-f]+){1,2}", re.IGNORECASE)
_END = re.compile(
    rb"ENDENCODING|STARTMAPPING[ \t]+[A-Za-z]+(?:(?:[ \t]+[0-9]+)?[ \t]*|(?:[ \t]+[0-9]+){2})", re.IGNORECASE
)
_BEGIN = re.compile(rb"[ \t]*STARTENCODING", re.IGNORECASE)


def encoding_names(content: Content, path: str) -> list[bytes]:
    """What the encoding in a regular file is called, and its other names; empty when there is none.

    Raises Refused for a file that is not in a plain form.
    """
    if size_of(content) > _MAX_FILE:
        raise Refused("a very large encoding of a font", why=path)
    lines = iter(_lines(read(content), path))
    first = next((line for line in lines if not _COMMENT.fullmatch(line)), b"")
    if not _BEGIN.match(first):
        return []
    start = _START.fullmatch(first)
    names = [start.group(1)] if start else []
    for line in lines if start else ():
        alias = _ALIAS.fullmatch(line)
        if _END.fullmatch(line) and len(names) <= _MAX_ALIASES:
            return names
        if alias:
            names.append(alias.group(1))
        elif not _COMMENT.fullmatch(line) and not _NUMBERS.fullmatch(line):
            break
    raise Refused("an encoding of a font that is not understood", why=path)


def _lines(data: bytes, path: str) -> list[bytes]:
    """The lines of the beginning, which has the header."""
    if not data.startswith(b"\x1f\x8b"):
        return data[:_MAX_HEADER].split(b"\n")
    stream, found = expanding(data, ".gz"), bytearray()
    try:
        while (
            len(found) < _MAX_HEADER and not re.search(rb"STARTMAPPING.*\n", found) and (piece := stream.read(_PIECE))
        ):
            found += piece
    except DAMAGE as error:
        raise Refused("an encoding of a font that is not compressed soundly", why=path) from error
    return bytes(found).split(b"\n")

"""The journal's catalogue of messages, ``journalctl --update-catalog`` of systemd 252 to 262.

Format and reading: src/libsystemd/sd-journal/catalog.c; journalctl(1).
"""

import re
import struct
from collections.abc import Sequence

from assembler.programs.context import ExecutionContext
from assembler.programs.systemd_files import lines, listed, major, put
from assembler.programs.tails import Tails
from assembler.shell.process import Process
from assembler.shell.streams import Refused

_DIRECTORIES = ("/usr/local/lib/systemd/catalog", "/usr/lib/systemd/catalog")
DATABASE = "/var/lib/systemd/catalog/database"
_HEADER = struct.Struct("<8sIIQQQ")
_ITEM = struct.Struct("<16s32sQ")
_ENTRY = re.compile(rb"-- (.{32})(?: (.*))?", re.DOTALL)
_LANGUAGE = range(2, 32)
"""How long the name of a language may be."""

Key = tuple[bytes, bytes]
"""An identifier and a language."""
_MOST_COMBINED = 16 << 20
"""Bytes of messages to which others are added."""


def catalog(files: Sequence[tuple[str, Sequence[bytes]]]) -> bytes | None:
    """The database of `files`, paths and lines, in their order; None when they have no message. Raises ValueError for
    what journalctl fails with.
    """
    found = _Messages()
    for path, text in files:
        _read(found, path, text)
    if not found:
        return None
    strings = Tails()
    items = sorted((key, strings.add(text)) for key, text in found.items())
    return b"".join(
        [
            _HEADER.pack(b"RHHHKSLP", 0, 0, _HEADER.size, len(items), _ITEM.size),
            *(_ITEM.pack(*key, place) for key, place in items),
            strings.buffer,
        ]
    )


class _Messages(dict[Key, bytes]):
    """Messages by their identifier and language."""

    combined = 0

    def put(self, key: Key, text: bytes) -> None:
        """Add a message, to one that is there already as well."""
        before = self.get(key)
        if before is not None:
            self.combined += len(before)
            if self.combined > _MOST_COMBINED:
                raise Refused("very many messages of the journal with one identifier")
            text = _combined(text, before)
        self[key] = text


def _read(found: _Messages, path: str, text: Sequence[bytes]) -> None:
    """Add the messages of a file. Raises ValueError."""
    default = _language_of(path)
    key: Key | None = None
    payload = bytearray()
    empty = True

    def finish() -> None:
        if key is not None:
            if not payload:
                raise ValueError("a message without a text")
            if key[1] and len(key[1]) not in _LANGUAGE:
                raise ValueError("a language by the name of a file that is none")
            found.put(key, bytes(payload))

    for line in text:
        if not line:
            empty = True
            continue
        if line[:1] in {b"#", b";"}:
            continue
        entry = _ENTRY.fullmatch(line) if empty else None
        if entry is not None:
            # What follows the identifier is cut off, whatever that is.
            line = line[:35]  # noqa: PLW2901  as it is from now on
            if re.fullmatch(rb"[0-9a-fA-F]{32}", entry[1]):
                finish()
                payload.clear()
                key = bytes.fromhex(entry[1].decode()), _language(entry[2], default)
                empty = False
                continue
        if key is None:
            raise ValueError("a text before a message")
        payload += b"\n" * empty + line + b"\n"
        empty = False
    finish()


def _language_of(path: str) -> bytes:
    """catalog_file_lang(): that of all messages in a file, by its name."""
    stem = path.removesuffix(".catalog").encode("utf-8", "surrogateescape")
    start = max(stem.rfind(b"."), stem.rfind(b"/"), len(stem) - 32, 0)
    return stem[start + 1 :] if stem[start : start + 1] == b"." else b""


def _language(text: bytes | None, default: bytes) -> bytes:
    """catalog_entry_lang(): that of a message. Raises ValueError."""
    if text is None:
        return default
    found = text.strip(b" \t\n\r")
    if len(found) not in _LANGUAGE:
        raise ValueError("a language that is none")
    return found


def _combined(new: bytes, before: bytes) -> bytes:
    """combine_entries(): the headers of both, and the newer text."""
    ends = [_headers(each) for each in (new, before)]
    body = new[ends[0] :] or before[ends[1] :]
    return new[: ends[0]] + before[: ends[1]] + body


def _headers(text: bytes) -> int:
    """Where the headers of a message end."""
    at = 0
    while (end := text.find(b"\n", at)) > at:
        at = end + 1
    return at


def update_catalog(process: Process, context: ExecutionContext) -> int:
    """``journalctl --update-catalog``. Raises Refused."""
    if process.arguments != ["--update-catalog"]:
        raise Refused("journalctl with these arguments", why=" ".join(process.arguments)[:200])
    version = major(context, "systemd")
    files = listed(process, context, _DIRECTORIES, ".catalog", version)
    try:
        made = catalog([(file.path, lines(file)) for file in files])
    except ValueError as error:
        process.complain(f"journalctl fails: {error}")
        return 1
    if made is not None:
        put(process, DATABASE, made, 0o644)
    return 0

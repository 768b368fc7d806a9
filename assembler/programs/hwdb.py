"""systemd-hwdb(8), ``update`` of systemd 252 to 262: ``hwdb.bin``, in which udev looks up what is known of devices.

Format and reading: src/shared/hwdb-util.c and src/libsystemd/sd-hwdb/hwdb-internal.h; hwdb(7). The database is a trie
over all matches, whose nodes have properties with the file and the line that say so.
"""

import struct
from collections.abc import Mapping, Sequence

from assembler.programs.context import ExecutionContext
from assembler.programs.inputs import options_of
from assembler.programs.systemd_files import File, lines, listed, major, put
from assembler.programs.tails import Tails
from assembler.shell.process import Process
from assembler.shell.streams import Refused

_KIND = "hwdb-1"
_DIRECTORIES = ("/etc/udev/hwdb.d", "/usr/lib/udev/hwdb.d")
_PLACES = {True: "/usr/lib/udev/hwdb.bin", False: "/etc/udev/hwdb.bin"}
"""Where it comes, with ``--usr`` and without."""
_NAME = "hwdb.bin"
_HEADER = struct.Struct("<8s9Q")
_NODE = struct.Struct("<QB7xQ")
_CHILD = struct.Struct("<B7xQ")
_VALUE = struct.Struct("<QQQIHxx")
_SIGNATURE = b"KSLPHHRH"
_BLANK = b" \t"
_SPACE = b" \t\n\r\v\f"
_BYPASS = "SYSTEMD_HWDB_UPDATE_BYPASS"
_MOST_STEPS, _MOST_NODES, _MOST_VALUES = 3_000_000, 300_000, 400_000
"""Nodes that are gone through for all matches, nodes that there are, and their properties. Debian's files come to
920,000, 170,000 and 130,000.
"""


class _Node:
    """A node of the trie."""

    __slots__ = ("children", "place", "prefix", "values")

    def __init__(self, prefix: bytes, place: int) -> None:
        self.prefix, self.place = prefix, place
        """What all that is below has in common, and its place among the strings."""
        self.children: dict[int, _Node] = {}
        self.values: dict[bytes, tuple[int, int, int, int, int]] = {}
        """By key: the places of key, value and file name, the line, and the number of the file."""


class _Trie:
    """All matches."""

    def __init__(self) -> None:
        self.strings = Tails()
        self.root = _Node(b"", 0)
        self.steps = self.nodes = self.values = 0

    def at(self, match: bytes) -> _Node:
        """The node of a match, which is made if there is none. Raises Refused when all take too long."""
        node, above, position, end = self.root, self.root, 0, len(match)
        character = 0
        while True:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise Refused("matches of hwdb that are too many")
            if node.prefix and not match.startswith(node.prefix, position):
                node = above.children[character] = self._split(node, _shared(node.prefix, match, position))
            position += len(node.prefix)
            if position == end:
                break
            above, character = node, match[position]
            position += 1
            below = node.children.get(character)
            if below is None:
                rest = match[position:]
                node.children[character] = node = self._made(rest)
                break
            node = below
        return node

    def _made(self, prefix: bytes) -> _Node:
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise Refused("matches of hwdb that are too many")
        return _Node(prefix, self.strings.add(prefix))

    def count(self, values: int) -> None:
        """Count properties. Raises Refused when there are too many."""
        self.values += values
        if self.values > _MOST_VALUES:
            raise Refused("properties of hwdb that are too many")

    def _split(self, node: _Node, size: int) -> _Node:
        """The node that comes above another one, with the first `size` bytes of its prefix."""
        prefix = node.prefix[:size]
        made = self._made(prefix)
        made.children[node.prefix[size]] = node
        node.prefix, node.place = node.prefix[size + 1 :], node.place + size + 1
        return made


def _shared(prefix: bytes, match: bytes, position: int) -> int:
    """How many bytes a prefix has in common with what a match has at `position`."""
    size = 0
    for one, other in zip(prefix, memoryview(match)[position:], strict=False):
        if one != other:
            break
        size += 1
    return size


def hwdb(files: Sequence[File], version: int) -> bytes:
    """The database of `files` in their order, as systemd of that version writes it. Raises Refused."""
    trie = _Trie()
    for number, file in enumerate(files, start=1):
        if file.content is not None:
            _read(trie, file, number)
    return _written(trie, version)


def _read(trie: _Trie, file: File, number: int) -> None:
    """Add what a file says: matches, then properties, then an empty line, and so on."""
    name = file.path.encode("utf-8", "surrogateescape")
    matches: list[bytes] = []
    nodes: list[_Node] = []
    has_data = False
    for at, whole in enumerate(lines(file), start=1):
        if whole.startswith(b"#"):
            continue
        line = whole.partition(b"#")[0].rstrip(_SPACE)
        indented = line.startswith(b" ")
        if matches and indented:
            has_data = True
            found = _property(line)
            if found is None:
                continue
            trie.count(len(matches))
            key, value = found
            if not nodes:
                nodes = _first(trie, matches, key, value, (name, at, number))
                continue
            add = trie.strings.add
            entry = add(key), add(value), add(name), at, number
            for node in nodes:
                node.values[key] = entry
        elif not line or has_data:
            # The end of a record, or a match in its midst, which spoils what follows.
            matches, nodes, has_data = [], [], False
        elif not indented:
            matches.append(line)


def _first(
    trie: _Trie, matches: Sequence[bytes], key: bytes, value: bytes, place: tuple[bytes, int, int]
) -> list[_Node]:
    """The nodes of all matches of a record, which get its first property."""
    nodes = []
    add = trie.strings.add
    name, line, number = place
    for match in matches:
        node = trie.at(match)
        node.values[key] = add(key), add(value), add(name), line, number
        nodes.append(node)
    return nodes


def _property(line: bytes) -> tuple[bytes, bytes] | None:
    """Key, with one blank before it, and value; None for what is passed over."""
    key, sign, value = line.partition(b"=")
    text = key.lstrip(_BLANK)
    key = key[len(key) - len(text) - 1 :]
    return (key, value) if sign and text else None


def _written(trie: _Trie, version: int) -> bytes:
    """The bytes of the database: nodes below each before it, then the strings."""
    before: list[_Node] = []
    pending = [trie.root]
    while pending:
        node = pending.pop()
        before.append(node)
        pending.extend(node.children[character] for character in sorted(node.children))
    strings = _HEADER.size + sum(
        _NODE.size + _CHILD.size * len(node.children) + _VALUE.size * len(node.values) for node in before
    )
    out: list[bytes] = []
    places: dict[int, int] = {}
    at = _HEADER.size
    for node in reversed(before):
        places[id(node)] = at
        out.append(_NODE.pack(strings + node.place, len(node.children) & 0xFF, len(node.values)))
        out.extend(_CHILD.pack(character, places[id(node.children[character])]) for character in sorted(node.children))
        out.extend(
            _VALUE.pack(strings + key, strings + value, strings + name, line, number & 0xFFFF)
            for _, (key, value, name, line, number) in sorted(node.values.items())
        )
        at += _NODE.size + _CHILD.size * len(node.children) + _VALUE.size * len(node.values)
    texts = trie.strings.buffer
    header = _HEADER.pack(
        _SIGNATURE,
        version,
        strings + len(texts),
        _HEADER.size,
        _NODE.size,
        _CHILD.size,
        _VALUE.size,
        places[id(trie.root)],
        strings - _HEADER.size,
        len(texts),
    )
    return b"".join([header, *out, texts])


def systemd_hwdb(process: Process, context: ExecutionContext) -> int:
    """``systemd-hwdb [--usr] update``. Raises Refused."""
    options, operands = options_of(process, "usr")
    if operands != ["update"] or _BYPASS in process.environment:
        raise Refused("systemd-hwdb with these arguments", why=" ".join(process.arguments)[:200])
    version = major(context, "udev")
    path = _PLACES["usr" in options]
    files = listed(process, context, _DIRECTORIES, ".hwdb", version)
    if not files:
        process.tree.discard(path)
        return 0

    def make() -> Mapping[str, bytes]:
        return {_NAME: hwdb(files, version)}

    inputs = [(each.path, each.content) for each in files]
    put(process, path, context.keep(_KIND, [version, *inputs], make)[_NAME], 0o444)
    return 0

"""systemd's store of strings (src/basic/strbuf.c), in which one may be the tail of another: hwdb.bin and the journal's
catalogue have it.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Node:
    """A string that was added."""

    text: bytes = b""
    place: int = 0
    children: "dict[int, _Node]" = field(default_factory=dict)
    """Those that end alike, by the character before what they have in common."""


class Tails:
    """Strings one after the other, each with a zero at its end; the empty one is at 0."""

    def __init__(self) -> None:
        self.buffer = bytearray(1)
        self._root = _Node()
        self._places = {b"": 0}

    def add(self, text: bytes) -> int:
        """The place of a string without zeros, which is added if it is no tail of one that strbuf.c comes to."""
        place = self._places.get(text)
        if place is None:
            place = self._places[text] = self._add(text)
        return place

    def _add(self, text: bytes) -> int:
        node = self._root
        character = text[-1]
        # A string that has the whole text for its tail is found before the characters are used up, or then.
        for character in reversed(text):
            below = node.children.get(character)
            if below is None:
                break
            node = below
            if node.text.endswith(text):
                return node.place + len(node.text) - len(text)
        place = len(self.buffer)
        self.buffer += text
        self.buffer.append(0)
        node.children[character] = _Node(text, place)
        return place

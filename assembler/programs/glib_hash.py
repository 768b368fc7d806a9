"""The order in which a GHashTable of strings has its entries, as long as none is removed (GLib 2.74 to 2.90, ghash.c).

Programs that write what they have kept in such a table write it in this order.
"""

from collections.abc import Iterator
from functools import lru_cache

from assembler.shell.streams import Refused

_PRIMES = (
    1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071, 262139, 524287, 1048573,
)  # fmt: skip
"""The modulus for a table of two to the power of the position."""
_LEAST = 3
_PROBES, _PROBES_EACH = 10_000, 64
"""How often a slot may be taken already: in all, and for each key."""
_WORD = 0xFFFFFFFF


@lru_cache(1 << 14)
def string_hash(text: bytes) -> int:
    """g_str_hash(): a number of 32 bits."""
    value = 5381
    for byte in text:
        value = (value * 33 + byte - ((byte & 0x80) << 1)) & _WORD
    return value


class StringSet:
    """The keys of a table, in its order. Holds at most about 900,000; more raise IndexError, and many that
    collide raise Refused.
    """

    def __init__(self) -> None:
        self._shift = _LEAST
        self._slots: list[tuple[int, bytes] | None] = [None] * (1 << _LEAST)
        self._probes = 0
        self.known: set[bytes] = set()
        """The keys, in no order."""

    def __contains__(self, key: bytes) -> bool:
        return key in self.known

    def __len__(self) -> int:
        return len(self.known)

    def __iter__(self) -> Iterator[bytes]:
        return (slot[1] for slot in self._slots if slot is not None)

    def add(self, key: bytes) -> None:
        """g_hash_table_insert()."""
        if key in self.known:
            return
        self.known.add(key)
        value = string_hash(key)
        value = value if value > 1 else 2  # these mark a slot that is free
        at = value * 11 % (_WORD + 1) % _PRIMES[self._shift]
        mask, step = len(self._slots) - 1, 0
        while self._slots[at] is not None:
            step += 1
            at = at + step & mask
        self._slots[at] = (value, key)
        count = len(self.known)
        self._probes += step
        if self._probes > _PROBES + _PROBES_EACH * count:
            raise Refused("names that were made to collide in a table")
        if len(self._slots) <= count + count // 16:
            self._grow()

    def _grow(self) -> None:
        """g_hash_table_resize(): entries are moved one after the other, and drive out whom they find in their place."""
        slots = self._slots
        before = len(slots)
        self._shift = max(int(len(self.known) * 1.333).bit_length(), _LEAST)
        size = 1 << self._shift
        slots.extend([None] * (size - before))
        prime, mask, moved = _PRIMES[self._shift], size - 1, bytearray(size)
        for place in range(before):
            entry = slots[place]
            if entry is None or moved[place]:
                continue
            slots[place] = None
            while entry is not None:
                at, step = entry[0] * 11 % (_WORD + 1) % prime, 0
                while moved[at]:
                    step += 1
                    at = at + step & mask
                moved[at] = 1
                entry, slots[at] = slots[at], entry

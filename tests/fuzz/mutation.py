"""Changing bytes at random, as strangers and broken disks do: the same seed makes the same changes."""

from collections.abc import Sequence
from random import Random

_POWERS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 31, 32, 63)
_BOUNDS = sorted({max((1 << power) + by, 0) for power in _POWERS for by in (-1, 0, 1)})
"""Numbers at which readers go wrong."""
_LENGTHS = (1, 2, 4, 16, 100, 512)


def mutated(
    data: bytes, other: bytes, chance: Random, *, tokens: Sequence[bytes] = (), in_place: bool = False
) -> bytes:
    """`data` with one to ten changes.

    `tokens` are words of the format, to be put in; `other` is another input, whose pieces are. With `in_place` offsets
    stay what they were.
    """
    changed = bytearray(data or b"x")
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 10))):
        if in_place:
            _overwrite(changed, chance, tokens)
        else:
            _change(changed, other, chance, tokens)
        if not changed:
            changed += b"x"
    if in_place and not chance.randrange(20):
        del changed[chance.randrange(len(changed)) :]
    return bytes(changed)


def _number(chance: Random) -> bytes:
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice((chance.choice(_BOUNDS), chance.getrandbits(8 * width))) & ((1 << 8 * width) - 1)
    return value.to_bytes(width, chance.choice(("little", "big")))


def _digits(chance: Random) -> bytes:
    """A number as text, to take another's place."""
    value = chance.choice(_BOUNDS)
    return (b"%d" if chance.randrange(2) else b"%o") % value


def _overwrite(data: bytearray, chance: Random, tokens: Sequence[bytes]) -> None:
    # Most of an image is zeros that nobody reads.
    place = chance.randrange(len(data))
    for _ in range(20):
        if data[place]:
            break
        place = chance.randrange(len(data))
    match chance.randrange(4):
        case 0:
            data[place] ^= 1 << chance.randrange(8)
        case 1:
            piece = chance.choice(tokens) if tokens else _digits(chance)
            data[place : place + len(piece)] = piece[: len(data) - place]
        case 2:
            source, length = chance.randrange(len(data)), chance.choice(_LENGTHS)
            piece = bytes(data[source : source + length])[: len(data) - place]
            data[place : place + len(piece)] = piece
        case _:
            piece = _number(chance)[: len(data) - place]
            data[place : place + len(piece)] = piece


def _change(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    place = chance.randrange(len(data))
    length = chance.choice(_LENGTHS)
    match chance.randrange(11):
        case 0:
            del data[place : place + length]
        case 1:
            data[place:place] = bytes(data[place : place + length]) * chance.choice((1, 1, 2, 50))
        case 2:
            source = chance.randrange(len(data))
            data[place : place + length] = bytes(data[source : source + length])
        case 3:
            del data[place:]
        case 4 if tokens:
            data[place:place] = chance.choice(tokens)
        case 5 if tokens:
            token = chance.choice(tokens)
            data[place : place + len(token)] = token
        case 6:
            data += chance.randbytes(length)
        case 7 if other:
            source = chance.randrange(len(other))
            data[place : place + length] = other[source : source + 4 * length]
        case 8:
            digits = _digits(chance)
            data[place : place + len(digits)] = digits
        case _:
            _overwrite(data, chance, tokens)

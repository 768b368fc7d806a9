"""SHA-crypt with SHA-512, the ``$6$`` of crypt(5), as Python 3.13 has no crypt module any more.

Ulrich Drepper's specification ("Unix crypt using SHA-256 and SHA-512", 2008), with its default of 5000 rounds.
"""

import hashlib
import re

SALT_CHARACTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What a salt may consist of, and the digits of the hash."""
_ROUNDS = 5000
_SIZE = 64


def sha512_crypt(password: bytes, salt: str) -> str:
    """The hash of `password` with a salt of 1 to 16 characters of ``[./0-9A-Za-z]``, as a field of shadow(5).

    Raises ValueError for another salt.
    """
    if not re.fullmatch(r"[./0-9A-Za-z]{1,16}", salt):
        raise ValueError("a salt has 1 to 16 characters of ./0-9A-Za-z")
    seed = salt.encode()
    # Steps 4 to 8 of the specification.
    b = hashlib.sha512(password + seed + password).digest()
    a = hashlib.sha512(password + seed + _repeat(b, len(password)))
    # Steps 11 and 12: for each bit of the length, least significant first.
    bits = len(password)
    while bits:
        a.update(b if bits & 1 else password)
        bits >>= 1
    digest = a.digest()
    # Steps 13 to 20.
    p = _repeat(hashlib.sha512(password * len(password)).digest(), len(password))
    s = _repeat(hashlib.sha512(seed * (16 + digest[0])).digest(), len(seed))
    # Step 21.
    for number in range(_ROUNDS):
        odd = number & 1
        text = p if odd else digest
        if number % 3:
            text += s
        if number % 7:
            text += p
        text += digest if odd else p
        digest = hashlib.sha512(text).digest()
    return f"$6${salt}${_encode(digest)}"


def _repeat(block: bytes, size: int) -> bytes:
    """`block` over and over, cut to `size` bytes."""
    return (block * (size // len(block) + 1))[:size]


def _encode(digest: bytes) -> str:
    """Step 22: three bytes at a time, taken from the three thirds of the digest in turn, six bits a character."""
    text = ""
    order = (0, 21, 42)
    for _ in range(_SIZE // 3):
        text += _characters(digest[order[0]] << 16 | digest[order[1]] << 8 | digest[order[2]], 4)
        order = ((order[1] + 1) % 63, (order[2] + 1) % 63, (order[0] + 1) % 63)
    return text + _characters(digest[63], 2)


def _characters(value: int, count: int) -> str:
    return "".join(SALT_CHARACTERS[value >> 6 * place & 63] for place in range(count))

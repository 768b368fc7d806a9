"""Signatures of kernel modules, as the kernel's sign-file makes them (Documentation/admin-guide/module-signing.rst).

A detached CMS signature (RFC 5652) without attributes and certificates, with RSASSA-PKCS1-v1_5 (RFC 8017), is appended
to the module. That is always the same for the same key and bytes. No program sees the key.
"""

import base64
import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from assembler.errors import AssembleError, Place

MAGIC = b"~Module signature appended~\n"
_ID_PKCS7 = 2
_INTEGER, _BITS, _OCTETS, _NULL, _OID, _SEQUENCE, _SET, _FIRST = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30, 0x31, 0xA0
_RSA = bytes.fromhex("2a864886f70d010101")
_DATA, _SIGNED_DATA = bytes.fromhex("2a864886f70d010701"), bytes.fromhex("2a864886f70d010702")
_HASHES = {
    "sha256": bytes.fromhex("608648016503040201"),
    "sha384": bytes.fromhex("608648016503040202"),
    "sha512": bytes.fromhex("608648016503040203"),
}
HASH = "sha512"
"""What is signed with by default; every kernel that checks signatures has it."""
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END \1-----")
_LEAST_BITS = 2048
_LARGEST = 1 << 16
"""Characters of a key with its certificate."""


class SigningError(AssembleError):
    """A key or certificate that modules cannot be signed with."""


def _error(why: str, hint: str = "") -> SigningError:
    hint = (
        hint or "give a private RSA key and its certificate in PEM, as openssl req -x509 -nodes -newkey rsa:4096 makes"
    )
    return SigningError(
        "modules cannot be signed with this key", where=Place(key="kernel.modules_key"), why=why, hint=hint
    )


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and its certificate."""

    issuer: bytes
    """DER, of the certificate, as is"""
    serial: bytes
    """its number."""
    modulus: int
    exponent: int = field(repr=False)
    """The private one."""

    @classmethod
    def of(cls, text: str) -> "Signer":
        """That in `text`, PEM. Raises SigningError when it has not one RSA key and one certificate that go together."""
        if len(text) > _LARGEST:
            raise _error(f"it has more than {_LARGEST} characters")
        found = _PEM.findall(text)
        keys = [(kind, data) for kind, data in found if kind.endswith("PRIVATE KEY")]
        certificates = [data for kind, data in found if kind == "CERTIFICATE"]
        if len(keys) != 1 or len(certificates) != 1:
            raise _error(f"it has {len(keys)} keys and {len(certificates)} certificates, not one of each")
        try:
            modulus, exponent = _key(keys[0][0], base64.b64decode(keys[0][1]))
            serial, issuer, public, exponent_of_all = _certificate(base64.b64decode(certificates[0]))
        except (ValueError, IndexError, StopIteration) as error:
            raise _error("key or certificate is damaged") from error
        if public != modulus:
            raise _error("the certificate is of another key")
        if pow(pow(2, exponent, modulus), exponent_of_all, modulus) != 2:
            raise _error("key or certificate is damaged")
        if modulus.bit_length() < _LEAST_BITS:
            raise _error(f"it has {modulus.bit_length()} bits, and fewer than {_LEAST_BITS} are broken")
        return cls(issuer, serial, modulus, exponent)

    def sign(self, module: bytes, algorithm: str = HASH) -> bytes:
        """`module` with its signature appended; `algorithm` is that of CONFIG_MODULE_SIG_HASH.

        Raises SigningError for one that is not known.
        """
        oid = _HASHES.get(algorithm)
        if oid is None:
            raise _error(f"the kernel wants {algorithm}", f"one of {', '.join(_HASHES)} in its configuration")
        info = _der(
            _SEQUENCE,
            _der(_SEQUENCE, _der(_OID, oid), _der(_NULL)),
            _der(_OCTETS, hashlib.new(algorithm, module).digest()),
        )
        size = (self.modulus.bit_length() + 7) // 8
        padded = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
        value = pow(int.from_bytes(padded), self.exponent, self.modulus).to_bytes(size)
        digest = _der(_SEQUENCE, _der(_OID, oid))
        who = _der(
            _SEQUENCE,
            _der(_INTEGER, b"\x01"),
            _der(_SEQUENCE, self.issuer, self.serial),
            digest,
            _der(_SEQUENCE, _der(_OID, _RSA), _der(_NULL)),
            _der(_OCTETS, value),
        )
        content = _der(_SEQUENCE, _der(_OID, _DATA))
        body = _der(_SEQUENCE, _der(_INTEGER, b"\x01"), _der(_SET, digest), content, _der(_SET, who))
        message = _der(_SEQUENCE, _der(_OID, _SIGNED_DATA), _der(_FIRST, body))
        return module + message + struct.pack(">BBBBBxxxI", 0, 0, _ID_PKCS7, 0, 0, len(message)) + MAGIC


def _der(tag: int, *contents: bytes) -> bytes:
    """One element (X.690)."""
    data = b"".join(contents)
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + data


def _elements(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, contents, and the whole of each element in `data`. Raises ValueError."""
    at = 0
    while at < len(data):
        begin, tag, size = at, data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count])
            at += count
        if at + size > len(data):
            raise ValueError("an element ends before its end")
        yield tag, data[at : at + size], data[begin : at + size]
        at += size


def _inside(data: bytes, tag: int) -> list[tuple[int, bytes, bytes]]:
    """The elements of the one element in `data`, which has this `tag`."""
    ((found, contents, _),) = _elements(data)
    if found != tag:
        raise ValueError("an element is another")
    return list(_elements(contents))


def _key(kind: str, data: bytes) -> tuple[int, int]:
    """Modulus and private exponent of a key: PKCS #1 (RFC 8017) or PKCS #8 (RFC 5208)."""
    if kind == "ENCRYPTED PRIVATE KEY":
        raise _error("the key has a passphrase", "give it without: openssl pkey -in KEY")
    if kind == "PRIVATE KEY":
        _, algorithm, key = _inside(data, _SEQUENCE)[:3]
        _check_rsa(algorithm[2])
        kind, data = "RSA PRIVATE KEY", key[1]
    if kind != "RSA PRIVATE KEY":
        raise _error(f"it is no RSA key: {kind.lower()}")
    numbers = [int.from_bytes(contents) for tag, contents, _ in _inside(data, _SEQUENCE) if tag == _INTEGER]
    return numbers[1], numbers[3]


def _certificate(data: bytes) -> tuple[bytes, bytes, int, int]:
    """Serial number and issuer as they are, modulus and public exponent, of an X.509 certificate (RFC 5280)."""
    body = list(_elements(_inside(data, _SEQUENCE)[0][1]))
    if body[0][0] == _FIRST:  # the version
        del body[0]
    serial, issuer, public = body[0][2], body[2][2], _inside(body[5][2], _SEQUENCE)
    _check_rsa(public[0][2])
    if public[1][0] != _BITS:
        raise ValueError("no public key")
    modulus, exponent = (int.from_bytes(contents) for _, contents, _ in _inside(public[1][1][1:], _SEQUENCE))
    return serial, issuer, modulus, exponent


def _check_rsa(algorithm: bytes) -> None:
    if _inside(algorithm, _SEQUENCE)[0][1] != _RSA:
        raise _error("key or certificate is not of RSA")

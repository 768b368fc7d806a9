"""As much of X.509 as hashed certificate directories need: the subject of a certificate and OpenSSL's hash of it."""

import base64
import binascii
import hashlib
import re

from assembler.errors import AssembleError

_SEQUENCE, _SET, _OID, _UTF8, _VERSION = 0x30, 0x31, 0x06, 0x0C, 0xA0
_CHARSETS = {
    0x0C: "utf-8",  # UTF8String
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # T61String, which OpenSSL takes for Latin-1
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_PEM = re.compile(
    rb"-----BEGIN (?:(?:X509|TRUSTED) )?CERTIFICATE-----\s*\n(.*?)-----END (?:(?:X509|TRUSTED) )?CERTIFICATE-----",
    re.DOTALL,
)


class CertificateError(AssembleError):
    """Bytes that are no certificate."""


def certificates(pem: bytes) -> list[bytes]:
    """The certificates in PEM text, as DER. Raises CertificateError."""
    try:
        return [base64.b64decode(match[1], validate=False) for match in _PEM.finditer(pem)]
    except binascii.Error as error:
        raise CertificateError("the Base64 of a certificate is damaged", why=str(error)) from error


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the DER element at an offset (X.690, 8.1). Raises CertificateError."""
    try:
        tag, length, start = data[at], data[at + 1], at + 2
        if length >= 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[start : start + count], "big")
            start += count
    except IndexError as error:
        raise CertificateError("the certificate is cut short") from error
    if start + length > len(data):
        raise CertificateError("the certificate is cut short")
    return tag, start, start + length


def _expect(data: bytes, at: int, tag: int) -> tuple[int, int]:
    found, start, end = _element(data, at)
    if found != tag:
        raise CertificateError("the bytes are no certificate", why=f"tag {found:#04x} at {at} where {tag:#04x} belongs")
    return start, end


def _encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def subject(certificate: bytes) -> bytes:
    """The content of the subject's RDNSequence in a DER certificate (RFC 5280, 4.1). Raises CertificateError."""
    at, _ = _expect(certificate, 0, _SEQUENCE)
    at, _ = _expect(certificate, at, _SEQUENCE)
    tag, _, end = _element(certificate, at)
    if tag == _VERSION:
        at = end
    for _ in range(4):  # serialNumber, signature, issuer, validity
        at = _element(certificate, at)[2]
    start, end = _expect(certificate, at, _SEQUENCE)
    return certificate[start:end]


def subject_hash(certificate: bytes) -> str:
    """``openssl x509 -subject_hash``: eight hexadecimal digits. Raises CertificateError.

    The SHA-1 of the name in OpenSSL's canonical form (X509_NAME, ``x509_name_canon``): strings as UTF8String in lower
    case with single blanks, each RDN a SET, and no SEQUENCE around them.
    """
    name = subject(certificate)
    canonical = bytearray()
    at = 0
    while at < len(name):
        start, end = _expect(name, at, _SET)
        pairs = []
        while start < end:
            inner, stop = _expect(name, start, _SEQUENCE)
            pairs.append(_canonical_pair(name[inner:stop]))
            start = stop
        canonical += _encode(_SET, b"".join(sorted(pairs)))
        at = end
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return digest[3::-1].hex()


def _canonical_pair(pair: bytes) -> bytes:
    _, oid_end = _expect(pair, 0, _OID)
    tag, start, end = _element(pair, oid_end)
    charset = _CHARSETS.get(tag)
    if charset is None:
        return _encode(_SEQUENCE, pair)
    try:
        text = pair[start:end].decode(charset).encode("utf-8")
    except UnicodeError as error:
        raise CertificateError("a name in the certificate cannot be read", why=str(error)) from error
    # bytes.lower() and split() touch ASCII only, as OpenSSL does here.
    value = b" ".join(text.lower().split())
    return _encode(_SEQUENCE, pair[:oid_end] + _encode(_UTF8, value))

"""Certificates of authorities that a recipe wants trusted: what update-ca-certificates(8) takes."""

import base64
import binascii
import re

_PEM = re.compile(rb"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END \1-----")
_DER = b"\x30\x82"
"""What a certificate begins with that is not PEM: a sequence of more than 255 bytes."""


def wrong(data: bytes) -> tuple[str, str] | None:
    """What is wrong with the bytes of a file, which has to hold one certificate in PEM, and what to do; None for none.

    update-ca-certificates links each file by the hash of one certificate; others in it would be in the bundle alone.
    """
    found = _PEM.findall(data)
    if data.startswith(_DER) and not found:
        return "the certificate is in DER, not in PEM", "openssl x509 -inform der -in FILE -out FILE.crt"
    if len(found) > 1:
        return f"the file has {len(found)} certificates", "give each a file of its own"
    if not found or b"PRIVATE KEY" in data:
        return "the file does not hold a certificate alone, in PEM", "it begins with -----BEGIN CERTIFICATE-----"
    try:
        base64.b64decode(re.sub(rb"\s", b"", found[0][1]), validate=True)
    except binascii.Error:
        return "the certificate is damaged", "its lines are base64"
    return None

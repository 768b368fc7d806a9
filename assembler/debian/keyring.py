"""Which OpenPGP certificates an archive may be signed with: Debian's own, or those that a recipe brings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from assembler import releases
from assembler.debian.mirrors import MISMATCH_HINT
from assembler.debian.sources import Archive, SourcesError
from assembler.errors import AssembleError

if TYPE_CHECKING:
    from pysequoia import Cert

SHIPPED = releases.keys()
"""Debian's archive certificates by fingerprint; see keys/README.md for their names."""

_CLEARTEXT = b"-----BEGIN PGP SIGNED MESSAGE-----"
_END = b"\n-----END PGP SIGNATURE-----"


class SignatureError(AssembleError):
    """A signature is missing, is not good, or is by nobody who is trusted."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a good signature covers."""

    text: bytes
    """The signed text, and nothing around it."""
    fingerprints: tuple[str, ...]
    """Certificates that made a good signature, upper-case hex, sorted."""


@cache
def shipped() -> tuple["Cert", ...]:
    """Debian's certificates that come with the assembler, each checked to be the one that :data:`SHIPPED` lists."""
    from pysequoia import Cert  # noqa: PLC0415  only locking needs it

    certificates = []
    for fingerprint, name in SHIPPED.items():
        certificate = Cert.from_bytes((files("assembler.debian") / "keys" / name).read_bytes())
        if certificate.fingerprint.upper() != fingerprint:
            raise SignatureError(f"{name} is not the certificate {fingerprint}", hint="reinstall the assembler")
        certificates.append(certificate)
    return tuple(certificates)


def trusted(archive: Archive) -> tuple["Cert", ...]:
    """The certificates that may sign `archive`. Raises SourcesError when its source names one that is not known."""
    source = archive.source
    where = archive.place
    if source.key:
        from pysequoia import Cert  # noqa: PLC0415  only locking needs it

        try:
            own = tuple(Cert.split_bytes(source.key.encode()))
        except (RuntimeError, ValueError) as error:
            raise SourcesError("the certificate cannot be read", where=where, why=_first_line(error)) from error
        if not own:
            raise SourcesError("there is no certificate in it", where=where)
        return own
    if not source.signed_by:
        return shipped()
    known = {certificate.fingerprint.upper(): certificate for certificate in shipped()}
    if unknown := [fingerprint for fingerprint in source.signed_by if fingerprint not in known]:
        raise SourcesError(
            f"the certificate {unknown[0]} is not known",
            where=where,
            hint="only Debian's come with the assembler; put the certificate itself, in ASCII armor, into Signed-By",
        )
    return tuple(known[fingerprint] for fingerprint in source.signed_by)


def verify(data: bytes, certificates: Sequence["Cert"], *, now: datetime, name: str, signature: bytes = b"") -> Signed:
    """What of `data`, a cleartext signed message (RFC 9580 7), is signed by one of `certificates`; all of it when its
    `signature` is beside it, armored or not (RFC 9580 10.4).

    Certificates that have been revoked, or that have expired by `now`, count for nothing. Raises SignatureError, which
    calls the data `name`.
    """
    from pysequoia import Sig  # noqa: PLC0415  only locking needs it
    from pysequoia import verify as verify_openpgp  # noqa: PLC0415  only locking needs it

    if not signature:
        _require_cleartext(data, name)
    valid = [
        certificate
        for certificate in certificates
        if not certificate.is_revoked and (certificate.expiration is None or certificate.expiration > now)
    ]
    try:
        beside = Sig.from_bytes(signature) if signature else None
        result = verify_openpgp(data, store=lambda _: valid, signature=beside)
    except Exception as error:  # the library raises several kinds, some of them without a common base
        raise SignatureError(
            f"the signature of {name} is not good",
            why=_first_line(error),
            hint="the mirror or something on the way to it changed the file, or it is signed with another key",
        ) from error
    allowed = {certificate.fingerprint.upper() for certificate in valid}
    good = tuple(sorted({signature.certificate.upper() for signature in result.valid_sigs} & allowed))
    text = data if signature else result.bytes
    if not good or text is None:
        raise SignatureError(f"{name} is not signed by a trusted certificate")
    return Signed(bytes(text), good)


def _require_cleartext(data: bytes, name: str) -> None:
    """Raise SignatureError unless `data` is a cleartext signed message, and nothing besides."""
    if place := _unsigned(data):
        raise SignatureError(
            f"the signature of {name} does not cover all of it", why=f"there is more {place}", hint=MISMATCH_HINT
        )
    if not data.startswith(_CLEARTEXT):  # and so no compressed message, which might grow beyond all bounds
        raise SignatureError(f"{name} is not a signed message", hint="is this address an archive of Debian packages?")


def _unsigned(data: bytes) -> str:
    """Where a cleartext signed message has more than what is signed, and Hash headers; empty when nowhere.

    It would count for nothing, but a lock has the digest of the whole, which nobody could then find again.
    """
    before, _, message = data.partition(_CLEARTEXT)
    headers = message.replace(b"\r\n", b"\n").partition(b"\n\n")[0].split(b"\n")
    if message and before:
        return "before the signed text"
    if any(line.strip() and not line.startswith(b"Hash:") for line in headers):
        return "among its headers"
    return "after its signature" if message.partition(_END)[2].strip() else ""


def _first_line(error: BaseException) -> str:
    """The messages of pysequoia carry a backtrace below their first line."""
    return str(error).partition("\n")[0].strip().rstrip(".")

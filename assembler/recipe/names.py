"""How archives and their packages are named, in recipes, in sources and in locks."""

import re

WORD = r"[A-Za-z0-9][A-Za-z0-9.+_~-]*(?:/[A-Za-z0-9][A-Za-z0-9.+_~-]*)*"
"""A suite, or a component of one."""
DIRECTORY = r"(?=.)(?:\.?/)?(?:(?!\.{1,2}/)[A-Za-z0-9.+_~:-]+/)*"
"""Of a flat archive, below its root: with a slash at its end, and no way out of there."""
FILE_PATH = r"(?!.*(?:^|/)\.{0,2}(?:/|$))(?!.*%2[EeFf])[!-~](?:[ -~]*[!-~])?"
"""Relative, and without parts that mean something to a file system: empty ones, a dot, two dots; nor as an address."""
FINGERPRINT = r"(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})"
"""Of an OpenPGP certificate (RFC 9580 5.5.4), in hex."""
BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
"""The first line of a certificate in ASCII armor (RFC 9580 6.2)."""
_REQUEST = re.compile(r"([^=/]*)(?:=(.*)|/(.*))?", re.DOTALL)


def request(text: str) -> tuple[str, str, str]:
    """Name, version and release of ``NAME``, ``NAME=VERSION`` or ``NAME/RELEASE`` (apt-get(8)); empty if not given."""
    match = _REQUEST.fullmatch(text)
    assert match is not None
    return match[1], match[2] or "", match[3] or ""
